// timer_create, timer_settime, timer_gettime, timer_getoverrun, timer_delete; see posix-timers.h.
#include "time/posix-timers.h"

#include "arch/x86_64/user_access.h"
#include "mm/slab.h"
#include "syscall/syscall.h"
#include "task/task.h"
#include "time/tick.h"

namespace kernel {
namespace {

constexpr u32 TIMER_ABSTIME = 1, REQUEUE_PENDING = 1;
constexpr i32 SIGEV_SIGNAL = 0, SIGEV_NONE = 1, SIGEV_THREAD_ID = 4;

struct TimeSpec {
    i64 seconds, nanoseconds;
};
struct ITimerSpec {
    TimeSpec interval, value;
};
struct sigevent {
    u64 value;
    i32 signal, notify, thread;
    i32 rest[11];
};
static_assert(sizeof(sigevent) == 64);

bool valid(const TimeSpec& t) {
    return t.seconds >= 0 && t.nanoseconds >= 0 && t.nanoseconds < 1'000'000'000;
}
ktime_t nanoseconds_of(const TimeSpec& t) {
    return ktime_add_safe(static_cast<ktime_t>(min<i64>(t.seconds, 9'000'000'000)) * 1'000'000'000,
                          static_cast<u64>(t.nanoseconds));
}
TimeSpec time_of(ktime_t ns) { return {ns / 1'000'000'000, ns % 1'000'000'000}; }

void put_timer(k_itimer* timer) {
    if (__atomic_sub_fetch(&timer->refs, 1, __ATOMIC_ACQ_REL)) return;
    put_pid(timer->it_pid);
    destroy(timer);
}

/// One of the caller's timers, with a reference, for the length of a call.
class TimerReference {
public:
    explicit TimerReference(i32 id) {
        task_struct* task = get_current();
        IrqSpinGuard guard(task->sighand->siglock);
        for (LIST_EACH(node, task->signal->posix_timers)) {
            k_itimer* each = container_of(node, k_itimer, list);
            if (each->it_id != id) continue;
            __atomic_add_fetch(&each->refs, 1, __ATOMIC_RELAXED);
            timer = each;
            return;
        }
    }
    ~TimerReference() {
        if (timer) put_timer(timer);
    }
    TimerReference(const TimerReference&) = delete;
    TimerReference& operator=(const TimerReference&) = delete;

    k_itimer* timer = nullptr;
};

/// Queues its signal; false when nobody would notice it.
bool posix_timer_event(k_itimer& timer) {
    bool group = timer.it_sigev_notify != SIGEV_THREAD_ID;
    IrqSpinGuard guard(tasklist_lock);
    task_struct* task = pid_task(timer.it_pid, group ? PIDTYPE_TGID : PIDTYPE_PID);
    return !task ||
           send_sigqueue(*timer.sigq, timer.it_requeue_pending, task, group ? PIDTYPE_TGID : PIDTYPE_PID);
}

enum hrtimer_restart posix_timer_fn(hrtimer& hr) {
    k_itimer& timer = *container_of(&hr, k_itimer, timer);
    SpinGuard guard(timer.it_lock);
    timer.it_active = false;
    if (timer.deleted) return HRTIMER_NORESTART;
    if (timer.it_interval) timer.it_requeue_pending++;
    if (posix_timer_event(timer) || !timer.it_interval) return HRTIMER_NORESTART;
    // Ignored: no signal will arm it. It goes on by itself, at most once a tick: the signal may be wanted
    // later.
    ktime_t now = hr.base->get_time();
    if (timer.it_interval < TICK_NSEC) now += TICK_NSEC;
    timer.it_overrun += static_cast<i64>(hrtimer_forward(hr, now, timer.it_interval));
    timer.it_requeue_pending++;
    timer.it_active = true;
    return HRTIMER_RESTART;
}

i32 overrun_to_int(i64 overrun) { return static_cast<i32>(clamp<i64>(overrun, 0, 0x7fff'ffff)); }

/// REQUIRES: it_lock.
ITimerSpec common_timer_get(k_itimer& timer) {
    bool silent = timer.it_sigev_notify == SIGEV_NONE;
    ktime_t interval = timer.it_interval;
    if (!interval && !timer.it_active && !silent) return {};
    if (!hrtimer_get_expires(timer.timer)) return {}; // never set
    // Its signal waits, or it has none: the next time is still to come.
    if (interval && ((timer.it_requeue_pending & REQUEUE_PENDING) || silent) &&
        !hrtimer_is_queued(timer.timer))
        timer.it_overrun += static_cast<i64>(hrtimer_forward_now(timer.timer, interval));
    ktime_t left = hrtimer_get_remaining(timer.timer);
    if (left <= 0) left = silent ? 0 : 1;
    return {time_of(interval), time_of(left)};
}

Result<i64> sys_timer_create(u32 clock, u64 event_address, u64 target) {
    if (clock == 2 || clock == 3) return Errno::EOPNOTSUPP; // processor time
    if (clock != CLOCK_REALTIME && clock != CLOCK_MONOTONIC && clock != CLOCK_BOOTTIME && clock != CLOCK_TAI)
        return Errno::EINVAL;
    task_struct* task = get_current();
    sigevent event = {0, SIGALRM, SIGEV_SIGNAL, 0, {}};
    if (event_address) event = TRY(get_user<sigevent>(event_address));
    if ((event.notify & ~SIGEV_THREAD_ID) > 2 || event.notify < 0 ||
        (event.notify != SIGEV_NONE && (event.signal <= 0 || event.signal > SignalCount)))
        return Errno::EINVAL;
    sigqueue* queued = sigqueue_alloc_timer();
    if (!queued) return Errno::EAGAIN;
    auto* timer = make<k_itimer>();
    struct pid* pid = nullptr;
    {
        IrqSpinGuard guard(tasklist_lock);
        task_struct* thread = task->group_leader;
        if (event.notify & SIGEV_THREAD_ID) thread = find_task_by_vpid(event.thread);
        if (thread && same_thread_group(*thread, *task) && (event.notify & ~SIGEV_THREAD_ID) == SIGEV_SIGNAL)
            pid = get_pid(thread->thread_pid);
        else if (!(event.notify & SIGEV_THREAD_ID))
            pid = get_pid(task->group_leader->thread_pid);
    }
    if (!timer || !pid) {
        sigqueue_free_timer(queued);
        if (pid) put_pid(pid);
        if (timer) destroy(timer);
        return pid ? Errno::ENOMEM : Errno::EINVAL;
    }
    timer->it_clock = clock;
    timer->it_sigev_notify = event.notify;
    timer->it_signal = task->signal;
    timer->it_pid = pid;
    timer->sigq = queued;
    hrtimer_init(timer->timer, clock);
    timer->timer.function = posix_timer_fn;
    queued->timer = timer;
    i32 id;
    {
        IrqSpinGuard guard(task->sighand->siglock);
        id = timer->it_id = task->signal->posix_timer_id;
        task->signal->posix_timer_id = (id + 1) & 0x7fff'ffff;
        queued->info.si_signo = event.signal;
        queued->info.si_code = SI_TIMER;
        queued->info.si_pid = id; // si_tid
        queued->info.si_value = event_address ? event.value : static_cast<u64>(id);
        task->signal->posix_timers.push_back(&timer->list);
    }
    if (Result<void> told = put_user(target, id); !told.ok()) {
        IrqSpinGuard guard(task->sighand->siglock);
        timer->list.remove();
        queued->timer = nullptr;
        sigqueue_free_timer(queued);
        put_timer(timer);
        return told.error();
    }
    return i64{0};
}

Result<i64> sys_timer_settime(i32 id, u32 flags, u64 fresh, u64 old_address) {
    if (!fresh) return Errno::EINVAL;
    ITimerSpec spec = TRY(get_user<ITimerSpec>(fresh));
    if (!valid(spec.interval) || !valid(spec.value)) return Errno::EINVAL;
    TimerReference reference(id);
    if (!reference.timer) return Errno::EINVAL;
    k_itimer& timer = *reference.timer;
    ITimerSpec old;
    for (;; cpu_relax()) { // its function takes the lock
        IrqSpinGuard guard(timer.it_lock);
        if (timer.deleted) return Errno::EINVAL;
        old = common_timer_get(timer);
        timer.it_interval = 0;
        if (hrtimer_try_to_cancel(timer.timer) < 0) continue;
        timer.it_active = false;
        timer.it_requeue_pending = (timer.it_requeue_pending + 2) & ~REQUEUE_PENDING;
        timer.it_overrun_last = 0;
        timer.it_overrun = -1;
        ktime_t value = nanoseconds_of(spec.value);
        hrtimer_init(timer.timer, flags & TIMER_ABSTIME ? timer.it_clock : CLOCK_MONOTONIC);
        timer.timer.function = posix_timer_fn;
        if (!value) break;
        timer.it_interval = nanoseconds_of(spec.interval);
        if (timer.it_sigev_notify == SIGEV_NONE) {
            if (!(flags & TIMER_ABSTIME)) value = ktime_add_safe(ktime_get(), static_cast<u64>(value));
            hrtimer_set_expires_range_ns(timer.timer, value, 0);
        } else {
            timer.it_active = true;
            hrtimer_start(timer.timer, value, flags & TIMER_ABSTIME ? HRTIMER_MODE_ABS : HRTIMER_MODE_REL);
        }
        break;
    }
    if (old_address) TRY(put_user(old_address, old));
    return i64{0};
}

Result<i64> sys_timer_gettime(i32 id, u64 target) {
    TimerReference reference(id);
    if (!reference.timer) return Errno::EINVAL;
    ITimerSpec now;
    {
        IrqSpinGuard guard(reference.timer->it_lock);
        now = common_timer_get(*reference.timer);
    }
    TRY(put_user(target, now));
    return i64{0};
}

Result<i64> sys_timer_getoverrun(i32 id) {
    TimerReference reference(id);
    if (!reference.timer) return Errno::EINVAL;
    IrqSpinGuard guard(reference.timer->it_lock);
    return i64{overrun_to_int(reference.timer->it_overrun_last)};
}

/// REQUIRES: it is on no list.
void delete_timer(task_struct* task, k_itimer* timer) {
    {
        IrqSpinGuard guard(timer->it_lock);
        timer->deleted = true;
    }
    hrtimer_cancel(timer->timer);
    {
        IrqSpinGuard guard(task->sighand->siglock); // what is queued is still delivered, and then freed
        timer->sigq->timer = nullptr;
        if (!timer->sigq->list.linked()) sigqueue_free_timer(timer->sigq);
    }
    put_timer(timer);
}

Result<i64> sys_timer_delete(i32 id) {
    TimerReference reference(id);
    if (!reference.timer) return Errno::EINVAL;
    task_struct* task = get_current();
    {
        IrqSpinGuard guard(task->sighand->siglock);
        if (!reference.timer->list.linked()) return Errno::EINVAL; // another thread was faster
        reference.timer->list.remove();
    }
    delete_timer(task, reference.timer);
    return i64{0};
}

using enum ArgumentKind;
constexpr SyscallRow rows[] = {
    row<sys_timer_create>(222, "timer_create", Int, Pointer, Pointer),
    row<sys_timer_settime>(223, "timer_settime", Int, Flags, Pointer, Pointer),
    row<sys_timer_gettime>(224, "timer_gettime", Int, Pointer),
    row<sys_timer_getoverrun>(225, "timer_getoverrun", Int),
    row<sys_timer_delete>(226, "timer_delete", Int),
};

} // namespace

void posixtimer_rearm(k_itimer* timer, u32 requeue_pending, kernel_siginfo& info) {
    {
        SpinGuard guard(timer->it_lock);
        if (timer->it_interval && timer->it_requeue_pending == requeue_pending && !timer->deleted) {
            timer->it_overrun += static_cast<i64>(hrtimer_forward_now(timer->timer, timer->it_interval));
            hrtimer_restart(timer->timer);
            timer->it_active = true;
            timer->it_overrun_last = timer->it_overrun;
            timer->it_overrun = -1;
            timer->it_requeue_pending++;
            info.si_uid =
                static_cast<u32>(overrun_to_int(static_cast<i64>(info.si_uid) + timer->it_overrun_last));
        }
    }
    put_timer(timer);
}

void exit_itimers(task_struct* task) {
    for (;;) {
        k_itimer* timer = nullptr;
        {
            IrqSpinGuard guard(task->sighand->siglock);
            if (list_head* node = task->signal->posix_timers.pop_front())
                timer = container_of(node, k_itimer, list);
        }
        if (!timer) return;
        delete_timer(task, timer);
    }
}

SyscallSpan posix_timer_syscalls() { return {rows, array_size(rows)}; }

} // namespace kernel
