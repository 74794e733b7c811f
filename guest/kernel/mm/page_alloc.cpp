// alloc_pages and its slow path: watermarks, per-CPU lists, kswapd, direct reclaim, the OOM killer. See
// zone.h.
#include "arch/x86_64/smp.h"
#include "lib/log.h"
#include "lib/string.h"
#include "mm/reclaim.h"
#include "mm/vmstat.h"
#include "mm/zone.h"
#include "sched/scheduler.h"
#include "task/task.h"
#include "time/tick.h"

namespace kernel {
namespace {

enum AllocFlag : u32 {
    ALLOC_WMARK_MIN = 0,
    ALLOC_WMARK_LOW = 1,
    ALLOC_NO_WATERMARKS = 4,
    ALLOC_HARDER = 0x10,
    ALLOC_HIGH = 0x20
};

ZoneIndex gfp_zone(u32 flags) {
    return flags & __GFP_DMA ? ZONE_DMA : flags & __GFP_DMA32 ? ZONE_DMA32 : ZONE_NORMAL;
}

bool zone_watermark_ok(const struct zone& zone, unsigned order, ZoneIndex highest, u32 alloc_flags) {
    if (alloc_flags & ALLOC_NO_WATERMARKS) return true;
    u64 mark = zone._watermark[alloc_flags & ALLOC_WMARK_LOW ? WMARK_LOW : WMARK_MIN];
    if (alloc_flags & ALLOC_HIGH) mark -= mark / 2;
    if (alloc_flags & ALLOC_HARDER) mark -= mark / 4;
    u64 free = __atomic_load_n(&zone.free_pages, __ATOMIC_RELAXED);
    if (free < mark + zone.lowmem_reserve[highest] + (u64{1} << order)) return false;
    if (!order) return true;
    for (unsigned have = order; have <= MaxOrder; have++)
        if (zone.free_area[have].nr_free) return true;
    return false;
}

struct page* rmqueue_pcplist(struct zone& zone) {
    bool interrupts = local_irq_save();
    per_cpu_pages& pcp = zone.per_cpu_pageset[smp_processor_id()];
    if (!pcp.count) pcp.count = rmqueue_bulk(zone, zone.pcp_batch, pcp.list);
    list_head* node = pcp.count ? pcp.list.pop_front() : nullptr;
    if (node) pcp.count--;
    local_irq_restore(interrupts);
    return node ? container_of(node, struct page, lru) : nullptr;
}

struct page* rmqueue(struct zone& zone, unsigned order) {
    return order ? rmqueue_buddy(zone, order) : rmqueue_pcplist(zone);
}

void count_tagged(PageType tag, i64 change) {
    if (tag == PageType::PageTable) mod_page_state(NR_PAGETABLE, change);
    if (tag == PageType::KernelStack) mod_page_state(NR_KERNEL_STACK, change);
}

void prep_new_page(struct page* page, unsigned order, u32 flags, PageType tag) {
    u64 count = u64{1} << order;
    for (u64 i = 0; i < count; i++) {
        struct page& part = page[i];
        KERNEL_ASSERT(part._refcount == 0);
        part.tag = tag;
        part.order = static_cast<u8>(i ? 0 : order);
        part.flags = i ? u32{PageTail} : 0;
        part._refcount = 1;
        part._mapcount = -1;
        part.lru.initialise();
        part.mapping = nullptr;
        part.index = 0;
        part.private_ = 0;
        part.head_offset = static_cast<u32>(i);
        part.mlock_count = 0;
    }
    if (flags & __GFP_ZERO) memset(page_address(page), 0, PAGE_SIZE << order);
    count_vm_events(PGALLOC, count);
    count_tagged(tag, static_cast<i64>(count));
}

/// From the highest zone that the request allows downwards.
struct page* get_page_from_freelist(unsigned order, u32 flags, u32 alloc_flags) {
    ZoneIndex highest = gfp_zone(flags);
    for (int index = highest; index >= 0; index--) {
        struct zone& zone = zones[index];
        if (!zone.managed_pages || !zone_watermark_ok(zone, order, highest, alloc_flags)) continue;
        if (struct page* page = rmqueue(zone, order)) return page;
    }
    return nullptr;
}

/// Whether the caller may sleep, whatever its flags say: memory is asked for before there are tasks, and with
/// interrupts off.
bool can_direct_reclaim(u32 flags) {
    task_struct* task = get_current();
    return (flags & __GFP_DIRECT_RECLAIM) && !task->preempt_count && interrupts_enabled() &&
           !(task->flags & (PF_IDLE | PF_MEMALLOC));
}

struct page* __alloc_pages_slowpath(unsigned order, u32 flags) {
    task_struct* task = get_current();
    u32 alloc_flags = ALLOC_WMARK_MIN | (flags & __GFP_HIGH ? u32{ALLOC_HIGH} : 0) |
                      (flags & __GFP_ATOMIC ? u32{ALLOC_HARDER} : 0);
    for (unsigned tries = 0;; tries++) {
        if (flags & __GFP_KSWAPD_RECLAIM) wakeup_kswapd();
        // Who frees memory, and who is about to die and free his, may take the last page.
        bool reserves = (task->flags & PF_MEMALLOC) || tsk_is_oom_victim(*task);
        if (struct page* page =
                get_page_from_freelist(order, flags, reserves ? u32{ALLOC_NO_WATERMARKS} : alloc_flags))
            return page;
        if (!can_direct_reclaim(flags)) return nullptr;
        count_vm_events(ALLOCSTALL);
        on_each_cpu([](void*) { drain_local_pages(); }, nullptr, true);
        u64 progress = try_to_free_pages(order, flags);
        if (progress) tries = 0;
        if (struct page* page = get_page_from_freelist(order, flags, alloc_flags)) return page;
        if (flags & __GFP_NORETRY) return nullptr;
        if (tries < 16 && (progress || wait_for_writeback_progress())) continue;
        if (order > 3 || tsk_is_oom_victim(*task)) return nullptr;
        if (!out_of_memory(flags, order)) return nullptr;
        tries = 0;
    }
}

} // namespace

struct page* alloc_pages(unsigned order, u32 flags, PageType tag) {
    if (order > MaxOrder) return nullptr;
    struct page* page = get_page_from_freelist(order, flags, ALLOC_WMARK_LOW);
    if (!page) page = __alloc_pages_slowpath(order, flags);
    if (page)
        prep_new_page(page, order, flags, tag);
    else if (!(flags & (__GFP_NOWARN | __GFP_ATOMIC)))
        pr_warn("%s: page allocation failure: order:%u, mode:%#x\n", get_current()->comm, order, flags);
    return page;
}

void __free_pages(struct page* page, unsigned order) {
    KERNEL_ASSERT(page->tag != PageType::Free && page->tag != PageType::Reserved && !page->has(PageTail));
    u64 count = u64{1} << order;
    count_tagged(page->tag, -static_cast<i64>(count));
    for (u64 i = 0; i < count; i++) {
        page[i].tag = PageType::Free;
        page[i].flags = 0;
        page[i]._refcount = 0;
    }
    count_vm_events(PGFREE, count);
    struct zone& zone = zones[page->zone];
    if (order) return free_one_page(zone, page, order);
    bool interrupts = local_irq_save();
    per_cpu_pages& pcp = zone.per_cpu_pageset[smp_processor_id()];
    if (zone.pcp_high) {
        pcp.list.push_front(&page->lru);
        if (++pcp.count > zone.pcp_high) {
            // The coldest ones are at the end.
            list_head cold;
            cold.initialise();
            for (u32 i = 0; i < zone.pcp_batch; i++) {
                list_head* last = pcp.list.prev;
                last->remove();
                cold.push_back(last);
            }
            pcp.count -= zone.pcp_batch;
            free_pcppages_bulk(zone, zone.pcp_batch, cold);
        }
    } else {
        free_one_page(zone, page, 0);
    }
    local_irq_restore(interrupts);
}

void drain_local_pages() {
    for (struct zone& zone : zones) {
        if (!zone.managed_pages) continue;
        bool interrupts = local_irq_save();
        per_cpu_pages& pcp = zone.per_cpu_pageset[smp_processor_id()];
        u32 count = pcp.count;
        pcp.count = 0;
        if (count) free_pcppages_bulk(zone, count, pcp.list);
        local_irq_restore(interrupts);
    }
}

u64 zone_pcp_pages(const struct zone& zone) {
    u64 pages = 0;
    for (const per_cpu_pages& pcp : zone.per_cpu_pageset) pages += pcp.count;
    return pages;
}

/// The image (the zero page is in it) and firmware's memory are not counted and never freed.
static bool is_permanent(const struct page* page) {
    return page->tag == PageType::Reserved || page->tag == PageType::KernelText ||
           page->tag == PageType::KernelData;
}

void get_page(struct page* page) {
    if (is_permanent(page)) return;
    __atomic_fetch_add(&page->_refcount, 1, __ATOMIC_RELAXED);
}

bool get_page_unless_zero(struct page* page) {
    i32 count = __atomic_load_n(&page->_refcount, __ATOMIC_RELAXED);
    while (count > 0)
        if (__atomic_compare_exchange_n(&page->_refcount, &count, count + 1, false, __ATOMIC_ACQUIRE,
                                        __ATOMIC_RELAXED))
            return true;
    return false;
}

void put_page(struct page* page) {
    if (is_permanent(page)) return;
    KERNEL_ASSERT(page->_refcount > 0);
    if (__atomic_sub_fetch(&page->_refcount, 1, __ATOMIC_ACQ_REL)) return;
    if (page->has(PageLru)) lru_cache_del(page);
    __free_pages(page, page->order);
}

} // namespace kernel
