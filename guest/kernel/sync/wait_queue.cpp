// Sleeping primitives; see wait_queue.h.
#include "sync/wait_queue.h"

#include "lib/log.h"
#include "sched/scheduler.h"
#include "task/task.h"

namespace kernel {

bool default_wake_function(wait_queue_entry& entry, u32 mode, void*) {
    return try_to_wake_up(entry.task, mode);
}

bool autoremove_wake_function(wait_queue_entry& entry, u32 mode, void* key) {
    bool woken = default_wake_function(entry, mode, key);
    if (woken) entry.entry.remove();
    return woken;
}

namespace {

/// REQUIRES: queue.lock.
void enqueue(wait_queue_head& queue, wait_queue_entry& entry, bool exclusive) {
    if (!queue.head.next) queue.head.initialise();
    if (entry.entry.linked()) return;
    if (!entry.task) entry.task = get_current();
    if (!entry.func) entry.func = exclusive ? autoremove_wake_function : default_wake_function;
    entry.flags = exclusive ? WQ_FLAG_EXCLUSIVE : 0;
    // Those that all wake stand in front, so that waking stops at the last exclusive one.
    if (exclusive)
        queue.head.push_back(&entry.entry);
    else
        queue.head.push_front(&entry.entry);
}

} // namespace

void add_wait_queue(wait_queue_head& queue, wait_queue_entry& entry) {
    IrqSpinGuard guard(queue.lock);
    enqueue(queue, entry, false);
}

void remove_wait_queue(wait_queue_head& queue, wait_queue_entry& entry) {
    IrqSpinGuard guard(queue.lock);
    entry.entry.remove();
}

void prepare_to_wait(wait_queue_head& queue, wait_queue_entry& entry, u32 state) {
    IrqSpinGuard guard(queue.lock);
    enqueue(queue, entry, false);
    set_current_state(state);
}

void prepare_to_wait_exclusive(wait_queue_head& queue, wait_queue_entry& entry, u32 state) {
    IrqSpinGuard guard(queue.lock);
    enqueue(queue, entry, true);
    set_current_state(state);
}

void finish_wait(wait_queue_head& queue, wait_queue_entry& entry) {
    set_current_state(TASK_RUNNING);
    // A waker may still be in the entry's func: only its lock says that it is through.
    IrqSpinGuard guard(queue.lock);
    entry.entry.remove();
}

void __wake_up_locked(wait_queue_head& queue, u32 mode, unsigned nr_exclusive, void* key) {
    if (!queue.head.next) return;
    for (LIST_EACH_SAFE(node, queue.head)) {
        auto* entry = container_of(node, wait_queue_entry, entry);
        u32 flags = entry->flags; // the entry may go once its task is awake
        if (entry->func(*entry, mode, key) && (flags & WQ_FLAG_EXCLUSIVE) && !--nr_exclusive) break;
    }
}

void __wake_up(wait_queue_head& queue, u32 mode, unsigned nr_exclusive, void* key) {
    IrqSpinGuard guard(queue.lock);
    __wake_up_locked(queue, mode, nr_exclusive, key);
}

void wait_queue_head::wake_all() { __wake_up(*this, TASK_NORMAL, 0); }
void wait_queue_head::wake_one() { __wake_up(*this, TASK_NORMAL, 1); }

void wait_schedule() { schedule(); }
bool signal_pending_in(u32 state) { return signal_pending_state(state, *get_current()); }

void completion::wait() { wait_for_completion(*this); }
void completion::complete() { kernel::complete(*this); }
void completion::complete_all() { kernel::complete_all(*this); }

namespace {

/// Takes one event; the test and the taking are one step under the queue's lock.
Result<void> wait_for_common(struct completion& completion, u32 state) {
    wait_queue_entry entry;
    Result<void> result;
    for (;;) {
        prepare_to_wait_exclusive(completion.queue, entry, state);
        {
            IrqSpinGuard guard(completion.queue.lock);
            if (completion.count) {
                if (completion.count != ~0U) completion.count--;
                break;
            }
        }
        if (signal_pending_in(state)) {
            result = Errno::ERESTARTSYS;
            break;
        }
        schedule();
    }
    finish_wait(completion.queue, entry);
    return result;
}

} // namespace

void wait_for_completion(struct completion& completion) {
    (void)wait_for_common(completion, TASK_UNINTERRUPTIBLE);
}
Result<void> completion::wait_interruptible() { return wait_for_common(*this, TASK_INTERRUPTIBLE); }

Result<void> completion::wait_killable() { return wait_for_common(*this, TASK_KILLABLE); }

void complete(struct completion& completion) {
    IrqSpinGuard guard(completion.queue.lock);
    if (completion.count != ~0U) completion.count++;
    __wake_up_locked(completion.queue, TASK_NORMAL, 1);
}

void complete_all(struct completion& completion) {
    IrqSpinGuard guard(completion.queue.lock);
    completion.count = ~0U;
    __wake_up_locked(completion.queue, TASK_NORMAL, 0);
}

} // namespace kernel
