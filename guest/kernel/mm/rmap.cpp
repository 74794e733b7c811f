// See rmap.h.
#include "mm/rmap.h"

#include "fs/vfs.h"
#include "mm/memory_struct.h"
#include "mm/user_pages.h"
#include "mm/vmstat.h"
#include "mm/zone.h"

namespace kernel {

bool page_is_permanent(const struct page* page) {
    return page->tag == PageType::Reserved || page->tag == PageType::KernelText ||
           page->tag == PageType::KernelData;
}

bool page_mapped(const struct page* page) { return __atomic_load_n(&page->_mapcount, __ATOMIC_RELAXED) >= 0; }

void page_add_rmap(struct page* page) {
    if (page_is_permanent(page)) return;
    if (__atomic_add_fetch(&page->_mapcount, 1, __ATOMIC_RELAXED) == 0)
        mod_page_state(page->tag == PageType::Anonymous ? NR_ANON_MAPPED : NR_FILE_MAPPED, 1);
}

void page_remove_rmap(struct page* page) {
    if (page_is_permanent(page)) return;
    if (__atomic_sub_fetch(&page->_mapcount, 1, __ATOMIC_RELAXED) < 0)
        mod_page_state(page->tag == PageType::Anonymous ? NR_ANON_MAPPED : NR_FILE_MAPPED, -1);
}

namespace {

/// Calls visit(mm, address, entry) under page_table_lock for each entry that maps this page.
template <typename Visit> void rmap_walk_file(struct page* page, Visit visit) {
    address_space* mapping = page->mapping;
    if (!mapping || !page_mapped(page)) return;
    MutexGuard guard(mapping->i_mmap_rwsem);
    for (LIST_EACH(node, mapping->i_mmap)) {
        vm_area_struct* area = container_of(node, vm_area_struct, shared);
        u64 pages = (area->vm_end - area->vm_start) >> PAGE_SHIFT;
        if (page->index < area->vm_pgoff || page->index - area->vm_pgoff >= pages) continue;
        u64 address = area->vm_start + ((page->index - area->vm_pgoff) << PAGE_SHIFT);
        mm_struct& mm = *area->vm_mm;
        u64* entry = page_table_entry(mm.pgd, address, false, 0);
        if (!entry) continue;
        SpinGuard lock(mm.page_table_lock);
        if (pte::holds_page(*entry) && phys_to_page(*entry & pte::AddressMask) == page)
            visit(mm, address, *entry);
    }
}

} // namespace

void try_to_unmap(struct page* page) {
    bool dirty = false;
    rmap_walk_file(page, [&](mm_struct& mm, u64 address, u64& entry) {
        dirty |= __atomic_exchange_n(&entry, 0, __ATOMIC_ACQ_REL) & pte::Dirty;
        flush_tlb_page(mm, address);
        mm.rss--;
        page_remove_rmap(page);
        put_page(page); // not the last: the caller has one
    });
    if (dirty) set_page_dirty(page);
}

u32 page_referenced(struct page* page) {
    u32 references = 0;
    rmap_walk_file(page, [&](mm_struct& mm, u64 address, u64& entry) {
        if (!(entry & pte::Accessed)) return;
        __atomic_fetch_and(&entry, ~pte::Accessed,
                           __ATOMIC_RELAXED); // no flush: a stale one only looks unused
        (void)mm, (void)address;
        references++;
    });
    return references;
}

void page_mkclean(struct page* page) {
    rmap_walk_file(page, [&](mm_struct& mm, u64 address, u64& entry) {
        if (!(entry & (pte::Write | pte::Dirty))) return;
        __atomic_fetch_and(&entry, ~(pte::Write | pte::Dirty), __ATOMIC_ACQ_REL);
        flush_tlb_page(mm, address);
    });
}

void unmap_mapping_pages(address_space& mapping, u64 first, u64 last) {
    MutexGuard guard(mapping.i_mmap_rwsem);
    for (LIST_EACH(node, mapping.i_mmap)) {
        vm_area_struct* area = container_of(node, vm_area_struct, shared);
        u64 pages = (area->vm_end - area->vm_start) >> PAGE_SHIFT, end = area->vm_pgoff + pages;
        if (end <= first || area->vm_pgoff > last) continue;
        u64 from = max(first, area->vm_pgoff), to = last < end ? last + 1 : end;
        unmap_page_range(*area->vm_mm, area->vm_start + ((from - area->vm_pgoff) << PAGE_SHIFT),
                         area->vm_start + ((to - area->vm_pgoff) << PAGE_SHIFT));
    }
}

} // namespace kernel
