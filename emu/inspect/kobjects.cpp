// See kobjects.h. The lists are the guest's: depth and number of rows are bounded, and each name is cut to
// its field.
#include "emu/inspect/kobjects.h"
#include <fmt/format.h>

namespace vitrine::emu::inspect {
namespace {

constexpr std::size_t MostRows = 4096;
constexpr unsigned MostLevels = 24;

/// What a pointer to characters leads to.
std::string words_at(const GuestKernel& kernel, u64 address) {
    std::string words;
    for (u8 byte = 0;
         address && words.size() < 32 && kernel.memory().linear_value(address + words.size(), byte) && byte;)
        words += byte >= ' ' && byte < 127 ? static_cast<char>(byte) : '?';
    return words;
}

/// "/sys/devices/…", from the object up.
std::string path_of(GuestObject object) {
    std::string path;
    for (unsigned level = 0; level < MostLevels && !object.null(); ++level) {
        GuestObject parent = object.pointer("parent", "Kobject");
        if (parent.null()) return "/sys" + path;
        path = "/" + object.text("name") + path;
        object = parent;
    }
    return "…" + path;
}

struct Walk {
    const GuestKernel& kernel;
    Notes& notes;
    Sheet& sheet;

    void directory(const GuestObject& object, unsigned level) {
        if (level > MostLevels) return notes.add("kobjects: the tree is too deep");
        const auto offset = kernel.field("SysfsDirent", "node");
        if (!offset) return;
        kernel.walk_list(object.address_of("entries"), "ListNode", notes, [&](u64 node) {
            if (sheet.rows.size() >= MostRows) return notes.add("kobjects: more rows than are shown"), false;
            const GuestObject entry = kernel.object("SysfsDirent", node - offset->offset, notes);
            const GuestObject target = entry.pointer("target", "Kobject");
            const std::string name = std::string(level * 2, ' ') + entry.text("name");
            if (entry.u64_of("link")) {
                sheet.row({name, Cell("link").dim(), Cell("→ " + path_of(target)).dim(), Cell::none(),
                           Cell::at(target.address())});
                return true;
            }
            const GuestObject set = target.pointer("set", "Kobject");
            sheet.row({name, words_at(kernel, target.pointer("type", "KobjType").u64_of("name")),
                       set.null() ? Cell("").dim() : Cell("in " + path_of(set)),
                       Cell::number(target.u64_of("references")), Cell::at(target.address())});
            directory(target, level + 1);
            return true;
        });
    }
};

} // namespace

SheetsView kobjects_view(const std::expected<GuestKernel, std::string>& kernel) {
    SheetsView view;
    if (!kernel) {
        view.why_empty = kernel.error();
        return view;
    }
    const auto root = kernel->root("sysfs_root");
    if (!root || !kernel->size_of("Kobject") || !kernel->size_of("SysfsDirent")) {
        view.why_empty = "the kernel does not publish its kobjects";
        return view;
    }
    Sheet& sheet = view.add("kobjects", "kobjects, as /sys has them",
                            {"Name", "Type", "Leads to", "References", "Address"});
    sheet.why_empty = "there are no kobjects yet";
    u64 first = 0;
    kernel->memory().linear_value(root->address, first);
    if (first) Walk{*kernel, view.notes, sheet}.directory(kernel->object("Kobject", first, view.notes), 0);
    return view;
}

} // namespace vitrine::emu::inspect
