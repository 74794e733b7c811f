// Virtual-8086 mode: software interrupts, and the virtual interrupt flag of CR4.VME and CR4.PVI. SDM vol.
// 3B 20.2–20.4.
//
// INT n (CD only) goes, by table 20-2: with VME and its bit in the redirection map clear, to the 8086 handler
// through the table at linear address 0; otherwise with IOPL 3 to the IDT, with less to the monitor as
// #GP(0).
#include "cpu/exec/transfer.h"

namespace vitrine::cpu {
namespace {

/// The bit of `vector` in the map of 32 bytes below the I/O permission map. False: fault pending.
bool redirection_bit(Core& core, u8 vector, bool& set) {
    const Segment& tr = core.r.tr;
    u16 map = 0;
    if (tr.type < 8 || tr.limit < 103) return core.raise(13, 0);
    if (!core.load_system(tr.base + 102, map)) return false;
    const u32 at = map - 32u + vector / 8u;
    u8 bits = 0;
    if (map < 32 || at > tr.limit) return core.raise(13, 0);
    if (!core.load_system(tr.base + at, bits)) return false;
    set = bits >> (vector & 7) & 1;
    return true;
}

} // namespace

bool virtual_interrupt_flag(const Core& core) {
    if ((core.r.rflags >> 12 & 3) == 3) return false;
    return core.r.rflags & VM ? core.r.cr4 & VME
                              : (core.r.cr4 & PVI) && core.cpl == 3 && core.protected_mode();
}

bool virtual_interrupt(Core& core, u8 vector, bool& done) {
    const bool iopl3 = (core.r.rflags >> 12 & 3) == 3;
    bool set = true;
    if ((core.r.cr4 & VME) && !redirection_bit(core, vector, set)) return false;
    if (set) return iopl3 || core.raise(13, 0);
    u16 ip = 0, cs = 0;
    if (!core.load(vector * 4u, ip) || !core.load(vector * 4u + 2, cs)) return false;
    u64 image = core.flags();
    if (!iopl3) image = (image & ~u64{IF}) | IOPL | (image & VIF ? IF : 0);
    if (!store_below<u16>(core, 2, static_cast<u16>(image)) ||
        !store_below<u16>(core, 4, core.seg(Seg::CS).selector) ||
        !store_below<u16>(core, 6, static_cast<u16>(core.r.rip)))
        return false;
    set_stack_pointer(core, core.r.gpr[RSP] - 6);
    core.r.rflags &= ~u64{TF | RF | (iopl3 ? IF : VIF)};
    core.trap_suppressed = true;
    load_real_segment(core, Seg::CS, cs);
    core.r.rip = ip;
    return done = true;
}

} // namespace vitrine::cpu
