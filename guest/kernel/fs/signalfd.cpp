// Descriptors that take signals: signalfd(2). What is read is the reader's own pending signals, whoever made
// the descriptor; they are taken as sigwaitinfo would.
#include "arch/x86_64/user_access.h"
#include "fs/poll.h"
#include "fs/vfs.h"
#include "mm/slab.h"
#include "syscall/syscall.h"
#include "task/signal_internal.h"
#include "task/task.h"

namespace kernel {

/// Of all processes: a descriptor outlives who waits on it, and who signals comes rarely.
constinit wait_queue_head signalfd_wqh{"signalfd"};

namespace {

constexpr u64 SignalfdTag = 0x736967;

struct signalfd_siginfo {
    u32 ssi_signo;
    i32 ssi_errno, ssi_code;
    u32 ssi_pid, ssi_uid;
    i32 ssi_fd;
    u32 ssi_tid, ssi_band, ssi_overrun, ssi_trapno;
    i32 ssi_status, ssi_int;
    u64 ssi_ptr, ssi_utime, ssi_stime, ssi_addr;
    u16 ssi_addr_lsb, pad2;
    i32 ssi_syscall;
    u64 ssi_call_addr;
    u32 ssi_arch;
    u8 pad[28];
};
static_assert(sizeof(signalfd_siginfo) == 128);

struct signalfd_ctx final : inode {
    u64 sigmask = 0; ///< wanted

    bool seekable() const override { return false; }
    void evict_inode() override { destroy(this); }

    bool take(kernel_siginfo& info) {
        task_struct* task = get_current();
        IrqSpinGuard guard(task->sighand->siglock);
        return dequeue_signal(task, __atomic_load_n(&sigmask, __ATOMIC_RELAXED), &info) != 0;
    }
    static signalfd_siginfo copy(const kernel_siginfo& info) {
        signalfd_siginfo out = {};
        out.ssi_signo = static_cast<u32>(info.si_signo);
        out.ssi_errno = info.si_errno;
        out.ssi_code = info.si_code;
        bool fault = info.si_code > 0 && info.si_code != SI_KERNEL &&
                     (kernel::sigmask(info.si_signo) & SYNCHRONOUS_MASK);
        if (fault) {
            out.ssi_addr = info.si_addr;
            return out;
        }
        out.ssi_pid = static_cast<u32>(info.si_pid);
        out.ssi_uid = info.si_uid;
        if (info.si_signo == SIGCHLD && info.si_code > 0) {
            out.ssi_status = info.si_status;
            out.ssi_utime = static_cast<u64>(info.si_utime), out.ssi_stime = static_cast<u64>(info.si_stime);
        } else if (info.si_code < 0 && info.si_code != SI_TKILL) {
            out.ssi_ptr = info.si_value;
            out.ssi_int = static_cast<i32>(info.si_value);
        }
        return out;
    }

    Result<usize> read(struct file& file, IoBuffer buffer, u64) override {
        if (buffer.size < sizeof(signalfd_siginfo)) return Errno::EINVAL;
        usize done = 0;
        for (; buffer.size - done >= sizeof(signalfd_siginfo); done += sizeof(signalfd_siginfo)) {
            kernel_siginfo info;
            if (!take(info)) {
                if (done) break;
                if (file.f_flags & O_NONBLOCK) return Errno::EAGAIN;
                TRY(signalfd_wqh.wait_interruptible([&] { return take(info); }));
            }
            signalfd_siginfo out = copy(info);
            TRY(buffer.store(done, &out, sizeof out));
        }
        return done;
    }
    u32 poll(struct file& file, poll_table* table) override {
        poll_wait(file, signalfd_wqh, table);
        task_struct* task = get_current();
        IrqSpinGuard guard(task->sighand->siglock);
        u64 pending = task->pending.signal | task->signal->shared_pending.signal;
        return pending & __atomic_load_n(&sigmask, __ATOMIC_RELAXED) ? POLLIN | POLLRDNORM : 0;
    }
};

Result<i64> sys_signalfd4(i32 descriptor, u64 mask_address, usize size, u32 flags) {
    if (flags & ~u32{O_CLOEXEC | O_NONBLOCK}) return Errno::EINVAL;
    if (size != 8) return Errno::EINVAL;
    u64 mask = TRY(get_user<u64>(mask_address)) & ~SIG_KERNEL_ONLY_MASK;
    if (descriptor != -1) {
        struct file* file = TRY(fget(descriptor));
        bool ours = file->private_value == SignalfdTag && !file->f_dentry;
        if (ours)
            __atomic_store_n(&static_cast<signalfd_ctx*>(file->f_inode)->sigmask, mask, __ATOMIC_RELAXED);
        fput(file);
        signalfd_wqh.wake_all();
        return ours ? Result<i64>(i64{descriptor}) : Errno::EINVAL;
    }
    auto* ctx = make<signalfd_ctx>();
    if (!ctx) return Errno::ENOMEM;
    ctx->sigmask = mask;
    Result<struct file*> file = alloc_file_pseudo(ctx, O_RDWR | (flags & O_NONBLOCK));
    if (!file.ok()) {
        iput(ctx);
        return file.error();
    }
    file.value()->private_value = SignalfdTag;
    Result<i32> fd = fd_install(*get_current()->files, file.value(), flags & O_CLOEXEC);
    if (!fd.ok()) fput(file.value());
    return fd.ok() ? Result<i64>(i64{fd.value()}) : fd.error();
}
Result<i64> sys_signalfd(i32 descriptor, u64 mask, usize size) {
    return sys_signalfd4(descriptor, mask, size, 0);
}

using enum ArgumentKind;
constexpr SyscallRow rows[] = {
    row<sys_signalfd>(282, "signalfd", Int, Pointer, Unsigned),
    row<sys_signalfd4>(289, "signalfd4", Int, Pointer, Unsigned, Flags),
};

} // namespace

SyscallSpan signalfd_syscalls() { return {rows, array_size(rows)}; }

} // namespace kernel
