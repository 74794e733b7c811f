// The tick (HZ times a second) and the timers it drives. A timer fires in the TIMER softirq at the first tick
// whose jiffies reached its expiry.
#pragma once

#include "arch/x86_64/trap_frame.h"
#include "lib/list.h"
#include "lib/result.h"
#include "mm/layout.h"

namespace kernel {

inline constexpr u64 NanosecondsPerTick = 1'000'000'000 / HZ;

struct Timer {
    ListNode node;   ///< on the sorted list while armed
    u64 expires = 0; ///< jiffies
    void (*function)(void*) = nullptr;
    void* context = nullptr;
};

void timer_tick(TrapFrame& frame);
void initialise_timers();
void arm_timer(Timer& timer, u64 expires);
/// True when it was armed.
bool cancel_timer(Timer& timer);
constexpr u64 jiffies_from_nanoseconds(u64 nanoseconds) { return divide_up(nanoseconds, NanosecondsPerTick); }

/// Sleeps at least this long; EINTR when a signal arrives, with *remaining set.
Result<void> sleep_nanoseconds(u64 nanoseconds, u64* remaining);

struct CpuTimes {
    u64 user = 0, nice = 0, system = 0, idle = 0, irq = 0;
};
extern CpuTimes cpu_times[MaxCpus]; ///< ticks, for /proc/stat

} // namespace kernel
