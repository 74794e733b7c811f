// The task: one thread of execution, as the scheduler, the memory manager and user space see it.
//
// Invariants: a task is on `task_list` from its creation until release_task(). `state` is Running while it
// runs or waits on a run queue. `preempt_count` counts reasons not to switch away (preemption-off sections,
// and interrupt depth in the upper bits, as in Linux). `kernel_rsp` is valid only while the task is not
// running. Fields are changed by the task itself, or under tasklist_lock (links, exit), or under its run
// queue's lock (scheduling).
#pragma once

#include "arch/x86_64/segments.h"
#include "arch/x86_64/trap_frame.h"
#include "lib/list.h"
#include "lib/rbtree.h"
#include "lib/result.h"
#include "mm/layout.h"
#include "sync/rcu.h"
#include "sync/wait_queue.h"
#include "task/cred.h"
#include "task/pid.h"
#include "task/signal.h"

namespace kernel {

struct mm_struct;
struct files_struct;
struct fs_struct;
struct sighand_struct;
struct dentry;
struct blk_plug;

/// What a task waits for (task_struct::__state); 0 runs, or waits for a CPU.
enum TaskState : u32 {
    TASK_RUNNING = 0,
    TASK_INTERRUPTIBLE = 1,
    TASK_UNINTERRUPTIBLE = 2,
    __TASK_STOPPED = 4,
    __TASK_TRACED = 8,
    TASK_DEAD = 0x80,
    TASK_WAKEKILL = 0x100, ///< a fatal signal ends the wait
    TASK_WAKING = 0x200,   ///< on its way to a run queue
    TASK_NOLOAD = 0x400,
    TASK_NEW = 0x800,
    TASK_NORMAL = TASK_INTERRUPTIBLE | TASK_UNINTERRUPTIBLE,
    TASK_STOPPED = TASK_WAKEKILL | __TASK_STOPPED,
    TASK_KILLABLE = TASK_WAKEKILL | TASK_UNINTERRUPTIBLE,
    TASK_IDLE = TASK_UNINTERRUPTIBLE | TASK_NOLOAD, ///< kernel threads that wait for work
};
/// How far an ended task has gone (task_struct::exit_state).
enum ExitState : u32 { EXIT_DEAD = 0x10, EXIT_ZOMBIE = 0x20 };

enum TaskFlag : u32 {
    PF_KTHREAD = 0x00200000,
    PF_EXITING = 0x4,
    PF_FORKNOEXEC = 0x40,
    PF_IDLE = 0x2,
    PF_SIGNALED = 0x400,
    PF_MEMALLOC = 0x800 ///< frees memory: may take the reserve
};

/// jobctl: a group stop that this thread has yet to take part in, and what stopped it. STOP_DEQUEUED: it has
/// taken a stop signal that has not stopped it yet; a SIGCONT that comes meanwhile takes the bit away, and
/// the stop does not happen.
inline constexpr u32 JOBCTL_STOP_SIGMASK = 0xffff, JOBCTL_STOP_DEQUEUED = 1 << 16,
                     JOBCTL_STOP_PENDING = 1 << 17, JOBCTL_STOP_CONSUME = 1 << 18;

enum ThreadFlag : u32 { _TIF_SIGPENDING = 1 << 2, _TIF_NEED_RESCHED = 1 << 3 };

/// Upper parts of preempt_count, laid out as Linux does: preemption bits 0–7, softirq 8–15, hardirq 16–19,
/// NMI 20.
namespace preempt {
inline constexpr u32 SoftirqOffset = 1 << 8, SoftirqDisableOffset = 2 << 8, HardirqOffset = 1 << 16,
                     NmiOffset = 1 << 20;
inline constexpr u32 SoftirqMask = 0xff << 8, HardirqMask = 0xf << 16;
} // namespace preempt

/// An entity's weight, or a queue's total.
struct load_weight {
    u64 weight = 0;
};

/// What the fair scheduler orders (sched/fair.cpp).
struct sched_entity {
    load_weight load{1024};
    struct rb_node run_node;
    u32 on_rq = 0;
    u64 exec_start = 0;
    u64 sum_exec_runtime = 0;
    u64 prev_sum_exec_runtime = 0;
    u64 vruntime = 0;
    u64 nvcsw = 0;
    u64 nivcsw = 0;
};

/// What the realtime scheduler orders (sched/rt.cpp).
struct sched_rt_entity {
    list_head run_list;
    u32 time_slice = 0; ///< ticks left under SCHED_RR
};

/// How long a task, or the tasks of a queue, waited for a CPU (/proc/PID/schedstat).
struct sched_info {
    u64 pcount = 0;       ///< times that it got one
    u64 run_delay = 0;    ///< ns of waiting
    u64 last_arrival = 0; ///< ns: when it last began to run
    u64 last_queued = 0;  ///< ns: since when it waits; 0: it does not
};

struct alignas(64) task_struct {
    u64 kernel_rsp = 0; ///< offset 0: __switch_to_asm (entry.S)
    u32 thread_flags = 0;
    u32 preempt_count = 0;
    u32 __state = TASK_RUNNING;
    u32 flags = 0;
    i32 pid = 0;
    i32 tgid = 0;
    u32 exit_state = 0;
    char comm[16] = {};
    u32 on_cpu = 0; ///< runs right now
    u32 cpu = 0;    ///< whose run queue it belongs to
    i32 nice = 0;
    u32 policy = 0;      ///< SCHED_NORMAL and its like
    u32 rt_priority = 0; ///< 1–99 under SCHED_FIFO and SCHED_RR
    bool sched_reset_on_fork = false;
    const struct sched_class* sched_class = nullptr; ///< who decides when it runs
    sched_entity se;                                 ///< its times, and on_rq, are every class's
    sched_rt_entity rt;
    struct sched_info sched_info;
    mm_struct* mm = nullptr;       ///< null for kernel threads
    void* stack = nullptr;         ///< lowest address of the kernel stack
    task_struct* parent = nullptr; ///< the thread that made it, or who took over; waits and gets SIGCHLD
    task_struct* real_parent = nullptr;
    task_struct* group_leader = nullptr;
    list_head thread_node; ///< signal->thread_head
    struct pid* thread_pid = nullptr;
    list_head pid_links[PIDTYPE_MAX];
    list_head tasks;    ///< task_list
    list_head children; ///< head
    list_head sibling;  ///< on parent->children
    i32 exit_code = 0;
    i32 exit_signal = SIGCHLD; ///< to the parent; −1: a thread that nobody waits for
    files_struct* files = nullptr;
    fs_struct* fs = nullptr;
    const struct cred* cred = nullptr;
    signal_struct* signal = nullptr;   ///< null behind release_task
    sighand_struct* sighand = nullptr; ///< null behind release_task
    sigpending pending;                ///< for this thread alone
    u64 blocked = 0;
    u64 real_blocked = 0; ///< sigtimedwait: what was blocked before
    u64 saved_sigmask = 0;
    bool restore_sigmask = false;
    u64 sas_ss_sp = 0, sas_ss_size = 0; ///< sigaltstack
    u32 sas_ss_flags = 2;               ///< SS_DISABLE
    u32 jobctl = 0;
    i32 pdeath_signal = 0;
    spinlock_t alloc_lock{"alloc_lock"}; ///< mm, files, fs while another task looks at them (task_lock)
    struct {
        Result<i64> (*fn)(task_struct& task) = nullptr;
        u64 expires = 0, remaining = 0, address = 0;
        u32 value = 0, bitset = 0, flags = 0;
    } restart_block; ///< how restart_syscall goes on
    u64 robust_list = 0;
    void* fpu = nullptr; ///< FXSAVE/XSAVE image; null for kernel threads
    u64 fsbase = 0;
    u64 gsbase = 0;          ///< the user's
    u64 set_child_tid = 0;   ///< CLONE_CHILD_SETTID: written by the child when it first runs
    u64 clear_child_tid = 0; ///< zeroed, and its futex woken, when the task exits
    u64 nr_migrations = 0;
    u32 cpus_mask = ~0U;                    ///< the CPUs that it may run on
    bool sched_contributes_to_load = false; ///< counts in its queue's nr_uninterruptible
    spinlock_t pi_lock{"pi_lock"};          ///< serialises wake-ups
    rcu_head rcu;
    list_head tasks_dead; ///< to be released, once the locks are
    u32 lockdep_depth = 0, lockdep_recursion = 0;
    held_lock held_locks[MAX_LOCK_DEPTH] = {};
    u32 usage = 2;      ///< one until it is reaped, one until it has switched away for the last time
    u64 start_time = 0; ///< nanoseconds since boot
    u64 utime = 0, stime = 0;
    u64 min_flt = 0, maj_flt = 0;
    u64 timer_slack_ns = 50'000, default_timer_slack_ns = 50'000; ///< prctl(PR_SET_TIMERSLACK)
    task_io_accounting ioac;
    struct completion* vfork_done = nullptr; ///< completed when the child execs or exits
    i32 oom_score_adj = 0;
    list_head* scm_work_list = nullptr; ///< files that it is about to close (net/scm.cpp)
    blk_plug* plug = nullptr;           ///< requests that wait for their neighbours (block/blk-mq.cpp)
    u32 umask = 022;
    u32 trap_nr = 0; ///< last user fault, for reports
    u64 cr2 = 0;
    bool in_syscall = false;

    pt_regs* user_frame() {
        return reinterpret_cast<pt_regs*>(static_cast<u8*>(stack) + THREAD_SIZE - sizeof(pt_regs));
    }
    bool is_kernel_thread() const { return flags & PF_KTHREAD; }
    bool signal_pending() const { return thread_flags & _TIF_SIGPENDING; }
};
static_assert(offsetof(task_struct, kernel_rsp) == 0 &&
              offsetof(task_struct, preempt_count) == PreemptCountOffset);

extern task_struct init_task; ///< PID 0 of the boot CPU
extern list_head task_list;   ///< task_struct::tasks of all tasks but the idle ones
extern spinlock_t tasklist_lock;
/// ps and the parent see tasks and processes; threads of a process other than its leader are on
/// signal->thread_head only.
inline bool thread_group_leader(const task_struct& task) { return task.exit_signal >= 0; }
inline bool thread_group_empty(const task_struct& task) {
    return task.thread_node.next == task.thread_node.prev;
}
inline bool same_thread_group(const task_struct& a, const task_struct& b) { return a.signal == b.signal; }
/// for (THREAD_EACH(node, signal))
#define THREAD_EACH(node, signal) LIST_EACH(node, (signal)->thread_head)
inline task_struct* thread_of(list_head* node) { return container_of(node, task_struct, thread_node); }

/// Numbers of the process's group and session. REQUIRES: tasklist_lock, or the task is the caller.
i32 task_pgrp_nr(const task_struct& task);
i32 task_session_nr(const task_struct& task);
inline struct pid* task_pgrp(const task_struct& task) { return task.signal->pids[PIDTYPE_PGID]; }
inline struct pid* task_session(const task_struct& task) { return task.signal->pids[PIDTYPE_SID]; }

/// The address space with a reference, or null; mmput() gives it back.
mm_struct* get_task_mm(task_struct* task);
/// No parent of the group's members in its session is outside of it: nobody would continue it. REQUIRES:
/// tasklist_lock.
bool is_current_pgrp_orphaned();
/// CPU time and events of a process: its threads that ended, and those that live. REQUIRES: tasklist_lock.
task_times thread_group_times(task_struct* task);

/// R, S, D, T, Z, X, I.
char task_state_to_char(const task_struct& task);

void fork_init();
inline void get_task_struct(task_struct* task) { __atomic_fetch_add(&task->usage, 1, __ATOMIC_RELAXED); }
void put_task_struct(task_struct* task);
/// A CPU's idle thread: on no list, PID 0.
task_struct* fork_idle(unsigned cpu);
void publish_child_tid();
extern u64 total_forks; ///< since boot
extern u32 nr_threads;  ///< alive now; under tasklist_lock
extern u32 max_threads; ///< memory for the stacks of more there is not

using KernelThreadFunction = void (*)(void*);
/// A new kernel thread, already runnable. When its function returns the task becomes what execve made of it.
Result<task_struct*> kernel_thread(KernelThreadFunction function, void* argument, const char* name,
                                   u32 clone_flags = 0);
/// Asks kthreadd for a kernel thread, so that it is PID 2's child; waits until it exists.
Result<task_struct*> kthread_run(KernelThreadFunction function, void* argument, const char* name);
void kthreadd(void*);

struct kernel_clone_args {
    u64 flags = 0;
    u64 child_stack = 0;
    u64 parent_tid = 0, child_tid = 0;
    u64 tls = 0;
    KernelThreadFunction function = nullptr;
    void* argument = nullptr;
};
/// fork, vfork and clone; returns the child, not yet runnable.
Result<task_struct*> copy_process(const kernel_clone_args& request, pt_regs* parent_frame);
Result<i64> kernel_clone(const kernel_clone_args& request, pt_regs* parent_frame);

/// Ends the calling task; `code` is as wait4 reports it.
[[noreturn]] void do_exit(i32 code);
/// The whole process: other threads are killed.
[[noreturn]] void do_group_exit(i32 code);
/// execve and exit: a vfork parent may go on, and a waiter for the thread's end.
void mm_release(task_struct* task);
/// Frees what is left of a dead task. REQUIRES: its exit_state is EXIT_DEAD, set by the caller alone.
void release_task(task_struct* task);
/// exec: the calling thread becomes the only one of its process, and its leader. EAGAIN when the process ends
/// instead.
Result<void> de_thread(task_struct* task);

inline constexpr u32 WNOHANG = 1, WUNTRACED = 2, WSTOPPED = 2, WEXITED = 4, WCONTINUED = 8,
                     WNOWAIT = 0x01000000, __WNOTHREAD = 0x20000000, __WALL = 0x40000000,
                     __WCLONE = 0x80000000;
struct wait_opts {
    u32 wo_flags = 0;
    pid_type wo_type = PIDTYPE_MAX; ///< PIDTYPE_MAX: any child
    struct pid* wo_pid = nullptr;
    i32 wo_stat = 0;        ///< as wait4 reports it
    kernel_siginfo wo_info; ///< as waitid reports it
    task_times wo_rusage;
};
/// The child's number, or 0 with WNOHANG.
Result<i64> do_wait(wait_opts& options);

/// Replaces the caller's program. On success the user frame holds the new entry point.
Result<void> kernel_execve(const char* path, const char* const* arguments, const char* const* environment);
Result<i64> do_execve(u64 path, u64 arguments, u64 environment);

} // namespace kernel
