// Stopping a CPU: a function that runs on it before everything else, in the context of its thread
// "migration/N", whose class stands before all others. So can be moved what runs there; and all CPUs can be
// brought to stand still (stop_machine).
//
// Invariants: a stopper's works run in the order in which they were queued, one at a time, with preemption
// off. Works of stop_machine() are queued on all CPUs under one mutex: two of them cannot wait for each
// other.
#pragma once

#include "lib/list.h"
#include "sync/wait_queue.h"

namespace kernel {

struct task_struct;
using cpu_stop_fn_t = int (*)(void* arg);

struct cpu_stop_done {
    u32 nr_todo = 0; ///< works that have not run
    int ret = 0;
    struct completion completion;
};
struct cpu_stop_work {
    list_head list;
    cpu_stop_fn_t fn = nullptr;
    void* arg = nullptr;
    cpu_stop_done* done = nullptr; ///< null: nobody waits
};
struct cpu_stopper {
    spinlock_t lock{"cpu_stopper"};
    task_struct* thread = nullptr;
    list_head works;
    u64 executed = 0;
};
extern cpu_stopper cpu_stoppers[NR_CPUS];

/// REQUIRES: kthreadd, and all CPUs.
void cpu_stop_init();
/// Runs fn(arg) there; returns when it has. REQUIRES: task context.
int stop_one_cpu(unsigned cpu, cpu_stop_fn_t fn, void* arg);
/// Does not wait; the work is the stopper's until it has run. REQUIRES: no run queue's lock.
void stop_one_cpu_nowait(unsigned cpu, cpu_stop_fn_t fn, void* arg, cpu_stop_work& work);
/// Runs fn(data) on one CPU while all others stand still with interrupts off. REQUIRES: task context.
int stop_machine(cpu_stop_fn_t fn, void* data);

} // namespace kernel
