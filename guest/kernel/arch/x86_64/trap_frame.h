// What the entry code (entry.S) leaves on the kernel stack: Linux's pt_regs plus the vector. The assembly
// relies on these offsets.
#pragma once

#include "lib/types.h"

namespace kernel {

struct pt_regs {
    u64 r15, r14, r13, r12, bp, bx, r11, r10, r9, r8, ax, cx, dx, si, di;
    u64 vector;  ///< 0–255, or SyscallVector for the SYSCALL instruction
    u64 orig_ax; ///< the processor's, 0 when it gives none; the call number for system calls
    u64 ip, cs, flags, sp, ss;

    bool from_user() const { return (cs & 3) == 3; }
};
inline constexpr u64 SyscallVector = 0x100;

static_assert(sizeof(pt_regs) == 176);
static_assert(offsetof(pt_regs, vector) == 120);
static_assert(offsetof(pt_regs, cs) == 144);

} // namespace kernel
