// The tick (HZ times a second) and the timers it drives. A timer fires in the TIMER softirq at the first tick
// whose jiffies reached its expiry.
#pragma once

#include "arch/x86_64/trap_frame.h"
#include "lib/list.h"
#include "lib/result.h"
#include "mm/layout.h"

namespace kernel {

inline constexpr u64 NanosecondsPerTick = 1'000'000'000 / HZ;

struct timer_list {
    list_head entry; ///< on the sorted list while armed
    u64 expires = 0; ///< jiffies
    void (*function)(void*) = nullptr;
    void* context = nullptr;
};

extern list_head timers; ///< armed ones, sorted by expiry; for inspection

void tick_handle_periodic(pt_regs& frame);
void init_timers();
void mod_timer(timer_list& timer, u64 expires);
/// True when it was armed. Its function may still be running on another CPU.
bool del_timer(timer_list& timer);
/// The same, and waits until the function is through: behind it the timer may go. REQUIRES: not from the
/// function itself, nor with a lock held that the function takes.
bool del_timer_sync(timer_list& timer);
constexpr u64 nsecs_to_jiffies(u64 nanoseconds) { return divide_up(nanoseconds, NanosecondsPerTick); }

/// Sleeps at least this long; EINTR when a signal arrives, with *remaining set.
Result<void> hrtimer_nanosleep(u64 nanoseconds, u64* remaining);

struct kernel_cpustat {
    u64 user = 0, nice = 0, system = 0, idle = 0, irq = 0;
};
extern struct kernel_cpustat cpu_times[NR_CPUS]; ///< ticks, for /proc/stat

} // namespace kernel
