// Grace periods; see rcu.h.
#include "sync/rcu.h"

#include "irq/irq.h"
#include "lib/log.h"
#include "sched/scheduler.h"
#include "sync/wait_queue.h"
#include "time/timekeeping.h"

namespace kernel {

constinit u64 rcu_grace_periods = 0;

namespace {

struct callback_list {
    rcu_head* head = nullptr;
    rcu_head** tail = nullptr;
    u64 gp_seq = 0; ///< runs when rcu_state's gp_seq has reached this

    void append(rcu_head* entry) {
        entry->next = nullptr;
        if (!head)
            head = entry;
        else
            *tail = entry;
        tail = &entry->next;
    }
};

/// A CPU's own; its interrupts are off when it is changed.
struct rcu_data {
    callback_list next;    ///< not yet assigned to a grace period
    callback_list waiting; ///< for its gp_seq
    u32 ticks = 0;         ///< for which the running grace period has waited for this CPU
};
constinit rcu_data rcu_data_of[NR_CPUS] = {};

constinit spinlock_t rcu_lock{"rcu_state"};
constinit u64 gp_seq = 0;
constinit u64 qs_mask = 0, online_mask = 1;
constinit u64 idle_mask = 0; ///< CPUs that are halted
constinit u64 gp_wanted = 0; ///< the highest gp_seq that a callback waits for

/// REQUIRES: rcu_lock.
void rcu_gp_start() {
    do {
        __atomic_store_n(&gp_seq, gp_seq + 1, __ATOMIC_RELEASE);
        __atomic_store_n(&qs_mask, online_mask, __ATOMIC_RELEASE);
        // The mask, then who is idle; a CPU that goes idle says so, then looks at the mask.
        __atomic_thread_fence(__ATOMIC_SEQ_CST);
        u64 idle = __atomic_load_n(&idle_mask, __ATOMIC_SEQ_CST);
        __atomic_store_n(&qs_mask, qs_mask & ~idle, __ATOMIC_RELEASE);
        if (qs_mask) return;
        __atomic_store_n(&gp_seq, gp_seq + 1, __ATOMIC_RELEASE); // all are idle: nobody reads
        rcu_grace_periods++;
    } while (gp_wanted > gp_seq);
}

/// REQUIRES: rcu_lock.
void rcu_report_qs(unsigned cpu) {
    if (!(qs_mask >> cpu & 1)) return;
    __atomic_store_n(&qs_mask, qs_mask & ~(u64{1} << cpu), __ATOMIC_RELEASE);
    if (qs_mask || !(gp_seq & 1)) return;
    __atomic_store_n(&gp_seq, gp_seq + 1, __ATOMIC_RELEASE);
    rcu_grace_periods++;
    if (gp_wanted > gp_seq) rcu_gp_start();
}

/// The end of a grace period that starts after this moment: the running one does not count. REQUIRES:
/// rcu_lock.
u64 rcu_seq_snap() { return (gp_seq + 3) & ~u64{1}; }

/// This CPU holds no reader of before now. REQUIRES: interrupts off.
void note_quiescent() {
    unsigned cpu = smp_processor_id();
    if (!(__atomic_load_n(&qs_mask, __ATOMIC_ACQUIRE) >> cpu & 1)) return;
    rcu_lock.lock_raw();
    rcu_report_qs(cpu);
    rcu_lock.unlock_raw();
}

void rcu_core() {
    for (;;) {
        bool interrupts = local_irq_save();
        rcu_data& data = rcu_data_of[smp_processor_id()];
        rcu_head* ready = nullptr;
        if (data.waiting.head && __atomic_load_n(&gp_seq, __ATOMIC_ACQUIRE) >= data.waiting.gp_seq) {
            ready = data.waiting.head;
            data.waiting.head = nullptr;
        }
        if (!data.waiting.head && data.next.head) {
            data.waiting = data.next;
            data.next.head = nullptr;
            rcu_lock.lock_raw();
            data.waiting.gp_seq = rcu_seq_snap();
            gp_wanted = max(gp_wanted, data.waiting.gp_seq);
            if (!(gp_seq & 1)) rcu_gp_start();
            rcu_lock.unlock_raw();
        }
        local_irq_restore(interrupts);
        if (!ready) return;
        while (ready) {
            rcu_head* next = ready->next;
            ready->func(ready);
            ready = next;
        }
    }
}

} // namespace

void rcu_init() { open_softirq(RCU_SOFTIRQ, rcu_core); }

void call_rcu(rcu_head* head, void (*func)(rcu_head*)) {
    head->func = func;
    bool interrupts = local_irq_save();
    rcu_data_of[smp_processor_id()].next.append(head);
    raise_softirq(RCU_SOFTIRQ); // runs at the next interrupt at the latest
    local_irq_restore(interrupts);
}

void rcu_note_context_switch() { note_quiescent(); }

void rcu_idle_enter() {
    __atomic_fetch_or(&idle_mask, u64{1} << smp_processor_id(), __ATOMIC_SEQ_CST);
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    note_quiescent();
}

void rcu_idle_exit() {
    u64 bit = u64{1} << smp_processor_id();
    if (__atomic_load_n(&idle_mask, __ATOMIC_RELAXED) & bit)
        __atomic_fetch_and(&idle_mask, ~bit, __ATOMIC_SEQ_CST);
}

bool rcu_needs_cpu() {
    const rcu_data& data = rcu_data_of[smp_processor_id()];
    return data.next.head || data.waiting.head;
}

void rcu_sched_clock_irq(bool quiescent) {
    rcu_data& data = rcu_data_of[smp_processor_id()];
    if (quiescent) note_quiescent();
    // Code that has interrupts off nearly all the time meets the tick at its own preempt_enable(): ask it to
    // switch there.
    if (!(__atomic_load_n(&qs_mask, __ATOMIC_ACQUIRE) >> smp_processor_id() & 1))
        data.ticks = 0;
    else if (++data.ticks >= 2)
        __atomic_fetch_or(&get_current()->thread_flags, u32{_TIF_NEED_RESCHED}, __ATOMIC_ACQ_REL);
    if (data.next.head ||
        (data.waiting.head && __atomic_load_n(&gp_seq, __ATOMIC_ACQUIRE) >= data.waiting.gp_seq))
        raise_softirq(RCU_SOFTIRQ);
}

void rcu_cpu_online(unsigned cpu) {
    IrqSpinGuard guard(rcu_lock);
    online_mask |= u64{1} << cpu;
}

namespace {

struct rcu_synchronize {
    rcu_head head; ///< first: the callback gets it
    struct completion done;
};
void wakeme_after_rcu(rcu_head* head) { reinterpret_cast<rcu_synchronize*>(head)->done.complete(); }

} // namespace

void synchronize_rcu() {
    might_sleep();
    rcu_synchronize wait;
    call_rcu(&wait.head, wakeme_after_rcu);
    wait.done.wait();
}

} // namespace kernel
