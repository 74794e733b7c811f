// Tick and timers; see tick.h.
#include "time/tick.h"

#include "irq/irq.h"
#include "lib/log.h"
#include "sched/scheduler.h"
#include "time/timekeeping.h"

namespace kernel {

constinit struct kernel_cpustat cpu_times[NR_CPUS] = {};

constinit list_head timers = {};

namespace {

constinit u64 next_expiry = ~u64{0}; ///< of the first; the tick reads it without the lock
constinit spinlock_t timer_lock{"timers"};
constinit timer_list* running_timer[NR_CPUS] = {}; ///< whose function runs now; under timer_lock

/// REQUIRES: timer_lock.
void note_first() {
    list_head* first = timers.front();
    __atomic_store_n(&next_expiry, first ? container_of(first, timer_list, entry)->expires : ~u64{0},
                     __ATOMIC_RELAXED);
}

void run_timer_softirq() {
    for (;;) {
        timer_list* timer;
        {
            IrqSpinGuard guard(timer_lock);
            list_head* node = timers.front();
            if (!node) break;
            timer = container_of(node, timer_list, entry);
            if (static_cast<i64>(timer->expires - jiffies) > 0) break;
            node->remove();
            note_first();
            running_timer[smp_processor_id()] = timer;
        }
        timer->function(timer->context);
        IrqSpinGuard guard(timer_lock); // the timer itself may be gone
        running_timer[smp_processor_id()] = nullptr;
    }
}

/// RLIMIT_CPU: SIGXCPU each second from the soft limit on, SIGKILL at the hard one.
void check_cpu_limit(task_struct& task) {
    signal_struct* shared = task.signal;
    if (!shared) return;
    u64 ticks = __atomic_add_fetch(&shared->cpu_ticks, 1, __ATOMIC_RELAXED);
    struct rlimit& limit = shared->rlim[RLIMIT_CPU];
    u64 soft = __atomic_load_n(&limit.rlim_cur, __ATOMIC_RELAXED);
    if (soft == RLIM_INFINITY || ticks % HZ || ticks / HZ < soft) return;
    if (ticks / HZ >= __atomic_load_n(&limit.rlim_max, __ATOMIC_RELAXED)) {
        (void)do_send_sig_info(SIGKILL, nullptr, &task, PIDTYPE_TGID);
        return;
    }
    (void)do_send_sig_info(SIGXCPU, nullptr, &task, PIDTYPE_TGID);
    __atomic_store_n(&limit.rlim_cur, soft + 1, __ATOMIC_RELAXED);
}

void account_process_tick(const pt_regs& frame) {
    struct kernel_cpustat& times = cpu_times[smp_processor_id()];
    task_struct* task = get_current();
    if (!task->is_kernel_thread()) check_cpu_limit(*task);
    if (frame.from_user()) {
        task->utime++;
        (task->nice > 0 ? times.nice : times.user)++;
    } else if (task->flags & PF_IDLE) {
        times.idle++;
    } else {
        task->stime++;
        times.system++;
    }
}

} // namespace

void init_timers() {
    timers.initialise();
    open_softirq(TIMER_SOFTIRQ, run_timer_softirq);
}

void tick_handle_periodic(pt_regs& frame) {
    // The first CPU keeps the time and runs the timers; each accounts for itself.
    bool keeper = smp_processor_id() == 0;
    if (keeper) __atomic_store_n(&jiffies, jiffies + 1, __ATOMIC_RELAXED);
    account_process_tick(frame);
    // A reader has preemption off: what the tick interrupted with it on holds nothing.
    rcu_sched_clock_irq(preempt_count() == preempt::HardirqOffset);
    scheduler_tick();
    if (!keeper) return;
    if (jiffies % (5 * HZ) == 0) calc_global_load();
    if (__atomic_load_n(&next_expiry, __ATOMIC_RELAXED) <= jiffies) raise_softirq(TIMER_SOFTIRQ);
}

void mod_timer(timer_list& timer, u64 expires) {
    IrqSpinGuard guard(timer_lock);
    timer.entry.remove();
    timer.expires = expires;
    list_head* at = timers.next;
    while (at != &timers && static_cast<i64>(container_of(at, timer_list, entry)->expires - expires) <= 0)
        at = at->next;
    timer.entry.insert_between(at->prev, at);
    note_first();
}

bool del_timer(timer_list& timer) {
    IrqSpinGuard guard(timer_lock);
    bool armed = timer.entry.linked();
    timer.entry.remove();
    note_first();
    return armed;
}

bool del_timer_sync(timer_list& timer) {
    for (;;) {
        {
            IrqSpinGuard guard(timer_lock);
            bool armed = timer.entry.linked(), running = false;
            timer.entry.remove();
            note_first();
            for (const timer_list* other : running_timer) running |= other == &timer;
            if (!running) return armed;
        }
        cpu_relax();
    }
}

Result<void> hrtimer_nanosleep(u64 nanoseconds, u64* remaining) {
    u64 end = ktime_get_ns() + nanoseconds;
    timer_list timer;
    timer.function = [](void* task) { try_to_wake_up(static_cast<task_struct*>(task)); };
    timer.context = get_current();
    Result<void> result;
    for (;;) {
        u64 now = ktime_get_ns(); // one look: between two the end may pass
        if (now >= end) break;
        if (get_current()->signal_pending()) {
            result = Errno::EINTR;
            break;
        }
        set_current_state(TASK_INTERRUPTIBLE);
        mod_timer(timer, jiffies + nsecs_to_jiffies(end - now));
        schedule();
    }
    set_current_state(TASK_RUNNING);
    del_timer_sync(timer);
    u64 now = ktime_get_ns();
    if (remaining) *remaining = now < end ? end - now : 0;
    return result;
}

} // namespace kernel
