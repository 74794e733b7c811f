// What the scheduler tells: /proc/sched_debug, /proc/schedstat, /proc/PID/sched, /proc/PID/schedstat.
// Formats: Linux 6.1's kernel/sched/debug.c, Documentation/scheduler/sched-stats.rst (version 15).
#include "fs/proc/proc.h"
#include "sched/fair_math.h"
#include "sched/scheduler.h"
#include "task/task.h"
#include "time/tick.h"
#include "time/timekeeping.h"

namespace kernel {
namespace {

constexpr u64 SchedFixedpoint = 1024; ///< Linux keeps weights with ten more bits (scale_load)

void print_milliseconds(seq_file& out, u64 nanoseconds) {
    out.print("%lu.%06lu", nanoseconds / 1'000'000, nanoseconds % 1'000'000);
}

void print_rq(seq_file& out, unsigned cpu) {
    out.print(
        "\nrunnable tasks:\n"
        " S            task   PID         tree-key  switches  prio     wait-time             sum-exec\n"
        "-------------------------------------------------------------------------------------------\n");
    IrqSpinGuard guard(tasklist_lock);
    for (LIST_EACH(node, task_list)) {
        for (LIST_EACH(thread, container_of(node, task_struct, tasks)->signal->thread_head)) {
            const task_struct* task = thread_of(thread);
            if (task->cpu != cpu || !task->se.on_rq) continue;
            out.print("%s%c %15s %5d ", task->on_cpu ? ">" : " ", task_state_to_char(*task), task->comm,
                      task->pid);
            print_milliseconds(out, task->se.vruntime);
            out.print(" %9lu %5d ", task->se.nvcsw + task->se.nivcsw, task_prio(*task));
            print_milliseconds(out, task->sched_info.run_delay);
            out.print(" ");
            print_milliseconds(out, task->se.sum_exec_runtime);
            out.print("\n");
        }
    }
}

void print_cpu(seq_file& out, unsigned cpu) {
    const struct rq& queue = runqueues[cpu];
    auto number = [&](const char* name, u64 value) { out.print("  .%-30s: %lu\n", name, value); };
    auto time = [&](const char* name, u64 value) {
        out.print("  .%-30s: ", name);
        print_milliseconds(out, value);
        out.print("\n");
    };
    out.print("\ncpu#%u, %lu.%03lu MHz\n", cpu, tsc_khz / 1000, tsc_khz % 1000);
    number("nr_running", queue.nr_running);
    number("nr_switches", queue.nr_switches);
    out.print("  .%-30s: %ld\n", "nr_uninterruptible", static_cast<i64>(queue.nr_uninterruptible));
    time("next_balance", queue.next_balance * 1'000'000);
    number("curr->pid", static_cast<u64>(queue.curr->pid));
    time("clock", queue.clock);
    number("yld_count", queue.yld_count);
    number("sched_count", queue.sched_count);
    number("sched_goidle", queue.sched_goidle);
    number("ttwu_count", queue.ttwu_count);
    number("ttwu_local", queue.ttwu_local);
    out.print("\ncfs_rq[%u]:\n", cpu);
    time("min_vruntime", queue.cfs.min_vruntime);
    number("nr_running", queue.cfs.nr_running);
    number("load", queue.cfs.load.weight * SchedFixedpoint);
    out.print("\nrt_rq[%u]:\n", cpu);
    number("rt_nr_running", queue.rt.rt_nr_running);
    number("rt_throttled", queue.rt.rt_throttled);
    time("rt_time", queue.rt.rt_time);
    time("rt_runtime", min(sysctl_sched_rt_runtime, sysctl_sched_rt_period));
    print_rq(out, cpu);
}

} // namespace

void show_sched_debug(seq_file& out) {
    u64 now = ktime_get_ns(), factor = get_update_sysctl_factor(online_cpus);
    out.print("Sched Debug Version: v0.11, Vitrine 0.1\n");
    auto time = [&](const char* name, u64 value) {
        out.print("%-40s: ", name);
        print_milliseconds(out, value);
        out.print("\n");
    };
    time("ktime", now);
    time("sched_clk", now);
    out.print("%-40s: %lu\n\nsysctl_sched\n", "jiffies", jiffies);
    time("  .sysctl_sched_latency", sysctl_sched_latency * factor);
    time("  .sysctl_sched_min_granularity", sysctl_sched_min_granularity * factor);
    out.print("  .%-38s: %u (logarithmic)\n", "sysctl_sched_tunable_scaling", 1U);
    for (unsigned cpu = 0; cpu < online_cpus; cpu++) print_cpu(out, cpu);
}

void show_schedstat(seq_file& out) {
    out.print("version 15\ntimestamp %lu\n", jiffies);
    for (unsigned cpu = 0; cpu < online_cpus; cpu++) {
        struct rq& queue = runqueues[cpu];
        IrqSpinGuard guard(queue.lock);
        out.print("cpu%u %u 0 %u %u %u %u %lu %lu %lu\n", cpu, queue.yld_count, queue.sched_count,
                  queue.sched_goidle, queue.ttwu_count, queue.ttwu_local, queue.rq_cpu_time,
                  queue.rq_sched_info.run_delay, queue.rq_sched_info.pcount);
    }
}

void show_task_schedstat(seq_file& out, task_struct& task) {
    out.print("%lu %lu %lu\n", task.se.sum_exec_runtime, task.sched_info.run_delay, task.sched_info.pcount);
}

void show_task_sched(seq_file& out, task_struct& task) {
    u32 threads = 0;
    {
        IrqSpinGuard guard(tasklist_lock);
        if (task.signal) threads = task.signal->nr_threads;
    }
    auto time = [&](const char* name, u64 value) {
        out.print("%-45s:%14lu.%06lu\n", name, value / 1'000'000, value % 1'000'000);
    };
    auto number = [&](const char* name, u64 value) { out.print("%-45s:%21lu\n", name, value); };
    out.print("%s (%d, #threads: %u)\n-------------------------------------------------------------------\n",
              task.comm, task.pid, threads);
    time("se.exec_start", task.se.exec_start);
    time("se.vruntime", task.se.vruntime);
    time("se.sum_exec_runtime", task.se.sum_exec_runtime);
    number("se.nr_migrations", task.nr_migrations);
    time("wait_sum", task.sched_info.run_delay);
    number("wait_count", task.sched_info.pcount);
    number("nr_switches", task.se.nvcsw + task.se.nivcsw);
    number("nr_voluntary_switches", task.se.nvcsw);
    number("nr_involuntary_switches", task.se.nivcsw);
    number("se.load.weight", task.se.load.weight * SchedFixedpoint);
    number("policy", task.policy);
    out.print("%-45s:%21d\n", "prio", task_prio(task));
    u64 first = ktime_get_ns(), second = ktime_get_ns();
    number("clock-delta", second - first);
}

} // namespace kernel
