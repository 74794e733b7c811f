// Timeline: see timeline.h.
#include "emu/timeline/timeline.h"
#include <algorithm>
#include <ctime>
#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include "emu/debugger/debugger.h"
#include "emu/machine/probes.h"

namespace vitrine::emu {

namespace {
/// A checkpoint is not due before its copies cost less than a sixtieth of the time since the last one. (With
/// the translations that are made anew behind it that is about three parts in a hundred.)
constexpr double CopyCost = 1.2e-6, BlobCost = 0.2e-3, CostShare = 1.0 / 60;
constexpr u64 FirstPause = 1'000'000, // and the hash points of recordings
    ShortestPause = 100'000, JourneySlice = 4'000'000;
/// Where a journey leaves checkpoints before its end, so that the next step backwards is short.
constexpr u64 Closer[] = {30'000, 300'000, 3'000'000};
double processor_seconds() {
    timespec now{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}
} // namespace

void Pauses::add(double seconds) {
    const auto bucket = static_cast<std::size_t>(std::max(seconds, 0.0) / Width);
    ++buckets_[std::min(bucket, buckets_.size() - 1)];
    ++count_, longest_ = std::max(longest_, seconds);
}

double Pauses::at(double share) const {
    const auto wanted = static_cast<u64>(share * static_cast<double>(count_));
    u64 seen = 0;
    for (std::size_t i = 0; i + 1 < buckets_.size(); ++i)
        if ((seen += buckets_[i]) >= wanted && seen)
            return std::min(longest_, static_cast<double>(i + 1) * Width);
    return longest_;
}

Timeline::Timeline(Machine& machine, u64 budget_bytes, double interval)
    : machine_(machine), interval_(interval), history_(machine, budget_bytes), run_(machine.known_run()),
      last_taken_(machine.host_seconds()), last_step_(machine.steps()) {
    if (run_) history_.learn_ahead(*run_);
    machine_.on_pause_point([this] { return pause(); });
    machine_.on_live_input([this] { cut_future(); });
}

Timeline::~Timeline() {
    machine_.on_pause_point({});
    machine_.on_live_input({});
}

/// At a pause point: takes a checkpoint if one is due, and says when to ask again.
u64 Timeline::pause() {
    const u64 step = machine_.steps();
    const bool live = step >= known_ || history_.untrodden();
    const double engine = machine_.host_seconds() - last_taken_;
    const double cost = static_cast<double>(history_.copies() - last_copies_) * CopyCost + BlobCost;
    const bool asked = !wanted_.empty() && step >= wanted_.back();
    if (asked) wanted_.pop_back();
    u64 at = 0;
    const bool passing = history_.before(step, at) && at == step;
    if (passing || asked ||
        (live && engine >= interval_ &&
         engine * CostShare >= cost * std::min(1.0, interval_ / DefaultInterval))) {
        const double before = processor_seconds();
        history_.take();
        pauses_.add(processor_seconds() - before);
        last_taken_ = machine_.host_seconds(), last_step_ = step, last_copies_ = history_.copies();
    }
    // Ask again after about a quarter of an interval at the speed of late.
    u64 next = step + FirstPause;
    if (engine > 1e-4 && step > last_step_) {
        const double speed = static_cast<double>(step - last_step_) / engine;
        next = step + std::max(std::min(ShortestPause, static_cast<u64>(1e9 * interval_)),
                               static_cast<u64>(speed * interval_ / 4));
    }
    // At the hash points of recordings, where that makes no odds: one that is saved afterwards can use them.
    if (interval_ >= DefaultInterval) next = (next + FirstPause - 1) / FirstPause * FirstPause;
    if (!wanted_.empty()) next = std::min(next, std::max(wanted_.back(), step + 1));
    if (auto known = history_.after(step)) next = std::min(next, *known);
    return next;
}

/// The inputs of the run that the machine stands in, applied and to come.
std::vector<LoggedInput> Timeline::whole_run() const {
    std::vector<LoggedInput> all = machine_.input_log();
    const std::vector<LoggedInput> future = machine_.inputs_to_come();
    all.insert(all.end(), future.begin(), future.end());
    return all;
}

/// An input from outside, in the past: what was known to follow is a branch from now on.
bool Timeline::cut_future() {
    if (!in_the_past()) return false;
    Branch branch{fmt::format("branch {}", ++branches_made_), machine_.steps(), last(), whole_run()};
    machine_.forget_inputs_to_come();
    history_.forget_future();
    run_.reset();
    machine_.begin_new_future();
    known_ = machine_.steps();
    branches_.push_back(std::move(branch));
    return true;
}

std::optional<std::size_t> Timeline::find_branch(std::string_view name) const {
    const auto found = std::ranges::find(branches_, name, &Branch::name);
    if (found == branches_.end()) return std::nullopt;
    return static_cast<std::size_t>(found - branches_.begin());
}

bool Timeline::rename_branch(std::size_t index, std::string name) {
    constexpr std::size_t Longest = 64;
    if (index >= branches_.size() || name.empty() || name.size() > Longest) return false;
    if (const auto other = find_branch(name); other && *other != index) return false;
    branches_[index].name = std::move(name);
    return true;
}

void Timeline::pin(u64 step) {
    if (machine_.steps() == step) history_.take();
    history_.pin(step);
}

Expected<void> Timeline::run_to(u64 step, const Progress& progress, double from, double to) {
    const u64 start = machine_.steps();
    while (machine_.steps() < step) {
        RunLimits limits;
        limits.step_limit = std::min(step, machine_.steps() + JourneySlice);
        const RunReport report = machine_.run(limits);
        const double share =
            step == start ? 1
                          : static_cast<double>(machine_.steps() - start) / static_cast<double>(step - start);
        if (progress && !progress(from + (to - from) * share)) return usage_error("cancelled");
        if (report.reason != StopReason::StepLimit && machine_.steps() < step)
            return usage_error(fmt::format("the run ends at step {}: {}", machine_.steps(),
                                           stop_reason_name(report.reason)));
    }
    return {};
}

u64 Timeline::before(u64 step) const {
    u64 found = first();
    history_.before(step, found);
    const auto recorded = run_ ? run_->before(step) : std::nullopt;
    return recorded && *recorded > found + worth_a_leap_ ? *recorded : found;
}

/// Puts the machine to the place from which the way to `step` is shortest.
Expected<void> Timeline::approach(u64 step) {
    const u64 now = machine_.steps();
    u64 checkpoint = first();
    history_.before(step, checkpoint);
    const u64 near = now <= step ? std::max(now, checkpoint) : checkpoint;
    const bool noted = machine_.probes().wants(Notice::Kind::NewFuture) && !may_skip_events_;
    while (run_) {
        const auto recorded = run_->before(noted ? std::min(step, machine_.furthest().first) : step);
        if (!recorded || *recorded <= near + worth_a_leap_) break;
        auto there = history_.leap(*run_, *recorded);
        if (there) return {};
        spdlog::warn("{}: the one before it serves", there.error().message);
        if (run_->before(*recorded) == recorded) return there; // it could not say no to it
    }
    if (step < machine_.steps() || checkpoint > machine_.steps()) return history_.restore(step);
    return {};
}

/// A checkpoint may have been taken before the inputs of its step came.
void Timeline::settle_at(u64 step) {
    if (machine_.steps() != step || machine_.inputs_waiting() == 0) return;
    RunLimits limits;
    limits.step_limit = step;
    machine_.run(limits);
}

Expected<void> Timeline::seek(u64 step, const Progress& progress) {
    if (step < first() || step > last())
        return usage_error(fmt::format("step {} is outside history: {} to {}", step, first(), last()));
    known_ = last();
    const u64 before = machine_.steps(), copies = history_.copies();
    if (auto ok = approach(step); !ok) return ok;
    if (machine_.steps() != before || history_.copies() != copies) {
        last_taken_ = machine_.host_seconds(), last_step_ = machine_.steps();
        last_copies_ = history_.copies();
    }
    wanted_.clear();
    for (u64 distance : Closer)
        if (step > distance && step - distance > machine_.steps()) wanted_.push_back(step - distance);
    machine_.on_pause_point([this] { return pause(); }); // the next pause point is near again
    auto arrived = run_to(step, progress, 0, 1);
    if (arrived) settle_at(step);
    wanted_.clear();
    return arrived;
}

Expected<void> Timeline::back(u64 steps, const Progress& progress) {
    const u64 now = machine_.steps();
    if (now == first()) return usage_error(fmt::format("history starts here, at step {}", now));
    return seek(now - std::min(steps, now - first()), progress);
}

Expected<void> Timeline::to_the_end(const Progress& progress) {
    if (in_the_past())
        if (auto ok = seek(last(), progress); !ok) return ok;
    // The run may have waited there: later than the step's first moment.
    if (const auto [step, time] = machine_.furthest(); machine_.steps() == step && machine_.time() < time) {
        RunLimits wait;
        wait.time_limit = time, wait.step_limit = step + 1;
        machine_.run(wait);
    }
    return {};
}

Expected<RunReport> Timeline::previous(const RunLimits& wanted, const Progress& progress) {
    const u64 start = machine_.steps();
    known_ = last();
    RunLimits limits = wanted;
    limits.time_limit = ~u64{0}, limits.host_seconds = 1e18;
    limits.searching = true;
    std::optional<Hit> last_hit;
    u64 end = start,
        below = start; // hits before `end`, in the interval of the last checkpoint before `below`
    while (below > first()) {
        const u64 from = before(below - 1);
        if (auto ok = seek(from); !ok) return std::unexpected(ok.error());
        limits.step_limit = end;
        std::optional<RunReport> hit;
        limits.goes_on = from == first(); // no interval before it could meet what is met there
        while (machine_.steps() < end) {
            RunReport report = machine_.run(limits);
            limits.goes_on = false;
            if (report.reason == StopReason::StepLimit || machine_.steps() >= end) break;
            hit = std::move(report);
            if (limits.debugger) last_hit = limits.debugger->last_hit();
            if (machine_.ended()) break;
        }
        if (hit) {
            if (auto ok = seek(hit->steps); !ok) return std::unexpected(ok.error());
            // A device's hit while every processor waits: later than the step's first moment.
            if (machine_.time() < hit->time) {
                RunLimits wait;
                wait.time_limit = hit->time, wait.step_limit = hit->steps + 1;
                machine_.run(wait);
            }
            if (limits.debugger) limits.debugger->set_last_hit(std::move(last_hit));
            return *hit;
        }
        // What stops at the checkpoint itself is met by the interval before it: a run that starts at a
        // breakpoint leaves it first.
        below = from, end = std::min(start, from + 1);
        const double done = static_cast<double>(start - from) / static_cast<double>(start - first());
        if (progress && !progress(done)) {
            if (auto ok = seek(start); !ok) return std::unexpected(ok.error());
            return usage_error("cancelled");
        }
    }
    if (auto ok = seek(start); !ok) return std::unexpected(ok.error());
    return usage_error(
        fmt::format("it did not happen between step {}, where history starts, and here", first()));
}

Expected<void> Timeline::return_to(std::size_t index, const Progress& progress) {
    if (index >= branches_.size()) return usage_error(fmt::format("there is no branch {}", index));
    const Branch branch = branches_[index];
    // Where the two runs part: the step of the first input that only one of them has there.
    const std::vector<LoggedInput> present = whole_run();
    const auto [ours, theirs] = std::ranges::mismatch(present, branch.inputs);
    const auto common = static_cast<std::size_t>(ours - present.begin());
    u64 parted = ~u64{0};
    if (ours != present.end()) parted = ours->step;
    if (theirs != branch.inputs.end()) parted = std::min(parted, theirs->step);
    if (parted < first()) return usage_error("the branch left before the start of history");
    if (parted == first()) {
        // Arriving there would apply the input that made it; the checkpoint itself may be older.
        known_ = last();
        if (auto ok = history_.restore(parted); !ok) return ok;
    } else if (auto ok = seek(std::min(parted - 1, last()), progress); !ok) {
        return ok;
    }
    if (machine_.input_log().size() > common) return usage_error("the branch left at the start of history");
    branches_.erase(branches_.begin() + static_cast<std::ptrdiff_t>(index));
    if (cut_future()) branches_.back().forked_at = parted;
    machine_.forget_inputs_to_come();
    for (std::size_t i = machine_.input_log().size(); i < branch.inputs.size(); ++i)
        machine_.input_at(branch.inputs[i].step, branch.inputs[i].event, branch.inputs[i].time);
    known_ = std::max(machine_.steps(), branch.last);
    return {};
}

} // namespace vitrine::emu
