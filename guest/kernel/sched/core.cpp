// The core of the scheduler: switching, waking, ticking, preempting. See scheduler.h.
#include "arch/x86_64/fpu.h"
#include "lib/log.h"
#include "lib/string.h"
#include "mm/memory_struct.h"
#include "sched/fair_math.h"
#include "sched/scheduler.h"
#include "time/timekeeping.h"

namespace kernel {

constinit RunQueue run_queues[MaxCpus] = {};
constinit u64 load_averages[3] = {};

namespace {

RunQueue& this_queue() { return run_queues[current_cpu()]; }

void update_clock(RunQueue& queue) { queue.clock = max(queue.clock, clock_nanoseconds()); }

/// REQUIRES: queue.lock. Asks the CPU's current task to give way at its next chance.
void reschedule(RunQueue& queue) {
    __atomic_fetch_or(&queue.current->thread_flags, u32{NeedReschedule}, __ATOMIC_RELAXED);
}

/// After switch_to: we are `current` again, or for the first time. Releases what the previous task held for
/// us.
void finish_switch(Task* previous) {
    RunQueue& queue = this_queue();
    previous->on_cpu = 0;
    bool gone = previous->state == TaskZombie || previous->state == TaskDead;
    queue.lock.unlock_raw();
    if (gone) put_task(previous); // exit_task ran with interrupts off: this was its last switch
}

void context_switch(RunQueue& queue, Task* previous, Task* next) {
    queue.switches++;
    queue.current = next;
    next->on_cpu = 1;
    PerCpu& block = this_cpu();
    block.current = next;
    u64 top = reinterpret_cast<u64>(next->stack) + KernelStackSize;
    block.kernel_stack_top = top;
    block.tss.rsp[0] = top;

    // A kernel thread keeps the address space that is loaded: it uses the kernel half alone.
    if (next->mm && block.loaded_mm != next->mm) load_address_space(next->mm);
    save_fpu(previous);
    save_segment_bases(previous);
    restore_fpu(next);
    restore_segment_bases(next);
    finish_switch(switch_to(previous, next));
}

void schedule_inner(bool preempting) {
    Task* previous = current_task();
    if (previous->preempt_count & preempt::HardirqMask)
        panic("scheduling in interrupt context (%s)", previous->comm);
    preempt_disable();
    if (previous->preempt_count != 1)
        panic("scheduling while atomic: %s/%d/0x%08x", previous->comm, previous->pid,
              previous->preempt_count);
    bool interrupts = save_interrupts();
    RunQueue& queue = this_queue();
    queue.lock.lock_raw();
    update_clock(queue);
    if (!preempting && previous->state != TaskRunning && !(previous->flags & TaskIdleThread)) {
        // A signal that came before the switch must not be slept through.
        if ((previous->state & 1) && previous->signal_pending())
            previous->state = TaskRunning;
        else
            fair_dequeue(queue, previous), previous->se.voluntary_switches++;
    } else if (!(previous->flags & TaskIdleThread)) {
        previous->se.involuntary_switches++;
    }
    __atomic_fetch_and(&previous->thread_flags, ~u32{NeedReschedule}, __ATOMIC_RELAXED);
    fair_put_previous(queue, previous);
    Task* next = fair_pick_next(queue);
    if (!next) next = queue.idle;
    if (next != previous)
        context_switch(queue, previous, next);
    else
        queue.lock.unlock_raw();
    restore_interrupts(interrupts);
    preempt_enable_no_reschedule();
}

} // namespace

Task* task_of(SchedEntity* entity) { return CONTAINER_OF(entity, Task, se); }

void schedule() {
    do schedule_inner(false);
    while (need_reschedule());
}

void preempt_schedule() {
    do schedule_inner(true);
    while (need_reschedule());
}

extern "C" void schedule_tail(Task* previous) {
    finish_switch(previous);
    enable_interrupts();
    preempt_enable_no_reschedule();
    publish_child_tid();
}

void preempt_disable() {
    current_task()->preempt_count++;
    asm volatile("" ::: "memory");
}
void preempt_enable_no_reschedule() {
    asm volatile("" ::: "memory");
    current_task()->preempt_count--;
}
void preempt_enable() {
    asm volatile("" ::: "memory");
    Task* task = current_task();
    if (--task->preempt_count == 0 && (task->thread_flags & NeedReschedule) && interrupts_enabled())
        preempt_schedule();
}
unsigned current_cpu() { return this_cpu().cpu; }

void SpinLock::contended() {
    if (owner_ == current_cpu()) panic("spinlock recursion on CPU#%u, lock %s", owner_, name_);
    while (__atomic_exchange_n(&locked_, 1, __ATOMIC_ACQUIRE)) cpu_relax();
}

void initialise_scheduler() {
    RunQueue& queue = run_queues[0];
    queue.cpu = 0;
    queue.current = queue.idle = &init_task;
    init_task.on_cpu = 1;
}

bool wake_up_task(Task* task) {
    bool interrupts = save_interrupts();
    preempt_disable();
    RunQueue& queue = run_queues[task->cpu];
    queue.lock.lock_raw();
    bool woken = false;
    u32 state = task->state;
    if (state == TaskInterruptible || state == TaskUninterruptible || state == TaskIdle ||
        state == TaskStopped) {
        task->state = TaskRunning;
        if (!task->se.on_run_queue) { // else it is still on its way to sleep, and now will not
            update_clock(queue);
            fair_enqueue(queue, task, true);
            if (fair_wakeup_preempts(queue, task)) reschedule(queue);
        }
        woken = true;
    }
    queue.lock.unlock_raw();
    restore_interrupts(interrupts);
    preempt_enable();
    return woken;
}

void wake_up_new_task(Task* task) {
    {
        RunQueue& queue = run_queues[task->cpu];
        IrqSpinGuard guard(queue.lock);
        update_clock(queue);
        task->state = TaskRunning;
        fair_place_new(queue, task);
        fair_enqueue(queue, task, false);
        if (fair_wakeup_preempts(queue, task)) reschedule(queue);
    }
}

void scheduler_tick() {
    RunQueue& queue = this_queue();
    IrqSpinGuard guard(queue.lock);
    update_clock(queue);
    if (fair_tick(queue)) reschedule(queue);
}

void yield_task() {
    {
        RunQueue& queue = this_queue();
        IrqSpinGuard guard(queue.lock);
        update_clock(queue);
        fair_update_current(queue);
    }
    preempt_schedule();
}

void set_nice(Task* task, i32 nice) {
    RunQueue& queue = run_queues[task->cpu];
    IrqSpinGuard guard(queue.lock);
    update_clock(queue);
    fair_update_current(queue);
    task->nice = clamp(nice, MinNice, MaxNice);
    u64 weight = weight_of_nice(task->nice);
    if (task->se.on_run_queue) queue.fair.load += weight - task->se.weight;
    task->se.weight = weight;
}

void update_load_averages() {
    // exp(-5s/60s), exp(-5s/300s), exp(-5s/900s) with 11 bits of fraction, as Linux has them.
    constexpr u64 Fixed1 = 1 << 11, Exponents[3] = {1884, 2014, 2037};
    u64 active = 0;
    for (unsigned cpu = 0; cpu < online_cpus; cpu++) active += run_queues[cpu].running;
    for (unsigned i = 0; i < 3; i++) {
        u64 load = active * Fixed1;
        u64 next = load_averages[i] * Exponents[i] + load * (Fixed1 - Exponents[i]);
        if (load >= load_averages[i]) next += Fixed1 - 1;
        load_averages[i] = next / Fixed1;
    }
}

void idle_loop() {
    for (;;) {
        disable_interrupts();
        if (need_reschedule()) {
            enable_interrupts();
            schedule();
        } else {
            enable_interrupts_and_halt();
        }
    }
}

} // namespace kernel
