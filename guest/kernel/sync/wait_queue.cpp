// Sleeping primitives; see wait_queue.h.
#include "sync/wait_queue.h"

#include "lib/log.h"
#include "sched/scheduler.h"
#include "task/task.h"

namespace kernel {

void wait_queue_head::prepare(wait_queue_entry& entry, bool interruptible) {
    IrqSpinGuard guard(lock_);
    if (!head_.next) head_.initialise();
    if (!entry.entry.linked()) {
        entry.task = get_current();
        head_.push_back(&entry.entry);
    }
    set_current_state(interruptible ? TASK_INTERRUPTIBLE : TASK_UNINTERRUPTIBLE);
}

void wait_queue_head::finish(wait_queue_entry& entry) {
    set_current_state(TASK_RUNNING);
    IrqSpinGuard guard(lock_);
    entry.entry.remove();
}

void wait_queue_head::sleep() { schedule(); }
bool wait_queue_head::interrupted() { return get_current()->signal_pending(); }

void wait_queue_head::wake_all() {
    IrqSpinGuard guard(lock_);
    if (!head_.next) return;
    for (LIST_EACH(node, head_)) try_to_wake_up(container_of(node, wait_queue_entry, entry)->task);
}

void wait_queue_head::wake_one() {
    IrqSpinGuard guard(lock_);
    if (list_head* node = head_.front()) try_to_wake_up(container_of(node, wait_queue_entry, entry)->task);
}

void mutex::lock() {
    task_struct* self = get_current();
    if (owner_ == self) panic("mutex %s: locked again by its owner", name_);
    queue_.wait([&] {
        task_struct* nobody = nullptr;
        return __atomic_compare_exchange_n(&owner_, &nobody, self, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
    });
}

void mutex::unlock() {
    if (owner_ != get_current()) panic("mutex %s: unlocked by somebody else", name_);
    __atomic_store_n(&owner_, static_cast<task_struct*>(nullptr), __ATOMIC_RELEASE);
    queue_.wake_one();
}

} // namespace kernel
