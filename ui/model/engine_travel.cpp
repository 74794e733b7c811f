// Travel through a run's history: the verbs that put the machine at another step, and what a key in the past
// means. The work is emu/timeline's. See engine.h.
#include <algorithm>
#include <fmt/format.h>
#include "emu/cli/same_files.h"
#include "emu/board/board.h"
#include "emu/recorder/saved_run.h"
#include "ui/model/engine.h"
#include "ui/model/format.h"

namespace vitrine::ui {

namespace {
constexpr u64 StubSteps = 16; ///< how long the kernel's call that reports a phase takes, at most
}

u64 Engine::first_step() const { return timeline_ ? timeline_->first() : machine_->steps(); }
u64 Engine::last_step() const { return timeline_ ? timeline_->last() : machine_->steps(); }
bool Engine::in_the_past() const { return timeline_ && timeline_->in_the_past(); }

/// History begins where the machine first leaves its start: a saved state may be loaded before.
void Engine::keep_history() {
    if (timeline_ || options_.history == 0) return;
    timeline_ = std::make_unique<emu::Timeline>(*machine_, options_.history);
}

const std::vector<emu::Phase>& Engine::known_phases() const {
    return in_the_past() && timeline_->history().phases().size() > machine_->phases().size()
               ? timeline_->history().phases()
               : machine_->phases();
}
const std::vector<emu::ModeChange>& Engine::known_modes() const {
    return in_the_past() && timeline_->history().modes().size() > machine_->mode_changes().size()
               ? timeline_->history().modes()
               : machine_->mode_changes();
}

// ---- authors
// ------------------------------------------------------------------------------------------------

namespace {

std::string sentence_of(const emu::Author& author, u64 now) {
    std::string who =
        author.device
            ? author.request.empty() ? std::string("a device") : "the disk controller, for " + author.request
        : !author.task.empty()
            ? author.task
            : fmt::format("the processor{}", author.processor ? fmt::format(" {}", author.processor) : "");
    std::string where = author.device          ? std::string()
                        : author.place.empty() ? fmt::format(" at {:#x}", author.rip)
                                               : " in " + author.place;
    const std::string when = fmt::format("step {}, {} before now", grouped(author.step),
                                         duration_text(now - std::min(now, author.time)));
    if (!author.write) return fmt::format("{} read {:#x}{}: {}", who, author.value, where, when);
    return fmt::format("{} changed {:#x} to {:#x}{}: {}", who, author.old_value, author.value, where, when);
}

} // namespace

std::string Engine::find_author(const emu::Target& target, bool write,
                                const emu::Timeline::Progress& progress) {
    emu::Authors authors(*machine_, *timeline_);
    const u64 now = machine_->time();
    auto author = write ? authors.who_wrote(target, progress) : authors.who_read(target, progress);
    Answer answer{
        target, write, author.has_value(), fmt::format("Who {} {}?", write ? "wrote" : "read", target.text),
        {},     0};
    if (author)
        answer.step = author->step, answer.sentence = sentence_of(*author, now);
    else
        answer.sentence = author.error().message;
    answer_ = answer;
    return answer.sentence;
}

void Engine::ask_author(emu::Target target, bool write) {
    travel(
        [this, target, write](const emu::Timeline::Progress& progress) -> Expected<std::string> {
            return find_author(target, write, progress);
        },
        fmt::format("looking for who {} {}", write ? "wrote" : "read", target.text));
}

void Engine::ask_author_before() {
    if (!answer_ || !answer_->found) return;
    travel(
        [this, asked = *answer_](const emu::Timeline::Progress& progress) -> Expected<std::string> {
            if (auto ok = timeline_->seek(asked.step, progress); !ok) return std::unexpected(ok.error());
            return find_author(asked.target, asked.write, progress);
        },
        "looking for who was there before");
}

// ---- verbs ------------------------------------------------------------------------------------------------

bool Engine::may_travel() {
    if (!timeline_) {
        say(options_.history == 0 ? "this run keeps no history: --history off" : "nothing has happened yet",
            true);
        return false;
    }
    return true;
}

void Engine::travel(Journey journey, std::string what) {
    if (!may_travel()) return;
    state_ = State::Paused;
    resting_ = idle_for_ever_ = false;
    forget_own(goal_), forget_own(temporary_), forget_own(any_phase_);
    if (recorder_) recorder_->keep_up(true); // the recording's end, should it end in the past
    journey_cancelled_ = travelling_now_;    // one that is under way ends first
    journey_ = std::move(journey);
    journey_share_ = 0;
    say(what);
}

void Engine::cancel_journey() {
    if (!travelling()) return;
    journey_ = {};
    journey_cancelled_ = true;
}

void Engine::seek(u64 step) {
    if (!may_travel()) return;
    step = std::clamp(step, first_step(), last_step());
    if (step == machine_->steps() && !travelling()) return;
    travel(
        [this, step](const emu::Timeline::Progress& progress) -> Expected<std::string> {
            if (auto ok = timeline_->seek(step, progress); !ok) return std::unexpected(ok.error());
            return fmt::format("step {}", grouped(step));
        },
        fmt::format("going to step {}", grouped(step)));
}

void Engine::step_back() {
    travel(
        [this](const emu::Timeline::Progress& progress) -> Expected<std::string> {
            if (auto ok = timeline_->back(1, progress); !ok) return std::unexpected(ok.error());
            return "one step back";
        },
        "one step back");
}

/// Back over a call: to the call instruction before `here`, in the same frame. `call` is that instruction, or
/// nothing when the one before `here` was no call.
void Engine::step_back_over(std::optional<u64> call) {
    if (!call) return step_back();
    travel(
        [this, call = *call](const emu::Timeline::Progress& progress) -> Expected<std::string> {
            const u64 start = machine_->steps(), stack = machine_->processor().registers().gpr[cpu::RSP];
            if (auto ok = timeline_->back(1, progress); !ok) return std::unexpected(ok.error());
            const auto at = [this] { return machine_->processor().registers(); };
            if (machine_->processor().rip() == call || at().gpr[cpu::RSP] > stack) return "one step back";
            emu::Debugger alone(*machine_);
            emu::BreakSpec there;
            there.address = call;
            if (auto id = alone.add(there); !id) return std::unexpected(id.error());
            emu::RunLimits limits;
            limits.debugger = &alone;
            for (unsigned tries = 0; tries < 64; ++tries) {
                auto found = timeline_->previous(limits, progress);
                if (!found) break;
                if (at().gpr[cpu::RSP] == stack) return "back over the call";
            }
            // The call lies before history: one step is what there is.
            if (auto ok = timeline_->seek(start - 1, progress); !ok) return std::unexpected(ok.error());
            return "one step back: the call that led here is not in history";
        },
        "going back over the call");
}

void Engine::run_back() {
    if (!may_travel()) return;
    if (std::ranges::none_of(breakpoints(), [](const auto& each) { return each.enabled; }))
        return say("there is no breakpoint to run back to: a click left of an instruction sets one", true);
    travel(
        [this](const emu::Timeline::Progress& progress) -> Expected<std::string> {
            emu::RunLimits limits;
            limits.debugger = debugger_.get();
            auto found = timeline_->previous(limits, progress);
            if (!found) return std::unexpected(found.error());
            return "back at " + breakpoint_text(*found);
        },
        "running back to the previous breakpoint");
}

void Engine::back_to_place(const emu::BreakSpec& place, const std::string& what) {
    travel(
        [this, place, what](const emu::Timeline::Progress& progress) -> Expected<std::string> {
            emu::Debugger alone(*machine_);
            auto id = alone.add(place);
            if (!id) return std::unexpected(id.error());
            emu::RunLimits limits;
            limits.debugger = &alone;
            auto found = timeline_->previous(limits, progress);
            if (!found) return std::unexpected(found.error());
            return fmt::format("back at {}", what);
        },
        fmt::format("going back to {}", what));
}

void Engine::previous_phase() {
    if (!may_travel()) return;
    const auto& phases = machine_->phases();
    std::size_t index = phases.size();
    while (index > 0 && machine_->steps() - std::min(machine_->steps(), phases[index - 1].step) <= StubSteps)
        --index;
    // The first phases are a few steps apart: the last of them that lies behind.
    if (index == 0)
        for (index = phases.size(); index > 0 && phases[index - 1].step + 1 >= machine_->steps();) --index;
    if (index == 0) return seek(first_step());
    const emu::Phase phase = phases[index - 1];
    travel(
        [this, phase](const emu::Timeline::Progress& progress) -> Expected<std::string> {
            const bool stub = phase.source == "kernel";
            if (auto ok =
                    timeline_->seek(std::max(phase.step + (stub ? 0 : 1), timeline_->first()), progress);
                !ok)
                return std::unexpected(ok.error());
            for (u64 i = 0; stub && i < StubSteps && machine_->processor().rip() != phase.rip; ++i)
                machine_->step();
            return fmt::format("phase {}", phase.name);
        },
        fmt::format("going back to phase {}", phase.name));
}

void Engine::return_to_branch(const std::string& name) {
    if (!may_travel()) return;
    if (recording())
        return say("a recording goes on at its end: end it before you take another branch", true);
    travel(
        [this, name](const emu::Timeline::Progress& progress) -> Expected<std::string> {
            const auto index = timeline_->find_branch(name);
            if (!index) return usage_error(fmt::format("there is no branch '{}'", name));
            if (auto ok = timeline_->return_to(*index, progress); !ok) return std::unexpected(ok.error());
            return fmt::format("on {} again, where it was left", name);
        },
        fmt::format("going back to {}", name));
}

void Engine::save_recording(const std::string& path) {
    if (replaying()) return say("this run is a recording already", true);
    if (auto ok = emu::cli::check_output(path, machine_->config()); !ok) return say(ok.error().message, true);
    if (!may_travel()) return;
    travel(
        [this, path](const emu::Timeline::Progress& progress) -> Expected<std::string> {
            const u64 here = machine_->steps();
            auto saved = emu::save_run(*machine_, *timeline_, path, {}, progress);
            if (machine_->steps() != here)
                if (auto ok = timeline_->seek(here); !ok) return std::unexpected(ok.error());
            if (!saved) return std::unexpected(saved.error());
            return fmt::format("saved {}: {}", path, emu::to_text(*saved));
        },
        fmt::format("saving the run to {}", path));
}

// ---- on the way -------------------------------------------------------------------------------------------

/// Performs the journey that was asked for; whoever asks for another one meanwhile ends it.
void Engine::go() {
    while (journey_) {
        Journey journey = std::exchange(journey_, {});
        journey_cancelled_ = false, travelling_now_ = true;
        auto arrived = journey([this](double share) {
            journey_share_ = share;
            if (pause_of_journey_) pause_of_journey_();
            return !journey_cancelled_;
        });
        travelling_now_ = false;
        ++stops_;
        anchored_ = false, wall_since_ = 0, console_searched_ = 0, panic_printed_ = false;
        look_for_panic();
        if (journey_) continue;
        if (journey_cancelled_)
            say(fmt::format("stopped on the way, at step {}", grouped(machine_->steps())));
        else if (!arrived)
            say(arrived.error().message, true);
        else
            say(in_the_past() ? fmt::format("{} — in the past: the run goes on to step {}", *arrived,
                                            grouped(last_step()))
                              : *arrived);
        journey_cancelled_ = false;
    }
}

/// Before an input: what it means in the past. False: it must not be given.
bool Engine::input_allowed_here() {
    if (!in_the_past()) return true;
    if (recording()) {
        say("a recording goes on at its end: go there, or end it, before you type", true);
        return false;
    }
    say(fmt::format(
        "a new branch from step {}: what was known to follow, up to step {}, is kept as branch {}",
        grouped(machine_->steps()), grouped(last_step()), timeline_->branches().size() + 1));
    return true;
}

} // namespace vitrine::ui
