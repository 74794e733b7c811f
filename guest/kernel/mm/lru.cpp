// The LRU lists; see reclaim.h. Invariants: PageLru says that a page is on the list that its tag and
// PageActive name; both change under lru_lock.
#include "fs/address_space.h"
#include "lib/log.h"
#include "mm/reclaim.h"
#include "mm/vmstat.h"
#include "mm/zone.h"

namespace kernel {

constinit struct lruvec node_lruvec = {};

namespace {

/// The list that it is on, or, when it is on none, the one that it belongs on.
lru_list page_lru(const struct page* page) {
    if (page->flags & PageUnevictable) return LRU_UNEVICTABLE;
    bool file = page->tag == PageType::PageCache, active = page->flags & PageActive;
    return file ? (active ? LRU_ACTIVE_FILE : LRU_INACTIVE_FILE)
                : (active ? LRU_ACTIVE_ANON : LRU_INACTIVE_ANON);
}

} // namespace

void lru_init() {
    for (list_head& list : node_lruvec.lists) list.initialise();
}

// REQUIRES: lru_lock.
static void put_on(struct page* page) {
    if (page->mlock_count)
        page->set_flags(PageUnevictable);
    else
        page->clear_flags(PageUnevictable);
    lru_list list = page_lru(page);
    node_lruvec.lists[list].push_front(&page->lru);
    node_lruvec.sizes[list]++;
    mod_page_state(static_cast<vm_stat_item>(NR_INACTIVE_ANON + static_cast<u32>(list)), 1);
}
static void take_off(struct page* page) {
    lru_list list = page_lru(page);
    page->lru.remove();
    node_lruvec.sizes[list]--;
    mod_page_state(static_cast<vm_stat_item>(NR_INACTIVE_ANON + static_cast<u32>(list)), -1);
}

void lru_cache_add(struct page* page) {
    IrqSpinGuard guard(node_lruvec.lru_lock);
    if (!page->test_and_set(PageLru)) put_on(page);
}

void lru_cache_del(struct page* page) {
    IrqSpinGuard guard(node_lruvec.lru_lock);
    if (page->test_and_clear(PageLru)) take_off(page);
}

void mlock_page(struct page* page) {
    IrqSpinGuard guard(node_lruvec.lru_lock);
    if (page->mlock_count++) return;
    mod_page_state(NR_MLOCK, 1);
    if (!page->has(PageLru)) return; // reclaim has isolated it, and puts it where it belongs
    take_off(page);
    put_on(page);
    count_vm_events(UNEVICTABLE_PGMLOCKED);
}

void munlock_page(struct page* page) {
    IrqSpinGuard guard(node_lruvec.lru_lock);
    KERNEL_ASSERT(page->mlock_count);
    if (--page->mlock_count) return;
    mod_page_state(NR_MLOCK, -1);
    count_vm_events(UNEVICTABLE_PGMUNLOCKED);
    if (!page->has(PageLru)) return;
    take_off(page);
    put_on(page);
}

void rotate_reclaimable_page(struct page* page) {
    IrqSpinGuard guard(node_lruvec.lru_lock);
    if (!page->has(PageLru) || page->has(PageActive | PageUnevictable)) return;
    page->lru.remove();
    node_lruvec.lists[page_lru(page)].push_back(&page->lru);
}

void mark_page_accessed(struct page* page) {
    if (!page->has(PageReferenced)) {
        page->set_flags(PageReferenced);
        return;
    }
    {
        // At one go: reclaim that has isolated the page holds its link in a list of its own.
        IrqSpinGuard guard(node_lruvec.lru_lock);
        if (page->has(PageActive | PageUnevictable) || !page->has(PageLru)) return;
        take_off(page);
        page->clear_flags(PageReferenced);
        page->set_flags(PageActive);
        put_on(page);
    }
    count_vm_events(PGACTIVATE);
}

} // namespace kernel
