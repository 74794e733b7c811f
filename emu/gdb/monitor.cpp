// gdb's `monitor` commands: what the protocol has no packets for.
#include <algorithm>
#include <fmt/format.h>
#include "emu/cli/same_files.h"
#include "emu/events/events.h"
#include "emu/gdb/stub.h"
#include "emu/inspect/inspect.h"
#include "emu/recorder/saved_run.h"
#include "emu/symbols/guest_symbols.h"
#include "emu/timeline/authors.h"

namespace vitrine::emu::gdb {

namespace {
constexpr const char* Help =
    R"(monitor commands (gdb's own view needs `maintenance flush register-cache` after those that travel):
  where                  step, time, processor, the bounds of history
  seek STEP              go to a step
  phase NAME             run until this boot phase
  back SPEC              go back to the last time that SPEC was met
  break SPEC, list, delete N    breakpoints beyond gdb's own (docs/debugger.md)
  events KINDS [FROM [TO]]      what happened between two steps, the last million before here if not given
  who-wrote TARGET, who-read TARGET, who-changed REGISTER
  all-writes TARGET [FROM [TO]]  every write between two steps, from the start of history to here if not given
  branches               futures that an input in the past has cut off
  branch NAME            make that one the future again, and stand where it was left
  rename-branch NAME = NEW NAME
  inspect VIEW           as --inspect
  print EXPRESSION
  change-cdrom FILE|none another disc in the CD drive, or none: an input as from the keyboard
  save-recording FILE    the run from power-on to its end, as --replay takes it
)";

std::pair<std::string, std::string> split(const std::string& line) {
    const auto space = line.find(' ');
    if (space == std::string::npos) return {line, ""};
    const auto rest = line.find_first_not_of(' ', space);
    return {line.substr(0, space), rest == std::string::npos ? "" : line.substr(rest)};
}
std::optional<u64> number(const std::string& text) {
    if (text.empty() || text.size() > 20) return std::nullopt;
    u64 value = 0;
    for (char c : text) {
        if (c < '0' || c > '9' || value > (~u64{0} - 9) / 10) return std::nullopt;
        value = value * 10 + static_cast<u64>(c - '0');
    }
    return value;
}
} // namespace

namespace {
std::string place_of(const Machine& machine, const Timeline& timeline) {
    const std::string name = machine.symbols() ? machine.symbols()->name(machine.processor().rip()) : "";
    return fmt::format("step {} of {} to {}, time {} ns, processor {}, {:#x} {}\n", machine.steps(),
                       timeline.first(), timeline.last(), machine.time(), machine.current_processor(),
                       machine.processor().rip(), name);
}
} // namespace

std::string Stub::run_to_phase(const std::string& name) {
    auto spec = parse_break("phase:" + name);
    if (!spec) return spec.error().message + "\n";
    Debugger own(machine_);
    if (auto id = own.add(*spec); !id) return id.error().message + "\n";
    RunLimits limits;
    limits.debugger = &own;
    limits.host_seconds = 0.05;
    limits.step_limit = furthest_step();
    for (;;) {
        const RunReport report = machine_.run(limits);
        if (report.reason == StopReason::Breakpoint) return place_of(machine_, timeline_);
        if (report.reason != StopReason::HostTimeLimit)
            return fmt::format("the run stopped: {}\n{}", stop_reason_name(report.reason),
                               place_of(machine_, timeline_));
        if (poll_ && poll_()) return "interrupted\n" + place_of(machine_, timeline_);
        limits.goes_on = true;
    }
}

/// KINDS [FROM [TO]]: that part is run again with somebody who notes.
std::string Stub::events(const std::string& argument) {
    constexpr u64 Usual = 1'000'000, MostLines = 2000;
    const auto [kinds_text, range] = split(argument);
    const auto [from_text, to_text] = split(range);
    const auto kinds = parse_event_kinds(kinds_text);
    if (!kinds) return kinds.error().message + "\n";
    const u64 here = machine_.steps(), here_time = machine_.time();
    const auto from = from_text.empty() ? std::optional(here - std::min(here, Usual)) : number(from_text);
    const auto to =
        to_text.empty() ? std::optional(from_text.empty() ? here : timeline_.last()) : number(to_text);
    if (!from || !to || *from > *to) return "events KINDS [FROM [TO]]: steps, FROM before TO\n";
    if (*from < timeline_.first() || *to > timeline_.last())
        return fmt::format("steps {} to {} are outside history: {} to {}\n", *from, *to, timeline_.first(),
                           timeline_.last());
    std::string out;
    if (auto ok = timeline_.seek(*from); !ok) return ok.error().message + "\n";
    {
        EventStore store(machine_, *kinds, EventStore::DefaultBudget, true);
        RunLimits limits;
        limits.step_limit = *to;
        limits.host_seconds = 0.05;
        while (machine_.steps() < *to) {
            const RunReport report = machine_.run(limits);
            if (report.reason != StopReason::HostTimeLimit || (poll_ && poll_())) break;
        }
        if (machine_.steps() < *to) out = fmt::format("only up to step {}\n", machine_.steps());
        const auto list = store.query(*kinds, *from, *to, MostLines);
        for (const Event& event : list)
            out += fmt::format("{:>12} cpu {} {}\n", event.step, event.processor, store.describe(event));
        if (list.size() == MostLines) out += fmt::format("these are the first {}\n", MostLines);
        if (list.empty() && out.empty()) out = "none\n";
    }
    if (auto ok = timeline_.seek(here); !ok) return out + ok.error().message + "\n";
    if (machine_.time() < here_time) { // it waited
        RunLimits wait;
        wait.time_limit = here_time, wait.step_limit = here + 1;
        machine_.run(wait);
    }
    return out;
}

/// TARGET [FROM [TO]]
std::string Stub::all_writes(const std::string& argument) {
    constexpr std::size_t MostLines = 2000;
    const auto [target_text, range] = split(argument);
    const auto [from_text, last_text] = split(range);
    const auto from = from_text.empty() ? std::optional(timeline_.first()) : number(from_text);
    const auto to = last_text.empty() ? std::optional(machine_.steps()) : number(last_text);
    if (argument.empty() || !from || !to)
        return "all-writes TARGET [FROM [TO]]: ADDR[:SIZE], phys:ADDR[:SIZE] or disk:[N:]SECTOR, and steps\n";
    auto target = parse_target(target_text, machine_);
    if (!target) return target.error().message + "\n";
    const auto list = Authors(machine_, timeline_).writes(*target, *from, *to, MostLines, [this](double) {
        return !(poll_ && poll_());
    });
    if (!list) return list.error().message + "\n";
    std::string out;
    for (const Author& author : *list) out += to_text(author) + "\n";
    if (list->size() == MostLines) out += fmt::format("these are the first {}\n", MostLines);
    return out.empty() ? fmt::format("none in the steps {} to {}\n", *from, *to) : out;
}

std::string Stub::monitor(const std::string& line) {
    const auto [command, argument] = split(line);
    const auto where = [&] { return place_of(machine_, timeline_); };
    const auto unless_interrupted = [this](double) { return !(poll_ && poll_()); };
    const auto answer = [&](const Expected<Author>& author) {
        return (author ? to_text(*author) : author.error().message) + "\n";
    };
    if (command.empty() || command == "help") return Help;
    if (command == "where") return where();
    if (command == "seek") {
        const auto step = number(argument);
        if (!step) return "seek needs a step\n";
        if (auto ok = timeline_.seek(*step, unless_interrupted); !ok) return ok.error().message + "\n";
        return where();
    }
    if (command == "branches") {
        std::string out;
        for (const Timeline::Branch& branch : timeline_.branches())
            out += fmt::format("{}: left at step {}, known to step {}, {} inputs to come\n", branch.name,
                               branch.forked_at, branch.last, branch.inputs.size());
        return out.empty() ? "no branches: no input has been given in the past\n" : out;
    }
    if (command == "branch") {
        const auto index = timeline_.find_branch(argument);
        if (!index) return fmt::format("there is no branch '{}'; `monitor branches` lists them\n", argument);
        if (auto ok = timeline_.return_to(*index); !ok) return ok.error().message + "\n";
        return where();
    }
    if (command == "rename-branch") {
        const auto sign = argument.find(" = ");
        const auto index = timeline_.find_branch(argument.substr(0, sign));
        if (sign == std::string::npos || !index) return "rename-branch NAME = NEW NAME\n";
        if (!timeline_.rename_branch(*index, argument.substr(sign + 3)))
            return "a branch needs a name of its own, of at most 64 bytes\n";
        return "";
    }
    if (command == "phase") return run_to_phase(argument);
    if (command == "events") return events(argument);
    if (command == "back") {
        auto spec = parse_break(argument);
        if (!spec) return spec.error().message + "\n";
        Debugger own(machine_);
        if (auto id = own.add(*spec); !id) return id.error().message + "\n";
        RunLimits limits;
        limits.debugger = &own;
        auto report = timeline_.previous(limits, unless_interrupted);
        return report ? where() : report.error().message + "\n";
    }
    if (command == "break") {
        auto id = debugger_.add(argument);
        return id ? fmt::format("breakpoint {} of the monitor\n", *id) : id.error().message + "\n";
    }
    if (command == "list") {
        std::string out;
        for (const Breakpoint& point : debugger_.list())
            out +=
                fmt::format("{} {} hits {} {}\n", point.id, to_text(point.spec), point.hits, point.trouble);
        return out.empty() ? "no breakpoints\n" : out;
    }
    if (command == "delete") {
        const auto id = number(argument);
        const bool of_gdb = id && std::ranges::find(placed_, *id, &Placed::id) != placed_.end();
        if (!id || of_gdb || !debugger_.remove(static_cast<u32>(*id)))
            return "there is no such breakpoint of the monitor\n";
        return "";
    }
    if (command == "all-writes") return all_writes(argument);
    Authors authors(machine_, timeline_);
    if (command == "who-wrote" || command == "who-read") {
        if (argument.empty()) return command + " ADDR[:SIZE], phys:ADDR[:SIZE] or disk:[N:]SECTOR\n";
        auto target = parse_target(argument, machine_);
        if (!target) return target.error().message + "\n";
        return answer(command == "who-wrote" ? authors.who_wrote(*target, unless_interrupted)
                                             : authors.who_read(*target, unless_interrupted));
    }
    if (command == "who-changed" && argument.empty()) return "who-changed REGISTER\n";
    if (command == "who-changed") return answer(authors.who_changed(argument, unless_interrupted));
    if (command == "inspect") {
        if (argument.empty()) return "inspect VIEW, one of\n" + inspect::help_text();
        auto text = inspect::inspect(machine_, argument, false);
        if (text) return *text;
        constexpr std::string_view Option = "--";
        const std::string& why = text.error().message;
        return why.substr(why.starts_with(Option) ? Option.size() : 0) + "\n";
    }
    if (command == "save-recording") {
        if (argument.empty()) return "save-recording FILE\n";
        if (replay_end_ != ~u64{0}) return "this run is a recording already\n";
        if (auto ok = cli::check_output(argument, machine_.config()); !ok) return ok.error().message + "\n";
        const u64 here = machine_.steps();
        auto saved = save_run(machine_, timeline_, argument, {}, unless_interrupted);
        if (machine_.steps() != here)
            if (auto ok = timeline_.seek(here); !ok) return ok.error().message + "\n";
        return (saved ? argument + ": " + to_text(*saved) : saved.error().message) + "\n";
    }
    if (command == "change-cdrom") {
        if (argument.empty()) return "change-cdrom FILE, or change-cdrom none\n";
        if (replay_end_ != ~u64{0}) return "a recording's input cannot be changed\n";
        MediumInput medium{.path = argument == "none" ? std::string() : argument};
        if (auto known = machine_.know_medium(medium); !known) return known.error().message + "\n";
        machine_.input(medium);
        return (medium.path.empty() ? "no disc" : medium.path) + "\n";
    }
    if (command == "print") {
        auto value = debugger_.evaluate(argument);
        return value ? fmt::format("{0:#x} {0}\n", *value) : value.error().message + "\n";
    }
    return fmt::format("'{}' is not a command; `monitor help` lists them\n", command);
}

} // namespace vitrine::emu::gdb
