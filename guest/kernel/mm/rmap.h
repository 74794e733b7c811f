// The reverse mapping: from a page of a file to the page-table entries that map it, through the file's list
// of areas (i_mmap).
//
// Invariants: page->_mapcount + 1 entries map the page; they change under the page_table_lock of their
// address space. Lock order: mmap_lock, page lock, i_mmap_rwsem, page_table_lock.
#pragma once

#include "lib/types.h"

namespace kernel {

struct page;
struct address_space;
struct vm_area_struct;
struct mm_struct;

/// REQUIRES: page_table_lock.
void page_add_rmap(struct page* page);
void page_remove_rmap(struct page* page);
bool page_mapped(const struct page* page);
bool page_is_permanent(const struct page* page);

/// Takes every entry of a locked file page away; what they had changed makes the page dirty.
void try_to_unmap(struct page* page);
/// Clears the accessed bits; how many were set.
u32 page_referenced(struct page* page);
/// Before a locked page is written: entries become read-only and clean, so that the next store is noticed.
void page_mkclean(struct page* page);
/// Pages [first, last] of a file, private copies included: the next access faults.
void unmap_mapping_pages(address_space& mapping, u64 first, u64 last);

} // namespace kernel
