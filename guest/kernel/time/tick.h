// The tick: HZ times a second on each CPU that is not idle. What it does is update_process_times(); what
// makes it is tick-sched.h, a high-resolution timer, or without a one-shot device the PIT.
#pragma once

#include "arch/x86_64/trap_frame.h"
#include "lib/result.h"
#include "time/hrtimer.h"
#include "time/timer.h"

namespace kernel {

inline constexpr u64 NanosecondsPerTick = 1'000'000'000 / HZ;
inline constexpr ktime_t TICK_NSEC = NanosecondsPerTick;

/// The periodic device's interrupt (the first CPU's; there is no other then).
void tick_handle_periodic(clock_event_device& device);
/// Charges the tick to what it interrupted, runs timers, RCU and the scheduler's tick.
void update_process_times(bool user);
/// What the interrupt that this CPU is in interrupted; null outside of one.
pt_regs* get_irq_regs();
pt_regs* set_irq_regs(pt_regs* frame);

constexpr u64 nsecs_to_jiffies(u64 nanoseconds) { return divide_up(nanoseconds, NanosecondsPerTick); }

/// Sleeps until the time of the clock; EINTR when a signal arrives.
Result<void> hrtimer_nanosleep(ktime_t expires, u32 clockid);

struct kernel_cpustat {
    u64 user = 0, nice = 0, system = 0, idle = 0, irq = 0;
};
extern struct kernel_cpustat cpu_times[NR_CPUS]; ///< ticks, for /proc/stat

} // namespace kernel
