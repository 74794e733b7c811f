// Commands over recordings: see recording_command.h.
#include "emu/cli/recording_command.h"
#include <cstdio>
#include <unordered_set>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>
#include "emu/cli/headless.h"
#include "emu/cli/options.h"
#include "emu/inspect/inspect.h"
#include "emu/load/files.h"
#include "emu/recorder/replayer.h"
#include "emu/symbols/guest_symbols.h"
#include "emu/timeline/timeline.h"

namespace vitrine::emu::cli {

namespace {

constexpr const char* RecordingUsage =
    "vitrine recording FILE info|verify|export, vitrine recording FILE trim OUT [STEP]";
constexpr const char* CompareUsage = "vitrine compare RECORDING RECORDING";

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
                return "serial " + nlohmann::json(input.bytes)
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
    out += fmt::format("inputs      {}\nhashes      {}, one each {} steps\n", c.inputs.size(),
                       c.hashes.size(), recording::HashInterval);
    u64 bytes = 0, pages = 0, whole = 0;
    for (const auto& each : c.checkpoints)
        bytes += each.bytes, pages += each.head.page_count, whole += each.head.whole;
    out += fmt::format("checkpoints {}{}\n", c.checkpoints.size(),
                       c.checkpoints.empty()
                           ? std::string()
                           : fmt::format(" ({} whole), {} pages in {} bytes, the last at step {}", whole,
                                         pages, bytes, c.checkpoints.back().step));
    for (u64 step : c.damaged) out += fmt::format("damaged     the checkpoint at step {}\n", step);
    if (c.end)
        out += fmt::format("end         step {}, time {} ns: {}, state hash {:016x}\n", c.end->step,
                           c.end->time, stop_reason_name(c.end->reason), c.end->state_hash);
    else
        out += fmt::format("end         none: known up to step {}{}\n", c.last_step,
                           c.torn ? fmt::format(", torn at offset {}", c.torn_at) : "");
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
    print(out.dump(1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n");
    return 0;
}

/// Runs all of it again, and holds the state of every checkpoint against the state that the run has there.
Expected<int> verify(const std::string& path) {
    auto replayer = Replayer::open(path);
    if (!replayer) return std::unexpected(replayer.error());
    const recording::Contents& c = (*replayer)->contents();
    if (const std::string note = (*replayer)->note(); !note.empty()) report_error(bad_input(note).error());
    auto machine = (*replayer)->make_machine();
    if (!machine) return std::unexpected(machine.error());
    if (auto ok = (*replayer)->prepare(**machine); !ok) return std::unexpected(ok.error());

    // A second machine, that only ever leaps.
    std::unique_ptr<Machine> leaper;
    std::unique_ptr<History> leaps;
    const std::shared_ptr<RecordedRun> run = (*replayer)->run();
    if (run && !c.checkpoints.empty()) {
        auto made = (*replayer)->make_machine();
        if (!made) return std::unexpected(made.error());
        leaper = std::move(*made);
        for (const LoggedInput& input : c.inputs) leaper->input_at(input.step, input.event, input.time);
        leaps = std::make_unique<History>(*leaper, History::SmallestBudget);
    }
    u64 compared = 0;
    for (const auto& checkpoint : c.checkpoints) {
        if (!leaper) break;
        RunLimits limits;
        limits.step_limit = checkpoint.step;
        while ((*machine)->steps() < checkpoint.step && !(*replayer)->divergence()) {
            const u64 before = (*machine)->steps();
            (*machine)->run(limits);
            if ((*machine)->steps() == before) break;
        }
        if ((*machine)->steps() != checkpoint.step) break; // finish() says why
        if (auto ok = leaps->leap(*run, checkpoint.step); !ok) return std::unexpected(ok.error());
        leaper->run(limits); // the inputs of the step itself
        if (leaper->state_hash() != (*machine)->state_hash())
            return std::unexpected(
                Error{Exit::ReplayDiverged,
                      fmt::format("recording {}: the checkpoint at step {} is not the state of that step",
                                  path, checkpoint.step)});
        ++compared;
    }
    if (auto ok = (*replayer)->finish(**machine); !ok) return std::unexpected(ok.error());
    print(fmt::format("{}: {} steps, {} inputs, {} hashes and {} checkpoints are as they were recorded\n",
                      path, (*machine)->steps(), c.inputs.size(), c.hashes.size(), compared));
    return c.damaged.empty() ? 0 : static_cast<int>(Exit::BadInput);
}

/// The whole chunks up to a step: a torn tail and damaged checkpoints go, and so does the end chunk when the
/// run is cut.
Expected<int> trim(const std::string& path, const std::string& out, std::optional<u64> wanted) {
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

struct Run {
    std::unique_ptr<Machine> machine;
    std::unique_ptr<Timeline> timeline;
    u64 last = 0;

    Expected<void> start(const std::string& path) {
        auto file = load(path);
        if (!file) return std::unexpected(file.error());
        contents = std::move(file->contents);
        last = last_known(contents);
        auto made = Machine::create(contents.config);
        if (!made) return std::unexpected(made.error());
        machine = std::move(*made);
        for (const LoggedInput& input : contents.inputs)
            machine->input_at(input.step, input.event, input.time);
        timeline = std::make_unique<Timeline>(*machine, 512ull << 20);
        return {};
    }
    Expected<void> go(u64 step) {
        if (step <= timeline->last()) return timeline->seek(step);
        RunLimits limits;
        limits.step_limit = step;
        for (u64 before = ~u64{0}; machine->steps() < step && machine->steps() != before;) {
            before = machine->steps();
            machine->run(limits);
        }
        if (machine->steps() < step)
            return bad_input(fmt::format("the run ends at step {}", machine->steps()));
        return {};
    }
    recording::Contents contents;
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

Expected<int> compare(const std::string& first, const std::string& second) {
    Run a, b;
    if (auto ok = a.start(first); !ok) return std::unexpected(ok.error());
    if (auto ok = b.start(second); !ok) return std::unexpected(ok.error());
    const std::string settings = differences(a.contents, b.contents);
    if (!settings.empty()) print(fmt::format("the machines differ: {}\n", settings));
    const u64 end = std::min(a.last, b.last);
    // Hashes at equal steps bound the place; runs of other kernels or firmware part at power-on.
    u64 low = 0, high = end;
    for (std::size_t i = 0; i < std::min(a.contents.hashes.size(), b.contents.hashes.size()); ++i) {
        if (a.contents.hashes[i].step != b.contents.hashes[i].step ||
            a.contents.hashes[i].value != b.contents.hashes[i].value) {
            high = std::min(a.contents.hashes[i].step, b.contents.hashes[i].step);
            break;
        }
    }
    const auto equal = [&](u64 step) -> Expected<bool> {
        if (auto ok = a.go(step); !ok) return std::unexpected(ok.error());
        if (auto ok = b.go(step); !ok) return std::unexpected(ok.error());
        return a.machine->time() == b.machine->time() && a.machine->state_hash() == b.machine->state_hash();
    };
    auto same = equal(0);
    if (!same) return std::unexpected(same.error());
    if (!*same) {
        print("the runs differ from power-on\n");
        return 1;
    }
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
        low = high, high = end;
    }
    while (high - low > 1) {
        const u64 middle = low + (high - low) / 2;
        same = equal(middle);
        if (!same) return std::unexpected(same.error());
        (*same ? low : high) = middle;
    }
    if (auto ok = equal(low); !ok) return std::unexpected(ok.error());
    const GuestSymbols* symbols = a.machine->symbols();
    print(fmt::format(
        "the runs part at step {}: equal when {} steps are done (at {:#x} {}), not when {} are\n", low, low,
        a.machine->processor().rip(), symbols ? symbols->name(a.machine->processor().rip()) : "", high));
    for (const auto& [run, name] : {std::pair(&a, &first), {&b, &second}})
        for (const LoggedInput& input : run->contents.inputs)
            if (input.step == low || input.step == high)
                print(fmt::format("{}: input at step {}: {}\n", *name, input.step, input_text(input.event)));
    if (auto ok = equal(high); !ok) return std::unexpected(ok.error());
    for (const auto& [run, name] : {std::pair(&a, &first), {&b, &second}}) {
        auto text = inspect::inspect(*run->machine, "registers", false);
        print(fmt::format("---- {} at step {}, time {} ns\n{}", *name, high, run->machine->time(),
                          text ? *text : ""));
    }
    return 1;
}

Expected<int> dispatch(std::span<const std::string> arguments) {
    if (arguments[0] == "compare") {
        if (arguments.size() != 3) return usage_error(CompareUsage);
        return compare(arguments[1], arguments[2]);
    }
    if (arguments.size() < 3) return usage_error(RecordingUsage);
    const std::string &path = arguments[1], &verb = arguments[2];
    if (verb == "trim") {
        if (arguments.size() < 4 || arguments.size() > 5) return usage_error(RecordingUsage);
        std::optional<u64> to;
        if (arguments.size() == 5) {
            auto step = parse_number(arguments[4]);
            if (!step) return std::unexpected(step.error());
            to = *step;
        }
        return trim(path, arguments[3], to);
    }
    if (arguments.size() != 3) return usage_error(RecordingUsage);
    if (verb == "info") return info(path);
    if (verb == "verify") return verify(path);
    if (verb == "export") return export_inputs(path);
    return usage_error(fmt::format("'{}': {}", verb, RecordingUsage));
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
