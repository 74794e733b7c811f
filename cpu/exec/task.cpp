// Hardware task switching: JMP, CALL, IRET and interrupts through task-state segments and task gates. SDM
// vol. 3A ch. 7.
//
// Outside IA-32e mode only. Everything that can fault in the old task's context is read and probed first;
// then the old state is saved and the new one loaded as a whole, and what is wrong with the new task's
// segments is a fault of the new task (7.3: "the processor … generates the exception in the context of the
// new task").
#include "cpu/exec/transfer.h"

namespace vitrine::cpu {
namespace {

/// Offsets of a TSS: SDM 3A figures 7-2 and 7-10.
struct Layout {
    bool wide;
    unsigned ip() const { return wide ? 32 : 14; }
    unsigned flags() const { return wide ? 36 : 16; }
    unsigned gpr(unsigned n) const { return wide ? 40 + 4 * n : 18 + 2 * n; }
    unsigned segment(unsigned n) const { return wide ? 72 + 4 * n : 34 + 2 * n; }
    unsigned ldt() const { return wide ? 96 : 42; }
    unsigned size() const { return wide ? 104 : 44; }
};

struct Image {
    u8 bytes[104]{};
    template <class T> T at(unsigned offset) const {
        T v;
        std::memcpy(&v, bytes + offset, sizeof v);
        return v;
    }
    u32 word(const Layout& l, unsigned offset) const { return l.wide ? at<u32>(offset) : at<u16>(offset); }
};

bool set_busy(Core& core, u64 descriptor, bool busy) {
    u8 access = 0;
    if (!core.load_system(descriptor + 5, access)) return false;
    return core.store_system<u8>(descriptor + 5, static_cast<u8>(busy ? access | 2 : access & ~2));
}

bool save_old(Core& core, const Layout& l, u64 flags_image) {
    const u64 base = core.r.tr.base;
    const auto put = [&](unsigned offset, u64 value) {
        return l.wide ? core.store_system<u32>(base + offset, static_cast<u32>(value))
                      : core.store_system<u16>(base + offset, static_cast<u16>(value));
    };
    bool ok = put(l.ip(), core.r.rip) && put(l.flags(), flags_image);
    for (unsigned n = 0; ok && n < 8; ++n) ok = put(l.gpr(n), core.r.gpr[n]);
    for (unsigned n = 0; ok && n < (l.wide ? 6u : 4u); ++n)
        ok = core.store_system<u16>(base + l.segment(n), core.r.seg[n].selector);
    return ok;
}

/// The new task's segments, with faults of its own.
bool load_segments(Core& core, u32 ext) {
    const u16 cs = core.seg(Seg::CS).selector, ss = core.seg(Seg::SS).selector;
    const auto error = [&](u16 selector) { return (selector & 0xFFFCu) | ext; };
    Descriptor code, stack;
    if (!(cs & 0xFFFC)) return core.raise(10, ext);
    switch (read_descriptor(core, cs, code)) {
    case Lookup::Fault: return false;
    case Lookup::OutOfTable: return core.raise(10, error(cs));
    case Lookup::Ok: break;
    }
    const u8 rpl = cs & 3;
    if (!code.code() || (code.conforming() ? code.dpl() > rpl : code.dpl() != rpl))
        return core.raise(10, error(cs));
    if (!code.present()) return core.raise(11, error(cs));
    if (!set_accessed(core, code)) return false;
    set_code_segment(core, code, cs, rpl);
    if (!check_stack_segment(core, ss, rpl, stack, ext)) return false;
    core.seg(Seg::SS) = stack.segment(ss);
    core.update_mode();
    for (Seg s : {Seg::ES, Seg::DS, Seg::FS, Seg::GS}) {
        const u16 selector = core.seg(s).selector;
        if (load_segment(core, s, selector)) continue;
        if (core.fault.vector == 13) core.fault.vector = 10;
        if (core.fault.vector == 10 || core.fault.vector == 11) core.fault.error |= ext;
        return false;
    }
    return core.r.rip <= core.seg(Seg::CS).limit || core.raise(13, ext);
}

/// Everything behind the point of no return.
bool enter_new(Core& core, const Layout& l, const Image& image, u64 flags, const TaskEvent& event) {
    Registers& r = core.r;
    const bool virtual_mode = l.wide && (flags & VM);
    r.rip = image.word(l, l.ip());
    for (unsigned n = 0; n < 8; ++n) r.gpr[n] = image.word(l, l.gpr(n));
    core.set_flags(flags);
    for (unsigned n = 0; n < 6; ++n) {
        Segment& s = r.seg[n];
        s = Segment{};
        s.selector = l.wide || n < 4 ? image.at<u16>(l.segment(n)) : u16{0}, s.usable = false;
    }
    r.dr[7] &= ~u64{0x155}; // L0–L3, LE
    core.update_breakpoints();
    if (l.wide && (r.cr0 & PG) && r.cr3 != image.at<u32>(28)) {
        if ((r.cr4 & PAE) && !core.load_pdptes(image.at<u32>(28))) return false;
        r.cr3 = image.at<u32>(28);
        core.flush_tlb(false);
    }
    r.ldtr = Segment{};
    r.ldtr.usable = false;
    const u16 ldt = image.at<u16>(l.ldt());
    core.cpl = virtual_mode ? 3 : image.at<u16>(l.segment(1)) & 3;
    if (!load_local_table(core, ldt, 10)) {
        core.fault.error |= event.ext;
        return false;
    }
    if (virtual_mode) {
        for (unsigned n = 0; n < 6; ++n) load_real_segment(core, static_cast<Seg>(n), r.seg[n].selector);
        core.update_mode();
        if (r.rip > 0xFFFF) return core.raise(13, event.ext);
    } else if (!load_segments(core, event.ext)) {
        return false;
    }
    if (event.has_error && !push_sized(core, l.wide ? 4 : 2, event.error)) {
        if (core.fault.vector == 12) core.fault.error |= event.ext;
        return false;
    }
    if (l.wide && (image.at<u8>(100) & 1))
        core.debug_hits |= 0x8000; // T: #DB with BT before the first instruction
    return true;
}

} // namespace

bool switch_task(Core& core, u16 selector, TaskSwitch how, const TaskEvent& event) {
    const bool back = how == TaskSwitch::Return;
    const u32 error = (selector & 0xFFFCu) | event.ext;
    const u8 wrong = back ? 10 : 13; // the vector for a selector that names no such TSS
    Descriptor d;
    if (!(selector & 0xFFFC) || (selector & 4)) return core.raise(wrong, error);
    switch (read_descriptor(core, selector, d)) {
    case Lookup::Fault: return false;
    case Lookup::OutOfTable: return core.raise(wrong, error);
    case Lookup::Ok: break;
    }
    const u8 type = d.type();
    const bool right =
        back ? type == TssBusy || type == Tss16Busy : type == TssAvailable || type == Tss16Available;
    if (d.code_or_data() || !right) return core.raise(wrong, error);
    if (!d.present()) return core.raise(11, error);
    const Layout next{type >= 8}, old{core.r.tr.type >= 8};
    if (d.limit() < next.size() - 1) return core.raise(10, error);

    // What can fault in the old task's context.
    Image image;
    core.implicit = true;
    const u64 current = core.r.tr.base, fresh = d.base();
    const bool accessible = core.read(fresh, next.size(), image.bytes, false) &&
                            core.probe_write(fresh, 2, false) &&
                            core.probe_write(current + old.ip(), old.size() - old.ip(), false);
    core.implicit = false;
    if (!accessible) return false;
    const u64 old_descriptor = core.r.gdtr.base + (core.r.tr.selector & 0xFFF8);
    const bool leaves = how == TaskSwitch::Jump || back;
    if (leaves && !set_busy(core, old_descriptor, false)) return false;
    if (!back && !set_busy(core, d.address, true)) return false;
    u64 flags = image.word(next, next.flags());
    const bool nested = how == TaskSwitch::Call || how == TaskSwitch::Interrupt;
    if (!save_old(core, old, event.flags_image)) return false;
    if (nested) {
        if (!core.store_system<u16>(fresh, core.r.tr.selector)) return false;
        flags |= NT;
    }

    d.raw |= u64{2} << 40;
    core.r.tr = d.segment(selector);
    core.r.cr0 |= TS;
    core.update_simd();
    core.trap_suppressed = true;
    if (back) core.nmi_blocked = false;
    if (!next.wide) flags &= 0xFFFF;
    constexpr u64 loadable = ArithmeticFlags | TF | IF | DF | IOPL | NT | RF | VM | AC | VIF | VIP | ID;
    const bool entered = enter_new(core, next, image, flags & loadable, event);
    core.charge(cost::FarTransfer);
    core.update_mode();
    if (entered || how == TaskSwitch::Interrupt) return entered;
    core.fault_deferred = true, core.deferred = core.fault;
    return true;
}

bool task_gate(Core& core, const Descriptor& gate, TaskSwitch how, const TaskEvent& event) {
    const u16 selector = static_cast<u16>(gate.raw >> 16);
    // The privilege of the TSS does not matter behind a gate (7.2.5); the selector's RPL is not looked at.
    return switch_task(core, selector, how, event);
}

} // namespace vitrine::cpu
