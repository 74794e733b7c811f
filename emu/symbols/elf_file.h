// ElfFile — the parts of an ELF file that the host needs: loadable segments, notes, and the symbol table.
//
// Implements: System V gABI chapter 4–5, ELF-64 and ELF-32. Invariant: nothing in the file is trusted — every
// offset, size and count is checked against the file before use, and a file that lies gives an Error, never a
// crash.
#pragma once
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>
#include "cpu/base/types.h"
#include "guest/kernel/inspect/root.h"

namespace vitrine::emu {

struct Symbol {
    u64 address = 0, size = 0;
    std::string name;
    bool function = false;
};

class ElfFile {
public:
    static Expected<ElfFile> load(const std::string& path);
    static Expected<ElfFile> parse(std::vector<u8> bytes, const std::string& name);
    /// Also 32-bit files (firmware, boot loader) and shared objects; segments are where they are linked.
    static Expected<ElfFile> parse_any(std::vector<u8> bytes, const std::string& name);

    struct Segment {
        u64 virtual_address, memory_size, offset, file_size;
        bool executable, writable;
    };
    const std::vector<Segment>& segments() const { return segments_; }
    /// Symbols sorted by address, then name.
    const std::vector<Symbol>& symbols() const { return symbols_; }
    const std::optional<inspect_abi::NoteDescriptor>& inspect_note() const { return note_; }
    u64 entry() const { return entry_; }
    const std::vector<u8>& bytes() const { return bytes_; }
    /// Bytes of the image at a link-time address; empty when the file holds none there. Never longer than
    /// `size`.
    std::span<const u8> at(u64 address, u64 size) const;

private:
    static Expected<ElfFile> parse(std::vector<u8> bytes, const std::string& name, bool narrow_too);
    template <class Kind> Expected<void> read_all(bool dynamic);
    template <class Kind> Expected<void> read_segments();
    template <class Kind> Expected<void> read_sections(u32 type_of_table);
    void read_notes(u64 offset, u64 size);
    template <class T> bool get(u64 offset, T& out) const;
    std::string_view string_at(u64 table, u64 table_size, u64 offset) const;

    std::string name_;
    std::vector<u8> bytes_;
    std::vector<Segment> segments_;
    std::vector<Symbol> symbols_;
    std::optional<inspect_abi::NoteDescriptor> note_;
    u64 entry_ = 0;
};

} // namespace vitrine::emu
