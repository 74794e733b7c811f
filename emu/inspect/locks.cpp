// Locks: see locks.h. Names of types and fields: guest/kernel/inspect/README.md.
#include "emu/inspect/locks.h"
#include <algorithm>
#include <fmt/format.h>
#include "emu/inspect/names.h"
#include "emu/inspect/tasks.h"

namespace vitrine::emu::inspect {

namespace {
constexpr u64 MostClasses = 1024, MostHeld = 64, MostCpus = 64;

std::string usage_text(u64 mask) {
    std::string out;
    static constexpr const char* Names[] = {"in interrupts", "in softirqs", "with interrupts on",
                                            "with softirqs on"};
    for (unsigned i = 0; i < 4; ++i)
        if (mask >> i & 1) out += (out.empty() ? "" : ", ") + std::string(Names[i]);
    return out;
}

void held(const GuestKernel& kernel, const std::vector<TaskRow>& tasks, SheetsView& view) {
    Sheet& sheet = view.add("held", "Held now", {"PID", "Task", "Lock", "How", "Instance"});
    sheet.why_empty = "nobody holds a lock that is watched";
    const auto size = kernel.size_of("HeldLock");
    if (!size) return;
    for (const TaskRow& row : tasks) {
        const GuestObject task = kernel.object("Task", row.address, view.notes);
        const u64 depth = std::min(task.u64_of("lockdep_depth"), MostHeld);
        for (u64 i = 0; i < depth; ++i) {
            const GuestObject lock =
                kernel.object("HeldLock", task.address_of("held_locks") + i * *size, view.notes);
            const GuestObject cls = lock.pointer("class", "LockClass");
            sheet.row({Cell::signed_number(row.pid), row.comm,
                       guest_string(kernel.memory(), cls.u64_of("name")),
                       lock.u64_of("read") ? "for reading" : "alone", Cell::at(lock.u64_of("instance"))});
        }
    }
}

void waiters(const std::vector<TaskRow>& tasks, SheetsView& view) {
    Sheet& sheet = view.add("waiters", "Tasks that sleep",
                            {"PID", "Task", "State", "Waits in", "Gave the processor away"});
    for (const TaskRow& row : tasks)
        if (!row.on_cpu && row.state != "R" && row.state != "Z" && row.state != "X")
            sheet.row({Cell::signed_number(row.pid), row.comm, row.state,
                       Cell(row.waits_in)
                           .in(row.waits_in.contains("mutex") || row.waits_in.contains("down_")
                                   ? Cell::Tone::Marked
                                   : Cell::Tone::Plain),
                       Cell::number(row.voluntary)});
}

/// Spin locks that are parts of published structures.
void published(const GuestKernel& kernel, SheetsView& view) {
    Sheet& sheet = view.add("spin_locks", "Spin locks of published structures",
                            {"Lock", "Of", "State", "Holder", "Acquired", "At"});
    const auto add = [&](const GuestObject& lock, std::string of) {
        const bool locked = lock.u64_of("locked") != 0;
        const u64 owner = lock.u64_of("owner_cpu");
        sheet.row({guest_string(kernel.memory(), lock.u64_of("name")), std::move(of),
                   Cell(locked ? "held" : "free").in(locked ? Cell::Tone::Active : Cell::Tone::Dim),
                   locked ? Cell(fmt::format("CPU {}", owner)) : Cell::none(),
                   Cell::number(lock.u64_of("acquired")), Cell::at(lock.address())});
    };
    if (const auto lock = kernel.root("task_list_lock"))
        add(kernel.object("SpinLock", lock->address, view.notes), "the task list");
    const u64 online = std::min<u64>(number_root(kernel, "online_cpus"), 8);
    if (const auto queues = kernel.root("run_queues"); queues && kernel.size_of("RunQueue"))
        for (u64 i = 0; i < std::min(queues->count, online); ++i)
            add(kernel.object("RunQueue", queues->address + i * *kernel.size_of("RunQueue"), view.notes)
                    .member("lock", "SpinLock"),
                fmt::format("the run queue of CPU {}", i));
    if (const auto zones = kernel.root("zones"); zones && kernel.size_of("Zone"))
        for (u64 i = 0; i < std::min<u64>(zones->count, 16); ++i) {
            const GuestObject zone =
                kernel.object("Zone", zones->address + i * *kernel.size_of("Zone"), view.notes);
            if (zone.u64_of("managed")) add(zone.member("lock", "SpinLock"), "zone " + zone.text("name"));
        }
    u64 disk = pointer_root(kernel, "disks");
    for (unsigned i = 0; disk && i < 16; ++i) {
        const GuestObject object = kernel.object("Gendisk", disk, view.notes);
        add(object.member("queue", "RequestQueue").member("lock", "SpinLock"),
            "the request queue of " + object.text("name"));
        disk = object.u64_of("next");
    }
    if (const auto caches = kernel.root("kmem_caches")) {
        if (const auto in = kernel.field("KmemCache", "caches"))
            kernel.walk_list(caches->address, "ListNode", view.notes, [&](u64 node) {
                const GuestObject cache = kernel.object("KmemCache", node - in->offset, view.notes);
                add(cache.member("lock", "SpinLock"), "slab cache " + cache.text("name"));
                return sheet.rows.size() < 512;
            });
    }
}

void memory_locks(const GuestKernel& kernel, const std::vector<TaskRow>& tasks, SheetsView& view) {
    Sheet& sheet =
        view.add("mmap_locks", "Locks of address spaces", {"PID", "Task", "mmap_lock", "Writer", "At"});
    for (const TaskRow& row : tasks) {
        const GuestObject memory =
            kernel.object("Task", row.address, view.notes).pointer("mm", "MemoryStruct");
        if (memory.null() || row.pid != row.tgid) continue;
        const GuestObject lock = memory.member("mmap_lock", "RwSemaphore");
        const i64 count = lock.i64_of("count");
        sheet.row({Cell::signed_number(row.pid), row.comm,
                   Cell(count == 0  ? "free"
                        : count < 0 ? "held for writing"
                                    : fmt::format("{} read", count))
                       .in(count ? Cell::Tone::Active : Cell::Tone::Dim),
                   Cell::at(lock.u64_of("owner")), Cell::at(lock.address())});
    }
    sheet.why_empty = "no process yet";
}

void classes(const GuestKernel& kernel, LocksView& view) {
    Sheet sheet("classes", "Lock classes, the most contended first",
                {"Class", "Taken", "Contended", "Waited", "Longest wait", "Held", "Longest hold", "Used",
                 "Class at"});
    Sheet order("order", "Order: held → taken while it was held", {"Held", "Then taken"});
    sheet.why_empty = order.why_empty = "the kernel does not watch its locks: its command line must say "
                                        "lockdep (with --kernel: --append lockdep)";
    const auto table = kernel.root("lock_classes");
    const auto size = kernel.size_of("LockClass"), stats_size = kernel.size_of("LockStats");
    const auto after = kernel.field("LockClass", "locks_after"), stats = kernel.field("LockClass", "stats");
    const u64 khz = number_root(kernel, "tsc_khz");
    if (table && size && stats_size && after && stats) {
        const u64 count = std::min({number_root(kernel, "lock_class_count"), table->count, MostClasses});
        const auto time = [&](u64 cycles) {
            return khz ? Cell::time(
                             static_cast<u64>(static_cast<unsigned __int128>(cycles) * 1'000'000 / khz))
                       : Cell::number(cycles);
        };
        for (u64 i = 0; i < count; ++i) {
            const GuestObject cls = kernel.object("LockClass", table->address + i * *size, view.notes);
            LockGraph::Class node;
            node.name = guest_string(kernel.memory(), cls.u64_of("name"));
            if (const u64 subclass = cls.u64_of("subclass")) node.name += fmt::format("/{}", subclass);
            u64 waited = 0, held_for = 0, longest_wait = 0, longest_hold = 0;
            for (u64 cpu = 0; cpu < std::min<u64>(stats->size / *stats_size, MostCpus); ++cpu) {
                const GuestObject s =
                    kernel.object("LockStats", cls.address() + stats->offset + cpu * *stats_size, view.notes);
                node.acquisitions += s.u64_of("acquisitions"), node.contentions += s.u64_of("contentions");
                const GuestObject wait = s.member("wait_time", "LockTime"),
                                  hold = s.member("hold_time", "LockTime");
                waited += wait.u64_of("total"), held_for += hold.u64_of("total");
                longest_wait = std::max(longest_wait, wait.u64_of("max")),
                longest_hold = std::max(longest_hold, hold.u64_of("max"));
            }
            for (unsigned word = 0; word < std::min<u64>(after->size / 8, count / 64 + 1); ++word) {
                u64 bits = 0;
                kernel.memory().linear_value(cls.address() + after->offset + u64{word} * 8, bits);
                for (unsigned bit = 0; bit < 64; ++bit)
                    if (bits >> bit & 1 && word * 64 + bit < count) node.after.push_back(word * 64 + bit);
            }
            sheet.row(
                {node.name, Cell::number(node.acquisitions),
                 Cell::number(node.contentions).in(node.contentions ? Cell::Tone::Marked : Cell::Tone::Dim),
                 time(waited), time(longest_wait), time(held_for), time(longest_hold),
                 Cell(usage_text(cls.u64_of("usage_mask"))).dim(), Cell::at(cls.address())});
            view.graph.classes.push_back(std::move(node));
        }
        for (const auto& from : view.graph.classes)
            for (unsigned to : from.after) order.row({from.name, view.graph.classes[to].name});
        std::ranges::sort(sheet.rows, std::greater{}, [](const auto& row) {
            return std::tuple(row[2].value.template get<u64>(), row[1].value.template get<u64>(),
                              row[0].text);
        });
        if (!sheet.rows.empty())
            sheet.remark = fmt::format("{}", sheet.rows.size()),
            order.remark = fmt::format("{} pairs", order.rows.size());
    }
    view.sheets.push_back(std::move(sheet)), view.sheets.push_back(std::move(order));
}
} // namespace

LocksView locks_view(const std::expected<GuestKernel, std::string>& kernel, const GuestSymbols* symbols) {
    LocksView view;
    if (!kernel) {
        view.why_empty = kernel.error();
        return view;
    }
    const auto tasks = tasks_view(kernel, symbols).rows;
    held(*kernel, tasks, view);
    waiters(tasks, view);
    classes(*kernel, view);
    published(*kernel, view);
    memory_locks(*kernel, tasks, view);
    return view;
}

std::string to_text(const LocksView& view) { return to_text(static_cast<const SheetsView&>(view)); }
nlohmann::json to_json(const LocksView& view) { return to_json(static_cast<const SheetsView&>(view)); }

} // namespace vitrine::emu::inspect
