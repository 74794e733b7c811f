// Cpu — one x86-64 logical processor: bytes in, state out. The only header of cpu/ that devices/, emu/ and
// ui/ need besides bus.h, state/registers.h and mmu/walk.h.
//
// Interface: the machine calls run() with the next event's virtual time and a step limit; the processor
// executes until one of them is reached, it halts, a hook is met, or it shuts down. Virtual time is in
// cycles; one cycle is one nanosecond of virtual time (a 1 GHz processor).
//
// Invariants (design.md §1): the state at step N does not depend on how run() calls were cut, on the block
// cache, on fusion, on hooks or on a save/restore in between. Inside a PhysicalBus callback, steps() and
// cycles() are those of the instruction that made the access.
#pragma once
#include <memory>
#include <span>
#include <string>
#include <vector>
#include "cpu/base/archive.h"
#include "cpu/base/types.h"
#include "cpu/bus.h"
#include "cpu/state/features.h"
#include "cpu/state/registers.h"

namespace vitrine::cpu {

/// SIMD instructions run on the host's own unit: what the host lacks for that model, as a list of names;
/// empty when it can run it.
std::string host_lacks(Model model);
inline bool host_runs(Model model) { return host_lacks(model).empty(); }
enum class Timing : u8 { Fast, Simple };

/// SDM 3A 8.4.1 and vol. 3C 26.4.2: what a logical processor does.
enum class Activity : u8 { Running, Halted, WaitForSipi, Shutdown };

struct Options {
    Model model = Model::V1;
    Timing timing = Timing::Simple;
    unsigned processors =
        1;                 ///< logical processors of the machine, as CPUID tells; more than one: PAUSE yields
    u64 random_seed = 0;   ///< of RDRAND and RDSEED
    bool bootstrap = true; ///< starts at the reset vector; the others wait for a start-up message
    // Shape switches: they never change what the guest sees (law 3). Tests turn them.
    bool block_cache = true;
    bool fusion = true;
    bool always_precise = false;
};

inline constexpr u64 CyclesPerSecond = 1'000'000'000;

enum class Stop : u8 {
    Deadline,    ///< cycles() reached the deadline
    StepLimit,   ///< steps() == step_limit
    Halted,      ///< HLT or wait-for-SIPI with nothing to deliver; when all are, time moves with skip_to()
    Yield,       ///< PAUSE: it waits for another processor, whose turn it is (take_yield())
    Hook,        ///< about to execute the instruction at a hooked address, which is rip()
    BusStop,     ///< the bus asked for a stop during the last instruction (Cpu::request_stop)
    TripleFault, ///< shutdown: a fault while delivering #DF
};

/// What led to a shutdown: the first fault of the chain and the ones after it, oldest first.
struct FaultChain {
    Delivery faults[3];
    unsigned count = 0;
};

/// Counters for --stats; host-side only, never guest-visible.
struct Counters {
    u64 blocks_built = 0, blocks_dropped = 0, block_lookups = 0, precise_steps = 0;
    u64 tlb_fills = 0, page_walks = 0, mmio = 0, port_io = 0, deliveries = 0;
};

class CodeCache; // run/code_cache.h

/// An entry of a translation cache, for inspection.
struct Translation {
    u64 linear = 0, physical = 0, size = 0;
    u16 pcid = 0;
    bool code = false;    ///< of the instruction TLB
    bool current = false; ///< the loaded address space may use it
    bool global = false, user = false, writable = false, no_execute = false, dirty = false;
};

class Cpu {
public:
    /// `code` is shared by all processors of the machine; without one, the processor has its own.
    Cpu(const Options& options, PhysicalBus& bus, InterruptController& interrupts, CodeCache& code);
    Cpu(const Options& options, PhysicalBus& bus, InterruptController& interrupts);
    ~Cpu();
    Cpu(const Cpu&) = delete;
    Cpu& operator=(const Cpu&) = delete;

    /// Power-on reset: SDM 3A 9.1.1, table 9-1. Steps and cycles keep counting.
    void reset();
    void set_observer(CpuObserver* observer);

    /// Executes until `deadline` (cycles) or `step_limit` (steps) is reached, or something else of Stop
    /// happens. Returns at the first instruction boundary with cycles() >= deadline, or exactly at
    /// step_limit.
    Stop run(u64 deadline, u64 step_limit);

    u64 steps() const;
    u64 cycles() const;
    /// Processors take turns on one machine-wide position (design.md §3): the next one starts where the last
    /// one stopped. Only between runs.
    void set_position(u64 steps, u64 cycles);
    /// Only while nothing can run: time passes without instructions.
    void skip_to(u64 cycles);
    Activity activity() const;
    /// Waits for an interrupt or a start-up message.
    bool halted() const;
    /// run() would execute or deliver something.
    bool can_run() const;
    /// Whether the last run ended in a PAUSE; asking forgets it.
    bool take_yield();

    /// The INTR pin (level) and the NMI pin (edge). Seen at the next instruction boundary.
    void set_interrupt_request(bool level);
    void raise_nmi();
    /// INIT and start-up messages (SDM 3A 8.4). Taken at the next instruction boundary.
    void raise_init();
    void start_up(u8 vector);
    /// From a bus callback: leave run() after the current instruction.
    void request_stop();

    // State, for inspection and debuggers. Writing through mutable_registers() needs commit_registers()
    // afterwards.
    const Registers& registers() const;
    Registers& mutable_registers();
    void commit_registers();
    u64 rip() const;
    /// Inside a bus callback or a notice: the address of the instruction that runs; elsewhere rip().
    u64 current_rip() const;
    u64 cr3() const;
    /// Inside run(), in an instruction (not between two, and not while one is delivered).
    bool running() const;
    u64 rflags() const;
    u8 cpl() const;
    Mode mode() const;
    const FaultChain& fault_chain() const;
    Counters counters() const;
    Options& options();

    /// Host hooks on linear addresses of instructions (design.md law 4): run() stops with Stop::Hook before
    /// the instruction executes; the next run() executes it. A hook is seen in every address space, and by
    /// every processor that shares the code cache.
    void add_hook(u64 linear);
    void remove_hook(u64 linear);

    /// Someone other than this processor wrote guest memory (DMA, debugger): drop decoded code there.
    void memory_written(u64 pa, u64 size);
    /// The physical memory map changed: drop every cached translation of memory to host pointers.
    void memory_map_changed();
    /// Drops all decoded blocks and this processor's host-side caches. Never guest-visible.
    void flush_host_caches();

    /// Guest-visible state, TLB and predictors included. Load validates every field.
    void serialize(Archive& archive);

    /// Linear → physical through the current page tables without side effects. False: not mapped.
    bool translate(u64 linear, u64& physical) const;
    /// What the data and instruction TLBs hold, without side effects.
    std::vector<Translation> translations() const;
    /// Reads guest memory at a linear address without side effects; returns how many bytes were readable.
    std::size_t peek(u64 linear, std::span<u8> out) const;

private:
    std::unique_ptr<CodeCache> own_code_;
    std::unique_ptr<struct Core> core_;
};

} // namespace vitrine::cpu
