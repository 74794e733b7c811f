// Timers of a process that signal (timer_create(2)). An interval timer is armed again when its signal is
// taken, not when it runs out: however short the interval, a process that does not look costs nothing, and
// hears how often the timer would have run out meanwhile (the overrun).
#pragma once

#include "task/signal.h"
#include "time/hrtimer.h"

namespace kernel {

/// Invariants: it_lock guards the state, and is taken before tasklist_lock and siglock; a timer that is
/// `deleted` is never armed again. `refs` holds it while it is used without its process's siglock.
struct k_itimer {
    list_head list; ///< signal_struct::posix_timers
    u32 refs = 1;
    spinlock_t it_lock{"posix_timer"};
    i32 it_id = 0;
    u32 it_clock = 0;
    i32 it_sigev_notify = 0;
    signal_struct* it_signal = nullptr;
    struct pid* it_pid = nullptr; ///< the thread of SIGEV_THREAD_ID, else the process
    bool it_active = false, deleted = false;
    ktime_t it_interval = 0;
    i64 it_overrun = 0, it_overrun_last = 0;
    u32 it_requeue_pending = 0; ///< bit 0: its signal is queued, and will arm it again
    sigqueue* sigq = nullptr;   ///< its one signal
    hrtimer timer;
};

/// Its signal is taken: arms an interval timer, tells the overrun. REQUIRES: interrupts off, no lock; takes
/// over the caller's reference.
void posixtimer_rearm(k_itimer* timer, u32 requeue_pending, kernel_siginfo& info);
/// exec, and the process's end. REQUIRES: no other thread makes timers.
void exit_itimers(task_struct* task);

} // namespace kernel
