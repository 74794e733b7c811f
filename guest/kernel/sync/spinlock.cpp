// The slow sides of spin locks, preemption and softirq gates; see spinlock.h.
#include "sync/spinlock.h"

#include "irq/irq.h"
#include "lib/log.h"
#include "sched/scheduler.h"

namespace kernel {

void spinlock_t::contended(u16 ticket) {
    if (debug_locks) [[unlikely]]
        lock_contended(dep_map, this);
    if (__atomic_load_n(&owner_, __ATOMIC_RELAXED) == smp_processor_id() && !panicking)
        panic("spinlock recursion on CPU#%u, lock %s", owner_, dep_map.name);
    for (u64 spins = 0; __atomic_load_n(&serving_, __ATOMIC_ACQUIRE) != ticket; spins++) {
        cpu_relax();
        if (panicking && spins > 10'000'000) return; // its owner was stopped: the report matters more
    }
}

void preempt_enable() {
    asm volatile("" ::: "memory");
    if (--preempt_count() == 0 && need_resched() && interrupts_enabled()) preempt_schedule();
}

void local_bh_disable() {
    preempt_count() += preempt::SoftirqDisableOffset;
    asm volatile("" ::: "memory");
}

void local_bh_enable() {
    asm volatile("" ::: "memory");
    KERNEL_ASSERT(interrupts_enabled());
    // Softirqs run while the gate still counts as preemption off, so that nobody takes the CPU in between.
    preempt_count() -= preempt::SoftirqDisableOffset - 1;
    if (!(preempt_count() & (preempt::HardirqMask | preempt::SoftirqMask)) && this_cpu().softirq_pending) {
        local_irq_disable();
        __do_softirq();
        local_irq_enable();
    }
    preempt_enable();
}

} // namespace kernel
