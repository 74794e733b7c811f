// Futexes: sleeping on a word of user memory until somebody says that it changed (futex(2)).
//
// A waiter is known by a key: the address space and address for private memory, the file and offset for a
// shared file mapping, the page frame for shared anonymous memory. It queues first and reads the word then,
// so a waker that changes the word before it looks for waiters finds it.
#pragma once

#include "lib/result.h"

namespace kernel {

struct task_struct;

inline constexpr u32 FutexShared = 1, FutexPrivate = 0;
inline constexpr u32 FUTEX_BITSET_MATCH_ANY = ~0U;

/// `end`: when to give up (ktime_get_ns), 0 for never.
Result<i64> futex_wait(u64 address, u32 flags, u32 expected, u64 end, u32 bitset);
Result<i64> futex_wake(u64 address, u32 flags, u32 count, u32 bitset);
/// Wakes `wake` waiters of `from`, moves up to `move` others to `to`; with `compare`, only if the word holds
/// *compare.
Result<i64> futex_requeue(u64 from, u64 to, u32 flags, u32 wake, u32 move, const u32* compare);
/// Locks that a dying thread holds are marked, and one waiter of each is woken.
void exit_robust_list(task_struct* task);

} // namespace kernel
