// /proc's memory files. Formats: Linux's fs/proc/meminfo.c, mm/vmstat.c, mm/slab_common.c describe the
// columns.
#include "arch/x86_64/segments.h"
#include "block/block.h"
#include "fs/proc/proc.h"
#include "mm/memblock.h"
#include "mm/overcommit.h"
#include "mm/slab.h"
#include "mm/swap.h"
#include "mm/vmstat.h"
#include "mm/vmalloc.h"
#include "sched/scheduler.h"
#include "setup.h"

namespace kernel {
namespace {

u64 pages_of(VmallocUse use) {
    u64 bytes = 0;
    for (const vm_struct* area = vmlist; area; area = area->next)
        if (area->use == use) bytes += area->size;
    return bytes >> PAGE_SHIFT;
}

u64 bdev_pages() {
    u64 pages = 0;
    for (const struct block_device* device = block_devices; device; device = device->next)
        pages += device->i_data.nrpages;
    return pages;
}

/// Linux's si_mem_available: what could be had without pushing anybody hard.
u64 available_pages() {
    u64 reserve = 0, low = 0;
    for (const struct zone& zone : zones) {
        u64 most = 0;
        for (u64 pages : zone.lowmem_reserve) most = max(most, pages);
        reserve += min(most + zone._watermark[WMARK_HIGH], zone.managed_pages);
        low += zone._watermark[WMARK_LOW];
    }
    u64 free = nr_free_pages(),
        file = global_page_state(NR_ACTIVE_FILE) + global_page_state(NR_INACTIVE_FILE);
    u64 available = free > reserve ? free - reserve : 0;
    return available + file - min(file / 2, low);
}

} // namespace

void show_meminfo(seq_file& out) {
    auto row = [&](const char* name, u64 pages) {
        out.print("%-16s%8lu kB\n", name, pages * (PAGE_SIZE / KiB));
    };
    auto state = [](vm_stat_item item) { return global_page_state(item); };
    u64 buffers = bdev_pages(), file = state(NR_FILE_PAGES), stacks = pages_of(VmallocUse::Stack);
    row("MemTotal:", totalram_pages());
    row("MemFree:", nr_free_pages());
    row("MemAvailable:", available_pages());
    row("Buffers:", buffers);
    row("Cached:", file > buffers ? file - buffers : 0);
    row("SwapCached:", state(NR_SWAPCACHE));
    row("Active:", state(NR_ACTIVE_ANON) + state(NR_ACTIVE_FILE));
    row("Inactive:", state(NR_INACTIVE_ANON) + state(NR_INACTIVE_FILE));
    row("Active(anon):", state(NR_ACTIVE_ANON));
    row("Inactive(anon):", state(NR_INACTIVE_ANON));
    row("Active(file):", state(NR_ACTIVE_FILE));
    row("Inactive(file):", state(NR_INACTIVE_FILE));
    row("Unevictable:", state(NR_UNEVICTABLE));
    row("Mlocked:", state(NR_MLOCK));
    row("SwapTotal:", total_swap_pages);
    row("SwapFree:", nr_swap_pages);
    row("Dirty:", state(NR_FILE_DIRTY));
    row("Writeback:", state(NR_WRITEBACK));
    row("AnonPages:", state(NR_ANON_MAPPED));
    row("Mapped:", state(NR_FILE_MAPPED));
    row("Shmem:", state(NR_SHMEM));
    row("Slab:", state(NR_SLAB));
    row("KernelStack:", stacks);
    row("PageTables:", state(NR_PAGETABLE));
    row("CommitLimit:", vm_commit_limit());
    row("Committed_AS:", vm_committed_as);
    row("VmallocTotal:", (VMALLOC_END - VMALLOC_START) >> PAGE_SHIFT);
    row("VmallocUsed:", pages_of(VmallocUse::Memory) + stacks);
}

void show_vmstat(seq_file& out) {
    out.print("nr_free_pages %lu\n", nr_free_pages());
    for (u32 i = 0; i < NR_VM_STAT_ITEMS; i++)
        out.print("%s %lu\n", vm_stat_names[i], global_page_state(static_cast<vm_stat_item>(i)));
    for (u32 i = 0; i < NR_VM_EVENT_ITEMS; i++) out.print("%s %lu\n", vm_event_names[i], vm_events[i]);
}

/// One migrate type: all free blocks are Unmovable.
void show_pagetypeinfo(seq_file& out) {
    out.print("Page block order: %u\nPages per block:  %u\n\n%-43s ", MaxOrder, 1U << MaxOrder,
              "Free pages count per migrate type at order");
    for (unsigned order = 0; order <= MaxOrder; order++) out.print("%6u ", order);
    out.print("\n");
    for (const struct zone& zone : zones) {
        if (!zone.managed_pages) continue;
        out.print("Node %4d, zone %8s, type %12s ", 0, zone.name, "Unmovable");
        for (const struct free_area& area : zone.free_area) out.print("%6lu ", area.nr_free);
        out.print("\n");
    }
}

void show_buddyinfo(seq_file& out) {
    for (const struct zone& zone : zones) {
        if (!zone.managed_pages) continue;
        out.print("Node 0, zone %8s ", zone.name);
        for (const struct free_area& area : zone.free_area) out.print("%6lu ", area.nr_free);
        out.print("\n");
    }
}

void show_zoneinfo(seq_file& out) {
    bool first = true;
    for (const struct zone& zone : zones) {
        if (!zone.present_pages) continue;
        out.print("Node 0, zone %8s\n", zone.name);
        if (first) {
            out.print("  per-node stats\n");
            for (u32 i = 0; i < NR_VM_STAT_ITEMS; i++)
                out.print("      %-12s %lu\n", vm_stat_names[i],
                          global_page_state(static_cast<vm_stat_item>(i)));
            first = false;
        }
        out.print("  pages free     %lu\n        boost    0\n        min      %lu\n        low      %lu\n    "
                  "    high     %lu\n"
                  "        spanned  %lu\n        present  %lu\n        managed  %lu\n        cma      0\n    "
                  "    protection: (%lu, %lu, %lu)\n",
                  zone.free_pages, zone._watermark[WMARK_MIN], zone._watermark[WMARK_LOW],
                  zone._watermark[WMARK_HIGH], zone.spanned_pages, zone.present_pages, zone.managed_pages,
                  zone.lowmem_reserve[0], zone.lowmem_reserve[1], zone.lowmem_reserve[2]);
        out.print("      nr_free_pages %lu\n  pagesets\n", zone.free_pages);
        for (unsigned cpu = 0; cpu < online_cpus; cpu++)
            out.print(
                "    cpu: %u\n              count: %u\n              high:  %u\n              batch: %u\n",
                cpu, zone.per_cpu_pageset[cpu].count, zone.pcp_high, zone.pcp_batch);
        out.print("  node_unreclaimable:  0\n  start_pfn:           %lu\n", zone.zone_start_pfn);
    }
}

void show_slabinfo(seq_file& out) {
    out.print("slabinfo - version: 2.1\n# name            <active_objs> <num_objs> <objsize> <objperslab> "
              "<pagesperslab> : tunables <limit> "
              "<batchcount> <sharedfactor> : slabdata <active_slabs> <num_slabs> <sharedavail>\n");
    for (LIST_EACH(node, slab_caches)) {
        auto* cache = container_of(node, kmem_cache, list);
        out.print("%-17s %6lu %6lu %6u %4u %4d : tunables %4u %4u %4u : slabdata %6lu %6lu %6u\n",
                  cache->name, cache->active_objects, cache->slab_count * cache->objects_per_slab,
                  cache->size, cache->objects_per_slab, 1 << cache->order, 0, 0, 0, cache->slab_count,
                  cache->slab_count, 0);
    }
}

void show_vmallocinfo(seq_file& out) {
    for (const vm_struct* area = vmlist; area; area = area->next)
        out.print("0x%016lx-0x%016lx %7lu %s\n", area->addr, area->addr + area->size + PAGE_SIZE,
                  area->size + PAGE_SIZE,
                  area->use == VmallocUse::Io      ? "ioremap"
                  : area->use == VmallocUse::Stack ? "kernel stack"
                                                   : "vmalloc");
}

void show_iomem(seq_file& out) {
    for (unsigned i = 0; i < e820_count; i++) {
        const E820Entry& entry = e820_table[i];
        out.print("%08lx-%08lx : %s\n", entry.address, entry.address + entry.size - 1,
                  e820_type_name(entry.type));
        u64 text = virt_to_phys(_text);
        if (text >= entry.address && text < entry.address + entry.size) {
            out.print("  %08lx-%08lx : Kernel code\n", text, virt_to_phys(_etext) - 1);
            out.print("  %08lx-%08lx : Kernel rodata\n", virt_to_phys(__start_rodata),
                      virt_to_phys(__end_rodata) - 1);
            out.print("  %08lx-%08lx : Kernel data\n", virt_to_phys(__start_data), virt_to_phys(_edata) - 1);
            out.print("  %08lx-%08lx : Kernel bss\n", virt_to_phys(__bss_start),
                      virt_to_phys(__bss_stop) - 1);
        }
    }
}

} // namespace kernel
