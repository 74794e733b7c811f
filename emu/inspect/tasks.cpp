// Tasks and run queues: see tasks.h. Names of types and fields: guest/kernel/inspect/README.md.
#include "emu/inspect/tasks.h"
#include <algorithm>
#include <fmt/format.h>
#include <set>
#include "emu/inspect/render.h"
#include "emu/symbols/demangle.h"
#include "emu/symbols/guest_symbols.h"

namespace vitrine::emu::inspect {

namespace {

constexpr u64 MostCpus = 64, MostTasks = 65536;

/// The letters of /proc/PID/stat, proc(5); the kernel's state numbers are Linux's.
std::string state_letter(u64 state) {
    switch (state) {
    case 0: return "R";
    case 1: return "S";
    case 2: return "D";
    case 4: return "T";
    case 8: return "t";
    case 0x10:
    case 0x80: return "X";
    case 0x20: return "Z";
    case 0x102: return "D"; // killable
    case 0x104: return "T";
    case 0x108: return "t";
    case 0x200:             // waking
    case 0x800: return "R"; // new
    case 0x402: return "I";
    default: return fmt::format("?{:x}", state);
    }
}

TaskRow read_task(const GuestObject& task) {
    TaskRow row;
    row.address = task.address();
    row.pid = task.i64_of("pid"), row.tgid = task.i64_of("tgid"), row.nice = task.i64_of("nice");
    row.comm = task.text("comm");
    const u64 ended = task.has("exit_state") ? task.u64_of("exit_state") : 0;
    row.state = state_letter(ended ? ended : task.u64_of("state"));
    row.cpu = task.u64_of("cpu");
    row.on_cpu = task.u64_of("on_cpu") != 0;
    row.kernel_thread = (task.u64_of("flags") & 0x0020'0000) != 0; // PF_KTHREAD
    const GuestObject parent = task.pointer("parent", "Task");
    row.parent = parent.null() ? 0 : parent.i64_of("pid");
    row.vruntime = task.u64_of("vruntime");
    row.weight = task.u64_of("weight");
    row.runtime = task.u64_of("sum_exec_runtime");
    if (task.has("policy")) row.policy = task.u64_of("policy");
    if (task.has("rt_priority")) row.rt_priority = task.u64_of("rt_priority");
    if (task.has("class"))
        if (const GuestObject which = task.pointer("class", "SchedClass"); !which.null())
            row.sched_class = which.text("name");
    if (task.has("voluntary_switches"))
        row.voluntary = task.u64_of("voluntary_switches"),
        row.involuntary = task.u64_of("involuntary_switches");
    if (task.has("thread_flags")) row.need_resched = (task.u64_of("thread_flags") & 8) != 0;
    return row;
}

/// What a sleeping task waits in, as /proc/PID/wchan has it: the first function on its stack that is not the
/// scheduler's. `kernel_rsp` points at the six registers that the switch saved, RBP the last of them.
std::string wait_function(const GuestObject& task, const GuestKernel& kernel, const GuestSymbols& symbols) {
    constexpr u64 SavedRbp = 40, ReturnAddress = 48;
    constexpr unsigned MostFrames = 12;
    const u64 stack = task.u64_of("kernel_rsp");
    u64 frame = 0, place = 0;
    if (!kernel.memory().linear_value(stack + SavedRbp, frame) ||
        !kernel.memory().linear_value(stack + ReturnAddress, place))
        return {};
    for (unsigned i = 0; i < MostFrames; ++i) {
        std::string name = plain_symbol(symbols.name(place));
        name.resize(std::min(name.size(), name.rfind("+0x")));
        // Not the scheduler's, nor the loop that every wait is made of: the function that had to wait.
        if (!name.empty() && !name.contains("schedule") && !name.contains("switch") &&
            !name.contains("wait_event") && name != "wait" && name != "wait_interruptible" &&
            !name.ends_with("::wait") && !name.ends_with("::wait_interruptible"))
            return name;
        // Frames grow towards the stack's beginning; anything else is damage.
        u64 next = 0;
        if (frame <= stack || !kernel.memory().linear_value(frame, next) ||
            !kernel.memory().linear_value(frame + 8, place) || next <= frame)
            return {};
        frame = next;
    }
    return {};
}

void read_tree(const GuestKernel& kernel, const GuestObject& queue, RunQueueRow& row, Notes& notes) {
    const auto in_task = kernel.field("Task", "run_node");
    if (!in_task) return notes.add("the kernel does not publish Task.run_node");
    row.tree_root = queue.u64_of("cfs_root");
    const u64 leftmost = queue.u64_of("cfs_leftmost");
    u64 least = 0;
    kernel.walk_tree(
        row.tree_root, notes,
        [&](const GuestKernel::TreeNode& node) {
            QueuedTask queued;
            queued.node = node.address, queued.left = node.left, queued.right = node.right;
            queued.depth = node.depth, queued.black = node.black, queued.leftmost = node.address == leftmost;
            queued.task = read_task(kernel.object("Task", node.address - in_task->offset, notes));
            // vruntime wraps: order is by signed difference, as the kernel compares.
            if (!row.tree.empty() && static_cast<i64>(queued.task.vruntime - least) < 0)
                notes.add(fmt::format("run queue {}: in flux or corrupt at {} (vruntime out of order)",
                                      row.cpu, hex(node.address, 16)));
            least = queued.task.vruntime;
            row.tree.push_back(std::move(queued));
            return true;
        },
        4096);
    if ((row.tree.empty() ? 0 : row.tree.front().node) != leftmost)
        notes.add(fmt::format("run queue {}: the cached leftmost node {} is not the first", row.cpu,
                              hex(leftmost, 16)));
}

/// The realtime lists, one a priority.
void read_realtime(const GuestKernel& kernel, const GuestObject& queue, RunQueueRow& row, Notes& notes) {
    constexpr u64 Priorities = 100, MostQueued = 4096;
    const auto lists = kernel.field("RunQueue", "rt_queue");
    const auto in_task = kernel.field("Task", "rt_node");
    const auto size = kernel.size_of("ListNode");
    if (!lists || !in_task || !size || !queue.u64_of("rt_nr_running")) return;
    row.rt_throttled = queue.u64_of("rt_throttled") != 0;
    for (u64 priority = Priorities - 1; priority > 0; --priority)
        kernel.walk_list(
            queue.address() + lists->offset + priority * *size, "ListNode", notes, [&](u64 node) {
                row.realtime.push_back(read_task(kernel.object("Task", node - in_task->offset, notes)));
                return row.realtime.size() < MostQueued;
            });
}

nlohmann::json task_json(const TaskRow& t) {
    return {{"address", hex(t.address, 16)},
            {"pid", t.pid},
            {"tgid", t.tgid},
            {"ppid", t.parent},
            {"comm", t.comm},
            {"state", t.state},
            {"cpu", t.cpu},
            {"nice", t.nice},
            {"vruntime", t.vruntime},
            {"weight", t.weight},
            {"runtime_ns", t.runtime},
            {"class", t.sched_class},
            {"policy", policy_name(t.policy)},
            {"rt_priority", t.rt_priority},
            {"voluntary_switches", t.voluntary},
            {"involuntary_switches", t.involuntary},
            {"need_resched", t.need_resched},
            {"waits_in", t.waits_in},
            {"kernel_thread", t.kernel_thread},
            {"on_cpu", t.on_cpu}};
}

} // namespace

const char* policy_name(u64 policy) {
    switch (policy) {
    case 0: return "normal";
    case 1: return "fifo";
    case 2: return "rr";
    case 3: return "batch";
    case 5: return "idle";
    default: return "?";
    }
}

TasksView tasks_view(const std::expected<GuestKernel, std::string>& kernel, const GuestSymbols* symbols) {
    TasksView view;
    if (!kernel) {
        view.why_empty = kernel.error();
        return view;
    }
    const auto list = kernel->root("task_list");
    const auto links_in_task = kernel->field("Task", "tasks");
    if (!list || !links_in_task) {
        view.why_empty = "the kernel does not publish task_list and Task.tasks";
        return view;
    }
    std::set<u64> shown;
    const auto add = [&](u64 address) {
        if (view.rows.size() >= MostTasks || !shown.insert(address).second) return;
        const GuestObject task = kernel->object("Task", address, view.notes);
        TaskRow& row = view.rows.emplace_back(read_task(task));
        if (symbols && !row.on_cpu && (row.state == "S" || row.state == "D" || row.state == "I"))
            row.waits_in = wait_function(task, *kernel, *symbols);
    };
    // The boot processor's idle task is on no list.
    if (const auto init = kernel->root("init_task")) add(init->address);
    const auto in_task = kernel->field("Task", "thread_node");
    const bool threads = in_task && kernel->field("Task", "signal");
    std::set<u64> groups;
    std::size_t links = 0; // that were followed: lists of a damaged kernel may share their nodes
    kernel->walk_list(list->address, "ListNode", view.notes, [&](u64 node) {
        const u64 leader = node - links_in_task->offset;
        add(leader);
        // The list has the leaders of thread groups; a group's threads, the leader too, are on its own.
        const GuestObject task = kernel->object("Task", leader, view.notes);
        if (const u64 group = threads ? task.u64_of("signal") : 0; group && groups.insert(group).second)
            kernel->walk_list(kernel->object("SignalStruct", group, view.notes).address_of("thread_head"),
                              "ListNode", view.notes, [&](u64 thread) {
                                  add(thread - in_task->offset);
                                  return ++links < 2 * MostTasks && view.rows.size() < MostTasks;
                              });
        return links < 2 * MostTasks && view.rows.size() < MostTasks;
    });
    if (links >= 2 * MostTasks || view.rows.size() >= MostTasks)
        view.notes.add("more tasks than are looked at: the rest is left out");
    if (view.rows.empty()) view.why_empty = "the task list is empty: no task was created yet";
    return view;
}

RunQueuesView run_queues_view(const std::expected<GuestKernel, std::string>& kernel) {
    RunQueuesView view;
    if (!kernel) {
        view.why_empty = kernel.error();
        return view;
    }
    const auto queues = kernel->root("run_queues");
    const auto size = kernel->size_of("RunQueue");
    if (!queues || !size) {
        view.why_empty = "the kernel does not publish run_queues";
        return view;
    }
    u64 live = std::min(queues->count, MostCpus);
    if (const auto online = kernel->root("online_cpus")) {
        u32 count = 0;
        if (kernel->memory().linear_value(online->address, count)) live = std::min<u64>(live, count);
    }
    for (u64 i = 0; i < live; ++i) {
        const GuestObject queue = kernel->object("RunQueue", queues->address + i * *size, view.notes);
        const GuestObject current = queue.pointer("current", "Task");
        if (current.null()) continue; // a processor that is not up, or before sched_init
        RunQueueRow row;
        row.address = queue.address();
        row.cpu = queue.u64_of("cpu"), row.running = queue.u64_of("nr_running"),
        row.switches = queue.u64_of("switches");
        row.clock = queue.u64_of("clock");
        if (queue.has("lock") && kernel->field("SpinLock", "locked"))
            row.locked = queue.member("lock", "SpinLock").u64_of("locked") != 0;
        if (row.locked)
            view.notes.add(
                fmt::format("run queue {}: its lock is held, the structures are in flux", row.cpu));
        row.has_current = true;
        row.current = read_task(current);
        row.load = queue.u64_of("cfs_load"), row.min_vruntime = queue.u64_of("cfs_min_vruntime");
        row.fair_running = queue.u64_of("cfs_nr_running");
        read_tree(*kernel, queue, row, view.notes);
        read_realtime(*kernel, queue, row, view.notes);
        view.rows.push_back(std::move(row));
    }
    if (view.rows.empty())
        view.why_empty = "no processor has a current task yet: the scheduler is not initialised";
    return view;
}

/// "nice -5", or "99" of a realtime task.
static std::string priority_text(const TaskRow& t) {
    return t.rt_priority ? fmt::format("{}", t.rt_priority) : fmt::format("nice {}", t.nice);
}

std::string to_text(const TasksView& v) {
    if (!v.why_empty.empty()) return v.why_empty + "\n" + notes_text(v.notes);
    Table table({"pid", "ppid", "state", "cpu", "class", "policy", "priority", "weight", "vruntime ns",
                 "runtime ns", "switches", "waits in", "comm", "address"});
    for (const auto& t : v.rows)
        table.row({std::to_string(t.pid), std::to_string(t.parent), t.state + (t.on_cpu ? "+" : ""),
                   std::to_string(t.cpu), t.sched_class, policy_name(t.policy), priority_text(t),
                   std::to_string(t.weight), std::to_string(t.vruntime), std::to_string(t.runtime),
                   fmt::format("{}+{}", t.voluntary, t.involuntary), t.waits_in,
                   t.kernel_thread ? "[" + t.comm + "]" : t.comm, hex(t.address, 16)});
    return table.text() + notes_text(v.notes);
}

nlohmann::json to_json(const TasksView& v) {
    nlohmann::json rows = nlohmann::json::array();
    for (const auto& t : v.rows) rows.push_back(task_json(t));
    return {{"tasks", rows}, {"why_empty", v.why_empty}, {"notes", notes_json(v.notes)}};
}

std::string to_text(const RunQueuesView& v) {
    if (!v.why_empty.empty()) return v.why_empty + "\n" + notes_text(v.notes);
    std::string out;
    for (const auto& row : v.rows) {
        out +=
            fmt::format("cpu {}  running {}  switches {}  load {}  min_vruntime {}{}\n", row.cpu, row.running,
                        row.switches, row.load, row.min_vruntime, row.locked ? "  (in flux)" : "");
        if (row.has_current)
            out += fmt::format("  current: {} ({}), class {}, {}, vruntime {}, weight {}\n", row.current.comm,
                               row.current.pid, row.current.sched_class, policy_name(row.current.policy),
                               row.current.vruntime, row.current.weight);
        for (const auto& t : row.realtime)
            out += fmt::format("  realtime {}: {} ({}), {}, {}\n", t.rt_priority, t.comm, t.pid,
                               policy_name(t.policy),
                               t.on_cpu           ? "runs"
                               : row.rt_throttled ? "throttled"
                                                  : "waits");
        if (row.tree.empty()) {
            out += "  the tree is empty: nothing else is runnable\n";
            continue;
        }
        Table table({"  vruntime", "weight", "nice", "policy", "state", "pid", "comm", "node"});
        for (const auto& q : row.tree)
            table.row({fmt::format("  {}", q.task.vruntime), std::to_string(q.task.weight),
                       std::to_string(q.task.nice), policy_name(q.task.policy), q.task.state,
                       std::to_string(q.task.pid), q.task.comm,
                       fmt::format("depth {}, {}{}", q.depth, q.black ? "black" : "red",
                                   q.leftmost ? ", leftmost" : "")});
        out += table.text();
    }
    return out + notes_text(v.notes);
}

nlohmann::json to_json(const RunQueuesView& v) {
    nlohmann::json rows = nlohmann::json::array();
    for (const auto& row : v.rows) {
        nlohmann::json tree = nlohmann::json::array();
        for (const auto& q : row.tree) {
            nlohmann::json entry = task_json(q.task);
            entry.update({{"node", hex(q.node, 16)},
                          {"left", hex(q.left, 16)},
                          {"right", hex(q.right, 16)},
                          {"depth", q.depth},
                          {"black", q.black},
                          {"leftmost", q.leftmost}});
            tree.push_back(std::move(entry));
        }
        nlohmann::json realtime = nlohmann::json::array();
        for (const auto& t : row.realtime) realtime.push_back(task_json(t));
        rows.push_back({{"cpu", row.cpu},
                        {"realtime", realtime},
                        {"rt_throttled", row.rt_throttled},
                        {"running", row.running},
                        {"switches", row.switches},
                        {"load", row.load},
                        {"min_vruntime", row.min_vruntime},
                        {"in_flux", row.locked},
                        {"current", row.has_current ? task_json(row.current) : nlohmann::json()},
                        {"tree", tree}});
    }
    return {{"run_queues", rows}, {"why_empty", v.why_empty}, {"notes", notes_json(v.notes)}};
}

} // namespace vitrine::emu::inspect
