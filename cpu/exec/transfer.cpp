// Far control transfers: JMP/CALL far, RETF, IRET, INT n, INTO, BOUND, SYSCALL/SYSRET, SYSENTER/SYSEXIT. SDM
// vol. 2, 3A 5.8.
//
// Model choice (cpu-notes.md): SYSRET to a non-canonical RCX raises #GP at CPL 0 on the user's stack, as
// Intel does.
#include "cpu/exec/transfer.h"
#include "cpu/exec/emitters.h"

namespace vitrine::cpu {

void null_inaccessible(Core& core) {
    for (Seg s : {Seg::ES, Seg::DS, Seg::FS, Seg::GS}) {
        Segment& seg = core.seg(s);
        const bool conforming_code = (seg.type & 12) == 12;
        if (seg.usable && seg.code_or_data && !conforming_code && seg.dpl < core.cpl) {
            const u64 base = seg.base;
            seg = Segment{};
            seg.usable = false;
            if (core.long_active() && s >= Seg::FS) seg.base = base;
        }
    }
}

namespace {

bool code_offset_ok(Core& core, const Descriptor& d, u64 offset) {
    if (core.long_active() && d.long_mode()) return canonical(core, offset) || core.raise(13, 0);
    return offset <= d.limit() || core.raise(13, 0);
}

/// Finds the descriptor a far transfer names; #GP(selector) when it cannot be used.
bool far_descriptor(Core& core, u16 selector, Descriptor& d) {
    const u32 error = selector & 0xFFFC;
    if (!error) return core.raise(13, 0);
    switch (read_descriptor(core, selector, d, true)) {
    case Lookup::Fault: return false;
    case Lookup::OutOfTable: return core.raise(13, error);
    case Lookup::Ok: return true;
    }
    return false;
}

bool call_gate(Core& core, u16 gate_selector, const Descriptor& gate, bool call) {
    const u32 gate_error = gate_selector & 0xFFFC;
    if (gate.dpl() < core.cpl || gate.dpl() < (gate_selector & 3)) return core.raise(13, gate_error);
    if (!gate.present()) return core.raise(11, gate_error);
    const bool long64 = core.long_active(), wide = gate.type() == CallGate;
    const u16 selector = static_cast<u16>(gate.raw >> 16);
    const u32 error = selector & 0xFFFC;
    u64 offset = (gate.raw & 0xFFFF) | (wide ? gate.raw >> 32 & 0xFFFF0000 : 0);
    if (long64) offset |= gate.upper << 32;
    Descriptor code;
    if (!far_descriptor(core, selector, code)) return false;
    if (long64 && (gate.upper >> 40 & 31)) return core.raise(13, gate_error);
    if (!code.code() || code.dpl() > core.cpl || (long64 && (!code.long_mode() || code.big())))
        return core.raise(13, error);
    if (!call && !code.conforming() && code.dpl() != core.cpl) return core.raise(13, error);
    if (!code.present()) return core.raise(11, error);
    if (!code_offset_ok(core, code, offset) || !set_accessed(core, code)) return false;
    const u8 new_cpl = code.conforming() || !call ? core.cpl : code.dpl();
    const unsigned size = long64 ? 8 : wide ? 4 : 2;
    const u64 old_rip = core.r.rip, old_rsp = core.r.gpr[RSP];
    const Segment old_cs = core.seg(Seg::CS), old_ss = core.seg(Seg::SS);
    const u8 old_cpl = core.cpl;
    if (!call) {
        set_code_segment(core, code, selector, new_cpl);
        core.r.rip = offset;
        return true;
    }
    u64 parameters[31];
    unsigned count = 0;
    if (new_cpl < core.cpl) {
        if (long64) {
            u64 rsp = 0;
            if (!tss64_pointer(core, 4u + 8u * new_cpl, rsp)) return false;
            set_code_segment(core, code, selector, new_cpl);
            set_null_stack(core, new_cpl);
            core.update_mode();
            core.r.gpr[RSP] = rsp;
        } else {
            u16 ss = 0;
            u32 sp = 0;
            Descriptor stack;
            if (!tss_stack(core, new_cpl, ss, sp) || !check_stack_segment(core, ss, new_cpl, stack))
                return false;
            count = gate.raw >> 32 & 31;
            for (unsigned i = 0; i < count; ++i)
                if (!load_sized(core, size, i * size, parameters[i])) return false;
            set_code_segment(core, code, selector, new_cpl);
            core.seg(Seg::SS) = stack.segment(ss);
            core.update_mode();
            set_stack_pointer(core, sp);
        }
        const u32 stack_error =
            long64 ? 0 : core.seg(Seg::SS).selector & 0xFFFC; // no room on the new stack: #SS(it)
        bool ok = push_sized(core, size, old_ss.selector) && push_sized(core, size, old_rsp);
        for (unsigned i = count; ok && i-- > 0;) ok = push_sized(core, size, parameters[i]);
        if (!ok || !push_sized(core, size, old_cs.selector) || !push_sized(core, size, old_rip)) {
            core.seg(Seg::CS) = old_cs, core.seg(Seg::SS) = old_ss, core.cpl = old_cpl,
            core.r.gpr[RSP] = old_rsp;
            if (core.fault.vector == 12) core.fault.error = stack_error;
            core.update_mode();
            return false;
        }
    } else {
        if (!push_sized(core, size, old_cs.selector)) return false;
        if (!push_sized(core, size, old_rip)) {
            core.r.gpr[RSP] = old_rsp;
            return false;
        }
        set_code_segment(core, code, selector, new_cpl);
    }
    core.r.rip = offset;
    return true;
}

/// JMP or CALL to selector:offset with operand size `size`. r.rip is the next instruction.
bool far_transfer(Core& core, u16 selector, u64 offset, unsigned size, bool call) {
    if (!core.protected_mode()) {
        const u64 old_sp = core.r.gpr[RSP];
        if (offset > 0xFFFF && core.seg(Seg::CS).limit <= 0xFFFF) return core.raise(13, 0);
        if (call &&
            (!push_sized(core, size, core.seg(Seg::CS).selector) || !push_sized(core, size, core.r.rip))) {
            core.r.gpr[RSP] = old_sp;
            return false;
        }
        load_real_segment(core, Seg::CS, selector);
        core.r.rip = offset;
        return true;
    }
    Descriptor d;
    if (!far_descriptor(core, selector, d)) return false;
    const u32 error = selector & 0xFFFC;
    if (!d.code_or_data()) {
        if (d.type() == CallGate || (!core.long_active() && d.type() == CallGate16))
            return call_gate(core, selector, d, call);
        const u8 type = d.type();
        if (core.long_active() || (type != TaskGate && type != TssAvailable && type != Tss16Available))
            return core.raise(13, error);
        if (d.dpl() < core.cpl || d.dpl() < (selector & 3)) return core.raise(13, error);
        if (!d.present()) return core.raise(11, error);
        const TaskSwitch how = call ? TaskSwitch::Call : TaskSwitch::Jump;
        return type == TaskGate ? task_gate(core, d, how, {.flags_image = core.flags()})
                                : switch_task(core, selector, how, {.flags_image = core.flags()});
    }
    if (!d.code()) return core.raise(13, error);
    const u8 rpl = selector & 3;
    if (d.conforming() ? d.dpl() > core.cpl : (rpl > core.cpl || d.dpl() != core.cpl))
        return core.raise(13, error);
    if (core.long_active() && d.long_mode() && d.big()) return core.raise(13, error);
    if (!d.present()) return core.raise(11, error);
    if (!code_offset_ok(core, d, offset)) return false;
    const u64 old_sp = core.r.gpr[RSP];
    if (call &&
        (!push_sized(core, size, core.seg(Seg::CS).selector) || !push_sized(core, size, core.r.rip))) {
        core.r.gpr[RSP] = old_sp;
        return false;
    }
    if (!set_accessed(core, d)) return false;
    set_code_segment(core, d, selector, core.cpl);
    core.r.rip = offset;
    return true;
}

template <bool Call> bool far_direct(Core& core, const Op& op) {
    return far_transfer(core, static_cast<u16>(op.imm64 >> 32),
                        op.imm64 & (op.reg == 2 ? 0xFFFF : 0xFFFFFFFF), op.reg, Call);
}
template <bool Call, class T> bool far_memory(Core& core, const Op& op) {
    u64 linear = 0, at_selector = 0;
    T offset{};
    u16 selector = 0;
    const u64 where = operand_offset(core, op);
    if (!segment_linear(core, operand_segment(op), where, sizeof(T), false, linear) ||
        !segment_linear(core, operand_segment(op), where + sizeof(T), 2, false, at_selector) ||
        !core.load(linear, offset) || !core.load(at_selector, selector))
        return false;
    return far_transfer(core, selector, offset, sizeof(T), Call);
}

/// The part that RETF and IRET share: CS:rIP popped, the rest of the stack at `height`; loads SS:rSP when
/// outward (or always, for a 64-bit IRET).
bool return_to(Core& core, u16 selector, u64 rip, unsigned size, u64 height, u64 release, bool always_stack) {
    const u32 error = selector & 0xFFFC;
    Descriptor d;
    if (!far_descriptor(core, selector, d)) return false;
    const u8 rpl = selector & 3;
    if (!d.code() || rpl < core.cpl || (d.conforming() ? d.dpl() > rpl : d.dpl() != rpl))
        return core.raise(13, error);
    if (core.long_active() && d.long_mode() && d.big()) return core.raise(13, error);
    if (!d.present()) return core.raise(11, error);
    if (!code_offset_ok(core, d, rip)) return false;
    const bool outward = rpl > core.cpl;
    if (!outward && !always_stack) {
        if (!set_accessed(core, d)) return false;
        set_code_segment(core, d, selector, rpl);
        core.r.rip = rip;
        set_stack_pointer(core, core.r.gpr[RSP] + height + release);
        return true;
    }
    u64 sp = 0, ss = 0;
    if (!load_sized(core, size, height + release, sp) || !load_sized(core, size, height + release + size, ss))
        return false;
    const u16 stack_selector = static_cast<u16>(ss);
    const u32 stack_error = stack_selector & 0xFFFC;
    Segment stack;
    if (!stack_error) { // null SS: only to 64-bit code below CPL 3
        if (!core.long_active() || !d.long_mode() || rpl == 3 || (stack_selector & 3) != rpl)
            return core.raise(13, 0);
        stack.selector = stack_selector, stack.usable = false, stack.dpl = rpl;
    } else {
        Descriptor sd;
        switch (read_descriptor(core, stack_selector, sd)) {
        case Lookup::Fault: return false;
        case Lookup::OutOfTable: return core.raise(13, stack_error);
        case Lookup::Ok: break;
        }
        if ((stack_selector & 3) != rpl || sd.dpl() != rpl || !sd.writable_data())
            return core.raise(13, stack_error);
        if (!sd.present()) return core.raise(12, stack_error);
        if (!set_accessed(core, sd)) return false;
        stack = sd.segment(stack_selector);
    }
    if (!set_accessed(core, d)) return false;
    set_code_segment(core, d, selector, rpl);
    core.seg(Seg::SS) = stack;
    core.update_mode();
    core.r.rip = rip;
    set_stack_pointer(core, sp + release);
    if (outward) null_inaccessible(core);
    return true;
}

bool far_return(Core& core, const Op& op) {
    const unsigned size = op.reg;
    const u64 release = op.imm & 0xFFFF;
    u64 rip = 0, cs = 0;
    if (!load_sized(core, size, 0, rip) || !load_sized(core, size, size, cs)) return false;
    if (!core.protected_mode()) {
        if (rip > 0xFFFF && core.seg(Seg::CS).limit <= 0xFFFF) return core.raise(13, 0);
        set_stack_pointer(core, core.r.gpr[RSP] + 2 * size + release);
        load_real_segment(core, Seg::CS, static_cast<u16>(cs));
        core.r.rip = rip;
        return true;
    }
    return return_to(core, static_cast<u16>(cs), rip, size, 2 * size, release, false);
}

bool interrupt_return(Core& core, const Op& op) {
    const unsigned size = op.reg;
    u64 rip = 0, cs = 0, image = 0;
    const bool virtual_flag = (core.r.rflags & VM) && ((core.r.rflags >> 12) & 3) < 3;
    if (virtual_flag && (!(core.r.cr4 & VME) || size != 2)) return core.raise(13, 0);
    if (core.protected_mode() && (core.r.rflags & NT)) {
        if (core.long_active()) return core.raise(13, 0);
        u16 link = 0;
        if (!core.load_system(core.r.tr.base, link)) return false;
        return switch_task(core, link, TaskSwitch::Return, {.flags_image = core.flags() & ~u64{NT}});
    }
    if (!load_sized(core, size, 0, rip) || !load_sized(core, size, size, cs) ||
        !load_sized(core, size, 2 * size, image))
        return false;
    const u8 old_cpl = core.cpl;
    const unsigned iopl = (core.r.rflags >> 12) & 3;
    u64 writable = CF | PF | AF | ZF | SF | TF | DF | OF | NT;
    if (size > 2) writable |= RF | AC | ID;
    const u64 old_flags = core.flags();
    const auto finish = [&](u64 mask) {
        core.set_flags((old_flags & ~mask) | (image & mask));
        core.nmi_blocked = false;
        core.update_mode();
        return true;
    };
    if (!core.protected_mode()) {
        if (rip > 0xFFFF && core.seg(Seg::CS).limit <= 0xFFFF) return core.raise(13, 0);
        if (virtual_flag) { // SDM 3B 20.2.7: IF stands for VIF
            if ((image & TF) || ((image & IF) && (core.r.rflags & VIP))) return core.raise(13, 0);
            writable |= VIF;
            image = (image & ~u64{VIF}) | (image & IF ? VIF : 0);
        }
        set_stack_pointer(core, core.r.gpr[RSP] + 3 * size);
        load_real_segment(core, Seg::CS, static_cast<u16>(cs));
        core.r.rip = rip;
        if (!virtual_flag) writable |= IF;
        if (!(core.r.rflags & VM)) writable |= IOPL;
        return finish(writable);
    }
    if (!core.long_active() && size == 4 && old_cpl == 0 && (image & VM)) { // to virtual-8086 mode
        u64 v[6];
        for (unsigned i = 0; i < 6; ++i)
            if (!load_sized(core, 4, 12 + 4 * i, v[i])) return false;
        core.set_flags(image & (ArithmeticFlags | TF | IF | DF | IOPL | NT | RF | VM | AC | VIF | VIP | ID));
        core.cpl = 3;
        const Seg order[6] = {Seg::SS, Seg::ES, Seg::DS, Seg::FS, Seg::GS, Seg::CS};
        const u64 selectors[6] = {v[1], v[2], v[3], v[4], v[5], cs};
        for (unsigned i = 0; i < 6; ++i) load_real_segment(core, order[i], static_cast<u16>(selectors[i]));
        core.r.rip = rip & 0xFFFF;
        core.r.gpr[RSP] = v[0] & 0xFFFFFFFF;
        core.nmi_blocked = false;
        core.update_mode();
        return true;
    }
    if (!return_to(core, static_cast<u16>(cs), rip, size, 3 * size, 0, core.long_active() && size == 8))
        return false;
    if (old_cpl == 0) writable |= IOPL | VIF | VIP;
    if (old_cpl <= iopl) writable |= IF;
    finish(writable);
    if (core.cpl == 3 && old_cpl != 3 && core.wants(InterestSystemCall)) core.told().returned_to_user(core.r);
    return true;
}

bool software_interrupt(Core& core, u8 vector) {
    const u64 at = core.r.rip;
    Delivery d;
    d.step = core.now_steps(), d.vector = vector, d.software = true, d.rip = at, d.rsp = core.r.gpr[RSP],
    d.rflags = core.flags();
    d.cs = core.seg(Seg::CS).selector, d.ss = core.seg(Seg::SS).selector;
    if (!core.deliver_once(vector, Core::Source::Software, false, 0)) return false;
    if (core.observer) core.told().delivered(d);
    return true;
}
bool interrupt_number(Core& core, const Op& op) {
    if (core.r.rflags & VM) { // INT3 and INTO are not redirected (SDM 3B 20.3.3)
        bool done = false;
        if (!virtual_interrupt(core, op.extra, done)) return false;
        if (done) return true;
    }
    return software_interrupt(core, op.extra);
}
bool breakpoint_instruction(Core& core, const Op&) { return software_interrupt(core, 3); }
bool interrupt_on_overflow(Core& core, const Op&) {
    return core.condition(0) ? software_interrupt(core, 4) : true;
}
bool interrupt_one(Core& core, const Op&) { return core.deliver_once(1, Core::Source::Privileged, false, 0); }
/// SYSCALL and SYSRET look at TF after they changed it, not before (SDM vol. 2: the trap of SYSRET comes at
/// its target).
void trap_by_new_flags(Core& core) {
    core.trap_suppressed = true;
    core.debug_trap = core.r.rflags & TF;
}
template <class T> bool check_bound(Core& core, const Op& op) {
    struct {
        T low, high;
    } pair{};
    u64 linear = 0;
    if (!operand_linear(core, op, sizeof pair, false, linear) ||
        !core.read(linear, sizeof pair, &pair, core.cpl == 3))
        return false;
    using S = std::make_signed_t<T>;
    const S index = static_cast<S>(get<T>(&core, op.reg));
    return (index >= static_cast<S>(pair.low) && index <= static_cast<S>(pair.high)) || core.raise(5);
}

// ---- SYSCALL and friends ----------------------------------------------------------------------------------

Segment flat(u16 selector, u8 dpl, bool code, bool long_mode) {
    Segment s;
    s.base = 0, s.limit = 0xFFFFFFFF, s.selector = selector, s.dpl = dpl;
    s.type = code ? 11 : 3, s.code_or_data = s.present = s.granular = true;
    s.long_mode = code && long_mode, s.big = !s.long_mode;
    return s;
}
void enter_flat(Core& core, u16 cs, u16 ss, u8 cpl, bool long_mode) {
    core.seg(Seg::CS) = flat(cs, cpl, true, long_mode);
    core.seg(Seg::SS) = flat(ss, cpl, false, false);
    core.cpl = cpl;
    core.update_mode();
}

bool system_call(Core& core, const Op&) {
    if (!(core.r.msr.efer & SCE) || !core.code64()) return core.raise(6); // Intel: only from 64-bit mode
    if (core.wants(InterestSystemCall)) core.told().system_call(core.r);
    core.r.gpr[RCX] = core.r.rip;
    core.r.gpr[R11] = core.flags() & ~u64{RF};
    core.r.rip = core.r.msr.lstar;
    core.set_flags(core.flags() & ~core.r.msr.fmask & ~u64{RF});
    trap_by_new_flags(core);
    const u16 cs = static_cast<u16>(core.r.msr.star >> 32) & 0xFFFC;
    enter_flat(core, cs, static_cast<u16>(cs + 8), 0, true);
    return true;
}
bool system_return(Core& core, const Op& op) {
    if (!(core.r.msr.efer & SCE) || !core.code64()) return core.raise(6);
    if (core.cpl != 0) return core.raise(13, 0);
    const bool to64 = op.reg == 8;
    if (to64 && !canonical(core, core.r.gpr[RCX])) return core.raise(13, 0);
    const u16 base = static_cast<u16>(core.r.msr.star >> 48);
    core.r.rip = to64 ? core.r.gpr[RCX] : core.r.gpr[RCX] & 0xFFFFFFFF;
    core.set_flags(core.r.gpr[R11] & 0x3C7FD7);
    trap_by_new_flags(core);
    enter_flat(core, static_cast<u16>((base + (to64 ? 16 : 0)) | 3), static_cast<u16>((base + 8) | 3), 3,
               to64);
    if (core.wants(InterestSystemCall)) core.told().returned_to_user(core.r);
    return true;
}
bool system_enter(Core& core, const Op&) {
    if (!(core.r.cr0 & PE)) return core.raise(13, 0); // from virtual-8086 mode it is legal
    const u64 cs = core.r.msr.sysenter_cs;
    if (!(cs & 0xFFFC)) return core.raise(13, 0);
    if (core.wants(InterestSystemCall)) core.told().system_call(core.r);
    core.set_flags(core.flags() & ~u64{VM | IF | RF});
    const bool long64 = core.long_active();
    core.r.gpr[RSP] = long64 ? core.r.msr.sysenter_esp : core.r.msr.sysenter_esp & 0xFFFFFFFF;
    core.r.rip = long64 ? core.r.msr.sysenter_eip : core.r.msr.sysenter_eip & 0xFFFFFFFF;
    enter_flat(core, static_cast<u16>(cs & 0xFFFC), static_cast<u16>((cs & 0xFFFC) + 8), 0, long64);
    return true;
}
bool system_exit(Core& core, const Op& op) {
    const u64 cs = core.r.msr.sysenter_cs;
    if (!core.protected_mode() || core.cpl != 0 || !(cs & 0xFFFC)) return core.raise(13, 0);
    const bool to64 = op.reg == 8;
    if (to64 && (!canonical(core, core.r.gpr[RCX]) || !canonical(core, core.r.gpr[RDX])))
        return core.raise(13, 0);
    core.r.gpr[RSP] = to64 ? core.r.gpr[RCX] : core.r.gpr[RCX] & 0xFFFFFFFF;
    core.r.rip = to64 ? core.r.gpr[RDX] : core.r.gpr[RDX] & 0xFFFFFFFF;
    enter_flat(core, static_cast<u16>((cs + (to64 ? 32 : 16)) | 3),
               static_cast<u16>((cs + (to64 ? 40 : 24)) | 3), 3, to64);
    if (core.wants(InterestSystemCall)) core.told().returned_to_user(core.r);
    return true;
}

} // namespace

namespace emit {

void far_jump_call(Emitter& e) { // EA 9A, arg 1: call
    e.ends_block = true, e.cost = cost::FarTransfer;
    e.op.reg = e.d.size;
    e.op.imm64 = (e.d.imm & 0xFFFFFFFF) | static_cast<u64>(e.d.imm2) << 32;
    e.handler = e.d.row->arg ? static_cast<Handler>(cold_end<far_direct<true>>)
                             : static_cast<Handler>(cold_end<far_direct<false>>);
}
void far_indirect(Emitter& e, bool call) {
    if (!e.memory()) {
        e.undefined = true;
        return;
    }
    e.ends_block = true, e.cost = cost::FarTransfer;
    e.handler = by_wide_size(e.d.size, [&]<class T> {
        return call ? static_cast<Handler>(cold_end<far_memory<true, T>>)
                    : static_cast<Handler>(cold_end<far_memory<false, T>>);
    });
}
void ret_far(Emitter& e) {
    e.ends_block = true, e.cost = cost::FarTransfer;
    e.op.reg = e.d.size;
    e.handler = cold_end<far_return>;
}
void iret(Emitter& e) {
    e.ends_block = true, e.cost = cost::FarTransfer;
    e.op.reg = e.d.size;
    e.handler = cold_end<interrupt_return>;
}
void int_n(Emitter& e) { // CC, CD, CE (INTO), F1
    e.ends_block = true, e.cost = cost::FarTransfer;
    switch (e.d.opcode) {
    case 0xCC: e.handler = cold_end<breakpoint_instruction>; break;
    case 0xCD: e.op.extra = static_cast<u8>(e.d.imm), e.handler = cold_end<interrupt_number>; break;
    case 0xCE: e.handler = cold_end<interrupt_on_overflow>; break;
    default: e.handler = cold_end<interrupt_one>;
    }
}
void bound(Emitter& e) {
    if (!e.memory()) {
        e.undefined = true; // EVEX: not offered by CPUID
        return;
    }
    e.handler = e.d.size == 2 ? static_cast<Handler>(cold<check_bound<u16>>)
                              : static_cast<Handler>(cold<check_bound<u32>>);
}
void syscall_family(Emitter& e) {
    e.ends_block = true, e.cost = cost::Syscall;
    e.op.reg = e.d.size;
    switch (e.d.opcode) {
    case 0x05: e.handler = cold_end<system_call>; break;
    case 0x07: e.handler = cold_end<system_return>; break;
    case 0x34: e.handler = cold_end<system_enter>; break;
    default: e.handler = cold_end<system_exit>;
    }
}

} // namespace emit
} // namespace vitrine::cpu
