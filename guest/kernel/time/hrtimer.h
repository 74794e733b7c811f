// High-resolution timers: each CPU keeps its own in trees ordered by expiry, one tree a clock, and programs
// its clock event device for the first of them all. A timer's function runs in the interrupt that the device
// raises.
//
// Invariants (under hrtimer_cpu_base::lock, interrupts off): a timer is in its base's tree exactly while its
// state is HRTIMER_STATE_ENQUEUED; base->running is the timer whose function runs, which is then in no tree;
// expires_next is not later than the first timer's expiry, unless in_hrtirq (the interrupt looks again before
// it ends). A timer's `base` is null only while it changes CPUs. No function runs before its expiry.
//
// A timer that is started goes to the CPU that starts it, but for one whose function runs elsewhere just
// then.
#pragma once

#include "lib/rbtree.h"
#include "mm/layout.h"
#include "sync/spinlock.h"

namespace kernel {

using ktime_t = i64; ///< nanoseconds
inline constexpr ktime_t KTIME_MAX = 0x7fff'ffff'ffff'ffff;
/// The sum, or KTIME_MAX where it would be later.
constexpr ktime_t ktime_add_safe(ktime_t a, u64 b) {
    return b > static_cast<u64>(KTIME_MAX - max<ktime_t>(a, 0)) ? KTIME_MAX : a + static_cast<ktime_t>(b);
}
ktime_t ktime_get();

enum hrtimer_restart : u8 { HRTIMER_NORESTART, HRTIMER_RESTART };
enum hrtimer_mode : u8 { HRTIMER_MODE_ABS, HRTIMER_MODE_REL };
enum hrtimer_base_type : u8 {
    HRTIMER_BASE_MONOTONIC,
    HRTIMER_BASE_REALTIME,
    HRTIMER_BASE_BOOTTIME,
    HRTIMER_BASE_TAI,
    HRTIMER_MAX_CLOCK_BASES
};
/// As user space numbers them.
inline constexpr u32 CLOCK_REALTIME = 0, CLOCK_MONOTONIC = 1, CLOCK_BOOTTIME = 7, CLOCK_TAI = 11;

struct timerqueue_node {
    struct rb_node node;
    ktime_t expires = 0;
};
struct timerqueue_head {
    struct rb_root_cached rb_root;
};

inline constexpr u8 HRTIMER_STATE_INACTIVE = 0, HRTIMER_STATE_ENQUEUED = 1;
struct hrtimer_clock_base;
struct hrtimer {
    timerqueue_node node;     ///< by the latest time that it may run
    ktime_t _softexpires = 0; ///< from here on it may
    hrtimer_restart (*function)(hrtimer& timer) = nullptr;
    hrtimer_clock_base* base = nullptr;
    u8 state = HRTIMER_STATE_INACTIVE;
};

struct hrtimer_clock_base {
    struct hrtimer_cpu_base* cpu_base = nullptr;
    u32 index = 0;
    u32 clockid = 0;
    hrtimer* running = nullptr;
    timerqueue_head active;
    ktime_t (*get_time)() = nullptr;
    ktime_t offset = 0; ///< of its clock to the monotonic one
};

struct hrtimer_cpu_base {
    spinlock_t lock{"hrtimer_bases.lock"};
    u32 cpu = 0;
    bool hres_active = false, in_hrtirq = false, hang_detected = false;
    ktime_t expires_next = KTIME_MAX; ///< monotonic; what the device is programmed for
    u64 nr_events = 0, nr_retries = 0, nr_hangs = 0, max_hang_time = 0;
    hrtimer_clock_base clock_base[HRTIMER_MAX_CLOCK_BASES];
};
extern hrtimer_cpu_base hrtimer_bases[NR_CPUS];

void hrtimers_init();
/// An unknown clock counts as monotonic.
void hrtimer_init(hrtimer& timer, u32 clockid);
/// Arms it (again): it runs between `expires` and `delta` ns later.
void hrtimer_start_range_ns(hrtimer& timer, ktime_t expires, u64 delta, hrtimer_mode mode);
inline void hrtimer_start(hrtimer& timer, ktime_t expires, hrtimer_mode mode) {
    hrtimer_start_range_ns(timer, expires, 0, mode);
}
/// At the times that it has.
void hrtimer_restart(hrtimer& timer);
/// 1: it was armed; 0: it was not; −1: its function runs.
int hrtimer_try_to_cancel(hrtimer& timer);
/// Waits until its function is through: behind it the timer may go. True when it was armed. REQUIRES: not
/// from the function, nor with a lock held that the function takes.
bool hrtimer_cancel(hrtimer& timer);
/// Moves the expiry in whole intervals until it is behind `now`; how many that were. REQUIRES: not armed.
u64 hrtimer_forward(hrtimer& timer, ktime_t now, ktime_t interval);
u64 hrtimer_forward_now(hrtimer& timer, ktime_t interval);
/// Negative once it is over.
ktime_t hrtimer_get_remaining(hrtimer& timer);
inline ktime_t hrtimer_get_expires(const hrtimer& timer) { return timer.node.expires; }
inline ktime_t hrtimer_get_softexpires(const hrtimer& timer) { return timer._softexpires; }
void hrtimer_set_expires_range_ns(hrtimer& timer, ktime_t expires, u64 delta);
/// Armed, or its function runs.
bool hrtimer_active(const hrtimer& timer);
inline bool hrtimer_is_queued(const hrtimer& timer) {
    return __atomic_load_n(&timer.state, __ATOMIC_RELAXED) == HRTIMER_STATE_ENQUEUED;
}

struct clock_event_device;
/// The device's event, in high-resolution mode.
void hrtimer_interrupt(clock_event_device& device);
/// From the periodic tick, where there is no one-shot device.
void hrtimer_run_queues();
/// This CPU's device is one-shot.
void hrtimer_switch_to_hres();
/// The wall clock was set: what waits for a time of it looks again. REQUIRES: interrupts on.
void clock_was_set();

// --- sleeping (hrtimer_sleep.cpp)
struct task_struct;
struct hrtimer_sleeper {
    hrtimer timer;
    task_struct* task; ///< null once the time is over
};
/// Sleeps in the state that the caller has set, until `expires` on the monotonic clock (KTIME_MAX: without an
/// end) or a wake-up. True when the time is over.
bool schedule_hrtimeout_range(ktime_t expires, u64 delta);
/// How late the running task allows its sleeps to end (PR_SET_TIMERSLACK; realtime tasks: not at all).
u64 current_timer_slack();
/// The same for poll and its like: a thousandth of the wait, at most 100 ms.
u64 select_estimate_accuracy(ktime_t expires);

} // namespace kernel
