// Owners of page frames: see page_owner.h. Names of types and fields: guest/kernel/inspect/README.md.
#include "emu/inspect/page_owner.h"
#include <algorithm>
#include <fmt/format.h>
#include <utility>
#include "emu/inspect/memory.h"
#include "emu/inspect/names.h"
#include "emu/inspect/render.h"
#include "emu/inspect/space.h"
#include "emu/inspect/tasks.h"

namespace vitrine::emu::inspect {

namespace {
constexpr u64 AddressMask = cpu::PhysicalMask & ~u64{0xFFF};
constexpr unsigned MostTables = 65536, MostBlockOrder = 10, MostSpaces = 1024,
                   MostTablesOfAll = 1 << 18; // looked at for areas and for pages
constexpr std::size_t MostEntries = 1 << 21;
constexpr u64 StackBytes = 16384; // guest/kernel/inspect/README.md: Task.stack
enum Tag : u64 { Free, Reserved, KernelText, KernelData, Slab, PageTable, Anonymous, PageCache };
enum Flag : u64 { Buddy = 1, Tail = 2, Uptodate = 4, Dirty = 8, SwapCache = 0x2000 };

/// The tables of one address space's user half, by frame.
void note_tables(const GuestReader& memory, u64 table, unsigned level, const std::string& whose,
                 OwnersView& out, unsigned& budget) {
    if (budget == 0) return;
    --budget;
    static constexpr const char* Names[] = {"", "PT", "PD", "PDPT", "PML4"};
    out.tables.try_emplace(table >> 12, fmt::format("{} of {}", Names[level], whose));
    std::array<u64, 512> entries;
    if (level == 1 || !memory.physical(table, {reinterpret_cast<u8*>(entries.data()), sizeof entries}))
        return;
    for (unsigned i = 0; i < (level == 4 ? 256u : 512u); ++i)
        if (entries[i] & cpu::PteP && !(level < 4 && entries[i] & cpu::PtePS) && budget)
            note_tables(memory, entries[i] & AddressMask, level - 1, whose, out, budget);
}
} // namespace

OwnersView owners(const std::expected<GuestKernel, std::string>& kernel) {
    OwnersView out;
    if (!kernel) return out;
    std::map<u64, bool> seen;
    unsigned budget = MostTables, of_all = MostTablesOfAll, spaces = 0;
    std::size_t entries = 0;
    const auto swapper = kernel->root("swapper_pg_dir");
    for (const TaskRow& task : tasks_view(kernel).rows) {
        const GuestObject object = kernel->object("Task", task.address, out.notes);
        const u64 stack = object.u64_of("stack");
        // Stacks lie in the vmalloc range; the kernel's own tables say which frames they are.
        if (stack && swapper) {
            cpu::PagingState state;
            state.mode = cpu::PagingMode::FourLevel, state.nxe = state.pse = true;
            const GuestObject memory = object.pointer("mm", "MemoryStruct");
            state.cr3 = memory.null() ? 0 : memory.u64_of("pgd");
            for (u64 at = stack; state.cr3 && at < stack + StackBytes; at += 4096) {
                const auto walk = cpu::walk(
                    [&](u64 address, unsigned size, u64& entry) {
                        return entry = 0,
                               kernel->memory().physical(address, {reinterpret_cast<u8*>(&entry), size});
                    },
                    state, at);
                if (walk.present)
                    out.stacks.try_emplace(walk.physical >> 12,
                                           fmt::format("kernel stack of {} ({})", task.comm, task.pid));
            }
        }
        if (task.kernel_thread || spaces == MostSpaces || entries > MostEntries || !of_all) continue;
        const u64 memory_at = object.u64_of("mm");
        if (!memory_at || std::exchange(seen[memory_at], true)) continue;
        ++spaces;
        const SpaceView space = space_of(*kernel, task.address, 0, &of_all);
        note_tables(kernel->memory(), space.pgd, 4, fmt::format("{} ({})", task.comm, task.pid), out, budget);
        const auto leaves = space_leaves(kernel->memory(), space.pgd, false, &of_all);
        entries += leaves.entries.size();
        auto area = space.areas.begin();
        for (const auto& [linear, entry] : leaves.entries) {
            while (area != space.areas.end() && area->end <= linear) ++area;
            const bool inside = area != space.areas.end() && area->start <= linear;
            out.mapped[(entry & AddressMask) >> 12].push_back(
                {task.pid, task.comm, inside ? area->name : "", linear});
        }
    }
    if (spaces == MostSpaces || entries > MostEntries || !of_all || !budget)
        out.notes.add("more address spaces than are looked at: some pages have no known owner");
    out.inodes = inode_paths(all_dentries(*kernel, out.notes));
    return out;
}

std::optional<PageOwner> page_owner(const std::expected<GuestKernel, std::string>& kernel,
                                    const OwnersView& known, u64 frame) {
    if (!kernel) return std::nullopt;
    const auto map = kernel->root("mem_map");
    const auto size = kernel->size_of("Page");
    if (!map || !map->address || !size || frame >= map->count) return std::nullopt;
    Notes notes;
    const auto page_at = [&](u64 number) {
        return kernel->object("Page", map->address + number * *size, notes);
    };
    GuestObject page = page_at(frame);
    u8 probe = 0;
    if (!kernel->memory().linear_value(page.address(), probe)) return std::nullopt;
    PageOwner out;
    out.frame = frame, out.address = page.address();
    const u64 tag = page.u64_of("tag");
    const auto& names = page_type_names();
    out.type = names[std::min<u64>(tag, names.size() - 2)];
    out.flags = page.u64_of("flags"), out.references = page.u64_of("refcount");
    if (page.has("map_count") && tag != Free) out.mapped = page.i64_of("map_count") + 1;
    out.block_first = frame;
    if (tag == Free) {
        // The head of a free block is aligned to its size.
        for (unsigned order = 0; order <= MostBlockOrder; ++order) {
            const u64 head = frame & ~((u64{1} << order) - 1);
            const GuestObject first = page_at(head);
            if (first.u64_of("tag") == Free && first.u64_of("flags") & Buddy &&
                first.u64_of("order") >= order) {
                out.block_first = head,
                out.block_pages = u64{1} << std::min<u64>(first.u64_of("order"), MostBlockOrder);
                out.owner = fmt::format("free block of order {}", first.u64_of("order"));
                return out;
            }
        }
        out.owner = "free, on a processor's own list";
        return out;
    }
    if (out.flags & Tail) {
        const u64 head = frame - std::min(frame, page.u64_of("head_offset"));
        page = page_at(head), out.block_first = head;
        out.block_pages = u64{1} << std::min<u64>(page.u64_of("order"), MostBlockOrder);
    } else if (tag == Slab || tag > PageCache) {
        out.block_pages = u64{1} << std::min<u64>(page.u64_of("order"), MostBlockOrder);
    }
    const auto users = known.mapped.find(frame);
    if (tag == Slab) {
        const GuestObject cache = page.pointer("mapping", "KmemCache");
        out.owner = cache.null() ? "a slab"
                                 : fmt::format("slab cache {}, {} of {} objects in use", cache.text("name"),
                                               page.u64_of("in_use"), page.u64_of("objects"));
    } else if (tag == PageCache) {
        const u64 host = page.pointer("mapping", "AddressSpace").u64_of("host");
        const auto path = known.inodes.find(host);
        out.owner =
            fmt::format("page {} of {}", page.u64_of("index"),
                        path == known.inodes.end() ? "a device or a file without a name" : path->second);
    } else if (tag == Anonymous && out.flags & SwapCache && page.has("private")) {
        const u64 place = page.u64_of("private"); // n << 58 | place
        out.owner = fmt::format("the swap cache, for place {} of swap area {}", place << 6 >> 6, place >> 58);
    } else if (const auto table = known.tables.find(frame); table != known.tables.end()) {
        out.owner = table->second;
    } else if (const auto stack = known.stacks.find(frame); stack != known.stacks.end()) {
        out.owner = stack->second;
    }
    if (users != known.mapped.end()) {
        std::string who;
        for (std::size_t i = 0; i < std::min<std::size_t>(users->second.size(), 4); ++i) {
            const auto& use = users->second[i];
            who += fmt::format("{}{} ({}) at {}{}", who.empty() ? "" : "; ", use.comm, use.pid,
                               hex(use.linear), use.area.empty() ? "" : ", " + use.area);
        }
        if (users->second.size() > 4) who += fmt::format("; and {} more", users->second.size() - 4);
        out.owner += (out.owner.empty() ? "" : "; mapped by ") + who;
    }
    if (out.owner.empty()) out.owner = tag == PageTable ? "the kernel's own page tables" : "the kernel";
    return out;
}

SheetsView page_view(const std::expected<GuestKernel, std::string>& kernel, u64 frame) {
    SheetsView view;
    if (!kernel) {
        view.why_empty = kernel.error();
        return view;
    }
    const OwnersView known = owners(kernel);
    const auto owner = page_owner(kernel, known, frame);
    if (!owner) {
        view.why_empty = fmt::format(
            "frame {}: no page of the page array (which is made in the phase kernel:zones)", frame);
        return view;
    }
    Sheet& sheet = view.add("page", fmt::format("Frame {}", frame), {"Property", "Value"});
    sheet.row({"physical", Cell::at(frame * 4096, Cell::Leads::Physical)});
    sheet.row({"type", owner->type});
    sheet.row({"owner", owner->owner});
    sheet.row({"block", fmt::format("frames {} to {} (order {})", owner->block_first,
                                    owner->block_first + owner->block_pages - 1,
                                    std::countr_zero(owner->block_pages))});
    sheet.row({"references", Cell::number(owner->references)});
    sheet.row({"mapped by entries", Cell::signed_number(owner->mapped)});
    sheet.row({"flags", Cell(hex(owner->flags))});
    sheet.row({"Page", Cell::at(owner->address)});
    if (const auto users = known.mapped.find(frame); users != known.mapped.end()) {
        Sheet& list =
            view.add("mappings", "Page-table entries that lead here", {"PID", "Task", "Linear", "Area"});
        for (const auto& use : users->second)
            list.row({Cell::signed_number(use.pid), use.comm, Cell::at(use.linear), use.area});
    }
    return view;
}

} // namespace vitrine::emu::inspect
