// Core — the processor's whole state, guest-visible and host-side, as the handlers see it.
//
// Invariants
// - `r.gpr[16]` is zero. `r.rip` is exact only outside handlers (leave_* writes it); RFLAGS' arithmetic bits
//   are in `lazy` unless its kind is Explicit.
// - Inside run(), now = cycle_end − budget. `in_op` names the Op whose handler called out, with its budget
//   and steps, so that steps() and cycles() are exact inside bus callbacks.
// - Members under "guest-visible" are serialized; members under "host side" can be rebuilt at any moment.
#pragma once
#include <algorithm>
#include <array>
#include <cstring>
#include <memory>
#include <vector>
#include "cpu/bus.h"
#include "cpu/cpu.h"
#include "cpu/decode/op.h"
#include "cpu/mmu/tlb.h"
#include "cpu/state/flags.h"
#include "cpu/timing/predictor.h"

namespace vitrine::cpu {

class CodeCache;

/// What a fault handler needs to deliver: SDM 3A 6.3–6.4.
struct PendingFault {
    u8 vector = 0;
    bool has_error = false;
    u32 error = 0;
};

enum class Shadow : u8 { None, Sti, MovSs };
enum class Access : u8 { Read, Write, Execute };
inline constexpr u16 HostX87Control = 0x37F;
enum SimdReady : u8 { LegacyReady = 1, VexReady = 2 };

struct JumpEntry {
    u64 rip = u64{1} << 63; ///< not canonical: never a 64-bit target, and never a 32-bit one
    Block* block = nullptr;
};
/// The jump cache of one privilege: a row of entries for a page of code (pages share rows), so that
/// forgetting a page clears one row. A hit implies a valid code-TLB entry with the right to execute.
struct JumpTable {
    static constexpr unsigned RowBits = 7, ColumnBits = 7, Rows = 1 << RowBits, Columns = 1 << ColumnBits;
    std::array<JumpEntry, Rows * Columns> entries;
    std::array<u64, Rows / 64> used{};     ///< a bit each: something was entered since the row was cleared
    std::array<u64, Rows / 64> private_{}; ///< … for a page that is not global

    static unsigned row(u64 rip) { return static_cast<unsigned>(rip >> 12 ^ rip >> 19) & (Rows - 1); }
    static std::size_t index(u64 rip) {
        return ((rip >> (12 - ColumnBits) ^ rip >> (19 - ColumnBits)) & ((Rows - 1) << ColumnBits)) |
               ((rip ^ rip >> ColumnBits) & (Columns - 1));
    }
    void enter(u64 rip, Block* block, bool global) {
        entries[index(rip)] = {rip, block};
        used[row(rip) / 64] |= u64{1} << (row(rip) % 64);
        private_[row(rip) / 64] |= u64{!global} << (row(rip) % 64);
    }
    void clear_row(unsigned row);
    /// Everything, or only rows that hold a page that is not global.
    void clear(bool global_too);
};

struct alignas(64) Core {
    Core(const Options& o, PhysicalBus& b, InterruptController& i, CodeCache& c);
    ~Core();

    // ---- hot, guest-visible -------------------------------------------------------------------------------
    Registers r;
    LazyFlags lazy;
    Predictor predictor;

    // ---- hot, host side -----------------------------------------------------------------------------------
    FastEntry* read_fast = nullptr; ///< the fast table of the current privilege
    FastEntry* write_fast = nullptr;
    JumpTable* jumps = nullptr; ///< of the current privilege
    u64 mispredict_cost = 0, tlb_miss_cost = 0;
    u64 canonical_half = u64{1} << 47; ///< half of the linear addresses: 2^56 with CR4.LA57
    bool event = false;                ///< something happened in an access: extra cycles or a stop
    bool stop_after = false;           ///< leave after this instruction
    bool fp_loaded =
        false; ///< the host's MXCSR holds the guest's controls, all exceptions masked, and collects flags
    bool x87_loaded = false;          ///< the host's x87 unit is ours: the next two say what it holds
    u16 x87_control = HostX87Control; ///< the host's x87 control word; see exec/x87_resident.cpp
    u16 x87_flags = 0;                ///< exceptions that the host's x87 unit has accumulated
    u8 simd_ready = 0;                ///< SimdReady: what CR0, CR4 and XCR0 allow now
    u64 extra_cycles = 0;             ///< TLB misses and the like, not yet charged
    const Op* in_op = nullptr;
    i64 in_budget = 0;
    u64 in_steps = 0;
    unsigned link_edge = 0;
    Block* link_from = nullptr; ///< the block whose edge leave_lookup should link once the target is known

    // ---- guest-visible ------------------------------------------------------------------------------------
    u64 step_count = 0, cycle_count = 0;
    u8 cpl = 0;
    Mode mode = Mode::Real;
    Activity activity = Activity::Running;
    bool init_pending = false;  ///< INIT arrived: taken at the next boundary
    bool start_pending = false; ///< a start-up message arrived while it was awaited
    u8 start_vector = 0;
    u64 random_state = 0; ///< of RDRAND and RDSEED
    bool yielded = false; ///< PAUSE: the next processor's turn (design.md §3)
    bool interrupt_line = false, nmi_pending = false, nmi_blocked = false;
    Shadow shadow = Shadow::None;
    bool debug_trap = false; ///< a single-step #DB is due at this boundary
    u16 debug_hits = 0; ///< DR6 bits of data and I/O breakpoints and task switches of the last instruction
    bool fault_deferred = false; ///< a task switch ended in a fault of the new task: `deferred` is next
    PendingFault deferred;
    bool mid_repeat =
        false; ///< rip is at a REP instruction that has iterated: the image of an interrupt gets RF
    bool trap_suppressed =
        false; ///< the last instruction was a software interrupt: no single-step trap after it
    TlbContexts tlb_contexts;
    DataTlb data_tlb;
    CodeTlb code_tlb;

    // ---- host side ----------------------------------------------------------------------------------------
    Options options;
    PhysicalBus& bus;
    InterruptController& interrupts;
    CpuObserver* observer = nullptr;
    PendingFault fault;
    FaultChain chain;
    Counters counters;
    u64 cycle_end = 0; ///< now = cycle_end − budget while blocks run
    i64 budget = 0;
    bool running = false, stop_requested = false, map_changed = false;
    // DR0–3 and DR7 taken apart (exec/debug.cpp): what is enabled, as masks of B0–B3.
    u8 code_breakpoints = 0, data_breakpoints = 0, port_breakpoints = 0;
    u64 skip_hook_step = ~u64{0}; ///< a hook at this step has been reported already
    FastTable read_tables[FastPrivileges], write_tables[FastPrivileges];
    enum FastUse : u8 { FastFree, FastLocal, FastGlobal };
    std::array<u8, FastEntries> fast_used[2 * FastPrivileges]{}; ///< FastUse; read tables, then write tables
    std::vector<u16> fast_log; ///< the slots that are not FastFree: what a flush has to clear
    u16 fast_keys = 0;         ///< protection keys of user pages with fast entries (a superset)
    /// 64-bit code of the supervisor and of users; one that stays empty; then legacy code, by offset: one
    /// table for each of the code segments that were last jumped through, for BIOS calls go to and fro
    /// between three or four.
    static constexpr unsigned LegacyTables = 12, FirstLegacyTable = 3;
    JumpTable jump_tables[FirstLegacyTable + LegacyTables];
    struct LegacyCode {
        u32 base = 0, limit = 0;
        u8 flags = 0; ///< block_flags(), 16 for a 32-bit segment, 32 for user code
        bool operator==(const LegacyCode&) const = default;
    } legacy_jumps[LegacyTables];
    unsigned next_legacy_table = 0; ///< the one that a new segment takes
    /// Which host page is behind a physical page; forgotten when the memory map changes.
    struct KnownPage {
        u64 page = ~u64{0}; ///< physical page number
        PhysicalPage memory;
    };
    std::array<KnownPage, 256> known_pages;
    CodeCache& code_cache;

    // ---- flags --------------------------------------------------------------------------------------------
    u64 flags() const { return (r.rflags & ~u64{ArithmeticFlags}) | lazy_bits(lazy, r.rflags); }
    /// Replaces all of RFLAGS (the caller has applied the masks of its instruction).
    void set_flags(u64 value) {
        r.rflags = (value & ~u64{0x28}) | 2; // bits 3 and 5 read as zero
        lazy.kind = FlagKind::Explicit;
    }
    void set_arithmetic(u64 bits) {
        r.rflags = (r.rflags & ~u64{ArithmeticFlags}) | (bits & ArithmeticFlags);
        lazy.kind = FlagKind::Explicit;
    }
    bool condition(unsigned cc) const { return lazy_condition(lazy, r.rflags, cc); }

    // ---- mode ---------------------------------------------------------------------------------------------
    Segment& seg(Seg s) { return r.seg[static_cast<unsigned>(s)]; }
    const Segment& seg(Seg s) const { return r.seg[static_cast<unsigned>(s)]; }
    bool long_active() const { return r.msr.efer & LMA; }
    bool code64() const { return mode == Mode::Long64; }
    bool canonical(u64 address) const { return address + canonical_half < 2 * canonical_half; }
    bool protected_mode() const { return (r.cr0 & PE) && !(r.rflags & VM); }
    /// Recomputes mode, fast-table pointers and block flags after CR0/CR4/EFER/CS/SS/CPL/AC changed.
    void update_mode();
    void update_privilege();
    /// After CR0.EM, CR0.TS, CR4.OSFXSR, CR4.OSXSAVE or XCR0 changed.
    void update_simd();
    u8 block_flags() const;

    // ---- faults -------------------------------------------------------------------------------------------
    /// Each records the fault and returns false, so that access code can `return raise(...)`.
    bool raise(u8 vector) {
        fault = {vector, false, 0};
        return false;
    }
    bool raise(u8 vector, u32 error) {
        fault = {vector, true, error};
        return false;
    }
    bool page_fault(u64 linear, u32 error) {
        r.cr2 = linear;
        return raise(14, error);
    }

    // ---- memory (mmu/access.cpp). False: `fault` is set ---------------------------------------------------
    // `alignment`: what CR0.AM asks of this access; 0: by its size.
    bool read(u64 linear, unsigned size, void* out, bool user, unsigned alignment = 0);
    bool write(u64 linear, unsigned size, const void* data, bool user, unsigned alignment = 0);
    bool misaligned(u64 linear, unsigned size, unsigned alignment) const;
    /// Checks that a write of `size` bytes would succeed (setting A and D), before a read-modify-write reads.
    bool probe_write(u64 linear, unsigned size, bool user);
    /// The soft TLB first, then the long way. Null on a miss.
    u8* fast(const FastEntry* table, u64 linear, unsigned size) const {
        const FastEntry& e = table[fast_index(linear)];
        return ((linear + size - 1) & ~u64{0xFFF}) == e.tag ? reinterpret_cast<u8*>(linear + e.addend)
                                                            : nullptr;
    }
    template <class T> bool load(u64 linear, T& out) {
        if (const u8* p = fast(read_fast, linear, sizeof(T))) return std::memcpy(&out, p, sizeof(T)), true;
        return read(linear, sizeof(T), &out, cpl == 3);
    }
    template <class T> bool store(u64 linear, T value) {
        if (u8* p = fast(write_fast, linear, sizeof(T))) return std::memcpy(p, &value, sizeof(T)), true;
        return write(linear, sizeof(T), &value, cpl == 3);
    }
    bool writable(u64 linear, unsigned size) {
        return fast(write_fast, linear, size) || probe_write(linear, size, cpl == 3);
    }
    /// Supervisor accesses that an instruction implies: descriptor tables, TSS, IDT. SMAP ignores AC for
    /// them.
    template <class T> bool load_system(u64 linear, T& out) {
        if (!system_address(linear, sizeof(T))) return false;
        implicit = true;
        const bool ok = read(linear, sizeof(T), &out, false);
        implicit = false;
        return ok;
    }
    template <class T> bool store_system(u64 linear, T value) {
        if (!system_address(linear, sizeof(T))) return false;
        implicit = true;
        const bool ok = write(linear, sizeof(T), &value, false);
        implicit = false;
        return ok;
    }
    /// A base may be loaded that only 5-level paging can use (see loadable_address).
    bool system_address(u64 linear, unsigned size) {
        return !long_active() || (canonical(linear) && canonical(linear + size - 1)) || raise(13, 0);
    }
    bool implicit = false;
    /// Linear → physical for one access inside one page, filling the architectural TLB.
    bool translate(u64 linear, Access access, bool user, u64& physical);
    /// What PKRU, CR4.PKE and CR0.WP say of a data access to a user page with this key (SDM 3A 4.6.2).
    bool key_forbids(u8 key, bool write, bool user) const {
        if (!(r.cr4 & PKE) || !long_active()) return false;
        const u32 rights = r.pkru >> (2 * key);
        return (rights & 1) || ((rights & 2) && write && (user || (r.cr0 & WP)));
    }
    /// WRPKRU and XRSTOR.
    void set_key_rights(u32 rights);
    /// The same for an instruction fetch at the current privilege.
    bool translate_code(u64 linear, u64& physical);
    void physical_read(u64 pa, unsigned size, void* out);
    void physical_write(u64 pa, unsigned size, const void* data);
    void install_fast(u64 linear, TlbEntry& e, Access access, bool user);
    FastTable& fast_table(std::size_t number);
    /// Somebody asked for this notice of the observer (an Interest).
    bool wants(u32 interest) const;
    /// The observer, and devices that are asked between accesses. Host code may compute: the floating-point
    /// units are its own again.
    CpuObserver& told() { return sync_fp(), *observer; }
    InterruptController& controller() { return sync_fp(), interrupts; }
    void flush_fast();
    void flush_fast_non_global();
    void flush_fast_page(u64 linear_page);
    /// Drops every fast write entry that points to the page at `host`.
    void drop_fast_writes(const u8* host);
    void flush_jumps();
    /// The code-TLB entry of this linear page goes: so do jumps into it.
    void flush_jumps_page(u64 page);
    /// The table for the code that runs now.
    JumpTable& jump_table();
    void forget_jump(u64 rip);
    /// bus.page(), remembered.
    const PhysicalPage& physical_page(u64 physical) {
        KnownPage& slot = known_pages[(physical >> 12) % known_pages.size()];
        if (slot.page != physical >> 12) [[unlikely]]
            slot = {physical >> 12, bus.page(physical)};
        return slot.memory;
    }
    /// Blocks were dropped: a block that is running is left after its current instruction.
    void code_dropped() {
        if (running) stop();
    }
    void forget_fast(TlbEntry& e);
    void forget_jumps(const TlbEntry& e);
    /// What CR3 names loses its translations; with `global_too`, everything goes.
    void flush_tlb(bool global_too);
    void select_context(bool keep);
    void flush_tlb_page(u64 linear);
    void invalidate_context_page(u16 pcid, u64 linear);
    void invalidate_context(u16 pcid);
    void invalidate_all_contexts(bool global_too);
    /// PAE paging: reads and checks the four PDPTEs. False: #GP(0) is pending, nothing changed.
    bool load_pdptes(u64 cr3);

    // ---- debug registers (exec/debug.cpp)
    // ------------------------------------------------------------------
    void update_breakpoints();
    /// Breakpoints of the instruction at rip.
    u8 code_breakpoint_hits() const;
    void note_access(u64 linear, unsigned size, bool write);
    void note_port(u16 port, unsigned size);
    bool watched_page(u64 page) const;
    void deliver_debug(u64 dr6_bits);

    // ---- time, exact inside callbacks ---------------------------------------------------------------------
    u64 now_steps() const;
    u64 now_cycles() const;
    void charge(u64 cycles) { extra_cycles += cycles, event = true; }
    void stop() { stop_after = true, event = true; }

    // ---- x87 and SSE controls -----------------------------------------------------------------------------
    void load_fp();
    void sync_fp();

    // ---- interrupts and control transfer (exec/interrupt.cpp, exec/transfer.cpp) --------------------------
    enum class Source : u8 { Fault, External, Software, Privileged };
    /// Delivers one exception or interrupt, with nested faults up to shutdown. One step.
    void deliver(u8 vector, Source source, bool has_error, u32 error);
    bool deliver_once(u8 vector, Source source, bool has_error, u32 error);

    Stop run(u64 deadline, u64 step_limit);
    void apply_map_change();
    Stop run_loop(u64 deadline, u64 step_limit);
    void serialize(Archive& archive);
    void reset();
    /// INIT (SDM 3A 9.1.1, table 9-1, column INIT): bootstrap processors start at the reset vector, others
    /// wait.
    void init();
    void start_up(u8 vector);
    /// True when run() would execute or deliver something.
    bool can_run() const;
};

/// Depth of nested leaves aside, each handler ends in one of these (run/leave.h has the macros).
VITRINE_HANDLER u32 leave_budget(Core*, const Op*, i64, u64);
VITRINE_HANDLER u32 leave_fault(Core*, const Op*, i64, u64);
VITRINE_HANDLER u32 leave_after(Core*, const Op*, i64, u64);
VITRINE_HANDLER u32 after_event(Core*, const Op*, i64, u64);

} // namespace vitrine::cpu
