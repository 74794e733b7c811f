// System calls: one constexpr row a call (number, name, argument kinds, handler). The rows make the dispatch
// table, the thunks that unpack registers, and the strace lines.
//
// The numbers and calling convention are Linux's for x86-64: number in RAX, arguments in RDI RSI RDX R10 R8
// R9, result or minus the error in RAX; RCX and R11 are lost.
#pragma once

#include "arch/x86_64/trap_frame.h"
#include "lib/result.h"

namespace kernel {

enum class ArgumentKind : u8 {
    None,
    Int,
    Unsigned,
    Hex,
    Pointer,
    Path,
    String,
    Buffer,
    Descriptor,
    Flags,
    Signal
};

using SyscallHandler = Result<i64> (*)(const u64* arguments);

struct SyscallRow {
    u16 number;
    const char* name;
    ArgumentKind kinds[6];
    SyscallHandler handler;
};

void syscall_init();
/// SYSCALL's MSRs on the calling CPU.
void syscall_init_cpu();
/// From entry_SYSCALL_64; true when SYSRET may be used for the return.
extern "C" bool do_syscall_64(pt_regs* frame);

/// The handlers' rows, one span a file.
struct SyscallSpan {
    const SyscallRow* rows;
    usize count;
};
SyscallSpan file_syscalls();
SyscallSpan directory_syscalls();
SyscallSpan attribute_syscalls();
SyscallSpan mount_syscalls();
SyscallSpan signalfd_syscalls();
SyscallSpan sched_syscalls();
SyscallSpan poll_syscalls();
SyscallSpan epoll_syscalls();
SyscallSpan eventfd_syscalls();
SyscallSpan memory_syscalls();
SyscallSpan swap_syscalls();
SyscallSpan mlock_syscalls();
SyscallSpan process_syscalls();
SyscallSpan signal_syscalls();
SyscallSpan itimer_syscalls();
SyscallSpan posix_timer_syscalls();
SyscallSpan timerfd_syscalls();
SyscallSpan system_syscalls();
SyscallSpan credential_syscalls();
SyscallSpan socket_syscalls();

// --- thunks: registers to typed parameters
// ------------------------------------------------------------------------------
template <usize... Indexes> struct IndexList {};
template <usize N, usize... Rest> struct MakeIndexes : MakeIndexes<N - 1, N - 1, Rest...> {};
template <usize... Rest> struct MakeIndexes<0, Rest...> {
    using Type = IndexList<Rest...>;
};

template <auto Function> struct SyscallThunk;
template <typename... Parameters, Result<i64> (*Function)(Parameters...)> struct SyscallThunk<Function> {
    template <usize... I> static Result<i64> unpack(const u64* arguments, IndexList<I...>) {
        (void)arguments;
        return Function(static_cast<Parameters>(arguments[I])...);
    }
    static Result<i64> call(const u64* arguments) {
        return unpack(arguments, typename MakeIndexes<sizeof...(Parameters)>::Type{});
    }
};

/// row<sys_read>(0, "read", Descriptor, Buffer, Unsigned)
template <auto Function, typename... Kinds>
constexpr SyscallRow row(u16 number, const char* name, Kinds... kinds) {
    return {number, name, {kinds...}, SyscallThunk<Function>::call};
}

/// The frame of the running call, for the few handlers that need it (fork, execve, rt_sigreturn).
pt_regs* current_frame();

} // namespace kernel
