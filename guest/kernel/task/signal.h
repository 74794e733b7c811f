// Signals: what is pending for a thread or its process, who handles it, and how processes stop, go on and end
// together.
//
// signal_struct is what the threads of a process share: its pending signals, its stop and exit state, its
// limits, its place in groups and sessions. sighand_struct holds the handlers, shared by whoever was cloned
// with CLONE_SIGHAND.
//
// Invariants (under sighand->siglock, which interrupt handlers may take): a bit of sigpending.signal is set
// exactly while a sigqueue of that number is on the list, or the number came without one (memory ran out,
// SIGKILL). _TIF_SIGPENDING is set whenever the thread has something to do; it may be set in vain. Lock
// order: tasklist_lock, siglock, pi_lock.
#pragma once

#include "arch/x86_64/trap_frame.h"
#include "lib/list.h"
#include "lib/result.h"
#include "sync/wait_queue.h"
#include "task/pid.h"
#include "time/itimer.h"
#include "time/tick.h"

namespace kernel {

struct task_struct;

enum SignalNumber : int {
    SIGHUP = 1,
    SIGINT,
    SIGQUIT,
    SIGILL,
    SIGTRAP,
    SIGABRT,
    SIGBUS,
    SIGFPE,
    SIGKILL,
    SIGUSR1,
    SIGSEGV,
    SIGUSR2,
    SIGPIPE,
    SIGALRM,
    SIGTERM,
    SIGSTKFLT,
    SIGCHLD,
    SIGCONT,
    SIGSTOP,
    SIGTSTP,
    SIGTTIN,
    SIGTTOU,
    SIGURG,
    SIGXCPU,
    SIGXFSZ,
    SIGVTALRM,
    SIGPROF,
    SIGWINCH,
    SIGIO,
    SIGPWR,
    SIGSYS,
    SIGRTMIN = 32,
    SignalCount = 64
};

inline constexpr u64 SA_NOCLDSTOP = 1, SA_NOCLDWAIT = 2, SA_SIGINFO = 4, SA_RESTORER = 0x04000000,
                     SA_ONSTACK = 0x08000000, SA_RESTART = 0x10000000, SA_NODEFER = 0x40000000,
                     SA_RESETHAND = 0x80000000;
inline constexpr u64 SIG_DFL = 0, SIG_IGN = 1;
constexpr u64 sigmask(int signal) { return u64{1} << (signal - 1); }

/// The kernel's struct sigaction as user space passes it.
struct k_sigaction {
    u64 handler = 0;
    u64 flags = 0;
    u64 restorer = 0;
    u64 mask = 0;
};
static_assert(sizeof(k_sigaction) == 32);

/// siginfo_t as user space sees it; which of the overlaid fields count follows from number and code
/// (sigaction(2)).
struct kernel_siginfo {
    i32 si_signo = 0, si_errno = 0, si_code = 0, pad = 0;
    union {
        struct {
            i32 si_pid;
            u32 si_uid;
            union {
                u64 si_value;  ///< rt_sigqueueinfo
                i32 si_status; ///< SIGCHLD
            };
            i64 si_utime, si_stime;
        };
        u64 si_addr; ///< faults
    };
    u8 rest[80] = {};

    constexpr kernel_siginfo() : si_pid(0), si_uid(0), si_value(0), si_utime(0), si_stime(0) {}
};
static_assert(sizeof(kernel_siginfo) == 128 && offsetof(kernel_siginfo, si_pid) == 16 &&
              offsetof(kernel_siginfo, si_value) == 24 && offsetof(kernel_siginfo, si_utime) == 32);
inline constexpr i32 SI_USER = 0, SI_KERNEL = 0x80, SI_QUEUE = -1, SI_TKILL = -6, SI_TIMER = -2;
inline constexpr i32 CLD_EXITED = 1, CLD_KILLED = 2, CLD_DUMPED = 3, CLD_STOPPED = 5, CLD_CONTINUED = 6;
inline constexpr i32 SEGV_MAPERR = 1, SEGV_ACCERR = 2, BUS_ADRALN = 1, BUS_ADRERR = 2, FPE_INTDIV = 1,
                     ILL_ILLOPN = 2, TRAP_BRKPT = 1, TRAP_TRACE = 2;

struct sigqueue {
    list_head list;
    kernel_siginfo info;
    u32 uid = 0; ///< whose limit it counts against, if it does
    bool counted = false;
    struct k_itimer* timer = nullptr; ///< whose one signal this is: it is not freed when it is taken
    u32 sys_private = 0;              ///< the timer's requeue_pending as it was queued
};
struct sigpending {
    list_head list; ///< initialised by init_sigpending
    u64 signal = 0; ///< bit n − 1 for signal n
};
/// A timer's: counts against the caller's limit. Null when that is reached, or there is no memory.
sigqueue* sigqueue_alloc_timer();
void sigqueue_free_timer(sigqueue* queued);
void init_sigpending(sigpending& pending);
void flush_sigqueue(sigpending& pending);

struct sighand_struct {
    u32 count = 1;
    k_sigaction action[SignalCount];
    spinlock_t siglock{"sighand->siglock"};
};

/// RLIMIT_*: their numbers.
enum Rlimit : u8 {
    RLIMIT_CPU,
    RLIMIT_FSIZE,
    RLIMIT_DATA,
    RLIMIT_STACK,
    RLIMIT_CORE,
    RLIMIT_RSS,
    RLIMIT_NPROC,
    RLIMIT_NOFILE,
    RLIMIT_MEMLOCK,
    RLIMIT_AS,
    RLIMIT_LOCKS,
    RLIMIT_SIGPENDING,
    RLIMIT_MSGQUEUE,
    RLIMIT_NICE,
    RLIMIT_RTPRIO,
    RLIMIT_RTTIME,
    RLIM_NLIMITS
};
inline constexpr u64 RLIM_INFINITY = ~u64{0};
struct rlimit {
    u64 rlim_cur, rlim_max;
};
/// The soft limit of the calling process.
u64 rlimit(Rlimit resource);

inline constexpr u32 SIGNAL_STOP_STOPPED = 1, SIGNAL_STOP_CONTINUED = 2, SIGNAL_GROUP_EXIT = 4,
                     SIGNAL_CLD_STOPPED = 0x10, SIGNAL_CLD_CONTINUED = 0x20, SIGNAL_UNKILLABLE = 0x40;

struct task_times {
    u64 utime = 0, stime = 0, min_flt = 0, maj_flt = 0, nvcsw = 0, nivcsw = 0;
    u64 runtime = 0; ///< ns on a CPU
};

/// /proc/PID/io. A thread changes its own; the process's are those of ended threads.
struct task_io_accounting {
    u64 rchar = 0, wchar = 0, syscr = 0, syscw = 0; ///< calls, whatever they read: pipes and terminals too
    u64 read_bytes = 0;                             ///< asked of disks
    u64 write_bytes = 0,
        cancelled_write_bytes = 0; ///< pages that became dirty; that went before they were written
    void count_read(Result<usize> moved) {
        syscr++;
        if (moved.ok()) rchar += moved.value();
    }
    void count_written(Result<usize> moved) {
        syscw++;
        if (moved.ok()) wchar += moved.value();
    }
    void add(const task_io_accounting& other) {
        rchar += other.rchar, wchar += other.wchar, syscr += other.syscr, syscw += other.syscw;
        read_bytes += other.read_bytes, write_bytes += other.write_bytes;
        cancelled_write_bytes += other.cancelled_write_bytes;
    }
};

/// A fork that is under way, and what was sent meanwhile to the groups that the child will be in.
struct multiprocess_signals {
    list_head node; ///< signal_struct::multiprocess
    u64 signal = 0;
};

struct signal_struct {
    u32 sigcnt = 1;        ///< references
    u32 live = 1;          ///< threads that have not begun to exit
    u32 nr_threads = 1;    ///< under tasklist_lock and siglock
    list_head thread_head; ///< task_struct::thread_node
    wait_queue_head wait_chldexit{"wait_chldexit"};
    task_struct* curr_target = nullptr; ///< where process signals go next
    sigpending shared_pending;
    list_head multiprocess; ///< multiprocess_signals
    i32 group_exit_code = 0;
    u32 flags = 0;
    task_struct* group_exec_task = nullptr; ///< waits in de_thread until notify_count is 0
    i32 notify_count = 0;
    u32 group_stop_count = 0; ///< threads that have not stopped yet
    bool is_child_subreaper = false, leader = false;
    struct tty_struct* tty = nullptr; ///< the controlling terminal, under tasklist_lock
    i32 tty_old_pgrp = 0;             ///< of a leader whose terminal hung up: its foreground group
    struct pid* pids[PIDTYPE_MAX] = {};
    struct rlimit rlim[RLIM_NLIMITS] = {};
    task_times exited;      ///< threads of this process that ended
    task_times children;    ///< processes that were waited for, with theirs
    hrtimer real_timer;     ///< ITIMER_REAL, alarm(2)
    cpu_itimer it[2];       ///< ITIMER_VIRTUAL, ITIMER_PROF
    list_head posix_timers; ///< k_itimer, under siglock
    i32 posix_timer_id = 0; ///< of the next
    task_io_accounting ioac;
    u64 cpu_ticks = 0;        ///< that its threads were found running: RLIMIT_CPU
    u64 user_ticks = 0;       ///< of these, those in user mode
    ktime_t it_real_incr = 0; ///< under siglock
};

sighand_struct* alloc_sighand();
sighand_struct* copy_sighand(sighand_struct& from);
void __cleanup_sighand(sighand_struct* handlers);
signal_struct* alloc_signal(const signal_struct* parent);
void put_signal_struct(signal_struct* signal);
/// execve: handlers become default, ignored stays ignored.
void flush_signal_handlers(sighand_struct& handlers);
/// rt_sigaction.
Result<void> do_sigaction(int signal, const k_sigaction* fresh, k_sigaction* old);

/// Sends to the thread (PIDTYPE_PID) or its process. REQUIRES: tasklist_lock, or the task cannot end.
Result<void> do_send_sig_info(int signal, const kernel_siginfo* info, task_struct* task, pid_type type);
/// Queues a timer's signal, or counts one more if it is queued. False: the task ignores it. REQUIRES:
/// tasklist_lock.
bool send_sigqueue(sigqueue& queued, u32 sys_private, task_struct* task, pid_type type);
/// From the kernel, to the process.
void send_sig(task_struct* task, int signal);
unsigned kill_pgrp(i32 group, int signal);
/// REQUIRES: tasklist_lock.
unsigned __kill_pgrp_info(int signal, const kernel_siginfo* info, struct pid* group);
/// kill(2)'s permission.
bool kill_ok_by_cred(const task_struct& task);
/// A fault's signal cannot be blocked or ignored.
void force_sig(task_struct* task, int signal, u64 address);
void force_sig_fault(int signal, i32 code, u64 address);
void force_fatal_sig(int signal);

void recalc_sigpending();
void set_current_blocked(u64 mask);
/// Restores the mask of before sigsuspend, ppoll and the like when no handler runs.
void set_restore_sigmask(u64 old_mask);
/// Takes one pending signal of `mask`; 0 when there is none. REQUIRES: siglock.
int dequeue_signal(task_struct* task, u64 mask, kernel_siginfo* info);
/// REQUIRES: siglock. Wakes the thread to look at its signals; `fatal`: out of killable sleeps and stops too.
void signal_wake_up(task_struct* task, bool fatal);
/// All other threads get SIGKILL. REQUIRES: siglock.
unsigned zap_other_threads(task_struct* task);

/// The next signal to be handled by a handler; false when there is none. Stops and ends inside.
struct ksignal {
    k_sigaction ka;
    kernel_siginfo info;
    int sig = 0;
};
bool get_signal(ksignal& ksig);
/// On the way to user mode (arch/x86_64/signal_frame.cpp).
void do_signal(pt_regs* frame);
Result<i64> return_from_signal(pt_regs* frame);

/// SIGCHLD and a wake-up for the parent; true when the child need not stay as a zombie. REQUIRES:
/// tasklist_lock.
bool do_notify_parent(task_struct* task, int signal);
/// `status`: the signal that stopped it.
void do_notify_parent_cldstop(task_struct* task, i32 why, i32 status);
/// A new thread of a process that is stopping or stopped does not run on. REQUIRES: siglock.
void task_join_group_stop(task_struct* task);
/// A thread that exits hands its process's signals on.
void exit_signals(task_struct* task);

} // namespace kernel
