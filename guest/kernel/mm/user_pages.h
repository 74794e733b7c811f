// The page-table side of address spaces: what fork, munmap, mprotect and mremap do to the entries of a range.
// REQUIRES: the address space's lock.
#pragma once

#include "mm/memory_struct.h"

namespace kernel {

void unmap_user_pages(MemoryStruct& mm, u64 start, u64 end);
/// Entries follow the area's rights; copy-on-write pages stay read-only.
void protect_user_pages(MemoryStruct& mm, const VmArea& area);
/// Maps the parent's present pages into the child; private ones become copy-on-write on both sides.
Result<void> share_user_pages(MemoryStruct& child, MemoryStruct& parent, const VmArea& area);
Result<void> move_user_pages(MemoryStruct& mm, u64 from, u64 to, u64 size);
/// Levels 3 to 1 of the user half.
void free_user_tables(MemoryStruct& mm);
void flush_user_tlb();
/// Entry flags for a page of this area.
u64 page_flags(const VmArea& area);

} // namespace kernel
