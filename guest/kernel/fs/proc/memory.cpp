// /proc's memory files. Formats: Linux's fs/proc/meminfo.c, mm/vmstat.c, mm/slab_common.c describe the
// columns.
#include "fs/proc/proc.h"
#include "mm/memblock.h"
#include "mm/slab.h"
#include "mm/vmalloc.h"
#include "setup.h"

namespace kernel {
namespace {

u64 count_tagged(PageType type) {
    u64 count = 0;
    for (u64 frame = 0; frame < max_pfn; frame++) {
        if (frame % 512 == 0 && !memblock.memory.overlaps(frame << PAGE_SHIFT, (frame + 512) << PAGE_SHIFT)) {
            frame += 511;
            continue;
        }
        count += pfn_to_page(frame)->tag == type;
    }
    return count;
}

} // namespace

void show_meminfo(seq_file& out) {
    auto row = [&](const char* name, u64 pages) {
        out.print("%-16s%8lu kB\n", name, pages * (PAGE_SIZE / KiB));
    };
    u64 free = nr_free_pages(), slab = 0;
    for (LIST_EACH(node, slab_caches)) {
        auto* cache = container_of(node, kmem_cache, list);
        slab += cache->slab_count << cache->order;
    }
    row("MemTotal:", totalram_pages());
    row("MemFree:", free);
    row("MemAvailable:", free + page_cache_pages);
    row("Buffers:", 0);
    row("Cached:", page_cache_pages);
    row("SwapTotal:", 0);
    row("SwapFree:", 0);
    row("AnonPages:", count_tagged(PageType::Anonymous));
    row("Slab:", slab);
    out.print("%-16s%8lu kB\n", "KernelStack:", count_tagged(PageType::KernelStack) * 4);
    row("PageTables:", count_tagged(PageType::PageTable));
    row("VmallocUsed:", count_tagged(PageType::Vmalloc) + count_tagged(PageType::KernelStack));
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
    for (const struct zone& zone : zones) {
        if (!zone.present_pages) continue;
        out.print(
            "Node 0, zone %8s\n  pages free     %lu\n        min      %lu\n        low      %lu\n        "
            "high     %lu\n"
            "        spanned  %lu\n        present  %lu\n        managed  %lu\n  start_pfn:           %lu\n",
            zone.name, zone.free_pages, zone._watermark[0], zone._watermark[1], zone._watermark[2],
            zone.spanned_pages, zone.present_pages, zone.managed_pages, zone.zone_start_pfn);
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
