// See futex.h. One queue of waiters: a thin kernel has few.
#include "task/futex.h"

#include "arch/x86_64/user_access.h"
#include "sched/scheduler.h"
#include "time/tick.h"
#include "time/timekeeping.h"

namespace kernel {
namespace {

struct Waiter {
    Task* task;
    MemoryStruct* mm;
    u64 address;
    bool woken;
    ListNode node;
};
constinit ListNode waiters = {};
constinit SpinLock futex_lock{"futex"};

} // namespace

Result<i64> futex_wait(u64 address, u32 expected, u64 timeout, bool has_timeout) {
    Task* task = current_task();
    Waiter waiter{task, task->mm, address, false, {}};
    // Queue first, then look: a waker that changes the word after the look finds us.
    {
        IrqSpinGuard guard(futex_lock);
        if (!waiters.next) waiters.initialise();
        waiters.push_back(&waiter.node);
    }
    Timer timer;
    timer.function = [](void* sleeper) { wake_up_task(static_cast<Task*>(sleeper)); };
    timer.context = task;
    u64 end = clock_nanoseconds() + timeout;
    Result<u32> value = get_user<u32>(address);
    Result<i64> result = i64{0};
    if (!value.ok())
        result = value.error();
    else if (value.value() != expected)
        result = Errno::EAGAIN;
    else
        for (;;) {
            set_current_state(TaskInterruptible);
            if (__atomic_load_n(&waiter.woken, __ATOMIC_ACQUIRE)) break;
            if (task->signal_pending()) {
                result = Errno::ERESTARTSYS;
                break;
            }
            if (has_timeout) {
                u64 now = clock_nanoseconds();
                if (now >= end) {
                    result = Errno::ETIMEDOUT;
                    break;
                }
                arm_timer(timer, jiffies + jiffies_from_nanoseconds(end - now));
            }
            schedule();
        }
    set_current_state(TaskRunning);
    cancel_timer(timer);
    IrqSpinGuard guard(futex_lock);
    waiter.node.remove();
    return waiter.woken ? Result<i64>(i64{0}) : result;
}

unsigned wake_futex(u64 address, unsigned count) {
    IrqSpinGuard guard(futex_lock);
    unsigned woken = 0;
    if (!waiters.next) return 0;
    for (LIST_EACH_SAFE(node, waiters)) {
        Waiter* waiter = CONTAINER_OF(node, Waiter, node);
        if (woken == count) break;
        if (waiter->mm != current_task()->mm || waiter->address != address) continue;
        node->remove();
        __atomic_store_n(&waiter->woken, true, __ATOMIC_RELEASE);
        wake_up_task(waiter->task);
        woken++;
    }
    return woken;
}

} // namespace kernel
