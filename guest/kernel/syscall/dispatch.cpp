// System call dispatch; see syscall.h. SYSCALL's MSRs: SDM 2B, "SYSCALL".
#include "arch/x86_64/cpu.h"
#include "arch/x86_64/segments.h"
#include "arch/x86_64/traps.h"
#include "lib/format.h"
#include "lib/log.h"
#include "setup.h"
#include "syscall/syscall.h"
#include "task/task.h"

extern "C" char syscall_entry[];

namespace kernel {
namespace {

constexpr unsigned TableSize = 512;
constinit const SyscallRow* table[TableSize] = {};
constinit bool trace_calls = false; ///< command line: strace

void trace(const SyscallRow& row, const u64* arguments, i64 result) {
    char line[160];
    usize length = format_text(line, sizeof line, "[%d] %s(", current_task()->pid, row.name);
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

void initialise_syscalls() {
    const SyscallSpan spans[] = {file_syscalls(),    directory_syscalls(), memory_syscalls(),
                                 process_syscalls(), signal_syscalls(),    system_syscalls()};
    for (const SyscallSpan& span : spans)
        for (usize i = 0; i < span.count; i++) {
            KERNEL_ASSERT(span.rows[i].number < TableSize && !table[span.rows[i].number]);
            table[span.rows[i].number] = &span.rows[i];
        }
    trace_calls = command_line_flag("strace");
    write_msr(Msr::Star, u64{UserCode32} << 48 | u64{KernelCode} << 32);
    write_msr(Msr::Lstar, reinterpret_cast<u64>(syscall_entry));
    write_msr(Msr::SyscallMask,
              rflags::IF | rflags::TF | rflags::DF | rflags::AC | rflags::NT | rflags::IOPL);
    write_msr(Msr::Efer, read_msr(Msr::Efer) | efer::SCE);
}

TrapFrame* current_frame() { return current_task()->user_frame(); }

extern "C" bool syscall_dispatch(TrapFrame* frame) {
    enable_interrupts();
    u64 number = frame->error_code;
    u64 arguments[6] = {frame->rdi, frame->rsi, frame->rdx, frame->r10, frame->r8, frame->r9};
    const SyscallRow* row = number < TableSize ? table[number] : nullptr;
    if (row) {
        i64 result = row->handler(arguments).raw();
        if (trace_calls) trace(*row, arguments, result);
        frame->rax = static_cast<u64>(result);
    } else {
        pr_warn("%s[%d]: system call %lu is not implemented\n", current_task()->comm, current_task()->pid,
                number);
        frame->rax = static_cast<u64>(-static_cast<i64>(Errno::ENOSYS));
    }
    exit_to_user_mode(frame);
    // SYSRET loads RIP from RCX and RFLAGS from R11; a non-canonical RIP would fault in ring 0 (Intel), and
    // TF or RF need IRET.
    return frame->vector == SyscallVector && frame->rip < UserEnd && frame->cs == UserCode &&
           frame->ss == UserData && !(frame->rflags & (rflags::TF | rflags::RF));
}

} // namespace kernel
