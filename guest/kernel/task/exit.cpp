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

/// REQUIRES: task_list_lock. The parent's share of a dead child goes.
void unlink_task(Task* task) {
    task->sibling.remove();
    task->tasks.remove();
    free_pid(task->pid);
}

/// REQUIRES: task_list_lock. Orphans go to init, which reaps them.
void reparent_children(Task* task) {
    Task* init = find_task(1);
    while (ListNode* node = task->children.pop_front()) {
        Task* child = CONTAINER_OF(node, Task, sibling);
        child->parent = init;
        init->children.push_back(&child->sibling);
        if (child->state == TaskZombie) init->child_exit.wake_all();
    }
}

void finish_vfork(Task* task) {
    if (!task->vfork_done) return;
    bool* done = task->vfork_done;
    task->vfork_done = nullptr;
    Task* parent = task->parent;
    __atomic_store_n(done, true, __ATOMIC_RELEASE);
    parent->child_exit.wake_all();
}

/// Other threads of the process end with it.
void kill_other_threads(Task* task) {
    IrqSpinGuard guard(task_list_lock);
    for (LIST_EACH(node, task_list)) {
        Task* other = CONTAINER_OF(node, Task, tasks);
        if (other != task && other->tgid == task->tgid) send_signal(other, SIGKILL);
    }
}

} // namespace

void release_vfork_parent() { finish_vfork(current_task()); }

void exit_group(i32 code) {
    kill_other_threads(current_task());
    exit_task(code);
}

void exit_task(i32 code) {
    Task* task = current_task();
    if (task->pid == 1) panic("Attempted to kill init! exitcode=0x%08x", static_cast<unsigned>(code));
    if (task->pid == 0) panic("Attempted to kill the idle task!");
    task->flags |= TaskExiting;
    task->exit_code = code;
    if (task->clear_child_tid && task->mm && task->mm->users > 1) {
        (void)put_user<i32>(task->clear_child_tid, 0);
        wake_futex(task->clear_child_tid, 1);
    }
    if (MemoryStruct* mm = task->mm) {
        finish_vfork(task);
        disable_interrupts();
        task->mm = nullptr; // page tables stay loaded until the next user task, unless they are freed now
        enable_interrupts();
        put_memory_struct(mm);
    }
    finish_vfork(task);
    put_file_table(task->files);
    task->files = nullptr;
    put_fs_context(task->fs);
    task->fs = nullptr;

    // From here to the last switch nothing may preempt: the parent may reap as soon as the state is Zombie.
    disable_interrupts();
    Task* parent;
    {
        preempt_disable();
        task_list_lock.lock_raw();
        reparent_children(task);
        parent = task->parent;
        bool thread = task->tgid != task->pid;
        bool unwanted =
            thread || (parent->signals && (parent->signals->actions[SIGCHLD - 1].handler == 1 ||
                                           (parent->signals->actions[SIGCHLD - 1].flags & SA_NOCLDWAIT)));
        if (parent->is_kernel_thread() && parent->pid == 2) unwanted = true; // kthreadd does not wait
        if (unwanted) {
            task->state = TaskDead;
            unlink_task(task);
            put_task(task); // the reaper's reference
        } else {
            task->state = TaskZombie;
            if (task->exit_signal) send_signal(parent, task->exit_signal);
        }
        task_list_lock.unlock_raw();
        preempt_enable_no_reschedule();
    }
    parent->child_exit.wake_all();
    schedule();
    panic("a dead task ran: pid %d", task->pid);
}

Result<i64> wait_for_child(i32 pid, i32* status, u32 options) {
    Task* self = current_task();
    Task* found = nullptr;
    i32 found_pid = 0;
    bool any = false, stopped = false;
    auto scan = [&] {
        IrqSpinGuard guard(task_list_lock);
        found = nullptr;
        any = false;
        for (LIST_EACH(node, self->children)) {
            Task* child = CONTAINER_OF(node, Task, sibling);
            if (pid > 0    ? child->pid != pid
                : pid == 0 ? child->process_group != self->process_group
                           : pid < -1 && child->process_group != -pid)
                continue;
            any = true;
            if (child->state == TaskZombie ||
                ((options & WaitUntraced) && child->state == TaskStopped && !child->exit_code)) {
                found = child;
                found_pid = child->pid;
                stopped = child->state == TaskStopped;
                return true;
            }
        }
        return !any;
    };
    if (!scan()) {
        if (options & WaitNoHang) return i64{0};
        TRY(self->child_exit.wait_interruptible(scan));
    }
    if (!found) return any ? Errno::ERESTARTSYS : Errno::ECHILD;
    if (stopped) {
        *status = SIGSTOP << 8 | 0x7f;
        found->exit_code = 0x100 << 8; // reported once
        return found_pid;
    }
    *status = found->exit_code;
    {
        IrqSpinGuard guard(task_list_lock);
        unlink_task(found);
    }
    put_task(found);
    return found_pid;
}

} // namespace kernel
