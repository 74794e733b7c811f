// Segment checks and loads; MOV Sreg, LxS, LAR/LSL/VERR/VERW, ARPL, groups 6 and 7 (descriptor tables). SDM
// 3A 5.
#include "cpu/exec/segment.h"
#include "cpu/exec/emitters.h"
#include "cpu/exec/save_area.h"
#include "cpu/exec/operand.h"

namespace vitrine::cpu {

bool checked_linear(Core& core, Seg seg, u64 offset, unsigned size, bool write, u64& linear) {
    const Segment& s = core.seg(seg);
    const u8 vector = seg == Seg::SS ? 12 : 13;
    if (core.code64()) {
        linear = seg >= Seg::FS ? s.base + offset : offset;
        if (canonical(core, linear) && canonical(core, linear + size - 1)) return true;
        return core.raise(vector, 0);
    }
    if (!s.usable) return core.raise(13, 0);
    if (core.protected_mode()) {
        if (write ? (s.type & 8) || !(s.type & 2) : (s.type & 8) && !(s.type & 2)) return core.raise(13, 0);
    }
    const u64 last = offset + size - 1;
    bool inside;
    if ((s.type & 12) == 4) { // expand-down data: valid offsets lie above the limit
        const u64 top = s.big ? 0xFFFFFFFF : 0xFFFF;
        inside = offset > s.limit && last <= top;
    } else {
        inside = last <= s.limit;
    }
    if (!inside) return core.raise(vector, 0);
    linear = (s.base + offset) & 0xFFFFFFFF;
    return true;
}

Segment Descriptor::segment(u16 selector) const {
    Segment s;
    s.base = base(), s.limit = limit(), s.selector = selector;
    s.type = type(), s.dpl = dpl(), s.code_or_data = code_or_data(), s.present = present();
    s.available = raw >> 52 & 1, s.long_mode = long_mode(), s.big = big(), s.granular = raw >> 55 & 1;
    return s;
}

Lookup read_descriptor(Core& core, u16 selector, Descriptor& out, bool wide_system) {
    const bool local = selector & 4;
    if (local && !core.r.ldtr.usable) return Lookup::OutOfTable;
    const u64 base = local ? core.r.ldtr.base : core.r.gdtr.base;
    const u64 limit = local ? core.r.ldtr.limit : core.r.gdtr.limit;
    const u64 index = selector & 0xFFF8;
    if (index + 7 > limit) return Lookup::OutOfTable;
    out.address = base + index;
    if (!core.long_active()) out.address &= 0xFFFFFFFF;
    if (!core.load_system(out.address, out.raw)) return Lookup::Fault;
    out.upper = 0;
    if (wide_system && core.long_active() && !out.code_or_data()) {
        if (index + 15 > limit) return Lookup::OutOfTable;
        if (!core.load_system(out.address + 8, out.upper)) return Lookup::Fault;
    }
    return Lookup::Ok;
}

bool set_accessed(Core& core, Descriptor& d) {
    if (d.type() & 1) return true;
    d.raw |= u64{1} << 40;
    return core.store_system<u8>(d.address + 5, static_cast<u8>(d.raw >> 40));
}

void load_real_segment(Core& core, Seg seg, u16 selector) {
    Segment& s = core.seg(seg);
    s.selector = selector;
    s.base = static_cast<u64>(selector) << 4;
    s.usable = true;
    if (core.r.rflags & VM) { // 3A 20.1.1
        s.limit = 0xFFFF, s.type = 3, s.dpl = 3, s.present = s.code_or_data = true;
        s.big = s.granular = s.long_mode = false;
    }
    if (seg == Seg::SS || seg == Seg::CS) core.update_mode();
}

bool load_segment(Core& core, Seg seg, u16 selector) {
    if (!core.protected_mode()) {
        load_real_segment(core, seg, selector);
        return true;
    }
    const u32 error = selector & 0xFFFC;
    const u8 rpl = selector & 3;
    if (!(selector & 0xFFFC)) {
        if (seg == Seg::SS && (!core.code64() || core.cpl == 3 || rpl != core.cpl)) return core.raise(13, 0);
        Segment& s = core.seg(seg);
        s = Segment{};
        s.selector = selector, s.usable = false;
        if (seg == Seg::SS) s.dpl = core.cpl;
        core.update_mode();
        return true;
    }
    Descriptor d;
    switch (read_descriptor(core, selector, d)) {
    case Lookup::Fault: return false;
    case Lookup::OutOfTable: return core.raise(13, error);
    case Lookup::Ok: break;
    }
    if (seg == Seg::SS) {
        if (rpl != core.cpl || d.dpl() != core.cpl || !d.writable_data()) return core.raise(13, error);
        if (!d.present()) return core.raise(12, error);
    } else {
        if (!d.readable()) return core.raise(13, error);
        const bool conforming_code = d.code() && d.conforming();
        if (!conforming_code && (rpl > d.dpl() || core.cpl > d.dpl())) return core.raise(13, error);
        if (!d.present()) return core.raise(11, error);
    }
    if (!set_accessed(core, d)) return false;
    core.seg(seg) = d.segment(selector);
    core.update_mode();
    return true;
}

void set_code_segment(Core& core, const Descriptor& d, u16 selector, u8 cpl) {
    core.seg(Seg::CS) = d.segment(static_cast<u16>((selector & ~3u) | cpl));
    core.cpl = cpl;
    core.update_mode();
}

void set_null_stack(Core& core, u8 cpl) {
    Segment s;
    s.selector = cpl, s.usable = false, s.dpl = cpl;
    core.seg(Seg::SS) = s;
}

namespace {

bool mov_to_segment(Core& core, const Op& op) {
    u16 selector = 0;
    if (!read_rm<u16>(core, op, selector) || !load_segment(core, static_cast<Seg>(op.extra), selector))
        return false;
    if (static_cast<Seg>(op.extra) == Seg::SS) core.shadow = Shadow::MovSs;
    return true;
}
template <class T> bool mov_from_segment(Core& core, const Op& op) {
    const u16 selector = core.r.seg[op.extra].selector;
    if (op.address & RegisterOperand)
        put<T>(&core, op.rm, selector);
    else
        return write_memory<u16>(core, op, selector);
    return true;
}
/// LES LDS LSS LFS LGS: offset first, then the selector behind it.
template <class T> bool load_pointer(Core& core, const Op& op) {
    u64 linear = 0, at_selector = 0;
    T offset{};
    u16 selector = 0;
    const u64 where = operand_offset(core, op);
    if (!segment_linear(core, operand_segment(op), where, sizeof(T), false, linear) ||
        !segment_linear(core, operand_segment(op), where + sizeof(T), 2, false, at_selector))
        return false;
    if (!core.load(linear, offset) || !core.load(at_selector, selector)) return false;
    if (!load_segment(core, static_cast<Seg>(op.extra), selector)) return false;
    put<T>(&core, op.reg, offset);
    return true;
}

/// The common part of LAR, LSL, VERR, VERW: may this selector be seen? `fault` tells a real page fault.
bool visible(Core& core, u16 selector, Descriptor& d, bool& fault) {
    fault = false;
    if (!(selector & 0xFFFC)) return false;
    const Lookup found = read_descriptor(core, selector, d);
    fault = found == Lookup::Fault;
    if (found != Lookup::Ok) return false;
    if (d.code() && d.conforming()) return true;
    return core.cpl <= d.dpl() && (selector & 3) <= d.dpl();
}
void set_zero_flag(Core& core, bool zf) { core.set_arithmetic((core.flags() & ~u64{ZF}) | (zf ? ZF : 0)); }

template <class T, bool Limit> bool load_access_rights(Core& core, const Op& op) {
    if (!core.protected_mode()) return core.raise(6);
    u16 selector = 0;
    if (!read_rm<u16>(core, op, selector)) return false;
    Descriptor d;
    bool fault;
    bool ok = visible(core, selector, d, fault);
    if (fault) return false;
    if (ok && !d.code_or_data()) {
        const u16 lar =
            core.long_active() ? 0b0001'1010'0000'0100 : 0b0001'1010'0011'1110; // types with rights
        const u16 lsl = core.long_active() ? 0b0000'1010'0000'0100 : 0b0000'1010'0000'1110;
        ok = (Limit ? lsl : lar) >> d.type() & 1;
    }
    set_zero_flag(core, ok);
    if (ok) put<T>(&core, op.reg, static_cast<T>(Limit ? d.limit() : d.raw >> 32 & 0x00FFFF00));
    return true;
}
template <bool Write> bool verify_segment(Core& core, const Op& op) {
    if (!core.protected_mode()) return core.raise(6);
    u16 selector = 0;
    if (!read_rm<u16>(core, op, selector)) return false;
    Descriptor d;
    bool fault;
    const bool ok =
        visible(core, selector, d, fault) && d.code_or_data() && (Write ? d.writable_data() : d.readable());
    if (fault) return false;
    set_zero_flag(core, ok);
    return true;
}
bool adjust_rpl(Core& core, const Op& op) {
    if (!core.protected_mode()) return core.raise(6);
    bool changed = false;
    const u16 rpl = get<u16>(&core, op.reg) & 3;
    if (!modify_rm<u16>(core, op, [&](u16 v) {
            changed = (v & 3) < rpl;
            return changed ? static_cast<u16>((v & ~3u) | rpl) : v;
        }))
        return false;
    set_zero_flag(core, changed);
    return true;
}

bool privileged(Core& core) { return core.cpl == 0 || core.raise(13, 0); }
bool user_may_store(Core& core) { return !(core.r.cr4 & UMIP) || core.cpl == 0 || core.raise(13, 0); }

bool store_selector(Core& core, const Op& op) { // SLDT, STR
    if (!core.protected_mode()) return core.raise(6);
    if (!user_may_store(core)) return false;
    const u16 selector = op.extra ? core.r.tr.selector : core.r.ldtr.selector;
    if (!(op.address & RegisterOperand)) return write_memory<u16>(core, op, selector);
    if (op.reg == 2)
        put<u16>(&core, op.rm, selector);
    else
        put<u64>(&core, op.rm, selector);
    return true;
}
/// What LLDT and LTR share: the descriptor of a system segment in the global table.
bool system_segment(Core& core, u16 selector, Descriptor& d) {
    const u32 error = selector & 0xFFFC;
    if (selector & 4) return core.raise(13, error);
    switch (read_descriptor(core, selector, d, true)) {
    case Lookup::Fault: return false;
    case Lookup::OutOfTable: return core.raise(13, error);
    case Lookup::Ok: break;
    }
    // IA-32e mode: the type field of the upper half is zero, the base canonical.
    if ((d.upper >> 40 & 31) || !loadable_address(core, d.base() | d.upper << 32))
        return core.raise(13, error);
    return true;
}
} // namespace

bool load_local_table(Core& core, u16 selector, u8 vector) {
    const u32 error = selector & 0xFFFC;
    if (!error) {
        core.r.ldtr = Segment{};
        core.r.ldtr.selector = selector, core.r.ldtr.usable = false;
        return true;
    }
    Descriptor d;
    if (!system_segment(core, selector, d)) {
        if (core.fault.vector == 13) core.fault.vector = vector;
        return false;
    }
    if (d.code_or_data() || d.type() != Ldt) return core.raise(vector, error);
    if (!d.present()) return core.raise(vector == 13 ? 11 : vector, error);
    core.r.ldtr = d.segment(selector);
    core.r.ldtr.base |= d.upper << 32;
    return true;
}

namespace {

bool load_ldt(Core& core, const Op& op) {
    if (!core.protected_mode()) return core.raise(6);
    u16 selector = 0;
    if (!privileged(core) || !read_rm<u16>(core, op, selector)) return false;
    return load_local_table(core, selector, 13);
}
bool load_task_register(Core& core, const Op& op) {
    if (!core.protected_mode()) return core.raise(6);
    u16 selector = 0;
    if (!privileged(core) || !read_rm<u16>(core, op, selector)) return false;
    const u32 error = selector & 0xFFFC;
    if (!error) return core.raise(13, 0);
    Descriptor d;
    if (!system_segment(core, selector, d)) return false;
    const bool available = d.type() == TssAvailable || (!core.long_active() && d.type() == Tss16Available);
    if (d.code_or_data() || !available) return core.raise(13, error);
    if (!d.present()) return core.raise(11, error);
    d.raw |= u64{2} << 40; // busy
    if (!core.store_system<u8>(d.address + 5, static_cast<u8>(d.raw >> 40))) return false;
    core.r.tr = d.segment(selector);
    core.r.tr.base |= d.upper << 32;
    return true;
}

/// SGDT/SIDT: limit, then a 4- or 8-byte base (the manual: 24 bits with a 16-bit operand, in practice 32).
bool store_table(Core& core, const Op& op) {
    if (!user_may_store(core)) return false;
    const DescriptorTable& t = op.extra ? core.r.idtr : core.r.gdtr;
    struct [[gnu::packed]] {
        u16 limit;
        u64 base;
    } image{t.limit, t.base};
    u64 linear = 0;
    const unsigned size = core.code64() ? 10 : 6;
    return operand_linear(core, op, size, true, linear) && core.write(linear, size, &image, core.cpl == 3, 4);
}
bool load_table(Core& core, const Op& op) {
    if (!privileged(core)) return false;
    struct [[gnu::packed]] {
        u16 limit;
        u64 base;
    } image{0, 0};
    u64 linear = 0;
    const unsigned size = core.code64() ? 10 : 6;
    if (!operand_linear(core, op, size, false, linear) || !core.read(linear, size, &image, core.cpl == 3, 4))
        return false;
    u64 base = image.base;
    if (!core.code64())
        base &= op.reg == 2 ? 0xFFFFFF : 0xFFFFFFFF;
    else if (!loadable_address(core, base))
        return core.raise(13, 0);
    (op.extra ? core.r.idtr : core.r.gdtr) = {base, image.limit};
    return true;
}
bool store_msw(Core& core, const Op& op) {
    if (!user_may_store(core)) return false;
    if (!(op.address & RegisterOperand)) return write_memory<u16>(core, op, static_cast<u16>(core.r.cr0));
    if (op.reg == 2)
        put<u16>(&core, op.rm, static_cast<u16>(core.r.cr0));
    else
        put<u64>(&core, op.rm, op.reg == 4 ? core.r.cr0 & 0xFFFFFFFF : core.r.cr0);
    return true;
}
bool load_msw(Core& core, const Op& op) {
    u16 value = 0;
    if (!privileged(core) || !read_rm<u16>(core, op, value)) return false;
    // PE can be set but not cleared; MP, EM, TS follow.
    const u64 old = core.r.cr0;
    core.r.cr0 = (core.r.cr0 & ~u64{MP | EM | TS}) | (value & (PE | MP | EM | TS));
    if (core.wants(InterestControl)) core.told().control_written(0, old, core.r.cr0);
    core.update_mode();
    return true;
}
/// RDPKRU, WRPKRU: SDM vol. 2; at every privilege.
bool key_rights_ready(Core& core, bool write) {
    if (!(core.r.cr4 & PKE)) return core.raise(6);
    const u64 zero = core.r.gpr[RCX] | (write ? core.r.gpr[RDX] : 0);
    return !static_cast<u32>(zero) || core.raise(13, 0);
}
bool read_key_rights(Core& core, const Op&) {
    if (!key_rights_ready(core, false)) return false;
    core.r.gpr[RAX] = core.r.pkru, core.r.gpr[RDX] = 0;
    return true;
}
bool write_key_rights(Core& core, const Op&) {
    if (!key_rights_ready(core, true)) return false;
    core.set_key_rights(static_cast<u32>(core.r.gpr[RAX]));
    return true;
}
bool invalidate_page(Core& core, const Op& op) {
    if (!privileged(core)) return false;
    const Seg seg = operand_segment(op);
    const u64 offset = operand_offset(core, op);
    const u64 linear = core.code64() ? (seg >= Seg::FS ? core.seg(seg).base : 0) + offset
                                     : (core.seg(seg).base + offset) & 0xFFFFFFFF;
    core.flush_tlb_page(linear);
    return true;
}
bool swap_gs(Core& core, const Op&) {
    if (!core.code64()) return core.raise(6);
    if (!privileged(core)) return false;
    std::swap(core.seg(Seg::GS).base, core.r.msr.kernel_gs_base);
    return true;
}
bool set_access_check(Core& core, const Op& op) { // CLAC STAC
    if (core.cpl != 0 || !core.protected_mode()) return core.raise(6);
    core.r.rflags = op.extra ? core.r.rflags | AC : core.r.rflags & ~u64{AC};
    core.update_privilege();
    return true;
}
bool read_tsc_and_aux(Core& core, const Op&) { // RDTSCP
    if ((core.r.cr4 & TSD) && core.cpl != 0) return core.raise(13, 0);
    const u64 tsc = core.now_cycles() + core.r.msr.tsc_adjust;
    core.r.gpr[RAX] = tsc & 0xFFFFFFFF, core.r.gpr[RDX] = tsc >> 32;
    core.r.gpr[RCX] = static_cast<u32>(core.r.msr.tsc_aux);
    return true;
}

} // namespace

namespace emit {

void mov_sreg(Emitter& e) { // 8C 8E
    const u8 seg = e.d.reg & 7;
    if (seg > 5 || e.d.reg > 7) {
        e.undefined = seg > 5;
        if (e.undefined) return;
    }
    e.op.extra = seg;
    if (!e.memory()) e.op.rm = slot_of(e.d.rm);
    if (e.d.row->arg) { // to segment register
        if (seg == static_cast<u8>(Seg::CS)) {
            e.undefined = true;
            return;
        }
        e.cost = cost::SegmentLoad;
        e.ends_block = true;
        e.handler = cold_end<mov_to_segment>;
        return;
    }
    e.handler =
        by_wide_size(e.d.size, []<class T> { return static_cast<Handler>(cold<mov_from_segment<T>>); });
}
void load_far_pointer(Emitter& e) {
    if (!e.memory()) {
        e.undefined = true;
        return;
    }
    e.op.extra = e.d.row->arg;
    e.cost = cost::SegmentLoad;
    e.ends_block = true;
    e.handler =
        by_wide_size(e.d.size, []<class T> { return static_cast<Handler>(cold_end<load_pointer<T>>); });
}
void lar_lsl(Emitter& e) {
    e.cost = cost::SegmentLoad;
    if (!e.memory()) e.op.rm = slot_of(e.d.rm);
    e.handler = by_wide_size(e.d.size, [&]<class T> {
        return e.d.row->arg ? static_cast<Handler>(cold<load_access_rights<T, true>>)
                            : static_cast<Handler>(cold<load_access_rights<T, false>>);
    });
}
void arpl(Emitter& e) {
    if (!e.memory()) e.op.rm = slot_of(e.d.rm);
    e.handler = cold<adjust_rpl>;
}
void group6(Emitter& e) { // 0F 00
    e.cost = cost::SegmentLoad;
    e.op.reg = e.d.size;
    switch (e.d.reg & 7) {
    case 0:
    case 1: e.op.extra = e.d.reg & 1, e.handler = cold<store_selector>; break;
    case 2: e.handler = cold<load_ldt>; break;
    case 3: e.handler = cold<load_task_register>; break;
    case 4: e.handler = cold<verify_segment<false>>; break;
    case 5: e.handler = cold<verify_segment<true>>; break;
    default: e.undefined = true;
    }
}
void group7(Emitter& e) { // 0F 01
    const unsigned which = e.d.reg & 7;
    e.op.reg = e.d.size;
    e.cost = cost::SegmentLoad;
    if (e.memory()) {
        e.op.extra = which & 1;
        switch (which) {
        case 0:
        case 1: e.handler = cold<store_table>; return;
        case 2:
        case 3: e.handler = cold<load_table>; return;
        case 4: e.handler = cold<store_msw>; return;
        case 6: e.ends_block = true, e.handler = cold_end<load_msw>; return;
        case 7:
            e.ends_block = true, e.cost = cost::Serializing, e.handler = cold_end<invalidate_page>;
            return;
        default: e.undefined = true; return;
        }
    }
    e.op.rm = slot_of(e.d.rm);
    switch (e.d.modrm) {
    case 0xCA: e.op.extra = 0, e.ends_block = true, e.handler = cold_end<set_access_check>; return;
    case 0xCB: e.op.extra = 1, e.ends_block = true, e.handler = cold_end<set_access_check>; return;
    case 0xD0: return extended_state(e, Extended::Xgetbv);
    case 0xD1: return extended_state(e, Extended::Xsetbv);
    case 0xEE:
    case 0xEF:
        if (!offers(e.features, Feature::Pku)) break;
        e.cost = 8, e.handler = e.d.modrm == 0xEE ? static_cast<Handler>(cold<read_key_rights>)
                                                  : static_cast<Handler>(cold<write_key_rights>);
        return;
    case 0xF8: e.handler = cold<swap_gs>; return;
    case 0xF9: e.cost = 20, e.handler = cold<read_tsc_and_aux>; return;
    default: break;
    }
    if (which == 4)
        e.handler = cold<store_msw>;
    else if (which == 6)
        e.ends_block = true, e.handler = cold_end<load_msw>;
    else
        e.undefined = true; // VMX, SVM, MONITOR …: not offered by CPUID
}

} // namespace emit
} // namespace vitrine::cpu
