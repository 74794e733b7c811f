// Wait queues, completions and mutexes: where tasks sleep until another task or an interrupt handler wakes
// them.
//
// Sleeping follows Linux's order: put yourself on the queue, set your state, test the condition, schedule. A
// wake-up between the test and the switch only makes the task runnable again, so none is lost. REQUIRES for
// everything that sleeps: task context, no spin lock held.
#pragma once

#include "lib/list.h"
#include "lib/result.h"
#include "sync/spinlock.h"

namespace kernel {

struct Task;

struct WaitEntry {
    Task* task;
    ListNode node;
};

class WaitQueue {
public:
    explicit constexpr WaitQueue(const char* name) : lock_(name) {}

    /// Sleeps until condition() holds; not disturbed by signals.
    template <typename Condition> void wait(Condition condition) {
        WaitEntry entry = {};
        while (!condition()) {
            prepare(entry, false);
            if (!condition()) sleep();
        }
        finish(entry);
    }
    /// The same, or ERESTARTSYS when a signal arrives.
    template <typename Condition> Result<void> wait_interruptible(Condition condition) {
        WaitEntry entry = {};
        Result<void> result;
        while (!condition()) {
            if (interrupted()) {
                result = Errno::ERESTARTSYS;
                break;
            }
            prepare(entry, true);
            if (!condition() && !interrupted()) sleep();
        }
        finish(entry);
        return result;
    }
    void wake_all();
    void wake_one();
    bool has_sleepers() const { return head_.linked(); }

private:
    void prepare(WaitEntry& entry, bool interruptible);
    void finish(WaitEntry& entry);
    static void sleep();
    static bool interrupted();

    SpinLock lock_;
    ListNode head_; ///< initialised on first use, so that queues can be constinit
};

/// One event that happens once.
class Completion {
public:
    void wait() {
        queue_.wait([this] { return done(); });
    }
    void complete() {
        __atomic_store_n(&done_, true, __ATOMIC_RELEASE);
        queue_.wake_all();
    }
    bool done() const { return __atomic_load_n(&done_, __ATOMIC_ACQUIRE); }
    void reset() { done_ = false; }

private:
    WaitQueue queue_{"completion"};
    bool done_ = false;
};

/// A sleeping lock with an owner; only the owner unlocks.
class Mutex {
public:
    explicit constexpr Mutex(const char* name) : queue_(name), name_(name) {}
    void lock();
    void unlock();
    bool locked() const { return owner_ != nullptr; }

private:
    WaitQueue queue_;
    const char* name_;
    Task* owner_ = nullptr;
};

class MutexGuard {
public:
    explicit MutexGuard(Mutex& mutex) : mutex_(mutex) { mutex_.lock(); }
    ~MutexGuard() { mutex_.unlock(); }
    MutexGuard(const MutexGuard&) = delete;
    MutexGuard& operator=(const MutexGuard&) = delete;

private:
    Mutex& mutex_;
};

} // namespace kernel
