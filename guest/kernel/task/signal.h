// Signals: sending, default actions, handlers on the user stack (the frame is Linux's rt_sigframe),
// rt_sigreturn.
//
// A signal is pending in the task and acted upon on its way back to user mode (deliver_signals).
#pragma once

#include "arch/x86_64/trap_frame.h"
#include "lib/result.h"
#include "sync/spinlock.h"

namespace kernel {

struct Task;

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
struct SignalAction {
    u64 handler = 0; ///< 0 default, 1 ignore
    u64 flags = 0;
    u64 restorer = 0;
    u64 mask = 0;
};
static_assert(sizeof(SignalAction) == 32);

struct SignalHandlers {
    u32 references = 1;
    SignalAction actions[SignalCount];
    SpinLock lock{"sighand"};
};

SignalHandlers* new_signal_handlers();
SignalHandlers* copy_signal_handlers(SignalHandlers& from);
void put_signal_handlers(SignalHandlers* handlers);
/// execve: handlers become default, ignored stays ignored.
void reset_signal_handlers(SignalHandlers& handlers);

/// Makes it pending and wakes the task; false when the task ignores it.
bool send_signal(Task* task, int signal);
/// To every task of a process group.
unsigned signal_process_group(i32 group, int signal);
/// A fault's signal cannot be blocked or ignored.
void force_signal(Task* task, int signal, u64 address);
void deliver_signals(TrapFrame* frame);
/// Recomputes SignalPending after the mask changed.
void recompute_pending(Task* task);
Result<i64> return_from_signal(TrapFrame* frame);

} // namespace kernel
