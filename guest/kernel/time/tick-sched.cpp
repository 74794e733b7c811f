// The tick as a timer, and idling without it; see tick-sched.h.
#include "time/tick-sched.h"

#include "irq/irq.h"
#include "sched/scheduler.h"
#include "setup.h"
#include "sync/rcu.h"
#include "time/clockevents.h"
#include "time/tick.h"
#include "time/timekeeping.h"

namespace kernel {

constinit tick_sched tick_cpu_sched[NR_CPUS] = {};

namespace {

constexpr u32 NOHZ_MODE_HIGHRES = 2, TICK_DO_TIMER_NONE = ~0U;
constinit u32 tick_do_timer_cpu = TICK_DO_TIMER_NONE;
constinit spinlock_t jiffies_lock{"jiffies_lock"};
constinit ktime_t last_jiffies_update = 0; ///< the time of the last tick that is counted
constinit bool tick_nohz_enabled = true;   ///< nohz=off
constinit u64 idle_cpus_mask = 0;

tick_sched& this_sched() { return tick_cpu_sched[smp_processor_id()]; }

/// The time and number of the last tick.
ktime_t tick_init_jiffy_update() {
    IrqSpinGuard guard(jiffies_lock);
    if (!last_jiffies_update) last_jiffies_update = ktime_get();
    return last_jiffies_update;
}

enum hrtimer_restart tick_sched_timer(hrtimer& timer) {
    tick_sched& ts = *container_of(&timer, tick_sched, sched_timer);
    ktime_t now = ktime_get();
    u32 cpu = smp_processor_id(), none = TICK_DO_TIMER_NONE;
    __atomic_compare_exchange_n(&tick_do_timer_cpu, &none, cpu, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED);
    if (__atomic_load_n(&tick_do_timer_cpu, __ATOMIC_RELAXED) == cpu) tick_do_update_jiffies64(now);
    if (ts.tick_stopped) {
        ts.idle_jiffies++; // this one is charged as any tick is
        ts.next_tick = 0;
    }
    update_process_times(get_irq_regs()->from_user());
    if (ts.tick_stopped) return HRTIMER_NORESTART; // the idle loop decides
    hrtimer_forward(timer, now, TICK_NSEC);
    return HRTIMER_RESTART;
}

/// The CPU's own, interrupts off: other CPUs read the three fields as they were at one moment.
void set_idle(tick_sched& ts, bool active, ktime_t entry, u64 slept) {
    __atomic_fetch_add(&ts.idle_sequence, 1, __ATOMIC_SEQ_CST);
    __atomic_store_n(&ts.idle_active, active, __ATOMIC_RELAXED);
    __atomic_store_n(&ts.idle_entrytime, entry, __ATOMIC_RELAXED);
    __atomic_store_n(&ts.idle_sleeptime, slept, __ATOMIC_RELAXED);
    __atomic_fetch_add(&ts.idle_sequence, 1, __ATOMIC_SEQ_CST);
}
void tick_nohz_start_idle(tick_sched& ts, ktime_t now) { set_idle(ts, true, now, ts.idle_sleeptime); }
void tick_nohz_stop_idle(tick_sched& ts, ktime_t now) {
    if (!ts.idle_active) return;
    set_idle(ts, false, ts.idle_entrytime, ts.idle_sleeptime + static_cast<u64>(now - ts.idle_entrytime));
}

bool can_stop_idle_tick() {
    return tick_nohz_enabled && this_sched().nohz_mode == NOHZ_MODE_HIGHRES && !need_resched() &&
           !this_cpu().softirq_pending && !panicking &&
           !runqueues[smp_processor_id()].rt.rt_throttled; // the tick ends the throttling
}

/// When the CPU must be awake again, or 0: at the next tick anyway.
ktime_t tick_nohz_next_event(tick_sched& ts) {
    u64 base_jiffies;
    ktime_t base;
    {
        SpinGuard guard(jiffies_lock);
        base = last_jiffies_update;
        base_jiffies = jiffies;
    }
    ts.last_jiffies = base_jiffies;
    ktime_t next = base + TICK_NSEC;
    if (!rcu_needs_cpu()) ts.next_timer = next = get_next_timer_interrupt(base_jiffies, base);
    if (next - base <= TICK_NSEC && !ts.tick_stopped) return 0;
    return ts.idle_expires = next;
}

void tick_nohz_stop_tick(tick_sched& ts, ktime_t tick) {
    u32 cpu = smp_processor_id();
    if (__atomic_load_n(&tick_do_timer_cpu, __ATOMIC_RELAXED) == cpu)
        __atomic_store_n(&tick_do_timer_cpu, TICK_DO_TIMER_NONE, __ATOMIC_RELAXED);
    if (ts.tick_stopped && tick == ts.next_tick) return; // the timer is set for it
    if (!ts.tick_stopped) {
        ts.last_tick = hrtimer_get_expires(ts.sched_timer);
        ts.tick_stopped = true;
        ts.idle_jiffies = ts.last_jiffies;
        ts.idle_sleeps++;
        __atomic_fetch_or(&idle_cpus_mask, u64{1} << cpu, __ATOMIC_SEQ_CST);
    }
    ts.next_tick = tick;
    if (tick == KTIME_MAX)
        hrtimer_cancel(ts.sched_timer);
    else
        hrtimer_start(ts.sched_timer, tick, HRTIMER_MODE_ABS);
}

/// The tick goes on as if it had never stopped: at the same phase.
void tick_nohz_restart_sched_tick(tick_sched& ts, ktime_t now) {
    tick_do_update_jiffies64(now);
    __atomic_fetch_and(&idle_cpus_mask, ~(u64{1} << smp_processor_id()), __ATOMIC_SEQ_CST);
    if (u64 ticks = jiffies - ts.idle_jiffies; static_cast<i64>(ticks) > 0)
        cpu_times[smp_processor_id()].idle += ticks;
    ts.tick_stopped = false;
    hrtimer_cancel(ts.sched_timer);
    hrtimer_set_expires_range_ns(ts.sched_timer, ts.last_tick, 0);
    hrtimer_forward(ts.sched_timer, now, TICK_NSEC);
    hrtimer_restart(ts.sched_timer);
    ts.next_tick = 0;
}

} // namespace

void tick_setup_sched_timer() {
    tick_sched& ts = this_sched();
    ktime_t next = tick_init_jiffy_update();
    if (!tick_cpu_device[smp_processor_id()].mode) return;
    char text[8];
    if (command_line_value("nohz", text, sizeof text) && text[0] == 'o' && text[1] == 'f')
        tick_nohz_enabled = false;
    hrtimer_switch_to_hres();
    hrtimer_init(ts.sched_timer, CLOCK_MONOTONIC);
    ts.sched_timer.function = tick_sched_timer;
    ts.nohz_mode = NOHZ_MODE_HIGHRES;
    hrtimer_set_expires_range_ns(ts.sched_timer, next, 0);
    hrtimer_forward(ts.sched_timer, ktime_get(), TICK_NSEC);
    hrtimer_restart(ts.sched_timer);
}

void tick_do_update_jiffies64(ktime_t now) {
    if (now - __atomic_load_n(&last_jiffies_update, __ATOMIC_ACQUIRE) < TICK_NSEC) return;
    IrqSpinGuard guard(jiffies_lock);
    ktime_t passed = now - last_jiffies_update;
    if (passed < TICK_NSEC) return;
    u64 ticks = static_cast<u64>(passed / TICK_NSEC);
    __atomic_store_n(&last_jiffies_update, last_jiffies_update + static_cast<ktime_t>(ticks) * TICK_NSEC,
                     __ATOMIC_RELEASE);
    __atomic_store_n(&jiffies, jiffies + ticks, __ATOMIC_RELEASE);
    calc_global_load();
}

void tick_nohz_idle_enter() {
    bool interrupts = local_irq_save();
    tick_sched& ts = this_sched();
    ts.inidle = true;
    tick_nohz_start_idle(ts, ktime_get());
    local_irq_restore(interrupts);
}

void tick_nohz_idle_stop_tick() {
    tick_sched& ts = this_sched();
    if (!ts.idle_active) tick_nohz_start_idle(ts, ktime_get()); // behind an interrupt
    ts.idle_calls++;
    if (!can_stop_idle_tick()) return;
    if (ktime_t expires = tick_nohz_next_event(ts)) tick_nohz_stop_tick(ts, expires);
}

void tick_nohz_idle_exit() {
    bool interrupts = local_irq_save();
    tick_sched& ts = this_sched();
    ts.inidle = false;
    ktime_t now = ktime_get();
    tick_nohz_stop_idle(ts, now);
    if (ts.tick_stopped) {
        tick_nohz_restart_sched_tick(ts, now);
        ts.idle_exittime = now;
    }
    local_irq_restore(interrupts);
}

void tick_irq_enter() {
    tick_sched& ts = this_sched();
    if (!ts.inidle) return;
    ktime_t now = ktime_get();
    tick_nohz_stop_idle(ts, now);
    if (!ts.tick_stopped) return;
    ts.idle_waketime = now;
    tick_do_update_jiffies64(now);
}

u64 get_cpu_idle_time_ns(unsigned cpu) {
    const tick_sched& ts = tick_cpu_sched[cpu];
    if (!ts.nohz_mode) return cpu_times[cpu].idle * NanosecondsPerTick;
    for (;; cpu_relax()) {
        u32 before = __atomic_load_n(&ts.idle_sequence, __ATOMIC_SEQ_CST);
        u64 slept = __atomic_load_n(&ts.idle_sleeptime, __ATOMIC_RELAXED);
        bool active = __atomic_load_n(&ts.idle_active, __ATOMIC_RELAXED);
        ktime_t entry = __atomic_load_n(&ts.idle_entrytime, __ATOMIC_RELAXED);
        __atomic_thread_fence(__ATOMIC_SEQ_CST);
        if ((before & 1) || __atomic_load_n(&ts.idle_sequence, __ATOMIC_RELAXED) != before) continue;
        ktime_t more = active ? ktime_get() - entry : 0;
        return slept + (more > 0 ? static_cast<u64>(more) : 0);
    }
}

u64 nohz_idle_cpus_mask() { return __atomic_load_n(&idle_cpus_mask, __ATOMIC_SEQ_CST); }

} // namespace kernel
