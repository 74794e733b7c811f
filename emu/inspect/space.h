// The address space of one task: its areas beside its page tables beside the frames that they lead to.
//
// The tables are read from physical memory, whoever runs: a task's CR3 is MemoryStruct.pgd (a kernel thread's
// is the kernel's own tables). Invariants: no side effects; at most 65536 tables are read, corrupt ones
// become notes.
#pragma once
#include <array>
#include "cpu/mmu/walk.h"
#include "emu/inspect/sheet.h"

namespace vitrine::emu::inspect {

/// What an entry is, for a cell of a table's grid. Letters stand for the same in text and picture.
enum class EntryState : u8 {
    Empty,       ///< '.'  not present, nothing in it
    Absent,      ///< 'x'  not present, but not zero: software's
    Table,       ///< 't'  leads to another table
    Clean,       ///< 'a'  a page, accessed, not written
    Fresh,       ///< 'p'  a page, not even accessed
    Dirty,       ///< 'd'  a page, written through this entry
    CopyOnWrite, ///< 'c'  a page that is copied at the next write
    Outside,     ///< '?'  leads out of memory
};
inline constexpr unsigned EntryStates = 8;
char entry_letter(EntryState state);
const char* entry_meaning(EntryState state);

/// One table as a grid of cells.
struct TableView {
    unsigned level = 0; ///< 4 PML4 … 1 PT
    u64 address = 0;    ///< physical
    u64 first = 0;      ///< linear address of entry 0
    int chosen = -1;    ///< the entry that the shown address goes through
    std::array<u64, 512> entries{};
    std::array<EntryState, 512> states{};
    bool readable = false;
};
struct AreaRow {
    u64 address = 0, start = 0, end = 0, flags = 0, file_page = 0;
    std::string name, rights;
    /// Pages of it that are in memory, and how many of these are what.
    u64 present = 0, dirty = 0, copy_on_write = 0, accessed = 0;
    u64 swapped = 0;         ///< entries that name a place in a swap area instead
    std::vector<u64> frames; ///< the first of them, at most 512
};
struct SpaceView {
    i64 pid = 0;
    std::string comm;
    u64 task = 0, memory = 0; ///< addresses of Task and MemoryStruct
    u64 pgd = 0;              ///< physical address of level 4
    bool loaded = false;      ///< the shown processor's CR3 points there
    bool kernel_thread = false;
    u64 users = 0, resident = 0, anonymous = 0, swapped = 0, locked = 0, total = 0, table_bytes = 0, brk = 0,
        start_brk = 0, mmap_base = 0, start_stack = 0;
    std::string executable;
    std::vector<AreaRow> areas;
    Notes notes;
    std::string why_empty;
};
/// `pid` < 0: the task that runs on processor `index`, whose CR3 is `cr3`.
/// `tables`, of space_of() and space_leaves(): how many page tables may still be looked at, when many spaces
/// are read; each has its own bound besides.
SpaceView space_of(const GuestKernel& kernel, u64 task, u64 cr3, unsigned* tables = nullptr);
SpaceView space_view(const std::expected<GuestKernel, std::string>& kernel, i64 pid, unsigned index, u64 cr3);

/// The tables on the way to `linear`, level by level, from a level-4 table at `root`; ends where the walk
/// does.
struct TablesView {
    u64 root = 0, linear = 0;
    std::vector<TableView> levels;
    Notes notes;
};
TablesView tables_view(const GuestReader& memory, u64 root, u64 linear);
/// Where two address spaces, or one at two times, differ.
struct SpaceDifference {
    struct Row {
        u64 linear = 0, before = 0, now = 0;
        std::string what; ///< "page appeared", "dirty now", "another frame"
    };
    std::vector<Row> rows;
    u64 more = 0; ///< differences beyond those
};
/// All present leaf entries of the user half (and, when `kernel_half`, of the other): what a difference is
/// made of.
struct SpaceLeaves {
    u64 root = 0;
    std::vector<std::pair<u64, u64>> entries; ///< linear → entry, ascending
};
SpaceLeaves space_leaves(const GuestReader& memory, u64 root, bool kernel_half = false,
                         unsigned* tables = nullptr);
SpaceDifference difference(const SpaceLeaves& before, const SpaceLeaves& now);

std::string to_text(const SpaceView& view);
nlohmann::json to_json(const SpaceView& view);
std::string to_text(const TablesView& view);
nlohmann::json to_json(const TablesView& view);
std::string to_text(const SpaceDifference& view);
nlohmann::json to_json(const SpaceDifference& view);

} // namespace vitrine::emu::inspect
