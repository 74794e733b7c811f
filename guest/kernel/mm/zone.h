// Zones and the buddy page allocator.
//
// Interface: alloc_pages(order, flags) → page*; __free_pages(page, order). get_page/put_page count
// references of order-0 and higher blocks alike. Zones: DMA (below 16 MiB), DMA32 (below 4 GiB), Normal. A
// request starts at the highest zone that it allows and falls back downwards.
//
// Invariants (under zone::lock): each free block is on free_area[order] of its zone with PageBuddy set; no
// two free buddies of one order below MaxOrder exist; free_pages equals the sum over the areas.
#pragma once

#include "mm/buddy_math.h"
#include "mm/page.h"
#include "sync/spinlock.h"

namespace kernel {

enum gfp_t : u32 {
    GFP_KERNEL = 0,
    GFP_DMA = 1 << 0,
    GFP_DMA32 = 1 << 1,
    __GFP_ZERO = 1 << 2,
    GFP_ATOMIC = 1 << 3, ///< may use the reserve below the minimum watermark
};

struct free_area {
    list_head free_list;
    u64 nr_free = 0;
};

enum ZoneIndex : u8 { ZONE_DMA, ZONE_DMA32, ZONE_NORMAL, MAX_NR_ZONES };

struct zone {
    explicit constexpr zone(const char* zone_name) : lock("zone") {
        for (unsigned i = 0; zone_name[i]; i++) name[i] = zone_name[i];
    }
    char name[16] = {};
    u64 zone_start_pfn = 0;
    u64 spanned_pages = 0; ///< from the first to the last frame, holes included
    u64 present_pages = 0; ///< RAM
    u64 managed_pages = 0; ///< handed to the buddy allocator
    u64 free_pages = 0;
    u64 _watermark[3] = {}; ///< min, low, high
    struct free_area free_area[MAX_ORDER] = {};
    spinlock_t lock;
    u64 allocations = 0, frees = 0;
};

extern struct zone zones[MAX_NR_ZONES];

/// Divides memblock's RAM into zones and builds the page array (needs the final page tables).
void free_area_init();
/// Gives all memory that memblock has not reserved to the buddy allocator.
void memblock_free_all();
/// Counts [base, end) as ordinary memory from now on (free_initmem).
u64 free_reserved_area(PhysicalAddress base, PhysicalAddress end);

struct page* alloc_pages(unsigned order, u32 flags, PageType tag);
void __free_pages(struct page* page, unsigned order);
inline struct page* alloc_page(u32 flags, PageType tag) { return alloc_pages(0, flags, tag); }

void get_page(struct page* page);
/// Frees the block with its last reference.
void put_page(struct page* page);

u64 totalram_pages();
u64 nr_free_pages();

} // namespace kernel
