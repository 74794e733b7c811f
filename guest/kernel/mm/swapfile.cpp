// Swap areas: their places, and what /proc/swaps shows. swapon and swapoff are in swapon.cpp. See swap.h.
#include "block/block.h"
#include "fs/proc/proc.h"
#include "fs/vfs.h"
#include "lib/log.h"
#include "mm/page.h"
#include "mm/rmap.h"
#include "mm/slab.h"
#include "mm/swap.h"
#include "mm/zone.h"

namespace kernel {

constinit swap_info_struct swap_info[MAX_SWAPFILES] = {};
constinit u64 nr_swap_pages = 0, total_swap_pages = 0;

namespace {

/// A free place behind the last one that was taken, or from the start. REQUIRES: the area's lock.
u64 scan_swap_map_slots(swap_info_struct& area) {
    for (u64 looked = 0; looked < area.max; looked++) {
        u64 at = area.cluster_next;
        area.cluster_next = at + 1 < area.max ? at + 1 : 1;
        if (!area.swap_map[at]) return at;
    }
    return 0;
}

/// REQUIRES: the area's lock. The count has fallen, or the cache's mark gone.
void swap_range_free(swap_info_struct& area, u64 offset) {
    if (area.swap_map[offset]) return;
    area.inuse_pages--;
    if (area.flags & SWP_WRITEOK) __atomic_fetch_add(&nr_swap_pages, 1, __ATOMIC_RELAXED);
}

/// The area of an entry, or null when it names no place of one: a page table that somebody has overwritten.
swap_info_struct* get_swap_device(swp_entry_t entry) {
    if (swp_type(entry) < MAX_SWAPFILES) {
        swap_info_struct& area = swap_info[swp_type(entry)];
        if ((area.flags & SWP_USED) && swp_offset(entry) < area.max) return &area;
    }
    pr_err("BUG: bad swap file entry %lx\n", entry.val);
    return nullptr;
}

/// What is left of the place's count.
u16 swap_entry_free(swp_entry_t entry) {
    swap_info_struct* area = get_swap_device(entry);
    if (!area) return 0;
    SpinGuard guard(area->lock);
    u16& count = area->swap_map[swp_offset(entry)];
    if (!(count & ~SWAP_HAS_CACHE)) {
        pr_err("BUG: bad swap offset entry %lx\n", entry.val);
        return 0;
    }
    u16 left = --count;
    swap_range_free(*area, swp_offset(entry));
    return left;
}

} // namespace

void swap_init() {
    for (address_space& space : swapper_spaces) space.i_mmap.initialise();
}

bool is_swap_device(u64 device) {
    for (const swap_info_struct& area : swap_info)
        if ((area.flags & (SWP_USED | SWP_BLKDEV)) == (SWP_USED | SWP_BLKDEV) && area.bdev->i_rdev == device)
            return true;
    return false;
}

swp_entry_t get_swap_page() {
    if (!__atomic_load_n(&nr_swap_pages, __ATOMIC_RELAXED)) return {0};
    // The highest priority first; equals take turns, a cluster each.
    constexpr u64 SWAPFILE_CLUSTER = 256;
    static u64 turn = 0;
    for (i32 below = 0x8000;;) {
        i32 best = -0x8000;
        for (const swap_info_struct& area : swap_info)
            if ((area.flags & SWP_WRITEOK) && area.prio < below) best = max(best, area.prio);
        if (best == -0x8000) return {0};
        const u64 first = __atomic_load_n(&turn, __ATOMIC_RELAXED);
        for (u64 i = 0; i < MAX_SWAPFILES; i++) {
            const u64 type = (first + i) % MAX_SWAPFILES;
            swap_info_struct& area = swap_info[type];
            SpinGuard guard(area.lock);
            if (!(area.flags & SWP_WRITEOK) || area.prio != best) continue;
            if (u64 offset = scan_swap_map_slots(area)) {
                area.swap_map[offset] = SWAP_HAS_CACHE;
                area.inuse_pages++;
                __atomic_store_n(&turn, type + (offset % SWAPFILE_CLUSTER == SWAPFILE_CLUSTER - 1),
                                 __ATOMIC_RELAXED);
                __atomic_fetch_sub(&nr_swap_pages, 1, __ATOMIC_RELAXED);
                return swp_entry(type, offset);
            }
        }
        below = best;
    }
}

bool swap_duplicate(swp_entry_t entry) {
    swap_info_struct* area = get_swap_device(entry);
    if (!area) return false;
    SpinGuard guard(area->lock);
    u16& count = area->swap_map[swp_offset(entry)];
    if (!count || (count & ~SWAP_HAS_CACHE) >= SWAP_MAP_MAX) return false;
    count++;
    return true;
}

Result<void> swapcache_prepare(swp_entry_t entry) {
    swap_info_struct& area = swap_info[swp_type(entry)];
    SpinGuard guard(area.lock);
    if (!(area.flags & SWP_USED) || !area.swap_map || swp_offset(entry) >= area.max) return Errno::ENOENT;
    u16& count = area.swap_map[swp_offset(entry)];
    if (count & SWAP_HAS_CACHE) return Errno::EEXIST;
    if (!count || count == SWAP_MAP_BAD) return Errno::ENOENT;
    count |= SWAP_HAS_CACHE;
    return {};
}

void swapcache_free(swp_entry_t entry) {
    swap_info_struct& area = swap_info[swp_type(entry)];
    SpinGuard guard(area.lock);
    u16& count = area.swap_map[swp_offset(entry)];
    KERNEL_ASSERT(count & SWAP_HAS_CACHE);
    count = static_cast<u16>(count & ~SWAP_HAS_CACHE);
    swap_range_free(area, swp_offset(entry));
}

void swap_free(swp_entry_t entry) { (void)swap_entry_free(entry); }

void free_swap_and_cache(swp_entry_t entry) {
    if (swap_entry_free(entry) != SWAP_HAS_CACHE) return;
    struct page* page = find_get_page(swapper_spaces[swp_type(entry)], swp_offset(entry));
    if (!page) return;
    if (trylock_page(page)) { // else reclaim finds it
        if (page->has(PageSwapCache) && page->private_ == entry.val && !page_mapped(page))
            (void)try_to_free_swap(page);
        unlock_page(page);
    }
    put_page(page);
}

bool page_is_named(swp_entry_t entry) {
    // The caller holds nothing: the entry may be gone, and the area with it, or be another one's by now.
    if (swp_type(entry) >= MAX_SWAPFILES) return false;
    swap_info_struct& area = swap_info[swp_type(entry)];
    SpinGuard guard(area.lock);
    if (!(area.flags & SWP_USED) || !area.swap_map || swp_offset(entry) >= area.max) return false;
    return area.swap_map[swp_offset(entry)] & ~SWAP_HAS_CACHE;
}

u32 page_swapcount(const struct page* page) {
    swp_entry_t entry = {page->private_};
    swap_info_struct& area = swap_info[swp_type(entry)];
    SpinGuard guard(area.lock);
    return area.swap_map[swp_offset(entry)] & ~SWAP_HAS_CACHE;
}

u64 swap_sector(const swap_info_struct& area, u64 offset) {
    u32 low = 0, high = area.nr_extents; // the last that begins at or before it
    while (high - low > 1) {
        u32 middle = (low + high) / 2;
        (area.extents[middle].start_page <= offset ? low : high) = middle;
    }
    const swap_extent& extent = area.extents[low];
    return extent.start_sector + (offset - extent.start_page) * (PAGE_SIZE / SectorSize);
}

void show_swaps(seq_file& out) {
    out.print("Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n");
    auto* path = static_cast<char*>(kmalloc(PathMax));
    for (const swap_info_struct& area : swap_info) {
        if (!path || !(area.flags & SWP_USED) || !area.swap_map) continue;
        Result<char*> name = d_path(area.swap_file, path, PathMax);
        const char* shown = name.ok() ? name.value() : "?";
        int length = static_cast<int>(strlen(shown));
        u64 size = area.pages * 4, used = area.inuse_pages * 4;
        out.print("%s%*s%s\t%lu%s\t%lu%s\t%d\n", shown, length < 40 ? 40 - length : 1, " ",
                  area.flags & SWP_BLKDEV ? "partition" : "file\t", size, size < 10000000 ? "\t" : "", used,
                  used < 10000000 ? "\t" : "", area.prio);
    }
    kfree(path);
}

} // namespace kernel
