// What the calls that change areas share: mmap.cpp, mprotect.cpp, mremap.cpp, mlock.cpp.
// REQUIRES for all: mmap_lock for writing.
#pragma once

#include "mm/memory_struct.h"

namespace kernel {

inline u64 vma_pages(const vm_area_struct& area) { return (area.vm_end - area.vm_start) >> PAGE_SHIFT; }
vm_area_struct* vma_next(mm_struct& mm, vm_area_struct* area);
vm_area_struct* vm_area_dup(const vm_area_struct& like);
/// REQUIRES: it has no pages left, or another area has taken its place in their anon_vmas.
void vm_area_free(vm_area_struct* area);
/// Into tree, list, the file's list (behind `after`, when given) and the counts.
void vma_link(mm_struct& mm, vm_area_struct* area, vm_area_struct* after = nullptr,
              bool in_file_list = false);
/// The area goes, with what was committed for it. REQUIRES: it has no pages.
void remove_vma(mm_struct& mm, vm_area_struct* area);
/// Makes `address` a border. ENOMEM at max_map_count.
Result<void> split_vma(mm_struct& mm, u64 address);
/// Joins an area with those neighbours that differ in nothing; what it is a part of then.
vm_area_struct* vma_merge(mm_struct& mm, vm_area_struct* area);
/// total_vm and its kin, and locked_vm: what an area of these flags counts in.
void vm_stat_account(mm_struct& mm, u32 flags, i64 pages);
bool range_is_free(mm_struct& mm, u64 start, u64 size);
/// Enters an area like this one into free room; `origin`: whose pages it may get. No check, nothing charged.
Result<vm_area_struct*> insert_vma(mm_struct& mm, const vm_area_struct& like, const vm_area_struct* origin);
/// What lies in the range is locked no more.
void munlock_range(mm_struct& mm, u64 start, u64 end);
/// A free place for `size` bytes: `hint` when that is free, else the highest below mmap_base.
Result<u64> get_unmapped_area(mm_struct& mm, u64 hint, u64 size);

} // namespace kernel
