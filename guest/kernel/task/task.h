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

namespace kernel {

struct mm_struct;
struct files_struct;
struct fs_struct;
struct sighand_struct;
struct dentry;

enum TaskState : u32 {
    TASK_RUNNING = 0,
    TASK_INTERRUPTIBLE = 1,
    TASK_UNINTERRUPTIBLE = 2,
    TASK_STOPPED = 4,
    EXIT_ZOMBIE = 0x20,
    TASK_DEAD = 0x10,
    TASK_WAKING = 0x200, ///< on its way to a run queue
    TASK_NOLOAD = 0x400,
    TASK_NORMAL = 3,
    TASK_IDLE = 0x402, ///< uninterruptible, not counted as load: kernel threads that wait for work
};

enum TaskFlag : u32 { PF_KTHREAD = 0x00200000, PF_EXITING = 0x4, PF_FORKNOEXEC = 0x40, PF_IDLE = 0x2 };

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

struct alignas(64) task_struct {
    u64 kernel_rsp = 0; ///< offset 0: __switch_to_asm (entry.S)
    u32 thread_flags = 0;
    u32 preempt_count = 0;
    u32 __state = TASK_RUNNING;
    u32 flags = 0;
    i32 pid = 0;
    i32 tgid = 0;
    char comm[16] = {};
    u32 on_cpu = 0; ///< runs right now
    u32 cpu = 0;    ///< whose run queue it belongs to
    i32 nice = 0;
    u32 policy = 0; ///< SCHED_NORMAL
    sched_entity se;
    mm_struct* mm = nullptr; ///< null for kernel threads
    void* stack = nullptr;   ///< lowest address of the kernel stack
    task_struct* parent = nullptr;
    list_head tasks;    ///< task_list
    list_head children; ///< head
    list_head sibling;  ///< on parent->children
    i32 exit_code = 0;
    i32 exit_signal = 17; ///< SIGCHLD
    i32 process_group = 0;
    i32 session = 0;
    files_struct* files = nullptr;
    fs_struct* fs = nullptr;
    sighand_struct* sighand = nullptr;
    u64 pending = 0; ///< bit n − 1 for signal n
    u64 blocked = 0;
    u64 saved_sigmask = 0;
    bool restore_blocked = false;
    void* fpu = nullptr; ///< FXSAVE/XSAVE image; null for kernel threads
    u64 fsbase = 0;
    u64 gsbase = 0;                         ///< the user's
    u64 set_child_tid = 0;                  ///< CLONE_CHILD_SETTID: written by the child when it first runs
    u64 clear_child_tid = 0;                ///< zeroed, and its futex woken, when the task exits
    u32 cpus_mask = ~0U;                    ///< the CPUs that it may run on
    bool sched_contributes_to_load = false; ///< counts in its queue's nr_uninterruptible
    spinlock_t pi_lock{"pi_lock"};          ///< serialises wake-ups
    rcu_head rcu;
    u32 lockdep_depth = 0, lockdep_recursion = 0;
    held_lock held_locks[MAX_LOCK_DEPTH] = {};
    u32 usage = 2;      ///< one until it is reaped, one until it has switched away for the last time
    u64 start_time = 0; ///< nanoseconds since boot
    u64 utime = 0, stime = 0;
    u64 min_flt = 0, maj_flt = 0;
    wait_queue_head wait_chldexit{"child_exit"}; ///< wait4 sleeps here
    bool* vfork_done = nullptr; ///< set, and child_exit of the parent woken, when the child execs or exits
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
inline constexpr i32 PID_MAX_DEFAULT = 32768;

/// The task with this PID, or null. REQUIRES: tasklist_lock, or interrupts off on one CPU.
task_struct* find_task_by_vpid(i32 pid);
Result<i32> alloc_pid(task_struct* task);
void free_pid(i32 pid);

/// R, S, D, T, Z, X, I.
char task_state_to_char(const task_struct& task);

void fork_init();
inline void get_task_struct(task_struct* task) { __atomic_fetch_add(&task->usage, 1, __ATOMIC_RELAXED); }
void put_task_struct(task_struct* task);
void publish_child_tid();

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
/// execve: a vfork parent may go on.
void mm_release();
Result<i64> do_wait(i32 pid, i32* status, u32 options);

/// Replaces the caller's program. On success the user frame holds the new entry point.
Result<void> kernel_execve(const char* path, const char* const* arguments, const char* const* environment);
Result<i64> do_execve(u64 path, u64 arguments, u64 environment);

} // namespace kernel
