// Zones, buddy lists and the map of RAM: see memory.h. Names of types and fields:
// guest/kernel/inspect/README.md.
#include "emu/inspect/memory.h"
#include <algorithm>
#include <cstring>
#include <fmt/format.h>
#include "emu/inspect/render.h"

namespace vitrine::emu::inspect {

namespace {
constexpr u64 MostZones = 16, MostFrames = 16 << 20; // 64 GiB
constexpr unsigned MostOrders = 16;
} // namespace

const std::vector<std::string>& page_type_names() {
    static const std::vector<std::string> names = {"free",         "reserved",   "kernel text", "kernel data",
                                                   "slab",         "page table", "anonymous",   "page cache",
                                                   "kernel stack", "vmalloc",    "page array",  "kernel",
                                                   "init memory",  "unknown",    "no memory"};
    return names;
}

BuddyView buddy_view(const std::expected<GuestKernel, std::string>& kernel) {
    BuddyView view;
    if (!kernel) {
        view.why_empty = kernel.error();
        return view;
    }
    const auto zones = kernel->root("zones");
    const auto zone_size = kernel->size_of("Zone"), area_size = kernel->size_of("FreeArea"),
               page_size = kernel->size_of("Page");
    const auto areas = kernel->field("Zone", "free_area");
    const auto links = kernel->field("Page", "links");
    const auto map = kernel->root("mem_map");
    if (!zones || !zone_size || !area_size || !page_size || !areas || !links || !map) {
        view.why_empty = "the kernel does not publish zones, FreeArea, Page and mem_map";
        return view;
    }
    if (map->address == 0) {
        view.why_empty = "the page array does not exist yet: it is made in the phase kernel:zones";
        return view;
    }
    for (u64 i = 0; i < std::min(zones->count, MostZones); ++i) {
        const GuestObject zone = kernel->object("Zone", zones->address + i * *zone_size, view.notes);
        ZoneRow row;
        row.address = zone.address();
        row.name = zone.text("name");
        row.start_frame = zone.u64_of("start_pfn"), row.spanned = zone.u64_of("spanned"),
        row.present = zone.u64_of("present");
        row.managed = zone.u64_of("managed"), row.free = zone.u64_of("free_pages");
        if (const auto marks = kernel->field("Zone", "watermarks");
            marks && marks->size >= sizeof row.watermarks)
            kernel->memory().linear(row.address + marks->offset,
                                    {reinterpret_cast<u8*>(row.watermarks), sizeof row.watermarks});
        if (zone.has("lock") && kernel->field("SpinLock", "locked"))
            row.locked = zone.member("lock", "SpinLock").u64_of("locked") != 0;
        if (row.locked)
            view.notes.add(fmt::format("zone {}: its lock is held, the lists are in flux", row.name));
        if (row.managed == 0) { // an empty zone has no lists worth walking
            view.zones.push_back(std::move(row));
            continue;
        }
        const unsigned orders = std::min<unsigned>(areas->size / *area_size, MostOrders);
        for (unsigned order = 0; order < orders; ++order) {
            const GuestObject area =
                kernel->object("FreeArea", row.address + areas->offset + u64{order} * *area_size, view.notes);
            ZoneRow::Order entry;
            entry.counted = area.u64_of("nr_free");
            kernel->walk_list(area.address_of("list"), "ListNode", view.notes, [&](u64 node) {
                const u64 page = node - links->offset;
                if (page < map->address || (page - map->address) % *page_size) {
                    view.notes.add(fmt::format("zone {}, order {}: corrupt at {} (no page of the page array)",
                                               row.name, order, hex(node, 16)));
                    return false;
                }
                entry.frames.push_back((page - map->address) / *page_size);
                return true;
            });
            if (entry.frames.size() != entry.counted)
                view.notes.add(fmt::format("zone {}, order {}: {} blocks are counted, {} are on the list",
                                           row.name, order, entry.counted, entry.frames.size()));
            row.orders.push_back(std::move(entry));
        }
        view.zones.push_back(std::move(row));
    }
    if (std::ranges::all_of(view.zones, [](const ZoneRow& z) { return z.managed == 0; }))
        view.why_empty = "the zones are empty: the buddy allocator has not taken over from memblock yet";
    return view;
}

MemoryMapView memory_map_view(const std::expected<GuestKernel, std::string>& kernel) {
    MemoryMapView view;
    if (!kernel) {
        view.why_empty = kernel.error();
        return view;
    }
    const auto map = kernel->root("mem_map");
    const auto page_size = kernel->size_of("Page");
    const auto tag = kernel->field("Page", "tag");
    if (!map || !page_size || !tag || tag->offset >= *page_size) {
        view.why_empty = "the kernel does not publish mem_map and Page.tag";
        return view;
    }
    if (map->address == 0) {
        view.why_empty = "the page array does not exist yet: it is made in the phase kernel:zones";
        return view;
    }
    view.frames = map->count;
    if (const auto limit = kernel->root("max_pfn"))
        kernel->memory().linear_value(limit->address, view.frames);
    view.frames = std::min(view.frames, MostFrames);
    const u8 none = static_cast<u8>(page_type_names().size() - 1), unknown = static_cast<u8>(none - 1);
    view.totals.assign(page_type_names().size(), 0);
    view.types.reserve(view.frames);
    constexpr u64 Batch = 1024;
    std::vector<u8> raw(Batch * *page_size);
    bool any = false;
    for (u64 frame = 0; frame < view.frames; frame += Batch) {
        const u64 count = std::min(Batch, view.frames - frame);
        const std::size_t got = kernel->memory().linear(map->address + frame * *page_size,
                                                        std::span(raw).first(count * *page_size));
        any |= got != 0;
        for (u64 k = 0; k < count; ++k) {
            // Parts of the page array over holes in RAM are not mapped.
            const bool readable = (k + 1) * *page_size <= got;
            const u8 type = readable ? std::min(raw[k * *page_size + tag->offset], unknown) : none;
            view.types.push_back(type);
            ++view.totals[type];
            if (view.runs.empty() || view.runs.back().type != type) view.runs.push_back({frame + k, 0, type});
            ++view.runs.back().count;
        }
    }
    if (!any) view.why_empty = "the page array is not mapped yet: the zones are not initialised";
    return view;
}

std::string to_text(const BuddyView& v) {
    if (!v.why_empty.empty()) return v.why_empty + "\n" + notes_text(v.notes);
    std::string out;
    for (const auto& zone : v.zones) {
        out += fmt::format(
            "zone {}  frames {}–{}  present {}  managed {}  free {}  min/low/high {}/{}/{}{}\n", zone.name,
            zone.start_frame, zone.start_frame + zone.spanned, zone.present, zone.managed, zone.free,
            zone.watermarks[0], zone.watermarks[1], zone.watermarks[2], zone.locked ? "  (in flux)" : "");
        if (zone.orders.empty()) continue;
        std::string orders = "  order ", counts = "  blocks";
        for (std::size_t i = 0; i < zone.orders.size(); ++i)
            orders += fmt::format("{:>7}", i), counts += fmt::format("{:>7}", zone.orders[i].counted);
        out += orders + "\n" + counts + "\n";
    }
    return out + notes_text(v.notes);
}

nlohmann::json to_json(const BuddyView& v) {
    nlohmann::json zones = nlohmann::json::array();
    for (const auto& zone : v.zones) {
        nlohmann::json orders = nlohmann::json::array();
        for (const auto& order : zone.orders)
            orders.push_back({{"free_blocks", order.counted}, {"first_frames", order.frames}});
        zones.push_back({{"name", zone.name},
                         {"start_frame", zone.start_frame},
                         {"spanned_pages", zone.spanned},
                         {"present_pages", zone.present},
                         {"managed_pages", zone.managed},
                         {"free_pages", zone.free},
                         {"watermarks", zone.watermarks},
                         {"in_flux", zone.locked},
                         {"orders", orders}});
    }
    return {{"zones", zones}, {"why_empty", v.why_empty}, {"notes", notes_json(v.notes)}};
}

std::string to_text(const MemoryMapView& v) {
    if (!v.why_empty.empty()) return v.why_empty + "\n" + notes_text(v.notes);
    const auto& names = page_type_names();
    std::string out = fmt::format("{} frames, {}\n", v.frames, size_text(v.frames * 4096));
    Table table({"type", "frames", "size"});
    for (std::size_t i = 0; i < names.size(); ++i)
        if (v.totals[i]) table.row({names[i], std::to_string(v.totals[i]), size_text(v.totals[i] * 4096)});
    out += table.text();
    // One character for a stretch of RAM: the type that most of it has, free only when all of it is free.
    static constexpr char Letters[] = ".rTDSPACKVMkI? ";
    const u64 stretch = std::max<u64>(1, v.frames / 2048);
    out += fmt::format("\none character is {}: . free, r reserved, T text, D data, S slab, P page table, A "
                       "anonymous, C page cache, K stack, "
                       "V vmalloc, M page array, k kernel, I init, blank no memory\n",
                       size_text(stretch * 4096));
    for (u64 at = 0, column = 0; at < v.frames; at += stretch) {
        std::vector<u64> votes(names.size(), 0);
        for (u64 i = at; i < std::min(at + stretch, v.frames); ++i) ++votes[v.types[i]];
        if (std::ranges::any_of(votes.begin() + 1, votes.end(), [](u64 count) { return count != 0; }))
            votes[0] = 0;
        const auto winner = static_cast<std::size_t>(std::ranges::max_element(votes) - votes.begin());
        out += Letters[winner];
        if (++column % 64 == 0) out += "\n";
    }
    return out + "\n" + notes_text(v.notes);
}

nlohmann::json to_json(const MemoryMapView& v) {
    nlohmann::json totals = nlohmann::json::object(), runs = nlohmann::json::array();
    const auto& names = page_type_names();
    for (std::size_t i = 0; i < v.totals.size(); ++i)
        if (v.totals[i]) totals[names[i]] = v.totals[i];
    for (const auto& run : v.runs)
        runs.push_back({{"first_frame", run.first}, {"frames", run.count}, {"type", names[run.type]}});
    return {{"frames", v.frames},
            {"totals", totals},
            {"runs", runs},
            {"why_empty", v.why_empty},
            {"notes", notes_json(v.notes)}};
}

} // namespace vitrine::emu::inspect
