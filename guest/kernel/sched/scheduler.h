// The scheduler: one run queue per CPU, the fair class (CFS) and the idle task. sched/fair.cpp orders,
// sched/core.cpp switches.
//
// Invariants (under RunQueue::lock, interrupts off): fair.running counts the runnable fair tasks, the current
// one included; the tree holds all of them but the current one; fair.load is the sum of their weights;
// min_vruntime never goes backwards.
#pragma once

#include "lib/rbtree.h"
#include "sync/spinlock.h"
#include "task/task.h"

namespace kernel {

struct FairQueue {
    u64 load = 0;
    u64 running = 0;
    u64 min_vruntime = 0;
    RbRootCached tree;
    SchedEntity* current = nullptr;
};

struct RunQueue {
    u32 cpu = 0;
    u32 running = 0;
    u64 clock = 0; ///< ns
    Task* current = nullptr;
    Task* idle = nullptr;
    u64 switches = 0;
    FairQueue fair;
    SpinLock lock{"runqueue"};
};

extern RunQueue run_queues[MaxCpus];

/// Task of an entity.
Task* task_of(SchedEntity* entity);

void initialise_scheduler();
/// Gives the CPU away; returns when the caller is picked again.
void schedule();
/// Switches only for the sake of preemption: the caller stays runnable whatever its state says.
void preempt_schedule();
bool wake_up_task(Task* task);
void wake_up_new_task(Task* task);
/// HZ times a second, from the timer interrupt.
void scheduler_tick();
void yield_task();
void set_nice(Task* task, i32 nice);
[[noreturn]] void idle_loop();
/// The new task's half of a switch (entry.S calls it).
extern "C" void schedule_tail(Task* previous);
extern "C" Task* switch_to(Task* previous, Task* next);

inline void set_current_state(u32 state) {
    __atomic_store_n(&current_task()->state, state, __ATOMIC_SEQ_CST);
}
inline bool need_reschedule() { return current_task()->thread_flags & NeedReschedule; }

// --- fair class (fair.cpp); REQUIRES: the run queue's lock
// -------------------------------------------------------------
void fair_update_current(RunQueue& queue);
void fair_enqueue(RunQueue& queue, Task* task, bool wake_up);
void fair_dequeue(RunQueue& queue, Task* task);
Task* fair_pick_next(RunQueue& queue);
void fair_put_previous(RunQueue& queue, Task* task);
/// The tick: true when the current task has used its slice.
bool fair_tick(RunQueue& queue);
/// Does the woken task preempt the current one?
bool fair_wakeup_preempts(RunQueue& queue, Task* woken);
void fair_place_new(RunQueue& queue, Task* child);
u64 fair_slice(const RunQueue& queue, const SchedEntity& entity);

/// Fixed-point load averages over 1, 5 and 15 minutes (11 bits of fraction), updated every 5 s.
extern u64 load_averages[3];
void update_load_averages();

} // namespace kernel
