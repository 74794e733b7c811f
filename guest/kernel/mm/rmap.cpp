// See rmap.h.
#include "mm/rmap.h"

#include "fs/vfs.h"
#include "mm/memory_struct.h"
#include "mm/reclaim.h"
#include "mm/rmap_anon.h"
#include "mm/swap.h"
#include "mm/user_pages.h"
#include "mm/vmstat.h"
#include "mm/zone.h"

namespace kernel {

bool page_is_permanent(const struct page* page) {
    return page->tag == PageType::Reserved || page->tag == PageType::KernelText ||
           page->tag == PageType::KernelData;
}

bool page_mapped(const struct page* page) { return __atomic_load_n(&page->_mapcount, __ATOMIC_RELAXED) >= 0; }

void page_add_rmap(struct page* page, const vm_area_struct& area) {
    if (page_is_permanent(page)) return;
    if (area.vm_flags & VM_LOCKED) mlock_page(page);
    if (__atomic_add_fetch(&page->_mapcount, 1, __ATOMIC_RELAXED) == 0)
        mod_page_state(page->tag == PageType::Anonymous ? NR_ANON_MAPPED : NR_FILE_MAPPED, 1);
}

void page_add_anon_rmap(struct page* page, const vm_area_struct& area, u64 address, bool exclusive) {
    if (!PageAnon(page)) { // else another entry has said it
        struct anon_vma* anon_vma = exclusive ? area.anon_vma : area.anon_vma->root;
        page->index = area.vm_pgoff + ((address - area.vm_start) >> PAGE_SHIFT);
        __atomic_store_n(
            &page->mapping,
            reinterpret_cast<address_space*>(reinterpret_cast<u64>(anon_vma) | PAGE_MAPPING_ANON),
            __ATOMIC_RELEASE);
    }
    page_add_rmap(page, area);
}

void page_remove_rmap(struct page* page, const vm_area_struct& area) {
    if (page_is_permanent(page)) return;
    if (area.vm_flags & VM_LOCKED) munlock_page(page);
    if (__atomic_sub_fetch(&page->_mapcount, 1, __ATOMIC_RELAXED) < 0)
        mod_page_state(page->tag == PageType::Anonymous ? NR_ANON_MAPPED : NR_FILE_MAPPED, -1);
}

namespace {

/// Calls visit(area, address, entry) under page_table_lock when this area maps the page.
template <typename Visit> void rmap_one(struct page* page, const vm_area_struct& area, Visit& visit) {
    u64 pages = (area.vm_end - area.vm_start) >> PAGE_SHIFT;
    if (page->index < area.vm_pgoff || page->index - area.vm_pgoff >= pages) return;
    u64 address = area.vm_start + ((page->index - area.vm_pgoff) << PAGE_SHIFT);
    mm_struct& mm = *area.vm_mm;
    u64* entry = page_table_entry(mm.pgd, address, false, 0);
    if (!entry) return;
    SpinGuard lock(mm.page_table_lock);
    if (pte::holds_page(*entry) && phys_to_page(*entry & pte::AddressMask) == page)
        visit(area, address, *entry);
}

/// The same for all entries that map it. An area that is being cut or moved meanwhile may be missed: who
/// wants all entries gone looks at page_mapped() afterwards. (Of a file, truncation takes care: fault.cpp.)
template <typename Visit> void rmap_walk(struct page* page, Visit visit) {
    if (page->tag == PageType::Anonymous) {
        struct anon_vma* anon_vma = page_get_anon_vma(page);
        if (!anon_vma) return;
        {
            MutexGuard guard(anon_vma->root->rwsem);
            for (LIST_EACH(node, anon_vma->areas))
                rmap_one(page, *container_of(node, struct anon_vma_chain, same_anon_vma)->vma, visit);
        }
        put_anon_vma(anon_vma);
        return;
    }
    address_space* mapping = page->mapping;
    if (!mapping || !page_mapped(page)) return;
    MutexGuard guard(mapping->i_mmap_rwsem);
    for (LIST_EACH(node, mapping->i_mmap)) rmap_one(page, *container_of(node, vm_area_struct, shared), visit);
}

} // namespace

void try_to_unmap(struct page* page) {
    bool dirty = false, anonymous = page->tag == PageType::Anonymous;
    rmap_walk(page, [&](const vm_area_struct& area, u64 address, u64& entry) {
        if (area.vm_flags & VM_LOCKED) return; // it stays
        mm_struct& mm = *area.vm_mm;
        u64 place = 0;
        if (anonymous) {
            swp_entry_t swap = {page->private_};
            if (!page->has(PageSwapCache) || !swap_duplicate(swap)) return; // it stays
            place = swp_entry_to_pte(swap);
            mm.anon_rss--;
            mm.swap_usage++;
        }
        dirty |= (__atomic_exchange_n(&entry, place, __ATOMIC_ACQ_REL) & pte::Dirty) != 0;
        flush_tlb_page(mm, address);
        mm.rss--;
        page_remove_rmap(page, area);
        put_page(page); // not the last: the caller has one
    });
    if (!dirty) return;
    if (anonymous)
        page->set_flags(PageDirty);
    else
        set_page_dirty(page);
}

u32 page_referenced(struct page* page) {
    u32 references = 0;
    rmap_walk(page, [&](const vm_area_struct&, u64, u64& entry) {
        if (!(entry & pte::Accessed)) return;
        __atomic_fetch_and(&entry, ~pte::Accessed,
                           __ATOMIC_RELAXED); // no flush: a stale one only looks unused
        references++;
    });
    return references;
}

void page_mkclean(struct page* page) {
    rmap_walk(page, [&](const vm_area_struct& area, u64 address, u64& entry) {
        if (!(entry & (pte::Write | pte::Dirty))) return;
        __atomic_fetch_and(&entry, ~(pte::Write | pte::Dirty), __ATOMIC_ACQ_REL);
        flush_tlb_page(*area.vm_mm, address);
    });
}

void unmap_mapping_pages(address_space& mapping, u64 first, u64 last) {
    MutexGuard guard(mapping.i_mmap_rwsem);
    for (LIST_EACH(node, mapping.i_mmap)) {
        vm_area_struct* area = container_of(node, vm_area_struct, shared);
        u64 pages = (area->vm_end - area->vm_start) >> PAGE_SHIFT, end = area->vm_pgoff + pages;
        if (end <= first || area->vm_pgoff > last) continue;
        u64 from = max(first, area->vm_pgoff), to = last < end ? last + 1 : end;
        unmap_page_range(*area, area->vm_start + ((from - area->vm_pgoff) << PAGE_SHIFT),
                         area->vm_start + ((to - area->vm_pgoff) << PAGE_SHIFT));
    }
}

} // namespace kernel
