// Timeline — travel through a machine's run: any step of its history is one call away.
//
// Interface: make one for a machine (at power-on, to hold all of the run), then run the machine as usual.
// seek(), back() and previous() move it; everything that reads the machine then sees that step. An input
// given in the past ends the known future there (take_branch() hands out what was known, to return to it).
//
// Invariants (design.md §9): the state at step N after travelling is the state that a straight run has at N.
// Nothing here is guest-visible. A machine that replays a recording (Machine::known_run()) knows all of its
// run from the start, and leaps to the states that the recording holds; one that turns out damaged is told of
// on the log, and the one before it serves. Checkpoints are taken while the machine runs, at a rate that
// keeps both their cost and the way to any step short; a step backwards leaves denser ones near the cursor.
#pragma once
#include <array>
#include <functional>
#include "emu/timeline/history.h"

namespace vitrine::emu {

/// How long the machine stood still for checkpoints, in processor time: a histogram.
class Pauses {
public:
    void add(double seconds);
    u64 count() const { return count_; }
    /// Seconds that this share of all pauses did not exceed, to a tenth of a millisecond.
    double at(double share) const;

private:
    static constexpr double Width = 1e-4;
    std::array<u32, 1000> buckets_{}; ///< the last one: that long or longer
    u64 count_ = 0;
    double longest_ = 0;
};

class Timeline {
public:
    static constexpr u64 DefaultBudget = 1ull << 30;
    static constexpr double DefaultInterval = 0.080;
    static constexpr u64 DefaultLeap = 20'000'000;
    /// Told how far a long journey is, 0 to 1; false cancels it: the machine then stays where it is.
    using Progress = std::function<bool(double)>;

    /// `interval`: seconds of engine time between checkpoints, at least.
    Timeline(Machine& machine, u64 budget_bytes, double interval = DefaultInterval);
    ~Timeline();
    Timeline(const Timeline&) = delete;
    Timeline& operator=(const Timeline&) = delete;

    /// The steps that can be gone to: the start of history and the end of the known run.
    u64 first() const { return history_.first(); }
    u64 last() const { return std::max({history_.tip(), known_, run_ ? run_->end() : 0}); }
    /// The last place at or before `step` to which a journey is short: a checkpoint, or a state that a
    /// recording holds. REQUIRES: step >= first().
    u64 before(u64 step) const;
    bool in_the_past() const { return machine_.steps() < last(); }
    const History& history() const { return history_; }
    const Pauses& pauses() const { return pauses_; }

    /// Puts the machine at `step`: the first moment when that many steps are done. Errors: before first(),
    /// beyond last(), cancelled.
    Expected<void> seek(u64 step, const Progress& progress = {});
    /// `steps` backwards; stops at first() and says so.
    Expected<void> back(u64 steps = 1, const Progress& progress = {});
    /// To the very last moment of the known run, behind its last step's inputs.
    Expected<void> to_the_end(const Progress& progress = {});
    /// Goes to the last step before this one at which a run with these limits would have stopped (its step,
    /// time and host limits do not count). Without one in history: an error, and the machine stays.
    Expected<RunReport> previous(const RunLimits& limits, const Progress& progress = {});

    /// A state of a recording is read (some hundred milliseconds) where it saves more steps than this.
    void worth_a_leap(u64 steps) { worth_a_leap_ = steps; }

    /// A mark: thinning leaves the way to this step short. Where the machine stands there, a checkpoint is
    /// taken. Counted; each needs its unpin().
    void pin(u64 step);
    void unpin(u64 step) { history_.unpin(step); }

    /// While an event store notes what happens, a journey leaps only over what has been run: the store would
    /// have a hole. Whoever can show the hole may allow it.
    void may_skip_events(bool allowed) { may_skip_events_ = allowed; }

    /// What an input in the past has cut off: the inputs that would have followed. Oldest first.
    struct Branch {
        std::string name; ///< "branch 1" and so on, until somebody gives another
        u64 forked_at = 0, last = 0;
        std::vector<LoggedInput> inputs; ///< of its whole run, from the start: its trunk may be cut, too
    };
    const std::vector<Branch>& branches() const { return branches_; }
    std::optional<std::size_t> find_branch(std::string_view name) const;
    /// False when the name is empty, longer than 64 bytes, or another branch has it.
    bool rename_branch(std::size_t index, std::string name);
    /// Goes back to where the run of branch `index` and the present one part and makes its future the known
    /// one again; the present future, if there is one, becomes a branch. Errors: they part at the start of
    /// history, by an input that its first checkpoint holds.
    Expected<void> return_to(std::size_t index, const Progress& progress = {});

private:
    u64 pause();
    /// True when there was a future: it is the last branch now.
    bool cut_future();
    std::vector<LoggedInput> whole_run() const;
    Expected<void> approach(u64 step);
    void settle_at(u64 step);
    Expected<void> run_to(u64 step, const Progress& progress, double from, double to);

    Machine& machine_;
    const double interval_;
    History history_;
    std::shared_ptr<KnownRun> run_; ///< a recording of this run; null: none, or another future was begun
    u64 known_ = 0;                 ///< the end of the known run, when the machine is not there
    std::vector<u64> wanted_;       ///< steps at which a journey wants checkpoints, descending
    double last_taken_ = 0;         ///< Machine::host_seconds() then
    u64 last_step_ = 0, last_copies_ = 0;
    std::vector<Branch> branches_;
    unsigned branches_made_ = 0;
    u64 worth_a_leap_ = DefaultLeap;
    bool may_skip_events_ = false;
    Pauses pauses_;
};

} // namespace vitrine::emu
