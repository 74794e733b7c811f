// The mutex's slow sides; see mutex.h.
#include "sync/mutex.h"

#include "lib/log.h"
#include "sched/scheduler.h"
#include "sync/rcu.h"
#include "task/task.h"

namespace kernel {
namespace {

constexpr u64 MUTEX_FLAG_WAITERS = 1, MUTEX_FLAG_HANDOFF = 2, MUTEX_FLAG_PICKUP = 4, MUTEX_FLAGS = 7;

struct mutex_waiter {
    task_struct* task;
    list_head list;
};

u64 self() { return reinterpret_cast<u64>(get_current()); }

/// Null when the lock is ours now, else its owner. With `handoff`, also asks the owner to give it to the
/// first waiter.
task_struct* __mutex_trylock_or_owner(struct mutex& mutex, bool handoff) {
    u64 owner = __atomic_load_n(&mutex.owner, __ATOMIC_RELAXED);
    for (;;) {
        u64 task = owner & ~MUTEX_FLAGS, flags = owner & MUTEX_FLAGS, fresh;
        if (task) {
            if (flags & MUTEX_FLAG_PICKUP) {
                if (task != self()) return reinterpret_cast<task_struct*>(task);
                fresh = task | (flags & ~MUTEX_FLAG_PICKUP);
                task = 0;
            } else {
                if (!handoff || (flags & MUTEX_FLAG_HANDOFF)) return reinterpret_cast<task_struct*>(task);
                fresh = owner | MUTEX_FLAG_HANDOFF;
            }
        } else {
            fresh = self() | (flags & ~MUTEX_FLAG_HANDOFF);
        }
        if (__atomic_compare_exchange_n(&mutex.owner, &owner, fresh, false, __ATOMIC_ACQUIRE,
                                        __ATOMIC_RELAXED)) {
            if (!task) return nullptr;
            return reinterpret_cast<task_struct*>(task);
        }
    }
}

bool __mutex_trylock(struct mutex& mutex) { return !__mutex_trylock_or_owner(mutex, false); }

/// Spins while the owner runs: it will let go soon, and a switch costs more than waiting. False: sleep.
bool mutex_optimistic_spin(struct mutex& mutex) {
    if (num_online_cpus() == 1) return false;
    for (;;) {
        task_struct* owner = __mutex_trylock_or_owner(mutex, false);
        if (!owner) return true;
        // Preemption is off, so an owner that ends meanwhile is not freed before we look away (RCU).
        while ((__atomic_load_n(&mutex.owner, __ATOMIC_RELAXED) & ~MUTEX_FLAGS) ==
               reinterpret_cast<u64>(owner)) {
            if (!__atomic_load_n(&owner->on_cpu, __ATOMIC_RELAXED) || need_resched()) return false;
            cpu_relax();
        }
    }
}

bool is_first_waiter(struct mutex& mutex, mutex_waiter& waiter) {
    return mutex.wait_list.front() == &waiter.list;
}

Result<void> __mutex_lock_slowpath(struct mutex& mutex, u32 state) {
    if ((__atomic_load_n(&mutex.owner, __ATOMIC_RELAXED) & ~MUTEX_FLAGS) == self() &&
        !(__atomic_load_n(&mutex.owner, __ATOMIC_RELAXED) & MUTEX_FLAG_PICKUP))
        panic("mutex %s: locked again by its owner", mutex.dep_map.name);
    preempt_disable();
    if (__mutex_trylock(mutex) || mutex_optimistic_spin(mutex)) {
        preempt_enable();
        return {};
    }
    bool interrupts = local_irq_save();
    mutex.wait_lock.lock_raw();
    Result<void> result;
    mutex_waiter waiter{get_current(), {}};
    if (!mutex.wait_list.next) mutex.wait_list.initialise();
    if (!__mutex_trylock(mutex)) {
        if (debug_locks) [[unlikely]]
            lock_contended(mutex.dep_map, &mutex);
        mutex.wait_list.push_back(&waiter.list);
        if (is_first_waiter(mutex, waiter))
            __atomic_fetch_or(&mutex.owner, MUTEX_FLAG_WAITERS, __ATOMIC_RELAXED);
        bool first = false;
        for (;;) {
            set_current_state(state);
            // Under wait_lock: an unlock after this sees us on the list.
            if (__mutex_trylock(mutex)) break;
            if (signal_pending_state(state, *get_current())) {
                result = Errno::EINTR;
                break;
            }
            mutex.wait_lock.unlock_raw();
            local_irq_restore(interrupts);
            preempt_enable_no_resched();
            schedule();
            preempt_disable();
            first = is_first_waiter(
                mutex, waiter); // only we and the unlocker look at the front: it cannot change back
            set_current_state(state);
            // Woken and the lock is gone again: the next unlock gives it to us.
            if (!__mutex_trylock_or_owner(mutex, first) || (first && mutex_optimistic_spin(mutex))) {
                interrupts = local_irq_save();
                mutex.wait_lock.lock_raw();
                break;
            }
            interrupts = local_irq_save();
            mutex.wait_lock.lock_raw();
        }
        set_current_state(TASK_RUNNING);
        waiter.list.remove();
        if (mutex.wait_list.empty())
            __atomic_fetch_and(&mutex.owner, ~(MUTEX_FLAG_WAITERS | MUTEX_FLAG_HANDOFF), __ATOMIC_RELAXED);
    }
    mutex.wait_lock.unlock_raw();
    local_irq_restore(interrupts);
    preempt_enable();
    return result;
}

void __mutex_unlock_slowpath(struct mutex& mutex) {
    u64 owner = __atomic_load_n(&mutex.owner, __ATOMIC_RELAXED);
    if ((owner & ~MUTEX_FLAGS) != self() || (owner & MUTEX_FLAG_PICKUP))
        panic("mutex %s: unlocked by somebody else", mutex.dep_map.name);
    while (!(owner & MUTEX_FLAG_HANDOFF)) {
        if (!__atomic_compare_exchange_n(&mutex.owner, &owner, owner & MUTEX_FLAGS, false, __ATOMIC_RELEASE,
                                         __ATOMIC_RELAXED))
            continue;
        if (owner & MUTEX_FLAG_WAITERS) break;
        return;
    }
    IrqSpinGuard guard(mutex.wait_lock);
    task_struct* next = nullptr;
    if (list_head* node = mutex.wait_list.front()) next = container_of(node, mutex_waiter, list)->task;
    if (owner &
        MUTEX_FLAG_HANDOFF) { // still ours: give it to `next`, or to nobody when the waiter was interrupted
        owner = __atomic_load_n(&mutex.owner, __ATOMIC_RELAXED);
        u64 fresh;
        do {
            fresh =
                (owner & MUTEX_FLAG_WAITERS) | reinterpret_cast<u64>(next) | (next ? MUTEX_FLAG_PICKUP : 0);
        } while (!__atomic_compare_exchange_n(&mutex.owner, &owner, fresh, false, __ATOMIC_RELEASE,
                                              __ATOMIC_RELAXED));
    }
    if (next) wake_up_process(next);
}

} // namespace

void mutex_lock(struct mutex& mutex, unsigned subclass) {
    might_sleep();
    if (debug_locks) [[unlikely]]
        lock_acquire(mutex.dep_map, &mutex, subclass, LockKind::Sleep);
    u64 nobody = 0;
    if (!__atomic_compare_exchange_n(&mutex.owner, &nobody, self(), false, __ATOMIC_ACQUIRE,
                                     __ATOMIC_RELAXED))
        (void)__mutex_lock_slowpath(mutex, TASK_UNINTERRUPTIBLE);
    if (debug_locks) [[unlikely]]
        lock_acquired(mutex.dep_map, &mutex);
}

Result<void> mutex_lock_interruptible(struct mutex& mutex) {
    might_sleep();
    if (debug_locks) [[unlikely]]
        lock_acquire(mutex.dep_map, &mutex, 0, LockKind::Sleep);
    u64 nobody = 0;
    if (!__atomic_compare_exchange_n(&mutex.owner, &nobody, self(), false, __ATOMIC_ACQUIRE,
                                     __ATOMIC_RELAXED)) {
        Result<void> result = __mutex_lock_slowpath(mutex, TASK_INTERRUPTIBLE);
        if (!result.ok()) {
            if (debug_locks) [[unlikely]]
                lock_release(mutex.dep_map, &mutex);
            return result;
        }
    }
    if (debug_locks) [[unlikely]]
        lock_acquired(mutex.dep_map, &mutex);
    return {};
}

bool mutex_trylock(struct mutex& mutex) {
    if (!__mutex_trylock(mutex)) return false;
    if (debug_locks) [[unlikely]] {
        lock_acquire(mutex.dep_map, &mutex, 0, LockKind::SleepTry);
        lock_acquired(mutex.dep_map, &mutex);
    }
    return true;
}

void mutex_unlock(struct mutex& mutex) {
    if (debug_locks) [[unlikely]]
        lock_release(mutex.dep_map, &mutex);
    u64 owner = self();
    if (!__atomic_compare_exchange_n(&mutex.owner, &owner, u64{0}, false, __ATOMIC_RELEASE, __ATOMIC_RELAXED))
        __mutex_unlock_slowpath(mutex);
}

void mutex::lock(unsigned subclass) { mutex_lock(*this, subclass); }
bool mutex::trylock() { return mutex_trylock(*this); }
void mutex::unlock() { mutex_unlock(*this); }

} // namespace kernel
