// Zones and the buddy page allocator.
//
// Interface: allocate_pages(order, flags) → Page*; free_pages(page, order). get_page/put_page count
// references of order-0 and higher blocks alike. Zones: DMA (below 16 MiB), DMA32 (below 4 GiB), Normal. A
// request starts at the highest zone that it allows and falls back downwards.
//
// Invariants (under Zone::lock): each free block is on free_area[order] of its zone with PageBuddy set; no
// two free buddies of one order below MaxOrder exist; free_pages equals the sum over the areas.
#pragma once

#include "mm/buddy_math.h"
#include "mm/page.h"
#include "sync/spinlock.h"

namespace kernel {

enum AllocationFlags : u32 {
    AllocateKernel = 0,
    AllocateDma = 1 << 0,
    AllocateDma32 = 1 << 1,
    AllocateZero = 1 << 2,
    AllocateAtomic = 1 << 3, ///< may use the reserve below the minimum watermark
};

struct FreeArea {
    ListNode list;
    u64 free_count = 0;
};

enum ZoneIndex : u8 { ZoneDma, ZoneDma32, ZoneNormal, ZoneCount };

struct Zone {
    explicit constexpr Zone(const char* zone_name) : lock("zone") {
        for (unsigned i = 0; zone_name[i]; i++) name[i] = zone_name[i];
    }
    char name[16] = {};
    u64 start_frame = 0;
    u64 spanned_pages = 0; ///< from the first to the last frame, holes included
    u64 present_pages = 0; ///< RAM
    u64 managed_pages = 0; ///< handed to the buddy allocator
    u64 free_pages = 0;
    u64 watermarks[3] = {}; ///< min, low, high
    FreeArea free_area[OrderCount] = {};
    SpinLock lock;
    u64 allocations = 0, frees = 0;
};

extern Zone zones[ZoneCount];

/// Divides memblock's RAM into zones and builds the Page array (needs the final page tables).
void initialise_zones();
/// Gives all memory that memblock has not reserved to the buddy allocator.
void free_memblock_to_buddy();
/// Counts [base, end) as ordinary memory from now on (free_initmem).
u64 release_reserved_range(PhysicalAddress base, PhysicalAddress end);

Page* allocate_pages(unsigned order, u32 flags, PageType tag);
void free_pages(Page* page, unsigned order);
inline Page* allocate_page(u32 flags, PageType tag) { return allocate_pages(0, flags, tag); }

void get_page(Page* page);
/// Frees the block with its last reference.
void put_page(Page* page);

u64 total_managed_pages();
u64 total_free_pages();

} // namespace kernel
