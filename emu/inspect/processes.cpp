// The process tree: see processes.h. Names of types and fields: guest/kernel/inspect/README.md.
#include "emu/inspect/processes.h"
#include <algorithm>
#include <fmt/format.h>
#include <set>
#include "emu/inspect/names.h"
#include "emu/inspect/tasks.h"

namespace vitrine::emu::inspect {

namespace {
constexpr unsigned DeepestIndent = 64; // a chain of 65536 processes would be gigabytes of spaces
}

SheetsView processes_view(const std::expected<GuestKernel, std::string>& kernel,
                          const GuestSymbols* symbols) {
    SheetsView view;
    const TasksView tasks = tasks_view(kernel, symbols);
    if (!tasks.why_empty.empty()) {
        view.why_empty = tasks.why_empty;
        return view;
    }
    Sheet& sheet = view.add(
        "processes", "Process tree",
        {"Process", "PID", "S", "CPU", "Class", "Nice", "Ran", "Switches", "Waits in", "Directory", "Task"});
    std::map<u64, const TaskRow*> rows;
    for (const TaskRow& row : tasks.rows) rows[row.address] = &row;
    const auto sibling = kernel->field("Task", "sibling");
    std::size_t links = 0; // that were followed: damaged lists may share their nodes
    // Threads are on no list of children: they stand below their leader, before its children.
    std::map<i64, std::vector<u64>> threads;
    for (const TaskRow& row : tasks.rows)
        if (row.pid != row.tgid) threads[row.tgid].push_back(row.address);
    const auto below = [&](u64 address, const TaskRow& row) {
        std::vector<u64> out;
        if (row.pid == row.tgid)
            if (auto group = threads.extract(row.tgid)) out = std::move(group.mapped());
        const GuestObject task = kernel->object("Task", address, view.notes);
        if (sibling && task.has("children"))
            kernel->walk_list(task.address_of("children"), "ListNode", view.notes, [&](u64 node) {
                out.push_back(node - sibling->offset);
                return ++links < (1 << 18);
            });
        return out;
    };
    std::set<u64> shown;
    // Depth first, without recursion: a tree that bites its tail ends where it has been.
    std::vector<std::pair<u64, unsigned>> open;
    const auto from = [&](u64 root) {
        open.emplace_back(root, 0);
        while (!open.empty()) {
            const auto [address, depth] = open.back();
            open.pop_back();
            const auto found = rows.find(address);
            if (found == rows.end() || !shown.insert(address).second) continue;
            const TaskRow& row = *found->second;
            std::string directory;
            if (const GuestObject fs = kernel->object("Task", address, view.notes).pointer("fs", "FsStruct");
                !fs.null() && fs.has("pwd"))
                directory = dentry_path(*kernel, fs.u64_of("pwd"), view.notes);
            sheet.row({std::string(std::min(depth, DeepestIndent) * 2, ' ') +
                           (row.kernel_thread ? "[" + row.comm + "]" : row.comm) +
                           (row.pid != row.tgid ? " (thread)" : ""),
                       Cell::signed_number(row.pid),
                       Cell(row.state + (row.on_cpu ? "+" : ""))
                           .in(row.on_cpu ? Cell::Tone::Active : Cell::Tone::Plain),
                       Cell::number(row.cpu), policy_name(row.policy), Cell::signed_number(row.nice),
                       Cell::time(row.runtime), fmt::format("{}+{}", row.voluntary, row.involuntary),
                       row.waits_in, Cell(directory).dim(), Cell::at(address)});
            const auto next = below(address, row);
            for (auto child = next.rbegin(); child != next.rend(); ++child)
                open.emplace_back(*child, depth + 1);
        }
    };
    for (const TaskRow& row : tasks.rows)
        if (row.pid == 0) from(row.address);
    for (const TaskRow& row : tasks.rows)
        if (!shown.contains(row.address) &&
            !rows.contains(kernel->object("Task", row.address, view.notes).u64_of("parent")))
            from(row.address);
    for (const TaskRow& row : tasks.rows)
        if (!shown.contains(row.address)) from(row.address);
    sheet.remark = fmt::format("{} tasks", sheet.rows.size());
    return view;
}

} // namespace vitrine::emu::inspect
