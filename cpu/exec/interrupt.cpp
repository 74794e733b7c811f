// Delivery of interrupts and exceptions: real-mode IVT, 32-bit and 64-bit gates, double fault, shutdown.
//
// SDM vol. 3A 6.10–6.15. Invariants: a delivery that faults leaves registers as they were before it; the
// fault is then combined by table 6-5.
#include "cpu/exec/transfer.h"
#include "cpu/timing/cost.h"

namespace vitrine::cpu {

bool tss_stack(Core& core, u8 cpl, u16& ss, u32& sp, u32 ext) {
    const Segment& tr = core.r.tr;
    const bool wide = tr.type >= 8;
    const u32 offset = wide ? 4u + 8u * cpl : 2u + 4u * cpl;
    if (offset + (wide ? 5 : 3) > tr.limit) return core.raise(10, (tr.selector & 0xFFFCu) | ext);
    if (wide) return core.load_system(tr.base + offset, sp) && core.load_system(tr.base + offset + 4, ss);
    u16 sp16 = 0;
    if (!core.load_system(tr.base + offset, sp16) || !core.load_system(tr.base + offset + 2, ss))
        return false;
    sp = sp16;
    return true;
}

bool tss64_pointer(Core& core, unsigned offset, u64& rsp, u32 ext) {
    const Segment& tr = core.r.tr;
    if (offset + 7 > tr.limit) return core.raise(10, (tr.selector & 0xFFFCu) | ext);
    if (!core.load_system(tr.base + offset, rsp)) return false;
    return canonical(core, rsp) || core.raise(12, ext);
}

bool check_stack_segment(Core& core, u16 selector, u8 cpl, Descriptor& d, u32 ext) {
    const u32 error = (selector & 0xFFFCu) | ext;
    if (!(selector & 0xFFFC)) return core.raise(10, ext);
    switch (read_descriptor(core, selector, d)) {
    case Lookup::Fault: return false;
    case Lookup::OutOfTable: return core.raise(10, error);
    case Lookup::Ok: break;
    }
    if ((selector & 3) != cpl || d.dpl() != cpl || !d.writable_data()) return core.raise(10, error);
    if (!d.present()) return core.raise(12, error);
    return set_accessed(core, d);
}

namespace {

struct Gate {
    u64 raw = 0, upper = 0;
    u8 type() const { return (raw >> 40) & 15; }
    bool system() const { return !(raw >> 44 & 1); }
    u8 dpl() const { return (raw >> 45) & 3; }
    bool present() const { return raw >> 47 & 1; }
    u16 selector() const { return static_cast<u16>(raw >> 16); }
    u8 ist() const { return (raw >> 32) & 7; }
    u32 offset32() const { return static_cast<u32>((raw & 0xFFFF) | (raw >> 32 & 0xFFFF0000)); }
    u64 offset64() const { return offset32() | upper << 32; }
};

bool deliver_real(Core& core, u8 vector) {
    if (static_cast<u32>(vector) * 4 + 3 > core.r.idtr.limit) return core.raise(13, 0);
    u16 ip = 0, cs = 0;
    const u64 entry = core.r.idtr.base + vector * 4u;
    if (!core.load_system(entry, ip) || !core.load_system(entry + 2, cs)) return false;
    if (!store_below<u16>(core, 2, static_cast<u16>(core.flags())) ||
        !store_below<u16>(core, 4, core.seg(Seg::CS).selector) ||
        !store_below<u16>(core, 6, static_cast<u16>(core.r.rip)))
        return false;
    set_stack_pointer(core, core.r.gpr[RSP] - 6);
    core.r.rflags &= ~u64{IF | TF | AC | RF};
    load_real_segment(core, Seg::CS, cs);
    core.r.rip = ip;
    core.update_mode();
    return true;
}

/// What delivery pushes, in order from the highest address.
struct Frame {
    u64 items[11];
    unsigned count = 0;
    void add(u64 v) { items[count++] = v; }
};
bool push_frame(Core& core, const Frame& f, unsigned size) {
    for (unsigned i = 0; i < f.count; ++i) {
        const u64 depth = (i + 1) * size;
        const bool ok = size == 8   ? store_below<u64>(core, depth, f.items[i])
                        : size == 4 ? store_below<u32>(core, depth, static_cast<u32>(f.items[i]))
                                    : store_below<u16>(core, depth, static_cast<u16>(f.items[i]));
        if (!ok) return false;
    }
    set_stack_pointer(core, core.r.gpr[RSP] - f.count * size);
    return true;
}

/// Processor state that a failed delivery must put back.
struct Saved {
    explicit Saved(Core& c)
        : core(c), gpr_sp(c.r.gpr[RSP]), cs(c.seg(Seg::CS)), ss(c.seg(Seg::SS)), cpl(c.cpl),
          rflags(c.r.rflags) {
        for (unsigned i = 0; i < 6; ++i) segments[i] = c.r.seg[i];
    }
    bool restore() {
        core.r.gpr[RSP] = gpr_sp;
        for (unsigned i = 0; i < 6; ++i) core.r.seg[i] = segments[i];
        core.cpl = cpl;
        core.r.rflags = rflags;
        core.update_mode();
        return false;
    }
    Core& core;
    u64 gpr_sp;
    Segment cs, ss;
    u8 cpl;
    u64 rflags;
    Segment segments[6];
};

/// External and fault-class error codes carry EXT in bit 0 (SDM 3A 6.13).
bool deliver_protected(Core& core, u8 vector, Core::Source source, bool has_error, u32 error) {
    const bool software = source == Core::Source::Software;
    const u32 ext = software ? 0 : 1;
    const u32 idt_error = vector * 8u + 2 + ext;
    const bool long64 = core.long_active();
    Gate gate;
    const u32 entry_size = long64 ? 16 : 8;
    if (vector * entry_size + entry_size - 1 > core.r.idtr.limit) return core.raise(13, idt_error);
    const u64 entry = core.r.idtr.base + vector * entry_size;
    if (!core.load_system(entry, gate.raw)) return false;
    if (long64 && !core.load_system(entry + 8, gate.upper)) return false;
    const u8 type = gate.type();
    const bool wide_gate = type == InterruptGate || type == TrapGate;
    const bool narrow_gate = !long64 && (type == InterruptGate16 || type == TrapGate16);
    const bool task = !long64 && type == TaskGate;
    if (!gate.system() || (!wide_gate && !narrow_gate && !task)) return core.raise(13, idt_error);
    if (software && gate.dpl() < core.cpl) return core.raise(13, idt_error);
    if (!gate.present()) return core.raise(11, idt_error);

    // RF in the image: set for faults and in the middle of a REP, not for traps, interrupts between
    // instructions, instruction breakpoints or INT n (SDM 3B 17.3.1.1).
    u64 flags_image = core.flags();
    if (source == Core::Source::Fault || core.mid_repeat) flags_image |= RF;
    if (task) {
        Descriptor descriptor;
        descriptor.raw = gate.raw;
        return task_gate(core, descriptor, TaskSwitch::Interrupt, {has_error, error, ext, flags_image});
    }

    const u16 selector = gate.selector();
    const u32 selector_error = (selector & 0xFFFCu) + ext;
    Descriptor code;
    if (!(selector & 0xFFFC)) return core.raise(13, ext);
    switch (read_descriptor(core, selector, code)) {
    case Lookup::Fault: return false;
    case Lookup::OutOfTable: return core.raise(13, selector_error);
    case Lookup::Ok: break;
    }
    if (!code.code() || code.dpl() > core.cpl) return core.raise(13, selector_error);
    if (long64 && (!code.long_mode() || code.big())) return core.raise(13, selector_error);
    if (!code.present()) return core.raise(11, selector_error);
    if (!set_accessed(core, code)) return false;
    const u8 new_cpl = code.conforming() ? core.cpl : code.dpl();
    const bool from_vm86 = core.r.rflags & VM;
    if (from_vm86 && new_cpl != 0) return core.raise(13, selector_error);
    const bool inner = new_cpl < core.cpl;

    Saved saved(core);
    const u64 old_rip = core.r.rip, old_rsp = core.r.gpr[RSP];
    Frame frame;
    if (long64) {
        u64 rsp = core.r.gpr[RSP];
        if (gate.ist()) {
            if (!tss64_pointer(core, 36u + 8u * (gate.ist() - 1u), rsp, ext)) return saved.restore();
        } else if (inner) {
            if (!tss64_pointer(core, 4u + 8u * new_cpl, rsp, ext)) return saved.restore();
        }
        const u64 target = gate.offset64();
        if (!canonical(core, target)) return core.raise(13, ext);
        frame.add(saved.ss.selector), frame.add(old_rsp), frame.add(flags_image),
            frame.add(saved.cs.selector), frame.add(old_rip);
        if (has_error) frame.add(error);
        set_code_segment(core, code, selector, new_cpl);
        if (inner) set_null_stack(core, new_cpl);
        core.update_mode();
        core.r.gpr[RSP] = rsp & ~u64{15};
        if (!push_frame(core, frame, 8)) {
            if (core.fault.vector == 12) core.fault.error |= ext;
            return saved.restore();
        }
        core.r.rip = target;
    } else {
        const unsigned size = wide_gate ? 4 : 2;
        const u64 target = wide_gate ? gate.offset32() : gate.offset32() & 0xFFFF;
        u32 stack_error = 0;
        if (inner) {
            u16 ss = 0;
            u32 sp = 0;
            Descriptor stack;
            if (!tss_stack(core, new_cpl, ss, sp, ext) || !check_stack_segment(core, ss, new_cpl, stack, ext))
                return false;
            stack_error = ss & 0xFFFC;
            if (from_vm86)
                for (Seg s : {Seg::GS, Seg::FS, Seg::DS, Seg::ES}) frame.add(core.seg(s).selector);
            frame.add(saved.ss.selector), frame.add(old_rsp);
            core.r.rflags &= ~u64{VM};
            set_code_segment(core, code, selector, new_cpl);
            core.seg(Seg::SS) = stack.segment(ss);
            core.update_mode();
            set_stack_pointer(core, sp);
            if (from_vm86)
                for (Seg s : {Seg::GS, Seg::FS, Seg::DS, Seg::ES}) {
                    core.seg(s) = Segment{};
                    core.seg(s).usable = false;
                }
        } else {
            set_code_segment(core, code, selector, new_cpl);
        }
        frame.add(flags_image), frame.add(saved.cs.selector), frame.add(old_rip);
        if (has_error) frame.add(error);
        if (target > code.limit()) {
            saved.restore();
            return core.raise(13, ext);
        }
        if (!push_frame(core, frame, size)) {
            if (core.fault.vector == 12) core.fault.error = stack_error | ext; // no room on the new stack
            return saved.restore();
        }
        core.r.rip = target;
    }
    core.r.rflags &= ~u64{TF | NT | VM | RF};
    if (type == InterruptGate || type == InterruptGate16) core.r.rflags &= ~u64{IF};
    core.update_mode();
    return true;
}

bool contributory(u8 vector) { return vector == 0 || (vector >= 10 && vector <= 13); }

} // namespace

bool Core::deliver_once(u8 vector, Source source, bool has_error, u32 error) {
    trap_suppressed = true;
    if (!(r.cr0 & PE)) return deliver_real(*this, vector);
    if (!deliver_protected(*this, vector, source, has_error, error)) return false;
    if (vector == 1 && source != Source::Software) { // SDM 3B 17.2.4, 17.4.3: every #DB ends both
        r.dr[7] &= ~u64{0x2000};                     // GD
        r.msr.debug_ctl &= ~u64{2};                  // BTF
    }
    return true;
}

void Core::deliver(u8 vector, Source source, bool has_error, u32 error) {
    ++counters.deliveries;
    activity = Activity::Running;
    chain.count = 0;
    const auto note = [&](u8 v, bool with_error, u32 code, Source from) {
        Delivery d;
        d.step = step_count, d.vector = v, d.has_error_code = with_error, d.error_code = code;
        d.external = from == Source::External, d.software = from == Source::Software;
        d.rip = r.rip, d.cr2 = r.cr2, d.rsp = r.gpr[RSP], d.rflags = flags(), d.cs = seg(Seg::CS).selector,
        d.ss = seg(Seg::SS).selector;
        if (chain.count < 3) chain.faults[chain.count++] = d;
        return d;
    };
    // A single-step trap that was due is lost to a fault but kept under an interrupt; see run().
    for (;;) {
        const bool push_error = has_error && (r.cr0 & PE);
        const Delivery d = note(vector, push_error, error, source);
        if (deliver_once(vector, source, push_error, error)) {
            if (observer) told().delivered(d);
            break;
        }
        // Table 6-5: what a fault during delivery becomes.
        const u8 second = fault.vector;
        const bool first_page_fault = source == Source::Fault && vector == 14;
        const bool first_contributory = source == Source::Fault && contributory(vector);
        if (source == Source::Fault && vector == 8) {
            note(second, fault.has_error, fault.error, Source::Fault);
            activity = Activity::Shutdown;
            break;
        }
        if ((first_contributory && contributory(second)) ||
            (first_page_fault && (second == 14 || contributory(second)))) {
            vector = 8, has_error = true, error = 0;
        } else {
            vector = second, has_error = fault.has_error, error = fault.error;
        }
        source = Source::Fault;
    }
    mid_repeat = false;
    debug_hits &= 0x8000; // pushes are not watched; a task's T flag is
    ++step_count;
    cycle_count += cost::Deliver + std::exchange(extra_cycles, 0);
    event = stop_after = false;
}

} // namespace vitrine::cpu
