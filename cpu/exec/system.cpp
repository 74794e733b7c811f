// System instructions: control and debug registers, MSRs, CPUID, TSC, HLT, port I/O, IF, caches. SDM vol. 2,
// 3A ch. 2, vol. 4.
//
// Left out: performance counters (CPUID leaf 0Ah offers none, RDPMC raises #GP).
#include "cpu/exec/emitters.h"
#include "cpu/exec/operand.h"
#include "cpu/exec/port.h"
#include "cpu/exec/transfer.h"
#include "cpu/mmu/walk.h"
#include "cpu/state/cpuid.h"

namespace vitrine::cpu {

bool port_allowed(Core& core, u16 port, unsigned size) {
    const unsigned iopl = (core.r.rflags >> 12) & 3;
    if (!(core.r.cr0 & PE) || (!(core.r.rflags & VM) && core.cpl <= iopl)) return true;
    const Segment& tr = core.r.tr;
    if (!tr.usable || tr.type < 8 || tr.limit < 103) return core.raise(13, 0);
    u16 map = 0, bits = 0;
    if (!core.load_system(tr.base + 102, map)) return false;
    const u32 at = map + port / 8u;
    if (at + 1 > tr.limit) return core.raise(13, 0);
    if (!core.load_system(tr.base + at, bits)) return false;
    return !(bits >> (port & 7) & ((1u << size) - 1)) || core.raise(13, 0);
}
u32 port_in(Core& core, u16 port, unsigned size) {
    core.charge(cost::PortIo);
    core.stop();
    ++core.counters.port_io;
    core.sync_fp();
    if (core.port_breakpoints) core.note_port(port, size);
    return core.bus.port_read(port, size);
}
void port_out(Core& core, u16 port, unsigned size, u32 value) {
    core.charge(cost::PortIo);
    core.stop();
    ++core.counters.port_io;
    core.sync_fp();
    if (core.port_breakpoints) core.note_port(port, size);
    core.bus.port_write(port, size, value);
}

namespace {

bool privileged(Core& core) { return core.cpl == 0 || core.raise(13, 0); }

template <class T, bool Dx> bool in(Core& core, const Op& op) {
    const u16 port = Dx ? get<u16>(&core, slot_of(RDX)) : static_cast<u16>(op.imm);
    if (!port_allowed(core, port, sizeof(T))) return false;
    put<T>(&core, slot_of(RAX), static_cast<T>(port_in(core, port, sizeof(T))));
    return true;
}
template <class T, bool Dx> bool out(Core& core, const Op& op) {
    const u16 port = Dx ? get<u16>(&core, slot_of(RDX)) : static_cast<u16>(op.imm);
    if (!port_allowed(core, port, sizeof(T))) return false;
    port_out(core, port, sizeof(T), get<T>(&core, slot_of(RAX)));
    return true;
}

// ---- control registers ------------------------------------------------------------------------------------

constexpr u64 NoInvalidation = u64{1} << 63; ///< MOV CR3 with PCIDs: keep what is cached
constexpr u64 Cr0Writable = PE | MP | EM | TS | NE | WP | AM | NW | CD | PG;

/// SDM 3A 4.10.4.1: of CR0 only PG touches the TLBs; WP counts at each access.
bool write_cr0(Core& core, u64 value) {
    if ((value & PG) && !(value & PE)) return core.raise(13, 0);
    if ((value & NW) && !(value & CD)) return core.raise(13, 0);
    if (value >> 32) return core.raise(13, 0);
    Registers& r = core.r;
    const u64 old = r.cr0;
    value = (value & Cr0Writable) | ET;
    const bool paging_starts = (value & PG) && !(old & PG), paging_ends = !(value & PG) && (old & PG);
    if (paging_starts && (r.msr.efer & LME) && (!(r.cr4 & PAE) || core.seg(Seg::CS).long_mode))
        return core.raise(13, 0);
    if (paging_ends && (core.code64() || (r.cr4 & PCIDE))) return core.raise(13, 0);
    if ((value & PG) && (r.cr4 & PAE) && !(r.msr.efer & LME) && ((old ^ value) & (PG | CD | NW)) &&
        !core.load_pdptes(r.cr3))
        return false;
    if (paging_starts && (r.msr.efer & LME)) r.msr.efer |= LMA;
    if (paging_ends) r.msr.efer &= ~u64{LMA};
    r.cr0 = value;
    if ((old ^ value) & PG) core.flush_tlb(true);
    core.update_mode();
    return true;
}

bool write_cr4(Core& core, u64 value) {
    const u64 allowed = VME | PVI | TSD | DE | PSE | PAE | MCE | PGE | PCE | OSFXSR | OSXMMEXCPT |
                        cpuid_cr4_features(core.options.model);
    Registers& r = core.r;
    if (value & ~allowed) return core.raise(13, 0);
    const u64 changed = r.cr4 ^ value;
    if (core.long_active() && (!(value & PAE) || (changed & LA57))) return core.raise(13, 0);
    if ((changed & value & PCIDE) && (!core.long_active() || (r.cr3 & 0xFFF))) return core.raise(13, 0);
    if ((r.cr0 & PG) && (value & PAE) && !core.long_active() && (changed & (PAE | PGE | PSE | SMEP)) &&
        !core.load_pdptes(r.cr3))
        return false;
    r.cr4 = value;
    if ((changed & (PGE | PAE | PSE)) || (changed & ~value & PCIDE))
        core.flush_tlb(true);
    else if (changed & value & SMEP)
        core.flush_tlb(false);
    if (changed & PKE) core.flush_fast(); // the TLBs keep the keys
    if (changed & DE) core.update_breakpoints();
    core.update_mode();
    return true;
}

bool write_cr3(Core& core, u64 value) {
    const bool contexts = core.r.cr4 & PCIDE, keep = contexts && (value & NoInvalidation);
    if (contexts) value &= ~NoInvalidation;
    if (core.long_active() && value >> PhysicalAddressBits) return core.raise(13, 0);
    if (!core.long_active() && (core.r.cr0 & PG) && (core.r.cr4 & PAE) && !core.load_pdptes(value))
        return false;
    core.r.cr3 = value;
    core.select_context(keep);
    return true;
}

bool mov_from_control(Core& core, const Op& op) {
    if (!privileged(core)) return false;
    u64 v = 0;
    switch (op.extra) {
    case 0: v = core.r.cr0; break;
    case 2: v = core.r.cr2; break;
    case 3: v = core.r.cr3; break;
    case 4: v = core.r.cr4; break;
    case 8: v = core.controller().task_priority(); break;
    default: return core.raise(6);
    }
    if (core.code64())
        put<u64>(&core, op.rm, v);
    else
        put<u32>(&core, op.rm, static_cast<u32>(v));
    return true;
}
u64 control_value(Core& core, unsigned number) {
    switch (number) {
    case 0: return core.r.cr0;
    case 2: return core.r.cr2;
    case 3: return core.r.cr3;
    case 4: return core.r.cr4;
    default: return core.controller().task_priority();
    }
}
bool write_control(Core& core, unsigned number, u64 v) {
    switch (number) {
    case 0: return write_cr0(core, v);
    case 2: core.r.cr2 = v; return true;
    case 3: return write_cr3(core, v);
    case 4: return write_cr4(core, v);
    case 8:
        if (v >> 4) return core.raise(13, 0);
        core.controller().set_task_priority(static_cast<u8>(v));
        return true;
    default: return core.raise(6);
    }
}

bool mov_to_control(Core& core, const Op& op) {
    if (!privileged(core)) return false;
    const u64 v = core.code64() ? get<u64>(&core, op.rm) : get<u32>(&core, op.rm);
    const u64 old = control_value(core, op.extra);
    if (!write_control(core, op.extra, v)) return false;
    if (core.wants(InterestControl))
        core.told().control_written(op.extra, old, control_value(core, op.extra));
    return true;
}

bool debug_index(Core& core, u8& index) {
    if (index == 4 || index == 5) { // alias of 6 and 7 unless CR4.DE
        if (core.r.cr4 & DE) return core.raise(6);
        index = static_cast<u8>(index + 2);
    }
    return true;
}
bool general_detect(Core& core) { // its delivery clears GD
    core.r.dr[6] |= 0x2000;
    return core.raise(1);
}
bool mov_from_debug(Core& core, const Op& op) {
    u8 index = op.extra;
    if (!privileged(core) || !debug_index(core, index)) return false;
    if (core.r.dr[7] & 0x2000) return general_detect(core);
    if (core.code64())
        put<u64>(&core, op.rm, core.r.dr[index]);
    else
        put<u32>(&core, op.rm, static_cast<u32>(core.r.dr[index]));
    return true;
}
bool mov_to_debug(Core& core, const Op& op) {
    u8 index = op.extra;
    if (!privileged(core) || !debug_index(core, index)) return false;
    if (core.r.dr[7] & 0x2000) return general_detect(core);
    const u64 v = core.code64() ? get<u64>(&core, op.rm) : get<u32>(&core, op.rm);
    if (index >= 6 && v >> 32) return core.raise(13, 0);
    if (index == 6)
        core.r.dr[6] = (v & 0xE00F) | 0xFFFF0FF0;
    else if (index == 7)
        core.r.dr[7] = (v & 0xFFFF23FF) | 0x400;
    else
        core.r.dr[index] = v;
    core.update_breakpoints();
    return true;
}

bool clear_task_switched(Core& core, const Op&) {
    if (!privileged(core)) return false;
    const u64 old = core.r.cr0;
    core.r.cr0 &= ~u64{TS};
    if (core.wants(InterestControl)) core.told().control_written(0, old, core.r.cr0);
    core.update_simd();
    return true;
}
bool invalidate_caches(Core& core, const Op&) { return privileged(core); }
bool halt(Core& core, const Op&) {
    if (!privileged(core)) return false;
    core.activity = Activity::Halted;
    return true;
}
bool undefined_opcode(Core& core, const Op&) { return core.raise(6); }
bool read_tsc(Core& core, const Op&) {
    if ((core.r.cr4 & TSD) && core.cpl != 0) return core.raise(13, 0);
    const u64 tsc = core.now_cycles() + core.r.msr.tsc_adjust;
    core.r.gpr[RAX] = tsc & 0xFFFFFFFF, core.r.gpr[RDX] = tsc >> 32;
    return true;
}
bool identify(Core& core, const Op&) {
    const CpuidResult c = cpuid(core, static_cast<u32>(core.r.gpr[RAX]), static_cast<u32>(core.r.gpr[RCX]));
    core.r.gpr[RAX] = c.eax, core.r.gpr[RBX] = c.ebx, core.r.gpr[RCX] = c.ecx, core.r.gpr[RDX] = c.edx;
    return true;
}
bool read_msr_instruction(Core& core, const Op&) {
    u64 value = 0;
    if (!privileged(core)) return false;
    if (!msr_read(core, static_cast<u32>(core.r.gpr[RCX]), value)) return core.raise(13, 0);
    core.r.gpr[RAX] = value & 0xFFFFFFFF, core.r.gpr[RDX] = value >> 32;
    if (core.wants(InterestMsr)) core.told().msr_accessed(static_cast<u32>(core.r.gpr[RCX]), value, false);
    return true;
}
bool write_msr_instruction(Core& core, const Op&) {
    if (!privileged(core)) return false;
    const u64 value = static_cast<u32>(core.r.gpr[RAX]) | core.r.gpr[RDX] << 32;
    core.stop();
    if (core.wants(InterestMsr)) core.told().msr_accessed(static_cast<u32>(core.r.gpr[RCX]), value, true);
    return msr_write(core, static_cast<u32>(core.r.gpr[RCX]), value) || core.raise(13, 0);
}
/// CLI and STI: on IF with the privilege, on VIF under CR4.VME and CR4.PVI (SDM 3B 20.2.7, 20.4).
template <bool Set> bool change_interrupts(Core& core, const Op&) {
    const unsigned iopl = (core.r.rflags >> 12) & 3;
    const bool allowed = (core.r.rflags & VM) ? iopl == 3 : !(core.r.cr0 & PE) || core.cpl <= iopl;
    if (!allowed && virtual_interrupt_flag(core)) {
        if (Set && (core.r.rflags & VIP)) return core.raise(13, 0);
        core.r.rflags = Set ? core.r.rflags | VIF : core.r.rflags & ~u64{VIF};
        return true;
    }
    if (!allowed) return core.raise(13, 0);
    if (Set && !(core.r.rflags & IF)) core.shadow = Shadow::Sti;
    core.r.rflags = Set ? core.r.rflags | IF : core.r.rflags & ~u64{IF};
    return true;
}
bool read_performance_counter(Core& core, const Op&) { // none exists
    return core.raise(13, 0);
}
bool invalidate_contexts(Core& core, const Op& op) { // INVPCID
    struct {
        u64 pcid, linear;
    } descriptor{};
    u64 at = 0;
    if (core.r.rflags & VM) return core.raise(13, 0);
    if (!privileged(core) || !operand_linear(core, op, 16, false, at) ||
        !core.read(at, sizeof descriptor, &descriptor, false))
        return false;
    const u64 type = core.code64() ? get<u64>(&core, op.reg) : get<u32>(&core, op.reg);
    const u16 pcid = static_cast<u16>(descriptor.pcid);
    if (type > 3 || descriptor.pcid >> 12) return core.raise(13, 0);
    if (type < 2 && pcid && !(core.r.cr4 & PCIDE)) return core.raise(13, 0);
    if (type == 0 && !loadable_address(core, descriptor.linear)) return core.raise(13, 0);
    switch (type) {
    case 0: core.invalidate_context_page(pcid, descriptor.linear); break;
    case 1: core.invalidate_context(pcid); break;
    default: core.invalidate_all_contexts(type == 2);
    }
    return true;
}
/// 0F AE with F3: RDFSBASE RDGSBASE WRFSBASE WRGSBASE.
template <class T> bool segment_base(Core& core, const Op& op) {
    if (!core.code64() || !(core.r.cr4 & FSGSBASE)) return core.raise(6);
    u64& base = core.seg(op.extra & 1 ? Seg::GS : Seg::FS).base;
    if (op.extra < 2) {
        put<T>(&core, op.rm, static_cast<T>(base));
        return true;
    }
    const u64 value = get<T>(&core, op.rm);
    if (!loadable_address(core, value)) return core.raise(13, 0);
    base = value;
    return true;
}

} // namespace

namespace emit {

void mov_control(Emitter& e) { // 0F 20 22; LOCK MOV CR0 (CR8 alias) is AMD only
    if (e.d.reg != 0 && e.d.reg != 2 && e.d.reg != 3 && e.d.reg != 4 && e.d.reg != 8) {
        e.undefined = true; // before any look at the privilege
        return;
    }
    e.op.extra = e.d.reg;
    e.op.rm = slot_of(e.d.rm);
    e.cost = cost::Serializing;
    e.ends_block = true;
    e.handler = e.d.row->arg ? static_cast<Handler>(cold_end<mov_to_control>)
                             : static_cast<Handler>(cold_end<mov_from_control>);
}
void mov_debug(Emitter& e) { // 0F 21 23
    if (e.d.reg > 7) {
        e.undefined = true;
        return;
    }
    e.op.extra = e.d.reg;
    e.op.rm = slot_of(e.d.rm);
    e.cost = cost::Serializing;
    e.ends_block = true;
    e.handler = e.d.row->arg ? static_cast<Handler>(cold_end<mov_to_debug>)
                             : static_cast<Handler>(cold_end<mov_from_debug>);
}
void msr(Emitter& e) {
    e.cost = cost::Serializing, e.ends_block = true;
    e.handler = e.d.row->arg ? static_cast<Handler>(cold_end<write_msr_instruction>)
                             : static_cast<Handler>(cold_end<read_msr_instruction>);
}
void cpuid(Emitter& e) { e.cost = cost::Serializing, e.handler = cold<identify>; }
void rdpmc(Emitter& e) { e.cost = 20, e.handler = cold<read_performance_counter>; }
void rdtsc(Emitter& e) { e.cost = 20, e.handler = cold<read_tsc>; }
void hlt(Emitter& e) { e.ends_block = true, e.handler = cold_end<halt>; }
void clts(Emitter& e) { e.ends_block = true, e.handler = cold_end<clear_task_switched>; }
void invd(Emitter& e) { e.cost = cost::Serializing, e.handler = cold<invalidate_caches>; }
void ud(Emitter& e) { e.handler = cold<undefined_opcode>; }
void cli_sti(Emitter& e) {
    e.ends_block = true;
    e.handler = e.d.row->arg ? static_cast<Handler>(cold_end<change_interrupts<true>>)
                             : static_cast<Handler>(cold_end<change_interrupts<false>>);
}
void port_io(Emitter& e) { // E4–E7, EC–EF: opcode bit 1 out, bit 3 DX
    const bool dx = e.d.opcode & 8, output = e.d.opcode & 2;
    const unsigned size = e.d.size == 8 ? 4 : e.d.size; // REX.W is ignored
    const auto choose = [&]<class T> {
        if (output)
            return dx ? static_cast<Handler>(cold<out<T, true>>) : static_cast<Handler>(cold<out<T, false>>);
        return dx ? static_cast<Handler>(cold<in<T, true>>) : static_cast<Handler>(cold<in<T, false>>);
    };
    e.handler = size == 1   ? choose.template operator()<u8>()
                : size == 2 ? choose.template operator()<u16>()
                            : choose.template operator()<u32>();
}
void invpcid(Emitter& e) { // 66 0F 38 82
    if (!e.memory() || e.d.mandatory() != 1) {
        e.undefined = true;
        return;
    }
    e.op.reg = slot_of(e.d.reg);
    e.cost = cost::Serializing, e.ends_block = true;
    e.handler = cold_end<invalidate_contexts>;
}
void fs_gs_base(Emitter& e) {
    e.op.extra = e.d.reg & 7;
    e.op.rm = slot_of(e.d.rm);
    e.handler = e.d.size == 8 ? static_cast<Handler>(cold<segment_base<u64>>)
                              : static_cast<Handler>(cold<segment_base<u32>>);
}

} // namespace emit
} // namespace vitrine::cpu
