// Descriptors that are counters: see eventfd(2).
#include "arch/x86_64/user_access.h"
#include "fs/poll.h"
#include "fs/vfs.h"
#include "mm/slab.h"
#include "syscall/syscall.h"
#include "task/task.h"

namespace kernel {
namespace {

constexpr u32 EFD_SEMAPHORE = 1;

/// A count that is read when it is not zero, or lessened by one. Under `lock`.
struct eventfd_ctx final : inode {
    spinlock_t lock{"eventfd"};
    wait_queue_head wqh{"eventfd"};
    u64 count = 0;
    bool semaphore = false;

    bool seekable() const override { return false; }
    u64 take() {
        u64 value = semaphore ? 1 : count;
        count -= value;
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

Result<i64> install(struct inode* inode, u32 flags) {
    Result<struct file*> file = alloc_file_pseudo(inode, O_RDWR | (flags & O_NONBLOCK));
    if (!file.ok()) {
        iput(inode);
        return file.error();
    }
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
    return install(ctx, flags);
}
Result<i64> sys_eventfd(u32 initial) { return sys_eventfd2(initial, 0); }

using enum ArgumentKind;
constexpr SyscallRow rows[] = {
    row<sys_eventfd>(284, "eventfd", Unsigned),
    row<sys_eventfd2>(290, "eventfd2", Unsigned, Flags),
};

} // namespace

SyscallSpan eventfd_syscalls() { return {rows, array_size(rows)}; }

} // namespace kernel
