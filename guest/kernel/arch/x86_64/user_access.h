// Reading and writing user memory from the kernel. A fault that cannot be resolved does not oops: the
// exception table (__ex_table, pairs of relative addresses: instruction, fix-up) sends it to the error path.
//
// With SMAP, user memory is reachable only between STAC and CLAC (SDM 3A 4.6).
#pragma once

#include "lib/result.h"
#include "mm/layout.h"

namespace kernel {

constexpr bool access_ok(u64 address, u64 size) {
    return address <= TASK_SIZE_MAX && size <= TASK_SIZE_MAX - address;
}

Result<void> copy_from_user(void* to, u64 from, usize size);
Result<void> copy_to_user(u64 to, const void* from, usize size);
Result<void> clear_user(u64 to, usize size);
/// The length without the NUL; ENAMETOOLONG when no NUL within capacity.
Result<usize> strncpy_from_user(char* to, u64 from, usize capacity);

template <typename T> Result<T> get_user(u64 from) {
    T value{};
    Result<void> copied = copy_from_user(&value, from, sizeof value);
    if (!copied.ok()) return copied.error();
    return value;
}
template <typename T> Result<void> put_user(u64 to, const T& value) {
    return copy_to_user(to, &value, sizeof value);
}

/// One locked compare-and-swap of a word; returns what was there.
Result<u32> cmpxchg_user(u64 address, u32 expected, u32 fresh);

/// Copies kernel memory that may not be mapped (oops reports); false when it is not.
bool copy_from_kernel_nofault(void* to, u64 from, usize size);

/// The fix-up for a faulting instruction, or 0.
u64 search_exception_tables(u64 rip);

} // namespace kernel
