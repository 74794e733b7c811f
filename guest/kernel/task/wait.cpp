// Waiting for children: wait4 and waitid. A child ends, stops or continues; any thread of the parent may hear
// of it.
#include "fs/vfs.h"
#include "lib/log.h"
#include "sched/scheduler.h"
#include "task/signal.h"
#include "task/task.h"

namespace kernel {
namespace {

bool eligible_child(const wait_opts& options, task_struct* child) {
    if (options.wo_type == PIDTYPE_TGID && child->thread_pid != options.wo_pid) return false;
    if (options.wo_type == PIDTYPE_PGID && task_pgrp(*child) != options.wo_pid) return false;
    if (options.wo_flags & __WALL) return true;
    return (child->exit_signal != SIGCHLD) == ((options.wo_flags & __WCLONE) != 0);
}

void fill_info(wait_opts& options, const task_struct& child, i32 code, i32 status) {
    options.wo_info = {};
    options.wo_info.si_signo = SIGCHLD;
    options.wo_info.si_code = code;
    options.wo_info.si_pid = child.pid;
    options.wo_info.si_uid = child.cred->uid;
    options.wo_info.si_status = status;
}

void add(task_times& to, const task_times& from) {
    to.utime += from.utime, to.stime += from.stime, to.min_flt += from.min_flt, to.maj_flt += from.maj_flt;
    to.nvcsw += from.nvcsw, to.nivcsw += from.nivcsw, to.runtime += from.runtime;
}

/// REQUIRES: tasklist_lock. *dead is to be released when the lock is.
i32 wait_task_zombie(wait_opts& options, task_struct* child, task_struct** dead) {
    if (!(options.wo_flags & WEXITED)) return 0;
    i32 status = child->signal->flags & SIGNAL_GROUP_EXIT ? child->signal->group_exit_code : child->exit_code;
    i32 code = status & 0x7f ? (status & 0x80 ? CLD_DUMPED : CLD_KILLED) : CLD_EXITED;
    fill_info(options, *child, code, status & 0x7f ? status & 0x7f : status >> 8 & 0xff);
    options.wo_stat = status;
    options.wo_rusage = thread_group_times(child);
    add(options.wo_rusage, child->signal->children);
    if (options.wo_flags & WNOWAIT) return child->pid;
    add(get_current()->signal->children, options.wo_rusage);
    child->exit_state = EXIT_DEAD;
    *dead = child;
    return child->pid;
}

i32 wait_task_stopped(wait_opts& options, task_struct* child) {
    if (!(options.wo_flags & WSTOPPED)) return 0;
    IrqSpinGuard guard(child->sighand->siglock);
    i32& code = child->signal->group_exit_code;
    if (!(child->signal->flags & SIGNAL_STOP_STOPPED) || !code) return 0;
    fill_info(options, *child, CLD_STOPPED, code);
    options.wo_stat = code << 8 | 0x7f;
    if (!(options.wo_flags & WNOWAIT)) code = 0; // reported once
    return child->pid;
}

i32 wait_task_continued(wait_opts& options, task_struct* child) {
    if (!(options.wo_flags & WCONTINUED)) return 0;
    IrqSpinGuard guard(child->sighand->siglock);
    if (!(child->signal->flags & SIGNAL_STOP_CONTINUED)) return 0;
    fill_info(options, *child, CLD_CONTINUED, SIGCONT);
    options.wo_stat = 0xffff;
    if (!(options.wo_flags & WNOWAIT)) child->signal->flags &= ~SIGNAL_STOP_CONTINUED;
    return child->pid;
}

/// One pass over all children; *any: there is one that may yet do it.
i32 do_wait_once(wait_opts& options, bool* any) {
    task_struct* self = get_current();
    task_struct* dead = nullptr;
    i32 found = 0;
    {
        IrqSpinGuard guard(tasklist_lock);
        *any = false;
        for (THREAD_EACH(thread_node, self->signal)) {
            task_struct* thread = thread_of(thread_node);
            if ((options.wo_flags & __WNOTHREAD) && thread != self) continue;
            for (LIST_EACH(node, thread->children)) {
                task_struct* child = container_of(node, task_struct, sibling);
                if (child->exit_state == EXIT_DEAD || !eligible_child(options, child)) continue;
                *any = true;
                if (child->exit_state == EXIT_ZOMBIE) {
                    // A leader whose threads live is not to be had yet, but it can be stopped and continued.
                    if (thread_group_empty(*child))
                        found = wait_task_zombie(options, child, &dead);
                    else if (!(found = wait_task_stopped(options, child)))
                        found = wait_task_continued(options, child);
                } else if (!(found = wait_task_stopped(options, child))) {
                    found = wait_task_continued(options, child);
                }
                if (found) break;
            }
            if (found) break;
        }
    }
    if (dead) release_task(dead);
    return found;
}

} // namespace

Result<i64> do_wait(wait_opts& options) {
    i32 found = 0;
    bool any = false;
    auto scan = [&] { return (found = do_wait_once(options, &any)) || !any || (options.wo_flags & WNOHANG); };
    Result<void> waited = get_current()->signal->wait_chldexit.wait_interruptible(scan);
    if (found) return i64{found};
    TRY(waited);
    if (!any) return Errno::ECHILD;
    return i64{0};
}

} // namespace kernel
