// Timers: see timers.h.
#include "emu/inspect/timers.h"
#include <algorithm>
#include <fmt/format.h>
#include <tuple>
#include "emu/inspect/names.h"
#include "emu/inspect/render.h"
#include "emu/symbols/guest_symbols.h"

namespace vitrine::emu::inspect {

namespace {
constexpr std::size_t MostTimers = 1024;
constexpr u64 Never = 0x7fff'ffff'ffff'ffff, TickNanoseconds = 4'000'000; // 250 Hz

struct Reader {
    const GuestKernel& kernel;
    const GuestSymbols* symbols;
    SheetsView& view;
    u64 processors;

    Cell function(u64 address) const {
        const std::string known = symbols ? symbols->name(address) : "";
        return address ? Cell::at(address, Cell::Leads::Code, known) : Cell::none();
    }
    /// Calls body(processor, object) for each element of a root that has one a processor.
    template <typename Body> void each(const char* name, const char* type, Body body) const {
        const auto root = kernel.root(name);
        const auto size = kernel.size_of(type);
        for (u64 cpu = 0; root && size && cpu < std::min(processors, root->count); ++cpu)
            body(cpu, kernel.object(type, root->address + cpu * *size, view.notes));
    }
};

Cell moment(u64 nanoseconds) { return nanoseconds == Never ? Cell("never").dim() : Cell::time(nanoseconds); }

const char* clock_name(u64 clock) {
    switch (clock) {
    case 0: return "realtime";
    case 1: return "monotonic";
    case 7: return "boottime";
    case 11: return "TAI";
    default: return "?";
    }
}

void add_wheel(const Reader& in) {
    struct Armed {
        u64 cpu, expires;
        std::size_t order; ///< as it was met
        std::vector<Cell> cells;
    };
    std::vector<Armed> armed;
    const u64 now = number_root(in.kernel, "jiffies");
    const auto entry = in.kernel.field("Timer", "entry"), map = in.kernel.field("TimerBase", "pending_map");
    const auto link = in.kernel.size_of("ListNode");
    in.each("timer_bases", "TimerBase", [&](u64 cpu, const GuestObject& base) {
        if (!entry || !map || !link) return;
        for (u64 level = 0; level < map->size / 8; ++level) {
            u64 pending = 0;
            in.kernel.memory().linear_value(base.address() + map->offset + level * 8, pending);
            for (; pending && armed.size() < MostTimers; pending &= pending - 1) {
                const u64 bucket = level * 64 + static_cast<u64>(__builtin_ctzll(pending));
                in.kernel.walk_list(
                    base.address_of("vectors") + bucket * *link, "ListNode", in.view.notes, [&](u64 node) {
                        const GuestObject timer =
                            in.kernel.object("Timer", node - entry->offset, in.view.notes);
                        const u64 expires = timer.u64_of("expires");
                        armed.push_back(
                            {cpu,
                             expires,
                             armed.size(),
                             {Cell::number(expires),
                              expires > now ? Cell::time((expires - now) * TickNanoseconds)
                                            : Cell("due", Cell::Tone::Active),
                              Cell::number(cpu), Cell::number(level), in.function(timer.u64_of("function")),
                              Cell::at(timer.u64_of("context")), Cell::at(timer.address())}});
                        return armed.size() < MostTimers;
                    });
            }
        }
    });
    std::ranges::sort(armed, {},
                      [](const Armed& one) { return std::tuple(one.expires, one.cpu, one.order); });
    Sheet& sheet = in.view.add("wheel", "Armed timers of the wheels, the next first",
                               {"Expires, jiffies", "In", "CPU", "Level", "Function", "Context", "Timer"});
    sheet.remark = fmt::format("now {}", now), sheet.why_empty = "none is armed";
    for (Armed& one : armed) sheet.row(std::move(one.cells));
}

void add_hrtimers(const Reader& in) {
    Sheet& sheet = in.view.add("hrtimers", "High-resolution timers, in the order of their queues",
                               {"CPU", "Clock", "Expires", "Expires at the latest", "Function", "Timer"});
    sheet.why_empty = "none is armed";
    const auto node_in_timer = in.kernel.field("Hrtimer", "node");
    const auto bases = in.kernel.field("HrtimerCpuBase", "clock_base");
    const auto size = in.kernel.size_of("HrtimerClockBase");
    in.each("hrtimer_bases", "HrtimerCpuBase", [&](u64 cpu, const GuestObject& cpu_base) {
        for (u64 i = 0; bases && size && node_in_timer && i < bases->size / *size; ++i) {
            const GuestObject base = in.kernel.object(
                "HrtimerClockBase", cpu_base.address() + bases->offset + i * *size, in.view.notes);
            in.kernel.walk_tree(base.u64_of("root"), in.view.notes, [&](const GuestKernel::TreeNode& node) {
                const GuestObject timer =
                    in.kernel.object("Hrtimer", node.address - node_in_timer->offset, in.view.notes);
                sheet.row({Cell::number(cpu), clock_name(base.u64_of("clockid")),
                           moment(timer.u64_of("softexpires")), moment(timer.u64_of("expires")),
                           in.function(timer.u64_of("function")), Cell::at(timer.address())});
                return sheet.rows.size() < MostTimers;
            });
        }
    });
}

void add_ticks(const Reader& in) {
    Sheet& sheet = in.view.add(
        "ticks", "Ticks, and processors that idle without",
        {"CPU", "Tick", "Next without tick", "Idle calls", "Idle sleeps", "Idle time", "Events", "Hangs"});
    in.each("tick_cpu_sched", "TickSched", [&](u64 cpu, const GuestObject& tick) {
        u64 events = 0, hangs = 0;
        in.each("hrtimer_bases", "HrtimerCpuBase", [&](u64 other, const GuestObject& base) {
            if (other == cpu) events = base.u64_of("nr_events"), hangs = base.u64_of("nr_hangs");
        });
        const bool stopped = tick.u64_of("tick_stopped") != 0;
        sheet.row({Cell::number(cpu),
                   !tick.u64_of("nohz_mode") ? Cell("periodic device")
                   : stopped                 ? Cell("stopped", Cell::Tone::Dim)
                                             : Cell("running", Cell::Tone::Active),
                   stopped ? moment(tick.u64_of("next_tick")) : Cell::none(),
                   Cell::number(tick.u64_of("idle_calls")), Cell::number(tick.u64_of("idle_sleeps")),
                   Cell::time(tick.u64_of("idle_sleeptime")), Cell::number(events), Cell::number(hangs)});
    });
}

void add_devices(const Reader& in) {
    Sheet& sheet = in.view.add("clock_events", "Clock event devices",
                               {"CPU", "Device", "Mode", "Next event", "Least", "Handler"});
    in.each("tick_cpu_device", "TickDevice", [&](u64 cpu, const GuestObject& device) {
        const u64 name = device.u64_of("name");
        if (!name) return;
        sheet.row({Cell::number(cpu), guest_string(in.kernel.memory(), name),
                   device.u64_of("one_shot") ? "one-shot" : "periodic", moment(device.u64_of("next_event")),
                   Cell::time(device.u64_of("min_delta_ns")), in.function(device.u64_of("event_handler"))});
    });
    sheet.why_empty = "the tick has not begun";
}
} // namespace

SheetsView timers_view(const std::expected<GuestKernel, std::string>& kernel, const GuestSymbols* symbols) {
    SheetsView view;
    if (!kernel) {
        view.why_empty = kernel.error();
        return view;
    }
    const Reader in{*kernel, symbols, view, std::clamp<u64>(number_root(*kernel, "online_cpus"), 1, 8)};
    add_wheel(in);
    add_hrtimers(in);
    add_ticks(in);
    add_devices(in);
    return view;
}

} // namespace vitrine::emu::inspect
