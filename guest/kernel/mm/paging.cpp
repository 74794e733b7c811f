// Kernel page tables; see paging.h.
#include "mm/paging.h"

#include "arch/x86_64/cpu.h"
#include "lib/log.h"
#include "lib/string.h"
#include "mm/memblock.h"
#include "mm/zone.h"

extern "C" char init_stack_guard[];

namespace kernel {

alignas(4096) [[gnu::section(".bss..page_aligned")]] PageTable swapper_pg_dir[512];

namespace {

constexpr u64 TableFlags = pte::Present | pte::Write | pte::Accessed;
constexpr u64 LargeSize = 2 * MiB;

// --- on demand, while the early tables are live
// -----------------------------------------------------------------------
constexpr unsigned EarlyTableCount = 48;
alignas(4096) [[gnu::section(".bss..page_aligned")]] PageTable early_tables[EarlyTableCount][512];
constinit unsigned early_tables_used = 0;

PageTable* image_table(u64 entry) { // early tables live in the image, which is mapped
    return reinterpret_cast<PageTable*>((entry & pte::AddressMask) - kernel_physical_base +
                                        reinterpret_cast<u64>(_text));
}

/// Which 2 MiB chunks of the page array exist: one bit for 128 MiB of physical addresses.
constexpr u64 MemMapChunks = 4096; // 512 GiB
constinit u64 present_chunks[MemMapChunks / 64] = {};

// --- final tables
// -------------------------------------------------------------------------------------------------------
constinit bool buddy_ready = false;

PageTable* new_table() {
    if (buddy_ready) {
        struct page* page = alloc_page(GFP_KERNEL | __GFP_ZERO, PageType::PageTable);
        return page ? static_cast<PageTable*>(page_address(page)) : nullptr;
    }
    PhysicalAddress physical = memblock.allocate(PAGE_SIZE, PAGE_SIZE, ~u64{0});
    if (!physical) return nullptr;
    auto* table = physical_to<PageTable>(physical);
    memset(table, 0, PAGE_SIZE);
    return table;
}

PageTable* descend(PageTable& entry, bool create, u64 table_flags) {
    if (entry & pte::Present)
        return entry & pte::Large ? nullptr : physical_to<PageTable>(entry & pte::AddressMask);
    if (!create) return nullptr;
    PageTable* table = new_table();
    if (!table) return nullptr;
    // Kernel tables have no lock: another CPU may have hung its own table here meanwhile.
    PageTable absent = 0, fresh = virt_to_phys(table) | table_flags;
    if (__atomic_compare_exchange_n(&entry, &absent, fresh, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
        return table;
    if (buddy_ready) put_page(virt_to_page(table));
    return physical_to<PageTable>(absent & pte::AddressMask);
}

unsigned index_at(u64 address, unsigned level) {
    return static_cast<unsigned>(address >> (39 - 9 * level)) & 511;
}

/// Maps one 2 MiB page; REQUIRES: early boot (memory is there, or the machine cannot run at all).
void map_large(u64 address, PhysicalAddress physical, u64 flags) {
    PageTable* table = swapper_pg_dir;
    for (unsigned level = 0; level < 2; level++) {
        table = descend(table[index_at(address, level)], true, TableFlags);
        if (!table) panic("out of memory for the kernel's page tables");
    }
    table[index_at(address, 2)] = physical | flags | pte::Large;
}

void map_small(u64 address, PhysicalAddress physical, u64 flags) {
    u64* entry = page_table_entry(swapper_pg_dir, address, true, TableFlags);
    if (!entry) panic("out of memory for the kernel's page tables");
    *entry = physical | flags;
}

u64 no_execute() { return boot_cpu_data.nx ? pte::NoExecute : 0; }

void map_image_range(const char* from, const char* to, u64 flags) {
    u64 begin = align_down(reinterpret_cast<u64>(from), PAGE_SIZE),
        end = align_up(reinterpret_cast<u64>(to), PAGE_SIZE);
    for (u64 address = begin; address < end; address += PAGE_SIZE)
        map_small(address, virt_to_phys(reinterpret_cast<void*>(address)),
                  flags | pte::Present | pte::Accessed | pte::Dirty | pte::Global);
}

} // namespace

bool early_make_pgtable(u64 address) {
    if (address < PAGE_OFFSET || address >= DirectMapEnd) return false;
    if ((read_cr3() & pte::AddressMask) != virt_to_phys(early_top_pgt)) return false;
    PageTable* table = early_top_pgt;
    for (unsigned level = 0; level < 2; level++) {
        PageTable& entry = table[index_at(address, level)];
        if (!(entry & pte::Present)) {
            if (early_tables_used == EarlyTableCount) return false;
            entry = virt_to_phys(early_tables[early_tables_used++]) | TableFlags;
        }
        table = image_table(entry);
    }
    table[index_at(address, 2)] = align_down(address - PAGE_OFFSET, LargeSize) | pte::Present | pte::Write |
                                  pte::Accessed | pte::Dirty | pte::Large;
    return true;
}

u64* page_table_entry(PageTable* root, u64 address, bool create, u64 table_flags) {
    PageTable* table = root;
    for (unsigned level = 0; level < 3; level++) {
        table = descend(table[index_at(address, level)], create, table_flags);
        if (!table) return nullptr;
    }
    return &table[index_at(address, 3)];
}

void init_mem_mapping() {
    u64 nx = no_execute();
    u64 data = pte::Present | pte::Write | pte::Accessed | pte::Dirty | pte::Global | nx;

    // The direct map: the first MiB (VGA text memory, BIOS areas) and all RAM, in 2 MiB pages.
    map_large(PAGE_OFFSET, 0, data);
    u64 mapped_to = LargeSize;
    for (unsigned i = 0; i < memblock.memory.count; i++) {
        const MemoryRange& range = memblock.memory.ranges[i];
        u64 address = max(align_down(range.base, LargeSize), mapped_to);
        for (; address < range.end(); address += LargeSize) map_large(PAGE_OFFSET + address, address, data);
        mapped_to = max(mapped_to, address);
        pr_debug("init_memory_mapping: [mem %#018lx-%#018lx]\n", range.base, range.end() - 1);
    }

    // The image: text R-X, rodata R--, data and bss RW-. The boot stack's guard page stays unmapped.
    map_image_range(_text, _etext, 0);
    map_image_range(__start_rodata, __end_rodata, nx);
    map_image_range(__start_data, _end, pte::Write | nx);
    *page_table_entry(swapper_pg_dir, reinterpret_cast<u64>(init_stack_guard), false, 0) = 0;

    // The regions that grow later get their level-3 tables now: processes copy level-4 entries when they are
    // made.
    constexpr u64 growing[] = {VMALLOC_START, VMEMMAP_START};
    for (u64 base : growing)
        if (!descend(swapper_pg_dir[index_at(base, 0)], true, TableFlags)) panic("no memory for page tables");

    write_cr3(virt_to_phys(swapper_pg_dir));
    write_cr4(read_cr4() & ~cr4::PGE); // drops the early global translations
    write_cr4(read_cr4() | (boot_cpu_data.pge ? cr4::PGE : 0));
}

void vmemmap_populate(u64 frames) {
    u64 flags = pte::Present | pte::Write | pte::Accessed | pte::Dirty | pte::Global | no_execute();
    u64 bytes = 0;
    for (u64 frame = 0; frame < frames; frame += FramesPerMemMapChunk) {
        bool needed =
            memblock.memory.overlaps(frame << PAGE_SHIFT, (frame + FramesPerMemMapChunk) << PAGE_SHIFT);
        if (!needed) continue;
        PhysicalAddress chunk = memblock.allocate(LargeSize, LargeSize, ~u64{0});
        if (!chunk) panic("out of memory for the page array");
        memset(phys_to_virt(chunk), 0, LargeSize);
        map_large(VMEMMAP_START + frame * 64, chunk, flags);
        u64 index = frame / FramesPerMemMapChunk;
        present_chunks[index / 64] |= u64{1} << (index % 64);
        bytes += LargeSize;
    }
    pr_info("mem_map: %lu KiB for %lu page frames\n", bytes / KiB, frames);
}

bool pfn_valid(u64 frame) {
    u64 chunk = frame / FramesPerMemMapChunk;
    return chunk < MemMapChunks && (present_chunks[chunk / 64] >> (chunk % 64) & 1);
}

void paging_use_buddy() { buddy_ready = true; }

Result<void> map_kernel_page(u64 address, PhysicalAddress physical, u64 flags) {
    u64* entry = page_table_entry(swapper_pg_dir, address, true, TableFlags);
    if (!entry) return Errno::ENOMEM;
    *entry = physical | flags | pte::Present | pte::Accessed | pte::Dirty | pte::Global;
    return {};
}

PhysicalAddress unmap_kernel_page(u64 address) {
    u64* entry = page_table_entry(swapper_pg_dir, address, false, 0);
    if (!entry || !(*entry & pte::Present)) return 0;
    PhysicalAddress physical = *entry & pte::AddressMask;
    *entry = 0;
    invlpg(address);
    return physical;
}

namespace {

u64 count_wx(PageTable* table, unsigned level, bool writable, bool executable, u64& pages) {
    u64 found = 0;
    for (unsigned i = level == 0 ? 256 : 0; i < 512; i++) {
        u64 entry = table[i];
        if (!(entry & pte::Present)) continue;
        bool w = writable && (entry & pte::Write), x = executable && !(entry & pte::NoExecute);
        if (level == 3 || (entry & pte::Large)) {
            pages += u64{1} << (9 * (3 - level));
            if (w && x) found += u64{1} << (9 * (3 - level));
        } else {
            found += count_wx(physical_to<PageTable>(entry & pte::AddressMask), level + 1, w, x, pages);
        }
    }
    return found;
}

} // namespace

void check_wx() {
    u64 pages = 0;
    u64 bad = count_wx(swapper_pg_dir, 0, true, boot_cpu_data.nx ? true : false, pages);
    if (!boot_cpu_data.nx)
        pr_warn("x86/mm: no W+X check: this processor has no NX\n");
    else if (bad)
        pr_err("x86/mm: Checked W+X mappings: FAILED, %lu W+X pages found of %lu.\n", bad, pages);
    else
        pr_info("x86/mm: Checked W+X mappings: passed, no W+X pages found (%lu pages).\n", pages);
}

} // namespace kernel
