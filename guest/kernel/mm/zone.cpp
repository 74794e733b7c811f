// The buddy allocator; see zone.h for its invariants.
#include "mm/zone.h"

#include "lib/log.h"
#include "lib/string.h"
#include "mm/memblock.h"
#include "mm/paging.h"

namespace kernel {

constinit Zone zones[ZoneCount] = {Zone("DMA"), Zone("DMA32"), Zone("Normal")};
constinit u64 max_page_frame = 0;

namespace {

constexpr u64 ZoneLimits[ZoneCount] = {16 * MiB >> PageShift, 4 * GiB >> PageShift, ~u64{0}};

constexpr ZoneIndex zone_of_frame(u64 frame) {
    return frame < ZoneLimits[ZoneDma] ? ZoneDma : frame < ZoneLimits[ZoneDma32] ? ZoneDma32 : ZoneNormal;
}

void add_free_block(Zone& zone, Page* page, unsigned order) {
    page->tag = PageType::Free;
    page->order = static_cast<u8>(order);
    page->flags = PageBuddy;
    zone.free_area[order].list.push_front(&page->links);
    zone.free_area[order].free_count++;
}

void remove_free_block(Zone& zone, Page* page, unsigned order) {
    page->links.remove();
    page->flags &= static_cast<u16>(~PageBuddy);
    zone.free_area[order].free_count--;
}

/// REQUIRES: zone.lock. Merges with free buddies upwards.
void free_block_locked(Zone& zone, u64 frame, unsigned order) {
    zone.free_pages += u64{1} << order;
    while (order < MaxOrder) {
        u64 buddy = buddy_of(frame, order);
        if (buddy < zone.start_frame || buddy >= zone.start_frame + zone.spanned_pages) break;
        if (!frame_is_present(buddy)) break;
        Page* other = page_of_frame(buddy);
        if (!(other->flags & PageBuddy) || other->order != order ||
            zone_of_frame(buddy) != zone_of_frame(frame))
            break;
        remove_free_block(zone, other, order);
        frame = merged_block(frame, order);
        order++;
    }
    add_free_block(zone, page_of_frame(frame), order);
}

Page* take_from_zone(Zone& zone, unsigned order) {
    for (unsigned have = order; have <= MaxOrder; have++) {
        ListNode* node = zone.free_area[have].list.front();
        if (!node) continue;
        Page* page = CONTAINER_OF(node, Page, links);
        remove_free_block(zone, page, have);
        while (have > order) { // hand back the upper half, again and again
            have--;
            add_free_block(zone, page + (u64{1} << have), have);
        }
        zone.free_pages -= u64{1} << order;
        zone.allocations++;
        return page;
    }
    return nullptr;
}

} // namespace

void initialise_zones() {
    const RangeList& ram = memblock.memory;
    for (unsigned i = 0; i < ram.count; i++) {
        u64 first = divide_up(ram.ranges[i].base, PageSize), end = ram.ranges[i].end() >> PageShift;
        max_page_frame = max(max_page_frame, end);
        for (u64 frame = first; frame < end;) {
            ZoneIndex index = zone_of_frame(frame);
            u64 stop = min(end, ZoneLimits[index]);
            Zone& zone = zones[index];
            if (!zone.spanned_pages) zone.start_frame = frame;
            zone.spanned_pages = stop - zone.start_frame;
            zone.present_pages += stop - frame;
            frame = stop;
        }
    }
    for (Zone& zone : zones)
        for (FreeArea& area : zone.free_area) area.list.initialise();

    map_mem_map(max_page_frame);
    for (u64 chunk = 0; chunk < max_page_frame; chunk += FramesPerMemMapChunk) {
        if (!frame_is_present(chunk)) continue; // no RAM there, and no part of the array either
        u64 end = min(chunk + FramesPerMemMapChunk, max_page_frame);
        for (u64 frame = chunk; frame < end; frame++) {
            Page* page = page_of_frame(frame);
            page->tag = PageType::Reserved;
            page->refcount = 1;
            page->zone = zone_of_frame(frame);
        }
    }
    pr_info("Zone ranges:\n");
    for (const Zone& zone : zones) {
        if (zone.spanned_pages)
            pr_info("  %-8s [mem 0x%016lx-0x%016lx]\n", zone.name, zone.start_frame << PageShift,
                    ((zone.start_frame + zone.spanned_pages) << PageShift) - 1);
        else
            pr_info("  %-8s empty\n", zone.name);
    }
}

void free_memblock_to_buddy() {
    for (MemoryRange free = memblock.next_free(0); free.size; free = memblock.next_free(free.end())) {
        u64 frame = divide_up(free.base, PageSize), end = free.end() >> PageShift;
        while (frame < end) {
            ZoneIndex index = zone_of_frame(frame);
            unsigned order = largest_order(frame, min(end, ZoneLimits[index]));
            Zone& zone = zones[index];
            IrqSpinGuard guard(zone.lock);
            for (u64 i = frame; i < frame + (u64{1} << order); i++) {
                page_of_frame(i)->tag = PageType::Free;
                page_of_frame(i)->refcount = 0;
            }
            zone.managed_pages += u64{1} << order;
            free_block_locked(zone, frame, order);
            frame += u64{1} << order;
        }
    }
    u64 managed = total_managed_pages();
    for (Zone& zone : zones) {
        Watermarks marks = zone_watermarks(zone.managed_pages, managed);
        zone.watermarks[0] = marks.minimum;
        zone.watermarks[1] = marks.low;
        zone.watermarks[2] = marks.high;
    }
}

u64 release_reserved_range(PhysicalAddress base, PhysicalAddress end) {
    u64 released = 0;
    for (u64 frame = divide_up(base, PageSize); frame < end >> PageShift; frame++) {
        Page* page = page_of_frame(frame);
        Zone& zone = zones[page->zone];
        IrqSpinGuard guard(zone.lock);
        page->refcount = 0;
        zone.managed_pages++;
        free_block_locked(zone, frame, 0);
        released++;
    }
    return released;
}

Page* allocate_pages(unsigned order, u32 flags, PageType tag) {
    if (order > MaxOrder) return nullptr;
    int highest = flags & AllocateDma ? ZoneDma : flags & AllocateDma32 ? ZoneDma32 : ZoneNormal;
    for (int index = highest; index >= 0; index--) {
        Zone& zone = zones[index];
        if (!zone.managed_pages) continue;
        Page* page;
        {
            IrqSpinGuard guard(zone.lock);
            u64 floor = flags & AllocateAtomic ? 0 : zone.watermarks[0];
            if (zone.free_pages < floor + (u64{1} << order)) continue;
            page = take_from_zone(zone, order);
            if (!page) continue;
        }
        u64 count = u64{1} << order;
        for (u64 i = 0; i < count; i++) {
            Page& part = page[i];
            part.tag = tag;
            part.order = static_cast<u8>(i ? 0 : order);
            part.flags = i ? PageTail : 0;
            part.refcount = 1;
            part.links.initialise();
            part.mapping = nullptr;
            part.index = 0;
            part.in_use = part.objects = 0;
            part.head_offset = static_cast<u32>(i);
        }
        if (flags & AllocateZero) memset(address_of(page), 0, PageSize << order);
        return page;
    }
    return nullptr;
}

void free_pages(Page* page, unsigned order) {
    KERNEL_ASSERT(page->tag != PageType::Free && page->tag != PageType::Reserved &&
                  !(page->flags & PageTail));
    u64 frame = frame_of(page), count = u64{1} << order;
    for (u64 i = 0; i < count; i++) {
        page[i].tag = PageType::Free;
        page[i].flags = 0;
        page[i].refcount = 0;
    }
    Zone& zone = zones[page->zone];
    IrqSpinGuard guard(zone.lock);
    zone.frees++;
    free_block_locked(zone, frame, order);
}

/// The image (the zero page is in it) and firmware's memory are not counted and never freed.
static bool is_permanent(const Page* page) {
    return page->tag == PageType::Reserved || page->tag == PageType::KernelText ||
           page->tag == PageType::KernelData;
}

void get_page(Page* page) {
    if (is_permanent(page)) return;
    __atomic_fetch_add(&page->refcount, 1, __ATOMIC_RELAXED);
}

void put_page(Page* page) {
    if (is_permanent(page)) return;
    KERNEL_ASSERT(page->refcount > 0);
    if (__atomic_sub_fetch(&page->refcount, 1, __ATOMIC_ACQ_REL) == 0) free_pages(page, page->order);
}

u64 total_managed_pages() {
    u64 total = 0;
    for (const Zone& zone : zones) total += zone.managed_pages;
    return total;
}

u64 total_free_pages() {
    u64 total = 0;
    for (const Zone& zone : zones) total += zone.free_pages;
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
