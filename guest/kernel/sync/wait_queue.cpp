// Sleeping primitives; see wait_queue.h.
#include "sync/wait_queue.h"

#include "lib/log.h"
#include "sched/scheduler.h"
#include "task/task.h"

namespace kernel {

void WaitQueue::prepare(WaitEntry& entry, bool interruptible) {
    IrqSpinGuard guard(lock_);
    if (!head_.next) head_.initialise();
    if (!entry.node.linked()) {
        entry.task = current_task();
        head_.push_back(&entry.node);
    }
    set_current_state(interruptible ? TaskInterruptible : TaskUninterruptible);
}

void WaitQueue::finish(WaitEntry& entry) {
    set_current_state(TaskRunning);
    IrqSpinGuard guard(lock_);
    entry.node.remove();
}

void WaitQueue::sleep() { schedule(); }
bool WaitQueue::interrupted() { return current_task()->signal_pending(); }

void WaitQueue::wake_all() {
    IrqSpinGuard guard(lock_);
    if (!head_.next) return;
    for (LIST_EACH(node, head_)) wake_up_task(CONTAINER_OF(node, WaitEntry, node)->task);
}

void WaitQueue::wake_one() {
    IrqSpinGuard guard(lock_);
    if (ListNode* node = head_.front()) wake_up_task(CONTAINER_OF(node, WaitEntry, node)->task);
}

void Mutex::lock() {
    Task* self = current_task();
    if (owner_ == self) panic("mutex %s: locked again by its owner", name_);
    queue_.wait([&] {
        Task* nobody = nullptr;
        return __atomic_compare_exchange_n(&owner_, &nobody, self, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
    });
}

void Mutex::unlock() {
    if (owner_ != current_task()) panic("mutex %s: unlocked by somebody else", name_);
    __atomic_store_n(&owner_, static_cast<Task*>(nullptr), __ATOMIC_RELEASE);
    queue_.wake_one();
}

} // namespace kernel
