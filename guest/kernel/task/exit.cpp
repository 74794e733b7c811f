// The end of a task: what it gives back itself, what it tells whom, and what its waiter (task/wait.cpp)
// releases.
//
// A task ends twice: do_exit() drops everything and leaves a zombie (exit_state EXIT_ZOMBIE, __state
// TASK_DEAD); whoever turns EXIT_ZOMBIE into EXIT_DEAD calls release_task(). A leader that ends before its
// threads stays a zombie that nobody can wait for until the last of them is gone.
#include "arch/x86_64/cpu.h"
#include "arch/x86_64/user_access.h"
#include "drivers/tty.h"
#include "fs/vfs.h"
#include "lib/log.h"
#include "mm/memory_struct.h"
#include "mm/slab.h"
#include "sched/scheduler.h"
#include "task/futex.h"
#include "task/signal.h"
#include "task/task.h"
#include "time/posix-timers.h"

namespace kernel {
namespace {

void add_times(task_times& to, const task_times& from) {
    to.utime += from.utime, to.stime += from.stime, to.min_flt += from.min_flt, to.maj_flt += from.maj_flt;
    to.nvcsw += from.nvcsw, to.nivcsw += from.nivcsw, to.runtime += from.runtime;
}
task_times times_of(const task_struct& task) {
    return {task.utime,
            task.stime,
            task.min_flt,
            task.maj_flt,
            task.se.nvcsw,
            task.se.nivcsw,
            task.se.sum_exec_runtime};
}

void exit_mm(task_struct* task) {
    mm_release(task);
    mm_struct* mm = task->mm;
    if (!mm) return;
    {
        IrqSpinGuard guard(task->alloc_lock);
        task->mm = nullptr; // page tables stay loaded until the next user task, unless they are freed now
    }
    mmput(mm);
}

void exit_files(task_struct* task) {
    files_struct* files = task->files;
    {
        IrqSpinGuard guard(task->alloc_lock);
        task->files = nullptr;
    }
    put_files_struct(files);
}

void exit_fs(task_struct* task) {
    fs_struct* fs = task->fs;
    {
        IrqSpinGuard guard(task->alloc_lock);
        task->fs = nullptr;
    }
    free_fs_struct(fs);
}

/// Does any process of the group have a parent in the same session, outside of the group? Then its shell is
/// there.
bool will_become_orphaned_pgrp(struct pid* group, const task_struct* ignored) {
    for (PID_EACH(node, group, PIDTYPE_PGID)) {
        auto* member = container_of_offset<task_struct>(node, offsetof(task_struct, pid_links) +
                                                                  PIDTYPE_PGID * sizeof(list_head));
        if (member == ignored || (member->exit_state && thread_group_empty(*member)) ||
            member->real_parent->pid == 1)
            continue;
        if (task_pgrp(*member->real_parent) != group &&
            task_session(*member->real_parent) == task_session(*member))
            return false;
    }
    return true;
}

bool has_stopped_jobs(struct pid* group) {
    for (PID_EACH(node, group, PIDTYPE_PGID))
        if (container_of_offset<task_struct>(node, offsetof(task_struct, pid_links) +
                                                       PIDTYPE_PGID * sizeof(list_head))
                ->signal->flags &
            SIGNAL_STOP_STOPPED)
            return true;
    return false;
}

/// POSIX: a group that loses its last tie to a shell while stopped gets SIGHUP and SIGCONT.
void kill_orphaned_pgrp(task_struct* task, task_struct* parent) {
    struct pid* group = task_pgrp(*task);
    const task_struct* ignored = task;
    if (parent)
        ignored = nullptr;
    else
        parent = task->real_parent;
    if (!parent->signal || !group || task_pgrp(*parent) == group ||
        task_session(*parent) != task_session(*task))
        return;
    if (!will_become_orphaned_pgrp(group, ignored) || !has_stopped_jobs(group)) return;
    __kill_pgrp_info(SIGHUP, nullptr, group);
    __kill_pgrp_info(SIGCONT, nullptr, group);
}

/// Another thread of the process, else the nearest subreaper above, else init.
task_struct* find_new_reaper(task_struct* father) {
    if (father->signal)
        for (THREAD_EACH(node, father->signal))
            if (!(thread_of(node)->flags & PF_EXITING)) return thread_of(node);
    task_struct* init = find_task_by_vpid(1);
    for (task_struct* up = father->real_parent; up && up->pid > 1; up = up->real_parent) {
        if (!up->signal || !up->signal->is_child_subreaper) continue;
        for (THREAD_EACH(node, up->signal))
            if (!(thread_of(node)->flags & PF_EXITING)) return thread_of(node);
    }
    return init;
}

/// REQUIRES: tasklist_lock. What dies with nobody to wait for it goes on the list.
void forget_original_parent(task_struct* father, list_head& dead) {
    if (!father->children.linked()) return;
    task_struct* reaper = find_new_reaper(father);
    while (list_head* node = father->children.pop_front()) {
        task_struct* child = container_of(node, task_struct, sibling);
        child->parent = child->real_parent = reaper;
        reaper->children.push_back(&child->sibling);
        if (child->pdeath_signal) (void)do_send_sig_info(child->pdeath_signal, nullptr, child, PIDTYPE_TGID);
        if (reaper->signal == father->signal) continue; // the process still has it
        if (child->exit_signal >= 0) child->exit_signal = SIGCHLD;
        if (child->exit_state == EXIT_ZOMBIE && thread_group_empty(*child) &&
            do_notify_parent(child, child->exit_signal)) {
            child->exit_state = EXIT_DEAD;
            dead.push_back(&child->tasks_dead);
        }
        kill_orphaned_pgrp(child, father);
    }
}

/// Links, heirs, notice to the parent. True when the task is reaped at once.
void exit_notify(task_struct* task, bool group_dead) {
    list_head dead;
    dead.initialise();
    {
        IrqSpinGuard guard(tasklist_lock);
        forget_original_parent(task, dead);
        if (group_dead) kill_orphaned_pgrp(task->group_leader, nullptr);
        task->exit_state = EXIT_ZOMBIE;
        bool autoreap;
        if (thread_group_leader(*task))
            autoreap = thread_group_empty(*task) && do_notify_parent(task, task->exit_signal);
        else
            autoreap = true; // a thread: nobody waits for it
        if (autoreap) {
            task->exit_state = EXIT_DEAD;
            dead.push_back(&task->tasks_dead);
        }
        if (task->signal->notify_count && task->signal->group_exec_task)
            wake_up_process(task->signal->group_exec_task);
    }
    while (list_head* node = dead.pop_front()) release_task(container_of(node, task_struct, tasks_dead));
}

void delayed_put_task_struct(rcu_head* head) { put_task_struct(container_of(head, task_struct, rcu)); }

} // namespace

bool is_current_pgrp_orphaned() { return will_become_orphaned_pgrp(task_pgrp(*get_current()), nullptr); }

task_times thread_group_times(task_struct* task) {
    task_times sum = task->signal->exited;
    for (THREAD_EACH(node, task->signal)) add_times(sum, times_of(*thread_of(node)));
    return sum;
}

void mm_release(task_struct* task) {
    if (task->robust_list) exit_robust_list(task);
    task->robust_list = 0;
    if (task->clear_child_tid) {
        if (task->mm && task->mm->mm_users > 1) {
            (void)put_user<i32>(task->clear_child_tid, 0);
            (void)futex_wake(task->clear_child_tid, FutexShared, 1, ~0U);
        }
        task->clear_child_tid = 0;
    }
    if (struct completion* done = task->vfork_done) {
        {
            IrqSpinGuard guard(task->alloc_lock); // against a parent that stops waiting
            done = task->vfork_done;
            task->vfork_done = nullptr;
            if (done) done->complete();
        }
    }
}

void release_task(task_struct* task) {
    task_struct* reap_leader = task;
    while (reap_leader) {
        task = reap_leader;
        reap_leader = nullptr;
        signal_struct* shared;
        sighand_struct* sighand;
        {
            IrqSpinGuard guard(tasklist_lock);
            task_struct* leader = task->group_leader;
            shared = task->signal;
            sighand = task->sighand;
            {
                IrqSpinGuard signals(sighand->siglock);
                add_times(shared->exited, times_of(*task));
                shared->ioac.add(task->ioac);
                bool last = --shared->nr_threads == 0;
                detach_pid(task, PIDTYPE_PID);
                if (last) {
                    detach_pid(task, PIDTYPE_TGID);
                    detach_pid(task, PIDTYPE_PGID);
                    detach_pid(task, PIDTYPE_SID);
                    task->tasks.remove();
                }
                task->sibling.remove();
                task->thread_node.remove();
                flush_sigqueue(task->pending);
            }
            nr_threads--;
            // The last thread of a leader that ended before: its parent hears of it now.
            if (leader != task && thread_group_empty(*leader) && leader->exit_state == EXIT_ZOMBIE) {
                if (shared->flags & SIGNAL_GROUP_EXIT) leader->exit_code = shared->group_exit_code;
                if (do_notify_parent(leader, leader->exit_signal)) {
                    leader->exit_state = EXIT_DEAD;
                    reap_leader = leader;
                }
            }
            if (shared->group_exec_task && shared->group_exec_task != task)
                wake_up_process(shared->group_exec_task);
            task->signal = nullptr;
            task->sighand = nullptr;
        }
        put_signal_struct(shared);
        __cleanup_sighand(sighand);
        call_rcu(&task->rcu, delayed_put_task_struct);
    }
}

void do_group_exit(i32 code) {
    task_struct* task = get_current();
    {
        signal_struct* shared = task->signal;
        IrqSpinGuard guard(task->sighand->siglock);
        if (shared->flags & SIGNAL_GROUP_EXIT) {
            code = shared->group_exit_code;
        } else if (shared->group_exec_task) {
            code = 0;
        } else {
            shared->group_exit_code = code;
            shared->flags = (shared->flags & SIGNAL_UNKILLABLE) | SIGNAL_GROUP_EXIT;
            zap_other_threads(task);
        }
    }
    do_exit(code);
}

void do_exit(i32 code) {
    task_struct* task = get_current();
    if (task->pid == 0) panic("Attempted to kill the idle task!");
    exit_signals(task);
    bool group_dead = __atomic_sub_fetch(&task->signal->live, 1, __ATOMIC_ACQ_REL) == 0;
    if (group_dead && task->tgid == 1)
        panic("Attempted to kill init! exitcode=0x%08x", static_cast<unsigned>(code));
    task->exit_code = code;
    if (group_dead) {
        {
            IrqSpinGuard guard(task->sighand->siglock);
            task->signal->it_real_incr = 0;
        }
        hrtimer_cancel(task->signal->real_timer);
        exit_itimers(task);
    }
    exit_mm(task);
    exit_files(task);
    exit_fs(task);
    if (group_dead && task->signal->leader) disassociate_ctty(task);
    debug_check_no_locks_held("exiting");
    // Until the last switch the task may still be preempted: it is freed only when it has switched away for
    // good (finish_task_switch) and a grace period later.
    exit_notify(task, group_dead);
    preempt_disable();
    local_irq_disable();
    set_special_state(TASK_DEAD);
    preempt_enable_no_resched();
    schedule();
    panic("a dead task ran: pid %d", task->pid);
}

} // namespace kernel
