// EventStore: what an event means, in words and as JSON.
#include <array>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include "emu/events/disk_command.h"
#include "emu/events/events.h"
#include "emu/events/system_calls.h"
#include "emu/machine.h"

namespace vitrine::emu {

namespace {

constexpr const char* Exceptions[] = {"#DE", "#DB", "NMI", "#BP", "#OF", "#BR", "#UD", "#NM",
                                      "#DF", "9",   "#TS", "#NP", "#SS", "#GP", "#PF", "15",
                                      "#MF", "#AC", "#MC", "#XM", "#VE", "#CP"};

std::string call_text(const EventStore& events, const Event& event) {
    const SystemCall* call = system_call(event.a);
    const auto arguments = events.arguments(event);
    std::string out = call ? std::string(call->name) : fmt::format("call_{}", event.a);
    if (event.c) out = fmt::format("int80_{}", event.a); // numbers of the 32-bit table
    out += '(';
    const unsigned count = call && !event.c ? call->arguments : 6;
    for (unsigned i = 0; i < count; ++i) {
        const i64 value = static_cast<i64>(arguments[i]);
        out += fmt::format("{}{}", i ? ", " : "",
                           value >= -4096 && value < 65536 ? fmt::format("{}", value)
                                                           : fmt::format("{:#x}", arguments[i]));
    }
    if (event.end == Event::Open) return out + ") = ?";
    const i64 result = static_cast<i64>(event.result);
    return out + fmt::format(") = {}", result >= -4096 && result < 65536
                                           ? fmt::format("{}", result)
                                           : fmt::format("{:#x}", event.result));
}

} // namespace

// Task.state as guest/kernel/inspect/README.md lists it.
const char* switch_reason(SwitchFrom from) {
    if (from.pid == 0) return "had nothing to do";
    switch (from.state & 0x7F) {
    case 0: return from.state & 0x80 ? "has ended" : "had to give way";
    case 1: return "sleeps";
    case 2: return from.state & 0x400 ? "rests" : "waits for a device";
    case 4: return "was stopped";
    default: return "waits";
    }
}

std::string EventStore::describe(const Event& event) const {
    switch (event.kind) {
    case EventKind::Interrupt: return fmt::format("interrupt {:#x} at {:#x}", event.a, event.b);
    case EventKind::Exception:
        return fmt::format("{} at {:#x}, error {:#x}",
                           event.a < std::size(Exceptions) ? Exceptions[event.a]
                                                           : fmt::format("exception {}", event.a),
                           event.b, event.c);
    case EventKind::PageFault:
        return fmt::format("#PF at {:#x} ({} {}{}) by {:#x}", event.a, event.c & 4 ? "user" : "kernel",
                           event.c & 16  ? "fetch"
                           : event.c & 2 ? "write"
                                         : "read",
                           event.c & 1 ? ", protection" : "", event.b);
    case EventKind::SystemCall: return call_text(*this, event);
    case EventKind::TaskSwitch: {
        const SwitchFrom from = SwitchFrom::of(event.c);
        return fmt::format("switch to {} (pid {}), as {} {}", text(event), event.b,
                           from.pid ? fmt::format("pid {}", from.pid) : "the idle task", switch_reason(from));
    }
    case EventKind::Disk: {
        const auto code = static_cast<u8>(event.c);
        const DiskCommand command = disk_command(code);
        return fmt::format("{} sector {} count {} port {} slot {}{}",
                           command.name.empty() ? fmt::format("command {:02X}h", code)
                                                : std::string(command.name),
                           event.a, event.b, event.c >> 8 & 0xFF, event.c >> 16,
                           event.end == Event::Open ? "" : fmt::format(", {} ns", event.end - event.time));
    }
    case EventKind::Mode: return fmt::format("mode {}", mode_short_name(static_cast<cpu::Mode>(event.a)));
    case EventKind::Phase: return "phase " + text(event);
    case EventKind::Console: return fmt::format("console: {}", text(event));
    }
    return "?";
}

std::string to_json(const EventStore& events, const Event& event) {
    nlohmann::json object{{"kind", event_kind_name(event.kind)},
                          {"step", event.step},
                          {"time_ns", event.time},
                          {"processor", event.processor},
                          {"text", events.describe(event)}};
    if (event.end != Event::Open) object["end_ns"] = event.end;
    switch (event.kind) {
    case EventKind::Interrupt: object["vector"] = event.a; break;
    case EventKind::Exception: object["vector"] = event.a, object["error"] = event.c; break;
    case EventKind::PageFault:
        object["address"] = fmt::format("{:#x}", event.a), object["error"] = event.c;
        break;
    case EventKind::SystemCall: {
        object["number"] = event.a;
        for (u64 argument : events.arguments(event))
            object["arguments"].push_back(fmt::format("{:#x}", argument));
        if (event.end != Event::Open) object["result"] = static_cast<i64>(event.result);
        break;
    }
    case EventKind::TaskSwitch: object["pid"] = event.b, object["comm"] = events.text(event); break;
    case EventKind::Disk: object["sector"] = event.a, object["sectors"] = event.b; break;
    default: break;
    }
    return object.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

} // namespace vitrine::emu
