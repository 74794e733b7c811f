// System calls on signals: actions, masks, sending, waiting, alternate stacks, timers that signal.
#include "arch/x86_64/user_access.h"
#include "sched/scheduler.h"
#include "syscall/syscall.h"
#include "task/signal.h"
#include "task/task.h"
#include "time/tick.h"
#include "time/timekeeping.h"

namespace kernel {

Result<i64> do_sigaltstack(u64 fresh_address, u64 old_address, u64 sp);

namespace {

Result<i64> sys_rt_sigaction(i32 signal, u64 fresh, u64 old, usize size) {
    if (size != 8) return Errno::EINVAL;
    k_sigaction action, previous;
    if (fresh) {
        action = TRY(get_user<k_sigaction>(fresh));
        if (action.handler > SIG_IGN && !(action.flags & SA_RESTORER))
            return Errno::EINVAL; // there is no vDSO to return through
    }
    TRY(do_sigaction(signal, fresh ? &action : nullptr, &previous));
    if (old) TRY(put_user(old, previous));
    return i64{0};
}

Result<i64> sys_rt_sigprocmask(u32 how, u64 fresh, u64 old, usize size) {
    if (size != 8) return Errno::EINVAL;
    u64 previous = get_current()->blocked;
    if (fresh) {
        u64 set = TRY(get_user<u64>(fresh));
        if (how > 2) return Errno::EINVAL;
        set_current_blocked(how == 0 ? previous | set : how == 1 ? previous & ~set : set);
    }
    if (old) TRY(put_user(old, previous));
    return i64{0};
}

Result<i64> sys_rt_sigpending(u64 target, usize size) {
    if (size > 8) return Errno::EINVAL;
    task_struct* task = get_current();
    u64 set = (task->pending.signal | task->signal->shared_pending.signal) & task->blocked;
    TRY(copy_to_user(target, &set, size));
    return i64{0};
}

Result<i64> sys_pause() {
    task_struct* task = get_current();
    for (;;) {
        set_current_state(TASK_INTERRUPTIBLE);
        if (task->signal_pending()) break;
        schedule();
    }
    set_current_state(TASK_RUNNING);
    return Errno::ERESTARTNOHAND;
}

Result<i64> sys_rt_sigsuspend(u64 mask, usize size) {
    if (size != 8) return Errno::EINVAL;
    u64 set = TRY(get_user<u64>(mask));
    set_restore_sigmask(get_current()->blocked);
    set_current_blocked(set);
    return sys_pause();
}

Result<i64> sys_rt_sigreturn() { return return_from_signal(current_frame()); }

kernel_siginfo info_from_caller(i32 code) {
    kernel_siginfo info;
    info.si_code = code;
    info.si_pid = get_current()->tgid;
    info.si_uid = current_cred()->uid;
    return info;
}

/// REQUIRES: tasklist_lock.
Result<void> send_checked(int signal, const kernel_siginfo& info, task_struct* task, pid_type type) {
    if (!task || !task->sighand) return Errno::ESRCH;
    bool same_session = signal == SIGCONT && task_session(*task) == task_session(*get_current());
    if (!kill_ok_by_cred(*task) && !same_session) return Errno::EPERM;
    if (!signal) return {};
    return do_send_sig_info(signal, &info, task, type);
}

Result<i64> sys_kill(i32 pid, i32 signal) {
    if (signal < 0 || signal > SignalCount) return Errno::EINVAL;
    task_struct* self = get_current();
    kernel_siginfo info = info_from_caller(SI_USER);
    IrqSpinGuard guard(tasklist_lock);
    if (pid > 0) {
        TRY(send_checked(signal, info, pid_task(find_pid(pid), PIDTYPE_PID), PIDTYPE_TGID));
        return i64{0};
    }
    unsigned seen = 0;
    Result<void> last;
    auto consider = [&](task_struct* task) {
        seen++;
        Result<void> sent = send_checked(signal, info, task, pid == -1 ? PIDTYPE_MAX : PIDTYPE_PGID);
        if (!sent.ok()) last = sent;
    };
    if (pid == -1) { // everybody but init and the caller
        for (LIST_EACH(node, task_list)) {
            task_struct* task = container_of(node, task_struct, tasks);
            if (task->pid > 1 && !same_thread_group(*task, *self)) consider(task);
        }
    } else {
        struct pid* group = pid ? find_pid(pid == static_cast<i32>(0x80000000) ? 0 : -pid) : task_pgrp(*self);
        if (group)
            for (PID_EACH(node, group, PIDTYPE_PGID))
                consider(container_of_offset<task_struct>(node, offsetof(task_struct, pid_links) +
                                                                    PIDTYPE_PGID * sizeof(list_head)));
    }
    if (!seen) return Errno::ESRCH;
    TRY(last);
    return i64{0};
}

Result<i64> do_tkill(i32 tgid, i32 tid, i32 signal, const kernel_siginfo& info) {
    if (signal < 0 || signal > SignalCount) return Errno::EINVAL;
    IrqSpinGuard guard(tasklist_lock);
    task_struct* task = find_task_by_vpid(tid);
    if (!task || (tgid > 0 && task->tgid != tgid)) return Errno::ESRCH;
    TRY(send_checked(signal, info, task, PIDTYPE_PID));
    return i64{0};
}
Result<i64> sys_tkill(i32 tid, i32 signal) {
    if (tid <= 0) return Errno::EINVAL;
    return do_tkill(0, tid, signal, info_from_caller(SI_TKILL));
}
Result<i64> sys_tgkill(i32 tgid, i32 tid, i32 signal) {
    if (tid <= 0 || tgid <= 0) return Errno::EINVAL;
    return do_tkill(tgid, tid, signal, info_from_caller(SI_TKILL));
}

/// Only the kernel may claim to be the kernel, and only the sender itself may claim anything of itself.
Result<kernel_siginfo> info_from_user(i32 pid, i32 signal, u64 address) {
    kernel_siginfo info = TRY(get_user<kernel_siginfo>(address));
    info.si_signo = signal;
    if ((info.si_code >= 0 || info.si_code == SI_TKILL) && get_current()->pid != pid) return Errno::EPERM;
    return info;
}
Result<i64> sys_rt_sigqueueinfo(i32 pid, i32 signal, u64 address) {
    kernel_siginfo info = TRY(info_from_user(pid, signal, address));
    if (signal < 0 || signal > SignalCount) return Errno::EINVAL;
    IrqSpinGuard guard(tasklist_lock);
    TRY(send_checked(signal, info, find_task_by_vpid(pid), PIDTYPE_TGID));
    return i64{0};
}
Result<i64> sys_rt_tgsigqueueinfo(i32 tgid, i32 tid, i32 signal, u64 address) {
    if (tid <= 0 || tgid <= 0) return Errno::EINVAL;
    return do_tkill(tgid, tid, signal, TRY(info_from_user(tid, signal, address)));
}

struct TimeSpec {
    i64 seconds, nanoseconds;
};

Result<i64> sys_rt_sigtimedwait(u64 set_address, u64 info_address, u64 timeout, usize size) {
    if (size != 8) return Errno::EINVAL;
    u64 wanted = TRY(get_user<u64>(set_address)) & ~(sigmask(SIGKILL) | sigmask(SIGSTOP));
    ktime_t end = KTIME_MAX;
    if (timeout) {
        TimeSpec time = TRY(get_user<TimeSpec>(timeout));
        if (time.seconds < 0 || time.nanoseconds < 0 || time.nanoseconds >= 1'000'000'000)
            return Errno::EINVAL;
        end = ktime_add_safe(ktime_get(),
                             static_cast<u64>(min<i64>(time.seconds, 1'000'000'000)) * 1'000'000'000 +
                                 static_cast<u64>(time.nanoseconds));
    }
    task_struct* task = get_current();
    kernel_siginfo info;
    int signal = 0;
    auto take = [&] {
        IrqSpinGuard guard(task->sighand->siglock);
        signal = dequeue_signal(task, wanted, &info);
        return signal != 0;
    };
    if (!take()) {
        {
            // Those that we wait for count as not blocked, so that a sender wakes us.
            IrqSpinGuard guard(task->sighand->siglock);
            task->real_blocked = task->blocked;
            task->blocked &= ~wanted;
            recalc_sigpending();
        }
        for (bool over = false; !over;) {
            set_current_state(TASK_INTERRUPTIBLE);
            if (task->signal_pending()) break;
            over = schedule_hrtimeout_range(end, current_timer_slack());
        }
        set_current_state(TASK_RUNNING);
        bool interrupted = task->signal_pending();
        {
            IrqSpinGuard guard(task->sighand->siglock);
            task->blocked = task->real_blocked;
            task->real_blocked = 0;
            signal = dequeue_signal(task, wanted, &info);
        }
        if (!signal) return interrupted ? Errno::EINTR : Errno::EAGAIN;
    }
    if (info_address) TRY(put_user(info_address, info));
    return i64{signal};
}

Result<i64> sys_sigaltstack(u64 fresh, u64 old) { return do_sigaltstack(fresh, old, current_frame()->sp); }

/// A call that was stopped or interrupted without a handler goes on where it was.
Result<i64> sys_restart_syscall() {
    task_struct* task = get_current();
    if (!task->restart_block.fn) return Errno::EINTR;
    return task->restart_block.fn(*task);
}

using enum ArgumentKind;
constexpr SyscallRow rows[] = {
    row<sys_rt_sigaction>(13, "rt_sigaction", Signal, Pointer, Pointer, Unsigned),
    row<sys_rt_sigprocmask>(14, "rt_sigprocmask", Unsigned, Pointer, Pointer, Unsigned),
    row<sys_rt_sigreturn>(15, "rt_sigreturn"),
    row<sys_pause>(34, "pause"),
    row<sys_kill>(62, "kill", Int, Signal),
    row<sys_rt_sigpending>(127, "rt_sigpending", Pointer, Unsigned),
    row<sys_rt_sigtimedwait>(128, "rt_sigtimedwait", Pointer, Pointer, Pointer, Unsigned),
    row<sys_rt_sigqueueinfo>(129, "rt_sigqueueinfo", Int, Signal, Pointer),
    row<sys_rt_sigsuspend>(130, "rt_sigsuspend", Pointer, Unsigned),
    row<sys_sigaltstack>(131, "sigaltstack", Pointer, Pointer),
    row<sys_tkill>(200, "tkill", Int, Signal),
    row<sys_restart_syscall>(219, "restart_syscall"),
    row<sys_tgkill>(234, "tgkill", Int, Int, Signal),
    row<sys_rt_tgsigqueueinfo>(297, "rt_tgsigqueueinfo", Int, Int, Signal, Pointer),
};

} // namespace

SyscallSpan signal_syscalls() { return {rows, array_size(rows)}; }

} // namespace kernel
