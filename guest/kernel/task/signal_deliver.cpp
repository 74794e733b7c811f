// Taking signals, group stops, and what a parent is told; see signal.h.
#include "task/signal_internal.h"

#include "arch/x86_64/user_access.h"
#include "lib/log.h"
#include "lib/string.h"
#include "mm/slab.h"
#include "sched/scheduler.h"
#include "time/timekeeping.h"

namespace kernel {

// --- stopping
// --------------------------------------------------------------------------------------------------------------

void do_notify_parent_cldstop(task_struct* task, i32 why, i32 status) {
    task_struct* leader = task->group_leader;
    task_struct* parent = leader->real_parent;
    kernel_siginfo info;
    info.si_signo = SIGCHLD;
    info.si_code = why;
    info.si_pid = leader->pid;
    info.si_uid = leader->cred->uid;
    info.si_status = why == CLD_CONTINUED ? SIGCONT : status & 0x7f;
    {
        IrqSpinGuard guard(parent->sighand->siglock, 1);
        const k_sigaction& action = parent->sighand->action[SIGCHLD - 1];
        if (action.handler != SIG_IGN && !(action.flags & SA_NOCLDSTOP))
            (void)__send_signal(SIGCHLD, &info, parent, PIDTYPE_TGID, false);
    }
    parent->signal->wait_chldexit.wake_all();
}

namespace {

/// The last thread to take part completes the stop. REQUIRES: siglock.
bool task_participate_group_stop(task_struct* task) {
    signal_struct* shared = task->signal;
    bool consume = task->jobctl & JOBCTL_STOP_CONSUME;
    task_clear_jobctl_pending(task);
    if (!consume) return false;
    if (shared->group_stop_count) shared->group_stop_count--;
    if (shared->group_stop_count || (shared->flags & SIGNAL_STOP_STOPPED)) return false;
    shared->flags = (shared->flags & ~(SIGNAL_STOP_CONTINUED | SIGNAL_CLD_CONTINUED | SIGNAL_CLD_STOPPED)) |
                    SIGNAL_STOP_STOPPED;
    return true;
}

/// REQUIRES: siglock on entry; released when true (the task stopped and goes on).
bool do_signal_stop(task_struct* task, int signal, spinlock_t& lock) {
    signal_struct* shared = task->signal;
    if (!(task->jobctl & JOBCTL_STOP_PENDING)) {
        // Taken, and cancelled by a SIGCONT or SIGKILL before we came here.
        if (!(task->jobctl & JOBCTL_STOP_DEQUEUED) || (shared->flags & SIGNAL_GROUP_EXIT) ||
            shared->group_exec_task)
            return false;
        if (!(shared->flags & SIGNAL_STOP_STOPPED)) shared->group_exit_code = signal;
        shared->group_stop_count = 0;
        for (THREAD_EACH(node, shared)) {
            task_struct* thread = thread_of(node);
            if (thread != task && (thread->__state & __TASK_STOPPED)) continue;
            if (!task_set_jobctl_pending(thread, static_cast<u32>(signal) | JOBCTL_STOP_PENDING |
                                                     JOBCTL_STOP_CONSUME))
                continue;
            shared->group_stop_count++;
            if (thread != task) signal_wake_up(thread, false);
        }
    }
    bool notify = task_participate_group_stop(task);
    i32 status = shared->group_exit_code; // a waiter that collects it before the notice clears it
    set_special_state(TASK_STOPPED);
    lock.unlock_raw();
    local_irq_enable();
    preempt_enable_no_resched();
    if (notify) {
        IrqSpinGuard guard(tasklist_lock);
        do_notify_parent_cldstop(task, CLD_STOPPED, status);
    }
    schedule();
    return true;
}

} // namespace

// --- taking
// ----------------------------------------------------------------------------------------------------------------

bool get_signal(ksignal& ksig) {
    task_struct* task = get_current();
    sighand_struct* sighand = task->sighand;
    signal_struct* shared = task->signal;
    for (;;) {
        local_irq_disable();
        preempt_disable();
        sighand->siglock.lock_raw();
        auto release = [&] {
            sighand->siglock.unlock_raw();
            local_irq_enable();
            preempt_enable();
        };
        // The first thread that runs after a SIGCONT tells the parent.
        if (shared->flags & (SIGNAL_CLD_STOPPED | SIGNAL_CLD_CONTINUED)) {
            i32 why = shared->flags & SIGNAL_CLD_CONTINUED ? CLD_CONTINUED : CLD_STOPPED;
            shared->flags &= ~(SIGNAL_CLD_STOPPED | SIGNAL_CLD_CONTINUED);
            i32 status = shared->group_exit_code;
            release();
            IrqSpinGuard guard(tasklist_lock);
            do_notify_parent_cldstop(task, why, status);
            continue;
        }
        if ((shared->flags & SIGNAL_GROUP_EXIT) || shared->group_exec_task) {
            if (shared->group_exec_task != task || (shared->flags & SIGNAL_GROUP_EXIT)) {
                ksig.info = {};
                task->pending.signal &= ~sigmask(SIGKILL);
                recalc_sigpending();
                i32 code = shared->group_exit_code;
                release();
                do_group_exit(shared->flags & SIGNAL_GROUP_EXIT ? code : SIGKILL);
            }
        }
        if (task->jobctl & JOBCTL_STOP_PENDING) {
            if (do_signal_stop(task, 0, sighand->siglock)) continue;
        }
        int signal = dequeue_signal(task, ~task->blocked, &ksig.info);
        if (!signal) {
            release();
            return false;
        }
        k_sigaction& action = sighand->action[signal - 1];
        if (action.handler == SIG_IGN) {
            release();
            continue;
        }
        if (action.handler != SIG_DFL) {
            ksig.ka = action;
            ksig.sig = signal;
            if (action.flags & SA_RESETHAND) action.handler = SIG_DFL;
            release();
            return true;
        }
        if ((sigmask(signal) & SIG_KERNEL_IGNORE_MASK) ||
            ((shared->flags & SIGNAL_UNKILLABLE) && !(sigmask(signal) & SIG_KERNEL_ONLY_MASK))) {
            release();
            continue;
        }
        if (sigmask(signal) & SIG_KERNEL_STOP_MASK) {
            bool orphaned = false;
            if (signal != SIGSTOP) { // a group whose shell is gone would never be continued
                release();
                {
                    IrqSpinGuard guard(tasklist_lock);
                    orphaned = is_current_pgrp_orphaned();
                }
                if (orphaned) continue;
                local_irq_disable();
                preempt_disable();
                sighand->siglock.lock_raw();
            }
            if (!do_signal_stop(task, signal, sighand->siglock)) release();
            continue;
        }
        release();
        task->flags |= PF_SIGNALED;
        do_group_exit(signal); // core dumps do not exist: bit 7 stays clear
    }
}

void task_join_group_stop(task_struct* task) {
    const task_struct* self = get_current();
    signal_struct* shared = self->signal;
    u32 mask = self->jobctl & JOBCTL_STOP_SIGMASK;
    if (shared->group_stop_count) {
        mask |= JOBCTL_STOP_CONSUME;
        shared->group_stop_count++;
    } else if (!(shared->flags & SIGNAL_STOP_STOPPED)) {
        return;
    }
    // Before its first instruction it comes through get_signal().
    if (task_set_jobctl_pending(task, mask | JOBCTL_STOP_PENDING))
        __atomic_fetch_or(&task->thread_flags, u32{_TIF_SIGPENDING}, __ATOMIC_ACQ_REL);
}

void exit_signals(task_struct* task) {
    bool stopped = false;
    i32 status = 0;
    {
        IrqSpinGuard guard(task->sighand->siglock);
        task->flags |= PF_EXITING;
        if (!thread_group_empty(*task) && !(task->signal->flags & SIGNAL_GROUP_EXIT)) {
            retarget_shared_pending(task, ~task->blocked);
            stopped = (task->jobctl & JOBCTL_STOP_PENDING) && task_participate_group_stop(task);
            status = task->signal->group_exit_code;
        }
    }
    if (stopped) {
        IrqSpinGuard guard(tasklist_lock);
        do_notify_parent_cldstop(task, CLD_STOPPED, status);
    }
}

bool do_notify_parent(task_struct* task, int signal) {
    task_struct* parent = task->parent;
    kernel_siginfo info;
    info.si_signo = signal;
    info.si_pid = task->pid;
    info.si_uid = task->cred->uid;
    task_times times = thread_group_times(task);
    info.si_utime = static_cast<i64>(times.utime * 100 / HZ);
    info.si_stime = static_cast<i64>(times.stime * 100 / HZ);
    info.si_status = task->exit_code & 0x7f;
    if (task->exit_code & 0x7f) {
        info.si_code = task->exit_code & 0x80 ? CLD_DUMPED : CLD_KILLED;
    } else {
        info.si_code = CLD_EXITED;
        info.si_status = task->exit_code >> 8;
    }
    bool autoreap = false;
    {
        IrqSpinGuard guard(parent->sighand->siglock, 1);
        const k_sigaction& action = parent->sighand->action[SIGCHLD - 1];
        if (signal == SIGCHLD && (action.handler == SIG_IGN || (action.flags & SA_NOCLDWAIT))) {
            autoreap = true; // POSIX: such children leave no zombies
            if (action.handler == SIG_IGN) signal = 0;
        }
        if (signal) (void)__send_signal(signal, &info, parent, PIDTYPE_TGID, false);
    }
    parent->signal->wait_chldexit.wake_all();
    return autoreap;
}

} // namespace kernel
