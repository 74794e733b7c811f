// The page-table side of address spaces: what fork, munmap, mprotect and mremap do to the entries of a range.
// REQUIRES: the address space's lock.
#pragma once

#include "mm/memory_struct.h"

namespace kernel {

void unmap_page_range(mm_struct& mm, u64 start, u64 end);
/// Entries follow the area's rights; copy-on-write pages stay read-only.
void change_protection(mm_struct& mm, const vm_area_struct& area);
/// Maps the parent's present pages into the child; private ones become copy-on-write on both sides.
Result<void> copy_page_range(mm_struct& child, mm_struct& parent, const vm_area_struct& area);
Result<void> move_page_tables(mm_struct& mm, u64 from, u64 to, u64 size);
/// Levels 3 to 1 of the user half.
void free_pgtables(mm_struct& mm);
/// Entry flags for a page of this area.
u64 page_flags(const vm_area_struct& area);

} // namespace kernel
