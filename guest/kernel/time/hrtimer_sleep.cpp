// Sleeping until a time; see hrtimer.h, tick.h.
#include "sched/scheduler.h"
#include "task/task.h"
#include "time/hrtimer.h"
#include "time/tick.h"
#include "time/timekeeping.h"

namespace kernel {
namespace {

enum hrtimer_restart hrtimer_wakeup(hrtimer& timer) {
    auto& sleeper = *container_of(&timer, hrtimer_sleeper, timer);
    task_struct* task = sleeper.task;
    __atomic_store_n(&sleeper.task, static_cast<task_struct*>(nullptr), __ATOMIC_SEQ_CST);
    if (task) wake_up_process(task);
    return HRTIMER_NORESTART;
}

void hrtimer_init_sleeper(hrtimer_sleeper& sleeper, u32 clockid) {
    hrtimer_init(sleeper.timer, clockid);
    sleeper.timer.function = hrtimer_wakeup;
    sleeper.task = get_current();
}
bool over(const hrtimer_sleeper& sleeper) { return !__atomic_load_n(&sleeper.task, __ATOMIC_SEQ_CST); }

} // namespace

u64 current_timer_slack() { return rt_task(*get_current()) ? 0 : get_current()->timer_slack_ns; }

u64 select_estimate_accuracy(ktime_t expires) {
    if (rt_task(*get_current())) return 0;
    ktime_t left = expires - ktime_get();
    if (left < 0) return 0;
    u64 slack = min<u64>(static_cast<u64>(left) / (get_current()->nice > 0 ? 200 : 1000), 100'000'000);
    return max(slack, get_current()->timer_slack_ns);
}

bool schedule_hrtimeout_range(ktime_t expires, u64 delta) {
    if (expires == KTIME_MAX) {
        schedule();
        return false;
    }
    hrtimer_sleeper sleeper;
    hrtimer_init_sleeper(sleeper, CLOCK_MONOTONIC);
    hrtimer_start_range_ns(sleeper.timer, expires, delta, HRTIMER_MODE_ABS);
    if (!over(sleeper)) schedule();
    hrtimer_cancel(sleeper.timer);
    set_current_state(TASK_RUNNING);
    return over(sleeper);
}

Result<void> hrtimer_nanosleep(ktime_t expires, u32 clockid) {
    hrtimer_sleeper sleeper;
    hrtimer_init_sleeper(sleeper, clockid);
    Result<void> result;
    for (;;) {
        set_current_state(TASK_INTERRUPTIBLE);
        hrtimer_start_range_ns(sleeper.timer, expires, current_timer_slack(), HRTIMER_MODE_ABS);
        if (!over(sleeper)) schedule();
        hrtimer_cancel(sleeper.timer);
        if (over(sleeper)) break;
        if (get_current()->signal_pending()) {
            result = Errno::EINTR;
            break;
        }
    }
    set_current_state(TASK_RUNNING);
    return result;
}

} // namespace kernel
