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

u64 rip_linear(const emu::Machine& machine) {
    const auto& cpu = machine.processor();
    if (cpu.mode() == cpu::Mode::Long64) return cpu.rip();
    return (cpu.rip() + cpu.registers().seg[static_cast<unsigned>(cpu::Seg::CS)].base) & 0xFFFF'FFFF;
}
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

emu::RunLimits Engine::limits(double seconds, int& goal_index, int& typing_index) {
    emu::RunLimits out;
    out.host_seconds = seconds;
    out.step_limit = options_.limit_steps;
    // The machine looks at the host's clock only between slices: a slice is what fits into the budget at
    // today's speed.
    const double speed = std::clamp(slice_mips_ > 0 ? slice_mips_ : 50.0, 5.0, 1000.0) * 1e6;
    out.step_limit = std::min(out.step_limit, machine_->steps() + static_cast<u64>(speed * seconds) + 1);
    if (replayer_) out.step_limit = std::min(out.step_limit, replayer_->end_step());
    if (any_phase_) out.until_phase = "*";
    out.debugger = debugger_.get();
    out.goes_on = goes_on_;
    if (temporary_) out.breakpoints.push_back(*temporary_);
    goal_index = typing_index = -1;
    if (goal_) goal_index = static_cast<int>(out.conditions.size()), out.conditions.push_back(*goal_);
    if (typed_ < options_.typing.size() && !replaying() && !in_the_past()) {
        typing_index = static_cast<int>(out.conditions.size());
        out.conditions.push_back(options_.typing[typed_].when);
        out.conditions.back().from = typed_from_;
    }
    // An idle guest leaps: the run must end where pacing begins. The last condition, so that a wish for the
    // same stop wins.
    if (real_time && !replaying() && !booted())
        out.conditions.push_back({emu::StopCondition::Kind::Phase, 0, "init", 0});
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
    if (report.reason != emu::StopReason::Phase || machine_->phases().empty()) return false;
    const emu::Phase& phase = machine_->phases().back();
    const u64 rip = machine_->processor().rip();
    if (phase.source != "kernel" || phase.step != machine_->steps() || phase.rip == rip) return false;
    temporary_ = phase.rip, phase_text_ = report.detail;
    goal_.reset(), any_phase_ = false;
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
        int goal_index = -1, typing_index = -1;
        emu::RunLimits wanted = limits(std::max(0.001, seconds - (now() - began)), goal_index, typing_index);
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
        goes_on_ = true;
        measure(now() - before, machine_->steps() - first);
        look_for_panic();
        if (replayer_ && replayer_->divergence()) {
            state_ = State::Paused, ++stops_;
            return say(replayer_->divergence()->message, true);
        }
        if (typing_index >= 0 && report.condition == typing_index) {
            typed_from_ = machine_->serial_total();
            machine_->input(emu::SerialInput{options_.typing[typed_++].text});
            continue;
        }
        if (report.reason == emu::StopReason::Phase && report.condition > std::max(goal_index, typing_index))
            continue; // pacing begins
        if (leave_phase_stub(report)) continue;
        const bool at_replay_end = replayer_ && machine_->steps() >= replayer_->end_step();
        switch (report.reason) {
        case emu::StopReason::HostTimeLimit: return;
        case emu::StopReason::TimeLimit:
            if (sliced) continue; // a look at the network
            resting_ = machine_->processor().halted();
            return; // as far as real time allows
        case emu::StopReason::StepLimit:
            if (report.condition >= 0 || at_replay_end || machine_->steps() >= options_.limit_steps)
                return stopped(report);
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
    const bool one_shot =
        temporary_ && report.reason == emu::StopReason::Breakpoint && rip_linear(*machine_) == *temporary_;
    const std::string phase = std::exchange(phase_text_, {});
    temporary_.reset(), goal_.reset(), any_phase_ = false;
    switch (report.reason) {
    case emu::StopReason::Phase: return say(fmt::format("phase {}", report.detail));
    case emu::StopReason::Breakpoint:
        if (one_shot && !phase.empty()) return say(fmt::format("phase {}", phase));
        if (one_shot) return say("stepped over");
        return say(breakpoint_text(report));
    case emu::StopReason::SerialText: return say("the console printed the awaited text");
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
