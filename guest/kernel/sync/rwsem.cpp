// rw_semaphore and semaphore; see rwsem.h.
#include "sync/rwsem.h"

#include "lib/log.h"
#include "sched/scheduler.h"
#include "task/task.h"

namespace kernel {
namespace {

struct waiter {
    task_struct* task;
    bool write = false;
    bool granted = false; ///< set by the unlocker, under the lock, before it wakes
    list_head list;
};

bool queued(const list_head& list) { return list.linked(); }

/// Sleeps until the unlocker granted; false when a signal came first. REQUIRES: `waiter` was queued.
bool wait_for_grant(spinlock_t& lock, waiter& waiter, u32 state) {
    for (;;) {
        set_current_state(state);
        if (__atomic_load_n(&waiter.granted, __ATOMIC_ACQUIRE)) break;
        if (signal_pending_state(state, *get_current())) {
            IrqSpinGuard guard(lock);
            if (!waiter.granted) {
                waiter.list.remove();
                set_current_state(TASK_RUNNING);
                return false;
            }
            break;
        }
        schedule();
    }
    set_current_state(TASK_RUNNING);
    return true;
}

/// REQUIRES: the lock that guards the waiter. It may go as soon as `granted` is set: its task is read first.
void grant(waiter& first) {
    task_struct* task = first.task;
    get_task_struct(task);
    first.list.remove();
    __atomic_store_n(&first.granted, true, __ATOMIC_RELEASE);
    wake_up_process(task);
    put_task_struct(task);
}

/// REQUIRES: sem.wait_lock. Lets in the writer at the front, or all readers up to the next writer.
void rwsem_mark_wake(rw_semaphore& sem) {
    while (list_head* node = sem.wait_list.next ? sem.wait_list.front() : nullptr) {
        auto* first = container_of(node, waiter, list);
        if (first->write) {
            if (sem.count) return;
            sem.count = -1;
            sem.owner = first->task;
            grant(*first);
            return;
        }
        if (sem.count < 0) return;
        sem.count++;
        grant(*first);
    }
}

bool try_take(rw_semaphore& sem, bool write) {
    if (queued(sem.wait_list) || sem.count < 0 || (write && sem.count)) return false;
    sem.count += write ? -1 : 1;
    if (write) sem.owner = get_current();
    return true;
}

void down_common(rw_semaphore& sem, bool write, unsigned subclass) {
    might_sleep();
    if (debug_locks) [[unlikely]]
        lock_acquire(sem.dep_map, &sem, subclass, write ? LockKind::Sleep : LockKind::SleepRead);
    waiter waiter{get_current(), write, false, {}};
    bool taken;
    {
        IrqSpinGuard guard(sem.wait_lock);
        if (!sem.wait_list.next) sem.wait_list.initialise();
        taken = try_take(sem, write);
        if (!taken) sem.wait_list.push_back(&waiter.list);
    }
    if (!taken) {
        if (debug_locks) [[unlikely]]
            lock_contended(sem.dep_map, &sem);
        wait_for_grant(sem.wait_lock, waiter, TASK_UNINTERRUPTIBLE);
    }
    if (debug_locks) [[unlikely]]
        lock_acquired(sem.dep_map, &sem);
}

bool trylock_common(rw_semaphore& sem, bool write) {
    IrqSpinGuard guard(sem.wait_lock);
    if (!try_take(sem, write)) return false;
    if (debug_locks) [[unlikely]] {
        lock_acquire(sem.dep_map, &sem, 0, LockKind::SleepTry);
        lock_acquired(sem.dep_map, &sem);
    }
    return true;
}

} // namespace

void down_read(rw_semaphore& sem, unsigned subclass) { down_common(sem, false, subclass); }
void down_write(rw_semaphore& sem, unsigned subclass) { down_common(sem, true, subclass); }
bool down_read_trylock(rw_semaphore& sem) { return trylock_common(sem, false); }
bool down_write_trylock(rw_semaphore& sem) { return trylock_common(sem, true); }

void up_read(rw_semaphore& sem) {
    if (debug_locks) [[unlikely]]
        lock_release(sem.dep_map, &sem);
    IrqSpinGuard guard(sem.wait_lock);
    KERNEL_ASSERT(sem.count > 0);
    if (--sem.count == 0) rwsem_mark_wake(sem);
}

void up_write(rw_semaphore& sem) {
    if (debug_locks) [[unlikely]]
        lock_release(sem.dep_map, &sem);
    IrqSpinGuard guard(sem.wait_lock);
    if (sem.count != -1 || sem.owner != get_current())
        panic("rwsem %s: not held for writing by this task", sem.dep_map.name);
    sem.count = 0;
    sem.owner = nullptr;
    rwsem_mark_wake(sem);
}

void downgrade_write(rw_semaphore& sem) {
    IrqSpinGuard guard(sem.wait_lock);
    KERNEL_ASSERT(sem.count == -1 && sem.owner == get_current());
    sem.count = 1;
    sem.owner = nullptr;
    rwsem_mark_wake(sem);
}

namespace {

Result<void> down_common(semaphore& sem, u32 state) {
    waiter waiter{get_current(), false, false, {}};
    {
        IrqSpinGuard guard(sem.lock);
        if (sem.count) {
            sem.count--;
            return {};
        }
        if (!sem.wait_list.next) sem.wait_list.initialise();
        sem.wait_list.push_back(&waiter.list);
    }
    if (!wait_for_grant(sem.lock, waiter, state)) return Errno::EINTR;
    return {};
}

} // namespace

void down(semaphore& sem) {
    might_sleep();
    (void)down_common(sem, TASK_UNINTERRUPTIBLE);
}
Result<void> down_interruptible(semaphore& sem) {
    might_sleep();
    return down_common(sem, TASK_INTERRUPTIBLE);
}
bool down_trylock(semaphore& sem) {
    IrqSpinGuard guard(sem.lock);
    if (!sem.count) return false;
    sem.count--;
    return true;
}
void up(semaphore& sem) {
    IrqSpinGuard guard(sem.lock);
    if (list_head* node = sem.wait_list.next ? sem.wait_list.front() : nullptr)
        grant(*container_of(node, waiter, list));
    else
        sem.count++;
}

} // namespace kernel
