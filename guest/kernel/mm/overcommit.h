// Overcommit: how much memory processes may be promised (Linux's mm/util.c, vm.overcommit_memory).
//
// Private writable memory is committed when it is mapped, not when it is touched; vm_committed_as counts the
// pages, and an area's VM_ACCOUNT says that it is counted there. Shared memory is committed by its file.
#pragma once

#include "lib/result.h"

namespace kernel {

struct mm_struct;

inline constexpr u32 OVERCOMMIT_GUESS = 0, OVERCOMMIT_ALWAYS = 1, OVERCOMMIT_NEVER = 2;
extern u32 sysctl_overcommit_memory, sysctl_overcommit_ratio;
extern u64 sysctl_overcommit_kbytes, sysctl_admin_reserve_kbytes, sysctl_user_reserve_kbytes;
extern u64 vm_committed_as; ///< pages

void overcommit_init();
/// CommitLimit, in pages.
u64 vm_commit_limit();
/// Commits the pages, or ENOMEM: GUESS refuses what is more than all memory and swap, NEVER what is beyond
/// the limit. `mm`: a process may not take the last of it; null: nobody's.
Result<void> security_vm_enough_memory_mm(const mm_struct* mm, u64 pages);
inline void vm_acct_memory(u64 pages) { __atomic_fetch_add(&vm_committed_as, pages, __ATOMIC_RELAXED); }
inline void vm_unacct_memory(u64 pages) { __atomic_fetch_sub(&vm_committed_as, pages, __ATOMIC_RELAXED); }

} // namespace kernel
