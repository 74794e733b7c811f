// Events for other tools. Chrome's "Trace Event Format": complete events (X) where an end is known, instants
// (i) else; times in microseconds; a process is a processor, a thread a kind. ftrace: the text of trace_pipe
// (Documentation/trace/ftrace.rst), with Linux's event names where Linux has them.
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include "emu/events/disk_command.h"
#include "emu/events/events.h"

namespace vitrine::emu {

namespace {
constexpr std::size_t All = ~std::size_t{0};

std::string microseconds(u64 nanoseconds) {
    return fmt::format("{}.{:03}", nanoseconds / 1000, nanoseconds % 1000);
}
std::string quoted(const std::string& text) {
    return nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}
} // namespace

std::string to_chrome_trace(const EventStore& events, u32 kinds, u64 from, u64 to) {
    std::string out = "{\"displayTimeUnit\":\"ns\",\"traceEvents\":[\n";
    std::array<bool, 256> processors{};
    bool first = true;
    const auto add = [&](const std::string& row) {
        out += first ? "" : ",\n";
        out += row;
        first = false;
    };
    for (const Event& event : events.query(kinds, from, to, All)) {
        processors[event.processor] = true;
        const unsigned thread = static_cast<unsigned>(event.kind) + 1;
        const bool whole = event.end != Event::Open && event.end >= event.time;
        add(fmt::format("{{\"name\":{},\"cat\":\"{}\",\"ph\":\"{}\",\"ts\":{},{}\"pid\":{},\"tid\":{},"
                        "\"args\":{{\"step\":{}}}}}",
                        quoted(events.describe(event)), event_kind_name(event.kind), whole ? "X" : "i",
                        microseconds(event.time),
                        whole ? fmt::format("\"dur\":{},", microseconds(event.end - event.time))
                              : "\"s\":\"t\",",
                        event.processor, thread, event.step));
    }
    for (unsigned processor = 0; processor < processors.size(); ++processor) {
        if (!processors[processor]) continue;
        add(fmt::format(
            "{{\"name\":\"process_name\",\"ph\":\"M\",\"pid\":{},\"args\":{{\"name\":\"processor {}\"}}}}",
            processor, processor));
        for (unsigned kind = 0; kind < EventKinds; ++kind)
            if (kinds >> kind & 1)
                add(fmt::format("{{\"name\":\"thread_name\",\"ph\":\"M\",\"pid\":{},\"tid\":{},\"args\":{{"
                                "\"name\":\"{}\"}}}}",
                                processor, kind + 1, event_kind_name(static_cast<EventKind>(kind))));
    }
    return out + "\n]}\n";
}

std::string to_ftrace_text(const EventStore& events, u32 kinds, u64 from, u64 to) {
    std::string out = "# tracer: nop\n#\n#           TASK-PID     CPU#  |||||  TIMESTAMP  FUNCTION\n";
    // The task of a processor is that of its last switch.
    std::array<std::pair<std::string, u64>, 256> task;
    task.fill({"<...>", 0});
    if (!(kinds & EventStore::bit(EventKind::TaskSwitch)))
        for (const Event& event : events.query(EventKind::TaskSwitch, 0, from, All))
            task[event.processor] = {events.text(event), event.b};
    for (const Event& event : events.query(kinds, from, to, All)) {
        auto& [comm, pid] = task[event.processor];
        std::string what;
        switch (event.kind) {
        case EventKind::TaskSwitch:
            what = fmt::format(
                "sched_switch: prev_comm={} prev_pid={} prev_prio=120 prev_state=R ==> next_comm={} "
                "next_pid={} next_prio=120",
                comm, pid, events.text(event), event.b);
            break;
        case EventKind::SystemCall: {
            const auto a = events.arguments(event);
            what = fmt::format("sys_enter: NR {} ({:x}, {:x}, {:x}, {:x}, {:x}, {:x})", event.a, a[0], a[1],
                               a[2], a[3], a[4], a[5]);
            break;
        }
        case EventKind::PageFault:
            what = fmt::format("page_fault_{}: address={:#x} ip={:#x} error_code={:#x}",
                               event.c & 4 ? "user" : "kernel", event.a, event.b, event.c);
            break;
        case EventKind::Interrupt:
            what = fmt::format("irq_vector: vector={} ip={:#x}", event.a, event.b);
            break;
        case EventKind::Disk:
            what = fmt::format("block_rq_issue: 8,{} {} {} () {} + {} [vitrine]", 16 * (event.c >> 8 & 0xFF),
                               disk_command(static_cast<u8>(event.c)).writes ? "W" : "R", event.b * 512,
                               event.a, event.b);
            break;
        default: what = fmt::format("{}: {}", event_kind_name(event.kind), events.describe(event));
        }
        out += fmt::format("{:>16}-{:<7} [{:03}] ..... {}.{:06}: {}\n", comm, pid, event.processor,
                           event.time / 1'000'000'000, event.time / 1000 % 1'000'000, what);
        if (event.kind == EventKind::TaskSwitch) comm = events.text(event), pid = event.b;
    }
    return out;
}

} // namespace vitrine::emu
