// The scheduler: one run queue per CPU, the fair class (CFS) and the idle task. sched/fair.cpp orders,
// sched/core.cpp switches.
//
// Invariants (under rq::lock, interrupts off): fair.running counts the runnable fair tasks, the current
// one included; the tree holds all of them but the current one; fair.load is the sum of their weights;
// min_vruntime never goes backwards.
#pragma once

#include "lib/rbtree.h"
#include "sync/spinlock.h"
#include "task/task.h"

namespace kernel {

struct cfs_rq {
    load_weight load;
    u64 nr_running = 0;
    u64 min_vruntime = 0;
    rb_root_cached tasks_timeline;
    sched_entity* curr = nullptr;
    sched_entity* skip = nullptr; ///< yielded: another one first, if that is fair
};

struct rq {
    u32 cpu = 0;
    u32 nr_running = 0;
    u64 clock = 0; ///< ns
    task_struct* curr = nullptr;
    task_struct* idle = nullptr;
    task_struct* migrate_away = nullptr; ///< switched away from, and not allowed here any more
    u64 next_balance = 0;                ///< jiffies
    u64 nr_switches = 0;
    u64 nr_uninterruptible = 0; ///< may be "negative" here: only the sum over the CPUs means something
    struct cfs_rq cfs;
    spinlock_t lock{"runqueue"};
};

extern struct rq runqueues[NR_CPUS];

/// task_struct of an entity.
task_struct* task_of(sched_entity* entity);

void sched_init();
/// Gives the CPU away; returns when the caller is picked again.
void schedule();
/// Switches only for the sake of preemption: the caller stays runnable whatever its state says.
void preempt_schedule();
/// Makes the task runnable if it sleeps in a state of `mode`; false when it does not.
bool try_to_wake_up(task_struct* task, u32 mode = TASK_NORMAL);
bool wake_up_process(task_struct* task);
void wake_up_new_task(task_struct* task);
/// The queue that the task belongs to, locked. REQUIRES: interrupts off.
struct rq& task_rq_lock(task_struct* task);
void init_idle(task_struct* idle, unsigned cpu);
/// sched_setaffinity.
Result<void> set_cpus_allowed(task_struct* task, u32 mask);

// --- more than one CPU (balance.cpp)
/// Where a task that wakes (or is new) shall run: an allowed CPU, idle if there is one.
u32 select_task_rq(task_struct* task, bool fresh);
/// Its virtual time means something only beside its queue's: it moves with the difference. REQUIRES: on no
/// queue.
void set_task_cpu(task_struct* task, u32 cpu);
/// The CPU has nothing to do: it takes a task from the busiest. REQUIRES: queue.lock.
void newidle_balance(struct rq& queue);
/// From the tick, every few ms: raises the SCHED softirq, which evens out.
void trigger_load_balance(struct rq& queue);
void init_load_balance();

/// HZ times a second, from the timer interrupt.
void scheduler_tick();
void do_sched_yield();
void set_user_nice(task_struct* task, i32 nice);
[[noreturn]] void do_idle();
/// The new task's half of a switch (entry.S calls it).
extern "C" void schedule_tail(task_struct* previous);
extern "C" task_struct* __switch_to_asm(task_struct* previous, task_struct* next);

inline void set_current_state(u32 state) {
    __atomic_store_n(&get_current()->__state, state, __ATOMIC_SEQ_CST);
}
/// Makes a task that runs user code on another CPU enter the kernel.
void kick_process(task_struct* task);
/// A signal that ends this kind of sleep is there.
inline bool signal_pending_state(u32 state, const task_struct& task) {
    if (!(state & (TASK_INTERRUPTIBLE | TASK_WAKEKILL)) || !task.signal_pending()) return false;
    return (state & TASK_INTERRUPTIBLE) || (task.pending.signal & sigmask(SIGKILL));
}
/// Whoever may sleep says so: called with a spin lock held or from an interrupt it is a bug even if it would
/// not sleep.
void might_sleep();
inline unsigned num_online_cpus() { return online_cpus; }
extern bool panicking;

inline bool need_resched() { return get_current()->thread_flags & _TIF_NEED_RESCHED; }

// --- fair class (fair.cpp); REQUIRES: the run queue's lock
// -------------------------------------------------------------
void update_curr(struct rq& queue);
void enqueue_task_fair(struct rq& queue, task_struct* task, bool wake_up);
void dequeue_task_fair(struct rq& queue, task_struct* task);
task_struct* pick_next_task_fair(struct rq& queue);
void yield_task_fair(struct rq& queue);
void put_prev_task_fair(struct rq& queue, task_struct* task);
/// The tick: true when the current task has used its slice.
bool task_tick_fair(struct rq& queue);
/// Does the woken task preempt the current one?
bool check_preempt_wakeup(struct rq& queue, task_struct* woken);
void task_fork_fair(struct rq& queue, task_struct* child);
u64 sched_slice(const struct rq& queue, const sched_entity& entity);

/// Fixed-point load averages over 1, 5 and 15 minutes (11 bits of fraction), updated every 5 s.
extern u64 avenrun[3];
void calc_global_load();

} // namespace kernel
