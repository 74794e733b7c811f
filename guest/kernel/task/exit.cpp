// The end of a task, and what is left of it for its parent: exit, zombies, reparenting, wait4.
#include "arch/x86_64/cpu.h"
#include "arch/x86_64/user_access.h"
#include "fs/vfs.h"
#include "lib/log.h"
#include "mm/memory_struct.h"
#include "sched/scheduler.h"
#include "task/futex.h"
#include "task/signal.h"
#include "task/task.h"

namespace kernel {
namespace {

constexpr u32 WaitNoHang = 1, WaitUntraced = 2;

/// REQUIRES: tasklist_lock. The parent's share of a dead child goes.
void release_task(task_struct* task) {
    task->sibling.remove();
    task->tasks.remove();
    free_pid(task->pid);
}

/// REQUIRES: tasklist_lock. Orphans go to init, which reaps them.
void forget_original_parent(task_struct* task) {
    task_struct* init = find_task_by_vpid(1);
    while (list_head* node = task->children.pop_front()) {
        task_struct* child = container_of(node, task_struct, sibling);
        child->parent = init;
        init->children.push_back(&child->sibling);
        if (child->__state == EXIT_ZOMBIE) init->wait_chldexit.wake_all();
    }
}

void complete_vfork_done(task_struct* task) {
    if (!task->vfork_done) return;
    bool* done = task->vfork_done;
    task->vfork_done = nullptr;
    task_struct* parent = task->parent;
    __atomic_store_n(done, true, __ATOMIC_RELEASE);
    parent->wait_chldexit.wake_all();
}

void exit_mm(task_struct* task) {
    complete_vfork_done(task);
    mm_struct* mm = task->mm;
    if (!mm) return;
    local_irq_disable();
    task->mm = nullptr; // page tables stay loaded until the next user task, unless they are freed now
    local_irq_enable();
    mmput(mm);
}

void exit_files(task_struct* task) {
    put_files_struct(task->files);
    task->files = nullptr;
}

void exit_fs(task_struct* task) {
    free_fs_struct(task->fs);
    task->fs = nullptr;
}

/// Other threads of the process end with it.
void zap_other_threads(task_struct* task) {
    IrqSpinGuard guard(tasklist_lock);
    for (LIST_EACH(node, task_list)) {
        task_struct* other = container_of(node, task_struct, tasks);
        if (other != task && other->tgid == task->tgid) send_sig(other, SIGKILL);
    }
}

} // namespace

void mm_release() { complete_vfork_done(get_current()); }

void do_group_exit(i32 code) {
    zap_other_threads(get_current());
    do_exit(code);
}

void do_exit(i32 code) {
    task_struct* task = get_current();
    if (task->pid == 1) panic("Attempted to kill init! exitcode=0x%08x", static_cast<unsigned>(code));
    if (task->pid == 0) panic("Attempted to kill the idle task!");
    task->flags |= PF_EXITING;
    task->exit_code = code;
    if (task->clear_child_tid && task->mm && task->mm->mm_users > 1) {
        (void)put_user<i32>(task->clear_child_tid, 0);
        futex_wake(task->clear_child_tid, 1);
    }
    exit_mm(task);
    exit_files(task);
    exit_fs(task);

    // From here to the last switch nothing may preempt: the parent may reap as soon as the state is Zombie.
    local_irq_disable();
    task_struct* parent;
    {
        preempt_disable();
        tasklist_lock.lock_raw();
        forget_original_parent(task);
        parent = task->parent;
        bool thread = task->tgid != task->pid;
        bool unwanted =
            thread || (parent->sighand && (parent->sighand->action[SIGCHLD - 1].handler == 1 ||
                                           (parent->sighand->action[SIGCHLD - 1].flags & SA_NOCLDWAIT)));
        if (parent->is_kernel_thread() && parent->pid == 2) unwanted = true; // kthreadd does not wait
        if (unwanted) {
            task->__state = TASK_DEAD;
            release_task(task);
            put_task_struct(task); // the reaper's reference
        } else {
            task->__state = EXIT_ZOMBIE;
            if (task->exit_signal) send_sig(parent, task->exit_signal);
        }
        tasklist_lock.unlock_raw();
        preempt_enable_no_resched();
    }
    parent->wait_chldexit.wake_all();
    schedule();
    panic("a dead task ran: pid %d", task->pid);
}

Result<i64> do_wait(i32 pid, i32* status, u32 options) {
    task_struct* self = get_current();
    task_struct* found = nullptr;
    i32 found_pid = 0;
    bool any = false, stopped = false;
    auto scan = [&] {
        IrqSpinGuard guard(tasklist_lock);
        found = nullptr;
        any = false;
        for (LIST_EACH(node, self->children)) {
            task_struct* child = container_of(node, task_struct, sibling);
            if (pid > 0    ? child->pid != pid
                : pid == 0 ? child->process_group != self->process_group
                           : pid < -1 && child->process_group != -pid)
                continue;
            any = true;
            if (child->__state == EXIT_ZOMBIE ||
                ((options & WaitUntraced) && child->__state == TASK_STOPPED && !child->exit_code)) {
                found = child;
                found_pid = child->pid;
                stopped = child->__state == TASK_STOPPED;
                return true;
            }
        }
        return !any;
    };
    if (!scan()) {
        if (options & WaitNoHang) return i64{0};
        TRY(self->wait_chldexit.wait_interruptible(scan));
    }
    if (!found) return any ? Errno::ERESTARTSYS : Errno::ECHILD;
    if (stopped) {
        *status = SIGSTOP << 8 | 0x7f;
        found->exit_code = 0x100 << 8; // reported once
        return found_pid;
    }
    *status = found->exit_code;
    {
        IrqSpinGuard guard(tasklist_lock);
        release_task(found);
    }
    put_task_struct(found);
    return found_pid;
}

} // namespace kernel
