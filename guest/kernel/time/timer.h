// The timer wheel: timers of the tick's resolution, for timeouts that mostly do not happen. Each CPU has nine
// levels of 64 buckets; a bucket of level n covers 8^n ticks, and a timer stays in the bucket that it was put
// into: it fires at the bucket's end, up to an eighth of its time late, never early. Functions run in the
// TIMER softirq of the CPU that armed the timer, interrupts on.
//
// Invariants (under timer_base::lock): a bit of pending_map is set exactly while its bucket has timers; every
// bucket's time is at or behind clk; next_expiry is not later than the first bucket's time, once
// next_expiry_recalc is clear.
#pragma once

#include "lib/list.h"
#include "mm/layout.h"
#include "sync/spinlock.h"
#include "time/hrtimer.h"

namespace kernel {

inline constexpr unsigned LVL_DEPTH = 9, LVL_SIZE = 64, WHEEL_SIZE = LVL_DEPTH * LVL_SIZE;

struct timer_list {
    list_head entry; ///< in its bucket while armed
    u64 expires = 0; ///< jiffies
    void (*function)(void*) = nullptr;
    void* context = nullptr;
    u32 flags = 0; ///< the CPU, TIMER_MIGRATING, and the bucket from bit 16 on
};

struct timer_base {
    spinlock_t lock{"timer_base"};
    timer_list* running_timer = nullptr;
    u64 clk = 0;         ///< jiffies: the wheel has turned so far
    u64 next_expiry = 0; ///< jiffies
    bool next_expiry_recalc = false, timers_pending = false;
    u64 pending_map[LVL_DEPTH] = {};
    list_head vectors[WHEEL_SIZE];
};
extern timer_base timer_bases[NR_CPUS];

void init_timers();
/// Arms it, or moves it.
void mod_timer(timer_list& timer, u64 expires);
/// On another CPU. REQUIRES: it is not armed.
void add_timer_on(timer_list& timer, unsigned cpu);
/// True when it was armed. Its function may still be running on another CPU.
bool del_timer(timer_list& timer);
/// The same, and waits until the function is through: behind it the timer may go. REQUIRES: not from the
/// function itself, nor with a lock held that the function takes.
bool del_timer_sync(timer_list& timer);
inline bool timer_pending(const timer_list& timer) { return timer.entry.linked(); }

/// From the tick.
void run_local_timers();
/// When this CPU's wheel, whose time is `basej` at `basem` ns, needs the CPU; KTIME_MAX: not at all.
ktime_t get_next_timer_interrupt(u64 basej, ktime_t basem);

} // namespace kernel
