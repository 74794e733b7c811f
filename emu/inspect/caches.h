// The kernel's own memory: slab caches with their slabs and objects, vmalloc areas, the LRU lists, the page
// cache.
#pragma once
#include "emu/inspect/sheet.h"

namespace vitrine::emu::inspect {

struct SlabRow {
    u64 page_frame = 0, base = 0; ///< direct-map address of the first object
    u64 in_use = 0, objects = 0;
    std::string where;      ///< "partial", "CPU 0"
    std::vector<bool> free; ///< by object; what the free list says
};
struct CacheRow {
    std::string name;
    u64 address = 0, object_size = 0, size = 0, order = 0, per_slab = 0, slabs = 0, partial = 0, active = 0,
        allocations = 0;
    std::vector<SlabRow>
        rows; ///< slabs that can be found: those with free objects (full ones are on no list)
    bool locked = false;
};
struct SlabsView {
    std::vector<CacheRow> caches;
    Notes notes;
    std::string why_empty;
};
/// `only`: the slabs of this cache, too; of all with "*".
SlabsView slabs_view(const std::expected<GuestKernel, std::string>& kernel, std::string_view only = {});
std::string to_text(const SlabsView& view);
nlohmann::json to_json(const SlabsView& view);

/// Sheets: areas, and how much each use takes.
SheetsView vmalloc_view(const std::expected<GuestKernel, std::string>& kernel);
/// Sheets: the LRU lists with their newest pages; what each file has in the page cache.
SheetsView page_cache_view(const std::expected<GuestKernel, std::string>& kernel);

} // namespace vitrine::emu::inspect
