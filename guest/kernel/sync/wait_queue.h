// Wait queues and completions: where tasks sleep until another task or an interrupt handler wakes them.
//
// Sleeping follows one order: put yourself on the queue, set your state, test the condition, schedule. The
// waker changes the condition first and looks at the queue then, so a wake-up is never lost: it finds the
// sleeper on the queue, and a sleeper that has not switched away yet just stays runnable. The condition is
// tested once before queueing and then once a wake-up; as soon as it holds it is not asked again, so it may
// have effects (take something). REQUIRES for everything that sleeps: task context, no spin lock held.
#pragma once

#include "lib/list.h"
#include "lib/result.h"
#include "sync/spinlock.h"

namespace kernel {

struct task_struct;

inline constexpr u32 WQ_FLAG_EXCLUSIVE = 1;

struct wait_queue_entry {
    u32 flags = 0;
    task_struct* task = nullptr;
    /// Called with the queue's lock held; true when it woke somebody.
    bool (*func)(wait_queue_entry& entry, u32 mode, void* key) = nullptr;
    list_head entry;
};

class wait_queue_head {
public:
    explicit constexpr wait_queue_head(const char* name) : lock(name) {}

    /// Sleeps until condition() holds; not disturbed by signals.
    template <typename Condition> void wait(Condition condition);
    /// The same, or ERESTARTSYS when a signal arrives.
    template <typename Condition> Result<void> wait_interruptible(Condition condition);
    void wake_all();
    /// All that are not exclusive, and one that is.
    void wake_one();
    bool has_sleepers() const { return head.linked(); }

    spinlock_t lock;
    list_head head; ///< initialised on first use, so that queues can be constinit
};

bool default_wake_function(wait_queue_entry& entry, u32 mode, void* key);
/// Takes the entry off the queue as well: an exclusive sleeper is woken once.
bool autoremove_wake_function(wait_queue_entry& entry, u32 mode, void* key);
void add_wait_queue(wait_queue_head& queue, wait_queue_entry& entry);
void remove_wait_queue(wait_queue_head& queue, wait_queue_entry& entry);
/// Queues the caller (once) and sets its state.
void prepare_to_wait(wait_queue_head& queue, wait_queue_entry& entry, u32 state);
void prepare_to_wait_exclusive(wait_queue_head& queue, wait_queue_entry& entry, u32 state);
void finish_wait(wait_queue_head& queue, wait_queue_entry& entry);
/// Wakes what sleeps in `mode`: everything that is not exclusive and at most nr_exclusive of the rest (0:
/// all).
void __wake_up(wait_queue_head& queue, u32 mode, unsigned nr_exclusive, void* key = nullptr);
/// The same under the queue's lock.
void __wake_up_locked(wait_queue_head& queue, u32 mode, unsigned nr_exclusive, void* key = nullptr);

void wait_schedule();
bool signal_pending_in(u32 state);
inline constexpr u32 WaitInterruptible = 1, WaitUninterruptible = 2, WaitNormal = 3;

/// The loop of all of Linux's wait_event macros.
template <typename Condition>
Result<void> ___wait_event(wait_queue_head& queue, u32 state, Condition condition) {
    wait_queue_entry entry;
    Result<void> result;
    for (;;) {
        prepare_to_wait(queue, entry, state);
        if (condition()) break;
        if (signal_pending_in(state)) {
            result = Errno::ERESTARTSYS;
            break;
        }
        wait_schedule();
    }
    finish_wait(queue, entry);
    return result;
}
template <typename Condition> void wait_queue_head::wait(Condition condition) {
    if (!condition()) (void)___wait_event(*this, WaitUninterruptible, condition);
}
template <typename Condition> Result<void> wait_queue_head::wait_interruptible(Condition condition) {
    return condition() ? Result<void>() : ___wait_event(*this, WaitInterruptible, condition);
}

/// Something that happens: `done` counts the events that nobody has waited for yet.
struct completion {
    void wait();
    Result<void> wait_interruptible();
    /// Only SIGKILL ends the wait early.
    Result<void> wait_killable();
    void complete();
    void complete_all();
    bool done() const { return __atomic_load_n(&count, __ATOMIC_ACQUIRE) != 0; }
    void reset() { count = 0; }

    wait_queue_head queue{"completion"};
    u32 count = 0; ///< under queue.lock
};
void wait_for_completion(struct completion& completion);
void complete(struct completion& completion);
void complete_all(struct completion& completion);

} // namespace kernel

#include "sync/mutex.h"
