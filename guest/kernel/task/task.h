// The task: one thread of execution, as the scheduler, the memory manager and user space see it.
//
// Invariants: a task is on `task_list` from its creation until release_task(). `state` is Running while it
// runs or waits on a run queue. `preempt_count` counts reasons not to switch away (preemption-off sections,
// and interrupt depth in the upper bits, as in Linux). `kernel_rsp` is valid only while the task is not
// running. Fields are changed by the task itself, or under task_list_lock (links, exit), or under its run
// queue's lock (scheduling).
#pragma once

#include "arch/x86_64/segments.h"
#include "arch/x86_64/trap_frame.h"
#include "lib/list.h"
#include "lib/rbtree.h"
#include "lib/result.h"
#include "mm/layout.h"
#include "sync/wait_queue.h"

namespace kernel {

struct MemoryStruct;
struct FileTable;
struct FileSystemContext;
struct SignalHandlers;
struct Dentry;

enum TaskState : u32 {
    TaskRunning = 0,
    TaskInterruptible = 1,
    TaskUninterruptible = 2,
    TaskStopped = 4,
    TaskZombie = 0x20,
    TaskDead = 0x10,
    TaskIdle = 0x402, ///< uninterruptible, not counted as load: kernel threads that wait for work
};

enum TaskFlag : u32 {
    TaskKernelThread = 1 << 0,
    TaskExiting = 1 << 1,
    TaskForkedNoExec = 1 << 2,
    TaskIdleThread = 1 << 3
};

enum ThreadFlag : u32 { NeedReschedule = 1 << 0, SignalPending = 1 << 1 };

/// Upper parts of preempt_count, laid out as Linux does: preemption bits 0–7, softirq 8–15, hardirq 16–19,
/// NMI 20.
namespace preempt {
inline constexpr u32 SoftirqOffset = 1 << 8, HardirqOffset = 1 << 16, NmiOffset = 1 << 20;
inline constexpr u32 SoftirqMask = 0xff << 8, HardirqMask = 0xf << 16;
} // namespace preempt

/// What the fair scheduler orders (sched/fair.cpp).
struct SchedEntity {
    u64 weight = 1024;
    RbNode run_node;
    u32 on_run_queue = 0;
    u64 exec_start = 0;
    u64 sum_exec_runtime = 0;
    u64 previous_sum_exec_runtime = 0;
    u64 vruntime = 0;
    u64 voluntary_switches = 0;
    u64 involuntary_switches = 0;
};

struct Task {
    u64 kernel_rsp = 0; ///< offset 0: switch_to (entry.S)
    u32 thread_flags = 0;
    u32 preempt_count = 0;
    u32 state = TaskRunning;
    u32 flags = 0;
    i32 pid = 0;
    i32 tgid = 0;
    char comm[16] = {};
    u32 on_cpu = 0; ///< runs right now
    u32 cpu = 0;    ///< whose run queue it belongs to
    i32 nice = 0;
    u32 policy = 0; ///< SCHED_NORMAL
    SchedEntity se;
    MemoryStruct* mm = nullptr; ///< null for kernel threads
    void* stack = nullptr;      ///< lowest address of the kernel stack
    Task* parent = nullptr;
    ListNode tasks;    ///< task_list
    ListNode children; ///< head
    ListNode sibling;  ///< on parent->children
    i32 exit_code = 0;
    i32 exit_signal = 17; ///< SIGCHLD
    i32 process_group = 0;
    i32 session = 0;
    FileTable* files = nullptr;
    FileSystemContext* fs = nullptr;
    SignalHandlers* signals = nullptr;
    u64 pending_signals = 0; ///< bit n − 1 for signal n
    u64 blocked_signals = 0;
    u64 saved_blocked_signals = 0;
    bool restore_blocked = false;
    void* fpu = nullptr; ///< FXSAVE/XSAVE image; null for kernel threads
    u64 fs_base = 0;
    u64 gs_base = 0;         ///< the user's
    u64 set_child_tid = 0;   ///< CLONE_CHILD_SETTID: written by the child when it first runs
    u64 clear_child_tid = 0; ///< zeroed, and its futex woken, when the task exits
    u32 references = 2;      ///< one until it is reaped, one until it has switched away for the last time
    u64 start_time = 0;      ///< nanoseconds since boot
    u64 user_ticks = 0, system_ticks = 0;
    u64 minor_faults = 0, major_faults = 0;
    WaitQueue child_exit{"child_exit"}; ///< wait4 sleeps here
    bool* vfork_done = nullptr; ///< set, and child_exit of the parent woken, when the child execs or exits
    u32 umask = 022;
    u32 trap_number = 0; ///< last user fault, for reports
    u64 trap_address = 0;
    bool in_syscall = false;

    TrapFrame* user_frame() {
        return reinterpret_cast<TrapFrame*>(static_cast<u8*>(stack) + KernelStackSize - sizeof(TrapFrame));
    }
    bool is_kernel_thread() const { return flags & TaskKernelThread; }
    bool signal_pending() const { return thread_flags & SignalPending; }
};
static_assert(offsetof(Task, kernel_rsp) == 0);

extern Task init_task;     ///< PID 0 of the boot CPU
extern ListNode task_list; ///< Task::tasks of all tasks but the idle ones
extern SpinLock task_list_lock;
inline constexpr i32 MaxPids = 32768;

/// The task with this PID, or null. REQUIRES: task_list_lock, or interrupts off on one CPU.
Task* find_task(i32 pid);
Result<i32> allocate_pid(Task* task);
void free_pid(i32 pid);

/// R, S, D, T, Z, X, I.
char task_state_letter(const Task& task);

void initialise_tasks();
void put_task(Task* task);
void publish_child_tid();

using KernelThreadFunction = void (*)(void*);
/// A new kernel thread, already runnable. When its function returns the task becomes what execve made of it.
Result<Task*> create_kernel_thread(KernelThreadFunction function, void* argument, const char* name,
                                   u32 clone_flags = 0);
/// Asks kthreadd for a kernel thread, so that it is PID 2's child; waits until it exists.
Result<Task*> run_kernel_thread(KernelThreadFunction function, void* argument, const char* name);
void kthreadd_main(void*);

struct CloneRequest {
    u64 flags = 0;
    u64 child_stack = 0;
    u64 parent_tid = 0, child_tid = 0;
    u64 tls = 0;
    KernelThreadFunction function = nullptr;
    void* argument = nullptr;
};
/// fork, vfork and clone; returns the child, not yet runnable.
Result<Task*> copy_process(const CloneRequest& request, TrapFrame* parent_frame);
Result<i64> clone_and_run(const CloneRequest& request, TrapFrame* parent_frame);

/// Ends the calling task; `code` is as wait4 reports it.
[[noreturn]] void exit_task(i32 code);
/// The whole process: other threads are killed.
[[noreturn]] void exit_group(i32 code);
/// execve: a vfork parent may go on.
void release_vfork_parent();
Result<i64> wait_for_child(i32 pid, i32* status, u32 options);

/// Replaces the caller's program. On success the user frame holds the new entry point.
Result<void> execute_program(const char* path, const char* const* arguments, const char* const* environment);
Result<i64> execute_from_user(u64 path, u64 arguments, u64 environment);

} // namespace kernel
