// System calls on signals: actions, masks, kill, return, pause, suspend.
#include "arch/x86_64/user_access.h"
#include "sched/scheduler.h"
#include "syscall/syscall.h"
#include "task/signal.h"
#include "task/task.h"

namespace kernel {
namespace {

constexpr u64 Unblockable = u64{1} << (SIGKILL - 1) | u64{1} << (SIGSTOP - 1);

Result<i64> sys_rt_sigaction(i32 signal, u64 fresh, u64 old, usize size) {
    if (size != 8 || signal < 1 || signal > SignalCount) return Errno::EINVAL;
    if (fresh && (signal == SIGKILL || signal == SIGSTOP)) return Errno::EINVAL;
    sighand_struct& handlers = *get_current()->sighand;
    k_sigaction previous = handlers.action[signal - 1];
    if (fresh) {
        k_sigaction action = TRY(get_user<k_sigaction>(fresh));
        if (action.handler > 1 && !(action.flags & SA_RESTORER))
            return Errno::EINVAL; // there is no vDSO to return through
        handlers.action[signal - 1] = action;
    }
    if (old) TRY(put_user(old, previous));
    return i64{0};
}

Result<i64> sys_rt_sigprocmask(u32 how, u64 fresh, u64 old, usize size) {
    if (size != 8) return Errno::EINVAL;
    task_struct* task = get_current();
    u64 previous = task->blocked;
    if (fresh) {
        u64 set = TRY(get_user<u64>(fresh)) & ~Unblockable;
        if (how == 0)
            task->blocked |= set;
        else if (how == 1)
            task->blocked &= ~set;
        else if (how == 2)
            task->blocked = set;
        else
            return Errno::EINVAL;
        recalc_sigpending(task);
    }
    if (old) TRY(put_user(old, previous));
    return i64{0};
}

Result<i64> sys_rt_sigpending(u64 target, usize size) {
    if (size != 8) return Errno::EINVAL;
    TRY(put_user<u64>(target, get_current()->pending & get_current()->blocked));
    return i64{0};
}

Result<i64> sys_rt_sigsuspend(u64 mask, usize size) {
    if (size != 8) return Errno::EINVAL;
    u64 set = TRY(get_user<u64>(mask)) & ~Unblockable;
    task_struct* task = get_current();
    task->saved_sigmask = task->blocked;
    task->restore_blocked = true;
    task->blocked = set;
    recalc_sigpending(task);
    while (!task->signal_pending()) {
        set_current_state(TASK_INTERRUPTIBLE);
        if (!task->signal_pending()) schedule();
        set_current_state(TASK_RUNNING);
    }
    return Errno::EINTR;
}

Result<i64> sys_pause() {
    task_struct* task = get_current();
    while (!task->signal_pending()) {
        set_current_state(TASK_INTERRUPTIBLE);
        if (!task->signal_pending()) schedule();
        set_current_state(TASK_RUNNING);
    }
    return Errno::EINTR;
}

Result<i64> sys_rt_sigreturn() { return return_from_signal(current_frame()); }

Result<i64> sys_kill(i32 pid, i32 signal) {
    if (signal < 0 || signal > SignalCount) return Errno::EINVAL;
    task_struct* self = get_current();
    if (pid > 0) {
        IrqSpinGuard guard(tasklist_lock);
        task_struct* task = find_task_by_vpid(pid);
        if (!task) return Errno::ESRCH;
        if (signal) send_sig(task, signal);
        return i64{0};
    }
    if (pid == -1) { // everybody but init, kernel threads and the caller
        IrqSpinGuard guard(tasklist_lock);
        unsigned count = 0;
        for (LIST_EACH(node, task_list)) {
            task_struct* task = container_of(node, task_struct, tasks);
            if (task->pid == 1 || task == self || task->is_kernel_thread()) continue;
            if (signal) send_sig(task, signal);
            count++;
        }
        return count ? Result<i64>(i64{0}) : Errno::ESRCH;
    }
    return kill_pgrp(pid ? -pid : self->process_group, signal) ? Result<i64>(i64{0}) : Errno::ESRCH;
}

Result<i64> sys_tkill(i32 tid, i32 signal) {
    if (tid <= 0) return Errno::EINVAL;
    return sys_kill(tid, signal);
}
Result<i64> sys_tgkill(i32, i32 tid, i32 signal) { return sys_tkill(tid, signal); }

Result<i64> sys_sigaltstack(u64 fresh, u64 old) {
    if (fresh) return Errno::ENOSYS; // handlers run on the normal stack
    if (old) {
        const u64 none[3] = {0, 2, 0}; // SS_DISABLE
        TRY(copy_to_user(old, none, sizeof none));
    }
    return i64{0};
}

using enum ArgumentKind;
constexpr SyscallRow rows[] = {
    row<sys_rt_sigaction>(13, "rt_sigaction", Signal, Pointer, Pointer, Unsigned),
    row<sys_rt_sigprocmask>(14, "rt_sigprocmask", Unsigned, Pointer, Pointer, Unsigned),
    row<sys_rt_sigreturn>(15, "rt_sigreturn"),
    row<sys_pause>(34, "pause"),
    row<sys_kill>(62, "kill", Int, Signal),
    row<sys_rt_sigpending>(127, "rt_sigpending", Pointer, Unsigned),
    row<sys_rt_sigsuspend>(130, "rt_sigsuspend", Pointer, Unsigned),
    row<sys_sigaltstack>(131, "sigaltstack", Pointer, Pointer),
    row<sys_tkill>(200, "tkill", Int, Signal),
    row<sys_tgkill>(234, "tgkill", Int, Int, Signal),
};

} // namespace

SyscallSpan signal_syscalls() { return {rows, array_size(rows)}; }

} // namespace kernel
