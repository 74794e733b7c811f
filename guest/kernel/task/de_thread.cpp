// execve in a process with threads: the caller kills the others, waits until they are gone, takes over the
// leader's number and place, and unshares the handlers. See task.h.
#include "lib/log.h"
#include "lib/string.h"
#include "mm/slab.h"
#include "sched/scheduler.h"
#include "task/signal.h"
#include "task/task.h"

namespace kernel {
namespace {

/// Threads other than the caller that have not been released; a leader that is a zombie waits for us and does
/// not count. REQUIRES: tasklist_lock.
bool others_are_gone(task_struct* task) {
    for (THREAD_EACH(node, task->signal)) {
        task_struct* thread = thread_of(node);
        if (thread == task) continue;
        if (thread == task->group_leader && thread->exit_state == EXIT_ZOMBIE) continue;
        return false;
    }
    return true;
}

/// REQUIRES: tasklist_lock. The leader is a zombie and only we are left beside it.
void take_over_leader(task_struct* task, task_struct* leader) {
    exchange_tids(task, leader);
    task->tgid = task->pid;
    transfer_pid(leader, task, PIDTYPE_TGID);
    transfer_pid(leader, task, PIDTYPE_PGID);
    transfer_pid(leader, task, PIDTYPE_SID);
    task->tasks.insert_between(&leader->tasks, leader->tasks.next);
    leader->tasks.remove();
    task->sibling.insert_between(&leader->sibling, leader->sibling.next);
    leader->sibling.remove();
    task->parent = leader->parent, task->real_parent = leader->real_parent;
    task->start_time = leader->start_time;
    task->group_leader = leader->group_leader = task;
    task->exit_signal = SIGCHLD;
    leader->exit_signal = -1;
    leader->exit_state = EXIT_DEAD;
}

} // namespace

Result<void> de_thread(task_struct* task) {
    signal_struct* shared = task->signal;
    sighand_struct* old = task->sighand;
    if (!thread_group_empty(*task)) {
        {
            IrqSpinGuard guard(old->siglock);
            if ((shared->flags & SIGNAL_GROUP_EXIT) || shared->group_exec_task) return Errno::EAGAIN;
            shared->group_exec_task = task;
            shared->notify_count = 1;
            zap_other_threads(task);
        }
        for (;;) {
            set_current_state(TASK_KILLABLE);
            {
                IrqSpinGuard guard(tasklist_lock);
                if (others_are_gone(task)) break;
            }
            if (signal_pending_state(TASK_KILLABLE, *task)) { // the process is killed while we wait
                set_current_state(TASK_RUNNING);
                IrqSpinGuard guard(old->siglock);
                shared->group_exec_task = nullptr;
                shared->notify_count = 0;
                return Errno::EAGAIN;
            }
            schedule();
        }
        set_current_state(TASK_RUNNING);
        task_struct* leader = task->group_leader;
        if (leader != task) {
            {
                IrqSpinGuard guard(tasklist_lock);
                take_over_leader(task, leader);
            }
            release_task(leader);
        }
        IrqSpinGuard guard(old->siglock);
        shared->group_exec_task = nullptr;
        shared->notify_count = 0;
    }
    task->exit_signal = SIGCHLD;
    if (__atomic_load_n(&old->count, __ATOMIC_ACQUIRE) == 1) return {};
    sighand_struct* fresh = alloc_sighand();
    if (!fresh) return Errno::ENOMEM;
    {
        IrqSpinGuard guard(tasklist_lock);
        IrqSpinGuard signals(old->siglock);
        memcpy(fresh->action, old->action, sizeof fresh->action);
        task->sighand = fresh;
    }
    __cleanup_sighand(old);
    return {};
}

} // namespace kernel
