// The scheduler: one run queue per CPU, and classes in order: stop (sched/stop_task.cpp), realtime
// (sched/rt.cpp), fair (CFS, sched/fair.cpp), idle. The first that has a task decides what runs;
// sched/core.cpp switches.
//
// Invariants (under rq::lock, interrupts off): cfs.nr_running counts the runnable fair tasks, the current one
// included; the tree holds all of them but the current one; cfs.load is the sum of their weights;
// min_vruntime never goes backwards. The realtime lists hold all runnable realtime tasks, the current one
// included. A task changes its class only while it is on no queue (__setscheduler).
#pragma once

#include "lib/rbtree.h"
#include "sched/stop_machine.h"
#include "sync/spinlock.h"
#include "task/task.h"
#include "time/tick.h"

namespace kernel {

struct cfs_rq {
    load_weight load;
    u64 nr_running = 0;
    u64 min_vruntime = 0;
    rb_root_cached tasks_timeline;
    sched_entity* curr = nullptr;
    sched_entity* skip = nullptr; ///< yielded: another one first, if that is fair
};

inline constexpr u32 SCHED_NORMAL = 0, SCHED_FIFO = 1, SCHED_RR = 2, SCHED_BATCH = 3, SCHED_IDLE = 5;
inline constexpr u32 SCHED_RESET_ON_FORK = 0x40000000;
inline constexpr u32 MAX_RT_PRIO = 100, RR_TIMESLICE = 100 * HZ / 1000;
inline bool rt_policy(u32 policy) { return policy == SCHED_FIFO || policy == SCHED_RR; }
inline bool rt_task(const task_struct& task) { return rt_policy(task.policy); }

struct rt_rq {
    list_head queue[MAX_RT_PRIO]; ///< by rt_priority
    u64 bitmap[2] = {};           ///< of the lists that are not empty
    u32 rt_nr_running = 0;
    bool rt_throttled = false; ///< has had sched_rt_runtime of this period
    u64 rt_time = 0;           ///< ns in this period
    u64 rt_period_start = 0;   ///< ns
};

/// What a class does with its tasks. REQUIRES: the run queue's lock, and its clock is up to date.
struct sched_class {
    char name[8]; ///< published
    void (*enqueue_task)(struct rq& queue, task_struct* task, bool wake_up);
    void (*dequeue_task)(struct rq& queue, task_struct* task);
    void (*yield_task)(struct rq& queue);
    /// Does the woken task, of the same class, preempt the current one?
    bool (*check_preempt_curr)(struct rq& queue, task_struct* woken);
    /// The next to run, or null.
    task_struct* (*pick_next_task)(struct rq& queue);
    /// The task has run, and stays on the queue or has left it.
    void (*put_prev_task)(struct rq& queue, task_struct* task);
    /// True when the current task must give way.
    bool (*task_tick)(struct rq& queue);
    void (*update_curr)(struct rq& queue);
};
extern const struct sched_class stop_sched_class, rt_sched_class, fair_sched_class, idle_sched_class;

struct rq {
    u32 cpu = 0;
    u32 nr_running = 0;
    u64 clock = 0; ///< ns
    task_struct* curr = nullptr;
    task_struct* idle = nullptr;
    task_struct* stop = nullptr; ///< migration/N
    bool nohz_kick_due = false;  ///< the tick found that an idle CPU could help
    bool nohz_kicked = false;    ///< its tick is stopped, and it shall balance
    bool active_balance = false; ///< the stopper is asked to push what runs here…
    u32 push_cpu = 0;            ///< … to this CPU
    cpu_stop_work active_balance_work;
    u64 next_balance = 0; ///< jiffies
    u64 nr_switches = 0;
    u64 nr_uninterruptible = 0; ///< may be "negative" here: only the sum over the CPUs means something
    struct rt_rq rt;
    struct cfs_rq cfs;
    // /proc/schedstat
    u32 yld_count = 0, sched_count = 0, sched_goidle = 0, ttwu_count = 0, ttwu_local = 0;
    u64 rq_cpu_time = 0; ///< ns that tasks ran here
    sched_info rq_sched_info;
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
/// The CPU's stopper, from now on of the stop class. REQUIRES: the caller is the task.
void sched_set_stop_task(unsigned cpu, task_struct* task);
/// sched_setaffinity.
Result<void> set_cpus_allowed(task_struct* task, u32 mask);
/// The calling kernel thread goes to the CPU, for good. Sleeps.
void kthread_bind(unsigned cpu);

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
/// From the tick, behind the queue's lock: who is woken by this would find it taken.
void nohz_balancer_kick(struct rq& queue);
/// From the rescheduling interrupt: what was asked of this CPU besides.
void scheduler_ipi();

/// HZ times a second, from the timer interrupt.
void scheduler_tick();
void do_sched_yield();
void set_user_nice(task_struct* task, i32 nice);
/// Policy, priority and (of the fair ones) nice value, without asking whether the caller may.
void __setscheduler(task_struct* task, u32 policy, u32 rt_priority, i32 nice);
/// As Linux counts: 0–98 realtime, the higher priority first, 100–139 by nice value.
inline i32 task_prio(const task_struct& task) {
    return rt_task(task) ? static_cast<i32>(MAX_RT_PRIO) - 1 - static_cast<i32>(task.rt_priority)
                         : 120 + task.nice;
}
[[noreturn]] void do_idle();
/// The new task's half of a switch (entry.S calls it).
extern "C" void schedule_tail(task_struct* previous);
extern "C" task_struct* __switch_to_asm(task_struct* previous, task_struct* next);

inline void set_current_state(u32 state) {
    __atomic_store_n(&get_current()->__state, state, __ATOMIC_SEQ_CST);
}
/// TASK_STOPPED and TASK_DEAD are not states that one tests a condition in: a waker that is late, and still
/// looks at the sleep before, must not turn them back into TASK_RUNNING.
void set_special_state(u32 state);
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

// --- realtime class (rt.cpp); REQUIRES: the run queue's lock
/// ns; the runtime may be all ones: no limit.
extern u64 sysctl_sched_rt_period, sysctl_sched_rt_runtime;
void init_rt_rq(struct rt_rq& rt);
/// The highest priority that waits or runs; 0 for none, or while they are throttled.
u32 rt_highest(const struct rq& queue);
/// Where a realtime task that wakes shall run: where what runs is of the lowest priority.
u32 select_task_rq_rt(task_struct* task);
/// One that waits here and could run at once elsewhere goes there.
void push_rt_tasks(struct rq& queue);
/// One that waits elsewhere and is above what would run here comes.
void pull_rt_tasks(struct rq& queue);
/// From the tick: the period's account.
void sched_rt_period_tick(struct rq& queue);
extern bool sched_rt_throttled_once; ///< somewhere, some time

// --- fair class (fair.cpp); REQUIRES: the run queue's lock
// -------------------------------------------------------------
void update_curr(struct rq& queue);
inline constexpr u64 WEIGHT_IDLEPRIO = 3; ///< of SCHED_IDLE
void enqueue_task_fair(struct rq& queue, task_struct* task, bool wake_up);
void dequeue_task_fair(struct rq& queue, task_struct* task);
/// The running task has come into this class: it is the current entity, not in the tree.
void set_curr_task_fair(struct rq& queue, task_struct* task);
void task_fork_fair(struct rq& queue, task_struct* child);
u64 sched_slice(const struct rq& queue, const sched_entity& entity);

/// Fixed-point load averages over 1, 5 and 15 minutes (11 bits of fraction), updated every 5 s.
extern u64 avenrun[3];
void calc_global_load();

} // namespace kernel
