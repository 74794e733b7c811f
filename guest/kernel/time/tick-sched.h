// The tick as a high-resolution timer, and how an idle CPU goes without it (Linux's NO_HZ): before it halts,
// the timer is set to the next event that the CPU has to be awake for, or cancelled; the first interrupt that
// ends the idle time brings the jiffies up to date.
//
// Invariants: one CPU counts the jiffies, tick_do_timer_cpu; it gives that up when its tick stops, and the
// next CPU that ticks takes over. jiffies are the time divided by the tick whenever an interrupt handler or a
// task looks at them, late by at most the time that interrupts are off. A tick_sched is its CPU's own,
// interrupts off, but that others may read how long it has been idle.
#pragma once

#include "time/hrtimer.h"

namespace kernel {

struct tick_sched {
    hrtimer sched_timer;
    u32 nohz_mode = 0; ///< NOHZ_MODE_HIGHRES (2) once the tick is a timer
    bool inidle = false, tick_stopped = false, idle_active = false;
    ktime_t last_tick = 0; ///< when the next tick was due as it stopped
    ktime_t next_tick = 0; ///< what sched_timer is set for while it is stopped
    u64 idle_jiffies = 0, idle_calls = 0, idle_sleeps = 0;
    ktime_t idle_entrytime = 0, idle_waketime = 0, idle_exittime = 0;
    u64 idle_sleeptime = 0; ///< ns
    u32 idle_sequence = 0;  ///< odd while idle_active, idle_entrytime and idle_sleeptime change
    u64 last_jiffies = 0;
    ktime_t next_timer = 0, idle_expires = 0;
};
extern tick_sched tick_cpu_sched[NR_CPUS];

/// This CPU's tick begins: as a timer, or as it comes from a periodic device.
void tick_setup_sched_timer();
/// Adds what has passed since the last time. Any context.
void tick_do_update_jiffies64(ktime_t now);

// --- the idle loop
void tick_nohz_idle_enter();
/// Before it halts. REQUIRES: interrupts off.
void tick_nohz_idle_stop_tick();
void tick_nohz_idle_exit();
/// An interrupt has ended the halt: jiffies are right again.
void tick_irq_enter();
/// Nanoseconds that the CPU has been idle, until now.
u64 get_cpu_idle_time_ns(unsigned cpu);
/// CPUs whose tick is stopped.
u64 nohz_idle_cpus_mask();

} // namespace kernel
