// setitimer, getitimer, alarm; see itimer.h.
#include "time/itimer.h"

#include "arch/x86_64/user_access.h"
#include "syscall/syscall.h"
#include "task/signal.h"
#include "task/task.h"
#include "time/tick.h"

namespace kernel {

enum hrtimer_restart it_real_fn(hrtimer& timer) {
    auto& shared = *container_of(&timer, signal_struct, real_timer);
    IrqSpinGuard guard(tasklist_lock); // the process lives: it cancels the timer before it ends
    if (list_head* node = shared.thread_head.front())
        (void)do_send_sig_info(SIGALRM, nullptr, thread_of(node), PIDTYPE_TGID);
    return HRTIMER_NORESTART;
}

void rearm_real_timer(signal_struct& signal) {
    if (!signal.it_real_incr || hrtimer_is_queued(signal.real_timer)) return;
    hrtimer_forward_now(signal.real_timer, signal.it_real_incr);
    hrtimer_restart(signal.real_timer);
}

void check_cpu_itimers(task_struct& task, bool user) {
    signal_struct* shared = task.signal;
    if (!shared) return;
    auto check = [&](cpu_itimer& it, u64 now, int signal) {
        u64 expires = __atomic_load_n(&it.expires, __ATOMIC_RELAXED);
        if (!expires || now < expires) return;
        u64 next = it.incr ? expires + it.incr : 0;
        if (__atomic_compare_exchange_n(&it.expires, &expires, next, false, __ATOMIC_RELAXED,
                                        __ATOMIC_RELAXED))
            (void)do_send_sig_info(signal, nullptr, &task, PIDTYPE_TGID);
    };
    if (user) check(shared->it[0], __atomic_add_fetch(&shared->user_ticks, 1, __ATOMIC_RELAXED), SIGVTALRM);
    check(shared->it[1], __atomic_load_n(&shared->cpu_ticks, __ATOMIC_RELAXED), SIGPROF);
}

namespace {

constexpr u32 ITIMER_REAL = 0, ITIMER_PROF = 2;

struct TimeVal {
    i64 seconds, microseconds;
};
struct Itimer {
    TimeVal interval, value;
};
TimeVal to_timeval(u64 nanoseconds) {
    return {static_cast<i64>(nanoseconds / 1'000'000'000), static_cast<i64>(nanoseconds / 1000 % 1'000'000)};
}
Result<u64> to_nanoseconds(const TimeVal& time) {
    if (time.seconds < 0 || time.microseconds < 0 || time.microseconds >= 1'000'000) return Errno::EINVAL;
    return static_cast<u64>(min<i64>(time.seconds, 9'000'000'000)) * 1'000'000'000 +
           static_cast<u64>(time.microseconds) * 1000;
}

Itimer read_real_timer(signal_struct& shared) {
    // One that is over, but whose signal is not yet there, has a microsecond left: 0 would mean not armed.
    ktime_t left =
        hrtimer_active(shared.real_timer) ? max<ktime_t>(hrtimer_get_remaining(shared.real_timer), 1000) : 0;
    return {to_timeval(static_cast<u64>(shared.it_real_incr)), to_timeval(static_cast<u64>(left))};
}

Itimer set_real_timer(u64 value, u64 interval) {
    task_struct* task = get_current();
    signal_struct& shared = *task->signal;
    Itimer old = read_real_timer(shared);
    {
        IrqSpinGuard guard(task->sighand->siglock);
        shared.it_real_incr = 0; // a signal that is taken now arms it no more
    }
    hrtimer_cancel(shared.real_timer);
    IrqSpinGuard guard(task->sighand->siglock);
    if (!value) return old;
    shared.it_real_incr = static_cast<ktime_t>(interval);
    hrtimer_start(shared.real_timer, static_cast<ktime_t>(value), HRTIMER_MODE_REL);
    return old;
}

Itimer read_cpu_timer(signal_struct& shared, u32 which) {
    const cpu_itimer& it = shared.it[which - 1];
    u64 expires = __atomic_load_n(&it.expires, __ATOMIC_RELAXED);
    u64 now =
        __atomic_load_n(which == ITIMER_PROF ? &shared.cpu_ticks : &shared.user_ticks, __ATOMIC_RELAXED);
    u64 left = !expires ? 0 : expires > now ? expires - now : 1;
    return {to_timeval(it.incr * NanosecondsPerTick), to_timeval(left * NanosecondsPerTick)};
}

Itimer set_cpu_timer(u32 which, u64 value, u64 interval) {
    signal_struct& shared = *get_current()->signal;
    Itimer old = read_cpu_timer(shared, which);
    cpu_itimer& it = shared.it[which - 1];
    u64 now =
        __atomic_load_n(which == ITIMER_PROF ? &shared.cpu_ticks : &shared.user_ticks, __ATOMIC_RELAXED);
    it.incr = nsecs_to_jiffies(interval);
    // The tick that runs already counts in part: one more, so that the signal is not early.
    __atomic_store_n(&it.expires, value ? now + nsecs_to_jiffies(value) + 1 : 0, __ATOMIC_RELAXED);
    return old;
}

Result<i64> sys_alarm(u32 seconds) {
    Itimer old = set_real_timer(u64{seconds} * 1'000'000'000, 0);
    return old.value.seconds +
           (old.value.microseconds >= 500'000 || (!old.value.seconds && old.value.microseconds));
}

Result<i64> sys_getitimer(u32 which, u64 target) {
    if (which > ITIMER_PROF) return Errno::EINVAL;
    signal_struct& shared = *get_current()->signal;
    TRY(put_user(target, which == ITIMER_REAL ? read_real_timer(shared) : read_cpu_timer(shared, which)));
    return i64{0};
}

Result<i64> sys_setitimer(u32 which, u64 fresh, u64 old) {
    if (which > ITIMER_PROF) return Errno::EINVAL;
    Itimer timer = {};
    if (fresh) timer = TRY(get_user<Itimer>(fresh));
    u64 value = TRY(to_nanoseconds(timer.value)), interval = TRY(to_nanoseconds(timer.interval));
    Itimer previous =
        which == ITIMER_REAL ? set_real_timer(value, interval) : set_cpu_timer(which, value, interval);
    if (old) TRY(put_user(old, previous));
    return i64{0};
}

using enum ArgumentKind;
constexpr SyscallRow rows[] = {
    row<sys_getitimer>(36, "getitimer", Unsigned, Pointer),
    row<sys_alarm>(37, "alarm", Unsigned),
    row<sys_setitimer>(38, "setitimer", Unsigned, Pointer, Pointer),
};

} // namespace

SyscallSpan itimer_syscalls() { return {rows, array_size(rows)}; }

} // namespace kernel
