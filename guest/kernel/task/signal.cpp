// Sending and taking signals; see signal.h. Frames on user stacks: arch/x86_64/signal_frame.cpp.
#include "task/signal.h"

#include "arch/x86_64/user_access.h"
#include "lib/log.h"
#include "lib/string.h"
#include "mm/slab.h"
#include "sched/scheduler.h"
#include "task/task.h"
#include "time/timekeeping.h"

namespace kernel {
namespace {

constexpr u64 SIG_KERNEL_ONLY_MASK = sigmask(SIGKILL) | sigmask(SIGSTOP);
constexpr u64 SIG_KERNEL_STOP_MASK =
    sigmask(SIGSTOP) | sigmask(SIGTSTP) | sigmask(SIGTTIN) | sigmask(SIGTTOU);
constexpr u64 SIG_KERNEL_IGNORE_MASK =
    sigmask(SIGCONT) | sigmask(SIGCHLD) | sigmask(SIGWINCH) | sigmask(SIGURG);
constexpr u64 SIG_KERNEL_COREDUMP_MASK =
    sigmask(SIGQUIT) | sigmask(SIGILL) | sigmask(SIGTRAP) | sigmask(SIGABRT) | sigmask(SIGFPE) |
    sigmask(SIGSEGV) | sigmask(SIGBUS) | sigmask(SIGSYS) | sigmask(SIGXCPU) | sigmask(SIGXFSZ);
constexpr u64 SYNCHRONOUS_MASK = sigmask(SIGSEGV) | sigmask(SIGBUS) | sigmask(SIGILL) | sigmask(SIGTRAP) |
                                 sigmask(SIGFPE) | sigmask(SIGSYS);

u64 handler_of(const task_struct& task, int signal) { return task.sighand->action[signal - 1].handler; }

/// Nobody would notice it.
bool sig_task_ignored(const task_struct& task, int signal, bool force) {
    u64 handler = handler_of(task, signal);
    if ((task.signal->flags & SIGNAL_UNKILLABLE) && handler == SIG_DFL &&
        !(force && (sigmask(signal) & SIG_KERNEL_ONLY_MASK)))
        return true; // init gets only what it asked for
    if ((task.flags & PF_KTHREAD) && handler == SIG_DFL && !force) return true;
    return handler == SIG_IGN || (handler == SIG_DFL && (sigmask(signal) & SIG_KERNEL_IGNORE_MASK));
}

bool sig_ignored(const task_struct& task, int signal, bool force) {
    // A blocked one stays: its handler may change until it is unblocked.
    if ((task.blocked | task.real_blocked) & sigmask(signal)) return false;
    return sig_task_ignored(task, signal, force);
}

bool sig_fatal(const task_struct& task, int signal) {
    return !(sigmask(signal) & (SIG_KERNEL_IGNORE_MASK | SIG_KERNEL_STOP_MASK)) &&
           handler_of(task, signal) == SIG_DFL;
}

void flush_sigqueue_mask(sigpending& pending, u64 mask) {
    pending.signal &= ~mask;
    for (LIST_EACH_SAFE(node, pending.list)) {
        auto* queued = container_of(node, sigqueue, list);
        if (!(sigmask(queued->info.si_signo) & mask)) continue;
        node->remove();
        kfree(queued);
    }
}

bool task_clear_jobctl_pending(task_struct* task) {
    bool pending = task->jobctl & JOBCTL_STOP_PENDING;
    task->jobctl &= ~(JOBCTL_STOP_PENDING | JOBCTL_STOP_CONSUME);
    return pending;
}

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

/// REQUIRES: siglock.
Result<void> __send_signal(int signal, const kernel_siginfo* info, task_struct* task, pid_type type,
                           bool force) {
    if (!prepare_signal(signal, task, force)) return {};
    sigpending& pending = type == PIDTYPE_PID ? task->pending : task->signal->shared_pending;
    if (signal < SIGRTMIN && (pending.signal & sigmask(signal))) return {}; // one of each is enough
    if (signal != SIGKILL && !(task->flags & PF_KTHREAD)) {
        auto* queued = static_cast<sigqueue*>(kmalloc(sizeof(sigqueue), GFP_ATOMIC));
        if (queued) {
            new (queued) sigqueue();
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
    complete_signal(signal, task, type);
    return {};
}

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
void collect_signal(int signal, sigpending& pending, kernel_siginfo* info) {
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
        kfree(first);
    } else {
        *info = {};
        info->si_signo = signal;
        info->si_code = SI_USER;
    }
}

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

} // namespace

// --- structures
// ------------------------------------------------------------------------------------------------------------

void init_sigpending(sigpending& pending) {
    pending.signal = 0;
    pending.list.initialise();
}
void flush_sigqueue(sigpending& pending) {
    if (pending.list.next) flush_sigqueue_mask(pending, ~u64{0});
}

sighand_struct* alloc_sighand() { return make<sighand_struct>(); }
sighand_struct* copy_sighand(sighand_struct& from) {
    sighand_struct* copy = alloc_sighand();
    if (!copy) return nullptr;
    IrqSpinGuard guard(from.siglock);
    memcpy(copy->action, from.action, sizeof copy->action);
    return copy;
}
void __cleanup_sighand(sighand_struct* handlers) {
    if (handlers && __atomic_sub_fetch(&handlers->count, 1, __ATOMIC_ACQ_REL) == 0) destroy(handlers);
}

namespace {
/// ITIMER_REAL has run out, in the TIMER softirq: the process lives, it deletes the timer before it ends.
void it_real_fn(void* context) {
    auto* shared = static_cast<signal_struct*>(context);
    IrqSpinGuard guard(tasklist_lock);
    if (list_head* node = shared->thread_head.front()) {
        (void)do_send_sig_info(SIGALRM, nullptr, thread_of(node), PIDTYPE_TGID);
        if (shared->it_real_incr) mod_timer(shared->real_timer, jiffies + shared->it_real_incr);
    }
}
} // namespace

signal_struct* alloc_signal(const signal_struct* parent) {
    auto* shared = make<signal_struct>();
    if (!shared) return nullptr;
    shared->thread_head.initialise();
    init_sigpending(shared->shared_pending);
    shared->real_timer.function = it_real_fn;
    shared->real_timer.context = shared;
    if (parent) {
        memcpy(shared->rlim, parent->rlim, sizeof shared->rlim);
        return shared;
    }
    for (struct rlimit& limit : shared->rlim) limit = {RLIM_INFINITY, RLIM_INFINITY};
    shared->rlim[RLIMIT_STACK].rlim_cur = 8 * MiB;
    shared->rlim[RLIMIT_CORE].rlim_cur = 0;
    shared->rlim[RLIMIT_NPROC] = {max_threads / 2, max_threads / 2};
    shared->rlim[RLIMIT_NOFILE] = {1024, 4096};
    shared->rlim[RLIMIT_MEMLOCK] = {8 * MiB, 8 * MiB};
    shared->rlim[RLIMIT_SIGPENDING] = {max_threads / 2, max_threads / 2};
    shared->rlim[RLIMIT_MSGQUEUE] = {819200, 819200};
    shared->rlim[RLIMIT_NICE] = shared->rlim[RLIMIT_RTPRIO] = {0, 0};
    return shared;
}

void put_signal_struct(signal_struct* shared) {
    if (!shared || __atomic_sub_fetch(&shared->sigcnt, 1, __ATOMIC_ACQ_REL)) return;
    del_timer_sync(shared->real_timer);
    flush_sigqueue(shared->shared_pending);
    destroy(shared);
}

u64 rlimit(Rlimit resource) {
    return __atomic_load_n(&get_current()->signal->rlim[resource].rlim_cur, __ATOMIC_RELAXED);
}

void flush_signal_handlers(sighand_struct& handlers) {
    for (k_sigaction& action : handlers.action)
        action = {.handler = action.handler == SIG_IGN ? SIG_IGN : SIG_DFL};
}

Result<void> do_sigaction(int signal, const k_sigaction* fresh, k_sigaction* old) {
    task_struct* task = get_current();
    if (signal < 1 || signal > SignalCount || (fresh && (sigmask(signal) & SIG_KERNEL_ONLY_MASK)))
        return Errno::EINVAL;
    IrqSpinGuard guard(task->sighand->siglock);
    k_sigaction& action = task->sighand->action[signal - 1];
    if (old) *old = action;
    if (!fresh) return {};
    action = *fresh;
    action.mask &= ~SIG_KERNEL_ONLY_MASK;
    if (sig_task_ignored(*task, signal, false)) { // POSIX: pending ones are discarded, blocked or not
        flush_sigqueue_mask(task->signal->shared_pending, sigmask(signal));
        for (THREAD_EACH(node, task->signal)) flush_sigqueue_mask(thread_of(node)->pending, sigmask(signal));
    }
    return {};
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
    if (signal) collect_signal(signal, *from, info);
    recalc_sigpending();
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

// --- stopping
// --------------------------------------------------------------------------------------------------------------

void do_notify_parent_cldstop(task_struct* task, i32 why, i32 status) {
    task_struct* leader = task->group_leader;
    task_struct* parent = leader->real_parent;
    kernel_siginfo info;
    info.si_signo = SIGCHLD;
    info.si_code = why;
    info.si_pid = leader->pid;
    info.si_uid = leader->cred->uid;
    info.si_status = why == CLD_CONTINUED ? SIGCONT : status & 0x7f;
    {
        IrqSpinGuard guard(parent->sighand->siglock, 1);
        const k_sigaction& action = parent->sighand->action[SIGCHLD - 1];
        if (action.handler != SIG_IGN && !(action.flags & SA_NOCLDSTOP))
            (void)__send_signal(SIGCHLD, &info, parent, PIDTYPE_TGID, false);
    }
    parent->signal->wait_chldexit.wake_all();
}

namespace {

/// The last thread to take part completes the stop. REQUIRES: siglock.
bool task_participate_group_stop(task_struct* task) {
    signal_struct* shared = task->signal;
    bool consume = task->jobctl & JOBCTL_STOP_CONSUME;
    task_clear_jobctl_pending(task);
    if (!consume) return false;
    if (shared->group_stop_count) shared->group_stop_count--;
    if (shared->group_stop_count || (shared->flags & SIGNAL_STOP_STOPPED)) return false;
    shared->flags = (shared->flags & ~(SIGNAL_STOP_CONTINUED | SIGNAL_CLD_CONTINUED | SIGNAL_CLD_STOPPED)) |
                    SIGNAL_STOP_STOPPED;
    return true;
}

/// REQUIRES: siglock on entry; released when true (the task stopped and goes on).
bool do_signal_stop(task_struct* task, int signal, spinlock_t& lock) {
    signal_struct* shared = task->signal;
    if (!(task->jobctl & JOBCTL_STOP_PENDING)) {
        if (shared->flags & SIGNAL_GROUP_EXIT) return false;
        if (!(shared->flags & SIGNAL_STOP_STOPPED)) shared->group_exit_code = signal;
        shared->group_stop_count = 0;
        for (THREAD_EACH(node, shared)) {
            task_struct* thread = thread_of(node);
            if ((thread->flags & PF_EXITING) || (thread->__state & __TASK_STOPPED)) continue;
            thread->jobctl = (thread->jobctl & ~JOBCTL_STOP_SIGMASK) | static_cast<u32>(signal) |
                             JOBCTL_STOP_PENDING | JOBCTL_STOP_CONSUME;
            shared->group_stop_count++;
            if (thread != task) signal_wake_up(thread, false);
        }
    }
    bool notify = task_participate_group_stop(task);
    i32 status = shared->group_exit_code; // a waiter that collects it before the notice clears it
    set_current_state(TASK_STOPPED);
    lock.unlock_raw();
    local_irq_enable();
    preempt_enable_no_resched();
    if (notify) {
        IrqSpinGuard guard(tasklist_lock);
        do_notify_parent_cldstop(task, CLD_STOPPED, status);
    }
    schedule();
    return true;
}

} // namespace

// --- taking
// ----------------------------------------------------------------------------------------------------------------

bool get_signal(ksignal& ksig) {
    task_struct* task = get_current();
    sighand_struct* sighand = task->sighand;
    signal_struct* shared = task->signal;
    for (;;) {
        local_irq_disable();
        preempt_disable();
        sighand->siglock.lock_raw();
        auto release = [&] {
            sighand->siglock.unlock_raw();
            local_irq_enable();
            preempt_enable();
        };
        // The first thread that runs after a SIGCONT tells the parent.
        if (shared->flags & (SIGNAL_CLD_STOPPED | SIGNAL_CLD_CONTINUED)) {
            i32 why = shared->flags & SIGNAL_CLD_CONTINUED ? CLD_CONTINUED : CLD_STOPPED;
            shared->flags &= ~(SIGNAL_CLD_STOPPED | SIGNAL_CLD_CONTINUED);
            i32 status = shared->group_exit_code;
            release();
            IrqSpinGuard guard(tasklist_lock);
            do_notify_parent_cldstop(task, why, status);
            continue;
        }
        if ((shared->flags & SIGNAL_GROUP_EXIT) || shared->group_exec_task) {
            if (shared->group_exec_task != task || (shared->flags & SIGNAL_GROUP_EXIT)) {
                ksig.info = {};
                task->pending.signal &= ~sigmask(SIGKILL);
                recalc_sigpending();
                i32 code = shared->group_exit_code;
                release();
                do_group_exit(shared->flags & SIGNAL_GROUP_EXIT ? code : SIGKILL);
            }
        }
        if (task->jobctl & JOBCTL_STOP_PENDING) {
            if (do_signal_stop(task, 0, sighand->siglock)) continue;
        }
        int signal = dequeue_signal(task, ~task->blocked, &ksig.info);
        if (!signal) {
            release();
            return false;
        }
        k_sigaction& action = sighand->action[signal - 1];
        if (action.handler == SIG_IGN) {
            release();
            continue;
        }
        if (action.handler != SIG_DFL) {
            ksig.ka = action;
            ksig.sig = signal;
            if (action.flags & SA_RESETHAND) action.handler = SIG_DFL;
            release();
            return true;
        }
        if ((sigmask(signal) & SIG_KERNEL_IGNORE_MASK) ||
            ((shared->flags & SIGNAL_UNKILLABLE) && !(sigmask(signal) & SIG_KERNEL_ONLY_MASK))) {
            release();
            continue;
        }
        if (sigmask(signal) & SIG_KERNEL_STOP_MASK) {
            bool orphaned = false;
            if (signal != SIGSTOP) { // a group whose shell is gone would never be continued
                release();
                {
                    IrqSpinGuard guard(tasklist_lock);
                    orphaned = is_current_pgrp_orphaned();
                }
                if (orphaned) continue;
                local_irq_disable();
                preempt_disable();
                sighand->siglock.lock_raw();
            }
            if (!do_signal_stop(task, signal, sighand->siglock)) release();
            continue;
        }
        release();
        task->flags |= PF_SIGNALED;
        do_group_exit(signal); // core dumps do not exist: bit 7 stays clear
    }
}

void exit_signals(task_struct* task) {
    bool stopped = false;
    i32 status = 0;
    {
        IrqSpinGuard guard(task->sighand->siglock);
        task->flags |= PF_EXITING;
        if (!thread_group_empty(*task) && !(task->signal->flags & SIGNAL_GROUP_EXIT)) {
            retarget_shared_pending(task, ~task->blocked);
            stopped = (task->jobctl & JOBCTL_STOP_PENDING) && task_participate_group_stop(task);
            status = task->signal->group_exit_code;
        }
    }
    if (stopped) {
        IrqSpinGuard guard(tasklist_lock);
        do_notify_parent_cldstop(task, CLD_STOPPED, status);
    }
}

bool do_notify_parent(task_struct* task, int signal) {
    task_struct* parent = task->parent;
    kernel_siginfo info;
    info.si_signo = signal;
    info.si_pid = task->pid;
    info.si_uid = task->cred->uid;
    task_times times = thread_group_times(task);
    info.si_utime = static_cast<i64>(times.utime * 100 / HZ);
    info.si_stime = static_cast<i64>(times.stime * 100 / HZ);
    info.si_status = task->exit_code & 0x7f;
    if (task->exit_code & 0x7f) {
        info.si_code = task->exit_code & 0x80 ? CLD_DUMPED : CLD_KILLED;
    } else {
        info.si_code = CLD_EXITED;
        info.si_status = task->exit_code >> 8;
    }
    bool autoreap = false;
    {
        IrqSpinGuard guard(parent->sighand->siglock, 1);
        const k_sigaction& action = parent->sighand->action[SIGCHLD - 1];
        if (signal == SIGCHLD && (action.handler == SIG_IGN || (action.flags & SA_NOCLDWAIT))) {
            autoreap = true; // POSIX: such children leave no zombies
            if (action.handler == SIG_IGN) signal = 0;
        }
        if (signal) (void)__send_signal(signal, &info, parent, PIDTYPE_TGID, false);
    }
    parent->signal->wait_chldexit.wake_all();
    return autoreap;
}

} // namespace kernel
