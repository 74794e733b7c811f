// Spin locks. There is no default constructor: each lock names its class, and the name is what the host's
// inspection and the recursion report show.
//
// Invariants: preemption is off while a spin lock is held, and interrupts too for locks that interrupt
// handlers take (IrqSpinGuard). A CPU never takes a lock that it already holds: that is reported as a bug,
// not spun on.
#pragma once

#include "arch/x86_64/cpu.h"
#include "lib/types.h"

namespace kernel {

void preempt_disable();
/// Reschedules when that became due meanwhile and interrupts are on.
void preempt_enable();
void preempt_enable_no_resched();
unsigned smp_processor_id();

class spinlock_t {
public:
    explicit constexpr spinlock_t(const char* class_name) : name_(class_name) {}
    spinlock_t(const spinlock_t&) = delete;
    spinlock_t& operator=(const spinlock_t&) = delete;

    /// REQUIRES: preemption is off.
    void lock_raw() {
        if (__atomic_exchange_n(&locked_, 1, __ATOMIC_ACQUIRE)) contended();
        owner_ = smp_processor_id();
        acquired_++;
    }
    void unlock_raw() {
        owner_ = NoOwner;
        __atomic_store_n(&locked_, 0, __ATOMIC_RELEASE);
    }
    bool locked() const { return locked_; }
    const char* name() const { return name_; }
    /// Panics only: the owner will not come back.
    void break_lock() { unlock_raw(); }

    static constexpr u32 NoOwner = ~0U;

    // Published for inspection (inspect/publish.cpp): an object whose lock word is 1 is in flux.
    u32 locked_ = 0;
    u32 owner_ = NoOwner;
    const char* name_;
    u64 acquired_ = 0;

private:
    void contended();
};

/// Holds a lock that no interrupt handler takes.
class SpinGuard {
public:
    explicit SpinGuard(spinlock_t& lock) : lock_(lock) {
        preempt_disable();
        lock_.lock_raw();
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
    explicit IrqSpinGuard(spinlock_t& lock) : lock_(lock), interrupts_(local_irq_save()) {
        preempt_disable();
        lock_.lock_raw();
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

} // namespace kernel
