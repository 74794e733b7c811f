// The mutex: a sleeping lock with an owner; only the owner unlocks.
//
// The owner word holds the owner's task_struct and three flags, as in Linux: WAITERS (the unlocker must wake
// the first waiter), HANDOFF (the first waiter has waited long enough: the unlocker gives it the lock),
// PICKUP (it is given; only that waiter may take it). A locker first tries one compare-and-swap, then spins
// while the owner runs on another CPU, and only then queues in order. Waiters that found the lock taken twice
// ask for the hand-off, so that nobody starves. Invariants: wait_list and the WAITERS flag change under
// wait_lock. REQUIRES: task context.
#pragma once

#include "lib/list.h"
#include "lib/result.h"
#include "sync/spinlock.h"

namespace kernel {

struct task_struct;

struct mutex {
    explicit constexpr mutex(const char* name) : dep_map{name, nullptr} {}
    mutex(const mutex&) = delete;
    mutex& operator=(const mutex&) = delete;
    void lock(unsigned subclass = 0);
    bool trylock();
    void unlock();
    bool locked() const { return __atomic_load_n(&owner, __ATOMIC_RELAXED) & ~u64{7}; }

    u64 owner = 0; ///< task_struct* | flags
    spinlock_t wait_lock{"mutex_wait"};
    list_head wait_list; ///< initialised on first use
    lockdep_map dep_map;
};

void mutex_lock(struct mutex& mutex, unsigned subclass = 0);
/// EINTR when a signal comes first.
Result<void> mutex_lock_interruptible(struct mutex& mutex);
bool mutex_trylock(struct mutex& mutex);
void mutex_unlock(struct mutex& mutex);

/// A second lock of the same class says so with a subclass: the order is the caller's to keep.
class MutexGuard {
public:
    explicit MutexGuard(struct mutex& mutex, unsigned subclass = 0) : mutex_(mutex) {
        mutex_lock(mutex_, subclass);
    }
    ~MutexGuard() { mutex_unlock(mutex_); }
    MutexGuard(const MutexGuard&) = delete;
    MutexGuard& operator=(const MutexGuard&) = delete;

private:
    struct mutex& mutex_;
};

} // namespace kernel
