// Sending signals; see signal.h. Taking them: signal_deliver.cpp. Frames on user stacks:
// arch/x86_64/signal_frame.cpp.
#include "task/signal_internal.h"

#include "arch/x86_64/user_access.h"
#include "lib/log.h"
#include "lib/string.h"
#include "mm/slab.h"
#include "sched/scheduler.h"
#include "task/task.h"
#include "time/posix-timers.h"
#include "time/timekeeping.h"

namespace kernel {
bool sig_task_ignored(const task_struct& task, int signal, bool force) {
    u64 handler = handler_of(task, signal);
    if ((task.signal->flags & SIGNAL_UNKILLABLE) && handler == SIG_DFL &&
        !(force && (sigmask(signal) & SIG_KERNEL_ONLY_MASK)))
        return true; // init gets only what it asked for
    if ((task.flags & PF_KTHREAD) && handler == SIG_DFL && !force) return true;
    return handler == SIG_IGN || (handler == SIG_DFL && (sigmask(signal) & SIG_KERNEL_IGNORE_MASK));
}
namespace {

bool sig_ignored(const task_struct& task, int signal, bool force) {
    // A blocked one stays: its handler may change until it is unblocked.
    if ((task.blocked | task.real_blocked) & sigmask(signal)) return false;
    return sig_task_ignored(task, signal, force);
}

bool sig_fatal(const task_struct& task, int signal) {
    return !(sigmask(signal) & (SIG_KERNEL_IGNORE_MASK | SIG_KERNEL_STOP_MASK)) &&
           handler_of(task, signal) == SIG_DFL;
}

} // namespace
/// What each user has queued, against RLIMIT_SIGPENDING. Users whose numbers are 256 apart share a count.
/// What the kernel itself sends is not counted, and what a user sends counts as the sender's (Linux: the
/// receiver's).
static constinit u32 queued_by_user[256];

static sigqueue* sigqueue_alloc(int signal, const kernel_siginfo* info) {
    const bool free_of_limit =
        !info || (signal < SIGRTMIN && info->si_code >= 0) || info->si_code == SI_TIMER;
    const u32 uid = get_current()->cred->uid;
    u32& count = queued_by_user[uid % 256];
    if (!free_of_limit && __atomic_add_fetch(&count, 1, __ATOMIC_RELAXED) > rlimit(RLIMIT_SIGPENDING)) {
        __atomic_sub_fetch(&count, 1, __ATOMIC_RELAXED);
        return nullptr;
    }
    auto* queued = static_cast<sigqueue*>(kmalloc(sizeof(sigqueue), GFP_ATOMIC));
    if (!queued) {
        if (!free_of_limit) __atomic_sub_fetch(&count, 1, __ATOMIC_RELAXED);
        return nullptr;
    }
    new (queued) sigqueue();
    queued->uid = uid, queued->counted = !free_of_limit;
    return queued;
}
static void sigqueue_free(sigqueue* queued) {
    if (queued->timer) return; // it belongs to that
    if (queued->counted) __atomic_sub_fetch(&queued_by_user[queued->uid % 256], 1, __ATOMIC_RELAXED);
    kfree(queued);
}

sigqueue* sigqueue_alloc_timer() {
    kernel_siginfo counted;
    counted.si_code = SI_QUEUE;
    return sigqueue_alloc(SIGRTMIN, &counted);
}
void sigqueue_free_timer(sigqueue* queued) { sigqueue_free(queued); }

void flush_sigqueue_mask(sigpending& pending, u64 mask) {
    pending.signal &= ~mask;
    for (LIST_EACH_SAFE(node, pending.list)) {
        auto* queued = container_of(node, sigqueue, list);
        if (!(sigmask(queued->info.si_signo) & mask)) continue;
        node->remove();
        sigqueue_free(queued);
    }
}
bool task_clear_jobctl_pending(task_struct* task) {
    bool pending = task->jobctl & JOBCTL_STOP_PENDING;
    task->jobctl &= ~(JOBCTL_STOP_PENDING | JOBCTL_STOP_CONSUME | JOBCTL_STOP_DEQUEUED);
    return pending;
}
bool task_set_jobctl_pending(task_struct* task, u32 mask) {
    if ((task->pending.signal & sigmask(SIGKILL)) || (task->flags & PF_EXITING)) return false;
    if (mask & JOBCTL_STOP_SIGMASK) task->jobctl &= ~JOBCTL_STOP_SIGMASK;
    task->jobctl |= mask;
    return true;
}
namespace {

/// Stop and continue signals cancel each other; a continue also wakes, whatever its handler. False: drop the
/// signal.
bool prepare_signal(int signal, task_struct* task, bool force) {
    signal_struct* shared = task->signal;
    if (shared->flags & SIGNAL_GROUP_EXIT) return signal == SIGKILL;
    if (sigmask(signal) & SIG_KERNEL_STOP_MASK) {
        flush_sigqueue_mask(shared->shared_pending, sigmask(SIGCONT));
        for (THREAD_EACH(node, shared)) flush_sigqueue_mask(thread_of(node)->pending, sigmask(SIGCONT));
    } else if (signal == SIGCONT) {
        flush_sigqueue_mask(shared->shared_pending, SIG_KERNEL_STOP_MASK);
        for (THREAD_EACH(node, shared)) {
            task_struct* thread = thread_of(node);
            flush_sigqueue_mask(thread->pending, SIG_KERNEL_STOP_MASK);
            task_clear_jobctl_pending(thread);
            try_to_wake_up(thread, __TASK_STOPPED);
        }
        // The parent hears of it from the thread that wakes, in get_signal().
        u32 why = shared->flags & SIGNAL_STOP_STOPPED ? SIGNAL_CLD_CONTINUED
                  : shared->group_stop_count          ? SIGNAL_CLD_STOPPED
                                                      : 0;
        if (why) {
            shared->flags =
                (shared->flags & ~(SIGNAL_STOP_STOPPED | SIGNAL_CLD_STOPPED)) | why | SIGNAL_STOP_CONTINUED;
            shared->group_stop_count = 0;
            shared->group_exit_code = 0;
        }
    }
    return !sig_ignored(*task, signal, force);
}

bool wants_signal(int signal, const task_struct& task) {
    if ((task.blocked & sigmask(signal)) || (task.flags & PF_EXITING)) return false;
    if (signal == SIGKILL) return true;
    if (task.__state & (__TASK_STOPPED | __TASK_TRACED)) return false;
    return task.on_cpu || !task.signal_pending();
}

/// Chooses the thread that will take it; a fatal one ends the process at once.
void complete_signal(int signal, task_struct* task, pid_type type) {
    signal_struct* shared = task->signal;
    task_struct* target = nullptr;
    if (wants_signal(signal, *task)) {
        target = task;
    } else if (type != PIDTYPE_PID) {
        for (THREAD_EACH(node, shared))
            if (wants_signal(signal, *thread_of(node))) {
                target = thread_of(node);
                break;
            }
    }
    if (!target) return; // whoever unblocks it will find it
    if (sig_fatal(*task, signal) && !(shared->flags & SIGNAL_GROUP_EXIT) &&
        (signal == SIGKILL || !((target->blocked | target->real_blocked) & sigmask(signal))) &&
        !(sigmask(signal) & SIG_KERNEL_COREDUMP_MASK)) {
        shared->flags = (shared->flags & SIGNAL_UNKILLABLE) | SIGNAL_GROUP_EXIT;
        shared->group_exit_code = signal;
        shared->group_stop_count = 0;
        for (THREAD_EACH(node, shared)) {
            task_struct* thread = thread_of(node);
            task_clear_jobctl_pending(thread);
            thread->pending.signal |= sigmask(SIGKILL);
            signal_wake_up(thread, true);
        }
        return;
    }
    signal_wake_up(target, signal == SIGKILL);
}

} // namespace
Result<void> __send_signal(int signal, const kernel_siginfo* info, task_struct* task, pid_type type,
                           bool force) {
    if (!prepare_signal(signal, task, force)) return {};
    sigpending& pending = type == PIDTYPE_PID ? task->pending : task->signal->shared_pending;
    if (signal < SIGRTMIN && (pending.signal & sigmask(signal))) return {}; // one of each is enough
    if (signal != SIGKILL && !(task->flags & PF_KTHREAD)) {
        if (sigqueue* queued = sigqueue_alloc(signal, info)) {
            if (info)
                queued->info = *info;
            else
                queued->info.si_code = SI_KERNEL;
            queued->info.si_signo = signal;
            pending.list.push_back(&queued->list);
        } else if (signal >= SIGRTMIN && info && info->si_code != SI_USER) {
            return Errno::EAGAIN; // a queued one may not be lost silently
        }
    }
    pending.signal |= sigmask(signal);
    // A fork under way: what is sent to a whole group is for the child as well.
    if (type > PIDTYPE_TGID)
        for (LIST_EACH(node, task->signal->multiprocess)) {
            u64& delayed = container_of(node, multiprocess_signals, node)->signal;
            if (signal == SIGCONT) delayed &= ~SIG_KERNEL_STOP_MASK;
            if (sigmask(signal) & SIG_KERNEL_STOP_MASK) delayed &= ~sigmask(SIGCONT);
            delayed |= sigmask(signal);
        }
    if (signalfd_wqh.has_sleepers()) signalfd_wqh.wake_all();
    complete_signal(signal, task, type);
    return {};
}
namespace {

/// REQUIRES: siglock.
bool has_pending_signals(const task_struct& task) {
    return ((task.pending.signal | task.signal->shared_pending.signal) & ~task.blocked) != 0;
}

bool recalc_sigpending_tsk(task_struct* task) {
    if (has_pending_signals(*task) || (task->jobctl & JOBCTL_STOP_PENDING)) {
        __atomic_fetch_or(&task->thread_flags, u32{_TIF_SIGPENDING}, __ATOMIC_ACQ_REL);
        return true;
    }
    return false; // the flag is cleared only by the task itself
}

int next_signal(const sigpending& pending, u64 mask) {
    u64 ready = pending.signal & mask;
    if (!ready) return 0;
    if (ready & SYNCHRONOUS_MASK) ready &= SYNCHRONOUS_MASK;
    return __builtin_ctzll(ready) + 1;
}

/// Takes the first queued one of this number; the bit stays while another is queued.
/// Of a timer's it returns the timer, with a reference, and what it was queued with.
k_itimer* collect_signal(int signal, sigpending& pending, kernel_siginfo* info, u32* sys_private) {
    sigqueue* first = nullptr;
    bool more = false;
    for (LIST_EACH(node, pending.list)) {
        auto* queued = container_of(node, sigqueue, list);
        if (queued->info.si_signo != signal) continue;
        if (first) {
            more = true;
            break;
        }
        first = queued;
    }
    if (!more) pending.signal &= ~sigmask(signal);
    if (first) {
        first->list.remove();
        *info = first->info;
        k_itimer* timer = first->timer;
        if (timer) __atomic_add_fetch(&timer->refs, 1, __ATOMIC_RELAXED);
        *sys_private = first->sys_private;
        sigqueue_free(first);
        return timer;
    }
    *info = {};
    info->si_signo = signal;
    info->si_code = SI_USER;
    return nullptr;
}

} // namespace
void retarget_shared_pending(task_struct* task, u64 which) {
    u64 shared = task->signal->shared_pending.signal & which;
    if (!shared) return;
    for (THREAD_EACH(node, task->signal)) {
        task_struct* thread = thread_of(node);
        if (thread == task || (thread->flags & PF_EXITING)) continue;
        u64 takes = shared & ~thread->blocked;
        if (!takes) continue;
        shared &= ~takes;
        if (!thread->signal_pending()) signal_wake_up(thread, false);
        if (!shared) return;
    }
}

// --- sending
// ---------------------------------------------------------------------------------------------------------------

void signal_wake_up(task_struct* task, bool fatal) {
    __atomic_fetch_or(&task->thread_flags, u32{_TIF_SIGPENDING}, __ATOMIC_ACQ_REL);
    if (!try_to_wake_up(task, TASK_INTERRUPTIBLE | (fatal ? u32{TASK_WAKEKILL} : 0))) kick_process(task);
}

Result<void> do_send_sig_info(int signal, const kernel_siginfo* info, task_struct* task, pid_type type) {
    if (task->exit_state == EXIT_DEAD || !task->sighand) return Errno::ESRCH;
    // From the kernel, and from root's kill, SIGKILL and SIGSTOP reach even kernel threads' children; never
    // init itself.
    IrqSpinGuard guard(task->sighand->siglock);
    return __send_signal(signal, info, task, type, false);
}

bool send_sigqueue(sigqueue& queued, u32 sys_private, task_struct* task, pid_type type) {
    if (!task->sighand) return true; // it ends
    IrqSpinGuard guard(task->sighand->siglock);
    int signal = queued.info.si_signo;
    if (!prepare_signal(signal, task, false)) return false;
    queued.sys_private = sys_private;
    if (queued.list.linked()) {
        queued.info.si_uid++; // si_overrun
        return true;
    }
    queued.info.si_uid = 0;
    sigpending& pending = type == PIDTYPE_PID ? task->pending : task->signal->shared_pending;
    pending.list.push_back(&queued.list);
    pending.signal |= sigmask(signal);
    if (signalfd_wqh.has_sleepers()) signalfd_wqh.wake_all();
    complete_signal(signal, task, type);
    return true;
}

void send_sig(task_struct* task, int signal) {
    IrqSpinGuard guard(tasklist_lock);
    (void)do_send_sig_info(signal, nullptr, task, PIDTYPE_TGID);
}

unsigned __kill_pgrp_info(int signal, const kernel_siginfo* info, struct pid* group) {
    unsigned count = 0;
    if (!group) return 0;
    for (PID_EACH(node, group, PIDTYPE_PGID)) {
        auto* task = container_of_offset<task_struct>(node, offsetof(task_struct, pid_links) +
                                                                PIDTYPE_PGID * sizeof(list_head));
        count++;
        if (signal) (void)do_send_sig_info(signal, info, task, PIDTYPE_PGID);
    }
    return count;
}

unsigned kill_pgrp(i32 group, int signal) {
    IrqSpinGuard guard(tasklist_lock);
    return __kill_pgrp_info(signal, nullptr, find_pid(group));
}

bool kill_ok_by_cred(const task_struct& task) {
    const struct cred &mine = *current_cred(), &other = *task.cred;
    return capable(mine) || mine.euid == other.suid || mine.euid == other.uid || mine.uid == other.suid ||
           mine.uid == other.uid;
}

namespace {

void force_sig_info_to_task(kernel_siginfo& info, bool fatal) {
    task_struct* task = get_current();
    int signal = info.si_signo;
    IrqSpinGuard guard(task->sighand->siglock);
    k_sigaction& action = task->sighand->action[signal - 1];
    bool blocked = task->blocked & sigmask(signal);
    if (fatal || blocked || action.handler == SIG_IGN) {
        action = {};
        task->blocked &= ~sigmask(signal);
        recalc_sigpending_tsk(task);
    }
    if (action.handler == SIG_DFL) task->signal->flags &= ~SIGNAL_UNKILLABLE; // its own fault ends even init
    (void)__send_signal(signal, &info, task, PIDTYPE_PID, true);
}

} // namespace

void force_sig_fault(int signal, i32 code, u64 address) {
    kernel_siginfo info;
    info.si_signo = signal;
    info.si_code = code;
    info.si_addr = address;
    get_current()->cr2 = address;
    force_sig_info_to_task(info, false);
}

void force_sig(task_struct*, int signal, u64 address) {
    force_sig_fault(signal,
                    signal == SIGSEGV   ? SEGV_MAPERR
                    : signal == SIGBUS  ? BUS_ADRERR
                    : signal == SIGFPE  ? FPE_INTDIV
                    : signal == SIGILL  ? ILL_ILLOPN
                    : signal == SIGTRAP ? SI_KERNEL
                                        : SI_KERNEL,
                    address);
}

void force_fatal_sig(int signal) {
    kernel_siginfo info;
    info.si_signo = signal;
    info.si_code = SI_KERNEL;
    force_sig_info_to_task(info, true);
}

// --- masks
// -----------------------------------------------------------------------------------------------------------------

void recalc_sigpending() {
    task_struct* task = get_current();
    if (!recalc_sigpending_tsk(task))
        __atomic_fetch_and(&task->thread_flags, ~u32{_TIF_SIGPENDING}, __ATOMIC_ACQ_REL);
}

void set_current_blocked(u64 mask) {
    task_struct* task = get_current();
    mask &= ~SIG_KERNEL_ONLY_MASK;
    IrqSpinGuard guard(task->sighand->siglock);
    // What this thread blocks from now on, another may take.
    if (task->signal_pending() && !thread_group_empty(*task))
        retarget_shared_pending(task, mask & ~task->blocked);
    task->blocked = mask;
    recalc_sigpending();
}

void set_restore_sigmask(u64 old_mask) {
    get_current()->saved_sigmask = old_mask;
    get_current()->restore_sigmask = true;
}

int dequeue_signal(task_struct* task, u64 mask, kernel_siginfo* info) {
    sigpending* from = &task->pending;
    int signal = next_signal(*from, mask);
    if (!signal) signal = next_signal(*(from = &task->signal->shared_pending), mask);
    u32 sys_private = 0;
    k_itimer* timer = signal ? collect_signal(signal, *from, info, &sys_private) : nullptr;
    if (signal == SIGALRM) rearm_real_timer(*task->signal);
    recalc_sigpending();
    // The lock may be dropped before the stop is done: it counts only while this bit is there.
    if (signal && (sigmask(signal) & SIG_KERNEL_STOP_MASK)) task->jobctl |= JOBCTL_STOP_DEQUEUED;
    if (timer) { // its lock comes before ours; interrupts stay off
        spinlock_t& siglock = task->sighand->siglock;
        siglock.unlock_raw();
        posixtimer_rearm(timer, sys_private, *info);
        siglock.lock_raw();
    }
    return signal;
}

unsigned zap_other_threads(task_struct* task) {
    unsigned count = 0;
    task->signal->group_stop_count = 0;
    for (THREAD_EACH(node, task->signal)) {
        task_struct* thread = thread_of(node);
        if (thread == task) continue;
        task_clear_jobctl_pending(thread);
        count++;
        if (thread->exit_state) continue;
        thread->pending.signal |= sigmask(SIGKILL);
        signal_wake_up(thread, true);
    }
    return count;
}

} // namespace kernel
