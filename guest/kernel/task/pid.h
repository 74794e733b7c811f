// Process identifiers: struct pid names a task, a process, a process group or a session, and outlives them
// while somebody holds a reference.
//
// Invariants: a pid's lists (one a type) change under tasklist_lock. A number belongs to one struct pid as
// long as any list of it is not empty; it is given out again only after that.
#pragma once

#include "lib/list.h"
#include "lib/result.h"

namespace kernel {

struct task_struct;

enum pid_type : u8 { PIDTYPE_PID, PIDTYPE_TGID, PIDTYPE_PGID, PIDTYPE_SID, PIDTYPE_MAX };

struct pid {
    u32 count = 1;
    i32 nr = 0;
    list_head tasks[PIDTYPE_MAX]; ///< of task_struct::pid_links[type]
};

inline constexpr i32 PID_MAX_DEFAULT = 32768;

Result<struct pid*> alloc_pid();
struct pid* get_pid(struct pid* pid);
void put_pid(struct pid* pid);
/// Gives back a number that was never attached.
void abandon_pid(struct pid* pid);
/// The number's pid, or null. REQUIRES: tasklist_lock, or take the reference under it.
struct pid* find_pid(i32 nr);

// REQUIRES for all: tasklist_lock.
void attach_pid(task_struct* task, pid_type type, struct pid* pid);
void detach_pid(task_struct* task, pid_type type);
void change_pid(task_struct* task, pid_type type, struct pid* pid);
/// The two threads change their numbers' tasks: a thread that execs becomes the leader.
void transfer_pid(task_struct* from, task_struct* to, pid_type type);
/// The two threads change their thread numbers.
void exchange_tids(task_struct* left, task_struct* right);
task_struct* pid_task(struct pid* pid, pid_type type);
/// The task (thread) with this number, or null.
task_struct* find_task_by_vpid(i32 nr);

/// for (PID_EACH(task, pid, type)): the leaders in a group or session, all threads for PIDTYPE_PID.
#define PID_EACH(node, pid, type) LIST_EACH(node, (pid)->tasks[type])

} // namespace kernel
