// Time: nanoseconds since the kernel started, from the TSC; jiffies, from the tick; the wall clock, from the
// RTC at boot plus the TSC.
//
// The TSC's rate comes from CPUID 15h/16h where the processor says it. Otherwise it is measured against the
// ACPI PM timer, and failing that the PIT.
#pragma once

#include "lib/types.h"

namespace kernel {

extern u64 jiffies; ///< ticks since boot
extern u64 tsc_khz; ///< 0 until known

/// 0 until the TSC's rate is known.
u64 ktime_get_ns();
/// Nanoseconds since 1970.
u64 ktime_get_real_ns();
void do_settimeofday64(u64 nanoseconds);
/// The wall clock less ktime.
u64 ktime_get_real_offset();

/// Takes the rate from CPUID; early, so that time stamps mean something.
void early_tsc_init();
/// Measures when CPUID did not say; reads the RTC.
void timekeeping_init();
void udelay(u64 microseconds);

/// Seconds since 1970 of a civil date (Howard Hinnant's days_from_civil arithmetic).
u64 mktime64(u64 year, u64 month, u64 day, u64 hour, u64 minute, u64 second);

} // namespace kernel
