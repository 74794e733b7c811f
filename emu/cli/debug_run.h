// The headless run's breakpoints and history: --until, --break, --last and what they leave on stderr.
#pragma once
#include "emu/cli/options.h"
#include "emu/debugger/debugger.h"
#include "emu/events/events.h"
#include "emu/timeline/authors.h"

namespace vitrine::emu::cli {

class DebugRun {
public:
    explicit DebugRun(const Options& options) : options_(options) {}
    /// Adds the breakpoints and starts the history, where an option needs one.
    Expected<void> set_up(Machine& machine);
    /// Behind a recorder: history leaps by what its file holds.
    void keep_history(Machine& machine);
    /// Prepares the limits of the next slice.
    void slice(RunLimits& limits);
    /// Scripted typing: the next text waits for this, in what the console says behind `from`;
    /// a step that has been done is the next one. None: for nothing.
    void wait_to_type(std::optional<BreakSpec> when, u64 from, u64 steps) {
        wait(typing_id_, std::move(when), from, steps);
    }
    bool time_to_type(const RunReport& report) const { return time_to(typing_id_, report); }
    /// The same for the next disc of --change-cdrom.
    void wait_to_change_medium(std::optional<BreakSpec> when, u64 from, u64 steps) {
        wait(medium_id_, std::move(when), from, steps);
    }
    bool time_to_change_medium(const RunReport& report) const { return time_to(medium_id_, report); }
    /// What the run has ended with: true when --until or a --break was what stopped it.
    bool stopped_by_breakpoint(const RunReport& report);
    /// At the stop: counts are told, and --last travels back. False: it was never met (status 75).
    Expected<bool> finish(Machine& machine);
    Timeline* timeline() { return timeline_.get(); }
    Debugger& debugger() { return *debugger_; }
    bool until_met() const { return until_met_; }
    /// gdb had the machine and has left it: the run goes on, and where it stands stops it no more.
    void goes_on();
    /// --until was met, and the run went on behind it.
    bool until_done() const { return until_done_; }

private:
    void wait(u32& id, std::optional<BreakSpec> when, u64 from, u64 steps);
    bool time_to(u32 id, const RunReport& report) const;
    Expected<bool> ask(Machine& machine);
    Expected<void> show_events();
    const Options& options_;
    std::unique_ptr<Debugger> debugger_;
    std::unique_ptr<Timeline> timeline_;
    std::unique_ptr<EventStore> events_;
    u32 until_id_ = 0, typing_id_ = 0, medium_id_ = 0;
    bool until_met_ = false, started_ = false, already_met_ = false, until_done_ = false;
};

} // namespace vitrine::emu::cli
