// The reverse mapping: from a page to the page-table entries that map it. A file's page goes through the
// file's list of areas (i_mmap); an anonymous page through its anon_vma, the list of all areas that may have
// it: the area that it was made in and the copies that forks, splits and moves have made of that.
//
// An area belongs to several anon_vmas (its own, for pages made in it, and those of the areas it was copied
// from), and an anon_vma has several areas: an anon_vma_chain is one such pair. One lock serves the whole
// family, the root's.
//
// Invariants: page->_mapcount + 1 entries map the page; they change under the page_table_lock of their
// address space. While an area may have a page of an anon_vma, it is on that anon_vma's list: entries go
// before chains do. So who gets hold of an anon_vma and still finds the page mapped has the right one; its
// memory is freed after an RCU grace period. Lock order: mmap_lock, page lock, i_mmap_rwsem or
// anon_vma::rwsem, page_table_lock.
#pragma once

#include "lib/list.h"
#include "lib/result.h"
#include "sync/rcu.h"
#include "sync/wait_queue.h"

namespace kernel {

struct page;
struct address_space;
struct vm_area_struct;
struct mm_struct;

struct anon_vma {
    anon_vma* root = nullptr;       ///< the oldest of the family, itself perhaps; with a reference
    struct mutex rwsem{"anon_vma"}; ///< the root's counts: all lists of the family
    u32 refcount = 1;               ///< one for the list as long as it has areas
    u32 num_children = 0;           ///< anon_vmas that have it as parent; a root is its own
    u32 num_active_vmas = 0;        ///< areas whose vm_area_struct::anon_vma it is
    anon_vma* parent = nullptr;
    list_head areas; ///< anon_vma_chain::same_anon_vma
    rcu_head rcu;
};

struct anon_vma_chain {
    vm_area_struct* vma = nullptr;
    struct anon_vma* anon_vma = nullptr;
    list_head same_vma, same_anon_vma;
};

void anon_vma_init();
/// The area can have anonymous pages from now on. May sleep. REQUIRES: mmap_lock, for reading at least.
Result<void> anon_vma_prepare(vm_area_struct& area);
/// `to` may have all pages that `from` may have. REQUIRES: mmap_lock for writing.
Result<void> anon_vma_clone(vm_area_struct& to, const vm_area_struct& from);
/// The same for a child's copy, which gets an anon_vma of its own for what it will make.
Result<void> anon_vma_fork(vm_area_struct& child, const vm_area_struct& parent);
/// REQUIRES: the area has no pages, and mmap_lock for writing.
void unlink_anon_vmas(vm_area_struct& area);

// REQUIRES for these three: page_table_lock. `area` has the entry: a locked one locks the page.
void page_add_rmap(struct page* page, const vm_area_struct& area);
/// An anonymous page's first entry: says to whom it belongs. `exclusive`: nobody else can have it.
void page_add_anon_rmap(struct page* page, const vm_area_struct& area, u64 address, bool exclusive);
void page_remove_rmap(struct page* page, const vm_area_struct& area);
bool page_mapped(const struct page* page);
bool page_is_permanent(const struct page* page);

/// Takes every entry of a locked page away: what they had changed makes the page dirty. An anonymous page
/// must be in the swap cache; its entries name its place there from now on.
void try_to_unmap(struct page* page);
/// Clears the accessed bits; how many were set.
u32 page_referenced(struct page* page);
/// Before a locked page is written: entries become read-only and clean, so that the next store is noticed.
void page_mkclean(struct page* page);
/// Pages [first, last] of a file, private copies included: the next access faults.
void unmap_mapping_pages(address_space& mapping, u64 first, u64 last);

} // namespace kernel
