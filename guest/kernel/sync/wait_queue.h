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

struct task_struct;

struct wait_queue_entry {
    task_struct* task;
    list_head entry;
};

class wait_queue_head {
public:
    explicit constexpr wait_queue_head(const char* name) : lock_(name) {}

    /// Sleeps until condition() holds; not disturbed by signals.
    template <typename Condition> void wait(Condition condition) {
        wait_queue_entry entry = {};
        while (!condition()) {
            prepare(entry, false);
            if (!condition()) sleep();
        }
        finish(entry);
    }
    /// The same, or ERESTARTSYS when a signal arrives.
    template <typename Condition> Result<void> wait_interruptible(Condition condition) {
        wait_queue_entry entry = {};
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
    void prepare(wait_queue_entry& entry, bool interruptible);
    void finish(wait_queue_entry& entry);
    static void sleep();
    static bool interrupted();

    spinlock_t lock_;
    list_head head_; ///< initialised on first use, so that queues can be constinit
};

/// One event that happens once.
struct completion {
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
    wait_queue_head queue_{"completion"};
    bool done_ = false;
};

/// A sleeping lock with an owner; only the owner unlocks.
struct mutex {
public:
    explicit constexpr mutex(const char* name) : queue_(name), name_(name) {}
    void lock();
    void unlock();
    bool locked() const { return owner_ != nullptr; }

private:
    wait_queue_head queue_;
    const char* name_;
    task_struct* owner_ = nullptr;
};

class MutexGuard {
public:
    explicit MutexGuard(struct mutex& mutex) : mutex_(mutex) { mutex_.lock(); }
    ~MutexGuard() { mutex_.unlock(); }
    MutexGuard(const MutexGuard&) = delete;
    MutexGuard& operator=(const MutexGuard&) = delete;

private:
    struct mutex& mutex_;
};

} // namespace kernel
