// Physical memory as the bundled kernel manages it: buddy lists (zones × orders) and all of RAM painted by
// page type.
#pragma once
#include <nlohmann/json.hpp>
#include <string>
#include <vector>
#include "emu/inspect/kernel.h"

namespace vitrine::emu::inspect {

struct ZoneRow {
    std::string name;
    u64 address = 0, start_frame = 0, spanned = 0, present = 0, managed = 0, free = 0;
    u64 watermarks[3] = {}; ///< min, low, high
    struct Order {
        u64 counted = 0;         ///< free blocks as the zone counts them
        std::vector<u64> frames; ///< first frames of blocks on the list
    };
    std::vector<Order> orders;
    bool locked = false;
};
struct BuddyView {
    std::vector<ZoneRow> zones;
    Notes notes;
    std::string why_empty;
};
BuddyView buddy_view(const std::expected<GuestKernel, std::string>& kernel);

/// Types of pages as the kernel tags them, in the kernel's order (guest/kernel/mm/page.h).
const std::vector<std::string>& page_type_names();

struct MemoryMapView {
    u64 frames = 0;
    std::vector<u8> types;   ///< per frame: index into page_type_names()
    std::vector<u64> totals; ///< frames per type
    struct Run {
        u64 first, count;
        u8 type;
    };
    std::vector<Run> runs; ///< neighbouring frames of one type
    Notes notes;
    std::string why_empty;
};
MemoryMapView memory_map_view(const std::expected<GuestKernel, std::string>& kernel);

std::string to_text(const BuddyView& view);
nlohmann::json to_json(const BuddyView& view);
std::string to_text(const MemoryMapView& view);
nlohmann::json to_json(const MemoryMapView& view);

} // namespace vitrine::emu::inspect
