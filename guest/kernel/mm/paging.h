// The kernel's own page tables: the direct map, the page array, the image with W^X rights, and single-page
// mapping for vmalloc and user space.
//
// Invariants: all level-4 entries of the kernel half exist before the first process is made and never change,
// so each process copies them once. No page is both writable and executable (check_wx proves it at the end of
// boot).
#pragma once

#include "lib/result.h"
#include "mm/layout.h"
#include "mm/page_walk.h"

namespace kernel {

using PageTable = u64; ///< an array of 512 entries

extern "C" PageTable early_top_pgt[512];
extern PageTable swapper_pg_dir[512];

inline constexpr u64 FramesPerMemMapChunk =
    2 * MiB / 64; ///< a 2 MiB chunk of the page array covers 128 MiB of RAM

/// Early #PF: maps direct-map addresses with 2 MiB pages on demand (early_top_pgt only).
bool early_make_pgtable(u64 address);

/// Builds the direct map of all RAM and the image's final mapping, and switches to them.
void init_mem_mapping();
/// Maps the chunks of the page array that cover RAM.
void vmemmap_populate(u64 frames);
bool pfn_valid(u64 frame);

/// From now on new tables come from the buddy allocator.
void paging_use_buddy();

/// The level-1 entry of `address`, with the tables above it made when `create`; null when absent, out of
/// memory, or covered by a large page.
u64* page_table_entry(PageTable* root, u64 address, bool create, u64 table_flags);

/// One 4 KiB page in the kernel half.
Result<void> map_kernel_page(u64 address, PhysicalAddress physical, u64 flags);
/// Returns the physical address that was mapped, 0 when none was.
PhysicalAddress unmap_kernel_page(u64 address);

/// Walks all kernel mappings; reports and counts pages that are writable and executable.
void check_wx();

} // namespace kernel
