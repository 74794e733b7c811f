// The vDSO: code and data of the kernel's in every program (arch/x86_64/vma.cpp, vdso/).
#pragma once

#include "lib/result.h"

namespace kernel {

struct mm_struct;
struct page;

/// exec: maps [vvar] and [vdso]; where the image begins.
Result<u64> map_vdso(mm_struct& mm);
/// Page `index` of the two, from [vvar]; null beyond the end.
struct page* vdso_fault(u64 index);
/// The clock's numbers have changed. REQUIRES: one at a time.
void update_vsyscall(u64 cycle_base, u64 nanoseconds_per_cycle, u64 wall_offset);

} // namespace kernel
