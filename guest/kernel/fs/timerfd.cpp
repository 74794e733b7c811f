// Timers as descriptors: a read gives how often the timer has run out since the last. See timerfd_create(2).
//
// An interval timer is not armed again when it runs out, but when that is read: who does not read costs
// nothing, however short the interval is.
#include "fs/timerfd.h"

#include "arch/x86_64/user_access.h"
#include "fs/poll.h"
#include "fs/vfs.h"
#include "mm/slab.h"
#include "syscall/syscall.h"
#include "task/task.h"
#include "time/tick.h"
#include "time/timekeeping.h"

namespace kernel {
namespace {

constexpr u32 TFD_TIMER_ABSTIME = 1, TFD_TIMER_CANCEL_ON_SET = 2;
constexpr u64 TimerfdTag = 0x746d72;
constinit spinlock_t cancel_lock{"timerfd_cancel"};
constinit list_head cancel_list = {}; ///< timerfd_ctx::clist of those that a set clock cancels

struct timerfd_ctx final : inode {
    spinlock_t lock{"timerfd"};
    wait_queue_head wqh{"timerfd"};
    hrtimer timer;
    ktime_t tintv = 0; ///< the interval; 0: once
    u64 ticks = 0;
    u32 clockid = CLOCK_MONOTONIC;
    bool expired = false, cancelled = false;
    list_head clist;

    /// REQUIRES: lock. How often an interval timer that has run out would have since, and arms it.
    u64 catch_up() {
        if (!expired || !tintv) return 0;
        u64 more = hrtimer_forward_now(timer, tintv) - 1;
        hrtimer_restart(timer);
        return more;
    }
    bool seekable() const override { return false; }
    Result<usize> read(struct file& file, IoBuffer buffer, u64) override {
        if (buffer.size < 8) return Errno::EINVAL;
        u64 value = 0;
        bool set = false;
        auto taken = [&] {
            IrqSpinGuard guard(lock);
            if (cancelled) {
                ticks = 0, expired = cancelled = false;
                return set = true;
            }
            if (!ticks) return false;
            value = ticks + catch_up();
            ticks = 0, expired = false;
            return true;
        };
        if (!taken()) {
            if (file.f_flags & O_NONBLOCK) return Errno::EAGAIN;
            TRY(wqh.wait_interruptible(taken));
        }
        if (set) return Errno::ECANCELED;
        TRY(buffer.store(0, &value, 8));
        return usize{8};
    }
    u32 poll(struct file& file, poll_table* table) override {
        poll_wait(file, wqh, table);
        IrqSpinGuard guard(lock);
        return ticks ? POLLIN | POLLRDNORM : 0;
    }
    void release(struct file&) override {
        cancel_on_set(false);
        hrtimer_cancel(timer);
    }
    void evict_inode() override { destroy(this); }
    void cancel_on_set(bool wanted) {
        IrqSpinGuard guard(cancel_lock);
        if (!cancel_list.next) cancel_list.initialise();
        clist.remove();
        if (wanted) cancel_list.push_back(&clist);
    }
};

enum hrtimer_restart timerfd_tmrproc(hrtimer& timer) {
    auto& self = *container_of(&timer, timerfd_ctx, timer);
    {
        SpinGuard guard(self.lock);
        self.expired = true;
        self.ticks++;
    }
    self.wqh.wake_all();
    return HRTIMER_NORESTART;
}

struct TimeSpec {
    i64 seconds, nanoseconds;
};
struct ITimerSpec {
    TimeSpec interval, value;
};
bool valid(const TimeSpec& t) {
    return t.seconds >= 0 && t.nanoseconds >= 0 && t.nanoseconds < 1'000'000'000;
}
ktime_t nanoseconds_of(const TimeSpec& t) {
    return ktime_add_safe(static_cast<ktime_t>(min<i64>(t.seconds, 9'000'000'000)) * 1'000'000'000,
                          static_cast<u64>(t.nanoseconds));
}
TimeSpec time_of(ktime_t ns) { return {ns / 1'000'000'000, ns % 1'000'000'000}; }

Result<i64> sys_timerfd_create(u32 clock, u32 flags) {
    if ((clock != CLOCK_REALTIME && clock != CLOCK_MONOTONIC && clock != CLOCK_BOOTTIME) ||
        (flags & ~(O_CLOEXEC | O_NONBLOCK)))
        return Errno::EINVAL;
    auto* ctx = make<timerfd_ctx>();
    if (!ctx) return Errno::ENOMEM;
    ctx->clockid = clock;
    hrtimer_init(ctx->timer, clock);
    ctx->timer.function = timerfd_tmrproc;
    Result<struct file*> file = alloc_file_pseudo(ctx, O_RDWR | (flags & O_NONBLOCK));
    if (!file.ok()) {
        iput(ctx);
        return file.error();
    }
    file.value()->private_value = TimerfdTag;
    Result<i32> fd = fd_install(*get_current()->files, file.value(), flags & O_CLOEXEC);
    if (!fd.ok()) fput(file.value());
    return fd.ok() ? Result<i64>(i64{fd.value()}) : fd.error();
}

/// The descriptor's timer, for the length of a call.
struct TimerFile {
    struct file* file = nullptr;
    ~TimerFile() { fput(file); }
    Result<timerfd_ctx*> get(i32 descriptor) {
        file = TRY(fget(descriptor));
        if (file->private_value != TimerfdTag) return Errno::EINVAL;
        return static_cast<timerfd_ctx*>(file->f_inode);
    }
};

/// REQUIRES: lock.
ITimerSpec current(timerfd_ctx& ctx) {
    if (u64 more = ctx.catch_up(); ctx.expired && ctx.tintv) {
        ctx.expired = false;
        ctx.ticks += more;
    }
    return {time_of(ctx.tintv), time_of(max<ktime_t>(hrtimer_get_remaining(ctx.timer), 0))};
}

Result<i64> sys_timerfd_settime(i32 descriptor, u32 flags, u64 address, u64 old_address) {
    ITimerSpec spec = TRY(get_user<ITimerSpec>(address));
    if ((flags & ~(TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET)) || !valid(spec.interval) ||
        !valid(spec.value))
        return Errno::EINVAL;
    TimerFile file;
    timerfd_ctx& ctx = *TRY(file.get(descriptor));
    ctx.cancel_on_set(ctx.clockid == CLOCK_REALTIME && (flags & 3) == 3);
    ITimerSpec old;
    for (;; cpu_relax()) { // its function takes the lock
        IrqSpinGuard guard(ctx.lock);
        if (hrtimer_is_queued(ctx.timer) || !hrtimer_active(ctx.timer)) {
            old = current(ctx);
            if (hrtimer_try_to_cancel(ctx.timer) < 0) continue;
            ctx.expired = ctx.cancelled = false;
            ctx.ticks = 0;
            ctx.tintv = nanoseconds_of(spec.interval);
            bool absolute = flags & TFD_TIMER_ABSTIME;
            // Only a moment of the wall clock moves when that is set.
            hrtimer_init(ctx.timer, absolute ? ctx.clockid : CLOCK_MONOTONIC);
            ctx.timer.function = timerfd_tmrproc;
            if (ktime_t value = nanoseconds_of(spec.value))
                hrtimer_start(ctx.timer, value, absolute ? HRTIMER_MODE_ABS : HRTIMER_MODE_REL);
            break;
        }
    }
    if (old_address) TRY(put_user(old_address, old));
    return i64{0};
}

Result<i64> sys_timerfd_gettime(i32 descriptor, u64 address) {
    TimerFile file;
    timerfd_ctx& ctx = *TRY(file.get(descriptor));
    ITimerSpec now;
    {
        IrqSpinGuard guard(ctx.lock);
        now = current(ctx);
    }
    TRY(put_user(address, now));
    return i64{0};
}

using enum ArgumentKind;
constexpr SyscallRow rows[] = {
    row<sys_timerfd_create>(283, "timerfd_create", Int, Flags),
    row<sys_timerfd_settime>(286, "timerfd_settime", Descriptor, Flags, Pointer, Pointer),
    row<sys_timerfd_gettime>(287, "timerfd_gettime", Descriptor, Pointer),
};

} // namespace

void timerfd_clock_was_set() {
    IrqSpinGuard guard(cancel_lock);
    if (!cancel_list.next) return;
    for (LIST_EACH(node, cancel_list)) {
        auto& ctx = *container_of(node, timerfd_ctx, clist);
        {
            SpinGuard inner(ctx.lock);
            ctx.cancelled = true;
            ctx.ticks++;
        }
        ctx.wqh.wake_all();
    }
}

SyscallSpan timerfd_syscalls() { return {rows, array_size(rows)}; }

} // namespace kernel
