// System calls on tasks: fork, exec, exit, wait, identities, priorities, futex, arch_prctl.
#include "arch/x86_64/cpu.h"
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

Result<i64> sys_wait4(i32 pid, u64 status_address, u32 options, u64 usage) {
    if (options & ~0x4000000bU) return Errno::EINVAL;
    i32 status = 0;
    i64 found = TRY(do_wait(pid, &status, options));
    if (found && status_address) TRY(put_user(status_address, status));
    if (found && usage) TRY(clear_user(usage, 144)); // times of children are not kept
    return found;
}

Result<i64> sys_getpid() { return i64{get_current()->tgid}; }
Result<i64> sys_gettid() { return i64{get_current()->pid}; }
Result<i64> sys_getppid() {
    IrqSpinGuard guard(tasklist_lock);
    task_struct* parent = get_current()->parent;
    return i64{parent ? parent->tgid : 0};
}
Result<i64> sys_zero_id() { return i64{0}; } // everybody is root

task_struct* task_or_self(i32 pid) { return pid ? find_task_by_vpid(pid) : get_current(); }

Result<i64> sys_getpgid(i32 pid) {
    IrqSpinGuard guard(tasklist_lock);
    task_struct* task = task_or_self(pid);
    return task ? Result<i64>(i64{task->process_group}) : Errno::ESRCH;
}
Result<i64> sys_getpgrp() { return i64{get_current()->process_group}; }
Result<i64> sys_setpgid(i32 pid, i32 group) {
    IrqSpinGuard guard(tasklist_lock);
    task_struct* task = task_or_self(pid);
    if (!task) return Errno::ESRCH;
    if (group < 0) return Errno::EINVAL;
    task->process_group = group ? group : task->pid;
    return i64{0};
}
Result<i64> sys_setsid() {
    task_struct* task = get_current();
    if (task->process_group == task->pid && task->session == task->pid) return Errno::EPERM;
    task->session = task->process_group = task->pid;
    return i64{task->pid};
}
Result<i64> sys_getsid(i32 pid) {
    IrqSpinGuard guard(tasklist_lock);
    task_struct* task = task_or_self(pid);
    return task ? Result<i64>(i64{task->session}) : Errno::ESRCH;
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

/// PR_SET_NAME 15, PR_GET_NAME 16.
Result<i64> sys_prctl(u32 option, u64 argument) {
    task_struct* task = get_current();
    if (option == 15) {
        char name[16] = {};
        Result<usize> length = strncpy_from_user(name, argument, sizeof name);
        if (!length.ok() && length.error() != Errno::ENAMETOOLONG) return length.error();
        name[15] = 0;
        memcpy(task->comm, name, sizeof name);
        return i64{0};
    }
    if (option == 16) {
        TRY(copy_to_user(argument, task->comm, 16));
        return i64{0};
    }
    return Errno::EINVAL;
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
    IrqSpinGuard guard(tasklist_lock);
    task_struct* task = task_or_self(who);
    if (!task) return Errno::ESRCH;
    set_user_nice(task, nice);
    return i64{0};
}

Result<i64> sys_sched_getaffinity(i32, usize size, u64 target) {
    if (size < 8) return Errno::EINVAL;
    TRY(put_user<u64>(target, (u64{1} << online_cpus) - 1));
    return i64{8};
}
Result<i64> sys_sched_getscheduler(i32 pid) {
    IrqSpinGuard guard(tasklist_lock);
    task_struct* task = task_or_self(pid);
    return task ? Result<i64>(i64{task->policy}) : Errno::ESRCH;
}

Result<i64> sys_futex(u64 address, u32 operation, u32 value, u64 timeout, u64, u32) {
    if (!is_aligned(address, 4)) return Errno::EINVAL;
    u32 command = operation & 0x7f;
    if (command == 1 || command == 10) return i64{futex_wake(address, value)}; // WAKE, WAKE_BITSET
    if (command != 0) return Errno::ENOSYS; // WAIT only: the rest is not offered
    struct {
        i64 seconds, nanoseconds;
    } time = {};
    if (timeout) TRY(copy_from_user(&time, timeout, sizeof time));
    if (time.seconds < 0 || time.nanoseconds < 0 || time.nanoseconds >= 1'000'000'000 ||
        time.seconds > 1'000'000'000)
        return Errno::EINVAL;
    return futex_wait(address, value,
                      static_cast<u64>(time.seconds) * 1'000'000'000 + static_cast<u64>(time.nanoseconds),
                      timeout != 0);
}

struct ResourceLimit {
    u64 current, maximum;
};
Result<i64> sys_prlimit64(i32, u32 resource, u64 fresh, u64 old) {
    if (resource >= 16) return Errno::EINVAL;
    if (fresh) return Errno::EPERM; // limits are fixed
    ResourceLimit limit{~u64{0}, ~u64{0}};
    if (resource == 3) limit.current = 8 * MiB;                                  // STACK
    if (resource == 7) limit = {files_struct::Capacity, files_struct::Capacity}; // NOFILE
    if (old) TRY(put_user(old, limit));
    return i64{0};
}
Result<i64> sys_getrlimit(u32 resource, u64 target) { return sys_prlimit64(0, resource, 0, target); }

Result<i64> sys_getrusage(i32 who, u64 target) {
    u64 usage[18] = {};
    if (who == 0) {
        task_struct* task = get_current();
        u64 user = task->utime * (1'000'000 / HZ), system = task->stime * (1'000'000 / HZ);
        usage[0] = user / 1'000'000, usage[1] = user % 1'000'000, usage[2] = system / 1'000'000,
        usage[3] = system % 1'000'000;
        usage[8] = task->min_flt, usage[14] = task->se.nvcsw, usage[15] = task->se.nivcsw;
    }
    TRY(copy_to_user(target, usage, sizeof usage));
    return i64{0};
}

Result<i64> sys_times(u64 target) {
    task_struct* task = get_current();
    u64 times[4] = {task->utime * 100 / HZ, task->stime * 100 / HZ, 0, 0};
    if (target) TRY(copy_to_user(target, times, sizeof times));
    return static_cast<i64>(jiffies * 100 / HZ);
}

Result<i64> sys_not_offered() { return Errno::ENOSYS; } // C libraries fall back silently

using enum ArgumentKind;
constexpr SyscallRow rows[] = {
    row<sys_sched_yield>(24, "sched_yield"),
    row<sys_getpid>(39, "getpid"),
    row<sys_clone>(56, "clone", Flags, Pointer, Pointer, Pointer, Hex),
    row<sys_fork>(57, "fork"),
    row<sys_vfork>(58, "vfork"),
    row<sys_execve>(59, "execve", Path, Pointer, Pointer),
    row<sys_exit>(60, "exit", Int),
    row<sys_wait4>(61, "wait4", Int, Pointer, Flags, Pointer),
    row<sys_getrlimit>(97, "getrlimit", Unsigned, Pointer),
    row<sys_getrusage>(98, "getrusage", Int, Pointer),
    row<sys_times>(100, "times", Pointer),
    row<sys_zero_id>(102, "getuid"),
    row<sys_zero_id>(104, "getgid"),
    row<sys_zero_id>(107, "geteuid"),
    row<sys_zero_id>(108, "getegid"),
    row<sys_setpgid>(109, "setpgid", Int, Int),
    row<sys_getppid>(110, "getppid"),
    row<sys_getpgrp>(111, "getpgrp"),
    row<sys_setsid>(112, "setsid"),
    row<sys_getpgid>(121, "getpgid", Int),
    row<sys_getsid>(124, "getsid", Int),
    row<sys_getpriority>(140, "getpriority", Unsigned, Int),
    row<sys_setpriority>(141, "setpriority", Unsigned, Int, Int),
    row<sys_sched_getscheduler>(145, "sched_getscheduler", Int),
    row<sys_prctl>(157, "prctl", Int, Hex),
    row<sys_arch_prctl>(158, "arch_prctl", Hex, Pointer),
    row<sys_gettid>(186, "gettid"),
    row<sys_futex>(202, "futex", Pointer, Hex, Unsigned, Pointer, Pointer, Unsigned),
    row<sys_sched_getaffinity>(204, "sched_getaffinity", Int, Unsigned, Pointer),
    row<sys_set_tid_address>(218, "set_tid_address", Pointer),
    row<sys_exit_group>(231, "exit_group", Int),
    row<sys_not_offered>(273, "set_robust_list", Pointer, Unsigned),
    row<sys_prlimit64>(302, "prlimit64", Int, Unsigned, Pointer, Pointer),
    row<sys_not_offered>(334, "rseq", Pointer, Unsigned, Flags, Hex),
    row<sys_not_offered>(332, "statx", Descriptor, Path, Flags, Hex, Pointer),
    row<sys_not_offered>(435, "clone3", Pointer, Unsigned),
    row<sys_not_offered>(439, "faccessat2", Descriptor, Path, Hex, Flags),
};

} // namespace

SyscallSpan process_syscalls() { return {rows, array_size(rows)}; }

} // namespace kernel
