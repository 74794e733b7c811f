// Queues of high-resolution timers; see hrtimer.h.
#include "time/hrtimer.h"

#include "arch/x86_64/smp.h"
#include "lib/log.h"
#include "time/clockevents.h"
#include "time/tick.h"
#include "time/timekeeping.h"

namespace kernel {

constinit hrtimer_cpu_base hrtimer_bases[NR_CPUS] = {};

ktime_t ktime_get() { return static_cast<ktime_t>(ktime_get_ns()); }

namespace {

ktime_t ktime_get_real() { return static_cast<ktime_t>(ktime_get_real_ns()); }
ktime_t ktime_get_boottime() { return ktime_get(); }
ktime_t ktime_get_clocktai() { return ktime_get_real(); } // no leap seconds are announced to us

constexpr struct {
    u32 clockid;
    ktime_t (*get_time)();
} clocks[HRTIMER_MAX_CLOCK_BASES] = {{CLOCK_MONOTONIC, ktime_get},
                                     {CLOCK_REALTIME, ktime_get_real},
                                     {CLOCK_BOOTTIME, ktime_get_boottime},
                                     {CLOCK_TAI, ktime_get_clocktai}};

hrtimer_cpu_base& this_base() { return hrtimer_bases[smp_processor_id()]; }
hrtimer* timer_of(struct rb_node* node) {
    return container_of_offset<hrtimer>(node, offsetof(hrtimer, node) + offsetof(timerqueue_node, node));
}
hrtimer* timerqueue_getnext(const timerqueue_head& head) {
    return head.rb_root.rb_leftmost ? timer_of(head.rb_root.rb_leftmost) : nullptr;
}

/// True when it has become the first. Equal times queue behind each other.
bool timerqueue_add(timerqueue_head& head, timerqueue_node& node) {
    struct rb_node **slot = &head.rb_root.rb_root.rb_node, *parent = nullptr;
    bool leftmost = true;
    while (*slot) {
        parent = *slot;
        if (node.expires < timer_of(parent)->node.expires)
            slot = &parent->rb_left;
        else
            slot = &parent->rb_right, leftmost = false;
    }
    head.rb_root.insert(&node.node, parent, slot, leftmost);
    return leftmost;
}

/// The base of a timer, locked; interrupts are off while it is.
class TimerBaseGuard {
public:
    explicit TimerBaseGuard(const hrtimer& timer) : interrupts_(local_irq_save()) {
        preempt_disable();
        for (;; cpu_relax()) {
            base = __atomic_load_n(&timer.base, __ATOMIC_ACQUIRE);
            if (!base) continue; // on its way to another CPU
            base->cpu_base->lock.lock_raw();
            if (base == __atomic_load_n(&timer.base, __ATOMIC_ACQUIRE)) return;
            base->cpu_base->lock.unlock_raw();
        }
    }
    ~TimerBaseGuard() {
        base->cpu_base->lock.unlock_raw();
        local_irq_restore(interrupts_);
        preempt_enable();
    }
    TimerBaseGuard(const TimerBaseGuard&) = delete;
    TimerBaseGuard& operator=(const TimerBaseGuard&) = delete;
    bool local() const { return base->cpu_base == &this_base(); }

    hrtimer_clock_base* base;

private:
    bool interrupts_;
};

/// REQUIRES here and below: the CPU base's lock.
bool enqueue_hrtimer(hrtimer& timer, hrtimer_clock_base& base) {
    timer.state = HRTIMER_STATE_ENQUEUED;
    return timerqueue_add(base.active, timer.node);
}

/// The first expiry of all clocks, on the monotonic one.
ktime_t __hrtimer_get_next_event(const hrtimer_cpu_base& cpu_base) {
    ktime_t first = KTIME_MAX;
    for (const hrtimer_clock_base& base : cpu_base.clock_base)
        if (const hrtimer* timer = timerqueue_getnext(base.active))
            first = min(first, max<ktime_t>(timer->node.expires - base.offset, 0));
    return first;
}

/// REQUIRES: cpu_base is this CPU's.
void __hrtimer_reprogram(hrtimer_cpu_base& cpu_base, ktime_t expires) {
    cpu_base.expires_next = expires;
    // Behind a hang the device is programmed for later on purpose: the interrupt gives the rest a chance.
    if (cpu_base.hres_active && !cpu_base.hang_detected) tick_program_event(expires, true);
}

void hrtimer_force_reprogram(hrtimer_cpu_base& cpu_base, bool skip_equal) {
    ktime_t expires = __hrtimer_get_next_event(cpu_base);
    if (!skip_equal || expires != cpu_base.expires_next) __hrtimer_reprogram(cpu_base, expires);
}

void __remove_hrtimer(hrtimer& timer, hrtimer_clock_base& base) {
    timer.state = HRTIMER_STATE_INACTIVE;
    base.active.rb_root.erase(&timer.node.node);
}

/// Another CPU's device may keep its time: it finds nothing to do then.
bool remove_hrtimer(hrtimer& timer, hrtimer_clock_base& base, bool reprogram) {
    if (timer.state != HRTIMER_STATE_ENQUEUED) return false;
    bool first = timerqueue_getnext(base.active) == &timer;
    __remove_hrtimer(timer, base);
    hrtimer_cpu_base& cpu_base = *base.cpu_base;
    if (first && reprogram && &cpu_base == &this_base() && !cpu_base.in_hrtirq)
        hrtimer_force_reprogram(cpu_base, true);
    return true;
}

void run_hrtimer(hrtimer_cpu_base& cpu_base, hrtimer_clock_base& base, hrtimer& timer) {
    base.running = &timer;
    __remove_hrtimer(timer, base);
    auto function = timer.function;
    cpu_base.lock.unlock_raw();
    // Behind a function that does not restart it the timer may be gone: whoever frees it waits for `running`.
    bool restart = function(timer) != HRTIMER_NORESTART;
    cpu_base.lock.lock_raw();
    if (restart && timer.state != HRTIMER_STATE_ENQUEUED) enqueue_hrtimer(timer, base);
    base.running = nullptr;
}

void __hrtimer_run_queues(hrtimer_cpu_base& cpu_base, ktime_t now) {
    for (hrtimer_clock_base& base : cpu_base.clock_base) {
        // What may run already does, though its last moment has not come: an interrupt less. But only from
        // the first on: the order is by last moments.
        while (hrtimer* timer = timerqueue_getnext(base.active)) {
            if (now + base.offset < timer->_softexpires) break;
            run_hrtimer(cpu_base, base, *timer);
        }
    }
}

void update_offsets(hrtimer_cpu_base& cpu_base) {
    cpu_base.clock_base[HRTIMER_BASE_REALTIME].offset = cpu_base.clock_base[HRTIMER_BASE_TAI].offset =
        static_cast<ktime_t>(ktime_get_real_offset());
}

} // namespace

void hrtimers_init() {
    for (u32 cpu = 0; cpu < NR_CPUS; cpu++) {
        hrtimer_cpu_base& cpu_base = hrtimer_bases[cpu];
        cpu_base.cpu = cpu;
        for (u32 i = 0; i < HRTIMER_MAX_CLOCK_BASES; i++) {
            hrtimer_clock_base& base = cpu_base.clock_base[i];
            base.cpu_base = &cpu_base, base.index = i;
            base.clockid = clocks[i].clockid, base.get_time = clocks[i].get_time;
        }
        update_offsets(cpu_base);
    }
}

void hrtimer_init(hrtimer& timer, u32 clockid) {
    timer = {};
    unsigned type = HRTIMER_BASE_MONOTONIC;
    for (unsigned i = 0; i < HRTIMER_MAX_CLOCK_BASES; i++)
        if (clocks[i].clockid == clockid) type = i;
    preempt_disable();
    timer.base = &this_base().clock_base[type];
    preempt_enable();
}

void hrtimer_set_expires_range_ns(hrtimer& timer, ktime_t expires, u64 delta) {
    timer._softexpires = expires;
    timer.node.expires = ktime_add_safe(expires, delta);
}

void hrtimer_start_range_ns(hrtimer& timer, ktime_t expires, u64 delta, hrtimer_mode mode) {
    TimerBaseGuard guard(timer);
    hrtimer_clock_base*& base = guard.base;
    bool was_first = remove_hrtimer(timer, *base, false) && guard.local();
    if (mode == HRTIMER_MODE_REL) expires = ktime_add_safe(base->get_time(), static_cast<u64>(expires));
    hrtimer_set_expires_range_ns(timer, expires, delta);
    if (!guard.local() && base->running != &timer) {
        hrtimer_clock_base& fresh = this_base().clock_base[base->index];
        __atomic_store_n(&timer.base, static_cast<hrtimer_clock_base*>(nullptr), __ATOMIC_RELEASE);
        base->cpu_base->lock.unlock_raw();
        base = &fresh;
        base->cpu_base->lock.lock_raw();
        __atomic_store_n(&timer.base, base, __ATOMIC_RELEASE);
    }
    bool first = enqueue_hrtimer(timer, *base);
    hrtimer_cpu_base& cpu_base = *base->cpu_base;
    // The interrupt that runs the function looks for the next itself, here or on the other CPU.
    if (!guard.local() || cpu_base.in_hrtirq) return;
    if (was_first)
        hrtimer_force_reprogram(cpu_base, true); // it may be later now
    else if (ktime_t at = max<ktime_t>(timer.node.expires - base->offset, 0);
             first && at < cpu_base.expires_next)
        __hrtimer_reprogram(cpu_base, at);
}

void hrtimer_restart(hrtimer& timer) {
    hrtimer_start_range_ns(timer, timer._softexpires,
                           static_cast<u64>(timer.node.expires - timer._softexpires), HRTIMER_MODE_ABS);
}

int hrtimer_try_to_cancel(hrtimer& timer) {
    if (!timer.function) return 0; // never armed
    TimerBaseGuard guard(timer);
    if (remove_hrtimer(timer, *guard.base, true)) return 1;
    return guard.base->running == &timer ? -1 : 0;
}

bool hrtimer_cancel(hrtimer& timer) {
    for (;; cpu_relax())
        if (int armed = hrtimer_try_to_cancel(timer); armed >= 0) return armed;
}

bool hrtimer_active(const hrtimer& timer) {
    if (!timer.function) return false;
    TimerBaseGuard guard(timer);
    return timer.state == HRTIMER_STATE_ENQUEUED || guard.base->running == &timer;
}

u64 hrtimer_forward(hrtimer& timer, ktime_t now, ktime_t interval) {
    ktime_t delta = now - timer.node.expires;
    if (delta < 0) return 0;
    interval = max<ktime_t>(interval, 1);
    u64 times = static_cast<u64>(delta / interval) + 1;
    ktime_t step = delta / interval * interval + interval;
    if (step < 0) step = KTIME_MAX;
    timer.node.expires = ktime_add_safe(timer.node.expires, static_cast<u64>(step));
    timer._softexpires = ktime_add_safe(timer._softexpires, static_cast<u64>(step));
    return times;
}

u64 hrtimer_forward_now(hrtimer& timer, ktime_t interval) {
    return hrtimer_forward(timer, timer.base->get_time(), interval);
}

ktime_t hrtimer_get_remaining(hrtimer& timer) {
    if (!timer.function) return 0;
    TimerBaseGuard guard(timer);
    return timer.node.expires - guard.base->get_time();
}

void hrtimer_interrupt(clock_event_device& device) {
    hrtimer_cpu_base& cpu_base = this_base();
    cpu_base.nr_events++;
    device.next_event = KTIME_MAX;
    ktime_t entry = ktime_get(), now = entry;
    for (unsigned tries = 1;; tries++) {
        cpu_base.lock.lock_raw();
        cpu_base.in_hrtirq = true;
        __hrtimer_run_queues(cpu_base, now);
        cpu_base.in_hrtirq = false;
        ktime_t next = __hrtimer_get_next_event(cpu_base);
        cpu_base.expires_next = next;
        cpu_base.hang_detected = false;
        if (tick_program_event(next, false)) {
            cpu_base.lock.unlock_raw();
            return;
        }
        // The next is over already: functions took longer than the time between two expiries.
        now = ktime_get();
        if (tries < 3) {
            cpu_base.nr_retries++;
            cpu_base.lock.unlock_raw();
            continue;
        }
        // Timers alone would take all of the CPU: the rest gets as long as this interrupt took.
        cpu_base.nr_hangs++;
        cpu_base.hang_detected = true;
        u64 took = static_cast<u64>(now - entry);
        cpu_base.max_hang_time = max(cpu_base.max_hang_time, took);
        tick_program_event(now + static_cast<ktime_t>(min<u64>(took, 100'000'000)), true);
        cpu_base.lock.unlock_raw();
        static constinit bool told = false;
        if (!__atomic_exchange_n(&told, true, __ATOMIC_RELAXED))
            pr_warn("hrtimer: interrupt took %lu ns\n", took);
        return;
    }
}

void hrtimer_run_queues() {
    hrtimer_cpu_base& cpu_base = this_base();
    if (cpu_base.hres_active) return;
    SpinGuard guard(cpu_base.lock);
    __hrtimer_run_queues(cpu_base, ktime_get());
    cpu_base.expires_next = __hrtimer_get_next_event(cpu_base);
}

void hrtimer_switch_to_hres() {
    hrtimer_cpu_base& cpu_base = this_base();
    IrqSpinGuard guard(cpu_base.lock);
    cpu_base.hres_active = true;
    hrtimer_force_reprogram(cpu_base, false);
}

void clock_was_set() {
    on_each_cpu(
        [](void*) {
            hrtimer_cpu_base& cpu_base = this_base();
            SpinGuard guard(cpu_base.lock);
            update_offsets(cpu_base);
            hrtimer_force_reprogram(cpu_base, false);
        },
        nullptr, true);
}

} // namespace kernel
