// GuestKernel — the bundled kernel's structures, read by the layouts that it publishes
// (guest/kernel/inspect/root.h).
//
// Interface: open() finds the root through the ELF note and the slide; root() names a global; GuestObject
// reads fields by name; walk_list() and walk_tree() follow the kernel's intrusive structures. Invariants:
// nothing read from the guest is trusted. Counts and walks are bounded, cycles are detected, and whatever
// does not fit becomes a note ("corrupt at …") beside the rows that were good. No compiled-in offsets.
#pragma once
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include "emu/inspect/reader.h"
#include "guest/kernel/inspect/root.h"

namespace vitrine::emu {
class GuestSymbols;
class Machine;
} // namespace vitrine::emu

namespace vitrine::emu::inspect {

class GuestObject;

class GuestKernel {
public:
    /// `phase` says where the boot is, for the message when there is nothing to read. On failure: why, for
    /// people.
    static std::expected<GuestKernel, std::string> open(const GuestReader& memory,
                                                        const GuestSymbols* symbols, std::string_view phase);
    /// Over a root at a known address; open() ends here, tests begin here.
    static std::expected<GuestKernel, std::string> at(const GuestReader& memory, u64 root_address,
                                                      std::string_view phase);

    struct Root {
        std::string type;
        u64 address = 0, count = 0;
    };
    std::optional<Root> root(std::string_view name) const;
    struct Field {
        u32 offset = 0, size = 0;
    };
    std::optional<Field> field(std::string_view type, std::string_view name) const;
    std::optional<u32> size_of(std::string_view type) const;
    /// The object at `address`. Reading its fields adds to `notes`.
    GuestObject object(std::string_view type, u64 address, Notes& notes) const;

    /// For tests: the types of all objects that are read from now on are added to `types`.
    void note_reads(std::set<std::string>* types) const { noted_ = types; }
    void note_read(const std::string& type) const {
        if (noted_) noted_->insert(type);
    }
    const std::string& build_id() const { return build_id_; }
    const GuestReader& memory() const { return *memory_; }
    const std::map<std::string, u32, std::less<>>& types() const { return types_; }
    const std::map<std::string, Root, std::less<>>& roots() const { return roots_; }
    /// In order of their offsets.
    std::vector<std::pair<std::string, Field>> fields_of(std::string_view type) const;

    /// Nodes of a circular list (fields next, prev of `node_type`), without the head. `visit` returns false
    /// to stop.
    void walk_list(u64 head, std::string_view node_type, Notes& notes,
                   const std::function<bool(u64 node)>& visit, u64 most = 65536) const;
    /// Nodes of a red-black tree in order (fields left, right of RbNode), with their depth and colour.
    struct TreeNode {
        u64 address;
        unsigned depth;
        bool black;
        u64 left, right;
    };
    void walk_tree(u64 root_node, Notes& notes, const std::function<bool(const TreeNode&)>& visit,
                   u64 most = 65536) const;

private:
    explicit GuestKernel(const GuestReader& memory) : memory_(&memory) {}
    const GuestReader* memory_;
    mutable std::set<std::string>* noted_ = nullptr;
    std::string build_id_;
    std::map<std::string, u32, std::less<>> types_;
    std::map<std::string, Field, std::less<>> fields_; ///< "Type.field"
    std::map<std::string, Root, std::less<>> roots_;
};

/// An address with a published type. A field that is not published or not readable reads as zero and leaves a
/// note.
class GuestObject {
public:
    GuestObject(const GuestKernel& kernel, std::string type, u64 address, Notes& notes)
        : kernel_(&kernel), type_(std::move(type)), address_(address), notes_(&notes) {}
    u64 address() const { return address_; }
    bool null() const { return address_ == 0; }
    bool has(std::string_view field) const { return kernel_->field(type_, field).has_value(); }
    u64 u64_of(std::string_view field) const;
    i64 i64_of(std::string_view field) const;       ///< sign-extended from the field's size
    std::string text(std::string_view field) const; ///< a char array, up to its NUL, unprintable bytes as '?'
    /// A structure inside this one.
    GuestObject member(std::string_view field, std::string_view type) const;
    /// The structure that a pointer field points at.
    GuestObject pointer(std::string_view field, std::string_view type) const;
    u64 address_of(std::string_view field) const;

private:
    std::optional<GuestKernel::Field> find(std::string_view field) const;
    const GuestKernel* kernel_;
    std::string type_;
    u64 address_;
    Notes* notes_;
};

} // namespace vitrine::emu::inspect
