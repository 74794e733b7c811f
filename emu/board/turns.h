// Turns — how the processors of one machine share its one position (step, cycle): one after the other, on one
// timeline (design.md §3). Not clocks of their own: those warp against each other.
//
// A turn lasts `quantum` steps, or until the processor pauses (PAUSE), waits (HLT, wait-for-SIPI) or stops
// the machine. Then the next processor in order that can run has its turn, at the position where the last one
// stopped. Who is alone (no other can run) keeps the turn until another wakes; if `quantum` is over by then,
// that one follows at the very next instruction. While nobody can run, time moves to the next event.
// Consequence: of N busy processors each sees 1/N of the machine's cycles.
//
// The schedule fuzzer (--preempt-fuzz): with a seed, turns have random lengths, and at random steps the
// processor whose turn it is receives an interrupt with Linux's reschedule vector, which makes a preemptible
// kernel choose anew right there. The seed is configuration, so a run that it breaks is a recording that
// replays.
//
// Invariants: whose turn it is, and when it ends, is guest-visible state: saved, restored and digested. How
// run() calls are cut (deadlines, slices, hooks) never moves a turn. The machine's position is that of the
// processor whose turn it is.
#pragma once
#include <memory>
#include <vector>
#include "cpu/base/archive.h"
#include "emu/board/processor_socket.h"

namespace vitrine::emu {

class Turns {
public:
    static constexpr u64 DefaultQuantum = 16384; ///< steps
    static constexpr u64 LongestQuantum = u64{1} << 32;
    static constexpr unsigned MostProcessors = 8;

    /// `fuzz_seed` 0: no fuzzing.
    Turns(std::vector<std::unique_ptr<ProcessorSocket>>& sockets, u64 quantum, u64 fuzz_seed)
        : sockets_(sockets), quantum_(quantum), fuzz_seed_(fuzz_seed), random_(fuzz_seed) {}

    unsigned current() const { return current_; }
    cpu::Cpu& cpu() { return *sockets_[current_]->cpu; }
    const cpu::Cpu& cpu() const { return *sockets_[current_]->cpu; }

    /// Runs whoever's turn it is, as Cpu::run. Halted: nobody can run.
    cpu::Stop run(u64 deadline, u64 step_limit);
    /// After a register access: the processor that ran alone has woken another, and run() has to look again.
    bool no_longer_alone() const { return alone_ && others_can_run(); }
    /// Back to the first processor: power-on and platform reset.
    void reset();
    void serialize(Archive& archive);

private:
    bool pass();
    bool others_can_run() const;
    u64 random();
    void preempt();
    std::vector<std::unique_ptr<ProcessorSocket>>& sockets_;
    const u64 quantum_, fuzz_seed_;
    bool alone_ = false; ///< in this run(); not state
    u32 current_ = 0;
    u64 end_ = 0; ///< step at which the turn ends
    u64 random_ = 0;
    u64 next_preemption_ = 0; ///< step
};

} // namespace vitrine::emu
