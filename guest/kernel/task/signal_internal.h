// What signal.cpp (sending), signal_structures.cpp (what processes share) and signal_deliver.cpp (taking,
// stopping, telling the parent) know of each other. REQUIRES everywhere: siglock.
#pragma once

#include "task/signal.h"
#include "task/task.h"

namespace kernel {

inline constexpr u64 SIG_KERNEL_ONLY_MASK = sigmask(SIGKILL) | sigmask(SIGSTOP);
inline constexpr u64 SIG_KERNEL_STOP_MASK =
    sigmask(SIGSTOP) | sigmask(SIGTSTP) | sigmask(SIGTTIN) | sigmask(SIGTTOU);
inline constexpr u64 SIG_KERNEL_IGNORE_MASK =
    sigmask(SIGCONT) | sigmask(SIGCHLD) | sigmask(SIGWINCH) | sigmask(SIGURG);
inline constexpr u64 SIG_KERNEL_COREDUMP_MASK =
    sigmask(SIGQUIT) | sigmask(SIGILL) | sigmask(SIGTRAP) | sigmask(SIGABRT) | sigmask(SIGFPE) |
    sigmask(SIGSEGV) | sigmask(SIGBUS) | sigmask(SIGSYS) | sigmask(SIGXCPU) | sigmask(SIGXFSZ);
inline constexpr u64 SYNCHRONOUS_MASK = sigmask(SIGSEGV) | sigmask(SIGBUS) | sigmask(SIGILL) |
                                        sigmask(SIGTRAP) | sigmask(SIGFPE) | sigmask(SIGSYS);

inline u64 handler_of(const task_struct& task, int signal) {
    return task.sighand->action[signal - 1].handler;
}
/// Who waits on a signalfd (fs/signalfd.cpp).
extern wait_queue_head signalfd_wqh;
/// Nobody would notice it.
bool sig_task_ignored(const task_struct& task, int signal, bool force);
void flush_sigqueue_mask(sigpending& pending, u64 mask);
bool task_clear_jobctl_pending(task_struct* task);
/// False when it will not come to that: it is being killed, or exits.
bool task_set_jobctl_pending(task_struct* task, u32 mask);
/// What the others of the process can take of these pending signals.
void retarget_shared_pending(task_struct* task, u64 which);
Result<void> __send_signal(int signal, const kernel_siginfo* info, task_struct* task, pid_type type,
                           bool force);

} // namespace kernel
