// Spin locks: ticket locks, first come first served on any number of CPUs. There is no default constructor:
// each lock names its class, and the name is what the lock-order validator, /proc/lock_stat and the host's
// inspection show.
//
// Invariants: preemption is off while a spin lock is held, and interrupts too for locks that interrupt
// handlers take (IrqSpinGuard), softirqs for locks that softirqs take (BhSpinGuard). A CPU never takes a lock
// that it already holds: that is reported as a bug, not spun on.
#pragma once

#include "arch/x86_64/cpu.h"
#include "arch/x86_64/segments.h"
#include "lib/types.h"
#include "sync/lockdep.h"

namespace kernel {

/// Where task_struct keeps its preempt_count (task.h holds the assertion): this header comes before task.h.
inline constexpr usize PreemptCountOffset = 12;
inline u32& preempt_count() {
    return *reinterpret_cast<u32*>(reinterpret_cast<u8*>(get_current()) + PreemptCountOffset);
}

inline void preempt_disable() {
    preempt_count()++;
    asm volatile("" ::: "memory");
}
inline void preempt_enable_no_resched() {
    asm volatile("" ::: "memory");
    preempt_count()--;
}
/// Reschedules when that became due meanwhile and interrupts are on.
void preempt_enable();

void local_bh_disable();
/// Runs the softirqs that were raised meanwhile.
void local_bh_enable();

inline unsigned smp_processor_id() {
    unsigned cpu;
    asm volatile("movl %%gs:32, %0" : "=r"(cpu));
    return cpu;
}

class spinlock_t {
public:
    explicit constexpr spinlock_t(const char* class_name) : dep_map{class_name, nullptr} {}
    spinlock_t(const spinlock_t&) = delete;
    spinlock_t& operator=(const spinlock_t&) = delete;

    /// REQUIRES: preemption is off.
    void lock_raw(unsigned subclass = 0) {
        if (debug_locks) [[unlikely]]
            lock_acquire(dep_map, this, subclass, LockKind::Spin);
        u16 ticket = __atomic_fetch_add(&next_, 1, __ATOMIC_RELAXED);
        if (__atomic_load_n(&serving_, __ATOMIC_ACQUIRE) != ticket) contended(ticket);
        taken();
    }
    bool trylock_raw() {
        u16 ticket = __atomic_load_n(&serving_, __ATOMIC_ACQUIRE);
        u16 expected = ticket;
        if (!__atomic_compare_exchange_n(&next_, &expected, static_cast<u16>(ticket + 1), false,
                                         __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
            return false;
        if (debug_locks) [[unlikely]]
            lock_acquire(dep_map, this, 0, LockKind::SpinTry);
        taken();
        return true;
    }
    void unlock_raw() {
        if (debug_locks) [[unlikely]]
            lock_release(dep_map, this);
        owner_ = NoOwner;
        locked_ = 0;
        __atomic_store_n(&serving_, static_cast<u16>(serving_ + 1), __ATOMIC_RELEASE);
    }
    bool locked() const { return locked_; }
    bool held_by_this_cpu() const { return locked_ && owner_ == smp_processor_id(); }
    const char* name() const { return dep_map.name; }
    /// Panics only: the owner will not come back.
    void break_lock() {
        owner_ = NoOwner;
        locked_ = 0;
        __atomic_store_n(&serving_, __atomic_load_n(&next_, __ATOMIC_RELAXED), __ATOMIC_RELEASE);
    }

    static constexpr u32 NoOwner = ~0U;

    // Published for inspection (inspect/publish.cpp): an object whose lock word is 1 is in flux.
    u32 locked_ = 0;
    u32 owner_ = NoOwner;
    u16 next_ = 0;    ///< the ticket that the next comer draws
    u16 serving_ = 0; ///< the ticket that may go in
    lockdep_map dep_map;
    u64 acquired_ = 0;

private:
    void taken() {
        locked_ = 1;
        owner_ = smp_processor_id();
        acquired_++;
        if (debug_locks) [[unlikely]]
            lock_acquired(dep_map, this);
    }
    void contended(u16 ticket);
};

/// Holds a lock that no interrupt handler takes.
class SpinGuard {
public:
    explicit SpinGuard(spinlock_t& lock, unsigned subclass = 0) : lock_(lock) {
        preempt_disable();
        lock_.lock_raw(subclass);
    }
    ~SpinGuard() {
        lock_.unlock_raw();
        preempt_enable();
    }
    SpinGuard(const SpinGuard&) = delete;
    SpinGuard& operator=(const SpinGuard&) = delete;

private:
    spinlock_t& lock_;
};

/// Holds a lock with interrupts off, and restores them.
class IrqSpinGuard {
public:
    explicit IrqSpinGuard(spinlock_t& lock, unsigned subclass = 0)
        : lock_(lock), interrupts_(local_irq_save()) {
        preempt_disable();
        lock_.lock_raw(subclass);
    }
    ~IrqSpinGuard() {
        lock_.unlock_raw();
        local_irq_restore(interrupts_);
        preempt_enable();
    }
    IrqSpinGuard(const IrqSpinGuard&) = delete;
    IrqSpinGuard& operator=(const IrqSpinGuard&) = delete;

private:
    spinlock_t& lock_;
    bool interrupts_;
};

/// Holds a lock that softirqs take, and interrupt handlers do not.
class BhSpinGuard {
public:
    explicit BhSpinGuard(spinlock_t& lock) : lock_(lock) {
        local_bh_disable();
        lock_.lock_raw();
    }
    ~BhSpinGuard() {
        lock_.unlock_raw();
        local_bh_enable();
    }
    BhSpinGuard(const BhSpinGuard&) = delete;
    BhSpinGuard& operator=(const BhSpinGuard&) = delete;

private:
    spinlock_t& lock_;
};

} // namespace kernel
