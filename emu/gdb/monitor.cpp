// gdb's `monitor` commands: what the protocol has no packets for.
#include <algorithm>
#include <fmt/format.h>
#include "emu/events/events.h"
#include "emu/gdb/stub.h"
#include "emu/inspect/inspect.h"
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
  who-wrote TARGET, who-read TARGET, who-changed REGISTER
  inspect VIEW           as --inspect
  print EXPRESSION
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

std::string Stub::monitor(const std::string& line) {
    const auto [command, argument] = split(line);
    const auto where = [&] {
        const std::string name =
            machine_.symbols() ? machine_.symbols()->name(machine_.processor().rip()) : "";
        return fmt::format("step {} of {} to {}, time {} ns, processor {}, {:#x} {}\n", machine_.steps(),
                           timeline_.first(), timeline_.last(), machine_.time(), machine_.current_processor(),
                           machine_.processor().rip(), name);
    };
    const auto answer = [&](const Expected<Author>& author) {
        return (author ? to_text(*author) : author.error().message) + "\n";
    };
    if (command.empty() || command == "help") return Help;
    if (command == "where") return where();
    if (command == "seek") {
        const auto step = number(argument);
        if (!step) return "seek needs a step\n";
        if (auto ok = timeline_.seek(*step); !ok) return ok.error().message + "\n";
        return where();
    }
    if (command == "phase" || command == "back") {
        BreakSpec spec;
        if (command == "phase")
            spec.kind = BreakKind::Phase, spec.text = argument;
        else if (auto parsed = parse_break(argument); parsed)
            spec = *parsed;
        else
            return parsed.error().message + "\n";
        Debugger own(machine_);
        if (auto id = own.add(spec); !id) return id.error().message + "\n";
        RunLimits limits;
        limits.debugger = &own;
        if (command == "back") {
            auto report = timeline_.previous(limits);
            return report ? where() : report.error().message + "\n";
        }
        limits.host_seconds = 0.05;
        for (;;) {
            const RunReport report = machine_.run(limits);
            if (report.reason == StopReason::Breakpoint) return where();
            if (report.reason != StopReason::HostTimeLimit)
                return fmt::format("the run stopped: {}\n{}", stop_reason_name(report.reason), where());
            if (poll_ && poll_()) return "interrupted\n" + where();
            limits.goes_on = true;
        }
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
    Authors authors(machine_, timeline_);
    if (command == "who-wrote" || command == "who-read") {
        auto target = parse_target(argument, machine_);
        if (!target) return target.error().message + "\n";
        return answer(command == "who-wrote" ? authors.who_wrote(*target) : authors.who_read(*target));
    }
    if (command == "who-changed") return answer(authors.who_changed(argument));
    if (command == "inspect") {
        auto text = inspect::inspect(machine_, argument, false);
        return text ? *text : text.error().message + "\n";
    }
    if (command == "print") {
        auto value = debugger_.evaluate(argument);
        return value ? fmt::format("{0:#x} {0}\n", *value) : value.error().message + "\n";
    }
    return fmt::format("'{}' is not a command; `monitor help` lists them\n", command);
}

} // namespace vitrine::emu::gdb
