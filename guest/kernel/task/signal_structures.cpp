// What the threads of a process share about signals: handlers, limits, timers, queues; and sigaction. See
// signal.h.
#include "task/signal_internal.h"

#include "arch/x86_64/user_access.h"
#include "lib/log.h"
#include "lib/string.h"
#include "mm/slab.h"
#include "sched/scheduler.h"
#include "time/timekeeping.h"

namespace kernel {

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

signal_struct* alloc_signal(const signal_struct* parent) {
    auto* shared = make<signal_struct>();
    if (!shared) return nullptr;
    shared->thread_head.initialise();
    init_sigpending(shared->shared_pending);
    shared->multiprocess.initialise();
    shared->posix_timers.initialise();
    hrtimer_init(shared->real_timer, CLOCK_MONOTONIC);
    shared->real_timer.function = it_real_fn;
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
    hrtimer_cancel(shared->real_timer);
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

} // namespace kernel
