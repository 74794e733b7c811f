// GuestSymbols — names and source lines for addresses of the running kernel: an ELF file's symbols plus the
// slide at which KASLR put it, once that is known.
//
// Interface: the machine calls try_page() when kernel code first runs; everyone else asks name(), find(),
// line(). Invariants: before the slide is known, nothing is translated. find_slide never trusts one byte: a
// slide counts when nearly the whole code page equals the file's (relocated fields differ).
#pragma once
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>
#include "emu/symbols/elf_file.h"

namespace vitrine::emu {

struct SourceLine {
    std::string file;
    unsigned line = 0;
};

class GuestSymbols {
public:
    static Expected<std::unique_ptr<GuestSymbols>> load(const std::string& path);
    explicit GuestSymbols(ElfFile file, std::string path = {});
    ~GuestSymbols();

    const ElfFile& elf() const { return elf_; }
    const std::string& path() const { return path_; }
    const std::optional<u64>& slide() const { return slide_; }
    void set_slide(std::optional<u64> slide) { slide_ = slide; }
    /// Tries to recognise the kernel by a code page that is about to run. True when the slide became known.
    bool try_page(u64 linear, std::span<const u8> page);

    /// Link-time address of a symbol; run-time address when the slide is known.
    std::optional<u64> link_address(std::string_view name) const;
    std::optional<u64> find(std::string_view name) const;
    /// Every name that find() knows.
    void each_name(const std::function<void(std::string_view)>& visit) const {
        for (const auto& [name, address] : by_name_) visit(name);
    }
    /// Link-time addresses of the first instructions of a source line; `file` may be the end of a path.
    /// Empty: no code there, or no line information.
    std::vector<u64> line_addresses(std::string_view file, unsigned line) const;
    /// The line of that file nearest to `line` that has code; 0: the file has none.
    unsigned nearest_line(std::string_view file, unsigned line) const;
    bool has_lines() const;
    /// Paths of the sources that have code.
    std::vector<std::string> source_files() const;
    struct Hit {
        const Symbol* symbol;
        u64 offset;
    };
    /// The symbol that holds a run-time address.
    std::optional<Hit> at(u64 address) const;
    /// As it stands in listings: "schedule".
    const std::string& plain_name(const Hit& hit) const {
        return plain_[static_cast<std::size_t>(hit.symbol - elf_.symbols().data())];
    }
    /// "schedule+0x1c", or "" when nothing is known there.
    std::string name(u64 address) const;
    /// Source file and line of a run-time address (DWARF through libdw, read at the first use).
    std::optional<SourceLine> line(u64 address) const;

private:
    struct Lines;
    std::vector<bool> named_files(std::string_view file) const;
    ElfFile elf_;
    std::string path_;
    std::optional<u64> slide_;
    std::map<std::string, u64, std::less<>> by_name_;
    std::vector<std::string> readable_, plain_; ///< by index in elf_.symbols()
    mutable std::unique_ptr<Lines> lines_;
    unsigned attempts_ = 0;
};

} // namespace vitrine::emu
