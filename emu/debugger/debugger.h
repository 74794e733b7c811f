// Debugger — the breakpoints of one machine: one model for the command line, the app and gdb.
//
// Interface: add() a BreakSpec, then run the machine with RunLimits::debugger = this one; the run stops with
// StopReason::Breakpoint where an enabled breakpoint whose action is Stop is met, and last_hit() says which
// and why. Backwards: Timeline::previous() with the same limits. Runs without RunLimits::debugger (journeys
// of the timeline, for instance) meet no breakpoint, count no hit and log nothing.
//
// Where it stops: a place (Address, SourceLine, Step) stops before the instruction. Everything else stops at
// the first instruction boundary behind what it waited for: behind the instruction that made the access, at
// the first instruction of a handler. Hit::step, Hit::rip tell the instruction itself.
//
// Invariants (design.md §9)
// - Evaluated in the engine, never visible to the guest (law 4): no hit, condition or log point changes a
//   state hash at any step.
// - A breakpoint that is disabled or absent costs nothing; adding one drops no decoded code but the block
//   around it, and data breakpoints slow down only the pages that they lie in.
// - Hits, conditions and their order are functions of the run: the same forwards, backwards, in every shape.
// - Not thread-safe: use it where the machine is used.
#pragma once
#include <functional>
#include <memory>
#include <span>
#include <vector>
#include "emu/debugger/break_spec.h"

namespace vitrine::emu {

class Machine;

struct Breakpoint {
    u32 id = 0; ///< from 1, never used again
    BreakSpec spec;
    bool enabled = true;
    u64 hits = 0;        ///< conditions met, over all runs forwards
    u64 last_step = 0;   ///< step of the last hit
    std::string trouble; ///< why it cannot be met now: "waits for the kernel's place in memory", or a
                         ///< condition that could not be evaluated
};

/// What was met. Of several hits in one instruction, the first.
struct Hit {
    u32 id = 0;
    u64 step = 0;           ///< steps done before the instruction (or event) that caused it
    u64 time = 0;           ///< virtual nanoseconds, likewise
    unsigned processor = 0; ///< the one whose turn it was
    u64 rip = 0;            ///< of the instruction that caused it
    bool device = false;    ///< a bus master or an event did it, no instruction
    bool write = false;
    u64 address = 0; ///< linear or physical address, port, MSR, control register, vector, number
    u32 size = 0;
    u64 old_value = 0, value = 0; ///< before and after, up to 8 bytes
    std::string what;             ///< one line: "write of 8 bytes at jiffies: 0x10 -> 0x11 by tick+0x1c"
};

class Debugger {
public:
    explicit Debugger(Machine& machine);
    ~Debugger();
    Debugger(const Debugger&) = delete;
    Debugger& operator=(const Debugger&) = delete;

    /// Checks and resolves: an unknown symbol, line, mode or an expression with a mistake is an error here,
    /// with the nearest names.
    Expected<u32> add(BreakSpec spec);
    Expected<u32> add(std::string_view text);
    bool remove(u32 id);
    bool enable(u32 id, bool on);
    void clear();
    std::span<const Breakpoint> list() const;
    /// Those that are not the program's own: they come first.
    std::span<const Breakpoint> persons() const;
    const Breakpoint* find(u32 id) const;

    /// The hit that stopped the last run; empty when something else did.
    const std::optional<Hit>& last_hit() const;
    /// Whether this one was met where the last run stopped, be it not the first there.
    bool met(u32 id) const;
    /// For the timeline: the hit that a search backwards settled on.
    void set_last_hit(std::optional<Hit> hit);
    /// Lines of log points.
    using LogSink = std::function<void(const Breakpoint&, const Hit&, const std::string& line)>;
    void on_log(LogSink sink);

    /// The value of an expression (expression.h) where the machine stands.
    Expected<u64> evaluate(std::string_view expression) const;

    struct Impl;

private:
    friend class Machine;
    friend class Timeline;
    std::unique_ptr<Impl> impl_;
};

} // namespace vitrine::emu
