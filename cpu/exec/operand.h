// Operands: registers by byte offset, effective addresses, segment checks, and the fast and general memory
// paths.
//
// Fast handlers test the soft TLB inline and, on a miss, tail-call their own General instantiation, which
// computes the address with every check and accesses memory out of line. SDM vol. 1 3.3, 3.7.5; vol. 3A ch.
// 5.
#pragma once
#include <type_traits>
#include "cpu/decode/emit.h"
#include "cpu/run/leave.h"
#include "cpu/timing/cost.h"

namespace vitrine::cpu {

template <class T> [[gnu::always_inline]] inline T& reg_ref(Core* core, u8 slot) {
    return *reinterpret_cast<T*>(reinterpret_cast<u8*>(core->r.gpr.data()) + slot);
}
template <class T> [[gnu::always_inline]] inline T get(const Core* core, u8 slot) {
    return *reinterpret_cast<const T*>(reinterpret_cast<const u8*>(core->r.gpr.data()) + slot);
}
/// 32-bit results zero-extend (SDM 1 3.4.1.1).
template <class T> [[gnu::always_inline]] inline void put(Core* core, u8 slot, T value) {
    if constexpr (sizeof(T) == 4)
        reg_ref<u64>(core, slot) = value;
    else
        reg_ref<T>(core, slot) = value;
}
template <class T> [[gnu::always_inline]] inline u64 sext(T value) {
    return static_cast<u64>(static_cast<i64>(static_cast<std::make_signed_t<T>>(value)));
}
template <class T> [[gnu::always_inline]] inline T immediate(const Op* op) {
    return static_cast<T>(sext(op->imm));
}

/// Offset part of any memory operand, wrapped to its address size.
[[gnu::always_inline]] inline u64 operand_offset(const Core& core, const Op& op) {
    const u64 base =
        op.base == RipSlot ? block_of(&op)->rip + op.offset + op.length : get<u64>(&core, op.base);
    const u64 offset = base + (get<u64>(&core, op.index) << (op.address & ScaleMask)) +
                       static_cast<u64>(static_cast<i64>(op.disp));
    switch ((op.address >> SizeShift) & 3) {
    case 0: return offset & 0xFFFF;
    case 1: return offset & 0xFFFFFFFF;
    default: return offset;
    }
}
inline Seg operand_segment(const Op& op) { return static_cast<Seg>((op.address >> SegShift) & 7); }

/// Of the paging mode that is on: accesses, branch targets.
inline bool canonical(const Core& core, u64 address) { return core.canonical(address); }
/// Bits of a linear address that the model has, whatever mode is on.
inline unsigned linear_address_bits(const Core& core) {
    return offers(features_of(core.options.model), Feature::La57) ? 57 : 48;
}
/// What MSRs and descriptor-table, FS and GS bases may hold: canonical for the widest mode of the model (SDM
/// 3A 4.5.2 and 1 3.3.7.1: these checks do not look at CR4.LA57).
inline bool loadable_address(const Core& core, u64 address) {
    const u64 half = u64{1} << (linear_address_bits(core) - 1);
    return address + half < 2 * half;
}

/// Outside 64-bit mode: `size` bytes at `offset` of a usable, writable, expand-up data segment lie inside its
/// limit (SDM 3A 5.3). Whatever this is not true of takes the long way.
[[gnu::always_inline]] inline bool plainly_inside(const Segment& s, u64 offset, unsigned size) {
    return s.usable && (s.type & 14) == 2 && offset + size - 1 <= s.limit;
}
/// An address that no fast entry has: it is not canonical.
inline constexpr u64 NoAddress = u64{1} << 62;

/// The linear address of an operand of `size` bytes by a fast kind.
template <Kind K>
[[gnu::always_inline]] inline u64 fast_address(const Core* core, const Op* op, unsigned size) {
    if constexpr (K == Kind::Rip)
        return block_of(op)->rip + op->offset + op->length + static_cast<u64>(static_cast<i64>(op->disp));
    if constexpr (K == Kind::Legacy) {
        const Segment& s = core->seg(operand_segment(*op));
        const u64 offset = operand_offset(*core, *op);
        return plainly_inside(s, offset, size) ? (s.base + offset) & 0xFFFFFFFF : NoAddress;
    }
    u64 address = get<u64>(core, op->base) + static_cast<u64>(static_cast<i64>(op->disp));
    if constexpr (K == Kind::Index || K == Kind::Based)
        address += get<u64>(core, op->index) << (op->address & ScaleMask);
    if constexpr (K == Kind::Based) address += core->seg(operand_segment(*op)).base;
    return address;
}

/// The host address of a fast hit, or null.
template <class T> [[gnu::always_inline]] inline u8* fast_hit(const FastEntry* table, u64 va) {
    const FastEntry& e = table[fast_index(va)];
    if (((va + sizeof(T) - 1) & ~u64{0xFFF}) != e.tag) [[unlikely]]
        return nullptr;
    return reinterpret_cast<u8*>(va + e.addend); // not aligned: go through read_host and write_host
}
template <class T> [[gnu::always_inline]] inline T read_host(const u8* p) {
    T v;
    __builtin_memcpy(&v, p, sizeof v);
    return v;
}
template <class T> [[gnu::always_inline]] inline void write_host(u8* p, T v) {
    __builtin_memcpy(p, &v, sizeof v);
}

/// Segment checks and base: offset → linear. False: #GP or #SS is pending.
bool checked_linear(Core& core, Seg seg, u64 offset, unsigned size, bool write, u64& linear);
inline bool segment_linear(Core& core, Seg seg, u64 offset, unsigned size, bool write, u64& linear) {
    const Segment& s = core.seg(seg);
    if (core.code64()) {
        linear = seg >= Seg::FS ? s.base + offset : offset;
        if (canonical(core, linear) && canonical(core, linear + size - 1)) [[likely]]
            return true;
    } else if (plainly_inside(s, offset, size)) {
        linear = (s.base + offset) & 0xFFFFFFFF;
        return true;
    }
    return checked_linear(core, seg, offset, size, write, linear);
}
inline bool operand_linear(Core& core, const Op& op, unsigned size, bool write, u64& linear) {
    return segment_linear(core, operand_segment(op), operand_offset(core, op), size, write, linear);
}

template <class T> bool read_memory(Core& core, const Op& op, T& out) {
    u64 linear = 0;
    return operand_linear(core, op, sizeof(T), false, linear) && core.load(linear, out);
}
template <class T> bool write_memory(Core& core, const Op& op, T value) {
    u64 linear = 0;
    return operand_linear(core, op, sizeof(T), true, linear) && core.store(linear, value);
}
template <class T> bool read_rm(Core& core, const Op& op, T& out) {
    if (op.address & RegisterOperand) {
        out = get<T>(&core, op.rm);
        return true;
    }
    return read_memory(core, op, out);
}
template <class T> bool write_rm(Core& core, const Op& op, T value) {
    if (op.address & RegisterOperand) {
        put<T>(&core, op.rm, value);
        return true;
    }
    return write_memory(core, op, value);
}
/// Read-modify-write: the write is probed before anything is read, so a fault leaves no trace.
template <class T, class F> bool modify_rm(Core& core, const Op& op, F&& change) {
    if (op.address & RegisterOperand) {
        put<T>(&core, op.rm, change(get<T>(&core, op.rm)));
        return true;
    }
    u64 linear = 0;
    T value{};
    if (!operand_linear(core, op, sizeof(T), true, linear)) return false;
    if (u8* p = core.fast(core.write_fast, linear, sizeof(T)))
        [[likely]] { // what is written there may be read
        __builtin_memcpy(&value, p, sizeof value);
        value = change(value);
        __builtin_memcpy(p, &value, sizeof value);
        return true;
    }
    if (!core.writable(linear, sizeof(T)) || !core.load(linear, value)) return false;
    return core.store(linear, change(value));
}

/// rip of the next instruction. Behind FFFFh 16-bit code goes on at 10000h, where the limit faults.
inline u64 next_rip(const Op* op) {
    const Block* b = block_of(op);
    const u64 rip = b->rip + op->offset + op->length;
    return b->key.code_size == 8 ? rip : rip & 0xFFFFFFFF;
}

/// Adapters: plain functions `bool f(Core&, const Op&)` (false: fault pending) as handlers.
template <auto Fn> HANDLER cold(HANDLER_ARGS) {
    CALLING_OUT;
    if (!Fn(*core, *op)) [[unlikely]]
        FAULT;
    NEXT_AFTER_ACCESS;
}
/// For instructions that end a block: r.rip is preset to the next instruction; always leaves to the run loop.
template <auto Fn> HANDLER cold_end(HANDLER_ARGS) {
    CALLING_OUT;
    core->r.rip = next_rip(op);
    if (!Fn(*core, *op)) [[unlikely]]
        FAULT;
    VITRINE_TAIL leave_settled(HANDLER_PASS);
}

} // namespace vitrine::cpu
