// Address spaces: see space.h. Names of types and fields: guest/kernel/inspect/README.md; entries: Intel SDM
// 3A 4.5.
#include "emu/inspect/space.h"
#include <algorithm>
#include <cstring>
#include <fmt/format.h>
#include "emu/inspect/names.h"
#include "emu/inspect/render.h"
#include "emu/inspect/tasks.h"

namespace vitrine::emu::inspect {

namespace {
constexpr u64 AddressMask = cpu::PhysicalMask & ~u64{0xFFF}, SoftwareCopyOnWrite = 1 << 9,
              SoftwareNobodyMay = 1 << 8; // guest/kernel/mm/page_walk.h
constexpr std::size_t MostAreas = 65536, MostFrames = 512, MostLeaves = 1 << 20, MostRows = 200;
constexpr unsigned MostTables = 65536;
constexpr const char* LevelNames[] = {"", "PT", "PD", "PDPT", "PML4"};

EntryState state_of(const GuestReader& memory, u64 entry, unsigned level) {
    if (!(entry & cpu::PteP)) return entry ? EntryState::Absent : EntryState::Empty;
    const bool leaf = level == 1 || (level < 4 && entry & cpu::PtePS);
    if (!leaf) {
        u64 first = 0;
        return memory.physical_value(entry & AddressMask, first) ? EntryState::Table : EntryState::Outside;
    }
    if (entry & SoftwareCopyOnWrite && !(entry & cpu::PteW)) return EntryState::CopyOnWrite;
    if (entry & cpu::PteD) return EntryState::Dirty;
    return entry & cpu::PteA ? EntryState::Clean : EntryState::Fresh;
}

u64 canonical(u64 linear) { return static_cast<u64>(static_cast<i64>(linear << 16) >> 16); }

constexpr auto Nothing = [](u64) {};

/// All present leaves with from <= linear < to, in order; false when there are too many tables. `absent` gets
/// the last-level entries that are neither 0 nor present.
template <class Visit, class Absent = decltype(Nothing)>
bool each_leaf(const GuestReader& memory, u64 table, unsigned level, u64 base, u64 from, u64 to,
               unsigned& budget, const Visit& visit, const Absent& absent = Nothing) {
    if (budget == 0) return false;
    --budget;
    std::array<u64, 512> entries;
    if (!memory.physical(table, {reinterpret_cast<u8*>(entries.data()), sizeof entries})) return true;
    const u64 span = u64{1} << (12 + 9 * (level - 1));
    for (unsigned i = 0; i < 512; ++i) {
        const u64 linear = level == 4 ? canonical(base + u64{i} * span) : base + u64{i} * span;
        if (linear >= to || linear + (span - 1) < from) continue;
        if (!(entries[i] & cpu::PteP)) {
            if (level == 1 && entries[i]) absent(entries[i]);
            continue;
        }
        if (level == 1 || (level < 4 && entries[i] & cpu::PtePS)) {
            if (!visit(linear, entries[i], span)) return false;
        } else if (!each_leaf(memory, entries[i] & AddressMask, level - 1, linear, from, to, budget, visit,
                              absent)) {
            return false;
        }
    }
    return true;
}

std::string area_rights(u64 flags) {
    return fmt::format("{}{}{}{}", flags & 1 ? 'r' : '-', flags & 2 ? 'w' : '-', flags & 4 ? 'x' : '-',
                       flags & 8 ? 's' : 'p');
}

void read_areas(const GuestKernel& kernel, SpaceView& view, const GuestObject& memory, unsigned& budget) {
    const auto links = kernel.field("VmArea", "links");
    if (!links) return view.notes.add("the kernel does not publish VmArea");
    kernel.walk_list(memory.address_of("areas"), "ListNode", view.notes, [&](u64 node) {
        const GuestObject area = kernel.object("VmArea", node - links->offset, view.notes);
        AreaRow row;
        row.address = area.address(), row.start = area.u64_of("start"), row.end = area.u64_of("end");
        row.flags = area.u64_of("flags"), row.file_page = area.u64_of("vm_pgoff"),
        row.name = area.text("name");
        if (!row.name.starts_with('/')) row.file_page = 0; // without a file it counts from where it was made
        row.rights = area_rights(row.flags);
        if (row.end <= row.start || (!view.areas.empty() && row.start < view.areas.back().end)) {
            view.notes.add(fmt::format("areas: in flux or corrupt at {}", hex(row.address, 16)));
            return false;
        }
        const bool all = each_leaf(
            kernel.memory(), view.pgd, 4, 0, row.start, row.end, budget,
            [&](u64, u64 entry, u64 span) {
                const u64 pages = span >> 12;
                row.present += pages;
                if (entry & cpu::PteD) row.dirty += pages;
                if (entry & cpu::PteA) row.accessed += pages;
                if (row.flags & 2 && entry & SoftwareCopyOnWrite && !(entry & cpu::PteW))
                    row.copy_on_write += pages;
                if (row.frames.size() < MostFrames) row.frames.push_back((entry & AddressMask) >> 12);
                return true;
            },
            [&](u64 entry) { row.swapped += !(entry & SoftwareNobodyMay); });
        if (!all) view.notes.add("more tables than are looked at: the counts are too small");
        view.areas.push_back(std::move(row));
        return view.areas.size() < MostAreas;
    });
    if (view.areas.size() != memory.u64_of("area_count"))
        view.notes.add(fmt::format("{} areas are counted, {} are on the list", memory.u64_of("area_count"),
                                   view.areas.size()));
}
} // namespace

char entry_letter(EntryState state) { return ".xtapdc?"[static_cast<unsigned>(state) & 7]; }
const char* entry_meaning(EntryState state) {
    static constexpr const char* Meanings[EntryStates] = {
        "empty",
        "not present, but not zero: the system's own note",
        "leads to a table",
        "a page that was read",
        "a page that nobody has touched",
        "a page that was written",
        "copy-on-write: a write, where the area allows one, copies the page",
        "leads out of memory"};
    return Meanings[static_cast<unsigned>(state) & 7];
}

SpaceView space_view(const std::expected<GuestKernel, std::string>& kernel, i64 pid, unsigned index,
                     u64 cr3) {
    SpaceView view;
    view.pgd = cr3 & AddressMask;
    if (!kernel) {
        view.why_empty = kernel.error();
        return view;
    }
    view.pid = pid;
    if (pid < 0) { // what the scheduler has put on this processor, a thread as well as a process
        const auto queues = kernel->root("run_queues");
        const auto size = kernel->size_of("RunQueue");
        const u64 current =
            queues && size && index < queues->count
                ? kernel->object("RunQueue", queues->address + index * *size, view.notes).u64_of("current")
                : 0;
        if (current) return space_of(*kernel, current, cr3);
        view.why_empty = "no task runs on this processor yet: the scheduler is not initialised";
        return view;
    }
    const auto tasks = tasks_view(kernel);
    const auto found = std::ranges::find(tasks.rows, pid, &TaskRow::pid);
    if (found != tasks.rows.end()) return space_of(*kernel, found->address, cr3);
    view.why_empty = fmt::format("there is no task {}", pid);
    return view;
}

/// What one walk may look at, of what is left for all of them.
struct TableBudget {
    explicit TableBudget(unsigned* for_all)
        : all(for_all), granted(std::min(MostTables, all ? *all : MostTables)), left(granted) {}
    ~TableBudget() {
        if (all) *all -= granted - left;
    }
    TableBudget(const TableBudget&) = delete;
    TableBudget& operator=(const TableBudget&) = delete;
    unsigned* all;
    unsigned granted, left;
};

SpaceView space_of(const GuestKernel& kernel, u64 task_address, u64 cr3, unsigned* tables) {
    SpaceView view;
    view.pgd = cr3 & AddressMask;
    const GuestObject task = kernel.object("Task", task_address, view.notes);
    view.pid = task.i64_of("pid"), view.comm = task.text("comm"), view.task = task_address;
    view.kernel_thread = (task.u64_of("flags") & 0x0020'0000) != 0; // PF_KTHREAD
    const GuestObject memory = task.pointer("mm", "MemoryStruct");
    if (memory.null()) {
        view.why_empty = fmt::format(
            "{} is a kernel thread: it has no address space of its own and runs on whichever is loaded",
            view.comm);
        return view;
    }
    view.memory = memory.address(), view.pgd = memory.u64_of("pgd");
    view.loaded = (cr3 & AddressMask) == view.pgd;
    view.users = memory.u64_of("users"), view.resident = memory.u64_of("resident_pages"),
    view.total = memory.u64_of("total_pages");
    if (memory.has("anonymous_pages"))
        view.anonymous = memory.u64_of("anonymous_pages"),
        view.table_bytes = memory.u64_of("page_table_bytes");
    if (memory.has("swap_entries")) view.swapped = memory.u64_of("swap_entries");
    if (memory.has("locked_pages")) view.locked = memory.u64_of("locked_pages");
    view.start_brk = memory.u64_of("start_brk"), view.brk = memory.u64_of("brk"),
    view.mmap_base = memory.u64_of("mmap_base");
    view.start_stack = memory.u64_of("start_stack"), view.executable = memory.text("executable");
    TableBudget budget(tables);
    read_areas(kernel, view, memory, budget.left);
    return view;
}

TablesView tables_view(const GuestReader& memory, u64 root, u64 linear) {
    TablesView view;
    view.root = root & AddressMask, view.linear = linear;
    u64 table = view.root, first = 0;
    for (unsigned level = 4; level >= 1; --level) {
        TableView grid;
        grid.level = level, grid.address = table, grid.first = first;
        const unsigned shift = 12 + 9 * (level - 1);
        grid.chosen = static_cast<int>(linear >> shift & 511);
        grid.readable =
            memory.physical(table, {reinterpret_cast<u8*>(grid.entries.data()), sizeof grid.entries});
        if (!grid.readable) {
            view.notes.add(fmt::format("the table at {} lies outside memory", hex(table)));
            view.levels.push_back(grid);
            break;
        }
        for (unsigned i = 0; i < 512; ++i) grid.states[i] = state_of(memory, grid.entries[i], level);
        view.levels.push_back(grid);
        const u64 entry = grid.entries[static_cast<unsigned>(grid.chosen)];
        if (grid.states[static_cast<unsigned>(grid.chosen)] != EntryState::Table) break;
        table = entry & AddressMask;
        first = canonical(first + (u64{static_cast<unsigned>(grid.chosen)} << shift));
    }
    return view;
}

SpaceLeaves space_leaves(const GuestReader& memory, u64 root, bool kernel_half, unsigned* tables) {
    SpaceLeaves out;
    out.root = root & AddressMask;
    TableBudget budget(tables);
    each_leaf(memory, out.root, 4, 0, 0, kernel_half ? ~u64{0} : 0x0000'8000'0000'0000, budget.left,
              [&](u64 linear, u64 entry, u64) {
                  out.entries.emplace_back(linear, entry);
                  return out.entries.size() < MostLeaves;
              });
    return out;
}

SpaceDifference difference(const SpaceLeaves& before, const SpaceLeaves& now) {
    SpaceDifference out;
    const auto note = [&](u64 linear, u64 old, u64 fresh) {
        if (old == fresh) return;
        if (out.rows.size() >= MostRows) return void(++out.more);
        std::string what;
        const auto add = [&](const char* words) { what += (what.empty() ? "" : ", ") + std::string(words); };
        if (!old)
            add("appeared");
        else if (!fresh)
            add("went");
        else {
            if ((old ^ fresh) & AddressMask) add("another frame");
            if (fresh & ~old & cpu::PteD) add("written");
            if (old & ~fresh & cpu::PteD) add("clean again");
            if (fresh & ~old & cpu::PteA) add("accessed");
            if (old & ~fresh & cpu::PteA) add("accessed bit cleared");
            if ((old ^ fresh) & SoftwareCopyOnWrite)
                add(fresh & SoftwareCopyOnWrite ? "copy-on-write now" : "no longer copy-on-write");
            if ((old ^ fresh) & cpu::PteW) add(fresh & cpu::PteW ? "writable now" : "read-only now");
            if ((old ^ fresh) & cpu::PteNX) add(fresh & cpu::PteNX ? "no-execute now" : "executable now");
            if (what.empty()) add("other bits");
        }
        out.rows.push_back({linear, old, fresh, what});
    };
    std::size_t i = 0, k = 0;
    while (i < before.entries.size() || k < now.entries.size()) {
        const bool left = k == now.entries.size() ||
                          (i < before.entries.size() && before.entries[i].first < now.entries[k].first);
        const bool right = i == before.entries.size() ||
                           (k < now.entries.size() && now.entries[k].first < before.entries[i].first);
        if (left)
            note(before.entries[i].first, before.entries[i].second, 0), ++i;
        else if (right)
            note(now.entries[k].first, 0, now.entries[k].second), ++k;
        else
            note(now.entries[k].first, before.entries[i].second, now.entries[k].second), ++i, ++k;
    }
    return out;
}

// ---- faces ------------------------------------------------------------------------------------------------

std::string to_text(const SpaceView& v) {
    if (!v.why_empty.empty()) return v.why_empty + "\n" + notes_text(v.notes);
    std::string out = fmt::format("{} (pid {})  {}  page tables at {}{}\n", v.comm, v.pid, v.executable,
                                  hex(v.pgd), v.loaded ? ", loaded" : "");
    out += fmt::format("{} mapped, {} resident, {} of it anonymous, {} swapped out, {} of page tables; users "
                       "{}; break {}, mmap base {}\n",
                       size_text(v.total * 4096), size_text(v.resident * 4096), size_text(v.anonymous * 4096),
                       size_text(v.swapped * 4096), size_text(v.table_bytes), v.users, hex(v.brk),
                       hex(v.mmap_base));
    Table table({"start", "end", "size", "rights", "present", "dirty", "copy-on-write", "swapped",
                 "first frame", "name"});
    for (const auto& a : v.areas)
        table.row({hex(a.start, 12), hex(a.end, 12), size_text(a.end - a.start), a.rights,
                   std::to_string(a.present), std::to_string(a.dirty), std::to_string(a.copy_on_write),
                   std::to_string(a.swapped), a.frames.empty() ? "-" : std::to_string(a.frames.front()),
                   a.name});
    return out + table.text() + notes_text(v.notes);
}

nlohmann::json to_json(const SpaceView& v) {
    nlohmann::json areas = nlohmann::json::array();
    for (const auto& a : v.areas)
        areas.push_back({{"start", hex(a.start, 16)},
                         {"end", hex(a.end, 16)},
                         {"flags", a.flags},
                         {"rights", a.rights},
                         {"name", a.name},
                         {"file_page", a.file_page},
                         {"present_pages", a.present},
                         {"accessed_pages", a.accessed},
                         {"dirty_pages", a.dirty},
                         {"copy_on_write_pages", a.copy_on_write},
                         {"swapped_pages", a.swapped},
                         {"frames", a.frames},
                         {"address", hex(a.address, 16)}});
    return {{"pid", v.pid},
            {"comm", v.comm},
            {"executable", v.executable},
            {"task", hex(v.task, 16)},
            {"memory_struct", hex(v.memory, 16)},
            {"pgd", hex(v.pgd)},
            {"loaded", v.loaded},
            {"users", v.users},
            {"resident_pages", v.resident},
            {"anonymous_pages", v.anonymous},
            {"swapped_pages", v.swapped},
            {"locked_pages", v.locked},
            {"total_pages", v.total},
            {"page_table_bytes", v.table_bytes},
            {"start_brk", hex(v.start_brk)},
            {"brk", hex(v.brk)},
            {"mmap_base", hex(v.mmap_base)},
            {"start_stack", hex(v.start_stack)},
            {"areas", areas},
            {"why_empty", v.why_empty},
            {"notes", notes_json(v.notes)}};
}

/// Of the entry on the way: two of the letters are none.
static char capital(char letter) {
    if (letter == '.') return '_';
    return letter == '?' ? '!' : static_cast<char>(letter - 'a' + 'A');
}

std::string to_text(const TablesView& v) {
    std::string out = fmt::format("{}: ", hex(v.linear, 16));
    out += fmt::format("PML4 {} | PDPT {} | PD {} | PT {} | offset {}\n", v.linear >> 39 & 511,
                       v.linear >> 30 & 511, v.linear >> 21 & 511, v.linear >> 12 & 511,
                       hex(v.linear & 0xFFF, 3));
    for (const TableView& grid : v.levels) {
        const unsigned chosen = static_cast<unsigned>(grid.chosen);
        out += fmt::format("\n{} at {}, entry {} of 512: {}", LevelNames[grid.level], hex(grid.address),
                           chosen, hex(grid.entries[chosen], 16));
        out += grid.readable ? fmt::format(" ({})\n", entry_meaning(grid.states[chosen]))
                             : " (outside memory)\n";
        if (!grid.readable) continue;
        for (unsigned i = 0; i < 512; ++i) {
            if (i % 64 == 0) out += fmt::format("  {:3}  ", i);
            out += i == chosen ? capital(entry_letter(grid.states[i])) : entry_letter(grid.states[i]);
            if (i % 64 == 63) out += "\n";
        }
    }
    out +=
        "\n. empty  t table  p untouched  a accessed  d dirty  c copy-on-write  x not present  ? leads out "
        "of memory; the entry on the way is a capital, _ or !\n";
    return out + notes_text(v.notes);
}

nlohmann::json to_json(const TablesView& v) {
    nlohmann::json levels = nlohmann::json::array();
    for (const TableView& grid : v.levels) {
        std::string states;
        nlohmann::json entries = nlohmann::json::object();
        for (unsigned i = 0; i < 512; ++i) {
            states += entry_letter(grid.states[i]);
            if (grid.entries[i]) entries[std::to_string(i)] = hex(grid.entries[i], 16);
        }
        levels.push_back({{"level", LevelNames[grid.level]},
                          {"address", hex(grid.address)},
                          {"first", hex(grid.first, 16)},
                          {"index", grid.chosen},
                          {"readable", grid.readable},
                          {"states", states},
                          {"entries", entries}});
    }
    return {{"linear", hex(v.linear, 16)},
            {"root", hex(v.root)},
            {"levels", levels},
            {"notes", notes_json(v.notes)}};
}

std::string to_text(const SpaceDifference& v) {
    if (v.rows.empty()) return "no entry differs\n";
    Table table({"linear", "before", "now", "what"});
    for (const auto& row : v.rows)
        table.row({hex(row.linear, 16), hex(row.before, 16), hex(row.now, 16), row.what});
    return table.text() + (v.more ? fmt::format("and {} more\n", v.more) : "");
}

nlohmann::json to_json(const SpaceDifference& v) {
    nlohmann::json rows = nlohmann::json::array();
    for (const auto& row : v.rows)
        rows.push_back({{"linear", hex(row.linear, 16)},
                        {"before", hex(row.before, 16)},
                        {"now", hex(row.now, 16)},
                        {"what", row.what}});
    return {{"differences", rows}, {"more", v.more}};
}

} // namespace vitrine::emu::inspect
