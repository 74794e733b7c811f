// See futex.h. One queue of waiters: a thin kernel has few.
#include "task/futex.h"

#include "arch/x86_64/user_access.h"
#include "sched/scheduler.h"
#include "time/tick.h"
#include "time/timekeeping.h"

namespace kernel {
namespace {

struct Waiter {
    task_struct* task;
    mm_struct* mm;
    u64 address;
    bool woken;
    list_head node;
};
constinit list_head waiters = {};
constinit spinlock_t futex_lock{"futex"};

} // namespace

Result<i64> futex_wait(u64 address, u32 expected, u64 timeout, bool has_timeout) {
    task_struct* task = get_current();
    Waiter waiter{task, task->mm, address, false, {}};
    // Queue first, then look: a waker that changes the word after the look finds us.
    {
        IrqSpinGuard guard(futex_lock);
        if (!waiters.next) waiters.initialise();
        waiters.push_back(&waiter.node);
    }
    timer_list timer;
    timer.function = [](void* sleeper) { try_to_wake_up(static_cast<task_struct*>(sleeper)); };
    timer.context = task;
    u64 end = ktime_get_ns() + timeout;
    Result<u32> value = get_user<u32>(address);
    Result<i64> result = i64{0};
    if (!value.ok())
        result = value.error();
    else if (value.value() != expected)
        result = Errno::EAGAIN;
    else
        for (;;) {
            set_current_state(TASK_INTERRUPTIBLE);
            if (__atomic_load_n(&waiter.woken, __ATOMIC_ACQUIRE)) break;
            if (task->signal_pending()) {
                result = Errno::ERESTARTSYS;
                break;
            }
            if (has_timeout) {
                u64 now = ktime_get_ns();
                if (now >= end) {
                    result = Errno::ETIMEDOUT;
                    break;
                }
                mod_timer(timer, jiffies + nsecs_to_jiffies(end - now));
            }
            schedule();
        }
    set_current_state(TASK_RUNNING);
    del_timer_sync(timer);
    IrqSpinGuard guard(futex_lock);
    waiter.node.remove();
    return waiter.woken ? Result<i64>(i64{0}) : result;
}

unsigned futex_wake(u64 address, unsigned count) {
    IrqSpinGuard guard(futex_lock);
    unsigned woken = 0;
    if (!waiters.next) return 0;
    for (LIST_EACH_SAFE(node, waiters)) {
        Waiter* waiter = container_of(node, Waiter, node);
        if (woken == count) break;
        if (waiter->mm != get_current()->mm || waiter->address != address) continue;
        node->remove();
        __atomic_store_n(&waiter->woken, true, __ATOMIC_RELEASE);
        try_to_wake_up(waiter->task);
        woken++;
    }
    return woken;
}

} // namespace kernel
