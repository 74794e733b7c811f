// Tasks and run queues of the bundled kernel.
//
// A run queue whose lock is held is shown as it is and labelled "in flux".
#pragma once
#include <nlohmann/json.hpp>
#include <string>
#include <vector>
#include "emu/inspect/kernel.h"

namespace vitrine::emu::inspect {

struct TaskRow {
    u64 address = 0;
    i64 pid = 0, tgid = 0, parent = 0, nice = 0;
    std::string comm, state; ///< state: "R" … as ps prints it
    u64 cpu = 0, vruntime = 0, weight = 0, runtime = 0;
    bool kernel_thread = false, on_cpu = false;
    u64 policy = 0;          ///< SCHED_NORMAL 0, FIFO 1, RR 2, BATCH 3, IDLE 5
    u64 rt_priority = 0;     ///< 1–99 under FIFO and RR
    std::string sched_class; ///< who decides when it runs: "rt", "fair", "idle"; empty before its first run
    u64 voluntary = 0, involuntary = 0;
    bool need_resched = false;
    std::string waits_in; ///< the function that gave the processor away, when it sleeps
};
struct TasksView {
    std::vector<TaskRow> rows;
    Notes notes;
    std::string why_empty; ///< not empty: there is nothing to show, and this is why
};

struct QueuedTask {
    TaskRow task;
    unsigned depth = 0; ///< in the tree
    bool black = false;
    u64 node = 0, left = 0, right = 0; ///< addresses of RbNodes, for drawing the tree
    bool leftmost = false;
};
struct RunQueueRow {
    u64 address = 0, cpu = 0, running = 0, switches = 0, clock = 0;
    u64 load = 0, min_vruntime = 0, fair_running = 0;
    bool locked = false;
    TaskRow current;
    bool has_current = false;
    std::vector<QueuedTask> tree;  ///< in order of vruntime
    u64 tree_root = 0;             ///< address of the root node
    std::vector<TaskRow> realtime; ///< the current one included, the highest priority first
    bool rt_throttled = false;     ///< realtime tasks had their share of this period
};
struct RunQueuesView {
    std::vector<RunQueueRow> rows;
    Notes notes;
    std::string why_empty;
};

/// `symbols` names what tasks wait in; without them that stays empty.
TasksView tasks_view(const std::expected<GuestKernel, std::string>& kernel,
                     const GuestSymbols* symbols = nullptr);
/// "normal", "fifo" …
const char* policy_name(u64 policy);
RunQueuesView run_queues_view(const std::expected<GuestKernel, std::string>& kernel);

std::string to_text(const TasksView& view);
nlohmann::json to_json(const TasksView& view);
std::string to_text(const RunQueuesView& view);
nlohmann::json to_json(const RunQueuesView& view);

} // namespace vitrine::emu::inspect
