// Files: see files.h. Names of types and fields: guest/kernel/inspect/README.md.
#include "emu/inspect/files.h"
#include <algorithm>
#include <fmt/format.h>
#include <set>
#include "emu/inspect/names.h"
#include "emu/inspect/tasks.h"

namespace vitrine::emu::inspect {

namespace {
constexpr u64 MostDescriptors = 4096, MostSlots = 1 << 18; ///< of one task; of all
constexpr std::size_t MostFiles = 20000;

/// The letters of ls -l for S_IFMT, and the permissions in octal (inode(7)).
std::string mode_text(u64 mode) {
    static constexpr char Kinds[] = "?pc?d?b?-?l?s???";
    return fmt::format("{} {:04o}", Kinds[mode >> 12 & 15], mode & 07777);
}
/// open(2): the access mode and what matters beside it.
std::string flags_text(u64 flags) {
    static constexpr const char* Access[] = {"read", "write", "read+write", "path"};
    std::string out = Access[flags & 3];
    if (flags & 02000) out += " append";
    if (flags & 04000) out += " nonblock";
    return out;
}
std::string device_text(u64 device) { return fmt::format("{}:{}", device >> 8 & 0xFFF, device & 0xFF); }

void open_files(const GuestKernel& kernel, SheetsView& view) {
    Sheet& sheet = view.add("open_files", "Open files",
                            {"PID", "Task", "fd", "Path", "Access", "Position", "Mode", "Shared", "File"});
    std::set<u64> tables;
    std::size_t files = 0;
    u64 slots_read = 0;
    for (const TaskRow& task : tasks_view(kernel).rows) {
        const GuestObject table =
            kernel.object("Task", task.address, view.notes).pointer("files", "FilesStruct");
        if (table.null()) continue;
        const u64 slots = table.u64_of("fd"), count = std::min(table.u64_of("max_fds"), MostDescriptors),
                  users = table.u64_of("users");
        const bool known = !tables.insert(table.address()).second;
        if (known) continue; // a thread: its leader has been shown
        for (u64 fd = 0; fd < count && files < MostFiles && slots_read < MostSlots; ++fd, ++slots_read) {
            u64 file_address = 0;
            if (!kernel.memory().linear_value(slots + fd * 8, file_address)) {
                view.notes.add(fmt::format("pid {}: its table of files cannot be read", task.pid));
                break;
            }
            if (!file_address) continue;
            const GuestObject file = kernel.object("File", file_address, view.notes);
            const GuestObject inode = file.pointer("inode", "Inode");
            const std::string path = dentry_path(kernel, file.u64_of("dentry"), view.notes);
            const u64 mode = inode.null() ? 0 : inode.u64_of("mode");
            const bool pipe = (mode & 0170000) == 0010000;
            sheet.row(
                {Cell::signed_number(task.pid),
                 task.comm + (users > 1 ? fmt::format(" (+{})", users - 1) : ""), Cell::number(fd),
                 path.empty() || (pipe && path == "/") ? std::string(pipe ? "a pipe" : "no name") : path,
                 Cell(flags_text(file.u64_of("flags"))).dim(), Cell::number(file.u64_of("position")),
                 Cell(mode_text(mode)).dim(), Cell::number(file.u64_of("count")), Cell::at(file_address)});
            ++files;
        }
    }
    if (slots_read == MostSlots || files == MostFiles)
        view.notes.add("more files than are shown: the rest is left out");
    sheet.remark = fmt::format("{} in {} tables", sheet.rows.size(), tables.size());
    sheet.why_empty = "no task has a file open yet: init opens the console";
}

void mounts(const GuestKernel& kernel, SheetsView& view) {
    Sheet& sheet = view.add("mounts", "Mounts",
                            {"On", "Source", "Type", "Device", "Access", "Open for writing", "Superblock"});
    u64 at = pointer_root(kernel, "mounts");
    for (unsigned i = 0; at && i < 256; ++i) {
        const GuestObject mount = kernel.object("Mount", at, view.notes);
        const GuestObject super = mount.pointer("super", "SuperBlock");
        sheet.row({mount.text("target"), mount.text("source"),
                   guest_string(kernel.memory(), super.u64_of("type")), device_text(super.u64_of("device")),
                   super.u64_of("read_only") ? "read only" : "read and write",
                   Cell::number(super.u64_of("writers")), Cell::at(super.address())});
        at = mount.u64_of("next");
    }
    std::ranges::reverse(sheet.rows); // the newest is first in the kernel's list
    sheet.why_empty = "nothing is mounted yet: the root comes with the phase kernel:mount_root";
}

void names(const GuestKernel& kernel, SheetsView& view) {
    const auto dentries = all_dentries(kernel, view.notes);
    const auto paths = inode_paths(dentries);
    Sheet inodes("inodes", "Inodes in memory",
                 {"Path", "Number", "Mode", "Size", "Cached", "Dirty", "Links", "Count", "Inode"});
    for (const auto& [address, path] : paths) {
        const GuestObject inode = kernel.object("Inode", address, view.notes);
        const GuestObject data = inode.member("data", "AddressSpace");
        const u64 dirty = data.u64_of("dirty");
        inodes.row({path, Cell::number(inode.u64_of("number")), Cell(mode_text(inode.u64_of("mode"))).dim(),
                    Cell::size(inode.u64_of("size")), Cell::size(data.u64_of("pages") * 4096),
                    Cell::size(dirty * 4096).in(dirty ? Cell::Tone::Marked : Cell::Tone::Dim),
                    Cell::number(inode.u64_of("links")), Cell::number(inode.u64_of("count")),
                    Cell::at(address)});
    }
    std::ranges::sort(inodes.rows, {}, [](const auto& row) { return row[0].text; });
    inodes.remark = fmt::format("{} with a name", inodes.rows.size());
    inodes.why_empty = "none: the root file system is not mounted yet";
    view.sheets.push_back(std::move(inodes));

    Sheet& sheet = view.add("dentries", "Dentry cache", {"Path", "Inode", "Count", "What", "Dentry"});
    for (const DentryRow& row : dentries)
        sheet.row({row.path, Cell::at(row.inode), Cell::number(row.count),
                   Cell(!row.inode    ? "negative: known not to exist"
                        : row.mounted ? "something is mounted here"
                        : row.count   ? "in use"
                                      : "unused, kept")
                       .dim(),
                   Cell::at(row.address)});
    sheet.remark = fmt::format("{} names", dentries.size());
    sheet.why_empty = inodes.why_empty;
}
} // namespace

SheetsView files_view(const std::expected<GuestKernel, std::string>& kernel) {
    SheetsView view;
    if (!kernel) {
        view.why_empty = kernel.error();
        return view;
    }
    if (!kernel->size_of("File") || !kernel->size_of("Dentry") || !kernel->size_of("Inode")) {
        view.why_empty = "the kernel does not publish File, Dentry and Inode";
        return view;
    }
    open_files(*kernel, view);
    mounts(*kernel, view);
    names(*kernel, view);
    return view;
}

} // namespace vitrine::emu::inspect
