// The table of numbers; see pid.h.
#include "task/pid.h"

#include "lib/log.h"
#include "mm/slab.h"
#include "task/task.h"

namespace kernel {
namespace {

constinit struct pid* pid_table[PID_MAX_DEFAULT] = {};
constinit i32 last_pid = 0;
constinit spinlock_t pidmap_lock{"pidmap_lock"};
constexpr i32 RESERVED_PIDS = 300; ///< after a wrap: the low numbers are for the boot's threads

void free_pid(struct pid* pid) {
    if (!pid->nr) return; // the kernel threads' group: for ever
    {
        IrqSpinGuard guard(pidmap_lock);
        pid_table[pid->nr] = nullptr;
    }
    put_pid(pid);
}

} // namespace

void abandon_pid(struct pid* pid) { free_pid(pid); }

Result<struct pid*> alloc_pid() {
    auto* pid = make<struct pid>();
    if (!pid) return Errno::ENOMEM;
    for (list_head& list : pid->tasks) list.initialise();
    IrqSpinGuard guard(pidmap_lock);
    for (i32 tries = 0; tries < PID_MAX_DEFAULT; tries++) {
        last_pid = last_pid + 1 < PID_MAX_DEFAULT ? last_pid + 1 : RESERVED_PIDS;
        if (pid_table[last_pid]) continue;
        pid->nr = last_pid;
        pid_table[last_pid] = pid;
        return pid;
    }
    destroy(pid);
    return Errno::EAGAIN;
}

struct pid* get_pid(struct pid* pid) {
    if (pid) __atomic_fetch_add(&pid->count, 1, __ATOMIC_RELAXED);
    return pid;
}

void put_pid(struct pid* pid) {
    if (pid && __atomic_sub_fetch(&pid->count, 1, __ATOMIC_ACQ_REL) == 0) destroy(pid);
}

struct pid* find_pid(i32 nr) {
    if (nr <= 0 || nr >= PID_MAX_DEFAULT) return nullptr;
    IrqSpinGuard guard(pidmap_lock);
    return pid_table[nr];
}

struct pid*& pid_slot(task_struct* task, pid_type type) {
    return type == PIDTYPE_PID ? task->thread_pid : task->signal->pids[type];
}

void attach_pid(task_struct* task, pid_type type, struct pid* pid) {
    pid_slot(task, type) = pid;
    pid->tasks[type].push_back(&task->pid_links[type]);
}

namespace {

void __change_pid(task_struct* task, pid_type type, struct pid* fresh) {
    struct pid* old = pid_slot(task, type);
    task->pid_links[type].remove();
    pid_slot(task, type) = fresh;
    if (!old) return;
    for (list_head& list : old->tasks)
        if (list.linked()) return;
    free_pid(old);
}

} // namespace

void detach_pid(task_struct* task, pid_type type) { __change_pid(task, type, nullptr); }

void change_pid(task_struct* task, pid_type type, struct pid* pid) {
    get_pid(pid); // the old one's last list may be this one's
    __change_pid(task, type, pid);
    pid->tasks[type].push_back(&task->pid_links[type]);
    put_pid(pid);
}

void transfer_pid(task_struct* from, task_struct* to, pid_type type) {
    if (!from->pid_links[type].linked()) return;
    list_head* before = from->pid_links[type].prev;
    from->pid_links[type].remove();
    to->pid_links[type].insert_between(before, before->next);
}

void exchange_tids(task_struct* left, task_struct* right) {
    struct pid *of_left = left->thread_pid, *of_right = right->thread_pid;
    left->pid_links[PIDTYPE_PID].remove();
    right->pid_links[PIDTYPE_PID].remove();
    attach_pid(left, PIDTYPE_PID, of_right);
    attach_pid(right, PIDTYPE_PID, of_left);
    left->pid = of_right->nr;
    right->pid = of_left->nr;
}

task_struct* pid_task(struct pid* pid, pid_type type) {
    list_head* node = pid ? pid->tasks[type].front() : nullptr;
    return node ? container_of_offset<task_struct>(node, offsetof(task_struct, pid_links) +
                                                             type * sizeof(list_head))
                : nullptr;
}

task_struct* find_task_by_vpid(i32 nr) { return pid_task(find_pid(nr), PIDTYPE_PID); }

} // namespace kernel
