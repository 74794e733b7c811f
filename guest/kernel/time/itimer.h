// Interval timers of a process: real time (a high-resolution timer), and the processor time that it uses
// (looked at by the tick). See setitimer(2).
#pragma once

#include "lib/types.h"
#include "time/hrtimer.h"

namespace kernel {

struct task_struct;
struct signal_struct;

/// ITIMER_VIRTUAL and ITIMER_PROF: ticks of the process's own time.
struct cpu_itimer {
    u64 expires = 0, incr = 0; ///< 0: not armed, once
};

/// ITIMER_REAL has run out: SIGALRM. It is armed again when the signal is taken.
enum hrtimer_restart it_real_fn(hrtimer& timer);
/// SIGALRM is taken. REQUIRES: siglock.
void rearm_real_timer(signal_struct& signal);
/// From the tick: one more of the process.
void check_cpu_itimers(task_struct& task, bool user);

} // namespace kernel
