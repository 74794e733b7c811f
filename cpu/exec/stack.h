// The stack as instructions see it: push and pop of one item with the right width, segment and wrap. SDM vol.
// 1 6.2.
#pragma once
#include "cpu/exec/operand.h"

namespace vitrine::cpu {

/// Width of rSP for address purposes: 8 in 64-bit mode, else by SS.B.
inline unsigned stack_width(const Core& core) { return core.code64() ? 8 : core.seg(Seg::SS).big ? 4 : 2; }
inline u64 stack_mask(const Core& core) {
    const unsigned width = stack_width(core);
    return width == 8 ? ~u64{0} : width == 4 ? 0xFFFFFFFF : 0xFFFF;
}
inline void set_stack_pointer(Core& core, u64 value) {
    const u64 mask = stack_mask(core);
    core.r.gpr[RSP] = mask == 0xFFFF ? (core.r.gpr[RSP] & ~mask) | (value & mask) : value & mask;
}

/// Stores below rSP without moving it; `depth` bytes below.
template <class T> bool store_below(Core& core, u64 depth, T value) {
    u64 linear = 0;
    return segment_linear(core, Seg::SS, (core.r.gpr[RSP] - depth) & stack_mask(core), sizeof(T), true,
                          linear) &&
           core.store(linear, value);
}
template <class T> bool load_above(Core& core, u64 height, T& value) {
    u64 linear = 0;
    return segment_linear(core, Seg::SS, (core.r.gpr[RSP] + height) & stack_mask(core), sizeof(T), false,
                          linear) &&
           core.load(linear, value);
}
template <class T> bool push(Core& core, T value) {
    if (!store_below<T>(core, sizeof(T), value)) return false;
    set_stack_pointer(core, core.r.gpr[RSP] - sizeof(T));
    return true;
}
template <class T> bool pop(Core& core, T& value) {
    if (!load_above<T>(core, 0, value)) return false;
    set_stack_pointer(core, core.r.gpr[RSP] + sizeof(T));
    return true;
}
/// Push or pop of an item of `size` bytes.
inline bool push_sized(Core& core, unsigned size, u64 value) {
    return size == 8   ? push<u64>(core, value)
           : size == 4 ? push<u32>(core, static_cast<u32>(value))
                       : push<u16>(core, static_cast<u16>(value));
}
inline bool load_sized(Core& core, unsigned size, u64 height, u64& value) {
    if (size == 8) return load_above<u64>(core, height, value);
    if (size == 4) {
        u32 v = 0;
        const bool ok = load_above<u32>(core, height, v);
        value = v;
        return ok;
    }
    u16 v = 0;
    const bool ok = load_above<u16>(core, height, v);
    value = v;
    return ok;
}

} // namespace vitrine::cpu
