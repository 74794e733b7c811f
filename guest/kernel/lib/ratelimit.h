// How often a message may be printed that anybody can cause: `burst` times in an interval. What was not
// printed is counted, and the count is printed when the next interval begins. After Linux's lib/ratelimit.c.
#pragma once

#include "lib/log.h"
#include "sync/spinlock.h"
#include "time/tick.h"
#include "time/timekeeping.h"

namespace kernel {

struct ratelimit_state {
    u64 interval = 5 * HZ; ///< jiffies
    u32 burst = 10;
    u32 printed = 0, missed = 0;
    u64 begin = 0; ///< jiffies; 0: not yet
    spinlock_t lock{"ratelimit_state"};
};

/// True when the message may be printed. `caller` is who says how many were not.
inline bool __ratelimit(ratelimit_state& state, const char* caller) {
    u32 suppressed = 0;
    bool allowed;
    {
        IrqSpinGuard guard(state.lock);
        if (!state.begin || jiffies - state.begin >= state.interval) {
            suppressed = state.missed;
            state.begin = max<u64>(jiffies, 1);
            state.printed = state.missed = 0;
        }
        allowed = state.printed < state.burst;
        (allowed ? state.printed : state.missed)++;
    }
    if (suppressed) pr_warn("%s: %u callbacks suppressed\n", caller, suppressed);
    return allowed;
}

} // namespace kernel
