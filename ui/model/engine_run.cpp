// One frame of running: limits, pacing, why it stopped. See engine.h.
#include <algorithm>
#include <fmt/format.h>
#include "emu/board/board.h"
#include "ui/model/engine.h"

namespace vitrine::ui {

namespace {
constexpr u64 LateVirtual = 100'000'000; ///< a machine this far behind real time is not asked to catch up
constexpr u64 NetworkSlice = 1'000'000;  ///< virtual nanoseconds between looks at the network
constexpr double MeasureSeconds = 0.4;
} // namespace

double Engine::now() {
    return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

/// The virtual time that real time allows; nothing when the machine is not paced.
std::optional<u64> Engine::paced_limit() {
    if (!real_time || replaying() || !booted()) {
        anchored_ = false;
        return std::nullopt;
    }
    const u64 time = machine_->time();
    const double real = now();
    if (!anchored_) anchored_ = true, anchor_real_ = real, anchor_virtual_ = time;
    u64 allowed = anchor_virtual_ + static_cast<u64>((real - anchor_real_) * 1e9);
    if (allowed > time + LateVirtual)
        anchor_real_ = real, anchor_virtual_ = time, allowed = time + LateVirtual / 5;
    return allowed;
}

emu::RunLimits Engine::limits(double seconds) {
    emu::RunLimits out;
    out.host_seconds = seconds;
    out.step_limit = options_.limit_steps;
    // The machine looks at the host's clock only between slices: a slice is what fits into the budget at
    // today's speed.
    const double speed = std::clamp(slice_mips_ > 0 ? slice_mips_ : 50.0, 5.0, 1000.0) * 1e6;
    out.step_limit = std::min(out.step_limit, machine_->steps() + static_cast<u64>(speed * seconds) + 1);
    if (replayer_) out.step_limit = std::min(out.step_limit, replayer_->end_step());
    out.debugger = debugger_.get();
    out.goes_on = goes_on_;
    // An idle guest leaps: the run must end where pacing begins.
    const bool awaits_init = real_time && !replaying() && !booted();
    if (awaits_init && !pacing_) {
        emu::BreakSpec init;
        init.kind = emu::BreakKind::Phase, init.text = "init";
        place_own(pacing_, std::move(init));
    } else if (!awaits_init) {
        forget_own(pacing_);
    }
    return out;
}

void Engine::measure(double seconds, u64 steps) {
    measured_seconds_ += seconds, measured_steps_ += steps;
    if (measured_seconds_ < MeasureSeconds && !(slice_mips_ == 0 && measured_seconds_ > 0.005)) return;
    slice_mips_ = static_cast<double>(measured_steps_) / measured_seconds_ / 1e6;
    measured_seconds_ = 0, measured_steps_ = 0;
}

/// What a person gets: steps and virtual time by the clock on the wall, drawing and waiting included.
void Engine::measure_wall() {
    const double wall = now();
    const double passed = wall - wall_since_;
    const bool behind = machine_->steps() < wall_steps_ || machine_->time() < wall_time_;
    if (wall_since_ > 0 && !behind) {
        if (passed < (steps_per_second_ == 0 ? 0.1 : MeasureSeconds)) return;
        steps_per_second_ = static_cast<double>(machine_->steps() - wall_steps_) / passed;
        times_real_ = static_cast<double>(machine_->time() - wall_time_) / 1e9 / passed;
    }
    wall_since_ = wall, wall_steps_ = machine_->steps(), wall_time_ = machine_->time();
}

/// The kernel reports a phase by calling an empty function. The stop is behind that call, where its caller
/// goes on. True while it is on its way there.
bool Engine::leave_phase_stub(const emu::RunReport& report) {
    const emu::Breakpoint* met = met_breakpoint(report);
    if (!met || !met->spec.own || met->spec.kind != emu::BreakKind::Phase || machine_->phases().empty())
        return false;
    const emu::Phase& phase = machine_->phases().back();
    const u64 rip = machine_->processor().rip();
    if (phase.source != "kernel" || phase.step != machine_->steps() || phase.rip == rip) return false;
    phase_text_ = report.detail;
    emu::BreakSpec behind;
    behind.address = phase.rip;
    place_own(temporary_, std::move(behind));
    forget_own(goal_), forget_own(any_phase_);
    return true;
}

void Engine::frame(double seconds) {
    if (journey_) go();
    if (state_ != State::Running) return;
    const double began = now();
    resting_ = idle_for_ever_ = false;
    measure_wall();
    while (state_ == State::Running && now() - began < seconds) {
        const bool wired = network_ && !replaying() && !in_the_past();
        if (wired) network_->pump(std::chrono::milliseconds(2));
        emu::RunLimits wanted = limits(std::max(0.001, seconds - (now() - began)));
        if (auto allowed = paced_limit()) {
            if (*allowed <= machine_->time()) {
                resting_ = true;
                return;
            }
            wanted.time_limit = *allowed;
        }
        const u64 look = machine_->time() + NetworkSlice;
        const bool sliced = wired && look < wanted.time_limit;
        if (sliced) wanted.time_limit = look;
        const u64 first = machine_->steps();
        const double before = now();
        const emu::RunReport report = machine_->run(wanted);
        if (recorder_) recorder_->keep_up();
        goes_on_ = true;
        measure(now() - before, machine_->steps() - first);
        look_for_panic();
        if (replayer_ && replayer_->divergence()) {
            state_ = State::Paused, ++stops_;
            return say(replayer_->divergence()->message, true);
        }
        const emu::Breakpoint* const met = met_breakpoint(report);
        const bool wanted_here = met && (!met->spec.own || debugger_->met(goal_) ||
                                         debugger_->met(temporary_) || debugger_->met(any_phase_));
        if (met && !wanted_here && debugger_->met(typing_)) {
            if (in_the_past()) {  // it was typed there
                goes_on_ = false; // the next slice leaves this place
                continue;
            }
            const std::string& text = options_.typing[typed_++].text;
            await_typing();
            machine_->input(emu::SerialInput{text});
            continue;
        }
        if (met && !wanted_here && debugger_->met(pacing_)) continue;
        if (leave_phase_stub(report)) continue;
        const bool at_replay_end = replayer_ && machine_->steps() >= replayer_->end_step();
        switch (report.reason) {
        case emu::StopReason::HostTimeLimit: return;
        case emu::StopReason::TimeLimit:
            if (sliced) continue; // a look at the network
            resting_ = machine_->processor().halted();
            return; // as far as real time allows
        case emu::StopReason::StepLimit:
            if (at_replay_end || machine_->steps() >= options_.limit_steps) return stopped(report);
            continue;
        case emu::StopReason::IdleForever:
            // It waits for a key, and says so; the app's loop sleeps until one comes.
            if (at_replay_end) return stopped(report);
            idle_for_ever_ = resting_ = true;
            if (any_phase_) {
                stopped(report);
                return say(fmt::format("there is no next phase: {}", report.detail), true);
            }
            if (panic_printed_)
                return say("the guest's kernel has panicked: its last words are on the console", true);
            return say(fmt::format("idle: {}", report.detail));
        default: return stopped(report);
        }
    }
}

/// The breakpoint that has stopped the run; null: something else has.
const emu::Breakpoint* Engine::met_breakpoint(const emu::RunReport& report) const {
    const auto& hit = debugger_->last_hit();
    return report.reason == emu::StopReason::Breakpoint && hit ? debugger_->find(hit->id) : nullptr;
}

/// Which breakpoint, and what met it.
std::string Engine::breakpoint_text(const emu::RunReport& report) const {
    if (const auto& hit = debugger_->last_hit()) return fmt::format("breakpoint {}: {}", hit->id, hit->what);
    return report.detail.empty() ? "breakpoint" : fmt::format("breakpoint at {}", report.detail);
}

void Engine::stopped(const emu::RunReport& report) {
    last_report_ = report;
    state_ = machine_->ended() ? State::Ended : State::Paused;
    resting_ = false;
    ++stops_;
    const emu::Breakpoint* const met = met_breakpoint(report);
    const bool one_shot = met && debugger_->met(temporary_), own = met && met->spec.own;
    const emu::BreakKind kind = met ? met->spec.kind : emu::BreakKind::Address;
    const std::string phase = std::exchange(phase_text_, {});
    forget_own(temporary_), forget_own(goal_), forget_own(any_phase_);
    switch (report.reason) {
    case emu::StopReason::Breakpoint:
        if (one_shot) return say(phase.empty() ? "stepped over" : phase);
        if (!own) return say(breakpoint_text(report));
        if (kind == emu::BreakKind::Console) return say("the console printed the awaited text");
        if (kind == emu::BreakKind::Step) return say("the step that was asked for");
        return say(report.detail);
    case emu::StopReason::StepLimit:
        if (replayer_ && machine_->steps() >= replayer_->end_step()) {
            if (auto ok = replayer_->finish(*machine_); !ok) return say(ok.error().message, true);
            return say("the replay is complete: every hash is equal");
        }
        return say("the step that was asked for");
    case emu::StopReason::PoweredOff: return say("the guest powered off");
    case emu::StopReason::DebugExit:
        return say(
            fmt::format("the guest ended the run through isa-debug-exit, value {}", report.debug_exit_value));
    case emu::StopReason::ResetRequested: return say("the guest reset the machine");
    case emu::StopReason::TripleFault: return say(fmt::format("triple fault\n{}", report.detail), true);
    default: return say(emu::stop_reason_name(report.reason));
    }
}

} // namespace vitrine::ui
