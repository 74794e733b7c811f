// Commands over recordings: see recording_command.h.
#include "emu/cli/recording_command.h"
#include <chrono>
#include <cstdio>
#include <unistd.h>
#include <unordered_set>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>
#include "emu/cli/headless.h"
#include "emu/cli/options.h"
#include "emu/inspect/inspect.h"
#include "emu/load/files.h"
#include "emu/recorder/checkpoint_check.h"
#include "emu/recorder/replayer.h"
#include "emu/symbols/guest_symbols.h"
#include "emu/timeline/timeline.h"

namespace vitrine::emu::cli {

namespace {

constexpr const char* RecordingUsage =
    "usage: vitrine recording FILE info|verify|export, or vitrine recording FILE trim OUT [STEP]";
constexpr const char* CompareUsage = "usage: vitrine compare RECORDING RECORDING";

void print(const std::string& text) { std::fwrite(text.data(), 1, text.size(), stdout); }

struct File {
    std::shared_ptr<recording::Source> bytes;
    recording::Contents contents;
};
Expected<File> load(const std::string& path) {
    auto bytes = recording::open_source(path);
    if (!bytes) return std::unexpected(bytes.error());
    auto contents = recording::parse(**bytes, path);
    if (!contents) return std::unexpected(contents.error());
    return File{std::move(*bytes), std::move(*contents)};
}
u64 last_known(const recording::Contents& c) { return c.end ? c.end->step : c.last_step; }

std::string input_text(const InputEvent& event) {
    return std::visit(
        [](const auto& input) -> std::string {
            using T = std::decay_t<decltype(input)>;
            if constexpr (std::is_same_v<T, KeyInput>) {
                std::string out = "keys";
                for (u8 code : input.scancodes) out += fmt::format(" {:02x}", code);
                return out;
            } else if constexpr (std::is_same_v<T, SerialInput>)
                return (input.port ? "serial2 " : "serial ") +
                       nlohmann::json(input.bytes)
                           .dump(-1, ' ', true, nlohmann::json::error_handler_t::replace);
            else if constexpr (std::is_same_v<T, ResetInput>)
                return "reset";
            else if constexpr (std::is_same_v<T, MouseInput>)
                return fmt::format("mouse {} {} wheel {} buttons {}", input.dx, input.dy, input.wheel,
                                   input.buttons);
            else if constexpr (std::is_same_v<T, PowerButtonInput>)
                return "power button";
            else if constexpr (std::is_same_v<T, RegisterPoke>)
                return fmt::format("debugger: register {} of processor {} = {:#x}", input.number,
                                   input.processor, input.low);
            else if constexpr (std::is_same_v<T, MediumInput>)
                return input.path.empty() ? "the disc was taken out"
                                          : fmt::format("disc {} ({:016x})", input.path, input.hash);
            else if constexpr (std::is_same_v<T, NetworkInput>)
                return fmt::format("frame of {} bytes", input.frame.size());
            else
                return fmt::format("debugger: {} bytes at physical {:#x}", input.bytes.size(),
                                   input.physical);
        },
        event);
}

Expected<int> info(const std::string& path) {
    auto file = load(path);
    if (!file) return std::unexpected(file.error());
    const recording::Contents& c = file->contents;
    const MachineConfig& m = c.config;
    std::string out = fmt::format("recording   {} ({} bytes, format {})\n", path, file->bytes->size(),
                                  recording::FormatVersion);
    out += fmt::format("machine     {} MiB, {} processor{}, model {}, timing {}\n", m.memory_bytes >> 20,
                       m.processors, m.processors == 1 ? "" : "s", cpu::model_name(m.cpu.model),
                       m.cpu.timing == cpu::Timing::Fast ? "fast" : "simple");
    out += fmt::format("firmware    {} ({:016x})\n", m.bios_path, c.images.bios);
    if (!m.kernel_path.empty())
        out += fmt::format("kernel      {} ({:016x})\n", m.kernel_path, c.images.kernel);
    if (!m.initrd_path.empty())
        out += fmt::format("initrd      {} ({:016x})\n", m.initrd_path, c.images.initrd);
    if (!m.append.empty()) out += fmt::format("append      {}\n", m.append);
    for (std::size_t i = 0; i < m.disks.size(); ++i)
        out += fmt::format("disk {}      {} ({:016x})\n", i, m.disks[i].path, c.images.disks[i]);
    if (m.network) out += "network     a card; what arrived is among the inputs\n";
    out += fmt::format("inputs      {}\nhashes      {}, {}\n", c.inputs.size(), c.hashes.size(),
                       c.saved ? "where history had a checkpoint: it was saved afterwards"
                               : fmt::format("one each {} steps", recording::HashInterval));
    u64 bytes = 0, pages = 0, whole = 0;
    for (const auto& each : c.checkpoints)
        bytes += each.bytes, pages += each.head.page_count, whole += each.head.whole;
    out += fmt::format("checkpoints {}{}\n", c.checkpoints.size(),
                       c.checkpoints.empty()
                           ? std::string()
                           : fmt::format(" ({} whole), {} pages in {} bytes, the last at step {}", whole,
                                         pages, bytes, c.checkpoints.back().step));
    for (u64 step : c.damaged) out += fmt::format("damaged     the checkpoint at step {}\n", step);
    if (!c.orphaned.empty())
        out += fmt::format("unusable    {} checkpoints that build on a damaged one, steps {} to {}\n",
                           c.orphaned.size(), c.orphaned.front(), c.orphaned.back());
    if (c.end)
        out += fmt::format("end         step {}, time {} ns: {}, state hash {:016x}\n", c.end->step,
                           c.end->time, stop_reason_name(c.end->reason), c.end->state_hash);
    else
        out += fmt::format("end         none: known up to step {}{}\n", c.last_step,
                           c.torn ? fmt::format(", {} at offset {}", c.spoilt ? "damaged" : "torn", c.torn_at)
                                  : "");
    print(out);
    return 0;
}

Expected<int> export_inputs(const std::string& path) {
    auto file = load(path);
    if (!file) return std::unexpected(file.error());
    const recording::Contents& c = file->contents;
    nlohmann::json out{{"last_step", c.last_step}, {"torn", c.torn}, {"inputs", nlohmann::json::array()}};
    for (const LoggedInput& input : c.inputs)
        out["inputs"].push_back(
            {{"step", input.step}, {"time_ns", input.time}, {"what", input_text(input.event)}});
    for (const auto& hash : c.hashes)
        out["hashes"].push_back({{"step", hash.step}, {"hash", fmt::format("{:016x}", hash.value)}});
    for (const auto& each : c.checkpoints)
        out["checkpoints"].push_back({{"step", each.step},
                                      {"time_ns", each.head.time},
                                      {"whole", each.head.whole},
                                      {"pages", each.head.page_count},
                                      {"bytes", each.bytes}});
    for (u64 step : c.damaged) out["damaged_checkpoints"].push_back(step);
    for (u64 step : c.orphaned) out["checkpoints_on_damaged_ones"].push_back(step);
    print(out.dump(1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n");
    return 0;
}

/// How far a long command is, on stderr: on a terminal in one line, else every ten seconds.
class ProgressLine {
public:
    explicit ProgressLine(std::string what) : what_(std::move(what)) {}
    ~ProgressLine() {
        if (shown_) std::fputs("\r\x1b[K", stderr);
    }
    void tell(u64 done, u64 all) {
        const auto now = std::chrono::steady_clock::now();
        if (now - told_ < (terminal_ ? std::chrono::milliseconds(200) : std::chrono::seconds(10))) return;
        told_ = now;
        const std::string line =
            fmt::format("vitrine: {}: step {} of {}, {} %", what_, done, all, all ? done * 100 / all : 100);
        std::fprintf(stderr, terminal_ ? "\r%s\x1b[K" : "%s\n", line.c_str());
        shown_ = terminal_;
    }

private:
    std::string what_;
    const bool terminal_ = ::isatty(STDERR_FILENO) != 0;
    bool shown_ = false;
    std::chrono::steady_clock::time_point told_ = std::chrono::steady_clock::now();
};

/// Runs all of it again, and holds every checkpoint against the state that the run has there.
Expected<int> verify(const std::string& path) {
    auto replayer = Replayer::open(path);
    if (!replayer) return std::unexpected(replayer.error());
    const recording::Contents& c = (*replayer)->contents();
    if (const std::string note = (*replayer)->note(); !note.empty()) report_error(bad_input(note).error());
    auto machine = (*replayer)->make_machine();
    if (!machine) return std::unexpected(machine.error());
    if (auto ok = (*replayer)->prepare(**machine); !ok) return std::unexpected(ok.error());
    if (const std::string other = (*replayer)->image_difference(); !other.empty())
        report_error(bad_input(fmt::format("recording {}: {}", path, other)).error());

    CheckpointCheck check(**machine, (*replayer)->file());
    ProgressLine progress(fmt::format("recording {} verify", path));
    std::size_t compared = 0;
    std::optional<Error> wrong;
    (*replayer)->on_verified([&](u64 step) {
        progress.tell(step, (*replayer)->end_step());
        if (compared >= c.checkpoints.size() || c.checkpoints[compared].step != step) return true;
        auto problem = check.holds(c.checkpoints[compared]);
        if (!problem)
            wrong = problem.error();
        else if (!problem->empty())
            wrong = Error{Exit::ReplayDiverged,
                          fmt::format("recording {}: the checkpoint at step {} is not the state of that "
                                      "step: {}",
                                      path, step, *problem)};
        ++compared;
        return !wrong;
    });
    RunLimits limits;
    limits.step_limit = (*replayer)->end_step();
    (*machine)->run(limits);
    if (wrong) return std::unexpected(*wrong);
    if (auto ok = (*replayer)->finish(**machine); !ok) return std::unexpected(ok.error());
    if (wrong) return std::unexpected(*wrong); // behind a reset by the operator
    print(fmt::format("{}: {} steps, {} inputs, {} hashes and {} checkpoints are as they were recorded\n",
                      path, (*machine)->steps(), c.inputs.size(), c.hashes.size(), compared));
    return c.damaged.empty() && c.orphaned.empty() && !c.spoilt ? 0 : static_cast<int>(Exit::BadInput);
}

/// The whole chunks up to a step: a torn tail and damaged checkpoints go, and so does the end chunk when the
/// run is cut.
Expected<int> trim(const std::string& path, const std::string& out, std::optional<u64> wanted) {
    if (same_file(path, out))
        return usage_error(
            fmt::format("recording {} trim {}: that is the recording itself; name another file", path, out));
    auto file = load(path);
    if (!file) return std::unexpected(file.error());
    const recording::Contents& c = file->contents;
    if (wanted && *wanted > last_known(c))
        return usage_error(fmt::format("recording {} ends at step {}: it cannot be trimmed to step {}", path,
                                       last_known(c), *wanted));
    const u64 to = wanted.value_or(~u64{0});
    std::unordered_set<u64> good; // offsets of what belongs to checkpoints that can be used
    for (const auto& each : c.checkpoints) {
        good.insert(each.state.offset);
        for (const auto& pages : each.pages) good.insert(pages.offset);
    }
    std::vector<u8> kept, piece;
    u64 last = 0, inputs = 0;
    for (const recording::Chunk& chunk : c.chunks) {
        const bool of_checkpoint =
            chunk.type == recording::ChunkType::Pages || chunk.type == recording::ChunkType::Checkpoint;
        if (chunk.step > to || (of_checkpoint && !good.contains(chunk.at.offset))) continue;
        piece.resize(chunk.at.end() - chunk.at.offset);
        if (!file->bytes->read(chunk.at.offset, piece))
            return bad_input(fmt::format("recording {} cannot be read to its end", path));
        kept.insert(kept.end(), piece.begin(), piece.end());
        last = chunk.step, inputs += chunk.type == recording::ChunkType::Input;
    }
    if (auto ok = write_file(out, kept); !ok) return std::unexpected(ok.error());
    print(fmt::format("{}: {} bytes, known up to step {}, {} inputs\n", out, kept.size(), last, inputs));
    return 0;
}

// ---- compare ----------------------------------------------------------------------------------------------

/// One of two recordings that are compared. It goes from place to place by the recording's checkpoints, as
/// long as its images are still those that were recorded.
struct Run {
    std::unique_ptr<Replayer> replayer;
    std::unique_ptr<Machine> machine;
    std::unique_ptr<Timeline> timeline;
    u64 last = 0, ran = 0;

    const recording::Contents& contents() const { return replayer->contents(); }
    Expected<void> start(const std::string& path) {
        auto opened = Replayer::open(path);
        if (!opened) return std::unexpected(opened.error());
        replayer = std::move(*opened);
        if (const std::string note = replayer->note(); !note.empty()) report_error(bad_input(note).error());
        last = replayer->end_step();
        auto made = replayer->make_machine();
        if (!made) return std::unexpected(made.error());
        machine = std::move(*made);
        if (auto ok = replayer->prepare(*machine); !ok) return ok;
        if (const std::string other = replayer->image_difference(); !other.empty())
            return bad_input(fmt::format("recording {}: {}: it cannot be compared", path, other));
        timeline = std::make_unique<Timeline>(*machine, 512ull << 20);
        timeline->worth_a_leap(recording::HashInterval);
        return {};
    }
    Expected<void> go(u64 step) {
        const u64 known = timeline->before(step);
        const u64 from = machine->steps() <= step ? std::max(machine->steps(), known) : known;
        ran += step - from;
        if (step <= timeline->last()) {
            if (auto ok = timeline->seek(step); !ok)
                return replayer->divergence() ? Expected<void>(std::unexpected(*replayer->divergence())) : ok;
        }
        return {};
    }
};

/// What makes two machines different ones, by the names of the command line.
std::string differences(const recording::Contents& a, const recording::Contents& b) {
    const MachineConfig &m = a.config, &n = b.config;
    std::vector<std::string> out;
    const auto differ = [&](const char* what, const auto& one, const auto& other) {
        if (one != other) out.push_back(fmt::format("{} ({} and {})", what, one, other));
    };
    differ("--memory", fmt::format("{}M", m.memory_bytes >> 20), fmt::format("{}M", n.memory_bytes >> 20));
    differ("--cpus", m.processors, n.processors);
    differ("--cpu", std::string(cpu::model_name(m.cpu.model)), std::string(cpu::model_name(n.cpu.model)));
    const auto timing = [](const MachineConfig& c) {
        return std::string(c.cpu.timing == cpu::Timing::Fast ? "fast" : "simple");
    };
    differ("--timing", timing(m), timing(n));
    differ("--numa", m.numa_nodes, n.numa_nodes);
    differ("--preempt-fuzz", m.preempt_fuzz, n.preempt_fuzz);
    differ("--wall-clock (seconds since 1970)", m.wall_clock, n.wall_clock);
    differ("--entropy", m.entropy_seed, n.entropy_seed);
    differ("--no-reboot", m.no_reboot, n.no_reboot);
    differ("--append", m.append, n.append);
    const auto image = [&](const char* what, const std::string& one, u64 hash, const std::string& other,
                           u64 other_hash) {
        if (hash != other_hash)
            out.push_back(fmt::format("{} ({} with hash {:016x} and {} with hash {:016x})", what,
                                      one.empty() ? "none" : one, hash, other.empty() ? "none" : other,
                                      other_hash));
    };
    image("the firmware", m.bios_path, a.images.bios, n.bios_path, b.images.bios);
    image("--kernel", m.kernel_path, a.images.kernel, n.kernel_path, b.images.kernel);
    image("--initrd", m.initrd_path, a.images.initrd, n.initrd_path, b.images.initrd);
    differ("the number of disks", m.disks.size(), n.disks.size());
    for (std::size_t i = 0; i < std::min(m.disks.size(), n.disks.size()); ++i)
        image(fmt::format("disk {}", i).c_str(), m.disks[i].path, a.images.disks[i], n.disks[i].path,
              b.images.disks[i]);
    return fmt::format("{}", fmt::join(out, "; "));
}

/// The step of the first input that only one of two runs has, or that differs; none: all are equal as far as
/// both runs go.
std::optional<u64> first_other_input(const recording::Contents& a, const recording::Contents& b) {
    const std::size_t both = std::min(a.inputs.size(), b.inputs.size());
    for (std::size_t i = 0; i < both; ++i)
        if (recording::encode_input(a.inputs[i]) != recording::encode_input(b.inputs[i]))
            return std::min(a.inputs[i].step, b.inputs[i].step);
    if (a.inputs.size() == b.inputs.size()) return std::nullopt;
    return (a.inputs.size() > b.inputs.size() ? a : b).inputs[both].step;
}

Expected<int> compare(const std::string& first, const std::string& second) {
    Run a, b;
    if (auto ok = a.start(first); !ok) return std::unexpected(ok.error());
    if (auto ok = b.start(second); !ok) return std::unexpected(ok.error());
    const std::string settings = differences(a.contents(), b.contents());
    if (!settings.empty()) print(fmt::format("the machines differ: {}\n", settings));
    const u64 end = std::min(a.last, b.last);
    const auto equal = [&](u64 step) -> Expected<bool> {
        if (auto ok = a.go(step); !ok) return std::unexpected(ok.error());
        if (auto ok = b.go(step); !ok) return std::unexpected(ok.error());
        return a.machine->time() == b.machine->time() && a.machine->state_hash() == b.machine->state_hash();
    };
    // The runs are equal up to `low` and differ at `high`. Equal machines are equal up to the first input
    // that differs (law 1): only what follows is looked at. Hashes at equal steps then bound the place.
    u64 low = 0, high = end;
    const auto other_input = first_other_input(a.contents(), b.contents());
    if (settings.empty() && other_input) low = std::min(*other_input ? *other_input - 1 : 0, end);
    const auto &one = a.contents().hashes, &two = b.contents().hashes;
    u64 equal_hash = 0;
    for (std::size_t i = 0; i < std::min(one.size(), two.size()); ++i) {
        if (one[i].step != two[i].step || one[i].value != two[i].value) {
            high = std::min(one[i].step, two[i].step);
            break;
        }
        equal_hash = one[i].step;
    }
    auto same = equal(low);
    if (!same) return std::unexpected(same.error());
    if (!*same && low > 0) {
        low = 0;
        if (same = equal(0); !same) return std::unexpected(same.error());
    }
    if (!*same) {
        print("the runs differ from power-on\n");
        return 1;
    }
    if (high < low) high = end;
    same = equal(high);
    if (!same) return std::unexpected(same.error());
    if (*same) {
        // The rolling hash leaves memory out, and the list may be short: nothing differs where both are
        // known.
        if (high < end && (same = equal(end), !same)) return std::unexpected(same.error());
        if (*same) {
            print(fmt::format("the runs are equal up to step {}\n", end));
            return 0;
        }
        low = std::max(low, high), high = end;
    }
    // Hashes cover no memory: whether the last equal one holds for that too is seen first.
    if (equal_hash > low && equal_hash < high) {
        if (same = equal(equal_hash); !same) return std::unexpected(same.error());
        (*same ? low : high) = equal_hash;
    }
    while (high - low > 1) {
        // In the middle, or at the place near it to which the way is short.
        const u64 middle = low + (high - low) / 2;
        const u64 stored = std::max(a.timeline->before(middle), b.timeline->before(middle));
        const u64 place = stored > low + (high - low) / 8 && stored < high ? stored : middle;
        same = equal(place);
        if (!same) return std::unexpected(same.error());
        (*same ? low : high) = place;
    }
    if (auto ok = equal(low); !ok) return std::unexpected(ok.error());
    const GuestSymbols* symbols = a.machine->symbols();
    print(fmt::format(
        "the runs part at step {}: equal when {} steps are done (at {:#x} {}), not when {} are\n", low, low,
        a.machine->processor().rip(), symbols ? symbols->name(a.machine->processor().rip()) : "", high));
    for (const auto& [run, name] : {std::pair(&a, &first), {&b, &second}})
        for (const LoggedInput& input : run->contents().inputs)
            if (input.step == low || input.step == high)
                print(fmt::format("{}: input at step {}: {}\n", *name, input.step, input_text(input.event)));
    if (auto ok = equal(high); !ok) return std::unexpected(ok.error());
    for (const auto& [run, name] : {std::pair(&a, &first), {&b, &second}}) {
        auto text = inspect::inspect(*run->machine, "registers", false);
        print(fmt::format("---- {} at step {}, time {} ns\n{}", *name, high, run->machine->time(),
                          text ? *text : ""));
    }
    print(fmt::format("found by running {} and {} steps, the rest by checkpoints\n", a.ran, b.ran));
    return 1;
}

Expected<int> dispatch(std::span<const std::string> arguments) {
    const auto wrong = [](std::string what, const char* usage) {
        return usage_error(fmt::format("{}; {}", what, usage));
    };
    if (arguments[0] == "compare") {
        if (arguments.size() == 1) return wrong("compare: two recordings are missing", CompareUsage);
        if (arguments.size() == 2) return wrong("compare: the second recording is missing", CompareUsage);
        if (arguments.size() > 3)
            return wrong(fmt::format("compare: '{}' is too much", arguments[3]), CompareUsage);
        return compare(arguments[1], arguments[2]);
    }
    if (arguments.size() == 1) return wrong("recording: FILE is missing", RecordingUsage);
    const std::string& path = arguments[1];
    if (arguments.size() == 2)
        return wrong(fmt::format("recording {}: what to do with it is missing", path), RecordingUsage);
    const std::string& verb = arguments[2];
    const std::size_t most = verb == "trim" ? 5 : 3;
    if (verb == "trim" && arguments.size() == 3)
        return wrong("recording trim: OUT, the file to write, is missing", RecordingUsage);
    if (verb != "info" && verb != "verify" && verb != "export" && verb != "trim")
        return wrong(fmt::format("recording: there is no '{}'", verb), RecordingUsage);
    if (arguments.size() > most)
        return wrong(fmt::format("recording {}: '{}' is too much", verb, arguments[most]), RecordingUsage);
    if (verb == "info") return info(path);
    if (verb == "verify") return verify(path);
    if (verb == "export") return export_inputs(path);
    std::optional<u64> to;
    if (arguments.size() == 5) {
        auto step = parse_number(arguments[4]);
        if (!step) return usage_error(fmt::format("recording trim: STEP: {}", step.error().message));
        to = *step;
    }
    return trim(path, arguments[3], to);
}

} // namespace

bool is_command(std::string_view first) { return first == "recording" || first == "compare"; }

int run_command(std::span<const std::string> arguments) {
    auto status = dispatch(arguments);
    if (status) return *status;
    report_error(status.error());
    return static_cast<int>(status.error().status);
}

} // namespace vitrine::emu::cli
