// Workqueues: see workqueues.h.
#include "emu/inspect/workqueues.h"
#include <algorithm>
#include "emu/inspect/names.h"
#include "emu/symbols/guest_symbols.h"

namespace vitrine::emu::inspect {

namespace {
constexpr std::size_t MostRows = 1024;
constexpr u64 Unbound = 2, MemoryReclaim = 8, HighPriority = 16,
              WorkerIdle = 4; // guest/kernel/irq/workqueue.h

std::string flags_text(u64 flags) {
    std::string out;
    for (const auto& [bit, word] :
         {std::pair{Unbound, "unbound"}, {MemoryReclaim, "rescuer"}, {HighPriority, "highpri"}})
        if (flags & bit) out += (out.empty() ? "" : " ") + std::string(word);
    return out;
}
} // namespace

void add_workqueues(const GuestKernel& kernel, const GuestSymbols* symbols, SheetsView& view) {
    const auto function = [&](u64 address) {
        return address ? Cell::at(address, Cell::Leads::Code, symbols ? symbols->name(address) : "")
                       : Cell::none();
    };
    const auto queue_name = [&](const GuestObject& pwq) -> Cell {
        if (pwq.null()) return Cell::none();
        return pwq.pointer("workqueue", "Workqueue").text("name");
    };
    const u64 processors = std::clamp<u64>(number_root(kernel, "online_cpus"), 1, 8);
    std::vector<std::vector<Cell>> waiting;
    const auto add_waiting = [&](u64 head, const char* where) {
        const auto entry = kernel.field("Work", "entry");
        if (!entry) return;
        kernel.walk_list(head, "ListNode", view.notes, [&](u64 node) {
            const GuestObject work = kernel.object("Work", node - entry->offset, view.notes);
            waiting.push_back({function(work.u64_of("function")),
                               queue_name(work.pointer("pwq", "PoolWorkqueue")), where,
                               Cell::at(work.address())});
            return waiting.size() < MostRows;
        });
    };

    std::vector<std::vector<Cell>> queues, pools_rows, workers_rows;
    const auto list = kernel.root("workqueues");
    const auto link = kernel.field("Workqueue", "list");
    const auto pwq_size = kernel.size_of("PoolWorkqueue");
    u64 first = 0;
    if (list && link && pwq_size && kernel.memory().linear_value(list->address, first) && first)
        kernel.walk_list(list->address, "ListNode", view.notes, [&](u64 node) {
            const GuestObject queue = kernel.object("Workqueue", node - link->offset, view.notes);
            u64 active = 0, done = 0, most = 0;
            for (u64 i = 0; i < std::min<u64>({queue.u64_of("pwq_count"), processors, 8}); ++i) {
                const GuestObject pwq =
                    kernel.object("PoolWorkqueue", queue.u64_of("pwqs") + i * *pwq_size, view.notes);
                active += pwq.u64_of("active"), done += pwq.u64_of("done"), most = pwq.u64_of("max_active");
                add_waiting(pwq.address_of("inactive"), "the queue's limit");
            }
            queues.push_back({queue.text("name"), flags_text(queue.u64_of("flags")), Cell::number(active),
                              Cell::number(most), Cell::number(done), Cell::at(queue.address())});
            return queues.size() < MostRows;
        });

    const auto pools = kernel.root("worker_pools");
    const auto pool_size = kernel.size_of("WorkerPool");
    const auto in_worker = kernel.field("Worker", "node");
    for (u64 i = 0; pools && pool_size && in_worker && i < std::min<u64>(pools->count, 32); ++i) {
        const GuestObject pool = kernel.object("WorkerPool", pools->address + i * *pool_size, view.notes);
        if (!pool.u64_of("workers_count")) continue; // of a processor that is not there
        const i64 cpu = pool.i64_of("cpu");
        const Cell where = cpu < 0 ? Cell("any") : Cell::signed_number(cpu);
        pools_rows.push_back({where, Cell::signed_number(pool.i64_of("nice")),
                              Cell::number(pool.u64_of("workers_count")),
                              Cell::number(pool.u64_of("idle_count")), Cell::number(pool.u64_of("running")),
                              Cell::at(pool.address())});
        add_waiting(pool.address_of("worklist"), "a worker");
        kernel.walk_list(pool.address_of("workers"), "ListNode", view.notes, [&](u64 node) {
            const GuestObject worker = kernel.object("Worker", node - in_worker->offset, view.notes);
            const GuestObject task = worker.pointer("task", "Task");
            workers_rows.push_back({task.null() ? Cell::none() : Cell(task.text("comm")),
                                    task.null() ? Cell::none() : Cell::number(task.u64_of("pid")), where,
                                    worker.u64_of("flags") & WorkerIdle ? Cell("idle").dim()
                                    : worker.u64_of("sleeping")         ? Cell("sleeps in a work")
                                                                        : Cell("works", Cell::Tone::Active),
                                    function(worker.u64_of("current_func")),
                                    queue_name(worker.pointer("current_pwq", "PoolWorkqueue"))});
            return workers_rows.size() < MostRows;
        });
    }
    const auto sheet = [&](const char* name, const char* title, std::vector<std::string> columns,
                           std::vector<std::vector<Cell>> rows, const char* why_empty) {
        Sheet& fresh = view.add(name, title, std::move(columns));
        fresh.rows = std::move(rows), fresh.why_empty = why_empty;
    };
    sheet("workqueues", "Workqueues", {"Workqueue", "Flags", "Active", "Most", "Done", "At"},
          std::move(queues), "none is made yet");
    sheet("worker_pools", "Pools of kworkers", {"CPU", "Nice", "Workers", "Idle", "Running", "Pool"},
          std::move(pools_rows), "there are no workers yet");
    sheet("kworkers", "Kworkers", {"Worker", "PID", "CPU", "State", "Runs", "Of"}, std::move(workers_rows),
          "there are no workers yet");
    sheet("works", "Works that wait", {"Function", "Of", "Waits for", "Work"}, std::move(waiting),
          "none waits");
}

SheetsView workqueues_view(const std::expected<GuestKernel, std::string>& kernel,
                           const GuestSymbols* symbols) {
    SheetsView view;
    if (!kernel)
        view.why_empty = kernel.error();
    else
        add_workqueues(*kernel, symbols, view);
    return view;
}

} // namespace vitrine::emu::inspect
