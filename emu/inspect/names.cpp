// Names in the kernel: see names.h.
#include "emu/inspect/names.h"
#include <algorithm>
#include <fmt/format.h>
#include <set>
#include "emu/inspect/render.h"

namespace vitrine::emu::inspect {

namespace {
constexpr unsigned MostComponents = 40;
constexpr std::size_t MostDentries = 65536, LongestName = 255, LongestPath = 4096;

std::string name_of(const GuestKernel& kernel, const GuestObject& dentry) {
    const std::size_t length = std::min<std::size_t>(dentry.u64_of("name_length"), LongestName);
    return guest_string(kernel.memory(), dentry.u64_of("name"), length);
}
} // namespace

std::string guest_string(const GuestReader& memory, u64 address, std::size_t most) {
    std::string out(most, '\0');
    if (!address) return {};
    out.resize(memory.linear(address, {reinterpret_cast<u8*>(out.data()), out.size()}));
    out.resize(std::min(out.size(), out.find('\0')));
    for (char& c : out)
        if (c < ' ' || c > '~') c = '?';
    return out;
}

u64 pointer_root(const GuestKernel& kernel, std::string_view name, u64 index) {
    const auto root = kernel.root(name);
    u64 value = 0;
    if (!root || index >= root->count || !kernel.memory().linear_value(root->address + index * 8, value))
        return 0;
    return value;
}

u64 number_root(const GuestKernel& kernel, std::string_view name, u64 index) {
    const auto root = kernel.root(name);
    if (!root || index >= root->count) return 0;
    const std::size_t size = std::min<std::size_t>(kernel.size_of(root->type).value_or(8), 8);
    u64 value = 0;
    if (kernel.memory().linear(root->address + index * size, {reinterpret_cast<u8*>(&value), size}) != size)
        return 0;
    return value;
}

std::string dentry_path(const GuestKernel& kernel, u64 dentry, Notes& notes) {
    if (!dentry || !kernel.size_of("Dentry")) return {};
    std::string path;
    u64 at = dentry;
    for (unsigned i = 0; i < MostComponents; ++i) {
        const GuestObject object = kernel.object("Dentry", at, notes);
        const u64 parent = object.u64_of("parent");
        if (parent == at || !parent) { // a root: of the tree, of a mount, or of something without a name
            const u64 mount_point = object.u64_of("mount_point");
            if (!mount_point || mount_point == at) {
                const std::string name = name_of(kernel, object);
                if (path.empty() && !name.empty() && name != "/") return name;
                return path.empty() ? "/" : path;
            }
            at = mount_point;
            continue;
        }
        path = "/" + name_of(kernel, object) + path;
        at = parent;
    }
    return "…" + path;
}

std::vector<DentryRow> all_dentries(const GuestKernel& kernel, Notes& notes) {
    std::vector<DentryRow> out;
    const auto sibling = kernel.field("Dentry", "sibling");
    const u64 root = pointer_root(kernel, "root_dentry");
    if (!sibling || !root) return out;
    std::set<u64> seen{root};
    std::vector<std::pair<u64, std::string>> open{{root, ""}};
    while (!open.empty() && out.size() < MostDentries) {
        const auto [at, path] = open.back();
        open.pop_back();
        const GuestObject dentry = kernel.object("Dentry", at, notes);
        DentryRow row{at,
                      dentry.u64_of("inode"),
                      dentry.u64_of("parent"),
                      dentry.u64_of("count"),
                      dentry.u64_of("mounted"),
                      path.empty() ? "/" : path};
        out.push_back(row);
        if (row.mounted && seen.insert(row.mounted).second) open.emplace_back(row.mounted, path);
        kernel.walk_list(dentry.address_of("children"), "ListNode", notes, [&](u64 node) {
            const u64 child = node - sibling->offset;
            if (seen.insert(child).second)
                open.emplace_back(child,
                                  path.size() > LongestPath
                                      ? path
                                      : path + "/" + name_of(kernel, kernel.object("Dentry", child, notes)));
            return seen.size() < MostDentries;
        });
    }
    if (out.size() == MostDentries)
        notes.add(fmt::format("more than {} dentries: the rest is left out", MostDentries));
    std::ranges::sort(out, {}, &DentryRow::path);
    return out;
}

std::map<u64, std::string> inode_paths(const std::vector<DentryRow>& dentries) {
    std::map<u64, std::string> out;
    for (const DentryRow& row : dentries)
        if (row.inode) out.try_emplace(row.inode, row.path);
    return out;
}

} // namespace vitrine::emu::inspect
