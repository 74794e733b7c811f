// PUSH, POP, PUSHA/POPA, PUSHF/POPF, ENTER, LEAVE. SDM vol. 2.
//
// The register forms go through the soft TLB; everything else uses exec/stack.h.
#include "cpu/exec/stack.h"
#include "cpu/exec/emitters.h"
#include "cpu/exec/segment.h"

namespace vitrine::cpu {
namespace {

template <class T> bool push_register(Core& core, const Op& op) {
    return push<T>(core, get<T>(&core, op.rm));
}
HANDLER push64(HANDLER_ARGS) {
    const u64 to = core->r.gpr[RSP] - 8;
    u8* p = fast_hit<u64>(core->write_fast, to);
    if (!p) [[unlikely]]
        VITRINE_TAIL cold<push_register<u64>>(HANDLER_PASS);
    write_host<u64>(p, get<u64>(core, op->rm));
    core->r.gpr[RSP] = to;
    NEXT;
}
/// POP rSP leaves the popped value: the increment comes first.
template <class T> bool pop_register(Core& core, const Op& op) {
    T value{};
    if (!pop<T>(core, value)) return false;
    put<T>(&core, op.rm, value);
    return true;
}
HANDLER pop64(HANDLER_ARGS) {
    const u64 from = core->r.gpr[RSP];
    const u8* p = fast_hit<u64>(core->read_fast, from);
    if (!p) [[unlikely]]
        VITRINE_TAIL cold<pop_register<u64>>(HANDLER_PASS);
    const u64 value = read_host<u64>(p);
    core->r.gpr[RSP] = from + 8;
    put<u64>(core, op->rm, value);
    NEXT;
}
/// 32- and 16-bit items on a plain stack with a 32-bit pointer; any other goes the long way.
template <class T> HANDLER push_legacy(HANDLER_ARGS) {
    const Segment& s = core->seg(Seg::SS);
    const u64 to = (core->r.gpr[RSP] - sizeof(T)) & 0xFFFFFFFF;
    u8* p = s.big && plainly_inside(s, to, sizeof(T))
                ? fast_hit<T>(core->write_fast, (s.base + to) & 0xFFFFFFFF)
                : nullptr;
    if (!p) [[unlikely]]
        VITRINE_TAIL cold<push_register<T>>(HANDLER_PASS);
    write_host<T>(p, get<T>(core, op->rm));
    core->r.gpr[RSP] = to;
    NEXT;
}
template <class T> HANDLER pop_legacy(HANDLER_ARGS) {
    const Segment& s = core->seg(Seg::SS);
    const u64 from = core->r.gpr[RSP] & 0xFFFFFFFF;
    const u8* p = s.big && plainly_inside(s, from, sizeof(T))
                      ? fast_hit<T>(core->read_fast, (s.base + from) & 0xFFFFFFFF)
                      : nullptr;
    if (!p) [[unlikely]]
        VITRINE_TAIL cold<pop_register<T>>(HANDLER_PASS);
    const T value = read_host<T>(p);
    core->r.gpr[RSP] = (from + sizeof(T)) & 0xFFFFFFFF;
    put<T>(core, op->rm, value);
    NEXT;
}
template <class T> bool push_immediate(Core& core, const Op& op) { return push<T>(core, immediate<T>(&op)); }
template <class T> bool push_memory(Core& core, const Op& op) {
    T value{};
    return read_memory<T>(core, op, value) && push<T>(core, value);
}
/// POP [mem]: an address using rSP sees it after the increment; a fault restores it.
template <class T> bool pop_memory(Core& core, const Op& op) {
    T value{};
    const u64 old = core.r.gpr[RSP];
    if (!pop<T>(core, value)) return false;
    if (write_memory<T>(core, op, value)) return true;
    core.r.gpr[RSP] = old;
    return false;
}

template <class T> bool push_all(Core& core, const Op&) {
    const u64 old = core.r.gpr[RSP];
    for (unsigned i = 0; i < 8; ++i) {
        const T value = i == RSP ? static_cast<T>(old) : static_cast<T>(core.r.gpr[i]);
        if (!store_below<T>(core, (i + 1) * sizeof(T), value)) return false;
    }
    set_stack_pointer(core, old - 8 * sizeof(T));
    return true;
}
template <class T> bool pop_all(Core& core, const Op&) {
    T values[8];
    for (unsigned i = 0; i < 8; ++i)
        if (!load_above<T>(core, i * sizeof(T), values[7 - i])) return false;
    set_stack_pointer(core, core.r.gpr[RSP] + 8 * sizeof(T));
    for (unsigned i = 0; i < 8; ++i)
        if (i != RSP) put<T>(&core, slot_of(i), values[i]);
    return true;
}

/// VM86 with IOPL < 3 traps to the monitor, or under CR4.VME sees VIF as IF (16-bit forms only; SDM
/// 3B 20.2.7).
bool sensitive_in_vm86(const Core& core) { return (core.r.rflags & VM) && ((core.r.rflags >> 12) & 3) < 3; }

template <class T> bool push_flags(Core& core, const Op&) {
    u64 image = core.flags() & ~u64{VM | RF};
    if (sensitive_in_vm86(core)) {
        if (!(core.r.cr4 & VME) || sizeof(T) != 2) return core.raise(13, 0);
        image = (image & ~u64{IF}) | IOPL | (image & VIF ? IF : 0);
    }
    return push<T>(core, static_cast<T>(image));
}
template <class T> bool pop_flags(Core& core, const Op&) {
    const bool sensitive = sensitive_in_vm86(core);
    if (sensitive && (!(core.r.cr4 & VME) || sizeof(T) != 2)) return core.raise(13, 0);
    T popped{};
    if (!load_above<T>(core, 0, popped)) return false;
    u64 value = popped;
    const unsigned iopl = (core.r.rflags >> 12) & 3;
    u64 writable = CF | PF | AF | ZF | SF | TF | DF | OF | NT;
    if (sizeof(T) > 2) writable |= AC | ID;
    if (sensitive) {
        if ((value & TF) || ((value & IF) && (core.r.rflags & VIP))) return core.raise(13, 0);
        writable |= VIF;
        value |= value & IF ? VIF : 0;
    } else if (!core.protected_mode() && !(core.r.rflags & VM))
        writable |= IF | IOPL;
    else if (core.r.rflags & VM)
        writable |= IF;
    else {
        if (core.cpl == 0) writable |= IOPL;
        if (core.cpl <= iopl) writable |= IF;
    }
    set_stack_pointer(core, core.r.gpr[RSP] + sizeof(T));
    u64 flags = (core.flags() & ~writable) | (value & writable);
    if (sizeof(T) > 2) flags &= ~u64{RF};
    core.set_flags(flags);
    core.update_privilege(); // AC
    return true;
}

template <class T> bool enter_frame(Core& core, const Op& op) {
    const unsigned level = op.extra & 31;
    const u64 allocation = op.imm & 0xFFFF;
    const unsigned size = sizeof(T);
    // 1: everything is written before rSP and rBP move, so a fault restarts cleanly.
    u64 depth = size;
    if (!store_below<T>(core, depth, get<T>(&core, slot_of(RBP)))) return false;
    const u64 frame = core.r.gpr[RSP] - size;
    for (unsigned i = 1; i < level; ++i) {
        u64 linear = 0;
        T display{};
        const u64 from = (core.r.gpr[RBP] - i * size) & stack_mask(core);
        if (!segment_linear(core, Seg::SS, from, size, false, linear) || !core.load(linear, display))
            return false;
        depth += size;
        if (!store_below<T>(core, depth, display)) return false;
    }
    if (level > 0) {
        depth += size;
        if (!store_below<T>(core, depth, static_cast<T>(frame))) return false;
    }
    // 2: the manual asks for a write probe of the final stack top.
    u64 linear = 0;
    const u64 top = core.r.gpr[RSP] - depth - allocation;
    if (!segment_linear(core, Seg::SS, top & stack_mask(core), size, true, linear) ||
        !core.writable(linear, size))
        return false;
    put<T>(&core, slot_of(RBP), static_cast<T>(frame));
    set_stack_pointer(core, top);
    return true;
}
template <class T> bool leave_frame(Core& core, const Op&) {
    u64 linear = 0;
    T value{};
    const u64 from = core.r.gpr[RBP] & stack_mask(core);
    if (!segment_linear(core, Seg::SS, from, sizeof(T), false, linear) || !core.load(linear, value))
        return false;
    set_stack_pointer(core, core.r.gpr[RBP] + sizeof(T));
    put<T>(&core, slot_of(RBP), value);
    return true;
}
HANDLER leave64(HANDLER_ARGS) {
    const u64 from = core->r.gpr[RBP];
    const u8* p = fast_hit<u64>(core->read_fast, from);
    if (!p) [[unlikely]]
        VITRINE_TAIL cold<leave_frame<u64>>(HANDLER_PASS);
    core->r.gpr[RBP] = read_host<u64>(p);
    core->r.gpr[RSP] = from + 8;
    NEXT;
}

bool push_segment(Core& core, const Op& op) {
    const u16 selector = core.r.seg[op.extra].selector;
    // With a 32-bit operand current processors write the low word alone; with 64 bits the selector is
    // zero-extended (SDM vol. 2, PUSH).
    if (op.reg != 4) return push_sized(core, op.reg, selector);
    if (!store_below<u16>(core, 4, selector)) return false;
    set_stack_pointer(core, core.r.gpr[RSP] - 4);
    return true;
}
bool pop_segment(Core& core, const Op& op) {
    u64 value = 0;
    if (!load_sized(core, op.reg, 0, value)) return false;
    if (!load_segment(core, static_cast<Seg>(op.extra), static_cast<u16>(value))) return false;
    set_stack_pointer(core, core.r.gpr[RSP] + op.reg);
    if (static_cast<Seg>(op.extra) == Seg::SS && core.shadow != Shadow::MovSs) core.shadow = Shadow::MovSs;
    return true;
}

} // namespace

namespace emit {

void push_reg(Emitter& e) { // 50–57 and FF /6
    if (e.d.has_modrm && e.memory()) {
        const unsigned size = e.long64() && e.d.size != 2 ? 8 : e.d.size;
        e.handler = by_wide_size(size, []<class T> { return static_cast<Handler>(cold<push_memory<T>>); });
        return;
    }
    const unsigned size = e.long64() && e.d.size != 2 ? 8 : e.d.size;
    e.op.rm = slot_of(e.d.rm);
    e.cost = cost::Store;
    if (size == 8)
        e.handler = push64;
    else if (!e.long64())
        e.handler = size == 4 ? push_legacy<u32> : push_legacy<u16>;
    else
        e.handler = by_wide_size(size, []<class T> { return static_cast<Handler>(cold<push_register<T>>); });
}
void pop_reg(Emitter& e) {
    e.op.rm = slot_of(e.d.rm);
    e.cost = cost::Load;
    if (e.d.size == 8)
        e.handler = pop64;
    else if (!e.long64())
        e.handler = e.d.size == 4 ? pop_legacy<u32> : pop_legacy<u16>;
    else
        e.handler =
            by_wide_size(e.d.size, []<class T> { return static_cast<Handler>(cold<pop_register<T>>); });
}
void push_imm(Emitter& e) {
    e.handler = by_wide_size(e.d.size, []<class T> { return static_cast<Handler>(cold<push_immediate<T>>); });
}
void pop_rm(Emitter& e) {
    if (e.d.reg & 7) {
        e.undefined = true;
        return;
    }
    if (!e.memory()) return pop_reg(e);
    e.handler = by_wide_size(e.d.size, []<class T> { return static_cast<Handler>(cold<pop_memory<T>>); });
}
void push_seg(Emitter& e) {
    e.op.extra = e.d.row->arg, e.op.reg = e.d.size;
    e.handler = cold<push_segment>;
}
void pop_seg(Emitter& e) {
    e.op.extra = e.d.row->arg, e.op.reg = e.d.size;
    e.cost = cost::SegmentLoad;
    e.ends_block = true;
    e.handler = cold_end<pop_segment>;
}
void pusha_popa(Emitter& e) {
    e.cost = 8;
    e.handler = by_wide_size(e.d.size, [&]<class T> {
        return e.d.row->arg ? static_cast<Handler>(cold<pop_all<T>>)
                            : static_cast<Handler>(cold<push_all<T>>);
    });
}
void pushf_popf(Emitter& e) {
    e.cost = 3;
    if (e.d.row->arg) {
        e.ends_block = true;
        e.handler =
            by_wide_size(e.d.size, []<class T> { return static_cast<Handler>(cold_end<pop_flags<T>>); });
    } else {
        e.handler = by_wide_size(e.d.size, []<class T> { return static_cast<Handler>(cold<push_flags<T>>); });
    }
}
void enter(Emitter& e) {
    e.op.extra = static_cast<u8>(e.d.imm2);
    e.cost = 8;
    e.handler = by_wide_size(e.d.size, []<class T> { return static_cast<Handler>(cold<enter_frame<T>>); });
}
void leave(Emitter& e) {
    if (e.d.size == 8)
        e.handler = leave64;
    else
        e.handler =
            by_wide_size(e.d.size, []<class T> { return static_cast<Handler>(cold<leave_frame<T>>); });
}

} // namespace emit
} // namespace vitrine::cpu
