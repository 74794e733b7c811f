// Events as sentences: see explain.h.
#include "emu/events/explain.h"
#include <algorithm>
#include <cstring>
#include <fmt/format.h>
#include "emu/events/system_calls.h"
#include "emu/inspect/interrupts.h"
#include "emu/symbols/guest_symbols.h"

namespace vitrine::emu {

namespace {

constexpr u64 LookAround = 96;       ///< events
constexpr u64 HandlerSteps = 60'000; ///< an interrupt's consequences come within so many steps

std::string duration(u64 nanoseconds) {
    const double v = static_cast<double>(nanoseconds);
    if (nanoseconds < 1'000) return fmt::format("{} ns", nanoseconds);
    if (nanoseconds < 1'000'000) return fmt::format("{:.1f} µs", v / 1e3);
    if (nanoseconds < 1'000'000'000) return fmt::format("{:.2f} ms", v / 1e6);
    return fmt::format("{:.3f} s", v / 1e9);
}

std::string place(const GuestSymbols* symbols, u64 address) {
    const std::string name = symbols ? symbols->name(address) : std::string();
    return name.empty() ? fmt::format("{:#x}", address) : name;
}

std::string task_text(const EventStore& events, const Event& change) {
    if (change.b == 0) return "the idle task";
    const std::string comm = events.text(change);
    return comm.empty() ? fmt::format("pid {}", change.b) : fmt::format("{} (pid {})", comm, change.b);
}

/// The last switch on a processor before `step`, if it is near enough to be found.
std::optional<Event> switch_before(const EventStore& events, unsigned processor, u64 step) {
    constexpr EventKind Kind = EventKind::TaskSwitch;
    u64 index = events.lower(Kind, step, EventAxis::Step);
    for (u64 looked = 0; index > events.first(Kind) && looked < 4 * LookAround; ++looked) {
        const Event event = events.at(Kind, --index);
        if (event.processor == processor) return event;
    }
    return std::nullopt;
}

/// The next event of a kind on the same processor, within `steps`.
std::optional<Event> next(const EventStore& events, EventKind kind, const Event& after, u64 steps) {
    u64 index = events.lower(kind, after.step + 1, EventAxis::Step);
    for (u64 looked = 0; index < events.end(kind) && looked < LookAround; ++looked, ++index) {
        const Event event = events.at(kind, index);
        if (event.step > after.step + steps) break;
        if (event.processor == after.processor) return event;
    }
    return std::nullopt;
}

/// A sentence begins with a capital, the name of a program with its own letter.
std::string upper_first(std::string text) {
    if (text.starts_with("the ") || text.starts_with("local ") || text.starts_with("interrupt ") ||
        text.starts_with("call-") || text.starts_with("reschedule ") || text.starts_with("spurious "))
        text[0] = static_cast<char>(std::toupper(static_cast<u8>(text[0])));
    return text;
}

std::string who(const EventStore& events, const Event& event) {
    std::string task = task_at(events, event.processor, event.step);
    return task.empty() ? fmt::format("CPU {}", event.processor) : task;
}

std::string interrupt(const EventStore& events, const Event& event, const GuestSymbols* symbols) {
    const std::string title = vector_title(event.a);
    std::string out =
        fmt::format("{}interrupt {:02X}h took CPU {} from {} at {}", title.empty() ? "" : title + " ",
                    event.a, event.processor, who(events, event), place(symbols, event.b));
    // Did it lead to a switch before the next one came?
    const auto change = next(events, EventKind::TaskSwitch, event, HandlerSteps);
    const auto another = next(events, EventKind::Interrupt, event, HandlerSteps);
    const auto call = next(events, EventKind::SystemCall, event, HandlerSteps);
    if (change && (!another || change->step < another->step) && (!call || change->step < call->step))
        out += fmt::format("; {} steps later {} ran", change->step - event.step, task_text(events, *change));
    return upper_first(out);
}

std::string task_switch(const EventStore& events, const Event& event) {
    const SwitchFrom from = SwitchFrom::of(event.c);
    const auto before = switch_before(events, event.processor, event.step);
    const std::string left = from.pid == 0 ? "the idle task"
                             : before && before->b == from.pid && !events.text(*before).empty()
                                 ? fmt::format("{} (pid {})", events.text(*before), from.pid)
                                 : fmt::format("pid {}", from.pid);
    std::string why;
    if (from.pid != 0 && switch_reason(from) == std::string_view("sleeps")) {
        // In which call?
        constexpr EventKind Kind = EventKind::SystemCall;
        u64 index = events.lower(Kind, event.step, EventAxis::Step);
        for (u64 looked = 0; index > events.first(Kind) && looked < LookAround; ++looked) {
            const Event call = events.at(Kind, --index);
            if (call.processor != event.processor || (before && call.step < before->step)) break;
            if (call.end != Event::Open && call.end <= event.time) continue;
            const SystemCall* row = system_call(call.a);
            if (row) why = fmt::format(" in {}", row->name);
            break;
        }
    }
    return fmt::format("CPU {} went to {}: {} {}{}{}", event.processor, task_text(events, event), left,
                       switch_reason(from), why,
                       before && before->b == from.pid
                           ? fmt::format(" after {}", duration(event.time - before->time))
                           : std::string());
}

std::string system_call_text(const EventStore& events, const Event& event) {
    std::string call = events.describe(event);
    if (event.end == Event::Open) call = call.substr(0, call.rfind(" = ?"));
    std::string out = fmt::format("{} called {}", upper_first(who(events, event)), call);
    const i64 result = static_cast<i64>(event.result);
    if (event.end == Event::Open) {
        const bool leaves =
            call.starts_with("exit") || call.starts_with("execve") || call.starts_with("rt_sigreturn");
        return out + (leaves ? ", which does not return there" : ": it has not returned yet");
    }
    if (result < 0 && result > -4096)
        if (const char* name = ::strerrorname_np(static_cast<int>(-result)))
            out += fmt::format(" ({})", name);
    return out + fmt::format("; it took {}", duration(event.end - event.time));
}

std::string page_fault(const EventStore& events, const Event& event, const GuestSymbols* symbols) {
    const bool present = event.c & 1, write = event.c & 2, user = event.c & 4, fetch = event.c & 16;
    const char* did = fetch ? "fetched an instruction from" : write ? "wrote to" : "read from";
    const char* why = event.c & 8     ? "a reserved bit is set in its tables"
                      : !present      ? "no page is there yet"
                      : fetch         ? "the page is not executable"
                      : write && user ? "the page is read-only for now (copy-on-write shares it)"
                      : write         ? "the page is read-only"
                                      : "the page is not the program's";
    return fmt::format("{}{} {} {:#x} at {}: {}", user ? "" : "The kernel, for ",
                       user ? upper_first(who(events, event)) : who(events, event), did, event.a,
                       place(symbols, event.b), why);
}

} // namespace

std::string task_at(const EventStore& events, unsigned processor, u64 step) {
    const auto change = switch_before(events, processor, step);
    return change ? task_text(events, *change) : std::string();
}

// The bundled kernel's vectors are Linux's (arch/x86/include/asm/irq_vectors.h names them).
std::string vector_title(u64 vector) {
    if (vector < 32) return inspect::vector_name(static_cast<unsigned>(vector));
    switch (vector) {
    case 0xEC: return "local APIC timer";
    case 0xFB: return "call-function";
    case 0xFC: return "call-function";
    case 0xFD: return "reschedule";
    case 0xFE: return "APIC error";
    case 0xFF: return "spurious";
    default: return {};
    }
}

std::string explain(const EventStore& events, const Event& event, const GuestSymbols* symbols) {
    switch (event.kind) {
    case EventKind::Interrupt: return interrupt(events, event, symbols);
    case EventKind::Exception: {
        const std::string title = vector_title(event.a);
        return fmt::format("{} got {}{} at {}", upper_first(who(events, event)),
                           title.empty() ? fmt::format("exception {}", event.a) : title,
                           event.c ? fmt::format(", error code {:#x},", event.c) : "",
                           place(symbols, event.b));
    }
    case EventKind::PageFault: return page_fault(events, event, symbols);
    case EventKind::SystemCall: return system_call_text(events, event);
    case EventKind::TaskSwitch: return task_switch(events, event);
    case EventKind::Disk: {
        const std::string what = events.describe(event);
        return fmt::format("The disk was asked for {}{}", what.substr(0, what.find(", ")),
                           event.end == Event::Open
                               ? std::string(": it has not answered")
                               : fmt::format(" and answered after {}", duration(event.end - event.time)));
    }
    case EventKind::Mode: return fmt::format("The processor went into {}", events.describe(event));
    case EventKind::Phase: return fmt::format("The boot entered {}", events.describe(event));
    case EventKind::Console: return fmt::format("The console printed \"{}\"", events.text(event));
    }
    return {};
}

std::string what_happened(const EventStore& events, u64 from, u64 to, const GuestSymbols* symbols) {
    constexpr u32 Kinds =
        EventStore::AllKinds & ~EventStore::bit(EventKind::Console) & ~EventStore::bit(EventKind::Mode);
    std::optional<Event> last;
    // The last event of each kind; of those, who runs now matters most, then what came last.
    for (unsigned k = 0; k < EventKinds; ++k) {
        const auto kind = static_cast<EventKind>(k);
        if (!(Kinds >> k & 1)) continue;
        const u64 end = events.lower(kind, to, EventAxis::Step);
        if (end == events.first(kind)) continue;
        const Event event = events.at(kind, end - 1);
        if (event.step < from) continue;
        const bool switches = kind == EventKind::TaskSwitch,
                   had = last && last->kind == EventKind::TaskSwitch;
        if (!last || (switches && !had) || (switches == had && event.step > last->step)) last = event;
    }
    return last ? explain(events, *last, symbols) : std::string();
}

} // namespace vitrine::emu
