// The timer wheel; see timer.h. Arithmetic and constants: Linux's kernel/time/timer.c describes them.
#include "time/timer.h"

#include "arch/x86_64/smp.h"
#include "irq/irq.h"
#include "lib/log.h"
#include "time/tick.h"
#include "time/timekeeping.h"

namespace kernel {

constinit timer_base timer_bases[NR_CPUS] = {};

namespace {

constexpr unsigned LVL_CLK_SHIFT = 3;
constexpr u64 LVL_CLK_DIV = 1 << LVL_CLK_SHIFT, LVL_CLK_MASK = LVL_CLK_DIV - 1, LVL_MASK = LVL_SIZE - 1;
constexpr u64 NEXT_TIMER_MAX_DELTA = (u64{1} << 30) - 1;
constexpr u32 TIMER_CPUMASK = 0xff, TIMER_MIGRATING = 0x100;
constexpr unsigned TIMER_ARRAYSHIFT = 16;
constexpr unsigned lvl_shift(unsigned level) { return level * LVL_CLK_SHIFT; }
/// The first delta that belongs to the level.
constexpr u64 lvl_start(unsigned level) { return (LVL_SIZE - 1) << (level - 1) * LVL_CLK_SHIFT; }
constexpr u64 WHEEL_TIMEOUT_CUTOFF = lvl_start(LVL_DEPTH),
              WHEEL_TIMEOUT_MAX = WHEEL_TIMEOUT_CUTOFF - (u64{1} << lvl_shift(LVL_DEPTH - 1));

bool time_before(u64 a, u64 b) { return static_cast<i64>(a - b) < 0; }

/// Rounded up by the level's step: a timer that was armed at a tick's edge, or is cut off by the level, is
/// not early.
unsigned calc_index(u64 expires, unsigned level, u64* bucket_expiry) {
    expires = (expires >> lvl_shift(level)) + 1;
    *bucket_expiry = expires << lvl_shift(level);
    return level * LVL_SIZE + static_cast<unsigned>(expires & LVL_MASK);
}

unsigned calc_wheel_index(u64 expires, u64 clk, u64* bucket_expiry) {
    u64 delta = expires - clk;
    if (static_cast<i64>(delta) < 0) { // over already
        *bucket_expiry = clk;
        return static_cast<unsigned>(clk & LVL_MASK);
    }
    if (delta >= WHEEL_TIMEOUT_CUTOFF)
        return calc_index(clk + WHEEL_TIMEOUT_MAX, LVL_DEPTH - 1, bucket_expiry);
    unsigned level = 0;
    while (level + 1 < LVL_DEPTH && delta >= lvl_start(level + 1)) level++;
    return calc_index(expires, level, bucket_expiry);
}

/// How many buckets ahead of `clk` the next one with timers is; −1 for none.
int next_pending_bucket(u64 map, u64 clk) {
    if (!map) return -1;
    unsigned turn = static_cast<unsigned>(clk & LVL_MASK);
    return __builtin_ctzll(turn ? map >> turn | map << (64 - turn) : map);
}

/// REQUIRES here and below: the base's lock.
u64 __next_timer_interrupt(timer_base& base) {
    u64 next = base.clk + NEXT_TIMER_MAX_DELTA, clk = base.clk;
    for (unsigned level = 0; level < LVL_DEPTH; level++) {
        int ahead = next_pending_bucket(base.pending_map[level], clk);
        u64 level_clk = clk & LVL_CLK_MASK;
        if (ahead >= 0) {
            u64 at = (clk + static_cast<u64>(ahead)) << lvl_shift(level);
            if (time_before(at, next)) next = at;
            // What is in the next level cannot be before it.
            if (static_cast<u64>(ahead) <= ((LVL_CLK_DIV - level_clk) & LVL_CLK_MASK)) break;
        }
        clk = (clk >> LVL_CLK_SHIFT) + (level_clk ? 1 : 0);
    }
    base.next_expiry_recalc = false;
    base.timers_pending = next != base.clk + NEXT_TIMER_MAX_DELTA;
    return next;
}

/// An idle CPU's wheel stands still: it turns on, as far as nothing is left behind.
void forward_timer_base(timer_base& base) {
    u64 now = __atomic_load_n(&jiffies, __ATOMIC_ACQUIRE);
    if (static_cast<i64>(now - base.clk) < 1) return;
    base.clk = time_before(now, base.next_expiry) ? now : max(base.clk, base.next_expiry);
}

void enqueue_timer(timer_base& base, timer_list& timer) {
    u64 bucket_expiry;
    unsigned index = calc_wheel_index(timer.expires, base.clk, &bucket_expiry);
    list_head& bucket = base.vectors[index];
    if (!bucket.next) bucket.initialise();
    bucket.push_back(&timer.entry);
    base.pending_map[index / LVL_SIZE] |= u64{1} << index % LVL_SIZE;
    timer.flags = (timer.flags & 0xffff) | index << TIMER_ARRAYSHIFT;
    if (time_before(bucket_expiry, base.next_expiry)) {
        base.next_expiry = bucket_expiry;
        base.timers_pending = true;
        base.next_expiry_recalc = false;
    }
}

bool detach_if_pending(timer_base& base, timer_list& timer) {
    if (!timer.entry.linked()) return false;
    unsigned index = timer.flags >> TIMER_ARRAYSHIFT;
    timer.entry.remove();
    if (base.vectors[index].empty() && (base.pending_map[index / LVL_SIZE] >> index % LVL_SIZE & 1)) {
        base.pending_map[index / LVL_SIZE] &= ~(u64{1} << index % LVL_SIZE);
        base.next_expiry_recalc = true;
    }
    return true;
}

class TimerGuard {
public:
    explicit TimerGuard(timer_list& timer) : interrupts_(local_irq_save()) {
        preempt_disable();
        for (;; cpu_relax()) {
            u32 flags = __atomic_load_n(&timer.flags, __ATOMIC_ACQUIRE);
            if (flags & TIMER_MIGRATING) continue;
            base = &timer_bases[flags & TIMER_CPUMASK];
            base->lock.lock_raw();
            u32 again = __atomic_load_n(&timer.flags, __ATOMIC_ACQUIRE);
            if (!((flags ^ again) & (TIMER_CPUMASK | TIMER_MIGRATING))) return;
            base->lock.unlock_raw();
        }
    }
    ~TimerGuard() {
        base->lock.unlock_raw();
        local_irq_restore(interrupts_);
        preempt_enable();
    }
    TimerGuard(const TimerGuard&) = delete;
    TimerGuard& operator=(const TimerGuard&) = delete;
    void move_to(timer_list& timer, u32 cpu) {
        __atomic_store_n(&timer.flags, timer.flags | TIMER_MIGRATING, __ATOMIC_RELEASE);
        base->lock.unlock_raw();
        base = &timer_bases[cpu];
        base->lock.lock_raw();
        __atomic_store_n(&timer.flags, cpu, __ATOMIC_RELEASE);
    }

    timer_base* base;

private:
    bool interrupts_;
};

/// Of the timers whose time has come, those of the coarsest level first: they have waited longest.
void expire_timers(timer_base& base, list_head& expired) {
    while (list_head* node = expired.pop_front()) {
        timer_list* timer = container_of(node, timer_list, entry);
        base.running_timer = timer;
        auto function = timer->function;
        void* context = timer->context;
        base.lock.unlock_raw();
        local_irq_enable();
        function(context); // the timer itself may be gone behind it
        local_irq_disable();
        base.lock.lock_raw();
        base.running_timer = nullptr;
    }
}

void __run_timers(timer_base& base) {
    IrqSpinGuard guard(base.lock);
    auto now = [] { return __atomic_load_n(&jiffies, __ATOMIC_ACQUIRE); };
    while (!time_before(now(), base.clk) && !time_before(now(), base.next_expiry)) {
        list_head expired[LVL_DEPTH];
        unsigned levels = 0;
        base.clk = base.next_expiry;
        u64 clk = base.clk;
        for (unsigned level = 0; level < LVL_DEPTH; level++) {
            u64 bit = u64{1} << (clk & LVL_MASK);
            if (base.pending_map[level] & bit) {
                base.pending_map[level] &= ~bit;
                list_head& bucket = base.vectors[level * LVL_SIZE + (clk & LVL_MASK)];
                list_head& taken = expired[levels++];
                taken.initialise();
                while (list_head* node = bucket.pop_front()) taken.push_back(node);
            }
            if (clk & LVL_CLK_MASK) break; // the next level's turn has not come
            clk >>= LVL_CLK_SHIFT;
        }
        base.clk++;
        base.next_expiry = __next_timer_interrupt(base);
        while (levels--) expire_timers(base, expired[levels]);
    }
}

void run_timer_softirq() {
    preempt_disable();
    timer_base& base = timer_bases[smp_processor_id()];
    preempt_enable(); // in a softirq nobody moves us
    __run_timers(base);
}

} // namespace

void init_timers() {
    for (timer_base& base : timer_bases)
        base.clk = jiffies, base.next_expiry = jiffies + NEXT_TIMER_MAX_DELTA;
    open_softirq(TIMER_SOFTIRQ, run_timer_softirq);
}

void mod_timer(timer_list& timer, u64 expires) {
    TimerGuard guard(timer);
    detach_if_pending(*guard.base, timer);
    // A function that runs elsewhere keeps its timer there: del_timer_sync() looks at one CPU.
    u32 cpu = smp_processor_id();
    if (guard.base != &timer_bases[cpu] && guard.base->running_timer != &timer) guard.move_to(timer, cpu);
    forward_timer_base(*guard.base);
    timer.expires = expires;
    enqueue_timer(*guard.base, timer);
}

void add_timer_on(timer_list& timer, unsigned cpu) {
    {
        TimerGuard guard(timer);
        KERNEL_ASSERT(!timer.entry.linked());
        if (guard.base != &timer_bases[cpu]) guard.move_to(timer, cpu);
        forward_timer_base(*guard.base);
        enqueue_timer(*guard.base, timer);
    }
    if (cpu != smp_processor_id()) smp_send_reschedule(cpu); // it may sleep beyond this
}

bool del_timer(timer_list& timer) {
    TimerGuard guard(timer);
    return detach_if_pending(*guard.base, timer);
}

bool del_timer_sync(timer_list& timer) {
    for (;; cpu_relax()) {
        TimerGuard guard(timer);
        bool armed = detach_if_pending(*guard.base, timer);
        if (guard.base->running_timer != &timer) return armed;
    }
}

void run_local_timers() {
    hrtimer_run_queues();
    const timer_base& base = timer_bases[smp_processor_id()];
    if (!time_before(jiffies, base.next_expiry)) raise_softirq(TIMER_SOFTIRQ);
}

ktime_t get_next_timer_interrupt(u64 basej, ktime_t basem) {
    timer_base& base = timer_bases[smp_processor_id()];
    SpinGuard guard(base.lock);
    if (base.next_expiry_recalc) base.next_expiry = __next_timer_interrupt(base);
    if (!time_before(basej, base.next_expiry)) return basem; // due
    if (time_before(base.clk, basej)) base.clk = basej;
    if (!base.timers_pending) return KTIME_MAX;
    return basem + static_cast<ktime_t>(base.next_expiry - basej) * TICK_NSEC;
}

} // namespace kernel
