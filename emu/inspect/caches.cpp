// The kernel's own memory: see caches.h. Names of types and fields: guest/kernel/inspect/README.md.
#include "emu/inspect/caches.h"
#include <algorithm>
#include <fmt/format.h>
#include "emu/inspect/names.h"
#include "emu/inspect/render.h"

namespace vitrine::emu::inspect {

namespace {
constexpr u64 MostCaches = 512, MostSlabs = 4096, MostObjects = 4096, MostAreas = 8192, MostCpus = 64,
              MostListed = 64;
constexpr u64 DirectMap = 0xFFFF'8880'0000'0000; ///< Documentation/x86/x86_64/mm.rst: all of RAM

class PageArray {
public:
    explicit PageArray(const GuestKernel& kernel)
        : base_(kernel.root("mem_map") ? kernel.root("mem_map")->address : 0),
          size_(kernel.size_of("Page").value_or(0)),
          links_(kernel.field("Page", "links") ? kernel.field("Page", "links")->offset : 0) {}
    bool known() const { return base_ && size_; }
    std::optional<u64> frame(u64 page) const {
        if (!known() || page < base_ || (page - base_) % size_) return std::nullopt;
        return (page - base_) / size_;
    }
    u64 of_links(u64 node) const { return node - links_; }

private:
    u64 base_, size_, links_;
};

SlabRow read_slab(const GuestKernel& kernel, const PageArray& pages, const CacheRow& cache, u64 link_offset,
                  u64 page, std::string where, Notes& notes) {
    SlabRow row;
    const GuestObject object = kernel.object("Page", page, notes);
    row.where = std::move(where), row.in_use = object.u64_of("in_use"),
    row.objects = std::min(object.u64_of("objects"), MostObjects);
    const auto frame = pages.frame(page);
    if (!frame || !cache.size) return row;
    row.page_frame = *frame, row.base = DirectMap + *frame * 4096;
    row.free.assign(row.objects, false);
    u64 at = object.u64_of("index"); // the first free object
    for (u64 i = 0; at && i < row.objects; ++i) {
        if (at < row.base || (at - row.base) % cache.size || (at - row.base) / cache.size >= row.objects ||
            row.free[(at - row.base) / cache.size]) {
            notes.add(
                fmt::format("cache {}: corrupt at {} (its list of free objects)", cache.name, hex(at, 16)));
            break;
        }
        row.free[(at - row.base) / cache.size] = true;
        if (!kernel.memory().linear_value(at + link_offset, at)) break;
    }
    return row;
}
} // namespace

SlabsView slabs_view(const std::expected<GuestKernel, std::string>& kernel, std::string_view only) {
    SlabsView view;
    if (!kernel) {
        view.why_empty = kernel.error();
        return view;
    }
    const auto list = kernel->root("kmem_caches");
    const auto links = kernel->field("KmemCache", "caches");
    if (!list || !links) {
        view.why_empty = "the kernel does not publish kmem_caches";
        return view;
    }
    const PageArray pages(*kernel);
    u64 slabs = 0; // of all caches
    kernel->walk_list(list->address, "ListNode", view.notes, [&](u64 node) {
        const GuestObject cache = kernel->object("KmemCache", node - links->offset, view.notes);
        CacheRow row;
        row.address = cache.address(), row.name = cache.text("name");
        row.object_size = cache.u64_of("object_size"), row.size = cache.u64_of("size"),
        row.order = cache.u64_of("order");
        row.per_slab = cache.u64_of("objects_per_slab"), row.slabs = cache.u64_of("slab_count"),
        row.partial = cache.u64_of("partial_count");
        row.active = cache.u64_of("active_objects");
        if (cache.has("allocations")) row.allocations = cache.u64_of("allocations");
        if (cache.has("lock")) row.locked = cache.member("lock", "SpinLock").u64_of("locked") != 0;
        if (only == "*" || only == row.name) {
            const u64 offset = cache.has("offset") ? cache.u64_of("offset") : 0;
            const auto slots = kernel->field("KmemCache", "cpu_slab");
            for (u64 cpu = 0; slots && cpu < std::min<u64>(slots->size / 8, MostCpus); ++cpu) {
                u64 page = 0;
                if (kernel->memory().linear_value(row.address + slots->offset + cpu * 8, page) && page)
                    row.rows.push_back(
                        read_slab(*kernel, pages, row, offset, page, fmt::format("CPU {}", cpu), view.notes));
            }
            kernel->walk_list(cache.address_of("partial"), "ListNode", view.notes, [&](u64 at) {
                row.rows.push_back(
                    read_slab(*kernel, pages, row, offset, pages.of_links(at), "partial", view.notes));
                return ++slabs < MostSlabs;
            });
            if (row.locked)
                view.notes.add(fmt::format("cache {}: its lock is held, the lists are in flux", row.name));
        }
        view.caches.push_back(std::move(row));
        return view.caches.size() < MostCaches;
    });
    if (view.caches.empty())
        view.why_empty = "there is no slab cache yet: they are made in the phase kernel:mm_init";
    return view;
}

std::string to_text(const SlabsView& v) {
    if (!v.why_empty.empty()) return v.why_empty + "\n" + notes_text(v.notes);
    Table table({"cache", "object", "stride", "order", "per slab", "slabs", "partial", "active", "of",
                 "allocations", "address"});
    for (const auto& c : v.caches)
        table.row({c.name, std::to_string(c.object_size), std::to_string(c.size), std::to_string(c.order),
                   std::to_string(c.per_slab), std::to_string(c.slabs), std::to_string(c.partial),
                   std::to_string(c.active), std::to_string(c.slabs * c.per_slab),
                   std::to_string(c.allocations), hex(c.address, 16)});
    std::string out = table.text();
    for (const auto& c : v.caches) {
        if (c.rows.empty()) continue;
        out += fmt::format("\n{}: slabs with free objects; # is in use, . is free\n", c.name);
        for (const auto& slab : c.rows) {
            out += fmt::format("  frame {:<8} {:<8} {:>4} of {:<4} ", slab.page_frame, slab.where,
                               slab.in_use, slab.objects);
            for (bool free : slab.free) out += free ? '.' : '#';
            out += "\n";
        }
    }
    return out + notes_text(v.notes);
}

nlohmann::json to_json(const SlabsView& v) {
    nlohmann::json rows = nlohmann::json::array();
    for (const auto& c : v.caches) {
        nlohmann::json slabs = nlohmann::json::array();
        for (const auto& s : c.rows)
            slabs.push_back({{"frame", s.page_frame},
                             {"where", s.where},
                             {"in_use", s.in_use},
                             {"objects", s.objects},
                             {"free", s.free}});
        rows.push_back({{"name", c.name},
                        {"address", hex(c.address, 16)},
                        {"object_size", c.object_size},
                        {"stride", c.size},
                        {"order", c.order},
                        {"objects_per_slab", c.per_slab},
                        {"slabs", c.slabs},
                        {"partial", c.partial},
                        {"active_objects", c.active},
                        {"allocations", c.allocations},
                        {"in_flux", c.locked},
                        {"slabs_with_room", slabs}});
    }
    return {{"caches", rows}, {"why_empty", v.why_empty}, {"notes", notes_json(v.notes)}};
}

SheetsView vmalloc_view(const std::expected<GuestKernel, std::string>& kernel) {
    SheetsView view;
    if (!kernel) {
        view.why_empty = kernel.error();
        return view;
    }
    if (!kernel->root("vmalloc_areas") || !kernel->size_of("VmallocArea")) {
        view.why_empty = "the kernel does not publish vmalloc_areas";
        return view;
    }
    static constexpr const char* Uses[] = {"memory", "kernel stack", "device registers"};
    Sheet areas("areas", "vmalloc areas", {"From", "To", "Size", "Use", "Descriptor"});
    std::array<u64, 3> bytes{}, counts{};
    u64 at = pointer_root(*kernel, "vmalloc_areas"), before = 0;
    for (u64 i = 0; at && i < MostAreas; ++i) {
        const GuestObject area = kernel->object("VmallocArea", at, view.notes);
        const u64 base = area.u64_of("base"), size = area.u64_of("size"), use = area.u64_of("use");
        if (base < before) {
            view.notes.add(fmt::format("vmalloc areas: corrupt at {} (not in order)", hex(at, 16)));
            break;
        }
        before = base;
        if (use < 3) bytes[use] += size, ++counts[use];
        areas.row({Cell::at(base), Cell::at(base + size - 1), Cell::size(size), use < 3 ? Uses[use] : "?",
                   Cell::at(at)});
        at = area.u64_of("next");
    }
    Sheet sum("uses", "What it is used for", {"Use", "Areas", "Size"});
    for (unsigned i = 0; i < 3; ++i)
        if (counts[i]) sum.row({Uses[i], Cell::number(counts[i]), Cell::size(bytes[i])});
    areas.remark = fmt::format("{}, each with an unmapped page beside it", areas.rows.size());
    areas.why_empty = sum.why_empty = "none yet: the first are kernel stacks";
    view.sheets.push_back(std::move(sum)), view.sheets.push_back(std::move(areas));
    return view;
}

SheetsView page_cache_view(const std::expected<GuestKernel, std::string>& kernel) {
    SheetsView view;
    if (!kernel) {
        view.why_empty = kernel.error();
        return view;
    }
    const auto lru = kernel->root("lru");
    const auto lists = kernel->field("LruVector", "lists"), sizes = kernel->field("LruVector", "sizes");
    if (!lru || !lists || !sizes || !kernel->size_of("AddressSpace")) {
        view.why_empty = "the kernel does not publish its LRU lists and AddressSpace";
        return view;
    }
    const PageArray pages(*kernel);
    const auto paths = inode_paths(all_dentries(*kernel, view.notes));
    static constexpr const char* Names[] = {"inactive, anonymous", "active, anonymous", "inactive, of files",
                                            "active, of files", "unevictable"};
    Sheet sums("lists", "LRU lists", {"List", "Pages", "Size", "Head"});
    Sheet newest("newest", "The newest pages of each list",
                 {"List", "Frame", "What", "Mapped by", "References", "State"});
    const u64 node_size = kernel->size_of("ListNode").value_or(16);
    for (unsigned i = 0; i < std::size(Names) && i < sizes->size / 8; ++i) {
        u64 count = 0;
        kernel->memory().linear_value(lru->address + sizes->offset + u64{i} * 8, count);
        const u64 head = lru->address + lists->offset + i * node_size;
        sums.row({Names[i], Cell::number(count), Cell::size(count * 4096), Cell::at(head)});
        u64 seen = 0;
        kernel->walk_list(head, "ListNode", view.notes, [&](u64 node) {
            const GuestObject page = kernel->object("Page", pages.of_links(node), view.notes);
            const auto frame = pages.frame(page.address());
            if (!frame) {
                view.notes.add(fmt::format("LRU list {}: corrupt at {} (no page of the page array)", Names[i],
                                           hex(node, 16)));
                return false;
            }
            std::string what = "anonymous";
            if (page.u64_of("flags") & 0x2000 && page.has("private"))
                what = fmt::format("anonymous, at {} of swap area {}", page.u64_of("private") << 6 >> 6,
                                   page.u64_of("private") >> 58);
            if (page.u64_of("tag") == 7) {
                const auto path = paths.find(page.pointer("mapping", "AddressSpace").u64_of("host"));
                what = fmt::format("page {} of {}", page.u64_of("index"),
                                   path == paths.end() ? "a file without a name, or a device" : path->second);
            }
            const u64 flags = page.u64_of("flags");
            newest.row({Names[i], Cell::at(*frame * 4096, Cell::Leads::Physical, std::to_string(*frame)),
                        what, Cell::signed_number(page.i64_of("map_count") + 1),
                        Cell::number(page.u64_of("refcount")),
                        Cell(fmt::format("{}{}", flags & 8 ? "dirty " : "", flags & 512 ? "referenced" : ""))
                            .dim()});
            return ++seen < MostListed;
        });
    }
    sums.why_empty = newest.why_empty = "no page is on a list yet";
    newest.remark = fmt::format("at most {} each", MostListed);
    Sheet files("files", "Page cache by file", {"File", "Cached", "Of", "Dirty", "Inode"});
    u64 all = 0;
    for (const auto& [address, path] : paths) {
        const GuestObject inode = kernel->object("Inode", address, view.notes);
        const GuestObject data = inode.member("data", "AddressSpace");
        const u64 cached = data.u64_of("pages"), dirty = data.u64_of("dirty");
        if (!cached) continue;
        all += cached;
        files.row({path, Cell::size(cached * 4096), Cell::size(inode.u64_of("size")),
                   Cell::size(dirty * 4096).in(dirty ? Cell::Tone::Marked : Cell::Tone::Dim),
                   Cell::at(address)});
    }
    std::ranges::sort(files.rows, std::greater{},
                      [](const auto& row) { return row[1].value.template get<u64>(); });
    files.remark = size_text(all * 4096);
    files.why_empty = "no file has a page in memory";
    Sheet swap("swap", "Swap areas", {"Area", "Kind", "Size", "In use", "In the cache", "Priority", "At"});
    const auto areas = kernel->root("swap_areas"), caches = kernel->root("swap_caches");
    const u64 area_size = kernel->size_of("SwapArea").value_or(0),
              space_size = kernel->size_of("AddressSpace").value_or(0);
    for (u64 i = 0; areas && caches && i < std::min(areas->count, caches->count); ++i) {
        const GuestObject area = kernel->object("SwapArea", areas->address + i * area_size, view.notes);
        const u64 flags = area.u64_of("flags");
        if (!(flags & 1) || area.pointer("file", "Dentry").null()) continue;
        const GuestObject cache =
            kernel->object("AddressSpace", caches->address + i * space_size, view.notes);
        const auto path = paths.find(area.pointer("file", "Dentry").u64_of("inode"));
        swap.row({path == paths.end() ? "?" : path->second, flags & 16 ? "partition" : "file",
                  Cell::size(area.u64_of("places") * 4096), Cell::size(area.u64_of("in_use") * 4096),
                  Cell::size(cache.u64_of("pages") * 4096), Cell::signed_number(area.i64_of("priority")),
                  Cell::at(area.address())});
    }
    swap.why_empty = "no swap area is in use (mkswap, then swapon)";
    view.sheets.push_back(std::move(sums)), view.sheets.push_back(std::move(files)),
        view.sheets.push_back(std::move(swap)), view.sheets.push_back(std::move(newest));
    return view;
}

} // namespace vitrine::emu::inspect
