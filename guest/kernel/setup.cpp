// setup_arch: from the boot loader's boot_params to final page tables and zones, in Linux's order.
//
// Assumes: the early page tables, with the early #PF handler mapping physical memory on demand, until
// init_mem_mapping().
#include "setup.h"

#include "arch/x86_64/acpi.h"
#include "arch/x86_64/cpu.h"
#include "inspect/publish.h"
#include "lib/log.h"
#include "lib/string.h"
#include "mm/memblock.h"
#include "mm/paging.h"
#include "mm/slab.h"
#include "mm/zone.h"
#include "time/timekeeping.h"
#include "trace/boot_phase.h"

namespace kernel {

const char kernel_banner[] =
    "Vitrine version 0.1.0 (clang " __clang_version__ ", ld.lld) #1 SMP PREEMPT x86_64";
constinit char command_line[2048] = {};
constinit u64 initrd_start = 0, initrd_size = 0;
constinit unsigned e820_count = 0;
constinit E820Entry e820_table[128] = {};

namespace {

[[gnu::section(".init.data")]] constinit BootParams boot_params = {};

void copy_boot_params(u64 physical) {
    memcpy(&boot_params, physical_to<BootParams>(physical), sizeof boot_params);
    e820_count = min<unsigned>(boot_params.e820_entries, array_size(e820_table));
    memcpy(e820_table, boot_params.e820_table, e820_count * sizeof(E820Entry));
    if (boot_params.cmd_line_ptr)
        strscpy(command_line, physical_to<char>(boot_params.cmd_line_ptr), sizeof command_line);
}

/// Every number here is the boot loader's: ranges that overflow or overlap are cut to sense.
void e820_to_memblock() {
    pr_info("BIOS-provided physical RAM map:\n");
    constexpr u64 Highest = u64{1} << 39; // what one level-4 entry of the direct map covers
    for (unsigned i = 0; i < e820_count; i++) {
        const E820Entry& entry = e820_table[i];
        u64 base = entry.address, size = entry.size;
        pr_info("BIOS-e820: [mem 0x%016lx-0x%016lx] %s\n", base, base + size - 1, e820_type_name(entry.type));
        if (entry.type != 1 || base >= Highest || !size) continue;
        u64 start = align_up(base, PAGE_SIZE),
            end = align_down(min(base + min(size, Highest), Highest), PAGE_SIZE);
        if (start < end && !memblock.memory.add(start, end - start))
            pr_warn("e820: too many ranges, some RAM is not used\n");
    }
    // What firmware calls reserved wins over RAM that overlaps it.
    for (unsigned i = 0; i < e820_count; i++) {
        const E820Entry& entry = e820_table[i];
        if (entry.type == 1 || entry.address >= Highest || !entry.size) continue;
        u64 start = align_down(entry.address, PAGE_SIZE),
            end = align_up(entry.address + min(entry.size, Highest), PAGE_SIZE);
        if (memblock.memory.overlaps(start, end)) memblock.reserved.add(start, end - start);
    }
    if (!memblock.memory.count) panic("the boot loader reported no RAM");
}

void reserve_boot_memory() {
    memblock.reserved.add(0, 1 * MiB); // interrupt vectors, BIOS data, EBDA, video, ROMs
    u64 image = virt_to_phys(_text), image_end = virt_to_phys(_end);
    memblock.reserved.add(align_down(image, PAGE_SIZE),
                          align_up(image_end, PAGE_SIZE) - align_down(image, PAGE_SIZE));
    if (boot_params.ramdisk_size) {
        initrd_start = boot_params.ramdisk_image, initrd_size = boot_params.ramdisk_size;
        u64 page = align_down(initrd_start, PAGE_SIZE);
        memblock.reserved.add(page, align_up(initrd_start + initrd_size, PAGE_SIZE) - page);
    }
}

void tag_image_pages() {
    auto tag = [](const char* from, const char* to, PageType type) {
        for (u64 at = align_down(virt_to_phys(from), PAGE_SIZE); at < virt_to_phys(to); at += PAGE_SIZE)
            phys_to_page(at)->tag = type;
    };
    tag(_text, _etext, PageType::KernelText);
    tag(__start_rodata, _end, PageType::KernelData);
    tag(__init_begin, __init_end, PageType::InitMemory);
    // The page array's own frames: what the level-2 entries of vmemmap point at.
    for (u64 frame = 0; frame < max_pfn; frame += FramesPerMemMapChunk) {
        if (!pfn_valid(frame)) continue;
        PageWalk walk = walk_page_tables(virt_to_phys(swapper_pg_dir), VMEMMAP_START + frame * 64,
                                         [](u64 physical) { return *physical_to<u64>(physical); });
        for (u64 i = 0; i < 512; i++) phys_to_page(walk.physical + i * PAGE_SIZE)->tag = PageType::MemMap;
    }
}

/// The page tables that memblock gave are page tables from now on.
void tag_page_tables(u64* table, unsigned level) {
    struct page* page = phys_to_page(virt_to_phys(table));
    if (page->tag == PageType::Reserved) page->tag = PageType::PageTable;
    if (level == 3) return;
    for (unsigned i = level == 0 ? 256 : 0; i < 512; i++)
        if ((table[i] & pte::Present) && !(table[i] & pte::Large))
            tag_page_tables(physical_to<u64>(table[i] & pte::AddressMask), level + 1);
}

} // namespace

const char* e820_type_name(u32 type) {
    switch (type) {
    case 1: return "System RAM";
    case 3: return "ACPI Tables";
    case 4: return "ACPI Non-volatile Storage";
    case 5: return "Unusable memory";
    default: return "Reserved";
    }
}

namespace {

/// Calls visit(name, name length, value) for each word.
template <typename Visit> void each_parameter(Visit visit) {
    for (const char* at = command_line; *at;) {
        while (*at == ' ') at++;
        const char* start = at;
        while (*at && *at != ' ') at++;
        StringView word(start, static_cast<usize>(at - start));
        usize equals = 0;
        while (equals < word.size && word[equals] != '=') equals++;
        StringView value =
            equals < word.size ? StringView(start + equals + 1, word.size - equals - 1) : StringView();
        if (word.size) visit(StringView(start, equals), value, equals < word.size);
    }
}

} // namespace

bool command_line_value(const char* name, char* out, usize capacity) {
    bool found = false;
    each_parameter([&](StringView parameter, StringView value, bool has_value) {
        if (!has_value || !(parameter == StringView(name))) return;
        usize count = min(value.size, capacity - 1);
        memcpy(out, value.data, count);
        out[count] = 0;
        found = true;
    });
    return found;
}

bool command_line_flag(const char* name) {
    bool found = false;
    each_parameter([&](StringView parameter, StringView, bool) { found |= parameter == StringView(name); });
    return found;
}

bool command_line_lists(const char* name, const char* wanted) {
    bool found = false;
    usize length = strlen(wanted);
    each_parameter([&](StringView parameter, StringView value, bool) {
        found |= parameter == StringView(name) && value.size >= length &&
                 memcmp(value.data, wanted, length) == 0 && (value.size == length || value[length] == ',');
    });
    return found;
}

void setup_arch(u64 boot_params_physical) {
    copy_boot_params(boot_params_physical);
    identify_cpu();
    alternatives_smap();
    early_tsc_init();
    pr_info("Command line: %s\n", command_line);
    pr_info("Kernel image: physical 0x%lx, virtual 0x%lx (slide 0x%lx), %lu KiB\n", kernel_physical_base,
            reinterpret_cast<u64>(_text), kernel_virtual_slide, static_cast<u64>(_end - _text) / KiB);

    boot_phase("memblock");
    e820_to_memblock();
    reserve_boot_memory();
    acpi_boot_init(boot_params.acpi_rsdp_address);

    boot_phase("page_tables");
    init_mem_mapping();

    boot_phase("zones");
    free_area_init();
    publish_memory_map();
    tag_image_pages();
    tag_page_tables(swapper_pg_dir, 0);
    slab_poison = command_line_flag("slub_debug");
}

} // namespace kernel
