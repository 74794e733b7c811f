// Swapping: anonymous pages on a disk.
//
// A swap area (swap_info_struct) is a partition or a file whose pages are numbered; swap_map counts, for
// each, the page-table entries that name it, and says whether the swap cache has it. The swap cache (one
// address_space for each area, by number of the place) holds pages that are in memory and have a place on the
// disk: on their way out, or read back and not yet changed. PageDirty: the place does not hold what the page
// does.
//
// Out (vmscan.cpp): add_to_swap → try_to_unmap (entries name the place) → swap_writepage → freed when written
// and still unmapped. In (swap_fault.cpp): an entry that names a place → swap cache, or read → mapped; the
// last entry's page leaves the cache when it is to be written to.
//
// Invariants: a place with a count of 0 and without cache is free. PageSwapCache, private_ and the cache's
// tree change under the page's lock. Lock order: page lock, page_table_lock, i_pages_lock of the swap cache,
// swap_info_struct::lock.
#pragma once

#include "fs/address_space.h"
#include "mm/page_walk.h"
#include "sync/spinlock.h"

namespace kernel {

struct page;
struct dentry;
struct inode;
struct block_device;
struct seq_file;
struct mm_struct;

/// As a page-table entry that is not present: the area in bits 63–59, the place, inverted, in 58–9 (Linux's
/// arch/x86/include/asm/pgtable_64.h; bit 8 stays 0, it would mean PROT_NONE).
struct swp_entry_t {
    u64 val; ///< area << 58 | place
};
inline constexpr u64 SwapOffsetBits = 50;
inline constexpr swp_entry_t swp_entry(u64 type, u64 offset) { return {type << 58 | offset}; }
inline constexpr u64 swp_type(swp_entry_t entry) { return entry.val >> 58; }
inline constexpr u64 swp_offset(swp_entry_t entry) { return entry.val & ((u64{1} << 58) - 1); }
inline constexpr u64 swp_entry_to_pte(swp_entry_t entry) {
    return swp_type(entry) << 59 | ((~swp_offset(entry) & ((u64{1} << SwapOffsetBits) - 1)) << 9);
}
inline constexpr swp_entry_t pte_to_swp_entry(u64 pte) {
    return swp_entry(pte >> 59, ~(pte >> 9) & ((u64{1} << SwapOffsetBits) - 1));
}
static_assert(!pte::holds_page(swp_entry_to_pte(swp_entry(31, 0))) && swp_entry_to_pte(swp_entry(0, 1)) != 0);
static_assert(swp_offset(pte_to_swp_entry(swp_entry_to_pte(swp_entry(3, 12345)))) == 12345 &&
              swp_type(pte_to_swp_entry(swp_entry_to_pte(swp_entry(3, 12345)))) == 3);

inline constexpr unsigned MAX_SWAPFILES = 8;
inline constexpr u16 SWAP_HAS_CACHE = 0x8000, SWAP_MAP_MAX = 0x7ffe, SWAP_MAP_BAD = 0x7fff;
enum SwapFlag : u32 { SWP_USED = 1, SWP_WRITEOK = 2, SWP_BLKDEV = 16 };

/// Neighbouring pages of the area that are neighbours on the disk too.
struct swap_extent {
    u64 start_page, nr_pages, start_sector;
};

struct swap_info_struct {
    spinlock_t lock{"swap_info"}; ///< swap_map, the counts
    u32 flags = 0;
    i32 prio = 0;
    u64 max = 0;          ///< pages, the header's included
    u64 pages = 0;        ///< usable ones
    u64 inuse_pages = 0;  ///< with an entry, or in the cache
    u64 cluster_next = 1; ///< where the next place is looked for
    u16* swap_map = nullptr;
    struct block_device* bdev = nullptr;
    struct dentry* swap_file = nullptr; ///< with a reference
    swap_extent* extents = nullptr;
    u32 nr_extents = 0;
};
extern swap_info_struct swap_info[MAX_SWAPFILES];
extern address_space swapper_spaces[MAX_SWAPFILES];
extern u64 nr_swap_pages, total_swap_pages; ///< free, and all

void swap_init();
bool is_swap_device(u64 device);

// --- places (swapfile.cpp)
/// A free place, with SWAP_HAS_CACHE; val 0 when there is none.
swp_entry_t get_swap_page();
/// One entry more names it; false when it has as many as can be counted, or none such exists.
bool swap_duplicate(swp_entry_t entry);
/// SWAP_HAS_CACHE for a place that entries name: EEXIST when it has, ENOENT when nobody names it any more.
Result<void> swapcache_prepare(swp_entry_t entry);
/// The cache lets it go.
void swapcache_free(swp_entry_t entry);
/// An entry goes.
void swap_free(swp_entry_t entry);
/// The same, and the cached page goes too when it was the last.
void free_swap_and_cache(swp_entry_t entry);
/// Somebody does.
bool page_is_named(swp_entry_t entry);
/// How many entries name the place of a page in the swap cache.
u32 page_swapcount(const struct page* page);
u64 swap_sector(const swap_info_struct& area, u64 offset);
/// Half of it is in use: places are not kept for pages that are back.
inline bool vm_swap_full() {
    return __atomic_load_n(&nr_swap_pages, __ATOMIC_RELAXED) * 2 <
           __atomic_load_n(&total_swap_pages, __ATOMIC_RELAXED);
}

// --- the swap cache (swap_state.cpp). REQUIRES: the page's lock, but for the look-ups.
/// A locked anonymous page gets a place. False: there is none, or no memory.
bool add_to_swap(struct page* page);
/// Its place goes, when nobody else names it and it is not being written: the page is like new. REQUIRES: not
/// an interrupt.
bool try_to_free_swap(struct page* page);
void delete_from_swap_cache(struct page* page);
/// An entry that mapped the page is gone: nobody may need its place any more. REQUIRES: a reference.
void free_swap_cache(struct page* page);
/// Out of the cache and unmapped with the caller's reference as the only other one: false when it is used.
bool remove_from_swap_cache(struct page* page);
/// The page with a reference, perhaps still being read (locked), or null.
struct page* lookup_swap_cache(swp_entry_t entry);
/// The same; read when it is not there, its neighbours too. Null: no memory, or nobody names it any more.
struct page* swapin_readahead(swp_entry_t entry);

// --- transfers (page_io.cpp)
/// Waits while very much is being written.
void throttle_swap_writes();
/// Starts to write a locked page, and unlocks it.
void swap_writepage(struct page* page);
/// Starts to read into a locked page, which is unlocked when it is there.
Result<void> swap_readpage(struct page* page);

} // namespace kernel
