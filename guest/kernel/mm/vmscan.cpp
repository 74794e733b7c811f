// Page reclaim: kswapd between the low and the high watermark, and by himself who finds nothing above the
// minimum. See reclaim.h.
//
// The inactive lists are scanned from their old end. Of files: clean pages that nobody uses leave the page
// cache, used ones move to the active list, dirty ones are left to the flusher. Anonymous ones get a place in
// a swap area, are written to it, and go when they are found again, written and still unused. How much of
// each is scanned follows swappiness (60 of 200) and what reclaim of that kind has cost of late. In
// proportion to what was scanned of the pages, unused dentries go too, and with them the inodes and their
// pages.
#include "block/block.h"
#include "fs/address_space.h"
#include "fs/fs-writeback.h"
#include "fs/vfs.h"
#include "lib/log.h"
#include "mm/reclaim.h"
#include "mm/rmap.h"
#include "mm/swap.h"
#include "mm/vmstat.h"
#include "mm/zone.h"
#include "sched/scheduler.h"
#include "task/task.h"

namespace kernel {
namespace {

constexpr u64 SWAP_CLUSTER_MAX = 32;
constexpr int DEF_PRIORITY = 12;

struct scan_control {
    u64 nr_to_reclaim;
    u32 gfp_mask;
    bool kswapd;
    int priority = DEF_PRIORITY;
    u64 nr_scanned = 0, nr_reclaimed = 0, nr_dirty = 0;
};

/// Takes up to `count` pages off the old end of a list, each with a reference.
u64 isolate_lru_pages(lru_list list, u64 count, list_head& out) {
    IrqSpinGuard guard(node_lruvec.lru_lock);
    u64 taken = 0;
    for (u64 looked = 0; looked < count; looked++) {
        list_head* node = node_lruvec.lists[list].prev;
        if (node == &node_lruvec.lists[list]) break;
        struct page* page = container_of(node, struct page, lru);
        node->remove();
        if (!get_page_unless_zero(page)) { // on its way out: put_page() takes it off
            node_lruvec.lists[list].push_front(node);
            continue;
        }
        page->clear_flags(PageLru);
        node_lruvec.sizes[list]--;
        mod_page_state(static_cast<vm_stat_item>(NR_INACTIVE_ANON + static_cast<u32>(list)), -1);
        out.push_back(node);
        taken++;
    }
    return taken;
}

/// What became of a page.
enum class Fate { Freed, Keep, Activate };

/// An anonymous page that is locked and not being written. Unlocks it.
Fate shrink_anon_page(struct page* page, scan_control& sc) {
    Fate fate = Fate::Keep;
    if (page_referenced(page)) {
        fate = Fate::Activate;
    } else if (!page->has(PageSwapCache) && (!PageAnon(page) || !page_mapped(page) || !add_to_swap(page))) {
        // Not in use yet, or not any more; or there is no place for it.
        fate = PageAnon(page) && page_mapped(page) ? Fate::Activate : Fate::Keep;
    } else {
        if (page_mapped(page)) try_to_unmap(page);
        if (page_mapped(page)) { // somebody has moved it, or a count is full
            fate = Fate::Activate;
        } else if (page->has(PageDirty) && page_swapcount(page)) {
            if (sc.gfp_mask & __GFP_IO) {
                sc.nr_dirty++;
                node_lruvec.anon_cost++;
                page->set_flags(PageReclaim); // it goes when it is written
                return swap_writepage(page), Fate::Keep;
            }
        } else if (remove_from_swap_cache(page)) {
            fate = Fate::Freed;
        }
    }
    unlock_page(page);
    return fate;
}

Fate shrink_page(struct page* page, scan_control& sc) {
    if (__atomic_load_n(&page->mlock_count, __ATOMIC_RELAXED) || !trylock_page(page)) return Fate::Keep;
    // Its `mapping` is its anon_vma: asked once, whatever ends meanwhile.
    if (page->tag == PageType::Anonymous) {
        if (!page->has(PageWriteback)) return shrink_anon_page(page, sc);
        sc.nr_dirty++;
        unlock_page(page);
        return Fate::Keep;
    }
    address_space* mapping = page->mapping;
    Fate fate = Fate::Keep;
    if (!mapping || page->has(PageWriteback)) {
        if (page->has(PageWriteback)) sc.nr_dirty++;
    } else if (u32 references = page_referenced(page);
               references && (page->test_and_set(PageReferenced) || references > 1)) {
        fate = Fate::Activate;
    } else if (references) {
        fate = Fate::Keep; // once more around
    } else {
        if (page_mapped(page)) try_to_unmap(page);
        if (page->has(PageDirty))
            sc.nr_dirty++;
        else if (!page_mapped(page) && remove_mapping(*mapping, page))
            fate = Fate::Freed;
    }
    unlock_page(page);
    return fate;
}

u64 shrink_inactive_list(lru_list list, u64 count, scan_control& sc) {
    list_head pages;
    pages.initialise();
    if (list == LRU_INACTIVE_ANON) throttle_swap_writes();
    u64 taken = isolate_lru_pages(list, count, pages), freed = 0;
    while (list_head* node = pages.pop_front()) {
        struct page* page = container_of(node, struct page, lru);
        Fate fate = shrink_page(page, sc);
        freed += fate == Fate::Freed;
        if (fate == Fate::Activate) {
            page->set_flags(PageActive);
            count_vm_events(PGACTIVATE);
            (list == LRU_INACTIVE_FILE ? node_lruvec.file_cost : node_lruvec.anon_cost)++;
        }
        if (fate != Fate::Freed) lru_cache_add(page);
        put_page(page);
    }
    count_vm_events(sc.kswapd ? PGSCAN_KSWAPD : PGSCAN_DIRECT, taken);
    count_vm_events(sc.kswapd ? PGSTEAL_KSWAPD : PGSTEAL_DIRECT, freed);
    sc.nr_scanned += taken;
    sc.nr_reclaimed += freed;
    return taken;
}

void shrink_active_list(lru_list list, u64 count) {
    list_head pages;
    pages.initialise();
    u64 taken = isolate_lru_pages(list, count, pages);
    while (list_head* node = pages.pop_front()) {
        struct page* page = container_of(node, struct page, lru);
        // What is used between this and the inactive list's end comes back.
        if (list == LRU_ACTIVE_ANON) (void)page_referenced(page);
        page->clear_flags(PageActive | PageReferenced);
        lru_cache_add(page);
        put_page(page);
    }
    count_vm_events(PGDEACTIVATE, taken);
}

u64 shrink_slab(scan_control& sc) {
    if (!(sc.gfp_mask & __GFP_FS) || !nr_dentry_unused) return 0;
    u64 target = max<u64>(nr_dentry_unused >> sc.priority, sc.priority < DEF_PRIORITY ? SWAP_CLUSTER_MAX : 8);
    count_vm_events(SLABS_SCANNED, target);
    return prune_dcache(target);
}

/// How much of each kind is scanned: parts of their sum.
struct scan_balance {
    u64 anon, file;
};

/// Linux's get_scan_count.
scan_balance get_scan_count(const scan_control& sc) {
    constexpr u64 swappiness = 60;
    if (!nr_swap_pages && !global_page_state(NR_SWAPCACHE)) return {0, 1};
    if (!sc.priority) return {1, 1}; // the last try: everything
    u64 high = 0, file = node_lruvec.sizes[LRU_INACTIVE_FILE] + node_lruvec.sizes[LRU_ACTIVE_FILE];
    for (const struct zone& zone : zones) high += zone._watermark[WMARK_HIGH];
    if (file + nr_free_pages() <= high && node_lruvec.sizes[LRU_INACTIVE_ANON] >> sc.priority) return {1, 0};
    // Much that was read once and is not used: that goes first.
    u64 inactive = node_lruvec.sizes[LRU_INACTIVE_FILE];
    if (inactive > node_lruvec.sizes[LRU_ACTIVE_FILE] && inactive >> sc.priority) return {0, 1};
    u64 anon_cost = node_lruvec.anon_cost, file_cost = node_lruvec.file_cost, total = anon_cost + file_cost;
    // Either kind keeps a third of the weight, as Linux has it.
    anon_cost += total, file_cost += total, total = anon_cost + file_cost;
    return {swappiness * (total + 1) / (anon_cost + 1), (200 - swappiness) * (total + 1) / (file_cost + 1)};
}

/// The costs halve when they are large against the lists: what was long ago counts little.
void age_costs() {
    u64 pages = 0;
    for (u64 size : node_lruvec.sizes) pages += size;
    if (node_lruvec.anon_cost + node_lruvec.file_cost <= pages / 4) return;
    node_lruvec.anon_cost /= 2;
    node_lruvec.file_cost /= 2;
}

/// One kind: `part` of `whole` of what the priority says.
void shrink_lruvec(bool file, u64 part, u64 whole, scan_control& sc) {
    if (!part) return;
    lru_list inactive_list = file ? LRU_INACTIVE_FILE : LRU_INACTIVE_ANON,
             active_list = file ? LRU_ACTIVE_FILE : LRU_ACTIVE_ANON;
    // The inactive list is kept at least as long as the active one: what is read once must not push out what
    // is used.
    u64 inactive = node_lruvec.sizes[inactive_list], active = node_lruvec.sizes[active_list];
    if (inactive < active) shrink_active_list(active_list, max<u64>(active >> sc.priority, SWAP_CLUSTER_MAX));
    u64 left =
        max<u64>((inactive >> sc.priority) * part / whole, file || part == whole ? SWAP_CLUSTER_MAX : 1);
    while (left) {
        u64 scanned = shrink_inactive_list(inactive_list, min<u64>(left, SWAP_CLUSTER_MAX), sc);
        if (!scanned || sc.nr_reclaimed >= sc.nr_to_reclaim) break;
        left -= scanned;
    }
}

void shrink_node(scan_control& sc) {
    scan_balance balance = get_scan_count(sc);
    u64 whole = balance.anon + balance.file;
    blk_plug plug; // neighbours in the swap area travel together
    blk_start_plug(plug);
    shrink_lruvec(false, balance.anon, whole, sc);
    shrink_lruvec(true, balance.file, whole, sc);
    blk_finish_plug(plug);
    age_costs();
    u64 before = nr_free_pages();
    shrink_slab(sc);
    u64 after = nr_free_pages();
    if (after > before) sc.nr_reclaimed += after - before;
    if (sc.nr_dirty) wakeup_flusher_threads();
}

u64 do_try_to_free_pages(scan_control& sc) {
    for (; sc.priority >= 0; sc.priority--) {
        shrink_node(sc);
        if (sc.nr_reclaimed >= sc.nr_to_reclaim) break;
    }
    return sc.nr_reclaimed;
}

// --- kswapd
constinit wait_queue_head kswapd_wait{"kswapd"};
constinit bool kswapd_wanted = false, kswapd_runs = false;

bool pgdat_balanced() {
    for (const struct zone& zone : zones)
        if (zone.managed_pages && zone.free_pages + zone_pcp_pages(zone) < zone._watermark[WMARK_HIGH])
            return false;
    return true;
}

void kswapd(void*) {
    get_current()->flags |= PF_MEMALLOC;
    for (;;) {
        (void)___wait_event(kswapd_wait, TASK_IDLE,
                            [] { return __atomic_load_n(&kswapd_wanted, __ATOMIC_ACQUIRE); });
        count_vm_events(PAGEOUTRUN);
        for (int priority = DEF_PRIORITY; priority >= 1 && !pgdat_balanced(); priority--) {
            scan_control sc{
                .nr_to_reclaim = 256, .gfp_mask = GFP_KERNEL, .kswapd = true, .priority = priority};
            shrink_node(sc);
            drain_local_pages();
            if (sc.nr_reclaimed) priority = min(priority + 1, DEF_PRIORITY);
            if (!sc.nr_reclaimed && sc.nr_dirty) (void)wait_for_writeback_progress();
        }
        __atomic_store_n(&kswapd_wanted, false, __ATOMIC_RELEASE);
    }
}

} // namespace

void wakeup_kswapd() {
    if (!kswapd_runs || __atomic_exchange_n(&kswapd_wanted, true, __ATOMIC_ACQ_REL)) return;
    kswapd_wait.wake_all();
}

void kswapd_run() { kswapd_runs = kthread_run(kswapd, nullptr, "kswapd0").ok(); }

u64 try_to_free_pages(unsigned, u32 gfp_flags) {
    task_struct* task = get_current();
    task->flags |= PF_MEMALLOC;
    scan_control sc{.nr_to_reclaim = SWAP_CLUSTER_MAX, .gfp_mask = gfp_flags, .kswapd = false};
    u64 freed = do_try_to_free_pages(sc);
    task->flags &= ~u32{PF_MEMALLOC};
    return freed;
}

void drop_pagecache() {
    count_vm_events(DROP_PAGECACHE);
    for (u64 left = node_lruvec.sizes[LRU_ACTIVE_FILE]; left;) {
        u64 count = min<u64>(left, SWAP_CLUSTER_MAX);
        shrink_active_list(LRU_ACTIVE_FILE, count);
        left -= count;
    }
    scan_control sc{.nr_to_reclaim = ~u64{0}, .gfp_mask = GFP_NOFS, .kswapd = false};
    for (u64 left = node_lruvec.sizes[LRU_INACTIVE_FILE]; left;) {
        u64 scanned = shrink_inactive_list(LRU_INACTIVE_FILE, min<u64>(left, SWAP_CLUSTER_MAX), sc);
        if (!scanned) break;
        left -= scanned;
    }
}

u64 drop_slab() {
    count_vm_events(DROP_SLAB);
    u64 dropped = 0;
    while (u64 now = prune_dcache(nr_dentry_unused)) dropped += now;
    return dropped;
}

} // namespace kernel
