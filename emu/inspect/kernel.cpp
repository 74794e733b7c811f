// GuestKernel: see kernel.h.
#include "emu/inspect/kernel.h"
#include <algorithm>
#include <cstring>
#include <fmt/format.h>
#include <set>
#include "emu/inspect/render.h"
#include "emu/symbols/guest_symbols.h"

namespace vitrine::emu::inspect {

namespace abi = inspect_abi;

namespace {

constexpr u64 MostRows = 8192;

template <std::size_t N> std::string padded(const char (&text)[N]) {
    std::string out(text, strnlen(text, N));
    for (char& c : out)
        if (c < ' ' || c > '~') c = '?';
    return out;
}

/// Reads a published table into rows; false when it is not readable or implausibly long.
template <class T> bool read_table(const GuestReader& memory, u64 address, u64 count, std::vector<T>& out) {
    if (count > MostRows) return false;
    if (count == 0) return true;
    out.resize(count);
    const std::size_t size = count * sizeof(T);
    return memory.linear(address, {reinterpret_cast<u8*>(out.data()), size}) == size;
}

} // namespace

std::expected<GuestKernel, std::string>
GuestKernel::open(const GuestReader& memory, const GuestSymbols* symbols, std::string_view phase) {
    if (!symbols)
        return std::unexpected("there are no kernel symbols: give --symbols, or build the bundled guest");
    if (!symbols->elf().inspect_note())
        return std::unexpected(
            "the symbol file has no Vitrine note: this kernel publishes nothing to inspect");
    if (!symbols->slide()) {
        // The first user program is a kernel's own work: one runs, and not the one that the symbols are of.
        if (phase == "init")
            return std::unexpected(
                "another kernel runs than the one whose symbols were read: it publishes no "
                "structures to show. Registers, tables, bytes and devices work with every kernel");
        return std::unexpected(fmt::format(
            "no kernel that publishes its structures runs yet: the machine is in phase {}", phase));
    }
    return at(memory, symbols->elf().inspect_note()->root_link_address + *symbols->slide(), phase);
}

std::expected<GuestKernel, std::string> GuestKernel::at(const GuestReader& memory, u64 root_address,
                                                        std::string_view phase) {
    abi::Root root{};
    if (!memory.linear_value(root_address, root))
        return std::unexpected(
            fmt::format("the kernel's inspection root at {} is not mapped: the machine is in phase {}",
                        hex(root_address, 16), phase));
    if (root.magic != abi::Magic)
        return std::unexpected(
            fmt::format("the kernel has not published its structures yet: it is in phase {}", phase));
    if (root.version != abi::Version || root.size < sizeof root)
        return std::unexpected(
            fmt::format("the kernel publishes version {} of its structures; this build reads {}",
                        root.version, abi::Version));
    std::vector<abi::TypeLayout> types;
    std::vector<abi::FieldLayout> fields;
    std::vector<abi::NamedRoot> roots;
    if (!read_table(memory, root.types, root.type_count, types) ||
        !read_table(memory, root.fields, root.field_count, fields) ||
        !read_table(memory, root.roots, root.root_count, roots))
        return std::unexpected(fmt::format("the kernel's published tables cannot be read: corrupt at {}",
                                           hex(root_address, 16)));
    GuestKernel kernel(memory);
    kernel.build_id_ = padded(root.build_id);
    for (const auto& type : types) kernel.types_.try_emplace(padded(type.name), type.size);
    for (const auto& field : fields) {
        if (field.size == 0 || field.size > 65536 || field.offset > (1u << 20))
            continue; // no structure has such a field
        kernel.fields_.try_emplace(padded(field.type) + "." + padded(field.name),
                                   Field{field.offset, field.size});
    }
    for (const auto& named : roots)
        kernel.roots_.try_emplace(padded(named.name), Root{padded(named.type), named.address, named.count});
    return kernel;
}

std::optional<GuestKernel::Root> GuestKernel::root(std::string_view name) const {
    const auto found = roots_.find(name);
    if (found == roots_.end()) return std::nullopt;
    note_read(found->second.type);
    return found->second;
}

std::optional<GuestKernel::Field> GuestKernel::field(std::string_view type, std::string_view name) const {
    const auto found = fields_.find(fmt::format("{}.{}", type, name));
    if (found == fields_.end()) return std::nullopt;
    return found->second;
}

std::optional<u32> GuestKernel::size_of(std::string_view type) const {
    const auto found = types_.find(type);
    if (found == types_.end() || found->second == 0) return std::nullopt;
    return found->second;
}

std::vector<std::pair<std::string, GuestKernel::Field>> GuestKernel::fields_of(std::string_view type) const {
    std::vector<std::pair<std::string, Field>> out;
    const std::string prefix = std::string(type) + ".";
    for (auto at = fields_.lower_bound(prefix); at != fields_.end() && at->first.starts_with(prefix); ++at)
        out.emplace_back(at->first.substr(prefix.size()), at->second);
    std::ranges::sort(out, {}, [](const auto& field) { return std::pair(field.second.offset, field.first); });
    return out;
}

GuestObject GuestKernel::object(std::string_view type, u64 address, Notes& notes) const {
    return GuestObject(*this, std::string(type), address, notes);
}

// ---- walks ------------------------------------------------------------------------------------------------

void GuestKernel::walk_list(u64 head, std::string_view node_type, Notes& notes,
                            const std::function<bool(u64)>& visit, u64 most) const {
    std::set<u64> seen;
    GuestObject at = object(node_type, head, notes);
    u64 previous = head, node = at.u64_of("next");
    while (node != head) {
        if (node == 0) {
            // A zeroed head was never initialised; a zero further on is damage.
            if (previous != head)
                notes.add(fmt::format("list at {}: corrupt at {} (its next link is null)", hex(head, 16),
                                      hex(previous, 16)));
            return;
        }
        if (!seen.insert(node).second)
            return notes.add(fmt::format("list at {}: corrupt at {} (a cycle that misses the head)",
                                         hex(head, 16), hex(node, 16)));
        if (seen.size() > most)
            return notes.add(
                fmt::format("list at {}: more than {} nodes, the rest is left out", hex(head, 16), most));
        u64 link = 0;
        const auto next_field = field(node_type, "next"), back_field = field(node_type, "prev");
        if (!next_field || !memory_->linear_value(node + next_field->offset, link))
            return notes.add(
                fmt::format("list at {}: corrupt at {} (not readable)", hex(head, 16), hex(node, 16)));
        u64 back = previous;
        if (back_field && memory_->linear_value(node + back_field->offset, back) && back != previous)
            notes.add(fmt::format("list at {}: in flux or corrupt at {} (its back link is {})", hex(head, 16),
                                  hex(node, 16), hex(back, 16)));
        if (!visit(node)) return;
        previous = node, node = link;
    }
}

void GuestKernel::walk_tree(u64 root_node, Notes& notes, const std::function<bool(const TreeNode&)>& visit,
                            u64 most) const {
    const auto left = field("RbNode", "left"), right = field("RbNode", "right"),
               colour = field("RbNode", "parent_color");
    if (!left || !right || !colour) return notes.add("the kernel does not publish RbNode");
    note_read("RbNode");
    std::set<u64> seen;
    std::vector<TreeNode> stack;
    constexpr unsigned Deepest = 128; // a red-black tree of 2^64 nodes is not deeper
    u64 node = root_node;
    unsigned depth = 0;
    while (node || !stack.empty()) {
        while (node) {
            if (!seen.insert(node).second)
                return notes.add(
                    fmt::format("tree at {}: corrupt at {} (a cycle)", hex(root_node, 16), hex(node, 16)));
            if (seen.size() > most || depth > Deepest)
                return notes.add(fmt::format("tree at {}: too large or too deep, the rest is left out",
                                             hex(root_node, 16)));
            TreeNode entry{node, depth, false, 0, 0};
            u64 word = 0;
            if (!memory_->linear_value(node + left->offset, entry.left) ||
                !memory_->linear_value(node + right->offset, entry.right) ||
                !memory_->linear_value(node + colour->offset, word)) {
                notes.add(fmt::format("tree at {}: corrupt at {} (not readable)", hex(root_node, 16),
                                      hex(node, 16)));
                break;
            }
            entry.black = word & 1;
            stack.push_back(entry);
            node = entry.left, ++depth;
        }
        if (stack.empty()) return;
        const TreeNode entry = stack.back();
        stack.pop_back();
        if (!visit(entry)) return;
        node = entry.right, depth = entry.depth + 1;
    }
}

// ---- objects ----------------------------------------------------------------------------------------------

std::optional<GuestKernel::Field> GuestObject::find(std::string_view field) const {
    const auto found = kernel_->field(type_, field);
    if (!found) notes_->add(fmt::format("the kernel does not publish {}.{}", type_, field));
    kernel_->note_read(type_);
    return found;
}

u64 GuestObject::u64_of(std::string_view field) const {
    const auto found = find(field);
    if (!found || null()) return 0;
    u64 value = 0;
    const std::size_t size = std::min<std::size_t>(found->size, sizeof value);
    if (kernel_->memory().linear(address_ + found->offset, {reinterpret_cast<u8*>(&value), size}) != size) {
        notes_->add(fmt::format("{} corrupt at {}: not readable", type_, hex(address_, 16)));
        return 0;
    }
    return value;
}

i64 GuestObject::i64_of(std::string_view field) const {
    const u64 value = u64_of(field);
    const auto found = kernel_->field(type_, field);
    if (!found || found->size >= 8) return static_cast<i64>(value);
    const unsigned shift = 64 - 8 * found->size;
    return static_cast<i64>(value << shift) >> shift;
}

std::string GuestObject::text(std::string_view field) const {
    const auto found = find(field);
    if (!found || null()) return {};
    char raw[256] = {};
    const std::size_t size = std::min<std::size_t>(found->size, sizeof raw - 1);
    if (kernel_->memory().linear(address_ + found->offset, {reinterpret_cast<u8*>(raw), size}) != size) {
        notes_->add(fmt::format("{} corrupt at {}: not readable", type_, hex(address_, 16)));
        return {};
    }
    return padded(raw);
}

GuestObject GuestObject::member(std::string_view field, std::string_view type) const {
    return GuestObject(*kernel_, std::string(type), address_of(field), *notes_);
}

GuestObject GuestObject::pointer(std::string_view field, std::string_view type) const {
    return GuestObject(*kernel_, std::string(type), u64_of(field), *notes_);
}

u64 GuestObject::address_of(std::string_view field) const {
    const auto found = find(field);
    return found && !null() ? address_ + found->offset : 0;
}

} // namespace vitrine::emu::inspect
