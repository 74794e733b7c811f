// The arithmetic of the Completely Fair Scheduler, with Linux 5's constants (kernel/sched/core.c and fair.c
// give the figures). Pure: the host's unit tests check it.
#pragma once

#include "lib/types.h"

namespace kernel {

/// Nice −20 … 19: each step is worth a factor of about 1.25, nice 0 is 1024.
inline constexpr u32 sched_prio_to_weight[40] = {
    88761, 71755, 56483, 46273, 36291, 29154, 23254, 18705, 14949, 11916, 9548, 7620, 6100, 4904,
    3906,  3121,  2501,  1991,  1586,  1277,  1024,  820,   655,   526,   423,  335,  272,  215,
    172,   137,   110,   87,    70,    56,    45,    36,    29,    23,    18,   15,
};
inline constexpr u64 NICE_0_LOAD = 1024;
inline constexpr i32 MIN_NICE = -20, MAX_NICE = 19;
constexpr u64 weight_of_nice(i32 nice) { return sched_prio_to_weight[clamp(nice, MIN_NICE, MAX_NICE) + 20]; }

inline constexpr u64 sysctl_sched_latency = 6'000'000; ///< ns: the period in which every task should run once
inline constexpr u64 sysctl_sched_min_granularity = 750'000; ///< ns: no slice is shorter
inline constexpr u64 sysctl_sched_wakeup_granularity = 1'000'000;

/// All three grow with the number of CPUs: 1 + log2(min(CPUs, 8)).
constexpr u64 get_update_sysctl_factor(unsigned cpus) { return 1 + log2_floor(clamp(cpus, 1U, 8U)); }

/// Real time to virtual time: a heavier task's clock runs slower.
constexpr u64 calc_delta_fair(u64 delta, u64 weight) {
    return weight == NICE_0_LOAD ? delta : delta * NICE_0_LOAD / weight;
}

/// The period stretches once more tasks run than the latency holds minimum slices.
constexpr u64 __sched_period(u64 running, u64 latency, u64 granularity) {
    return running > latency / granularity ? running * granularity : latency;
}

/// A task's share of the period.
constexpr u64 time_slice(u64 running, u64 weight, u64 total_weight, u64 latency, u64 granularity) {
    return total_weight ? __sched_period(running, latency, granularity) * weight / total_weight : latency;
}

/// vruntimes wrap: compare by signed difference.
constexpr bool runs_before(u64 a, u64 b) { return static_cast<i64>(a - b) < 0; }
constexpr u64 max_vruntime(u64 a, u64 b) { return runs_before(a, b) ? b : a; }
constexpr u64 min_vruntime(u64 a, u64 b) { return runs_before(a, b) ? a : b; }

} // namespace kernel
