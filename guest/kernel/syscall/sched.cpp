// System calls on who runs when: policies and priorities (sched(7)), nice values, affinity.
#include "arch/x86_64/smp.h"
#include "arch/x86_64/user_access.h"
#include "lib/string.h"
#include "sched/fair_math.h"
#include "sched/scheduler.h"
#include "syscall/syscall.h"
#include "task/cred.h"
#include "task/task.h"

namespace kernel {
namespace {

/// A task by number, or the caller, with a reference; null when there is none.
task_struct* get_task(i32 pid) {
    IrqSpinGuard guard(tasklist_lock);
    task_struct* task = pid ? find_task_by_vpid(pid) : get_current();
    if (task) get_task_struct(task);
    return task;
}
class TaskReference {
public:
    explicit TaskReference(i32 pid) : task_(get_task(pid)) {}
    ~TaskReference() {
        if (task_) put_task_struct(task_);
    }
    TaskReference(const TaskReference&) = delete;
    TaskReference& operator=(const TaskReference&) = delete;
    explicit operator bool() const { return task_; }
    task_struct* operator->() const { return task_; }
    task_struct* get() const { return task_; }

private:
    task_struct* task_;
};
task_struct* task_or_self(i32 pid) { return pid ? find_task_by_vpid(pid) : get_current(); }

/// REQUIRES: tasklist_lock: another task's cred is freed when it changes.
bool same_owner(const task_struct& task) {
    const struct cred &mine = *current_cred(), &other = *task.cred;
    return mine.euid == other.euid || mine.euid == other.uid;
}
u64 limit_of(const task_struct& task, unsigned which) {
    IrqSpinGuard guard(tasklist_lock);
    return task.signal ? task.signal->rlim[which].rlim_cur : 0;
}
/// RLIMIT_NICE counts from 1 (nice 19) to 40 (nice -20).
bool can_nice(const task_struct& task, i32 nice) {
    return static_cast<u64>(20 - nice) <= limit_of(task, RLIMIT_NICE) || capable(*current_cred());
}

Result<i64> sys_sched_yield() {
    do_sched_yield();
    return i64{0};
}

constexpr u32 PRIO_PROCESS = 0;
Result<i64> sys_getpriority(u32 which, i32 who) {
    if (which != PRIO_PROCESS) return Errno::EINVAL;
    IrqSpinGuard guard(tasklist_lock);
    task_struct* task = task_or_self(who);
    return task ? Result<i64>(i64{20 - task->nice}) : Errno::ESRCH; // the C library turns it round
}
Result<i64> sys_setpriority(u32 which, i32 who, i32 nice) {
    if (which != PRIO_PROCESS) return Errno::EINVAL;
    TaskReference task(who);
    if (!task) return Errno::ESRCH;
    nice = clamp(nice, MIN_NICE, MAX_NICE);
    {
        IrqSpinGuard guard(tasklist_lock);
        if (!capable(*current_cred()) && !same_owner(*task.get())) return Errno::EPERM;
    }
    if (nice < task->nice && !can_nice(*task.get(), nice)) return Errno::EACCES;
    set_user_nice(task.get(), nice);
    return i64{0};
}

Result<i64> sys_sched_getaffinity(i32 pid, usize size, u64 target) {
    if (size < 8 || size % 8) return Errno::EINVAL;
    u64 mask;
    {
        IrqSpinGuard guard(tasklist_lock);
        task_struct* task = task_or_self(pid);
        if (!task) return Errno::ESRCH;
        mask = task->cpus_mask & cpu_online_mask();
    }
    TRY(put_user(target, mask));
    return i64{8};
}
Result<i64> sys_sched_setaffinity(i32 pid, usize size, u64 source) {
    u64 mask = 0;
    TRY(copy_from_user(&mask, source, min<usize>(size, sizeof mask)));
    task_struct* task;
    {
        IrqSpinGuard guard(tasklist_lock);
        task = task_or_self(pid);
        if (!task) return Errno::ESRCH;
        if (!capable(*current_cred()) && !same_owner(*task)) return Errno::EPERM;
        if (task->flags & PF_NO_SETAFFINITY) return Errno::EINVAL;
        get_task_struct(task);
    }
    Result<void> set = set_cpus_allowed(task, static_cast<u32>(mask));
    put_task_struct(task);
    TRY(set);
    return i64{0};
}
Result<i64> sys_getcpu(u64 cpu, u64 node) {
    if (cpu) TRY(put_user<u32>(cpu, smp_processor_id()));
    if (node) TRY(put_user<u32>(node, 0));
    return i64{0};
}

/// struct sched_attr, first version.
struct sched_attr {
    u32 size, sched_policy;
    u64 sched_flags;
    i32 sched_nice;
    u32 sched_priority;
    u64 sched_runtime, sched_deadline, sched_period;
};
static_assert(sizeof(sched_attr) == 48);
constexpr u64 SCHED_FLAG_RESET_ON_FORK = 1;

bool known_policy(u32 policy) {
    return rt_policy(policy) || policy == SCHED_NORMAL || policy == SCHED_BATCH || policy == SCHED_IDLE;
}

/// sched(7), "Privileges and resource limits".
Result<void> user_check_sched_setscheduler(task_struct& task, u32 policy, u32 priority, i32 nice,
                                           bool reset) {
    if (capable(*current_cred())) return {};
    if (!rt_policy(policy) && nice < task.nice && !can_nice(task, nice)) return Errno::EPERM;
    if (rt_policy(policy)) {
        u64 limit = limit_of(task, RLIMIT_RTPRIO);
        if (policy != task.policy && !limit) return Errno::EPERM;
        if (priority > task.rt_priority && priority > limit) return Errno::EPERM;
    }
    if (task.policy == SCHED_IDLE && policy != SCHED_IDLE && !can_nice(task, task.nice)) return Errno::EPERM;
    {
        IrqSpinGuard guard(tasklist_lock);
        if (!same_owner(task)) return Errno::EPERM;
    }
    if (task.sched_reset_on_fork && !reset) return Errno::EPERM;
    return {};
}

Result<void> do_setscheduler(task_struct& task, u32 policy, u32 priority, i32 nice, bool reset) {
    if (!known_policy(policy) || task.sched_class == &stop_sched_class) return Errno::EINVAL;
    if (rt_policy(policy) ? priority < 1 || priority >= MAX_RT_PRIO : priority != 0) return Errno::EINVAL;
    TRY(user_check_sched_setscheduler(task, policy, priority, nice, reset));
    task.sched_reset_on_fork = reset;
    __setscheduler(&task, policy, priority, nice);
    return {};
}

Result<i64> sys_sched_setscheduler(i32 pid, i32 policy, u64 parameter) {
    if (policy < 0 || !parameter || pid < 0) return Errno::EINVAL;
    i32 priority = TRY(get_user<i32>(parameter));
    TaskReference task(pid);
    if (!task) return Errno::ESRCH;
    bool reset = static_cast<u32>(policy) & SCHED_RESET_ON_FORK;
    TRY(do_setscheduler(*task.get(), static_cast<u32>(policy) & ~SCHED_RESET_ON_FORK,
                        static_cast<u32>(priority), task->nice, reset));
    return i64{0};
}

Result<i64> sys_sched_setparam(i32 pid, u64 parameter) {
    if (!parameter || pid < 0) return Errno::EINVAL;
    i32 priority = TRY(get_user<i32>(parameter));
    TaskReference task(pid);
    if (!task) return Errno::ESRCH;
    TRY(do_setscheduler(*task.get(), task->policy, static_cast<u32>(priority), task->nice,
                        task->sched_reset_on_fork));
    return i64{0};
}

Result<i64> sys_sched_getscheduler(i32 pid) {
    if (pid < 0) return Errno::EINVAL;
    TaskReference task(pid);
    if (!task) return Errno::ESRCH;
    return i64{task->policy | (task->sched_reset_on_fork ? SCHED_RESET_ON_FORK : 0)};
}

Result<i64> sys_sched_getparam(i32 pid, u64 parameter) {
    if (!parameter || pid < 0) return Errno::EINVAL;
    TaskReference task(pid);
    if (!task) return Errno::ESRCH;
    TRY(put_user<u32>(parameter, task->rt_priority));
    return i64{0};
}

Result<i64> sys_sched_get_priority_max(u32 policy) {
    if (rt_policy(policy)) return i64{MAX_RT_PRIO - 1};
    return known_policy(policy) || policy == 6 ? Result<i64>(i64{0}) : Errno::EINVAL;
}
Result<i64> sys_sched_get_priority_min(u32 policy) {
    if (rt_policy(policy)) return i64{1};
    return known_policy(policy) || policy == 6 ? Result<i64>(i64{0}) : Errno::EINVAL;
}

Result<i64> sys_sched_rr_get_interval(i32 pid, u64 target) {
    if (pid < 0) return Errno::EINVAL;
    TaskReference task(pid);
    if (!task) return Errno::ESRCH;
    u64 interval = task->policy == SCHED_RR ? u64{RR_TIMESLICE} * (1'000'000'000 / HZ) : 0;
    if (!rt_task(*task.get())) {
        bool interrupts = local_irq_save();
        struct rq& queue = task_rq_lock(task.get());
        if (queue.cfs.load.weight) interval = align_down(sched_slice(queue, task->se), 1'000'000'000 / HZ);
        queue.lock.unlock_raw();
        local_irq_restore(interrupts);
    }
    struct {
        i64 seconds, nanoseconds;
    } time = {static_cast<i64>(interval / 1'000'000'000), static_cast<i64>(interval % 1'000'000'000)};
    TRY(copy_to_user(target, &time, sizeof time));
    return i64{0};
}

Result<i64> sys_sched_setattr(i32 pid, u64 address, u32 flags) {
    if (!address || pid < 0 || flags) return Errno::EINVAL;
    sched_attr attr = {};
    u32 size = TRY(get_user<u32>(address));
    if (!size) size = sizeof attr;
    if (size < sizeof attr || size > PAGE_SIZE) {
        TRY(put_user<u32>(address, sizeof attr));
        return Errno::E2BIG;
    }
    for (u32 at = sizeof attr; at < size; at++) // what we do not know must not be asked for
        if (TRY(get_user<u8>(address + at))) {
            TRY(put_user<u32>(address, sizeof attr));
            return Errno::E2BIG;
        }
    TRY(copy_from_user(&attr, address, sizeof attr));
    if (static_cast<i32>(attr.sched_policy) < 0 || (attr.sched_flags & ~SCHED_FLAG_RESET_ON_FORK))
        return Errno::EINVAL;
    TaskReference task(pid);
    if (!task) return Errno::ESRCH;
    TRY(do_setscheduler(*task.get(), attr.sched_policy, attr.sched_priority,
                        clamp(attr.sched_nice, MIN_NICE, MAX_NICE),
                        attr.sched_flags & SCHED_FLAG_RESET_ON_FORK));
    return i64{0};
}

Result<i64> sys_sched_getattr(i32 pid, u64 address, u32 size, u32 flags) {
    if (!address || pid < 0 || size > PAGE_SIZE || size < sizeof(sched_attr) || flags) return Errno::EINVAL;
    TaskReference task(pid);
    if (!task) return Errno::ESRCH;
    sched_attr attr = {};
    attr.size = sizeof attr;
    attr.sched_policy = task->policy;
    attr.sched_flags = task->sched_reset_on_fork ? SCHED_FLAG_RESET_ON_FORK : 0;
    if (rt_task(*task.get()))
        attr.sched_priority = task->rt_priority;
    else
        attr.sched_nice = task->nice;
    TRY(copy_to_user(address, &attr, sizeof attr));
    return i64{0};
}

using enum ArgumentKind;
constexpr SyscallRow rows[] = {
    row<sys_sched_yield>(24, "sched_yield"),
    row<sys_getpriority>(140, "getpriority", Unsigned, Int),
    row<sys_setpriority>(141, "setpriority", Unsigned, Int, Int),
    row<sys_sched_setparam>(142, "sched_setparam", Int, Pointer),
    row<sys_sched_getparam>(143, "sched_getparam", Int, Pointer),
    row<sys_sched_setscheduler>(144, "sched_setscheduler", Int, Int, Pointer),
    row<sys_sched_getscheduler>(145, "sched_getscheduler", Int),
    row<sys_sched_get_priority_max>(146, "sched_get_priority_max", Int),
    row<sys_sched_get_priority_min>(147, "sched_get_priority_min", Int),
    row<sys_sched_rr_get_interval>(148, "sched_rr_get_interval", Int, Pointer),
    row<sys_sched_setaffinity>(203, "sched_setaffinity", Int, Unsigned, Pointer),
    row<sys_sched_getaffinity>(204, "sched_getaffinity", Int, Unsigned, Pointer),
    row<sys_getcpu>(309, "getcpu", Pointer, Pointer),
    row<sys_sched_setattr>(314, "sched_setattr", Int, Pointer, Flags),
    row<sys_sched_getattr>(315, "sched_getattr", Int, Pointer, Unsigned, Flags),
};

} // namespace

SyscallSpan sched_syscalls() { return {rows, array_size(rows)}; }

} // namespace kernel
