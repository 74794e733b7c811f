// The options and what they may be combined with. See options.h; docs/cli.md is the user's view of this
// table.
#include "emu/cli/options.h"
#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include "emu/board/memory.h"
#include "emu/events/events.h"
#include "emu/gdb/server.h"

namespace vitrine::emu::cli {

namespace {

/// What was typed, before it is checked.
struct Raw {
    std::string entropy, preempt_fuzz, serial2, numa, memory, cpu, timing, wall_clock, serial, until, history,
        limit_steps, boot, cdrom, gdb, events, events_from, events_to, checkpoints, storage;
    std::vector<std::string> disks, initrds, types, shapes, media;
    std::optional<unsigned> cpus;
    std::optional<std::string> network;
};

std::unexpected<Error> not_there_yet(std::string_view what) {
    return usage_error(fmt::format("{} is not there yet", what));
}

/// Of the bundled guest, whose kernel can use them; who brings software of his own says how many it can.
constexpr unsigned BundledGuestProcessors = 4;
bool starts_the_bundled_guest(const Raw& raw, const Options& o) {
    return raw.disks.empty() && raw.cdrom.empty() && o.machine.kernel_path.empty();
}

Expected<void> check_machine(const Raw& raw, Options& o) {
    if (!raw.memory.empty()) {
        auto size = parse_size(raw.memory);
        if (!size) return std::unexpected(size.error());
        if (auto ok = check_memory_size(*size); !ok) return ok;
        o.machine.memory_bytes = *size;
    }
    if (raw.cpus && (*raw.cpus == 0 || *raw.cpus > 8))
        return usage_error(fmt::format("--cpus {} is impossible: 1 to 8", *raw.cpus));
    o.machine.processors = raw.cpus.value_or(starts_the_bundled_guest(raw, o) ? BundledGuestProcessors : 1);
    if (!raw.cpu.empty()) {
        const auto model = cpu::model_named(raw.cpu);
        if (!model) return usage_error(fmt::format("--cpu {}: v1, v2, v3 or max", raw.cpu));
        o.machine.cpu.model = *model;
    } else {
        // Who did not ask for a model gets the best one that this computer can run; the recording holds it.
        for (const cpu::Model model : {cpu::Model::V3, cpu::Model::V2, cpu::Model::V1})
            if (cpu::host_runs(model)) {
                o.machine.cpu.model = model;
                break;
            }
    }
    if (const std::string missing = cpu::host_lacks(o.machine.cpu.model);
        !missing.empty() && o.replay.empty()) // a recording says for itself
        return usage_error(fmt::format("--cpu {}: this computer's processor lacks {}; choose a lower model",
                                       cpu::model_name(o.machine.cpu.model), missing));
    if (raw.timing == "fast")
        o.machine.cpu.timing = cpu::Timing::Fast;
    else if (raw.timing == "simple" || raw.timing.empty())
        o.machine.cpu.timing = cpu::Timing::Simple;
    else if (raw.timing == "detailed")
        return not_there_yet("--timing detailed");
    else
        return usage_error(fmt::format("--timing {}: fast or simple", raw.timing));
    if (!raw.boot.empty())
        if (auto ok = parse_boot(raw.boot, o.machine); !ok) return ok;
    if (o.machine.boot_cdrom && raw.cdrom.empty())
        return usage_error(fmt::format("--boot {} needs --cdrom", raw.boot));
    if (!raw.storage.empty() && raw.storage != "ahci" && raw.storage != "ide")
        return usage_error(fmt::format("--storage {}: ahci or ide", raw.storage));
    o.machine.legacy_ide = raw.storage == "ide";
    if (o.machine.legacy_ide && starts_the_bundled_guest(raw, o))
        return usage_error(
            "--storage ide: the bundled guest knows AHCI only; give --disk, --cdrom or --kernel");
    for (const auto& [name, text, value] :
         {std::tuple{"--entropy", &raw.entropy, &o.machine.entropy_seed},
          std::tuple{"--preempt-fuzz", &raw.preempt_fuzz, &o.machine.preempt_fuzz}}) {
        if (text->empty()) continue;
        auto number = parse_number(*text);
        if (!number) return usage_error(fmt::format("{}: {}", name, number.error().message));
        *value = *number;
    }
    if (!raw.preempt_fuzz.empty() && o.machine.preempt_fuzz == 0)
        return usage_error("--preempt-fuzz 0: a seed is 1 or more");
    if (!raw.gdb.empty()) {
        if (auto ok = gdb::check_address(raw.gdb); !ok) return ok;
        o.gdb = raw.gdb;
    }
    for (const std::string& text : raw.disks) {
        auto disk = parse_disk(text);
        if (!disk) return std::unexpected(disk.error());
        o.machine.disks.push_back(*disk);
    }
    if (!raw.cdrom.empty())
        o.machine.disks.push_back({.path = raw.cdrom, .read_only = true, .overlay = {}, .optical = true});
    if (raw.network) {
        auto network = net::parse_network(*raw.network);
        if (!network) return std::unexpected(network.error());
        o.network = *network;
        o.machine.network = network->wanted();
    }
    for (const std::string& list : raw.initrds)
        o.machine.initrd_path += (o.machine.initrd_path.empty() ? "" : ",") + list;
    if (!raw.wall_clock.empty()) {
        auto seconds = parse_wall_clock(raw.wall_clock);
        if (!seconds) return std::unexpected(seconds.error());
        o.machine.wall_clock = *seconds;
    }
    if (!raw.numa.empty()) {
        constexpr u64 LeastShare = 16 << 20;
        auto nodes = parse_number(raw.numa);
        if (!nodes || *nodes < 1 || *nodes > 8)
            return usage_error(fmt::format("--numa {}: a machine has 1 to 8 nodes", raw.numa));
        if (*nodes > o.machine.processors)
            return usage_error(fmt::format("--numa {}: each node needs a processor, and there {} {}", *nodes,
                                           o.machine.processors == 1 ? "is" : "are", o.machine.processors));
        if (o.machine.memory_bytes / *nodes < LeastShare)
            return usage_error(fmt::format("--numa {}: each node needs 16 MiB of memory", *nodes));
        o.machine.numa_nodes = static_cast<u8>(*nodes);
    }
    for (const std::string& shape : raw.shapes) {
        if (shape == "no-block-cache")
            o.machine.cpu.block_cache = false;
        else if (shape == "no-fusion")
            o.machine.cpu.fusion = false;
        else if (shape == "precise")
            o.machine.cpu.always_precise = true;
        else
            return usage_error(fmt::format("--shape {}: no-block-cache, no-fusion or precise", shape));
    }
    return {};
}

/// Standard input and output are COM1's. Nothing said: `target` stays.
Expected<void> parse_serial(const char* option, const std::string& text, bool first, SerialTarget& target,
                            std::string& file) {
    if (text.empty()) return {};
    if (first && text == "stdio")
        target = SerialTarget::Stdio;
    else if (text == "null" || text == "none")
        target = SerialTarget::Null;
    else if (text.starts_with("file:") && text.size() > 5)
        target = SerialTarget::File, file = text.substr(5);
    else if (text == "pty")
        target = SerialTarget::Pty;
    else if (text.starts_with("unix:") && text.size() > 5)
        target = SerialTarget::Socket, file = text.substr(5);
    else
        return usage_error(
            fmt::format("{} {}: {}null, file:PATH, pty or unix:PATH", option, text, first ? "stdio, " : ""));
    return {};
}

Expected<void> check_run(const Raw& raw, Options& o) {
    if (raw.serial.empty() && o.json)
        o.serial = SerialTarget::Null; // the answers alone, so that a program can read them
    else if (auto ok = parse_serial("--serial", raw.serial, true, o.serial, o.serial_file); !ok)
        return ok;
    if (auto ok = parse_serial("--serial2", raw.serial2, false, o.serial2, o.serial2_file); !ok) return ok;
    if (!raw.serial2.empty() && !o.headless) return usage_error("--serial2 needs --headless");
    if (!raw.until.empty()) {
        auto spec = parse_until_break(raw.until);
        if (!spec) return usage_error(fmt::format("--until {}: {}", raw.until, spec.error().message));
        o.until_break = std::move(*spec), o.until_text = raw.until;
    }
    for (const std::string& text : o.breaks)
        if (auto spec = parse_break(text); !spec)
            return usage_error(fmt::format("--break {}: {}", text, spec.error().message));
    if (!o.last.empty())
        if (auto spec = parse_break(o.last); !spec)
            return usage_error(fmt::format("--last {}: {}", o.last, spec.error().message));
    for (const std::string& text : raw.media) {
        auto change = parse_medium_change(text);
        if (!change) return std::unexpected(change.error());
        if (raw.cdrom.empty()) return usage_error("--change-cdrom needs --cdrom");
        o.media.push_back(*change);
    }
    if (!o.media.empty() && !o.headless) return usage_error("--change-cdrom needs --headless");
    for (const std::string& text : raw.types) {
        auto typing = parse_typing(text);
        if (!typing) return std::unexpected(typing.error());
        o.typing.push_back(*typing);
    }
    if (!raw.limit_steps.empty()) {
        auto steps = parse_number(raw.limit_steps);
        if (!steps) return std::unexpected(steps.error());
        o.limit_steps = *steps;
    }
    if (!raw.checkpoints.empty()) {
        if (o.record.empty() && o.save_recording.empty())
            return usage_error("--checkpoints needs --record or --save-recording");
        auto steps = raw.checkpoints == "off" ? Expected<u64>(~u64{0}) : parse_number(raw.checkpoints);
        if (!steps || *steps == 0)
            return usage_error(fmt::format("--checkpoints {}: a number of steps, or off", raw.checkpoints));
        o.checkpoint_steps = *steps;
    }
    o.history_given = !raw.history.empty();
    if (raw.history == "off") {
        o.history = 0;
    } else if (!raw.history.empty()) {
        auto size = parse_size(raw.history);
        if (!size || *size < (16 << 20))
            return usage_error(fmt::format("--history {}: off, or a size of at least 16M", raw.history));
        o.history = *size;
    }
    if (!raw.events.empty()) {
        auto kinds = parse_event_kinds(raw.events);
        if (!kinds) return usage_error(fmt::format("--events: {}", kinds.error().message));
        o.events = *kinds;
    } else if (!o.trace.empty() || !raw.events_from.empty() || !raw.events_to.empty()) {
        return usage_error("--trace, --from and --to need --events");
    }
    const std::pair<const std::string*, u64*> limits[] = {{&raw.events_from, &o.events_from},
                                                          {&raw.events_to, &o.events_to}};
    for (const auto& [text, into] : limits) {
        if (text->empty()) continue;
        auto step = parse_number(*text);
        if (!step) return std::unexpected(step.error());
        *into = *step;
    }
    if (o.events_from > o.events_to)
        return usage_error(fmt::format("--from {} lies behind --to {}", o.events_from, o.events_to));
    if (o.keeps_history() && o.history == 0)
        return usage_error("--last, --who-wrote, --save-recording and the like need --history");
    if (o.lesson_check && o.lesson.empty()) return usage_error("--check needs --lesson");
    if (!o.lesson.empty() && o.machine_given)
        return usage_error("--lesson makes the machine that it tells of: give no machine options");
    if (!o.lesson.empty() && o.headless && !o.lesson_check)
        return usage_error("--lesson with --headless needs --check");
    const std::pair<const std::string&, const char*> windows[] = {{o.ui_screenshot, "--ui-screenshot"},
                                                                  {o.ui_tab, "--ui-tab"},
                                                                  {o.ui_show, "--ui-show"},
                                                                  {o.ui_state, "--ui-state"},
                                                                  {o.window, "--window"}};
    for (const auto& [value, name] : windows)
        if (o.headless && !value.empty())
            return usage_error(fmt::format("{} is about the app's window, and --headless opens none", name));
    if (o.headless && o.start_screen)
        return usage_error("--start-screen is about the app's window, and --headless opens none");
    if (o.start_screen && (o.machine_given || !o.replay.empty() || !o.lesson.empty() || o.until_break))
        return usage_error(
            "--start-screen asks what to look at: give no machine, place, recording or lesson");
    if (o.headless && o.ui_scale > 0)
        return usage_error("--ui-scale is about the app's window, and --headless opens none");
    if (o.limit_seconds <= 0) return usage_error("--limit-seconds must be positive");
    if (o.json && o.inspect.empty() && !o.needs_history() && !o.events)
        return usage_error("--json needs --inspect or a question for an author");
    if (!o.replay.empty()) {
        if (!o.record.empty()) return usage_error("--record and --replay exclude each other");
        if (o.machine_given)
            return usage_error("--replay takes the machine from the recording: give no machine options");
        if (!o.typing.empty() || !o.media.empty())
            return usage_error(
                "--replay takes its input from the recording: give no --type and no --change-cdrom");
        if (!o.load_state.empty()) return not_there_yet("--replay with --load-state");
        if (!o.save_recording.empty())
            return usage_error("--save-recording with --replay: this run is a recording already");
    }
    if (!o.load_state.empty() && !o.record.empty()) return not_there_yet("--record with --load-state");
    if (!o.load_state.empty() && !o.save_recording.empty())
        return usage_error("--save-recording with --load-state: a recording begins at power-on");
    static const char* const Levels[] = {"trace", "debug", "info", "warn", "error", "off"};
    if (std::find(std::begin(Levels), std::end(Levels), o.log_level) == std::end(Levels))
        return usage_error(fmt::format("--log {}: trace, debug, info, warn, error or off", o.log_level));
    return {};
}

} // namespace

Expected<Parsed> parse(int argc, const char* const* argv) {
    Parsed out;
    Options& o = out.options;
    Raw raw;
    CLI::App app{"Vitrine: an x86-64 computer in a glass case. Without arguments it opens the app on the "
                 "bundled guest.",
                 "vitrine"};
    app.set_help_flag("-h,--help", "this text");
    app.set_version_flag("--version", "vitrine " VITRINE_VERSION);
    app.option_defaults()->take_last();

    const std::string machine = "Machine", running = "Running", results = "At the stop", testing = "Testing";
    std::vector<CLI::Option*> decided_by_recording = {
        app.add_option("-m,--memory", raw.memory, "RAM: 512M, 2G … (32M to 64G)")->group(machine),
        app.add_option("--cpus", raw.cpus, "processors, 1 to 8: 4 for the bundled guest, else 1")
            ->group(machine),
        app.add_option("--cpu", raw.cpu, "processor model: v1, v2, v3, max")->group(machine),
        app.add_option("--timing", raw.timing, "cycle model: fast, simple")->group(machine),
        app.add_option("--bios", o.machine.bios_path, "firmware image instead of the bundled one")
            ->group(machine),
        app.add_option("--disk", raw.disks, "FILE[,readonly][,format=raw|qcow2][,overlay=FILE]; repeatable")
            ->group(machine)
            ->take_all()
            ->delimiter('\0')
            ->allow_extra_args(false),
        app.add_option("--cdrom", raw.cdrom, "ISO image")->group(machine),
        app.add_option("--boot", raw.boot,
                       "disk, cdrom, or order=LETTERS[,menu=on]: c is the disk, d the disc")
            ->group(machine)
            ->delimiter('\0'),
        app.add_option("--storage", raw.storage, "what drives hang on: ahci (the default), ide")
            ->group(machine),
        app.add_option("--kernel", o.machine.kernel_path,
                       "Linux bzImage, Multiboot or PVH image to start directly")
            ->group(machine),
        app.add_option("--initrd", raw.initrds, "initial RAM disk or module for --kernel; repeatable")
            ->group(machine)
            ->take_all()
            ->delimiter('\0')
            ->allow_extra_args(false),
        app.add_option("--append", o.machine.append, "kernel command line for --kernel")->group(machine),
        app.add_option("--net", raw.network,
                       "a network card: user[,hostfwd=tcp::PORT-:PORT][,pcap=FILE], pcap=FILE, none")
            ->group(machine)
            ->delimiter('\0'),
        app.add_option("--numa", raw.numa, "nodes that processors and memory are divided among: 1 to 8")
            ->group(machine),
        app.add_option("--wall-clock", raw.wall_clock, "time at power-on: 2026-01-01T00:00:00Z")
            ->group(machine),
        app.add_option("--preempt-fuzz", raw.preempt_fuzz, "seed of the schedule fuzzer, not 0")
            ->group(machine),
        app.add_option("--entropy", raw.entropy, "seed of everything random in the guest")->group(machine),
        app.add_flag("--no-reboot", o.machine.no_reboot, "a triple fault or a guest's reset ends the run")
            ->group(machine),
    };
    app.add_option("--symbols", o.machine.symbols_path,
                   "kernel ELF with symbols instead of the bundled vmlinux")
        ->group(machine);

    app.add_flag("--headless", o.headless, "no window")->group(running);
    app.add_option("--serial", raw.serial, "COM1: stdio, null, file:PATH, pty, unix:PATH")->group(running);
    app.add_option("--serial2", raw.serial2, "COM2: null, file:PATH, pty, unix:PATH")->group(running);
    app.add_option("--until", raw.until,
                   "stop at step:N, phase:NAME, rip:ADDR|SYMBOL, serial:TEXT or another place of --break")
        ->group(running);
    app.add_option(
           "--break", o.breaks,
           "stop at SPEC: an address, symbol, FILE:LINE, write:ADDR, port:N, syscall:NAME … with conditions "
           "(docs/debugger.md); repeatable")
        ->group(running)
        ->take_all()
        ->delimiter('\0')
        ->allow_extra_args(false);
    app.add_option("--type", raw.types,
                   "TEXT[@EXPR]: type on the console when EXPR is met, by default at a shell prompt; \\n is "
                   "Enter; repeatable")
        ->group(running)
        ->take_all()
        ->delimiter('\0')
        ->allow_extra_args(false);
    app.add_option("--change-cdrom", raw.media,
                   "FILE@EXPR: put another disc into the CD drive when EXPR is met; none@EXPR takes it out; "
                   "repeatable")
        ->group(running)
        ->take_all()
        ->delimiter('\0')
        ->allow_extra_args(false);
    app.add_option("--limit-steps", raw.limit_steps, "stop after so many steps with status 75")
        ->group(running);
    app.add_option("--limit-seconds", o.limit_seconds,
                   "stop after so many seconds of host time with status 75")
        ->group(running);
    app.add_option("--record", o.record, "write a recording")->group(running);
    app.add_option("--checkpoints", raw.checkpoints,
                   "least steps between checkpoints in a recording (default 100000000), or off")
        ->group(running);
    app.add_option("--replay", o.replay, "run a recording again and verify it")->group(running);
    app.add_option("--history", raw.history, "memory for travelling back in the app: 1G (the default), off")
        ->group(running);
    app.add_option("--load-state", o.load_state, "start from a saved state")->group(running);
    app.add_option("--gdb", raw.gdb, "wait for gdb on PORT or unix:PATH, at power-on or at --until")
        ->group(running);
    app.add_option("--lesson", o.lesson,
                   "open a lesson (NAME, or FILE.md) in the app; with --check, perform it headless")
        ->group(running);
    app.add_flag("--check", o.lesson_check, "hold the claims of --lesson against the machine")
        ->group(running);
    app.add_flag("--lessons", o.lessons, "list the lessons")->group(running);
    app.add_option("--log", o.log_level, "trace, debug, info, warn, error, off (on stderr)")->group(running);
    app.add_option("--ui-scale", o.ui_scale, "size of text and widgets in the app, 0.5 to 4")
        ->check([](const std::string& text) {
            char* end = nullptr;
            const double scale = std::strtod(text.c_str(), &end);
            const bool good = end != text.c_str() && *end == 0 && scale >= 0.5 && scale <= 4;
            return good ? std::string() : fmt::format("'{}' is no size from 0.5 to 4", text);
        })
        ->group(running);
    app.add_option("--window", o.window, "size of the app's window: 1280x800")->group(running);

    app.add_option("--last", o.last, "go back to the last time that SPEC (as for --break) was met")
        ->group(results);
    const auto repeatable = [&](const char* name, std::vector<std::string>& into, const char* text) {
        app.add_option(name, into, text)
            ->group(results)
            ->take_all()
            ->delimiter('\0')
            ->allow_extra_args(false);
    };
    repeatable("--who-wrote", o.who_wrote,
               "who wrote ADDR[:SIZE], phys:ADDR[:SIZE] or disk:SECTOR last; repeatable");
    repeatable("--who-read", o.who_read, "who read it last");
    repeatable("--all-writes", o.all_writes, "TARGET[@FROM-TO]: all writes to it between two steps");
    repeatable("--who-changed", o.who_changed, "what changed a register last");
    app.add_option("--events", raw.events,
                   "note and print events: all, or "
                   "interrupt,exception,page-fault,syscall,switch,disk,mode,phase,console")
        ->group(results);
    app.add_option("--from", raw.events_from, "only events from this step on")->group(results);
    app.add_option("--to", raw.events_to, "only events before this step")->group(results);
    app.add_option(
           "--trace", o.trace,
           "write the events to FILE.json (Chrome, Perfetto) or FILE (ftrace text) instead of printing them")
        ->group(results);
    app.add_flag("--state-hash", o.state_hash, "print the hash of the whole state")->group(results);
    app.add_option("--stats", o.stats, "write steps, MIPS and time per phase as JSON")->group(results);
    app.add_option("--screenshot", o.screenshot, "write the guest's screen as PNG")->group(results);
    app.add_option("--inspect", o.inspect, "print a view (repeatable; --inspect help lists them)")
        ->group(results)
        ->take_all()
        ->allow_extra_args(false);
    app.add_flag("--json", o.json, "--inspect and authors as JSON")->group(results);
    app.add_option("--save-recording", o.save_recording, "write the run as a recording")->group(results);
    app.add_option("--save-state", o.save_state, "write the whole state")->group(results);

    app.add_flag("--start-screen", o.start_screen,
                 "the app begins with a choice: the bundled kernel, a recording, a disk or kernel")
        ->group(running);
    app.add_option("--ui-screenshot", o.ui_screenshot,
                   "run the app to --until, write its window as PNG, exit")
        ->group(testing);
    app.add_option("--ui-tab", o.ui_tab,
                   "the app's first tab: phases, page-tables, descriptors, run-queues, memory, bytes, "
                   "devices, breakpoints, interrupts, system-calls, stack")
        ->group(testing);
    app.add_option("--ui-show", o.ui_show, "a dialog on the app's screenshot: keys")->group(testing);

    app.add_option("--ui-state", o.ui_state, "keep what the app's window shows in a JSON file")
        ->group(testing);

    app.add_option("--shape", raw.shapes,
                   "engine shape that must not change results: no-block-cache, no-fusion, precise")
        ->group(testing)
        ->take_all()
        ->delimiter(',');

    try {
        app.parse(argc, argv);
    } catch (const CLI::CallForHelp&) {
        out.help = app.help();
        return out;
    } catch (const CLI::CallForVersion& version) {
        out.help = std::string(version.what()) + "\n";
        return out;
    } catch (const CLI::ParseError& error) {
        std::string line = error.what();
        for (char& c : line)
            if (c == '\n') c = ' ';
        return usage_error(fmt::format("{} (vitrine --help lists the options)", line));
    }
    for (const CLI::Option* option : decided_by_recording) o.machine_given |= option->count() > 0;
    if (auto ok = check_machine(raw, o); !ok) return std::unexpected(ok.error());
    if (auto ok = check_run(raw, o); !ok) return std::unexpected(ok.error());
    return out;
}

CheckpointSpacing Options::checkpoint_spacing() const {
    CheckpointSpacing spacing;
    if (!checkpoint_steps) return spacing;
    // Who asks for closer ones gets them, whatever they cost.
    spacing.steps = *checkpoint_steps;
    spacing.steps_per_page = std::min(spacing.steps_per_page, spacing.steps / 2048);
    return spacing;
}

} // namespace vitrine::emu::cli
