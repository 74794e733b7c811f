// The core of the scheduler: switching, waking, ticking, preempting. See scheduler.h.
#include "arch/x86_64/fpu.h"
#include "lib/log.h"
#include "lib/string.h"
#include "mm/memory_struct.h"
#include "sched/fair_math.h"
#include "sched/scheduler.h"
#include "time/timekeeping.h"

namespace kernel {

constinit struct rq runqueues[NR_CPUS] = {};
constinit u64 avenrun[3] = {};

namespace {

struct rq& this_rq() { return runqueues[smp_processor_id()]; }

void update_rq_clock(struct rq& queue) { queue.clock = max(queue.clock, ktime_get_ns()); }

/// REQUIRES: queue.lock. Asks the CPU's current task to give way at its next chance.
void resched_curr(struct rq& queue) {
    __atomic_fetch_or(&queue.curr->thread_flags, u32{_TIF_NEED_RESCHED}, __ATOMIC_RELAXED);
}

/// After __switch_to_asm: we are `current` again, or for the first time. Releases what the previous task held
/// for us.
void finish_task_switch(task_struct* previous) {
    struct rq& queue = this_rq();
    previous->on_cpu = 0;
    bool gone = previous->__state == EXIT_ZOMBIE || previous->__state == TASK_DEAD;
    queue.lock.unlock_raw();
    if (gone) put_task_struct(previous); // do_exit ran with interrupts off: this was its last switch
}

void context_switch(struct rq& queue, task_struct* previous, task_struct* next) {
    queue.nr_switches++;
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

/// REQUIRES: queue.lock.
void activate_task(struct rq& queue, task_struct* task, bool wake_up) {
    enqueue_task_fair(queue, task, wake_up);
}
void deactivate_task(struct rq& queue, task_struct* task) { dequeue_task_fair(queue, task); }

/// The best runnable task; idle when there is none.
task_struct* pick_next_task(struct rq& queue, task_struct* previous) {
    put_prev_task_fair(queue, previous);
    task_struct* next = pick_next_task_fair(queue);
    return next ? next : queue.idle;
}

void check_preempt_curr(struct rq& queue, task_struct* woken) {
    if (check_preempt_wakeup(queue, woken)) resched_curr(queue);
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
    struct rq& queue = this_rq();
    queue.lock.lock_raw();
    update_rq_clock(queue);
    if (!preempting && previous->__state != TASK_RUNNING && !(previous->flags & PF_IDLE)) {
        // A signal that came before the switch must not be slept through.
        if ((previous->__state & 1) && previous->signal_pending())
            previous->__state = TASK_RUNNING;
        else
            deactivate_task(queue, previous), previous->se.nvcsw++;
    } else if (!(previous->flags & PF_IDLE)) {
        previous->se.nivcsw++;
    }
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
    do __schedule(false);
    while (need_resched());
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

void preempt_disable() {
    get_current()->preempt_count++;
    asm volatile("" ::: "memory");
}
void preempt_enable_no_resched() {
    asm volatile("" ::: "memory");
    get_current()->preempt_count--;
}
void preempt_enable() {
    asm volatile("" ::: "memory");
    task_struct* task = get_current();
    if (--task->preempt_count == 0 && (task->thread_flags & _TIF_NEED_RESCHED) && interrupts_enabled())
        preempt_schedule();
}
unsigned smp_processor_id() { return this_cpu().cpu; }

void spinlock_t::contended() {
    if (owner_ == smp_processor_id()) panic("spinlock recursion on CPU#%u, lock %s", owner_, name_);
    while (__atomic_exchange_n(&locked_, 1, __ATOMIC_ACQUIRE)) cpu_relax();
}

void sched_init() {
    struct rq& queue = runqueues[0];
    queue.cpu = 0;
    queue.curr = queue.idle = &init_task;
    init_task.on_cpu = 1;
}

bool try_to_wake_up(task_struct* task) {
    bool interrupts = local_irq_save();
    preempt_disable();
    struct rq& queue = runqueues[task->cpu];
    queue.lock.lock_raw();
    bool woken = false;
    u32 state = task->__state;
    if (state == TASK_INTERRUPTIBLE || state == TASK_UNINTERRUPTIBLE || state == TASK_IDLE ||
        state == TASK_STOPPED) {
        task->__state = TASK_RUNNING;
        if (!task->se.on_rq) { // else it is still on its way to sleep, and now will not
            ttwu_do_activate(queue, task);
        }
        woken = true;
    }
    queue.lock.unlock_raw();
    local_irq_restore(interrupts);
    preempt_enable();
    return woken;
}

bool wake_up_process(task_struct* task) { return try_to_wake_up(task); }

void wake_up_new_task(task_struct* task) {
    {
        struct rq& queue = runqueues[task->cpu];
        IrqSpinGuard guard(queue.lock);
        update_rq_clock(queue);
        task->__state = TASK_RUNNING;
        task_fork_fair(queue, task);
        activate_task(queue, task, false);
        check_preempt_curr(queue, task);
    }
}

void scheduler_tick() {
    struct rq& queue = this_rq();
    IrqSpinGuard guard(queue.lock);
    update_rq_clock(queue);
    if (task_tick_fair(queue)) resched_curr(queue);
}

void do_sched_yield() {
    {
        struct rq& queue = this_rq();
        IrqSpinGuard guard(queue.lock);
        update_rq_clock(queue);
        update_curr(queue);
    }
    preempt_schedule();
}

void set_user_nice(task_struct* task, i32 nice) {
    struct rq& queue = runqueues[task->cpu];
    IrqSpinGuard guard(queue.lock);
    update_rq_clock(queue);
    update_curr(queue);
    task->nice = clamp(nice, MIN_NICE, MAX_NICE);
    u64 weight = weight_of_nice(task->nice);
    if (task->se.on_rq) queue.cfs.load.weight += weight - task->se.load.weight;
    task->se.load.weight = weight;
}

void calc_global_load() {
    // exp(-5s/60s), exp(-5s/300s), exp(-5s/900s) with 11 bits of fraction, as Linux has them.
    constexpr u64 Fixed1 = 1 << 11, Exponents[3] = {1884, 2014, 2037};
    u64 active = 0;
    for (unsigned cpu = 0; cpu < online_cpus; cpu++) active += runqueues[cpu].nr_running;
    for (unsigned i = 0; i < 3; i++) {
        u64 load = active * Fixed1;
        u64 next = avenrun[i] * Exponents[i] + load * (Fixed1 - Exponents[i]);
        if (load >= avenrun[i]) next += Fixed1 - 1;
        avenrun[i] = next / Fixed1;
    }
}

void do_idle() {
    for (;;) {
        local_irq_disable();
        if (need_resched()) {
            local_irq_enable();
            schedule();
        } else {
            enable_interrupts_and_halt();
        }
    }
}

} // namespace kernel
