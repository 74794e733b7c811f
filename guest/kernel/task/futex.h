// Futexes: sleeping on a word of user memory (private ones: the key is the address space and the address).
#pragma once

#include "lib/result.h"

namespace kernel {

Result<i64> futex_wait(u64 address, u32 expected, u64 timeout_nanoseconds, bool has_timeout);
unsigned futex_wake(u64 address, unsigned count);

} // namespace kernel
