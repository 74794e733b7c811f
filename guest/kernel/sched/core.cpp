// The core of the scheduler: switching, waking, ticking, preempting. See scheduler.h.
#include "arch/x86_64/fpu.h"
#include "arch/x86_64/smp.h"
#include "lib/log.h"
#include "lib/string.h"
#include "mm/memory_struct.h"
#include "mm/reclaim.h"
#include "sched/fair_math.h"
#include "sched/scheduler.h"
#include "sched/stats.h"

#include "block/block.h"
#include "sync/rcu.h"
#include "irq/irq.h"
#include "irq/workqueue.h"
#include "time/tick-sched.h"
#include "time/timekeeping.h"

namespace kernel {

constinit struct rq runqueues[NR_CPUS] = {};
constinit u64 avenrun[3] = {};

namespace {

struct rq& this_rq() { return runqueues[smp_processor_id()]; }

void update_rq_clock(struct rq& queue) { queue.clock = max(queue.clock, ktime_get_ns()); }

/// REQUIRES: queue.lock. Asks the CPU's current task to give way at its next chance.
void resched_curr(struct rq& queue) {
    u32 before = __atomic_fetch_or(&queue.curr->thread_flags, u32{_TIF_NEED_RESCHED}, __ATOMIC_ACQ_REL);
    if (!(before & _TIF_NEED_RESCHED) && queue.cpu != smp_processor_id()) smp_send_reschedule(queue.cpu);
}

void __migrate_task(task_struct* task);
constexpr const struct sched_class* sched_classes[] = {&stop_sched_class, &rt_sched_class, &fair_sched_class,
                                                       &idle_sched_class};
u32 rank_of(const struct sched_class* which) {
    u32 rank = 0;
    while (sched_classes[rank] != which) rank++;
    return rank;
}
const struct sched_class* class_of(const task_struct& task) {
    return rt_task(task) ? &rt_sched_class : &fair_sched_class;
}
void check_preempt_curr(struct rq& queue, task_struct* woken);

/// After __switch_to_asm: we are `current` again, or for the first time. Releases what the previous task held
/// for us.
void finish_task_switch(task_struct* previous) {
    struct rq& queue = this_rq();
    bool gone = previous->__state == TASK_DEAD;
    // What was running until now waits, and may run elsewhere: its registers are saved.
    bool displaced = previous->sched_class == &rt_sched_class;
    // Behind this store another CPU may run `previous`: its registers are saved by now.
    __atomic_store_n(&previous->on_cpu, 0, __ATOMIC_RELEASE);
    if (displaced) push_rt_tasks(queue);
    queue.lock.unlock_raw();
    if (gone) put_task_struct(previous); // do_exit ran with interrupts off: this was its last switch
}

void context_switch(struct rq& queue, task_struct* previous, task_struct* next) {
    // The lock goes over to the next task, which releases it: for us it is released now, while we are still
    // `current`.
    if (debug_locks) [[unlikely]]
        lock_release(queue.lock.dep_map, &queue.lock);
    queue.nr_switches++;
    sched_info_switch(queue, previous, next);
    queue.curr = next;
    next->on_cpu = 1;
    PerCpu& block = this_cpu();
    block.current = next;
    u64 top = reinterpret_cast<u64>(next->stack) + THREAD_SIZE;
    block.kernel_stack_top = top;
    block.tss.rsp[0] = top;

    // A kernel thread keeps the address space that is loaded: it uses the kernel half alone.
    if (next->mm && block.loaded_mm != next->mm) switch_mm(next->mm);
    save_fpu(previous);
    save_segment_bases(previous);
    restore_fpu(next);
    restore_segment_bases(next);
    finish_task_switch(__switch_to_asm(previous, next));
}

/// Puts a task that is on no queue, and runs nowhere, on an allowed one. REQUIRES: interrupts off.
void __migrate_task(task_struct* task) {
    set_task_cpu(task, select_task_rq(task, true));
    struct rq& queue = runqueues[task->cpu];
    SpinGuard guard(queue.lock);
    update_rq_clock(queue);
    task->sched_class->enqueue_task(queue, task, false);
    check_preempt_curr(queue, task);
}

/// REQUIRES: queue.lock.
void activate_task(struct rq& queue, task_struct* task, bool wake_up) {
    sched_info_enqueue(queue, task);
    task->sched_class->enqueue_task(queue, task, wake_up);
}
void deactivate_task(struct rq& queue, task_struct* task) {
    sched_info_dequeue(queue, task);
    task->sched_class->dequeue_task(queue, task);
}

/// The best runnable task of the first class that has one; the idle task is always there.
task_struct* pick_next_task(struct rq& queue, task_struct* previous) {
    previous->sched_class->put_prev_task(queue, previous);
    pull_rt_tasks(queue);
    for (const struct sched_class* each : sched_classes)
        if (task_struct* next = each->pick_next_task(queue)) return next;
    panic("no task to run");
}

void check_preempt_curr(struct rq& queue, task_struct* woken) {
    u32 running = rank_of(queue.curr->sched_class), fresh = rank_of(woken->sched_class);
    if (fresh < running || (fresh == running && woken->sched_class->check_preempt_curr(queue, woken)))
        resched_curr(queue);
}

/// REQUIRES: queue.lock.
void ttwu_do_activate(struct rq& queue, task_struct* task) {
    update_rq_clock(queue);
    activate_task(queue, task, true);
    check_preempt_curr(queue, task);
}

void __schedule(bool preempting) {
    task_struct* previous = get_current();
    if (previous->preempt_count & preempt::HardirqMask)
        panic("scheduling in interrupt context (%s)", previous->comm);
    preempt_disable();
    if (previous->preempt_count != 1)
        panic("scheduling while atomic: %s/%d/0x%08x", previous->comm, previous->pid,
              previous->preempt_count);
    bool interrupts = local_irq_save();
    rcu_note_context_switch();
    struct rq& queue = this_rq();
    queue.lock.lock_raw();
    __atomic_thread_fence(__ATOMIC_SEQ_CST); // the caller's state, then whether it is runnable
                                             // (try_to_wake_up has the other half)
    update_rq_clock(queue);
    queue.sched_count++;
    u32 state = __atomic_load_n(&previous->__state, __ATOMIC_RELAXED);
    if (!preempting && state != TASK_RUNNING && !(previous->flags & PF_IDLE)) {
        // A signal that came before the switch must not be slept through.
        if (signal_pending_state(state, *previous)) {
            previous->__state = TASK_RUNNING;
        } else {
            previous->sched_contributes_to_load = (state & TASK_UNINTERRUPTIBLE) && !(state & TASK_NOLOAD);
            if (previous->sched_contributes_to_load)
                __atomic_fetch_add(&queue.nr_uninterruptible, 1, __ATOMIC_RELAXED);
            deactivate_task(queue, previous), previous->se.nvcsw++;
        }
    } else if (!(previous->flags & PF_IDLE)) {
        previous->se.nivcsw++;
    }
    if (!queue.nr_running) newidle_balance(queue);
    __atomic_fetch_and(&previous->thread_flags, ~u32{_TIF_NEED_RESCHED}, __ATOMIC_RELAXED);
    task_struct* next = pick_next_task(queue, previous);
    if (next != previous)
        context_switch(queue, previous, next);
    else
        queue.lock.unlock_raw();
    local_irq_restore(interrupts);
    preempt_enable_no_resched();
}

} // namespace

task_struct* task_of(sched_entity* entity) { return container_of(entity, task_struct, se); }

void schedule() {
    task_struct* task = get_current();
    if (blk_plug* plug = task->plug) blk_flush_plug(*plug); // somebody may wait for what is in it
    bool kworker = (task->flags & PF_WQ_WORKER) && task->__state != TASK_RUNNING;
    if (kworker) wq_worker_sleeping(task);
    do __schedule(false);
    while (need_resched());
    if (kworker) wq_worker_running(task);
}

void preempt_schedule() {
    do __schedule(true);
    while (need_resched());
}

extern "C" void schedule_tail(task_struct* previous) {
    finish_task_switch(previous);
    local_irq_enable();
    preempt_enable_no_resched();
    publish_child_tid();
}

void kick_process(task_struct* task) {
    preempt_disable();
    unsigned cpu = task->cpu;
    if (cpu != smp_processor_id() && __atomic_load_n(&task->on_cpu, __ATOMIC_ACQUIRE))
        smp_send_reschedule(cpu);
    preempt_enable();
}

struct rq& task_rq_lock(task_struct* task) {
    for (;;) {
        struct rq& queue = runqueues[__atomic_load_n(&task->cpu, __ATOMIC_ACQUIRE)];
        queue.lock.lock_raw();
        if (&queue == &runqueues[__atomic_load_n(&task->cpu, __ATOMIC_ACQUIRE)]) return queue;
        queue.lock.unlock_raw(); // it has moved meanwhile
    }
}

void init_idle(task_struct* idle, unsigned cpu) {
    struct rq& queue = runqueues[cpu];
    queue.cpu = cpu;
    init_rt_rq(queue.rt);
    queue.curr = queue.idle = idle;
    idle->sched_class = &idle_sched_class;
    idle->cpu = cpu;
    idle->on_cpu = 1;
}

void might_sleep() {
    task_struct* task = get_current();
    if (task->preempt_count || !interrupts_enabled()) [[unlikely]] {
        if (task->flags & PF_IDLE) return; // the boot CPU before its scheduler runs
        panic("BUG: sleeping function called from invalid context: %s/%d, preempt_count %x, interrupts %s",
              task->comm, task->pid, task->preempt_count, interrupts_enabled() ? "on" : "off");
    }
}

namespace {
task_struct* pick_idle(struct rq& queue) { return queue.idle; }
bool tick_idle(struct rq& queue) { return queue.cfs.nr_running || rt_highest(queue); }
void nothing_to_put(struct rq&, task_struct*) {}
} // namespace
/// The task that is always there and on no queue.
const struct sched_class idle_sched_class = {
    "idle",
    [](struct rq&, task_struct*, bool) { panic("the idle task is queued"); },
    [](struct rq&, task_struct*) { panic("the idle task sleeps"); },
    [](struct rq&) {},
    [](struct rq&, task_struct*) { return false; },
    pick_idle,
    nothing_to_put,
    tick_idle,
    [](struct rq&) {},
};

void sched_init() {
    init_idle(&init_task, 0);
    init_load_balance();
}

/// Still on a queue: it has not gone to sleep yet, and now will not. False when it has.
static bool ttwu_runnable(task_struct* task) {
    struct rq& queue = task_rq_lock(task);
    bool runnable = task->se.on_rq;
    if (runnable) {
        task->__state = TASK_RUNNING;
        update_rq_clock(queue);
        if (queue.curr != task) check_preempt_curr(queue, task);
    }
    queue.lock.unlock_raw();
    return runnable;
}

/// REQUIRES: interrupts off: the counters are this CPU's own.
static void ttwu_stat(const task_struct& task) {
    struct rq& queue = this_rq();
    queue.ttwu_count++;
    if (__atomic_load_n(&task.cpu, __ATOMIC_RELAXED) == queue.cpu) queue.ttwu_local++;
}

bool try_to_wake_up(task_struct* task, u32 mode) {
    IrqSpinGuard guard(task->pi_lock);
    // The waker's condition, then the sleeper's state: the sleeper sets its state, then tests the condition.
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    u32 state = __atomic_load_n(&task->__state, __ATOMIC_RELAXED);
    if (!(state & mode)) return false;
    ttwu_stat(*task);
    if (__atomic_load_n(&task->se.on_rq, __ATOMIC_ACQUIRE) && ttwu_runnable(task)) return true;
    // Off its queue. It may still be on its way out of __schedule on another CPU: wait until its registers
    // are saved.
    __atomic_store_n(&task->__state, u32{TASK_WAKING}, __ATOMIC_RELAXED);
    while (__atomic_load_n(&task->on_cpu, __ATOMIC_ACQUIRE)) cpu_relax();
    struct rq& old = runqueues[task->cpu];
    bool counted = task->sched_contributes_to_load;
    set_task_cpu(task, select_task_rq(task, false));
    struct rq& queue = runqueues[task->cpu];
    SpinGuard queue_guard(queue.lock);
    if (counted) __atomic_fetch_sub(&old.nr_uninterruptible, 1, __ATOMIC_RELAXED);
    task->__state = TASK_RUNNING;
    ttwu_do_activate(queue, task);
    return true;
}

void set_special_state(u32 state) {
    task_struct* task = get_current();
    IrqSpinGuard guard(task->pi_lock); // whoever is in try_to_wake_up() is through behind it
    set_current_state(state);
}

bool wake_up_process(task_struct* task) { return try_to_wake_up(task, TASK_NORMAL); }

void wake_up_new_task(task_struct* task) {
    IrqSpinGuard pi(task->pi_lock);
    task->sched_class = class_of(*task);
    task->cpu = select_task_rq(task, true);
    struct rq& queue = runqueues[task->cpu];
    SpinGuard guard(queue.lock);
    update_rq_clock(queue);
    task->__state = TASK_RUNNING;
    if (task->sched_class == &fair_sched_class) task_fork_fair(queue, task);
    activate_task(queue, task, false);
    check_preempt_curr(queue, task);
}

void scheduler_tick() {
    struct rq& queue = this_rq();
    {
        IrqSpinGuard guard(queue.lock);
        update_rq_clock(queue);
        sched_rt_period_tick(queue);
        if (queue.curr->sched_class->task_tick(queue)) resched_curr(queue);
        push_rt_tasks(queue);
        trigger_load_balance(queue);
    }
    nohz_balancer_kick(queue);
    static bool told = false;
    if (sched_rt_throttled_once && !__atomic_exchange_n(&told, true, __ATOMIC_RELAXED))
        pr_warn("sched: RT throttling activated\n");
}

void do_sched_yield() {
    {
        bool interrupts = local_irq_save(); // else an interrupt moves us, and the queue is another CPU's
        struct rq& queue = this_rq();
        {
            SpinGuard guard(queue.lock);
            update_rq_clock(queue);
            queue.yld_count++;
            get_current()->sched_class->yield_task(queue);
        }
        local_irq_restore(interrupts);
    }
    preempt_schedule();
}

void set_user_nice(task_struct* task, i32 nice) {
    IrqSpinGuard pi(task->pi_lock);
    struct rq& queue = task_rq_lock(task);
    update_rq_clock(queue);
    update_curr(queue);
    task->nice = clamp(nice, MIN_NICE, MAX_NICE);
    u64 weight = task->policy == SCHED_IDLE ? WEIGHT_IDLEPRIO : weight_of_nice(task->nice);
    if (task->se.on_rq && task->sched_class == &fair_sched_class)
        queue.cfs.load.weight += weight - task->se.load.weight;
    task->se.load.weight = weight;
    queue.lock.unlock_raw();
}

void __setscheduler(task_struct* task, u32 policy, u32 rt_priority, i32 nice) {
    {
        IrqSpinGuard pi(task->pi_lock);
        struct rq& queue = task_rq_lock(task);
        update_rq_clock(queue);
        bool queued = task->se.on_rq, running = queue.curr == task;
        if (queued) task->sched_class->dequeue_task(queue, task);
        if (running) task->sched_class->put_prev_task(queue, task);
        bool was_fair = task->sched_class == &fair_sched_class;
        task->policy = policy;
        task->rt_priority = rt_policy(policy) ? rt_priority : 0;
        task->rt.time_slice = RR_TIMESLICE;
        if (!rt_policy(policy)) task->nice = clamp(nice, MIN_NICE, MAX_NICE);
        task->se.load.weight = policy == SCHED_IDLE ? WEIGHT_IDLEPRIO : weight_of_nice(task->nice);
        task->sched_class = class_of(*task);
        bool fair = task->sched_class == &fair_sched_class;
        if (fair && !was_fair) task->se.vruntime = queue.cfs.min_vruntime; // its clock has stood still
        if (queued) task->sched_class->enqueue_task(queue, task, false);
        if (running && fair && queued) set_curr_task_fair(queue, task);
        task->se.exec_start = queue.clock;
        if (queued && running)
            resched_curr(queue); // perhaps something else is better now
        else if (queued)
            check_preempt_curr(queue, task);
        queue.lock.unlock_raw();
    }
    if (task == get_current() && need_resched()) schedule();
}

namespace {
/// In the stopper: what ran here until now, and may not any more, goes. Asleep it goes when it wakes.
int migration_cpu_stop(void* argument) {
    auto* task = static_cast<task_struct*>(argument);
    IrqSpinGuard pi(task->pi_lock);
    struct rq& queue = task_rq_lock(task);
    bool leaves = queue.cpu == smp_processor_id() && task->se.on_rq && !(task->cpus_mask >> queue.cpu & 1);
    if (leaves) {
        update_rq_clock(queue);
        task->sched_class->dequeue_task(queue, task);
    }
    queue.lock.unlock_raw();
    if (leaves) __migrate_task(task);
    return 0;
}
} // namespace

void sched_set_stop_task(unsigned cpu, task_struct* task) {
    IrqSpinGuard pi(task->pi_lock);
    struct rq& queue = task_rq_lock(task);
    KERNEL_ASSERT(queue.cpu == cpu && queue.curr == task);
    update_rq_clock(queue);
    task->sched_class->dequeue_task(queue, task);
    task->sched_class->put_prev_task(queue, task);
    task->sched_class = &stop_sched_class;
    queue.stop = task;
    task->sched_class->enqueue_task(queue, task, false);
    task->se.exec_start = queue.clock;
    queue.lock.unlock_raw();
}

void kthread_bind(unsigned cpu) {
    task_struct* task = get_current();
    {
        IrqSpinGuard pi(task->pi_lock);
        task->cpus_mask = 1U << cpu;
    }
    task->flags |= PF_NO_SETAFFINITY;
    while (smp_processor_id() != cpu) schedule_timeout_idle(1); // who wakes goes where it may
}

Result<void> set_cpus_allowed(task_struct* task, u32 mask) {
    mask &= static_cast<u32>(cpu_online_mask());
    if (!mask) return Errno::EINVAL;
    unsigned cpu;
    {
        IrqSpinGuard pi(task->pi_lock);
        struct rq& queue = task_rq_lock(task);
        task->cpus_mask = mask;
        cpu = queue.cpu;
        bool wrong = !(mask >> cpu & 1), running = __atomic_load_n(&task->on_cpu, __ATOMIC_ACQUIRE);
        if (wrong && !running && task->se.on_rq) {
            update_rq_clock(queue);
            task->sched_class->dequeue_task(queue, task);
            queue.lock.unlock_raw();
            __migrate_task(task);
            return {};
        }
        queue.lock.unlock_raw();
        if (!wrong || !running) return {};
    }
    // It runs there: the stopper preempts it, and moves it. When this returns, it is elsewhere.
    stop_one_cpu(cpu, migration_cpu_stop, task);
    return {};
}

static constinit u64 calc_load_update = 5 * HZ; ///< jiffies: the next sample

void calc_global_load() {
    if (static_cast<i64>(jiffies - calc_load_update) < 0) return;
    // Idle CPUs let samples pass: what runs now, which is nothing on an idle machine, ran at all of them.
    // 4000 of them (five hours) leave nothing of any load.
    u64 samples = (jiffies - calc_load_update) / (5 * HZ) + 1;
    calc_load_update += samples * 5 * HZ;
    // exp(-5s/60s), exp(-5s/300s), exp(-5s/900s) with 11 bits of fraction, as Linux has them.
    constexpr u64 Fixed1 = 1 << 11, Exponents[3] = {1884, 2014, 2037};
    u64 active = 0;
    for (unsigned cpu = 0; cpu < online_cpus; cpu++)
        active += runqueues[cpu].nr_running + runqueues[cpu].nr_uninterruptible;
    for (unsigned i = 0; i < 3; i++)
        for (u64 sample = 0; sample < min<u64>(samples, 4000); sample++) {
            u64 load = active * Fixed1;
            u64 next = avenrun[i] * Exponents[i] + load * (Fixed1 - Exponents[i]);
            if (load >= avenrun[i]) next += Fixed1 - 1;
            avenrun[i] = next / Fixed1;
        }
}

void do_idle() {
    // Preemption is off while the tick may be: an interrupt's wake-up is served at the bottom of the loop.
    preempt_disable();
    for (;;) {
        tick_nohz_idle_enter();
        while (!need_resched()) {
            local_irq_disable();
            if (this_cpu().softirq_pending) __do_softirq(); // raised by a task that went to sleep
            if (need_resched()) break;
            if (this_cpu().softirq_pending) { // more than one go: no halt, there may be no tick
                local_irq_enable();
                continue;
            }
            tick_nohz_idle_stop_tick();
            rcu_idle_enter();
            enable_interrupts_and_halt();
            local_irq_disable();
            rcu_idle_exit();
            local_irq_enable();
        }
        tick_nohz_idle_exit();
        local_irq_enable();
        preempt_enable_no_resched();
        schedule();
        preempt_disable();
    }
}

} // namespace kernel
