// The block layer: see block.h. Names of types and fields: guest/kernel/inspect/README.md.
#include "emu/inspect/block.h"
#include <algorithm>
#include <fmt/format.h>
#include "emu/inspect/names.h"

namespace vitrine::emu::inspect {

namespace {
constexpr unsigned MostDisks = 64, MostTags = 256, MostQueued = 1024;

const char* operation_name(u64 operation) {
    static constexpr const char* Names[] = {"read", "write", "flush", "command"};
    return operation < 4 ? Names[operation] : "?";
}

/// The three counters of a field of DiskStats: reads, writes, flushes.
std::array<u64, 3> three(const GuestKernel& kernel, const GuestObject& stats, std::string_view field) {
    std::array<u64, 3> out{};
    kernel.memory().linear(stats.address_of(field), {reinterpret_cast<u8*>(out.data()), sizeof out});
    return out;
}

/// The kernel's clock as its run queues read it last: what times of requests are measured against.
u64 kernel_clock(const GuestKernel& kernel, Notes& notes) {
    u64 latest = 0;
    const auto queues = kernel.root("run_queues");
    const auto size = kernel.size_of("RunQueue");
    if (!queues || !size) return 0;
    for (u64 i = 0; i < std::min<u64>(queues->count, 8); ++i)
        latest =
            std::max(latest, kernel.object("RunQueue", queues->address + i * *size, notes).u64_of("clock"));
    return latest;
}

void request_row(Sheet& sheet, const GuestObject& request, const std::string& disk, const char* where,
                 u64 clock) {
    const u64 made = request.u64_of("made"), started = request.u64_of("started");
    const bool flies = request.i64_of("tag") >= 0;
    sheet.row({disk, where, flies ? Cell::signed_number(request.i64_of("tag")) : Cell::none(),
               operation_name(request.u64_of("operation")), Cell::number(request.u64_of("sector")),
               Cell::size(request.u64_of("bytes")), Cell::number(request.u64_of("segments")),
               clock > made && made ? Cell::time(clock - made) : Cell("now").dim(),
               flies && clock > started && started ? Cell::time(clock - started) : Cell::none(),
               Cell::number(request.u64_of("retries")), Cell::at(request.address())});
}
} // namespace

SheetsView block_view(const std::expected<GuestKernel, std::string>& kernel) {
    SheetsView view;
    if (!kernel) {
        view.why_empty = kernel.error();
        return view;
    }
    if (!kernel->size_of("Gendisk") || !kernel->root("disks")) {
        view.why_empty = "the kernel does not publish disks";
        return view;
    }
    const u64 clock = kernel_clock(*kernel, view.notes);
    const auto mean = [](u64 total, u64 count) { return count ? Cell::time(total / count) : Cell::none(); };
    Sheet devices("devices", "Disks and partitions",
                  {"Name", "From sector", "Size", "Reads", "Read", "Mean read", "Writes", "Written",
                   "Mean write", "Merged", "Busy", "In flight", "Errors", "Device"});
    u64 at = pointer_root(*kernel, "block_devices");
    for (unsigned i = 0; at && i < MostDisks; ++i) {
        const GuestObject device = kernel->object("BlockDevice", at, view.notes);
        const GuestObject stats = device.member("stats", "DiskStats");
        const auto requests = three(*kernel, stats, "requests"), merges = three(*kernel, stats, "merges"),
                   sectors = three(*kernel, stats, "sectors"), spent = three(*kernel, stats, "nanoseconds");
        const u64 errors = stats.u64_of("errors"), flying = stats.u64_of("in_flight");
        devices.row({device.text("name"), Cell::number(device.u64_of("start")),
                     Cell::size(device.u64_of("sectors") * 512), Cell::number(requests[0]),
                     Cell::size(sectors[0] * 512), mean(spent[0], requests[0]), Cell::number(requests[1]),
                     Cell::size(sectors[1] * 512), mean(spent[1], requests[1]),
                     Cell::number(merges[0] + merges[1]), Cell::time(stats.u64_of("busy")),
                     Cell::number(flying).in(flying ? Cell::Tone::Active : Cell::Tone::Dim),
                     Cell::number(errors).in(errors ? Cell::Tone::Warning : Cell::Tone::Dim), Cell::at(at)});
        at = device.u64_of("next");
    }
    std::ranges::sort(devices.rows, {}, [](const auto& row) { return row[0].text; });
    devices.why_empty = "none yet: the AHCI driver finds them in the phase kernel:initcalls:ahci";

    Sheet queues("queues", "Request queues",
                 {"Disk", "Model", "Elevator", "In flight", "Tags", "Free requests", "State", "Queue"});
    Sheet requests("requests", "Requests",
                   {"Disk", "Where", "Tag", "What", "Sector", "Size", "Segments", "Since made",
                    "In flight for", "Retries", "Request"});
    const auto in_list = kernel->field("Request", "queue_list");
    at = pointer_root(*kernel, "disks");
    for (unsigned i = 0; at && in_list && i < MostDisks; ++i) {
        const GuestObject disk = kernel->object("Gendisk", at, view.notes);
        const GuestObject queue = disk.member("queue", "RequestQueue");
        const std::string name = disk.text("name");
        const GuestObject elevator = queue.pointer("elevator", "Elevator");
        const bool locked = queue.member("lock", "SpinLock").u64_of("locked") != 0;
        queues.row(
            {name, disk.text("model"),
             elevator.null() ? std::string("–") : guest_string(kernel->memory(), elevator.u64_of("name")),
             Cell::number(queue.u64_of("busy")), Cell::number(queue.u64_of("tag_count")),
             Cell::number(queue.u64_of("free")),
             Cell(locked                     ? "in flux"
                  : queue.u64_of("quiesced") ? "recovers from an error"
                                             : "")
                 .dim(),
             Cell::at(queue.address())});
        const u64 tags = std::min<u64>(queue.u64_of("tag_count"), MostTags);
        for (u64 tag = 0; tag < tags; ++tag) {
            u64 request = 0;
            if (kernel->memory().linear_value(queue.address_of("tags") + tag * 8, request) && request)
                request_row(requests, kernel->object("Request", request, view.notes), name, "in flight",
                            clock);
        }
        const auto list = [&](u64 head, const char* where) {
            kernel->walk_list(head, "ListNode", view.notes, [&](u64 node) {
                request_row(requests, kernel->object("Request", node - in_list->offset, view.notes), name,
                            where, clock);
                return requests.rows.size() < MostQueued;
            });
        };
        const u64 node = kernel->size_of("ListNode").value_or(16);
        list(queue.address_of("dispatch"), "to be started");
        list(queue.address_of("fifo"), "waits in order");
        list(queue.address_of("deadline"), "with the elevator, reads");
        list(queue.address_of("deadline") + node, "with the elevator, writes");
        at = disk.u64_of("next");
    }
    requests.remark = requests.rows.empty() ? "" : fmt::format("{}", requests.rows.size());
    requests.why_empty = "none: no disk is asked for anything now";
    queues.why_empty = devices.why_empty;
    view.sheets.push_back(std::move(requests)), view.sheets.push_back(std::move(devices)),
        view.sheets.push_back(std::move(queues));
    return view;
}

} // namespace vitrine::emu::inspect
