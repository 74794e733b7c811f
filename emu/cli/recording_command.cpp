// Commands over recordings: see recording_command.h.
#include "emu/cli/recording_command.h"
#include <cstdio>
#include <fmt/format.h>
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

constexpr u64 LargestRecording = 16ull << 30;
constexpr const char* RecordingUsage =
    "vitrine recording FILE info|verify|export, vitrine recording FILE trim OUT [STEP]";
constexpr const char* CompareUsage = "vitrine compare RECORDING RECORDING";

void print(const std::string& text) { std::fwrite(text.data(), 1, text.size(), stdout); }

struct File {
    std::vector<u8> bytes;
    recording::Contents contents;
};
Expected<File> load(const std::string& path) {
    auto bytes = read_file(path, "recording", LargestRecording);
    if (!bytes) return std::unexpected(bytes.error());
    auto contents = recording::parse(*bytes, path);
    if (!contents) return std::unexpected(contents.error());
    return File{std::move(*bytes), std::move(*contents)};
}

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
    std::string out = fmt::format("recording   {} ({} bytes, format {})\n", path, file->bytes.size(),
                                  recording::FormatVersion);
    out += fmt::format("machine     {} MiB, {} processor{}, model {}, timing {}\n", m.memory_bytes >> 20,
                       m.processors, m.processors == 1 ? "" : "s", cpu::model_name(m.cpu.model),
                       m.cpu.timing == cpu::Timing::Fast ? "fast" : "simple");
    out += fmt::format("firmware    {} ({:016x})\n", m.bios_path, c.images.bios);
    if (!m.kernel_path.empty())
        out += fmt::format("kernel      {} ({:016x})\n", m.kernel_path, c.images.kernel);
    for (std::size_t i = 0; i < m.disks.size(); ++i)
        out += fmt::format("disk {}      {} ({:016x})\n", i, m.disks[i].path, c.images.disks[i]);
    out += fmt::format("inputs      {}\nhashes      {}, one each {} steps\n", c.inputs.size(),
                       c.hashes.size(), recording::HashInterval);
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
    print(out.dump(1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n");
    return 0;
}

Expected<int> verify(const std::string& path) {
    auto replayer = Replayer::open(path);
    if (!replayer) return std::unexpected(replayer.error());
    if (const std::string note = (*replayer)->note(); !note.empty()) report_error(bad_input(note).error());
    auto machine = (*replayer)->make_machine();
    if (!machine) return std::unexpected(machine.error());
    if (auto ok = (*replayer)->prepare(**machine); !ok) return std::unexpected(ok.error());
    if (auto ok = (*replayer)->finish(**machine); !ok) return std::unexpected(ok.error());
    print(fmt::format("{}: {} steps, {} inputs and {} hashes are as they were recorded\n", path,
                      (*machine)->steps(), (*replayer)->contents().inputs.size(),
                      (*replayer)->contents().hashes.size()));
    return 0;
}

/// The whole chunks up to a step: a torn tail goes, and so does the end chunk when the run is cut.
Expected<int> trim(const std::string& path, const std::string& out, u64 to) {
    auto file = load(path);
    if (!file) return std::unexpected(file.error());
    const recording::Contents& c = file->contents;
    std::vector<u8> kept = recording::encode(recording::ChunkType::Configuration, 0,
                                             recording::encode_configuration(c.config, c.images));
    const auto append = [&](const std::vector<u8>& chunk) {
        kept.insert(kept.end(), chunk.begin(), chunk.end());
    };
    // Inputs and hashes in the order of their steps; of one step, inputs behind the hash, as the machine has
    // them.
    std::size_t input = 0;
    u64 last = 0, inputs = 0;
    const auto take_inputs = [&](u64 before) {
        for (; input < c.inputs.size() && c.inputs[input].step < before; ++input) {
            if (c.inputs[input].step > to) continue;
            append(recording::encode(recording::ChunkType::Input, c.inputs[input].step,
                                     recording::encode_input(c.inputs[input])));
            last = c.inputs[input].step, ++inputs;
        }
    };
    for (const auto& hash : c.hashes) {
        if (hash.step > to) break;
        take_inputs(hash.step);
        append(recording::encode(recording::ChunkType::Hash, hash.step, recording::encode_hash(hash.value)));
        last = hash.step;
    }
    take_inputs(~u64{0});
    if (c.end && c.end->step <= to) {
        append(recording::encode(recording::ChunkType::End, c.end->step, recording::encode_end(*c.end)));
        last = c.end->step;
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
        last = contents.end ? contents.end->step : contents.last_step;
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

Expected<int> compare(const std::string& first, const std::string& second) {
    Run a, b;
    if (auto ok = a.start(first); !ok) return std::unexpected(ok.error());
    if (auto ok = b.start(second); !ok) return std::unexpected(ok.error());
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
        u64 to = ~u64{0};
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
