// The buddy allocator; see zone.h for its invariants.
#include "mm/zone.h"

#include "lib/log.h"
#include "lib/string.h"
#include "mm/memblock.h"
#include "mm/paging.h"

namespace kernel {

constinit struct zone zones[MAX_NR_ZONES] = {zone("DMA"), zone("DMA32"), zone("Normal")};
constinit u64 max_pfn = 0;

namespace {

constexpr u64 ZoneLimits[MAX_NR_ZONES] = {16 * MiB >> PAGE_SHIFT, 4 * GiB >> PAGE_SHIFT, ~u64{0}};

constexpr ZoneIndex zone_of_frame(u64 frame) {
    return frame < ZoneLimits[ZONE_DMA]     ? ZONE_DMA
           : frame < ZoneLimits[ZONE_DMA32] ? ZONE_DMA32
                                            : ZONE_NORMAL;
}

void add_to_free_list(struct zone& zone, struct page* page, unsigned order) {
    page->tag = PageType::Free;
    page->order = static_cast<u8>(order);
    page->flags = PageBuddy;
    zone.free_area[order].free_list.push_front(&page->lru);
    zone.free_area[order].nr_free++;
}

void del_page_from_free_list(struct zone& zone, struct page* page, unsigned order) {
    page->lru.remove();
    page->flags &= ~u32{PageBuddy};
    zone.free_area[order].nr_free--;
}

/// REQUIRES: zone.lock. Merges with free buddies upwards.
void __free_one_page(struct zone& zone, u64 frame, unsigned order) {
    zone.free_pages += u64{1} << order;
    while (order < MaxOrder) {
        u64 buddy = buddy_of(frame, order);
        if (buddy < zone.zone_start_pfn || buddy >= zone.zone_start_pfn + zone.spanned_pages) break;
        if (!pfn_valid(buddy)) break;
        struct page* other = pfn_to_page(buddy);
        if (!(other->flags & PageBuddy) || other->order != order ||
            zone_of_frame(buddy) != zone_of_frame(frame))
            break;
        del_page_from_free_list(zone, other, order);
        frame = merged_block(frame, order);
        order++;
    }
    add_to_free_list(zone, pfn_to_page(frame), order);
}

/// A block of order `have` becomes one of order `order`: the upper half goes back, again and again.
void expand(struct zone& zone, struct page* page, unsigned order, unsigned have) {
    while (have > order) {
        have--;
        add_to_free_list(zone, page + (u64{1} << have), have);
    }
}

/// REQUIRES: zone.lock.
struct page* __rmqueue_smallest(struct zone& zone, unsigned order) {
    for (unsigned have = order; have <= MaxOrder; have++) {
        list_head* node = zone.free_area[have].free_list.front();
        if (!node) continue;
        struct page* page = container_of(node, struct page, lru);
        del_page_from_free_list(zone, page, have);
        expand(zone, page, order, have);
        zone.free_pages -= u64{1} << order;
        zone.allocations++;
        return page;
    }
    return nullptr;
}

} // namespace

void free_area_init() {
    const RangeList& ram = memblock.memory;
    for (unsigned i = 0; i < ram.count; i++) {
        u64 first = divide_up(ram.ranges[i].base, PAGE_SIZE), end = ram.ranges[i].end() >> PAGE_SHIFT;
        max_pfn = max(max_pfn, end);
        for (u64 frame = first; frame < end;) {
            ZoneIndex index = zone_of_frame(frame);
            u64 stop = min(end, ZoneLimits[index]);
            struct zone& zone = zones[index];
            if (!zone.spanned_pages) zone.zone_start_pfn = frame;
            zone.spanned_pages = stop - zone.zone_start_pfn;
            zone.present_pages += stop - frame;
            frame = stop;
        }
    }
    for (struct zone& zone : zones)
        for (struct free_area& area : zone.free_area) area.free_list.initialise();

    vmemmap_populate(max_pfn);
    for (u64 chunk = 0; chunk < max_pfn; chunk += FramesPerMemMapChunk) {
        if (!pfn_valid(chunk)) continue; // no RAM there, and no part of the array either
        u64 end = min(chunk + FramesPerMemMapChunk, max_pfn);
        for (u64 frame = chunk; frame < end; frame++) {
            struct page* page = pfn_to_page(frame);
            page->tag = PageType::Reserved;
            page->_refcount = 1;
            page->zone = zone_of_frame(frame);
        }
    }
    pr_info("Zone ranges:\n");
    for (const struct zone& zone : zones) {
        if (zone.spanned_pages)
            pr_info("  %-8s [mem 0x%016lx-0x%016lx]\n", zone.name, zone.zone_start_pfn << PAGE_SHIFT,
                    ((zone.zone_start_pfn + zone.spanned_pages) << PAGE_SHIFT) - 1);
        else
            pr_info("  %-8s empty\n", zone.name);
    }
}

void memblock_free_all() {
    for (MemoryRange free = memblock.next_free(0); free.size; free = memblock.next_free(free.end())) {
        u64 frame = divide_up(free.base, PAGE_SIZE), end = free.end() >> PAGE_SHIFT;
        while (frame < end) {
            ZoneIndex index = zone_of_frame(frame);
            unsigned order = largest_order(frame, min(end, ZoneLimits[index]));
            struct zone& zone = zones[index];
            IrqSpinGuard guard(zone.lock);
            for (u64 i = frame; i < frame + (u64{1} << order); i++) {
                pfn_to_page(i)->tag = PageType::Free;
                pfn_to_page(i)->_refcount = 0;
            }
            zone.managed_pages += u64{1} << order;
            __free_one_page(zone, frame, order);
            frame += u64{1} << order;
        }
    }
    u64 managed = totalram_pages();
    for (struct zone& zone : zones) {
        Watermarks marks = zone_watermarks(zone.managed_pages, managed);
        zone._watermark[0] = marks.minimum;
        zone._watermark[1] = marks.low;
        zone._watermark[2] = marks.high;
        // Linux's zone_batchsize: about a thousandth of the zone, at most 1 MiB, a quarter at a time, 2^n
        // − 1.
        u64 batch = max<u64>(1, min<u64>(zone.managed_pages / 1024, MiB / PAGE_SIZE) / 4);
        zone.pcp_batch = max(1U, (1U << log2_floor(batch + batch / 2)) - 1);
        zone.pcp_high = min<u32>(6 * zone.pcp_batch, static_cast<u32>(marks.minimum / 2));
        for (per_cpu_pages& pcp : zone.per_cpu_pageset) pcp.list.initialise();
    }
    for (int index = 0; index < MAX_NR_ZONES; index++) { // setup_per_zone_lowmem_reserve, ratio 256 : 1
        u64 above = 0;
        for (int higher = index + 1; higher < MAX_NR_ZONES; higher++) {
            above += zones[higher].managed_pages;
            zones[index].lowmem_reserve[higher] = above / 256;
        }
    }
}

u64 free_reserved_area(PhysicalAddress base, PhysicalAddress end) {
    u64 released = 0;
    for (u64 frame = divide_up(base, PAGE_SIZE); frame < end >> PAGE_SHIFT; frame++) {
        struct page* page = pfn_to_page(frame);
        struct zone& zone = zones[page->zone];
        IrqSpinGuard guard(zone.lock);
        page->_refcount = 0;
        zone.managed_pages++;
        __free_one_page(zone, frame, 0);
        released++;
    }
    return released;
}

struct page* rmqueue_buddy(struct zone& zone, unsigned order) {
    IrqSpinGuard guard(zone.lock);
    return __rmqueue_smallest(zone, order);
}

void free_one_page(struct zone& zone, struct page* page, unsigned order) {
    IrqSpinGuard guard(zone.lock);
    zone.frees++;
    __free_one_page(zone, page_to_pfn(page), order);
}

u32 rmqueue_bulk(struct zone& zone, u32 count, list_head& list) {
    IrqSpinGuard guard(zone.lock);
    for (u32 i = 0; i < count; i++) {
        struct page* page = __rmqueue_smallest(zone, 0);
        if (!page) return i;
        list.push_back(&page->lru);
    }
    return count;
}

void free_pcppages_bulk(struct zone& zone, u32 count, list_head& list) {
    IrqSpinGuard guard(zone.lock);
    for (; count; count--) {
        struct page* page = container_of(list.pop_front(), struct page, lru);
        zone.frees++;
        __free_one_page(zone, page_to_pfn(page), 0);
    }
}

u64 totalram_pages() {
    u64 total = 0;
    for (const struct zone& zone : zones) total += zone.managed_pages;
    return total;
}

u64 nr_free_pages() {
    u64 total = 0;
    for (const struct zone& zone : zones) total += zone.free_pages + zone_pcp_pages(zone);
    return total;
}

const char* page_type_name(PageType type) {
    constexpr const char* names[] = {"free",       "reserved",  "kernel-text", "kernel-data",  "slab",
                                     "page-table", "anonymous", "page-cache",  "kernel-stack", "vmalloc",
                                     "mem-map",    "kernel",    "init"};
    static_assert(array_size(names) == static_cast<usize>(PageType::Count));
    return type < PageType::Count ? names[static_cast<usize>(type)] : "?";
}

} // namespace kernel
