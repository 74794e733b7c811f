// Zones and the page allocator: per-CPU lists in front of the buddy system.
//
// Interface: alloc_pages(order, flags) → page*; __free_pages(page, order). get_page/put_page count references
// of order-0 and higher blocks alike. Zones: DMA (below 16 MiB), DMA32 (below 4 GiB), Normal. A request
// starts at the highest zone that it allows and falls back downwards (the node's zonelist). Above the low
// watermark it takes what it wants; below it kswapd is woken; below the minimum it must reclaim by itself
// (page_alloc.cpp), and when that fails a process is killed (oom_kill.cpp).
//
// Invariants (under zone::lock): each free block is on free_area[order] of its zone with PageBuddy set; no
// two free buddies of one order below MaxOrder exist; free_pages equals the sum over the areas. The pages on
// a CPU's list are free for its next requests (tag Free, no PageBuddy); they are touched with interrupts off.
#pragma once

#include "mm/buddy_math.h"
#include "mm/gfp.h"
#include "mm/page.h"
#include "sync/spinlock.h"

namespace kernel {

struct free_area {
    list_head free_list;
    u64 nr_free = 0;
};

enum ZoneIndex : u8 { ZONE_DMA, ZONE_DMA32, ZONE_NORMAL, MAX_NR_ZONES };

/// Pages that one CPU keeps for itself.
struct per_cpu_pages {
    list_head list;
    u32 count = 0;
};

enum { WMARK_MIN, WMARK_LOW, WMARK_HIGH };

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
    u64 _watermark[3] = {};                ///< min, low, high
    u64 lowmem_reserve[MAX_NR_ZONES] = {}; ///< kept from requests that a higher zone could serve
    struct free_area free_area[MAX_ORDER] = {};
    spinlock_t lock;
    u64 allocations = 0, frees = 0;
    u32 pcp_high = 0, pcp_batch = 1; ///< a CPU's list: when it gives back, and how much at a time
    per_cpu_pages per_cpu_pageset[NR_CPUS] = {};
};

extern struct zone zones[MAX_NR_ZONES];

/// Divides memblock's RAM into zones and builds the page array (needs the final page tables).
void free_area_init();
/// Gives all memory that memblock has not reserved to the buddy allocator.
void memblock_free_all();
/// Counts [base, end) as ordinary memory from now on (free_initmem).
u64 free_reserved_area(PhysicalAddress base, PhysicalAddress end);

/// Takes a block off the free lists, or gives it back. (zone.cpp)
struct page* rmqueue_buddy(struct zone& zone, unsigned order);
void free_one_page(struct zone& zone, struct page* page, unsigned order);
/// Up to `count` single pages to or from `list` under one lock.
u32 rmqueue_bulk(struct zone& zone, u32 count, list_head& list);
void free_pcppages_bulk(struct zone& zone, u32 count, list_head& list);

struct page* alloc_pages(unsigned order, u32 flags, PageType tag);
void __free_pages(struct page* page, unsigned order);
inline struct page* alloc_page(u32 flags, PageType tag) { return alloc_pages(0, flags, tag); }

/// Gives this CPU's lists back to the zones.
void drain_local_pages();
u64 zone_pcp_pages(const struct zone& zone);

void get_page(struct page* page);
/// False when the last reference is gone already.
bool get_page_unless_zero(struct page* page);
/// Frees the block with its last reference.
void put_page(struct page* page);

u64 totalram_pages();
u64 nr_free_pages();

} // namespace kernel
