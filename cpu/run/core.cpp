// Core: construction, reset, mode bookkeeping, serialization. SDM vol. 3A 9.1.1 and table 9-1 for reset
// values.
#include "cpu/run/core.h"
#include "cpu/run/code_cache.h"
#include "cpu/state/cpuid.h"
#include "cpu/timing/cost.h"

namespace vitrine::cpu {

bool Core::wants(u32 interest) const { return observer && (code_cache.interests() & interest); }

const char* mode_name(Mode mode) {
    switch (mode) {
    case Mode::Real: return "real";
    case Mode::Virtual8086: return "virtual-8086";
    case Mode::Protected16: return "protected16";
    case Mode::Protected32: return "protected32";
    case Mode::Compat16: return "compat16";
    case Mode::Compat32: return "compat32";
    case Mode::Long64: return "long64";
    }
    return "?";
}

Core::Core(const Options& o, PhysicalBus& b, InterruptController& i, CodeCache& c)
    : options(o), bus(b), interrupts(i), code_cache(c) {
    code_cache.attach(*this);
    if (options.timing == Timing::Simple)
        mispredict_cost = cost::Mispredict, tlb_miss_cost = cost::TlbMissLevel;
    random_state = options.random_seed;
    reset();
}
Core::~Core() { code_cache.detach(*this); }

void Core::reset() {
    r = Registers{};
    r.rip = 0xFFF0;
    r.gpr[RDX] = 0x000506E3; // the signature, as CPUID leaf 1 EAX
    r.cr0 = 0x60000010;
    r.dr[6] = 0xFFFF0FF0, r.dr[7] = 0x400;
    for (Segment& s : r.seg) {
        s.limit = 0xFFFF, s.type = 3, s.code_or_data = s.present = true;
    }
    seg(Seg::CS).selector = 0xF000, seg(Seg::CS).base = 0xFFFF0000, seg(Seg::CS).type = 11;
    r.ldtr.limit = r.tr.limit = 0xFFFF;
    r.ldtr.type = 2, r.tr.type = 11, r.ldtr.present = r.tr.present = true;
    r.gdtr.limit = r.idtr.limit = 0xFFFF;
    r.msr.misc_enable = 0x1801; // fast strings; no BTS, no PEBS
    r.x87.control = 0x40, r.x87.tag_valid = 0xFF;
    lazy = {};
    cpl = 0;
    activity = options.bootstrap ? Activity::Running : Activity::WaitForSipi;
    init_pending = start_pending = yielded = false;
    nmi_pending = nmi_blocked = debug_trap = mid_repeat = false;
    debug_hits = 0, fault_deferred = false, deferred = {};
    update_breakpoints();
    shadow = Shadow::None;
    tlb_contexts = {}, data_tlb.forget(), code_tlb.forget();
    tlb_contexts.select(0);
    predictor = {};
    chain.count = 0;
    fp_loaded = false;
    event = stop_after = false;
    extra_cycles = 0;
    flush_fast();
    flush_jumps();
    mode = Mode::Real;
    update_mode();
}

void Core::init() {
    // What INIT leaves alone: x87, SSE and XCR0, the TSC and most MSRs, CR0.CD and NW.
    sync_fp();
    const Registers before = r;
    const bool line = interrupt_line, start = start_pending; // a start-up message came behind the INIT
    reset();
    r.x87 = before.x87;
    std::copy(std::begin(before.xmm), std::end(before.xmm), std::begin(r.xmm));
    r.ymm_high = before.ymm_high;
    r.mxcsr = before.mxcsr, r.xcr0 = before.xcr0, r.pkru = before.pkru;
    const u64 efer = r.msr.efer;
    r.msr = before.msr;
    r.msr.efer = efer, r.msr.debug_ctl = 0;
    r.cr0 = ET | (before.cr0 & (CD | NW));
    interrupt_line = line, start_pending = start;
    update_mode();
}

void Core::start_up(u8 vector) {
    // SDM 3A 8.4.4.1: only the first start-up message after an INIT counts.
    if (start_pending || (activity != Activity::WaitForSipi && !init_pending)) return;
    start_pending = true, start_vector = vector;
}

bool Core::can_run() const {
    if (init_pending || map_changed || debug_trap || debug_hits || fault_deferred ||
        activity == Activity::Running || activity == Activity::Shutdown)
        return true;
    if (activity == Activity::WaitForSipi) return start_pending;
    return (nmi_pending && !nmi_blocked) || (interrupt_line && (r.rflags & IF));
}

void Core::apply_map_change() {
    // Blocks stay: they are keyed by the frames that their bytes are in, and frames do not move.
    map_changed = false;
    flush_fast();
    flush_jumps();
    known_pages.fill({});
    link_from = nullptr;
}

u8 Core::block_flags() const {
    u8 flags = 0;
    const Segment& cs = seg(Seg::CS);
    if (code64() || cs.limit >= (cs.big ? 0xFFFFFFFFu : 0xFFFFu)) flags |= FullLimit;
    if (!code64() && seg(Seg::SS).big) flags |= Stack32;
    if (protected_mode()) flags |= ProtectedCode;
    return flags;
}

void Core::update_mode() {
    const Segment& cs = seg(Seg::CS);
    Mode next;
    if (!(r.cr0 & PE))
        next = Mode::Real;
    else if (r.rflags & VM)
        next = Mode::Virtual8086;
    else if (r.msr.efer & LMA)
        next = cs.long_mode ? Mode::Long64 : cs.big ? Mode::Compat32 : Mode::Compat16;
    else
        next = cs.big ? Mode::Protected32 : Mode::Protected16;
    if (next == Mode::Real) cpl = 0;
    if (next == Mode::Virtual8086) cpl = 3;
    if (next != mode) {
        const Mode from = mode;
        mode = next;
        if (observer) told().mode_changed(from, next);
    }
    update_privilege();
}

void Core::update_simd() {
    const bool available = !(r.cr0 & TS);
    const bool legacy = available && !(r.cr0 & EM) && (r.cr4 & OSFXSR);
    const bool vex = available && (r.cr4 & OSXSAVE) && (r.xcr0 & 6) == 6;
    simd_ready = static_cast<u8>((legacy ? LegacyReady : 0) | (vex ? VexReady : 0));
}

void Core::update_privilege() {
    update_simd();
    canonical_half = u64{1} << (r.cr4 & LA57 ? 56 : 47);
    const unsigned privilege = cpl == 3                             ? FastUser
                               : (r.cr4 & SMAP) && !(r.rflags & AC) ? FastSupervisor
                                                                    : FastSupervisorWithUser;
    // With alignment checking on, nothing may hit.
    static FastTable none; // never written: its tags stay invalid
    const bool check_alignment = cpl == 3 && (r.cr0 & AM) && (r.rflags & AC);
    read_fast = check_alignment ? none.data() : read_tables[privilege].data();
    write_fast = check_alignment ? none.data() : write_tables[privilege].data();
    jumps = &jump_table();
}

/// Links and jumps lead to any offset without a look at the segment's limit, so only full segments have a
/// table.
JumpTable& Core::jump_table() {
    const unsigned user = cpl == 3 ? 1 : 0;
    if (code64()) return jump_tables[user];
    const u8 flags = block_flags();
    if (!(flags & FullLimit)) return jump_tables[2];
    const Segment& cs = seg(Seg::CS);
    const LegacyCode code{static_cast<u32>(cs.base), cs.limit,
                          static_cast<u8>(flags | (cs.big ? 16 : 0) | (user ? 32 : 0))};
    for (unsigned i = 0; i < LegacyTables; ++i)
        if (legacy_jumps[i] == code) return jump_tables[FirstLegacyTable + i];
    const unsigned taken = next_legacy_table++ % LegacyTables;
    jump_tables[FirstLegacyTable + taken].clear(true), legacy_jumps[taken] = code;
    return jump_tables[FirstLegacyTable + taken];
}

namespace {

void serialize_segment(Archive& a, Segment& s) {
    a(s.base, s.limit, s.selector, s.type, s.dpl, s.code_or_data, s.present, s.available, s.long_mode, s.big,
      s.granular, s.usable);
    if (a.loading() && (s.type > 15 || s.dpl > 3)) a.fail("a segment register is malformed");
}
void serialize_registers(Archive& a, Registers& r) {
    a(r.gpr, r.rip, r.rflags);
    for (Segment& s : r.seg) serialize_segment(a, s);
    serialize_segment(a, r.ldtr);
    serialize_segment(a, r.tr);
    a(r.gdtr.base, r.gdtr.limit, r.idtr.base, r.idtr.limit, r.cr0, r.cr2, r.cr3, r.cr4, r.pdpte, r.dr);
    Msrs& m = r.msr;
    a(m.efer, m.star, m.lstar, m.cstar, m.fmask, m.kernel_gs_base, m.sysenter_cs, m.sysenter_esp,
      m.sysenter_eip, m.pat, m.misc_enable, m.tsc_adjust, m.tsc_aux, m.mtrr_def_type, m.mtrr_variable,
      m.mtrr_fixed, m.debug_ctl, m.mcg_status, m.mce_control, m.spec_ctrl);
    X87& x = r.x87;
    for (auto& st : x.physical) a(st);
    a(x.control, x.status, x.opcode, x.tag_valid, x.instruction_pointer, x.data_pointer,
      x.instruction_segment, x.data_segment);
    for (Xmm& v : r.xmm) a(v.lo, v.hi);
    for (Xmm& v : r.ymm_high) a(v.lo, v.hi);
    a(r.mxcsr, r.xcr0, r.pkru);
}

} // namespace

void Core::serialize(Archive& archive) {
    sync_fp();
    archive.section("cpu", 6);
    Model model = options.model;
    archive(model);
    if (archive.loading() && archive.ok() && model != options.model)
        return archive.fail("it was saved with another processor model");
    if (!archive.loading()) set_flags(flags()); // the lazy form is a shape, not state
    serialize_registers(archive, r);
    archive(step_count, cycle_count, cpl, mode, activity, init_pending, start_pending, start_vector,
            interrupt_line, nmi_pending, nmi_blocked, shadow, debug_trap, debug_hits, mid_repeat,
            fault_deferred, deferred.vector, deferred.has_error, deferred.error);
    archive(random_state);
    archive(predictor, tlb_contexts, data_tlb, code_tlb);
    if (!archive.loading() || !archive.ok()) return;
    if (cpl > 3 || mode > Mode::Long64 || shadow > Shadow::MovSs || activity > Activity::Shutdown ||
        r.gpr[ZeroSlot] != 0 || (r.mxcsr & ~0xFFFFu) || (r.xcr0 & ~xcr0_allowed(options.model)) ||
        !(r.xcr0 & 1) || !tlb_contexts.current || !tlb_contexts.global)
        return archive.fail("the processor state is malformed");
    lazy = {};
    running = false;
    in_op = nullptr;
    event = stop_after = false;
    extra_cycles = 0;
    skip_hook_step = ~u64{0};
    yielded = false;
    flush_fast();
    flush_jumps();
    known_pages.fill({});
    link_from = nullptr;
    update_breakpoints();
    update_privilege();
}

} // namespace vitrine::cpu
