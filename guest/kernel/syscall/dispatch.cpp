// System call dispatch; see syscall.h. SYSCALL's MSRs: SDM 2B, "SYSCALL".
#include "arch/x86_64/cpu.h"
#include "arch/x86_64/segments.h"
#include "arch/x86_64/traps.h"
#include "lib/ratelimit.h"
#include "lib/format.h"
#include "lib/log.h"
#include "setup.h"
#include "syscall/syscall.h"
#include "task/task.h"

extern "C" char entry_SYSCALL_64[];

namespace kernel {
namespace {

constexpr unsigned TableSize = 512;
constinit const SyscallRow* table[TableSize] = {};
constinit bool trace_calls = false; ///< command line: strace

void trace(const SyscallRow& row, const u64* arguments, i64 result) {
    char line[160];
    usize length = format_text(line, sizeof line, "[%d] %s(", get_current()->pid, row.name);
    for (unsigned i = 0; i < 6 && row.kinds[i] != ArgumentKind::None; i++) {
        const char* comma = i ? ", " : "";
        switch (row.kinds[i]) {
        case ArgumentKind::Int:
        case ArgumentKind::Descriptor:
        case ArgumentKind::Signal:
            length += format_text(line + length, sizeof line - length, "%s%d", comma,
                                  static_cast<int>(arguments[i]));
            break;
        case ArgumentKind::Unsigned:
            length += format_text(line + length, sizeof line - length, "%s%lu", comma, arguments[i]);
            break;
        default: length += format_text(line + length, sizeof line - length, "%s0x%lx", comma, arguments[i]);
        }
    }
    pr_info("%s) = %ld\n", line, result);
}

} // namespace

void syscall_init() {
    const SyscallSpan spans[] = {
        file_syscalls(),     directory_syscalls(), memory_syscalls(),      swap_syscalls(),
        mlock_syscalls(),    attribute_syscalls(), mount_syscalls(),       sched_syscalls(),
        signalfd_syscalls(), poll_syscalls(),      epoll_syscalls(),       eventfd_syscalls(),
        process_syscalls(),  signal_syscalls(),    system_syscalls(),      credential_syscalls(),
        socket_syscalls(),   itimer_syscalls(),    posix_timer_syscalls(), timerfd_syscalls()};
    for (const SyscallSpan& span : spans)
        for (usize i = 0; i < span.count; i++) {
            KERNEL_ASSERT(span.rows[i].number < TableSize && !table[span.rows[i].number]);
            table[span.rows[i].number] = &span.rows[i];
        }
    trace_calls = command_line_flag("strace");
    syscall_init_cpu();
}

void syscall_init_cpu() {
    wrmsrl(Msr::Star, u64{UserCode32} << 48 | u64{KernelCode} << 32);
    wrmsrl(Msr::Lstar, reinterpret_cast<u64>(entry_SYSCALL_64));
    wrmsrl(Msr::SyscallMask, rflags::IF | rflags::TF | rflags::DF | rflags::AC | rflags::NT | rflags::IOPL);
    wrmsrl(Msr::Efer, rdmsrl(Msr::Efer) | efer::SCE);
}

pt_regs* current_frame() { return get_current()->user_frame(); }

extern "C" bool do_syscall_64(pt_regs* frame) {
    local_irq_enable();
    u64 number = frame->orig_ax;
    u64 arguments[6] = {frame->di, frame->si, frame->dx, frame->r10, frame->r8, frame->r9};
    const SyscallRow* row = number < TableSize ? table[number] : nullptr;
    if (row) {
        i64 result = row->handler(arguments).raw();
        if (trace_calls) trace(*row, arguments, result);
        frame->ax = static_cast<u64>(result);
    } else {
        static constinit ratelimit_state limit;
        if (__ratelimit(limit, "do_syscall_64"))
            pr_warn("%s[%d]: system call %lu is not implemented\n", get_current()->comm, get_current()->pid,
                    number);
        frame->ax = static_cast<u64>(-static_cast<i64>(Errno::ENOSYS));
    }
    exit_to_user_mode_prepare(frame);
    // SYSRET loads RIP from RCX and RFLAGS from R11; a non-canonical RIP would fault in ring 0 (Intel), and
    // TF or RF need IRET.
    return frame->vector == SyscallVector && frame->ip < TASK_SIZE_MAX && frame->cs == UserCode &&
           frame->ss == UserData && !(frame->flags & (rflags::TF | rflags::RF));
}

} // namespace kernel
