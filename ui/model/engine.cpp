// The verbs: see engine.h. The run itself is in engine_run.cpp.
#include "ui/model/engine.h"
#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>
#include <fcntl.h>
#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <unistd.h>
#include "emu/cli/same_files.h"
#include "emu/board/board.h"
#include "emu/cli/outputs.h"
#include "emu/events/explain.h"
#include "emu/inspect/interrupts.h"
#include "emu/inspect/inspect.h"
#include "emu/recorder/saved_run.h"
#include "emu/symbols/guest_symbols.h"

namespace vitrine::ui {

namespace {
constexpr u64 EventBudget = 256 << 20; ///< bytes: some 10 million events
}

Expected<std::unique_ptr<Engine>> Engine::create(const AppOptions& options) {
    std::unique_ptr<Engine> engine(new Engine(options));
    if (options.serial == emu::cli::SerialTarget::Pty || options.serial == emu::cli::SerialTarget::Socket)
        return usage_error("--serial pty and unix:PATH need --headless: in the app, COM1 is its terminal");
    if (options.serial == emu::cli::SerialTarget::File) {
        engine->serial_file_ =
            ::open(options.serial_file.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
        if (engine->serial_file_ < 0)
            return bad_input(fmt::format("--serial file:{}: {}", options.serial_file, std::strerror(errno)));
    }
    for (const std::string& view : options.inspect)
        if (auto ok = emu::inspect::check_view(view, options.replay.empty() ? options.machine.processors : 8);
            !ok)
            return std::unexpected(ok.error());
    if (!options.replay.empty()) {
        if (auto ok = engine->replay(options.replay); !ok) return std::unexpected(ok.error());
    } else {
        if (auto ok = engine->make_machine(); !ok) return std::unexpected(ok.error());
        if (!options.load_state.empty())
            if (auto ok = emu::cli::read_state(*engine->machine_, options.load_state); !ok)
                return std::unexpected(ok.error());
        if (!options.record.empty())
            if (auto ok = engine->record(options.record); !ok) return std::unexpected(ok.error());
    }
    for (const std::string& text : options.breaks)
        if (auto id = engine->debugger_->add(text); !id)
            return usage_error(fmt::format("--break {}: {}", text, id.error().message));
    if (options.until_break) {
        emu::BreakSpec until = *options.until_break;
        until.own = true;
        if (auto id = engine->debugger_->add(until); !id)
            return bad_input(fmt::format("--until {}: {}", options.until_text, id.error().message));
        else
            engine->debugger_->remove(*id);
        engine->run_to(until, options.until_text);
    }
    return engine;
}

Engine::~Engine() {
    network_.reset(), recorder_.reset(), timeline_.reset(), debugger_.reset(),
        events_.reset(); // they refer to the machine
    if (serial_file_ >= 0) ::close(serial_file_);
}

Expected<void> Engine::make_machine() {
    auto machine = emu::Machine::create(options_.machine);
    if (!machine) return std::unexpected(machine.error());
    auto ended = drop_machine(); // what went wrong with a recording is said; the new machine is there
    machine_ = std::move(*machine);
    adopt();
    if (options_.network.wanted()) {
        auto network = emu::net::Network::open(options_.network);
        if (!network) return std::unexpected(network.error());
        network_ = std::move(*network);
        network_->attach(*machine_);
    }
    return ended;
}

/// REQUIRES: another machine is ready and taken, whatever this returns: the error of the recording's end.
Expected<void> Engine::drop_machine() {
    auto ended = stop_recording();
    timeline_.reset();
    replayer_.reset();
    keep_breakpoints();
    events_.reset();
    network_.reset(); // its ports are free for the next machine
    machine_.reset();
    return ended;
}

void Engine::adopt() {
    state_ = State::Paused;
    goal_ = temporary_ = any_phase_ = pacing_ = typing_ = 0; // with the debugger of before
    last_report_.reset();
    resting_ = anchored_ = idle_for_ever_ = panic_printed_ = false;
    console_searched_ = 0, phase_text_.clear();
    steps_per_second_ = times_real_ = wall_since_ = 0; // another machine, another speed
    typed_ = 0;
    ++generation_, ++stops_;
    marks_.clear(), answer_.reset();
    events_ = std::make_unique<emu::EventStore>(*machine_, emu::EventStore::AllKinds, EventBudget);
    adopt_breakpoints();
    await_typing();
    if (serial_file_ >= 0)
        machine_->on_serial([this](std::string_view bytes) {
            if (::write(serial_file_, bytes.data(), bytes.size()) != static_cast<ssize_t>(bytes.size()))
                spdlog::error("--serial file: the output could not be written");
        });
}

bool Engine::booted() const {
    const auto& phases = machine_->phases();
    for (auto phase = phases.rbegin(); phase != phases.rend(); ++phase) {
        if (phase->name == "init") return true;
        if (phase->source == "firmware") return false; // a guest that reboots boots again
    }
    return false;
}

// ---- verbs ------------------------------------------------------------------------------------------------

void Engine::start(std::string what) {
    if (state_ == State::Ended) return say("the machine has ended: Restart begins again", true);
    if (travelling()) return say("on the way through history: Escape stops the journey", true);
    keep_history();
    forget_own(goal_), forget_own(temporary_), forget_own(any_phase_);
    resting_ = false, anchored_ = false;
    phase_text_.clear(), wall_since_ = 0, goes_on_ = false;
    goal_text_ = std::move(what);
    state_ = State::Running;
    say(goal_text_);
}

void Engine::run() { start("running"); }

void Engine::pause() {
    if (state_ != State::Running) return;
    state_ = State::Paused;
    resting_ = false;
    ++stops_;
    say("paused");
}

void Engine::step() {
    if (state_ == State::Running) return pause();
    if (travelling()) return say("on the way through history: Escape stops the journey", true);
    keep_history();
    if (state_ == State::Ended) return say("the machine has ended: Restart begins again", true);
    if (replayer_ && machine_->steps() >= replayer_->end_step()) return say("the recording ends here", true);
    const u64 deliveries = machine_->processor().counters().deliveries, first_step = machine_->steps();
    const emu::RunReport report = machine_->step();
    ++stops_;
    look_for_panic();
    if (machine_->ended()) return stopped(report);
    idle_for_ever_ = report.reason == emu::StopReason::IdleForever;
    if (idle_for_ever_) return say(report.detail, true);
    say(step_text(first_step, deliveries));
}

/// What the step brought: an interrupt, a fault, a system call, a switch; "one step" when nothing but the
/// instruction.
std::string Engine::step_text(u64 first_step, u64 deliveries_before) const {
    const auto& cpu = machine_->processor();
    const std::string event =
        emu::what_happened(*events_, first_step, machine_->steps(), machine_->symbols());
    if (!event.empty()) return event;
    if (cpu.counters().deliveries == deliveries_before) return "one step";
    const emu::inspect::MachineReader reader(*machine_);
    const auto idt = emu::inspect::idt_view(cpu.registers(), reader, machine_->symbols());
    const u64 rip = cpu.rip(), selector = cpu.registers().seg[static_cast<unsigned>(cpu::Seg::CS)].selector;
    for (const auto& gate : idt.gates)
        if (gate.present && gate.offset == rip && gate.selector == selector)
            return fmt::format("delivered: vector {:02x}h{}{}", gate.vector, gate.name.empty() ? "" : ", ",
                               gate.name);
    return "one step: an interrupt or exception was delivered";
}

u64 Engine::last_time() const { return std::max(machine_->time(), machine_->furthest().second); }

void Engine::mark(std::string text) {
    const u64 step = machine_->steps();
    auto place = std::ranges::lower_bound(marks_, step, {}, &Mark::step);
    if (place != marks_.end() && place->step == step) {
        place->text = std::move(text);
        return;
    }
    marks_.insert(place, {step, machine_->time(), std::move(text)});
    if (timeline_) timeline_->pin(step); // the way there stays short when history thins
}

void Engine::remove_mark(u64 step) {
    if (std::erase_if(marks_, [&](const Mark& each) { return each.step == step; }) && timeline_)
        timeline_->unpin(step);
}

void Engine::look_for_panic() {
    constexpr std::string_view Words = "Kernel panic - not syncing";
    const u64 total = machine_->serial_total();
    if (total == console_searched_) return;
    const std::string& kept = machine_->serial_output();
    const u64 fresh = std::min<u64>(total - std::min(total, console_searched_) + Words.size(), kept.size());
    panic_printed_ |= kept.find(Words, kept.size() - fresh) != std::string::npos;
    console_searched_ = total;
}

Engine::Light Engine::light() const {
    if (const auto& ended = machine_->ended()) {
        if (ended->reason == emu::StopReason::TripleFault) return Light::Fault;
        if (panic_printed_ && ended->reason != emu::StopReason::PoweredOff) return Light::Panicked;
        return ended->reason == emu::StopReason::PoweredOff ? Light::PoweredOff : Light::Ended;
    }
    // Nothing but a reset wakes a processor that halts with interrupts disabled.
    for (unsigned i = 0; panic_printed_ && i < machine_->processor_count(); ++i) {
        const auto& each = std::as_const(*machine_).processor(i);
        if (each.halted() && !(each.rflags() & cpu::IF)) return Light::Panicked;
    }
    const auto& cpu = machine_->processor();
    const bool dead = idle_for_ever_ && cpu.halted() && !(cpu.rflags() & cpu::IF);
    if (dead) return panic_printed_ ? Light::Panicked : Light::Halted;
    if (state_ != State::Running) return Light::Paused;
    return resting_ ? Light::Idle : Light::Running;
}

void Engine::step_over(u64 next_instruction, bool is_call) {
    if (!is_call || state_ == State::Running) return step();
    start("stepping over");
    emu::BreakSpec next;
    next.address = next_instruction;
    if (state_ == State::Running) place_own(temporary_, std::move(next));
}

void Engine::next_phase() {
    if (state_ != State::Ended && booted())
        return say("there is no next phase: the boot is over, PID 1 runs. F5 runs on");
    start("running to the next boot phase");
    emu::BreakSpec any;
    any.kind = emu::BreakKind::Phase, any.text = "*";
    if (state_ == State::Running) place_own(any_phase_, std::move(any));
}

void Engine::run_to(emu::BreakSpec place, const std::string& what) {
    if (place.kind == emu::BreakKind::Step && place.address <= machine_->steps() && state_ != State::Running)
        return seek(place.address);
    start(fmt::format("running to {}", what));
    if (state_ != State::Running) return;
    place.from = machine_->serial_total();
    place_own(goal_, std::move(place));
    if (goal_) return;
    const std::string why = message_;
    pause();
    say(why, true);
}

/// A breakpoint of the app's own in the place of what `own` held; what is wrong with it is said.
void Engine::place_own(u32& own, emu::BreakSpec spec) {
    forget_own(own);
    spec.own = true, spec.once = false;
    if (auto id = debugger_->add(std::move(spec)))
        own = *id;
    else
        say(id.error().message, true);
}

void Engine::forget_own(u32& own) {
    if (own) debugger_->remove(std::exchange(own, 0));
}

/// The next of the scripted texts waits for its moment.
void Engine::await_typing() {
    forget_own(typing_);
    if (typed_ >= options_.typing.size() || replaying()) return;
    emu::BreakSpec when = options_.typing[typed_].when;
    when.from = machine_->serial_total();
    if (when.kind == emu::BreakKind::Step) when.address = std::max(when.address, machine_->steps() + 1);
    place_own(typing_, std::move(when));
}

Expected<u32> Engine::run_to_place(emu::BreakSpec place, const std::string& what) {
    if (state_ == State::Ended) return usage_error("the machine has ended: Restart begins again");
    place.once = true;
    auto id = debugger_->add(std::move(place));
    if (!id) return id;
    start(fmt::format("running to {}", what));
    return id;
}

Expected<void> Engine::new_machine(const std::vector<std::string>& options) {
    if (travelling()) return usage_error("on the way through history: Escape stops the journey");
    std::vector<const char*> words{"vitrine"};
    for (const std::string& word : options) words.push_back(word.c_str());
    auto parsed = emu::cli::parse(static_cast<int>(words.size()), words.data());
    if (!parsed) return std::unexpected(parsed.error());
    const auto config_before = std::exchange(options_.machine, parsed->options.machine);
    const u64 generation_before = generation_;
    auto typing_before = std::exchange(options_.typing, {});
    auto ok = make_machine();
    if (generation_ == generation_before)
        options_.machine = config_before,
        options_.typing =
            std::move(typing_before); // there is no such machine: Restart is of the one that stays
    else
        debugger_->clear(); // breakpoints of another run would stop this one
    return ok;
}

Expected<void> Engine::restart() {
    if (travelling()) return usage_error("on the way through history: Escape stops the journey");
    const bool again = replaying();
    const std::string path = recording_path_;
    auto ok = again ? replay(path) : make_machine();
    if (ok) say(again ? "the replay is back at power-on" : "power-on: the reset vector");
    return ok;
}

Expected<void> Engine::record(const std::string& path) {
    if (travelling()) return usage_error("on the way through history: Escape stops the journey");
    if (machine_)
        if (auto ok = emu::cli::check_output(path, machine_->config()); !ok) return ok;
    if (!machine_ || machine_->steps() != 0 || replaying())
        if (auto ok = make_machine(); !ok) return ok;
    if (auto ok = stop_recording(); !ok) return ok;
    auto recorder = emu::Recorder::start(*machine_, path);
    if (!recorder) return std::unexpected(recorder.error());
    recorder_ = std::move(*recorder);
    recording_path_ = path;
    say(fmt::format("recording to {}", path));
    return {};
}

Expected<void> Engine::stop_recording() {
    if (!recorder_) return {};
    const auto recorder = std::move(recorder_); // it ends here, whatever fails: its machine may go next
    // In the past, the file ends as it is, where the run has been: a way back to the end may take minutes.
    emu::RunReport report;
    report.reason = emu::StopReason::HostRequest;
    report.steps = machine_->steps(), report.time = machine_->time();
    if (machine_->ended()) report = *machine_->ended();
    auto done = recorder->finish(report);
    if (done)
        say(fmt::format("recorded {} steps to {}", timeline_ ? timeline_->last() : machine_->steps(),
                        recording_path_));
    return done;
}

Expected<void> Engine::replay(const std::string& path) {
    if (travelling()) return usage_error("on the way through history: Escape stops the journey");
    auto replayer = emu::Replayer::open(path);
    if (!replayer) return std::unexpected(replayer.error());
    auto machine = (*replayer)->make_machine();
    if (!machine) return std::unexpected(machine.error());
    if (auto ok = (*replayer)->prepare(**machine); !ok) return ok;
    Expected<void> ended;
    if (machine_) ended = drop_machine();
    machine_ = std::move(*machine);
    replayer_ = std::move(*replayer);
    recording_path_ = path;
    adopt();
    keep_history(); // the recording knows all of the run from its start
    const std::string note = replayer_->note();
    say(fmt::format("replay of {}, {} steps{}{}", path, replayer_->end_step(), note.empty() ? "" : ": ",
                    note));
    return ended;
}

void Engine::input(const emu::InputEvent& event) {
    if (replaying()) return say("a replay takes its input from the recording", true);
    if (state_ == State::Ended) return say("the machine has ended: Restart begins again", true);
    if (travelling() || !input_allowed_here()) return;
    keep_history();
    machine_->input(event);
    resting_ = false;
}

bool Engine::has_cd_drive() const {
    return std::ranges::any_of(machine_->config().disks, &emu::DiskConfig::optical);
}

Expected<void> Engine::change_medium(const std::string& path) {
    if (replaying()) return usage_error("a replay takes its input from the recording");
    if (state_ == State::Ended) return usage_error("the machine has ended: Restart begins again");
    emu::MediumInput medium{.path = path};
    if (auto known = machine_->know_medium(medium); !known) return known;
    const std::size_t before = machine_->input_log().size();
    input(medium);
    if (machine_->input_log().size() == before) return {}; // refused, and said why
    say(path.empty() ? "the CD drive is asked to give its disc back"
                     : path.substr(path.rfind('/') + 1) + " is put into the CD drive");
    return {};
}

Expected<void> Engine::finish(const emu::cli::MoreStats& more) {
    if (auto ok = stop_recording(); !ok) return ok;
    if (!replaying() && machine_->has_overlays()) {
        // The disk as the run left it, not as it was where the window has travelled to.
        const u64 here = machine_->steps();
        const bool away = timeline_ && timeline_->in_the_past();
        if (away)
            if (auto ok = timeline_->seek(timeline_->last()); !ok) return ok;
        if (auto ok = machine_->save_overlays(); !ok) return ok;
        if (away)
            if (auto ok = timeline_->seek(here); !ok) return ok;
    }
    if (!options_.save_recording.empty() && !replaying()) {
        keep_history();
        const u64 here = machine_->steps();
        auto saved =
            emu::save_run(*machine_, *timeline_, options_.save_recording, options_.checkpoint_spacing());
        if (!saved) return std::unexpected(saved.error());
        if (machine_->steps() != here)
            if (auto ok = timeline_->seek(here); !ok) return ok;
    }
    if (!options_.save_state.empty())
        if (auto ok = emu::cli::write_state(*machine_, options_.save_state); !ok) return ok;
    if (!options_.screenshot.empty())
        if (auto ok = emu::cli::write_screenshot(*machine_, options_.screenshot); !ok) return ok;
    for (const std::string& view : options_.inspect) {
        auto text = emu::inspect::inspect(*machine_, view, options_.json);
        if (!text) return std::unexpected(text.error());
        std::fwrite(text->data(), 1, text->size(), stdout);
    }
    if (options_.state_hash)
        std::printf("state-hash %016llx at step %llu, time %llu ns\n",
                    static_cast<unsigned long long>(machine_->state_hash()),
                    static_cast<unsigned long long>(machine_->steps()),
                    static_cast<unsigned long long>(machine_->time()));
    if (!options_.stats.empty()) {
        emu::RunReport report = last_report_.value_or(emu::RunReport{});
        if (!last_report_) report.reason = emu::StopReason::HostRequest;
        if (auto ok = emu::cli::write_stats(*machine_, report, options_.stats, more); !ok) return ok;
    }
    return {};
}

} // namespace vitrine::ui
