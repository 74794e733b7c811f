// The headless run. The machine runs in slices; between them the host's keys are applied as inputs, scripted
// typing is sent when its condition is met, and an idle guest on a live terminal is slowed to real time by
// waiting for keys.
//
// Nothing here can change what the guest computes except through Machine::input().
#include "emu/cli/headless.h"
#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <fcntl.h>
#include <fmt/format.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
#include <unistd.h>
#include "emu/cli/debug_run.h"
#include "emu/cli/outputs.h"
#include "emu/cli/same_files.h"
#include "emu/cli/serial_port.h"
#include "emu/cli/terminal.h"
#include "emu/gdb/server.h"
#include "emu/inspect/inspect.h"
#include "emu/net/network.h"
#include "emu/recorder/recorder.h"
#include "emu/recorder/replayer.h"
#include "emu/recorder/saved_run.h"
#include "emu/symbols/guest_symbols.h"

namespace vitrine::emu::cli {

namespace {

using Clock = std::chrono::steady_clock;
constexpr u64 SliceInteractive = 10'000'000; ///< virtual nanoseconds between looks at the keyboard
constexpr u64 SliceNetwork = 1'000'000;      ///< the least time of an answer from the network
constexpr u64 SliceBatch = 1'000'000'000;

Machine* interrupted_machine = nullptr;
volatile sig_atomic_t interrupts = 0;
void on_interrupt(int) {
    interrupts = 1;
    if (interrupted_machine) interrupted_machine->request_stop();
}

class Session {
public:
    explicit Session(const Options& options)
        : options_(options), terminal_(options.serial == SerialTarget::Stdio && options.replay.empty()),
          debug_(options) {}
    ~Session() { interrupted_machine = nullptr; }
    int run();

private:
    Expected<void> set_up();
    Expected<void> connect_serial();
    void connect_sink();
    Expected<void> skip_ahead();
    Expected<RunReport> run_machine();
    Expected<std::optional<RunReport>> serve_gdb();
    std::optional<RunReport> one_slice();
    void await_medium() {
        debug_.wait_to_change_medium(
            changed_ < options_.media.size() ? std::optional(options_.media[changed_].when) : std::nullopt,
            machine_->serial_total(), machine_->steps());
    }
    void await_typing() {
        debug_.wait_to_type(typed_ < options_.typing.size() ? std::optional(options_.typing[typed_].when)
                                                            : std::nullopt,
                            machine_->serial_total(), machine_->steps());
    }
    std::unique_ptr<gdb::Server> gdb_;
    /// Somebody may type.
    bool live() const { return serial_.line() || second_serial_.line() || terminal_.open(); }
    int descriptor() const {
        return serial_.line() ? serial_.line()->descriptor() : terminal_.open() ? STDIN_FILENO : -1;
    }
    void pump_keys();
    Expected<void> finish(const RunReport& report);
    int status(const RunReport& report);
    void explain(const std::string& line) { std::fprintf(stderr, "vitrine: %s\n", line.c_str()); }

    const Options& options_;
    Terminal terminal_;
    std::unique_ptr<Replayer> replayer_;
    std::unique_ptr<Machine> machine_;
    DebugRun debug_; ///< goes before the machine
    std::unique_ptr<Recorder> recorder_;
    std::unique_ptr<net::Network> network_; ///< goes before the machine
    SerialPort serial_{"--serial"}, second_serial_{"--serial2"};
    std::optional<Error> view_error_; ///< of a view that could not be shown
    std::size_t typed_ = 0;           ///< scripted texts sent so far
    u64 run_before_ = 0;              ///< up to here the run was run before gdb went back and left
    std::vector<MediumInput> media_;  ///< the discs of --change-cdrom, known to the machine
    std::size_t changed_ = 0;         ///< of them put in so far
    bool break_met_ = false, search_failed_ = false, gdb_limit_ = false;
    Clock::time_point started_ = Clock::now();
};

Expected<void> Session::set_up() {
    if (!options_.replay.empty()) {
        auto replayer = Replayer::open(options_.replay);
        if (!replayer) return std::unexpected(replayer.error());
        replayer_ = std::move(*replayer);
        if (const std::string note = replayer_->note(); !note.empty()) explain(note);
        auto machine = replayer_->make_machine();
        if (!machine) return std::unexpected(machine.error());
        machine_ = std::move(*machine);
        if (auto ok = replayer_->prepare(*machine_); !ok) return ok;
        if (const std::string other = replayer_->image_difference(); !other.empty())
            explain(fmt::format("recording {}: {}; it is replayed as far as that makes no difference",
                                options_.replay, other));
    } else {
        auto machine = Machine::create(options_.machine);
        if (!machine) return std::unexpected(machine.error());
        machine_ = std::move(*machine);
    }
    if (auto ok = check_outputs(options_, machine_->config()); !ok) return ok;
    if (!options_.load_state.empty())
        if (auto ok = read_state(*machine_, options_.load_state); !ok) return ok;
    if (auto ok = debug_.set_up(*machine_); !ok) return ok;
    if (!options_.record.empty()) {
        auto recorder = Recorder::start(*machine_, options_.record, options_.checkpoint_spacing());
        if (!recorder) return std::unexpected(recorder.error());
        recorder_ = std::move(*recorder);
    }
    debug_.keep_history(*machine_);
    if (options_.network.wanted()) {
        auto network = net::Network::open(options_.network);
        if (!network) return std::unexpected(network.error());
        network_ = std::move(*network);
        network_->attach(*machine_);
    }
    for (const std::string& view : options_.inspect)
        if (auto ok = inspect::check_view(view, machine_->board().processor_count()); !ok) return ok;
    for (const MediumChange& change : options_.media) {
        MediumInput medium{.path = change.path};
        if (auto known = machine_->know_medium(medium); !known) return known;
        media_.push_back(std::move(medium));
    }
    await_medium();
    await_typing();
    if (!options_.gdb.empty()) {
        auto server = gdb::Server::listen(options_.gdb);
        if (!server) return std::unexpected(server.error());
        gdb_ = std::move(*server);
    }
    return connect_serial();
}

void Session::connect_sink() {
    if (options_.serial == SerialTarget::Stdio)
        machine_->on_serial([this](std::string_view bytes) { terminal_.write(bytes); });
    if (serial_.goes_somewhere())
        machine_->on_serial([this](std::string_view bytes) { serial_.write(bytes, machine_->steps()); });
    if (second_serial_.goes_somewhere())
        machine_->on_second_serial(
            [this](std::string_view bytes) { second_serial_.write(bytes, machine_->steps()); });
}

Expected<void> Session::connect_serial() {
    if (auto ok = serial_.open(options_.serial, options_.serial_file); !ok) return ok;
    if (auto ok = second_serial_.open(options_.serial2, options_.serial2_file); !ok) return ok;
    connect_sink();
    return {};
}

void Session::pump_keys() {
    // An idle guest that is ahead of real time waits for keys instead of racing through its idle ticks.
    int wait = 0;
    if (!network_ && (terminal_.is_terminal() || serial_.line() || second_serial_.line()) &&
        machine_->processor().halted()) {
        const auto real =
            std::chrono::duration_cast<std::chrono::nanoseconds>(Clock::now() - started_).count();
        const i64 ahead = static_cast<i64>(machine_->time()) - real;
        if (ahead > 2'000'000) wait = static_cast<int>(std::min<i64>(ahead / 1'000'000, 50));
    }
    const std::string keys = serial_.line() ? serial_.line()->read(wait) : terminal_.read(wait);
    const std::string more = second_serial_.line() ? second_serial_.line()->read(0) : std::string();
    if (replayer_) return; // its input is in the recording
    if (!keys.empty()) machine_->input(SerialInput{keys});
    if (!more.empty()) machine_->input(SerialInput{more, 1});
}

/// Runs to the next look at the host; a report when the run is over.
std::optional<RunReport> Session::one_slice() {
    RunLimits limits;
    limits.step_limit = options_.limit_steps;
    if (replayer_) limits.step_limit = std::min(limits.step_limit, replayer_->end_step());
    const u64 slice = network_ ? SliceNetwork : live() ? SliceInteractive : SliceBatch;
    limits.time_limit = machine_->time() + slice;
    const std::chrono::duration<double> spent = Clock::now() - started_;
    limits.host_seconds =
        options_.limit_seconds < 1e17 ? std::max(0.0, options_.limit_seconds - spent.count()) : 1e18;
    debug_.slice(limits);
    const bool again = machine_->steps() < run_before_;
    if (again) limits.debugger = nullptr, limits.step_limit = std::min(limits.step_limit, run_before_);
    RunReport report = machine_->run(limits);
    // One text may be what both have waited for.
    if (recorder_) recorder_->keep_up();
    const bool change = debug_.time_to_change_medium(report), type = debug_.time_to_type(report);
    if (change) {
        const MediumInput medium = media_[changed_++];
        await_medium();
        machine_->input(medium);
    }
    if (type) {
        const std::string& text = options_.typing[typed_++].text;
        await_typing();
        machine_->input(SerialInput{text});
    }
    if (debug_.stopped_by_breakpoint(report)) { // a person's, which may wait for the same text
        break_met_ = true;
        return report;
    }
    if (change || type) return std::nullopt;
    if (report.reason == StopReason::TimeLimit) return std::nullopt;
    if (again && report.reason == StopReason::StepLimit && report.steps < options_.limit_steps)
        return std::nullopt;
    return report;
}

/// A replay that only waits for a place which the recording's checkpoints know to lie behind them leaps
/// there: nothing on the way is asked for.
Expected<void> Session::skip_ahead() {
    if (!replayer_ || !replayer_->run() || !options_.until_break || !options_.breaks.empty() ||
        options_.events || options_.limit_steps != ~u64{0})
        return {};
    const BreakSpec& until = *options_.until_break;
    if (until.processor >= 0 || until.address_space || until.skip || !until.condition.empty() ||
        until.action != BreakAction::Stop)
        return {};
    std::optional<u64> target;
    if (until.kind == BreakKind::Step && until.address > 0)
        target = replayer_->run()->before(std::min(until.address - 1, replayer_->end_step()));
    else if (until.kind == BreakKind::Phase)
        target = replayer_->run()->before_phase(until.text);
    else if (until.kind == BreakKind::Console)
        target = replayer_->run()->before_text(until.text);
    if (!target) return {};
    std::optional<Timeline> own;
    Timeline* timeline = debug_.timeline();
    if (!timeline) timeline = &own.emplace(*machine_, History::SmallestBudget);
    machine_->on_serial({}); // the text of the way is written at once
    timeline->worth_a_leap(recording::HashInterval);
    if (auto ok = timeline->seek(*target); !ok) return ok;
    timeline->worth_a_leap(Timeline::DefaultLeap);
    connect_sink();
    if (options_.serial == SerialTarget::Stdio) terminal_.write(machine_->serial_output());
    if (serial_.goes_somewhere()) serial_.write(machine_->serial_output(), machine_->steps());
    return {};
}

Expected<RunReport> Session::run_machine() {
    interrupted_machine = machine_.get();
    struct sigaction action{};
    action.sa_handler = on_interrupt;
    sigaction(SIGINT, &action, nullptr);
    if (auto ok = skip_ahead(); !ok) return std::unexpected(ok.error());
    if (gdb_ && !options_.until_break) {
        auto report = serve_gdb();
        if (!report) return std::unexpected(report.error());
        if (*report) return **report;
    }
    for (;;) {
        if (auto report = one_slice()) {
            if (!gdb_ || !break_met_) return *report;
            auto after = serve_gdb();
            if (!after) return std::unexpected(after.error());
            if (*after) return **after;
            continue;
        }
        if (replayer_ && replayer_->divergence()) return std::unexpected(*replayer_->divergence());
        if (network_) network_->pump(std::chrono::milliseconds(50), descriptor());
        if (live()) pump_keys();
        if (terminal_.quit_requested()) {
            RunReport report;
            report.reason = StopReason::HostRequest;
            report.steps = machine_->steps(), report.time = machine_->time();
            return report;
        }
    }
}

/// Serves gdb until it goes. A report: the run is over with it.
Expected<std::optional<RunReport>> Session::serve_gdb() {
    explain(fmt::format("waiting for gdb: target remote {}",
                        gdb_->address().starts_with("unix:") ? gdb_->address().substr(5) : gdb_->address()));
    gdb::Stub stub(*machine_, *debug_.timeline());
    if (replayer_) stub.replays(replayer_->end_step());
    if (recorder_) stub.records();
    stub.limit_steps(options_.limit_steps);
    const auto time_is_over = [this] {
        const std::chrono::duration<double> spent = Clock::now() - started_;
        return spent.count() >= options_.limit_seconds;
    };
    const gdb::Stub::State state = gdb_->serve(
        stub, [&] { return interrupts != 0 || time_is_over(); },
        [&] {
            explain(fmt::format("gdb has gone without detaching; the machine stands at step {} and waits for "
                                "another one",
                                machine_->steps()));
        });
    gdb_.reset();
    if (replayer_ && replayer_->divergence()) return std::unexpected(*replayer_->divergence());
    if (state == gdb::Stub::State::Detached || state == gdb::Stub::State::Ended) {
        debug_.goes_on();
        break_met_ = false;
        // From a place in the past the run goes the known way first, where nothing stops it again.
        run_before_ = debug_.timeline()->history().tip();
        return std::optional<RunReport>();
    }
    RunReport report;
    report.reason = state == gdb::Stub::State::LimitReached ? StopReason::StepLimit
                    : time_is_over() && !interrupts         ? StopReason::HostTimeLimit
                                                            : StopReason::HostRequest;
    if (report.reason != StopReason::HostRequest) break_met_ = false, gdb_limit_ = true;
    report.steps = machine_->steps(), report.time = machine_->time();
    return std::optional(report);
}

Expected<void> Session::finish(const RunReport& report) {
    if (replayer_ && (replayer_->divergence() || (!break_met_ && report.reason != StopReason::HostRequest &&
                                                  report.reason != StopReason::HostTimeLimit &&
                                                  machine_->steps() < options_.limit_steps)))
        if (auto ok = replayer_->finish(*machine_); !ok) return ok;
    // What is kept is the run, not the place in its past where gdb has left it.
    Timeline* const timeline = debug_.timeline();
    const bool keeps =
        recorder_ || !options_.save_recording.empty() || (!replayer_ && machine_->has_overlays());
    if (keeps && timeline && timeline->in_the_past())
        if (auto ok = timeline->seek(timeline->last()); !ok) return ok;
    if (recorder_)
        if (auto ok = recorder_->finish(report); !ok) return ok;
    if (!replayer_) // a replay's disks are the recording's: nothing of this machine's is written
        if (auto ok = machine_->save_overlays(); !ok) return ok;
    if (!options_.save_recording.empty()) {
        auto saved = save_run(*machine_, *timeline, options_.save_recording, options_.checkpoint_spacing());
        if (!saved)
            return std::unexpected(Error{saved.error().status, "--save-recording: " + saved.error().message});
    }
    // From here on the machine may stand in the past: what follows shows that place.
    auto found = debug_.finish(*machine_);
    if (!found) return std::unexpected(found.error());
    search_failed_ = !*found;
    if (!options_.save_state.empty())
        if (auto ok = write_state(*machine_, options_.save_state); !ok) return ok;
    if (!options_.screenshot.empty())
        if (auto ok = write_screenshot(*machine_, options_.screenshot); !ok) return ok;
    for (const std::string& view : options_.inspect) {
        auto text = inspect::inspect(*machine_, view, options_.json);
        if (!text) { // the others are shown all the same
            std::fflush(stdout);
            report_error(text.error());
            if (!view_error_) view_error_ = text.error();
            continue;
        }
        std::fwrite(text->data(), 1, text->size(), stdout);
    }
    if (options_.state_hash)
        std::printf("state-hash %016llx at step %llu, time %llu ns\n",
                    static_cast<unsigned long long>(machine_->state_hash()),
                    static_cast<unsigned long long>(machine_->steps()),
                    static_cast<unsigned long long>(machine_->time()));
    std::fflush(stdout);
    if (!options_.stats.empty())
        if (auto ok = write_stats(*machine_, report, options_.stats); !ok) return ok;
    return {};
}

int Session::status(const RunReport& report) {
    const bool until_waits = options_.until_break && !debug_.until_done();
    const auto unmet = [&](std::string_view why) {
        explain(fmt::format("{} at step {}{}", why, report.steps,
                            until_waits ? fmt::format(", before --until {} was reached", options_.until_text)
                                        : std::string()));
        return static_cast<int>(Exit::LimitReached);
    };
    if (search_failed_) return static_cast<int>(Exit::LimitReached);
    if (break_met_) return 0;
    // A recording's last step is reached, and there the run is over before a breakpoint could be looked at.
    if (const auto& until = options_.until_break; until && until->kind == BreakKind::Step &&
                                                  until->condition.empty() &&
                                                  machine_->steps() == until->address)
        return 0;
    const bool cut_short =
        report.reason == StopReason::HostTimeLimit ||
        (report.reason == StopReason::StepLimit && replayer_ && machine_->steps() < replayer_->end_step());
    if (replayer_ && !gdb_limit_ && !cut_short)
        return until_waits && machine_->steps() >= replayer_->end_step() ? unmet("the recording ends") : 0;
    switch (report.reason) {
    case StopReason::PoweredOff: return until_waits ? unmet("the guest powered off") : 0;
    case StopReason::DebugExit: return (report.debug_exit_value << 1) | 1;
    case StopReason::ResetRequested: return until_waits ? unmet("the guest reset the machine") : 0;
    case StopReason::HostRequest: return 0;
    case StopReason::TripleFault:
        explain(fmt::format("triple fault at step {}\n{}", report.steps, report.detail));
        return static_cast<int>(Exit::TripleFault);
    case StopReason::IdleForever:
        return unmet(fmt::format("the processor is idle for ever ({})", report.detail));
    case StopReason::HostTimeLimit:
        return unmet(fmt::format("--limit-seconds {} is over", options_.limit_seconds));
    case StopReason::StepLimit:
        return unmet(fmt::format("--limit-steps {} is reached", options_.limit_steps));
    default: return unmet(stop_reason_name(report.reason));
    }
}

int Session::run() {
    if (auto ok = set_up(); !ok) {
        report_error(ok.error());
        return static_cast<int>(ok.error().status);
    }
    auto report = run_machine();
    if (!report) {
        report_error(report.error());
        return static_cast<int>(report.error().status);
    }
    if (options_.serial == SerialTarget::Stdio && !machine_->serial_output().empty() &&
        !machine_->serial_output().ends_with('\n'))
        terminal_.write("\r\n");
    if (auto ok = finish(*report); !ok) {
        report_error(ok.error());
        return static_cast<int>(ok.error().status);
    }
    const int ended = status(*report);
    if (ended == 0 && view_error_) return static_cast<int>(view_error_->status);
    return ended == 0 && (serial_.failed() || second_serial_.failed()) ? static_cast<int>(Exit::BadInput)
                                                                       : ended;
}

} // namespace

void report_error(const Error& error) {
    // One line, whatever a file or an option has brought into it.
    std::string line;
    for (const char c : error.message)
        line += static_cast<u8>(c) < 0x20 || c == 0x7F ? fmt::format("\\x{:02x}", static_cast<u8>(c))
                                                       : std::string(1, c);
    std::fprintf(stderr, "vitrine: %s\n", line.c_str());
}

int run_headless(const Options& options) {
    Session session(options);
    return session.run();
}

} // namespace vitrine::emu::cli
