// Signals: sending, default actions, handlers on the user stack (the frame is Linux's rt_sigframe),
// rt_sigreturn.
//
// A signal is pending in the task and acted upon on its way back to user mode (do_signal).
#pragma once

#include "arch/x86_64/trap_frame.h"
#include "lib/result.h"
#include "sync/spinlock.h"

namespace kernel {

struct task_struct;

enum : int {
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
    SignalCount = 64
};

inline constexpr u64 SA_RESTORER = 0x04000000, SA_RESTART = 0x10000000, SA_NODEFER = 0x40000000,
                     SA_RESETHAND = 0x80000000, SA_SIGINFO = 4, SA_NOCLDWAIT = 2;

/// The kernel's struct sigaction as user space passes it.
struct k_sigaction {
    u64 handler = 0; ///< 0 default, 1 ignore
    u64 flags = 0;
    u64 restorer = 0;
    u64 mask = 0;
};
static_assert(sizeof(k_sigaction) == 32);

struct sighand_struct {
    u32 count = 1;
    k_sigaction action[SignalCount];
    spinlock_t siglock{"sighand"};
};

sighand_struct* alloc_sighand();
sighand_struct* copy_sighand(sighand_struct& from);
void __cleanup_sighand(sighand_struct* handlers);
/// execve: handlers become default, ignored stays ignored.
void flush_signal_handlers(sighand_struct& handlers);

/// Makes it pending and wakes the task; false when the task ignores it.
bool send_sig(task_struct* task, int signal);
/// To every task of a process group.
unsigned kill_pgrp(i32 group, int signal);
/// A fault's signal cannot be blocked or ignored.
void force_sig(task_struct* task, int signal, u64 address);
void do_signal(pt_regs* frame);
/// Recomputes _TIF_SIGPENDING after the mask changed.
void recalc_sigpending(task_struct* task);
Result<i64> return_from_signal(pt_regs* frame);

} // namespace kernel
