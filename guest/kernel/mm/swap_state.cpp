// The swap cache: pages that are in memory and have a place in a swap area. See swap.h.
#include "block/block.h"
#include "lib/log.h"
#include "mm/page.h"
#include "mm/reclaim.h"
#include "mm/rmap.h"
#include "mm/swap.h"
#include "mm/vmstat.h"
#include "mm/zone.h"

namespace kernel {

constinit address_space swapper_spaces[MAX_SWAPFILES] = {};

namespace {

constexpr u32 page_cluster = 3; ///< 1 << this many places are read together at most (vm.page-cluster)

// How far ahead reading has paid: pages that were read ahead and then wanted.
constinit u32 swapin_readahead_hits = 4;
constinit u64 prev_offset = 0;

address_space& space_of(swp_entry_t entry) { return swapper_spaces[swp_type(entry)]; }

/// REQUIRES: the page's lock, and SWAP_HAS_CACHE of its place, which is the caller's until this succeeds.
Result<void> add_to_swap_cache(struct page* page, swp_entry_t entry) {
    address_space& space = space_of(entry);
    SpinGuard guard(space.i_pages_lock);
    TRY(space.i_pages.insert(swp_offset(entry), page));
    get_page(page); // the tree's
    page->private_ = entry.val;
    page->set_flags(PageSwapCache);
    space.nrpages++;
    mod_page_state(NR_SWAPCACHE, 1);
    return {};
}

/// REQUIRES: i_pages_lock. The tree's reference is the caller's; the place is still marked.
swp_entry_t take_out(address_space& space, struct page* page) {
    swp_entry_t entry = {page->private_};
    space.i_pages.remove(swp_offset(entry));
    page->clear_flags(PageSwapCache);
    page->private_ = 0;
    space.nrpages--;
    mod_page_state(NR_SWAPCACHE, -1);
    return entry;
}

/// How many places to read when one is wanted (Linux's __swapin_nr_pages).
u64 swapin_nr_pages(u64 offset) {
    u32 hits = __atomic_exchange_n(&swapin_readahead_hits, 0, __ATOMIC_RELAXED);
    u64 pages = 1, before = prev_offset;
    prev_offset = offset;
    if (hits)
        while (pages < hits + 2 && pages < u64{1} << page_cluster) pages *= 2;
    else if (offset == before + 1 || offset + 1 == before)
        pages = 2;
    return pages;
}

/// The page of a place, with a reference: the cached one, or a new one whose transfer has begun.
struct page* read_swap_cache_async(swp_entry_t entry, u32 gfp_flags, bool ahead) {
    struct page* fresh = nullptr;
    for (;;) {
        if (struct page* there = find_get_page(space_of(entry), swp_offset(entry))) {
            if (fresh) put_page(fresh);
            return there;
        }
        if (!fresh && !(fresh = alloc_page(gfp_flags, PageType::Anonymous))) return nullptr;
        Result<void> marked = swapcache_prepare(entry);
        if (marked.ok()) break;
        if (marked.error() != Errno::EEXIST || ahead) {
            put_page(fresh);
            return nullptr;
        }
        schedule_timeout_idle(1); // who has marked it puts it there at once, or takes the mark away
    }
    fresh->set_flags(PageLocked);
    // The tree's nodes come from the reserve; when that is used up, memory is made by asking for a page.
    Result<void> added;
    for (unsigned tries = 0; !(added = add_to_swap_cache(fresh, entry)).ok() && !ahead && tries < 16; tries++)
        if (struct page* wanted = alloc_page(GFP_KERNEL, PageType::Kernel)) put_page(wanted);
    bool reads = added.ok() && swap_readpage(fresh).ok();
    if (reads) {
        if (ahead) fresh->set_flags(PageReadahead);
        lru_cache_add(fresh);
        return fresh;
    }
    if (added.ok())
        delete_from_swap_cache(fresh);
    else
        swapcache_free(entry);
    unlock_page(fresh);
    put_page(fresh);
    return nullptr;
}

} // namespace

bool add_to_swap(struct page* page) {
    swp_entry_t entry = get_swap_page();
    if (!entry.val) return false;
    if (add_to_swap_cache(page, entry).ok()) {
        page->set_flags(PageDirty | PageUptodate); // the place holds nothing yet
        return true;
    }
    swapcache_free(entry);
    return false;
}

void delete_from_swap_cache(struct page* page) {
    address_space& space = space_of({page->private_});
    swp_entry_t entry;
    {
        SpinGuard guard(space.i_pages_lock);
        entry = take_out(space, page);
    }
    swapcache_free(entry);
    put_page(page);
}

bool try_to_free_swap(struct page* page) {
    if (!page->has(PageSwapCache) || page->has(PageWriteback) || page_swapcount(page)) return false;
    delete_from_swap_cache(page);
    page->set_flags(PageDirty);
    return true;
}

void free_swap_cache(struct page* page) {
    if (!page->has(PageSwapCache) || page_mapped(page) || !trylock_page(page))
        return; // else reclaim finds it
    (void)try_to_free_swap(page);
    unlock_page(page);
}

bool remove_from_swap_cache(struct page* page) {
    address_space& space = space_of({page->private_});
    swp_entry_t entry;
    {
        SpinGuard guard(space.i_pages_lock);
        // The tree's reference, and the caller's. A page that nobody names any more may be dirty.
        if (__atomic_load_n(&page->_refcount, __ATOMIC_ACQUIRE) != 2 ||
            (page->has(PageDirty) && page_swapcount(page)))
            return false;
        entry = take_out(space, page);
    }
    swapcache_free(entry);
    put_page(page);
    return true;
}

struct page* lookup_swap_cache(swp_entry_t entry) {
    struct page* page = find_get_page(space_of(entry), swp_offset(entry));
    if (page && page->test_and_clear(PageReadahead))
        __atomic_fetch_add(&swapin_readahead_hits, 1, __ATOMIC_RELAXED);
    return page;
}

struct page* swapin_readahead(swp_entry_t entry) {
    const swap_info_struct& area = swap_info[swp_type(entry)];
    u64 offset = swp_offset(entry), count = swapin_nr_pages(offset);
    u64 first = align_down(offset, count), end = min(first + count, area.max);
    blk_plug plug; // what is read together travels together
    blk_start_plug(plug);
    struct page* wanted = read_swap_cache_async(entry, GFP_KERNEL, false);
    for (u64 at = max<u64>(first, 1); wanted && at < end; at++) {
        if (at == offset) continue;
        struct page* ahead = read_swap_cache_async(swp_entry(swp_type(entry), at),
                                                   GFP_KERNEL | __GFP_NORETRY | __GFP_NOWARN, true);
        if (ahead) put_page(ahead);
    }
    blk_finish_plug(plug);
    return wanted;
}

} // namespace kernel
