// System calls on tasks: fork, exec, exit, wait, identities, priorities, futex, arch_prctl.
#include "arch/x86_64/cpu.h"
#include "arch/x86_64/smp.h"
#include "arch/x86_64/user_access.h"
#include "fs/vfs.h"
#include "mm/memory_struct.h"
#include "sched/scheduler.h"
#include "syscall/syscall.h"
#include "task/futex.h"
#include "task/signal.h"
#include "task/task.h"
#include "time/tick.h"
#include "time/timekeeping.h"

namespace kernel {
namespace {

Result<i64> sys_clone(u64 flags, u64 stack, u64 parent_tid, u64 child_tid, u64 tls) {
    kernel_clone_args request;
    request.flags = flags;
    request.child_stack = stack;
    request.parent_tid = parent_tid;
    request.child_tid = child_tid;
    request.tls = tls;
    return kernel_clone(request, current_frame());
}
Result<i64> sys_fork() { return sys_clone(SIGCHLD, 0, 0, 0, 0); }
Result<i64> sys_vfork() { return sys_clone(SIGCHLD | 0x4000 | 0x100, 0, 0, 0, 0); }

Result<i64> sys_execve(u64 path, u64 arguments, u64 environment) {
    return do_execve(path, arguments, environment);
}
Result<i64> sys_exit(i32 code) { do_exit((code & 0xff) << 8); }
Result<i64> sys_exit_group(i32 code) { do_group_exit((code & 0xff) << 8); }

struct Usage {
    i64 user_seconds, user_microseconds, system_seconds, system_microseconds;
    u64 maximum_rss, shared, data, stack, minor_faults, major_faults, swaps, in_blocks, out_blocks, sent,
        received, signals, voluntary, involuntary;
};
static_assert(sizeof(Usage) == 144);
Usage usage_of(const task_times& times) {
    u64 user = times.utime * (1'000'000 / HZ), system = times.stime * (1'000'000 / HZ);
    Usage usage = {};
    usage.user_seconds = static_cast<i64>(user / 1'000'000),
    usage.user_microseconds = static_cast<i64>(user % 1'000'000);
    usage.system_seconds = static_cast<i64>(system / 1'000'000);
    usage.system_microseconds = static_cast<i64>(system % 1'000'000);
    usage.minor_faults = times.min_flt, usage.major_faults = times.maj_flt;
    usage.voluntary = times.nvcsw, usage.involuntary = times.nivcsw;
    return usage;
}

/// A number or group that somebody else could end must stay while we wait for it.
struct PidReference {
    struct pid* pid;
    explicit PidReference(i32 nr) {
        IrqSpinGuard guard(tasklist_lock);
        pid = get_pid(find_pid(nr));
    }
    ~PidReference() { put_pid(pid); }
    PidReference(const PidReference&) = delete;
    PidReference& operator=(const PidReference&) = delete;
};

Result<i64> sys_wait4(i32 pid, u64 status_address, u32 options, u64 usage) {
    if (options & ~(WNOHANG | WUNTRACED | WCONTINUED | __WNOTHREAD | __WCLONE | __WALL)) return Errno::EINVAL;
    if (pid == static_cast<i32>(0x80000000)) return Errno::ESRCH;
    PidReference reference(pid > 0 ? pid : pid == 0 ? task_pgrp_nr(*get_current()) : pid < -1 ? -pid : 0);
    if (pid != -1 && !reference.pid) return Errno::ECHILD;
    wait_opts wait;
    wait.wo_flags = options | WEXITED;
    wait.wo_type = pid > 0 ? PIDTYPE_TGID : pid == -1 ? PIDTYPE_MAX : PIDTYPE_PGID;
    wait.wo_pid = reference.pid;
    i64 found = TRY(do_wait(wait));
    if (found && status_address) TRY(put_user(status_address, wait.wo_stat));
    if (found && usage) TRY(put_user(usage, usage_of(wait.wo_rusage)));
    return found;
}

Result<i64> sys_waitid(u32 which, i32 id, u64 info_address, u32 options, u64 usage) {
    if (options & ~(WNOHANG | WNOWAIT | WEXITED | WSTOPPED | WCONTINUED | __WNOTHREAD | __WCLONE | __WALL))
        return Errno::EINVAL;
    if (!(options & (WEXITED | WSTOPPED | WCONTINUED))) return Errno::EINVAL;
    if (which > 2 || (which == 1 && id <= 0) || (which == 2 && id < 0))
        return Errno::EINVAL; // P_ALL, P_PID, P_PGID
    PidReference reference(which == 0 ? 0 : which == 2 && !id ? task_pgrp_nr(*get_current()) : id);
    if (which && !reference.pid) return Errno::ECHILD;
    wait_opts wait;
    wait.wo_flags = options;
    wait.wo_type = which == 0 ? PIDTYPE_MAX : which == 1 ? PIDTYPE_TGID : PIDTYPE_PGID;
    wait.wo_pid = reference.pid;
    i64 found = TRY(do_wait(wait));
    if (found && usage) TRY(put_user(usage, usage_of(wait.wo_rusage)));
    if (!found) wait.wo_info = {};
    if (info_address) TRY(copy_to_user(info_address, &wait.wo_info, 28)); // up to si_status; the rest stays
    return i64{0};
}

Result<i64> sys_getpid() { return i64{get_current()->tgid}; }
Result<i64> sys_gettid() { return i64{get_current()->pid}; }
Result<i64> sys_getppid() {
    IrqSpinGuard guard(tasklist_lock);
    return i64{get_current()->real_parent->tgid};
}
task_struct* task_or_self(i32 pid) { return pid ? find_task_by_vpid(pid) : get_current(); }

Result<i64> sys_getpgid(i32 pid) {
    IrqSpinGuard guard(tasklist_lock);
    task_struct* task = task_or_self(pid);
    return task ? Result<i64>(i64{task_pgrp_nr(*task)}) : Errno::ESRCH;
}
Result<i64> sys_getpgrp() { return i64{task_pgrp_nr(*get_current())}; }

Result<i64> sys_setpgid(i32 pid, i32 group) {
    if (group < 0 || pid < 0) return Errno::EINVAL;
    task_struct* self = get_current()->group_leader;
    IrqSpinGuard guard(tasklist_lock);
    task_struct* task = pid ? find_task_by_vpid(pid) : self;
    if (!task || (task != self && !(task->real_parent && same_thread_group(*task->real_parent, *self))))
        return Errno::ESRCH;
    if (!thread_group_leader(*task)) return Errno::EINVAL;
    if (task != self) {
        if (task_session(*task) != task_session(*self)) return Errno::EPERM;
        if (!(task->flags & PF_FORKNOEXEC)) return Errno::EACCES;
    }
    if (task->signal->leader) return Errno::EPERM;
    struct pid* target = group && group != task->pid ? find_pid(group) : task->thread_pid;
    if (target != task->thread_pid) {
        if (!target || !target->tasks[PIDTYPE_PGID].linked()) return Errno::EPERM;
        task_struct* member = container_of_offset<task_struct>(target->tasks[PIDTYPE_PGID].next,
                                                               offsetof(task_struct, pid_links) +
                                                                   PIDTYPE_PGID * sizeof(list_head));
        if (task_session(*member) != task_session(*self)) return Errno::EPERM;
    }
    if (task_pgrp(*task) != target) change_pid(task, PIDTYPE_PGID, target);
    return i64{0};
}

Result<i64> sys_setsid() {
    task_struct* leader = get_current()->group_leader;
    IrqSpinGuard guard(tasklist_lock);
    if (leader->signal->leader || leader->thread_pid->tasks[PIDTYPE_PGID].linked()) return Errno::EPERM;
    leader->signal->leader = true;
    leader->signal->tty = nullptr;
    change_pid(leader, PIDTYPE_SID, leader->thread_pid);
    change_pid(leader, PIDTYPE_PGID, leader->thread_pid);
    return i64{leader->pid};
}
Result<i64> sys_getsid(i32 pid) {
    IrqSpinGuard guard(tasklist_lock);
    task_struct* task = task_or_self(pid);
    return task ? Result<i64>(i64{task_session_nr(*task)}) : Errno::ESRCH;
}

Result<i64> sys_set_tid_address(u64 address) {
    get_current()->clear_child_tid = address;
    return i64{get_current()->pid};
}

Result<i64> sys_arch_prctl(u32 code, u64 address) {
    switch (code) {
    case 0x1001: // ARCH_SET_GS
    case 0x1002: // ARCH_SET_FS
        if (address >= TASK_SIZE_MAX) return Errno::EPERM;
        wrmsrl(code == 0x1002 ? Msr::FsBase : Msr::KernelGsBase, address);
        return i64{0};
    case 0x1003: TRY(put_user(address, rdmsrl(Msr::FsBase))); return i64{0};
    case 0x1004: TRY(put_user(address, rdmsrl(Msr::KernelGsBase))); return i64{0};
    default: return Errno::EINVAL;
    }
}

Result<i64> sys_prctl(u32 option, u64 argument) {
    task_struct* task = get_current();
    switch (option) {
    case 1: // PR_SET_PDEATHSIG
        if (argument > SignalCount) return Errno::EINVAL;
        task->pdeath_signal = static_cast<i32>(argument);
        return i64{0};
    case 2: TRY(put_user(argument, task->pdeath_signal)); return i64{0};
    case 3: return i64{1}; // PR_GET_DUMPABLE
    case 15: {             // PR_SET_NAME
        char name[16] = {};
        Result<usize> length = strncpy_from_user(name, argument, sizeof name);
        if (!length.ok() && length.error() != Errno::ENAMETOOLONG) return length.error();
        name[15] = 0;
        memcpy(task->comm, name, sizeof name);
        return i64{0};
    }
    case 16: TRY(copy_to_user(argument, task->comm, 16)); return i64{0};
    case 29: // PR_SET_TIMERSLACK
        task->timer_slack_ns = static_cast<i64>(argument) > 0 ? argument : task->default_timer_slack_ns;
        return i64{0};
    case 30: return static_cast<i64>(task->timer_slack_ns);
    case 36: task->signal->is_child_subreaper = argument; return i64{0}; // PR_SET_CHILD_SUBREAPER
    case 37: TRY(put_user<i32>(argument, task->signal->is_child_subreaper)); return i64{0};
    default: return Errno::EINVAL;
    }
}

struct TimeSpec {
    i64 seconds, nanoseconds;
};

Result<i64> sys_futex(u64 address, u32 operation, u32 value, u64 timeout, u64 address2, u32 value3) {
    constexpr u32 PrivateFlag = 128, ClockRealtime = 256;
    u32 command = operation & ~(PrivateFlag | ClockRealtime);
    u32 flags = operation & PrivateFlag ? FutexPrivate : FutexShared;
    if ((operation & ClockRealtime) && command != 9) return Errno::ENOSYS;
    u64 end = 0;
    if (timeout && (command == 0 || command == 9)) {
        TimeSpec time = TRY(get_user<TimeSpec>(timeout));
        if (time.seconds < 0 || time.nanoseconds < 0 || time.nanoseconds >= 1'000'000'000)
            return Errno::EINVAL;
        u64 given = static_cast<u64>(min<i64>(time.seconds, 4'000'000'000)) * 1'000'000'000 +
                    static_cast<u64>(time.nanoseconds);
        if (command == 0) // relative; WAIT_BITSET gives the moment
            given += ktime_get_ns();
        else if (u64 real = ktime_get_real_ns(); operation & ClockRealtime)
            given = given > real ? given - real + ktime_get_ns() : 1;
        end = max<u64>(given, 1);
    }
    switch (command) {
    case 0: return futex_wait(address, flags, value, end, FUTEX_BITSET_MATCH_ANY);
    case 1: return futex_wake(address, flags, value, FUTEX_BITSET_MATCH_ANY);
    case 3: return futex_requeue(address, address2, flags, value, static_cast<u32>(timeout), nullptr);
    case 4: return futex_requeue(address, address2, flags, value, static_cast<u32>(timeout), &value3);
    case 9: return futex_wait(address, flags, value, end, value3);
    case 10: return futex_wake(address, flags, value, value3);
    default: return Errno::ENOSYS; // priority inheritance and WAKE_OP
    }
}

Result<i64> sys_set_robust_list(u64 head, usize size) {
    if (size != 24) return Errno::EINVAL;
    get_current()->robust_list = head;
    return i64{0};
}

Result<i64> sys_prlimit64(i32 pid, u32 resource, u64 fresh, u64 old) {
    if (resource >= RLIM_NLIMITS) return Errno::EINVAL;
    struct rlimit wanted = {}, previous;
    if (fresh) {
        wanted = TRY(get_user<struct rlimit>(fresh));
        if (wanted.rlim_cur > wanted.rlim_max) return Errno::EINVAL;
    }
    {
        IrqSpinGuard guard(tasklist_lock);
        task_struct* task = task_or_self(pid);
        if (!task || !task->signal) return Errno::ESRCH;
        const struct cred &mine = *current_cred(), &other = *task->cred;
        if (task->signal != get_current()->signal && !capable(mine) &&
            (mine.uid != other.uid || mine.uid != other.euid))
            return Errno::EPERM;
        struct rlimit& limit = task->signal->rlim[resource];
        previous = limit;
        if (fresh) {
            if (wanted.rlim_max > limit.rlim_max && !capable(mine)) return Errno::EPERM;
            limit = wanted;
        }
    }
    if (old) TRY(put_user(old, previous));
    return i64{0};
}
Result<i64> sys_getrlimit(u32 resource, u64 target) { return sys_prlimit64(0, resource, 0, target); }
Result<i64> sys_setrlimit(u32 resource, u64 source) { return sys_prlimit64(0, resource, source, 0); }

Result<i64> sys_getrusage(i32 who, u64 target) {
    task_struct* task = get_current();
    task_times times;
    if (who == 0) { // RUSAGE_SELF
        IrqSpinGuard guard(tasklist_lock);
        times = thread_group_times(task);
    } else if (who == -1) { // RUSAGE_CHILDREN
        times = task->signal->children;
    } else if (who == 1) { // RUSAGE_THREAD
        times = {task->utime, task->stime, task->min_flt, task->maj_flt, task->se.nvcsw, task->se.nivcsw, 0};
    } else {
        return Errno::EINVAL;
    }
    TRY(put_user(target, usage_of(times)));
    return i64{0};
}

Result<i64> sys_times(u64 target) {
    task_struct* task = get_current();
    task_times own;
    {
        IrqSpinGuard guard(tasklist_lock);
        own = thread_group_times(task);
    }
    const task_times& children = task->signal->children;
    u64 times[4] = {own.utime * 100 / HZ, own.stime * 100 / HZ, children.utime * 100 / HZ,
                    children.stime * 100 / HZ};
    if (target) TRY(copy_to_user(target, times, sizeof times));
    return static_cast<i64>(jiffies * 100 / HZ);
}

/// clone's arguments in memory (struct clone_args); only the first version's are known.
Result<i64> sys_clone3(u64 address, usize size) {
    struct {
        u64 flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls;
    } args;
    if (size < sizeof args) return Errno::EINVAL;
    if (size > PAGE_SIZE) return Errno::E2BIG;
    TRY(copy_from_user(&args, address, sizeof args));
    for (usize at = sizeof args; at < size; at += 8)
        if (TRY(get_user<u64>(address + at))) return Errno::E2BIG; // set_tid and cgroup
    if (args.exit_signal > SignalCount || (args.flags & 0xff) || (!args.stack) != (!args.stack_size))
        return Errno::EINVAL;
    kernel_clone_args request;
    request.flags = args.flags | args.exit_signal;
    request.child_stack = args.stack ? args.stack + args.stack_size : 0;
    request.parent_tid = args.parent_tid, request.child_tid = args.child_tid, request.tls = args.tls;
    return kernel_clone(request, current_frame());
}

Result<i64> sys_not_offered() { return Errno::ENOSYS; } // C libraries fall back silently

using enum ArgumentKind;
constexpr SyscallRow rows[] = {
    row<sys_getpid>(39, "getpid"),
    row<sys_clone>(56, "clone", Flags, Pointer, Pointer, Pointer, Hex),
    row<sys_fork>(57, "fork"),
    row<sys_vfork>(58, "vfork"),
    row<sys_execve>(59, "execve", Path, Pointer, Pointer),
    row<sys_exit>(60, "exit", Int),
    row<sys_wait4>(61, "wait4", Int, Pointer, Flags, Pointer),
    row<sys_waitid>(247, "waitid", Unsigned, Int, Pointer, Flags, Pointer),
    row<sys_setrlimit>(160, "setrlimit", Unsigned, Pointer),
    row<sys_getrlimit>(97, "getrlimit", Unsigned, Pointer),
    row<sys_getrusage>(98, "getrusage", Int, Pointer),
    row<sys_times>(100, "times", Pointer),
    row<sys_setpgid>(109, "setpgid", Int, Int),
    row<sys_getppid>(110, "getppid"),
    row<sys_getpgrp>(111, "getpgrp"),
    row<sys_setsid>(112, "setsid"),
    row<sys_getpgid>(121, "getpgid", Int),
    row<sys_getsid>(124, "getsid", Int),
    row<sys_prctl>(157, "prctl", Int, Hex),
    row<sys_arch_prctl>(158, "arch_prctl", Hex, Pointer),
    row<sys_gettid>(186, "gettid"),
    row<sys_futex>(202, "futex", Pointer, Hex, Unsigned, Pointer, Pointer, Unsigned),
    row<sys_set_tid_address>(218, "set_tid_address", Pointer),
    row<sys_exit_group>(231, "exit_group", Int),
    row<sys_set_robust_list>(273, "set_robust_list", Pointer, Unsigned),
    row<sys_prlimit64>(302, "prlimit64", Int, Unsigned, Pointer, Pointer),
    // Sockets, as in a Linux without CONFIG_NET.
    row<sys_not_offered>(334, "rseq", Pointer, Unsigned, Flags, Hex),
    row<sys_not_offered>(332, "statx", Descriptor, Path, Flags, Hex, Pointer),
    row<sys_clone3>(435, "clone3", Pointer, Unsigned),
    row<sys_not_offered>(439, "faccessat2", Descriptor, Path, Hex, Flags),
};

} // namespace

SyscallSpan process_syscalls() { return {rows, array_size(rows)}; }

} // namespace kernel
