// The page-table side of address spaces: what fork, munmap, mprotect and mremap do to the entries of a range.
// REQUIRES: the address space's mmap_lock; the entries themselves change under its page_table_lock, which
// these take.
#pragma once

#include "mm/memory_struct.h"

namespace kernel {

inline constexpr u64 UserTableFlags = pte::Present | pte::Write | pte::User | pte::Accessed;

/// Takes the entries of a range, in one area, away. Also called without mmap_lock, for areas that
/// i_mmap_rwsem keeps.
void unmap_page_range(const vm_area_struct& area, u64 start, u64 end);
/// Entries follow the area's rights; copy-on-write pages stay read-only, and pages of shared files until they
/// are stored to.
void change_protection(mm_struct& mm, const vm_area_struct& area);
/// The area gets these flags, and its pages the locks that they say.
void mlock_vma_pages(vm_area_struct& area, u32 flags);
/// Maps the parent's present pages into the child's copy; private ones become copy-on-write on both sides.
Result<void> copy_page_range(const vm_area_struct& copy, const vm_area_struct& area);
Result<void> move_page_tables(mm_struct& mm, struct file* file, u64 from, u64 to, u64 size);
/// Levels 3 to 1 of the user half.
void free_pgtables(mm_struct& mm);
/// The entry of `address`, with its tables, for an address space (counted in pgtables_bytes); null when there
/// is no memory.
u64* pte_alloc(mm_struct& mm, u64 address);
/// Entry flags for a page of this area.
u64 page_flags(const vm_area_struct& area);
inline bool is_private(const vm_area_struct& area) { return !(area.vm_flags & VM_SHARED); }

} // namespace kernel
