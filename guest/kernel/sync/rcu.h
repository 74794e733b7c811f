// Read-copy-update: readers that never wait, and writers that free an old version only when no reader can
// hold it.
//
// A reader is any code with preemption off. A CPU is in a quiescent state when it switches tasks, and
// when the tick finds preemption on: no reader of before is left on it. A CPU that shows neither for some
// ticks is asked to switch. A grace period ends when every online CPU has been quiescent once since it began.
// Callbacks of call_rcu run in the RCU softirq of the CPU that queued them, after a full grace period.
//
// Invariants: gp_seq is even while no grace period runs, odd while one does; qs_mask holds the CPUs that it
// still waits for (both under rcu_lock). A callback list's number says which grace period must have ended
// before it runs.
#pragma once

#include "sync/spinlock.h"

namespace kernel {

struct rcu_head {
    rcu_head* next = nullptr;
    void (*func)(rcu_head*) = nullptr;
};

inline void rcu_read_lock() { preempt_disable(); }
inline void rcu_read_unlock() { preempt_enable(); }
class RcuReadGuard {
public:
    RcuReadGuard() { rcu_read_lock(); }
    ~RcuReadGuard() { rcu_read_unlock(); }
    RcuReadGuard(const RcuReadGuard&) = delete;
    RcuReadGuard& operator=(const RcuReadGuard&) = delete;
};
template <typename T> T* rcu_dereference(T* const& pointer) {
    return __atomic_load_n(&pointer, __ATOMIC_CONSUME);
}
template <typename T> void rcu_assign_pointer(T*& pointer, T* value) {
    __atomic_store_n(&pointer, value, __ATOMIC_RELEASE);
}

void rcu_init();
void call_rcu(rcu_head* head, void (*func)(rcu_head*));
/// Waits for a grace period. REQUIRES: task context.
void synchronize_rcu();

/// From __schedule, interrupts off.
void rcu_note_context_switch();
/// From the tick; `quiescent`: what it interrupted had preemption on (user mode, the idle loop, preemptible
/// kernel code).
void rcu_sched_clock_irq(bool quiescent);
/// The CPU halts in its idle loop: it holds no reader, and no grace period waits for it, until
/// rcu_idle_exit(). REQUIRES: interrupts off.
void rcu_idle_enter();
/// Nothing when it was called already.
void rcu_idle_exit();
/// This CPU has callbacks: it must look again at the next tick.
bool rcu_needs_cpu();
/// The CPU joins: it is waited for from the next grace period on.
void rcu_cpu_online(unsigned cpu);

extern u64 rcu_grace_periods; ///< ended so far

} // namespace kernel
