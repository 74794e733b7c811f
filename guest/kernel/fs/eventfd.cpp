// Descriptors that are counters: eventfd (added to by write) and timerfd (by time). See eventfd(2),
// timerfd_create(2).
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

constexpr u32 EFD_SEMAPHORE = 1, TFD_TIMER_ABSTIME = 1;
constexpr u64 TimerfdTag = 0x746d72;

/// A count that is read when it is not zero. Under `lock`.
struct Counter : inode {
    spinlock_t lock{"eventfd"};
    wait_queue_head wqh{"eventfd"};
    u64 count = 0;

    bool seekable() const override { return false; }
    virtual u64 take() {
        u64 value = count;
        count = 0;
        return value;
    }
    Result<usize> read(struct file& file, IoBuffer buffer, u64) override {
        if (buffer.size < 8) return Errno::EINVAL;
        u64 value = 0;
        auto taken = [&] {
            IrqSpinGuard guard(lock);
            value = count ? take() : 0;
            return value != 0;
        };
        if (!taken()) {
            if (file.f_flags & O_NONBLOCK) return Errno::EAGAIN;
            TRY(wqh.wait_interruptible(taken));
        }
        wqh.wake_all();
        TRY(buffer.store(0, &value, 8));
        return usize{8};
    }
    void evict_inode() override { destroy(this); }
};

struct eventfd_ctx final : Counter {
    bool semaphore = false;
    u64 take() override {
        u64 value = semaphore ? 1 : count;
        count -= value;
        return value;
    }
    Result<usize> write(struct file& file, IoBuffer buffer, u64&) override {
        if (buffer.size < 8) return Errno::EINVAL;
        u64 value;
        TRY(buffer.load(&value, 0, 8));
        if (value == ~u64{0}) return Errno::EINVAL;
        auto added = [&] {
            IrqSpinGuard guard(lock);
            if (~u64{0} - count <= value) return false;
            count += value;
            return true;
        };
        if (!added()) {
            if (file.f_flags & O_NONBLOCK) return Errno::EAGAIN;
            TRY(wqh.wait_interruptible(added));
        }
        wqh.wake_all();
        return usize{8};
    }
    u32 poll(struct file& file, poll_table* table) override {
        poll_wait(file, wqh, table);
        IrqSpinGuard guard(lock);
        return (count ? POLLIN | POLLRDNORM : 0) | (count < ~u64{0} - 1 ? POLLOUT | POLLWRNORM : 0);
    }
};

struct timerfd_ctx final : Counter {
    timer_list timer;
    u64 expires = 0, interval = 0; ///< nanoseconds of ktime; 0: not armed, once
    bool realtime = false;

    static void expired(void* context) {
        auto& self = *static_cast<timerfd_ctx*>(context);
        {
            IrqSpinGuard guard(self.lock);
            u64 now = ktime_get_ns();
            if (!self.expires) return;
            if (now < self.expires) return self.arm(now);
            u64 times = self.interval ? 1 + (now - self.expires) / self.interval : 1;
            self.count += times;
            self.expires = self.interval ? self.expires + times * self.interval : 0;
            if (self.expires) self.arm(now);
        }
        self.wqh.wake_all();
    }
    void arm(u64 now) { mod_timer(timer, jiffies + nsecs_to_jiffies(expires > now ? expires - now : 0)); }
    u32 poll(struct file& file, poll_table* table) override {
        poll_wait(file, wqh, table);
        IrqSpinGuard guard(lock);
        return count ? POLLIN | POLLRDNORM : 0;
    }
    void release(struct file&) override {
        {
            IrqSpinGuard guard(lock);
            expires = 0;
        }
        del_timer_sync(timer);
    }
};

struct TimeSpec {
    i64 seconds, nanoseconds;
};
struct ITimerSpec {
    TimeSpec interval, value;
};
bool valid(const TimeSpec& t) {
    return t.seconds >= 0 && t.nanoseconds >= 0 && t.nanoseconds < 1'000'000'000;
}
u64 nanoseconds_of(const TimeSpec& t) {
    return static_cast<u64>(min<i64>(t.seconds, 4'000'000'000)) * 1'000'000'000 +
           static_cast<u64>(t.nanoseconds);
}
TimeSpec time_of(u64 ns) {
    return {static_cast<i64>(ns / 1'000'000'000), static_cast<i64>(ns % 1'000'000'000)};
}

Result<i64> install(struct inode* inode, u32 flags, u64 tag) {
    Result<struct file*> file = alloc_file_pseudo(inode, O_RDWR | (flags & O_NONBLOCK));
    if (!file.ok()) {
        iput(inode);
        return file.error();
    }
    file.value()->private_value = tag;
    Result<i32> fd = fd_install(*get_current()->files, file.value(), flags & O_CLOEXEC);
    if (!fd.ok()) fput(file.value());
    return fd.ok() ? Result<i64>(i64{fd.value()}) : fd.error();
}

Result<i64> sys_eventfd2(u32 initial, u32 flags) {
    if (flags & ~(EFD_SEMAPHORE | O_CLOEXEC | O_NONBLOCK)) return Errno::EINVAL;
    auto* ctx = make<eventfd_ctx>();
    if (!ctx) return Errno::ENOMEM;
    ctx->count = initial;
    ctx->semaphore = flags & EFD_SEMAPHORE;
    return install(ctx, flags, 0);
}
Result<i64> sys_eventfd(u32 initial) { return sys_eventfd2(initial, 0); }

Result<i64> sys_timerfd_create(i32 clock, u32 flags) {
    if ((clock != 0 && clock != 1 && clock != 7) || (flags & ~(O_CLOEXEC | O_NONBLOCK))) return Errno::EINVAL;
    auto* ctx = make<timerfd_ctx>();
    if (!ctx) return Errno::ENOMEM;
    ctx->realtime = clock == 0;
    ctx->timer.function = timerfd_ctx::expired;
    ctx->timer.context = ctx;
    return install(ctx, flags, TimerfdTag);
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

ITimerSpec current(const timerfd_ctx& ctx) {
    u64 now = ktime_get_ns();
    return {time_of(ctx.interval), time_of(ctx.expires > now ? ctx.expires - now : ctx.expires ? 1 : 0)};
}

Result<i64> sys_timerfd_settime(i32 descriptor, u32 flags, u64 address, u64 old_address) {
    ITimerSpec spec = TRY(get_user<ITimerSpec>(address));
    if ((flags & ~3U) || !valid(spec.interval) || !valid(spec.value)) return Errno::EINVAL;
    TimerFile file;
    timerfd_ctx& ctx = *TRY(file.get(descriptor));
    del_timer_sync(ctx.timer);
    ITimerSpec old;
    {
        IrqSpinGuard guard(ctx.lock);
        old = current(ctx);
        u64 now = ktime_get_ns(), value = nanoseconds_of(spec.value);
        ctx.count = 0;
        ctx.interval = nanoseconds_of(spec.interval);
        ctx.expires = 0;
        if (value && (flags & TFD_TIMER_ABSTIME)) {
            u64 clock = ctx.realtime ? ktime_get_real_ns() : now;
            ctx.expires = value > clock ? now + (value - clock) : now + 1;
        } else if (value) {
            ctx.expires = now + value;
        }
        if (ctx.expires) ctx.arm(now);
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
    row<sys_eventfd>(284, "eventfd", Unsigned),
    row<sys_timerfd_settime>(286, "timerfd_settime", Descriptor, Flags, Pointer, Pointer),
    row<sys_timerfd_gettime>(287, "timerfd_gettime", Descriptor, Pointer),
    row<sys_eventfd2>(290, "eventfd2", Unsigned, Flags),
};

} // namespace

SyscallSpan eventfd_syscalls() { return {rows, array_size(rows)}; }

} // namespace kernel
