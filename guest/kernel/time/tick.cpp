// Tick and timers; see tick.h.
#include "time/tick.h"

#include "irq/irq.h"
#include "lib/log.h"
#include "sched/scheduler.h"
#include "time/timekeeping.h"

namespace kernel {

constinit CpuTimes cpu_times[MaxCpus] = {};

namespace {

constinit ListNode timers = {}; ///< sorted by expiry
constinit SpinLock timer_lock{"timers"};

void run_expired_timers() {
    for (;;) {
        Timer* timer;
        {
            IrqSpinGuard guard(timer_lock);
            ListNode* node = timers.front();
            if (!node) return;
            timer = CONTAINER_OF(node, Timer, node);
            if (static_cast<i64>(timer->expires - jiffies) > 0) return;
            node->remove();
        }
        timer->function(timer->context);
    }
}

void account(const TrapFrame& frame) {
    CpuTimes& times = cpu_times[current_cpu()];
    Task* task = current_task();
    if (frame.from_user()) {
        task->user_ticks++;
        (task->nice > 0 ? times.nice : times.user)++;
    } else if (task->flags & TaskIdleThread) {
        times.idle++;
    } else {
        task->system_ticks++;
        times.system++;
    }
}

} // namespace

void initialise_timers() {
    timers.initialise();
    open_softirq(SoftirqTimer, run_expired_timers);
    open_softirq(SoftirqSched, update_load_averages);
}

void timer_tick(TrapFrame& frame) {
    jiffies++;
    account(frame);
    scheduler_tick();
    if (timers.linked() && static_cast<i64>(CONTAINER_OF(timers.next, Timer, node)->expires - jiffies) <= 0)
        raise_softirq(SoftirqTimer);
    if (jiffies % (5 * HZ) == 0) raise_softirq(SoftirqSched);
}

void arm_timer(Timer& timer, u64 expires) {
    IrqSpinGuard guard(timer_lock);
    timer.node.remove();
    timer.expires = expires;
    ListNode* at = timers.next;
    while (at != &timers && static_cast<i64>(CONTAINER_OF(at, Timer, node)->expires - expires) <= 0)
        at = at->next;
    timer.node.insert_between(at->prev, at);
}

bool cancel_timer(Timer& timer) {
    IrqSpinGuard guard(timer_lock);
    bool armed = timer.node.linked();
    timer.node.remove();
    return armed;
}

Result<void> sleep_nanoseconds(u64 nanoseconds, u64* remaining) {
    u64 end = clock_nanoseconds() + nanoseconds;
    Timer timer;
    timer.function = [](void* task) { wake_up_task(static_cast<Task*>(task)); };
    timer.context = current_task();
    Result<void> result;
    while (clock_nanoseconds() < end) {
        if (current_task()->signal_pending()) {
            result = Errno::EINTR;
            break;
        }
        set_current_state(TaskInterruptible);
        arm_timer(timer, jiffies + jiffies_from_nanoseconds(end - clock_nanoseconds()));
        schedule();
    }
    set_current_state(TaskRunning);
    cancel_timer(timer);
    u64 now = clock_nanoseconds();
    if (remaining) *remaining = now < end ? end - now : 0;
    return result;
}

} // namespace kernel
