// What the entry code (entry.S) leaves on the kernel stack: Linux's pt_regs plus the vector. The assembly
// relies on these offsets.
#pragma once

#include "lib/types.h"

namespace kernel {

struct TrapFrame {
    u64 r15, r14, r13, r12, rbp, rbx, r11, r10, r9, r8, rax, rcx, rdx, rsi, rdi;
    u64 vector;     ///< 0–255, or SyscallVector for the SYSCALL instruction
    u64 error_code; ///< the processor's, 0 when it gives none; the call number for system calls
    u64 rip, cs, rflags, rsp, ss;

    bool from_user() const { return (cs & 3) == 3; }
};
inline constexpr u64 SyscallVector = 0x100;

static_assert(sizeof(TrapFrame) == 176);
static_assert(offsetof(TrapFrame, vector) == 120);
static_assert(offsetof(TrapFrame, cs) == 144);

} // namespace kernel
