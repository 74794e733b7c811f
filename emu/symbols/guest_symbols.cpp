// GuestSymbols: see guest_symbols.h. Source lines: DWARF 5 §6.2, decoded by libdw into one sorted table.
#include "emu/symbols/guest_symbols.h"
#include "emu/symbols/demangle.h"
#include <filesystem>
#include <algorithm>
#include <elfutils/libdw.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

namespace vitrine::emu {

namespace {
constexpr u64 KernelHalf = 0xFFFF'FFFF'8000'0000;
constexpr u64 SlideUnit = 2 << 20; // KASLR moves the kernel in units of 2 MiB
constexpr unsigned MostAttempts = 4096;
} // namespace

/// The line table: rows sorted by address; a row holds until the next one.
struct GuestSymbols::Lines {
    struct Row {
        u64 address;
        u32 file;
        u32 line; ///< 0 ends a sequence
    };
    std::vector<std::string> files;
    std::vector<Row> rows;

    explicit Lines(const std::string& path) {
        const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
        if (file < 0) return;
        if (Dwarf* dwarf = dwarf_begin(file, DWARF_C_READ)) {
            read(dwarf);
            dwarf_end(dwarf);
        }
        ::close(file);
        std::ranges::sort(rows, [](const Row& a, const Row& b) {
            return a.address != b.address ? a.address < b.address : a.line < b.line;
        });
    }
    void read(Dwarf* dwarf) {
        std::map<std::string, u32, std::less<>> known;
        Dwarf_Off offset = 0, next = 0;
        std::size_t header_size = 0;
        while (dwarf_nextcu(dwarf, offset, &next, &header_size, nullptr, nullptr, nullptr) == 0) {
            Dwarf_Die unit;
            Dwarf_Lines* lines = nullptr;
            std::size_t count = 0;
            if (dwarf_offdie(dwarf, offset + header_size, &unit) &&
                dwarf_getsrclines(&unit, &lines, &count) == 0)
                for (std::size_t i = 0; i < count; ++i) add(dwarf_onesrcline(lines, i), known);
            if (next <= offset) break;
            offset = next;
        }
    }
    void add(Dwarf_Line* raw, std::map<std::string, u32, std::less<>>& known) {
        Dwarf_Addr address = 0;
        int number = 0;
        bool end = false;
        if (!raw || dwarf_lineaddr(raw, &address) != 0) return;
        dwarf_lineno(raw, &number);
        dwarf_lineendsequence(raw, &end);
        const char* source = dwarf_linesrc(raw, nullptr, nullptr);
        const auto [entry, fresh] = known.try_emplace(source ? source : "", static_cast<u32>(files.size()));
        if (fresh) files.push_back(std::filesystem::path(entry->first).lexically_normal().string());
        rows.push_back({address, entry->second, end || number < 0 ? 0 : static_cast<u32>(number)});
    }
};

Expected<std::unique_ptr<GuestSymbols>> GuestSymbols::load(const std::string& path) {
    auto elf = ElfFile::load(path);
    if (!elf) return std::unexpected(elf.error());
    return std::make_unique<GuestSymbols>(std::move(*elf), path);
}

GuestSymbols::GuestSymbols(ElfFile file, std::string path) : elf_(std::move(file)), path_(std::move(path)) {
    for (const Symbol& symbol : elf_.symbols()) {
        by_name_.try_emplace(symbol.name, symbol.address);
        readable_.push_back(readable_symbol(symbol.name)), plain_.push_back(plain_symbol(readable_.back()));
    }
    // Shorter spellings come after every full one, so that they never hide one.
    for (std::size_t i = 0; i < readable_.size(); ++i)
        by_name_.try_emplace(readable_[i], elf_.symbols()[i].address);
    for (std::size_t i = 0; i < readable_.size(); ++i)
        by_name_.try_emplace(plain_[i], elf_.symbols()[i].address);
    for (std::size_t i = 0; i < readable_.size(); ++i)
        by_name_.try_emplace(std::string(last_component(readable_[i])), elf_.symbols()[i].address);
}

GuestSymbols::~GuestSymbols() = default;

bool GuestSymbols::try_page(u64 linear, std::span<const u8> page) {
    if (slide_ || linear < KernelHalf || attempts_ >= MostAttempts) return false;
    ++attempts_;
    const u64 start = linear & ~u64{0xFFF};
    for (const ElfFile::Segment& segment : elf_.segments()) {
        if (!segment.executable || segment.virtual_address < KernelHalf) continue;
        // Every link address in this segment that differs from `start` by a multiple of 2 MiB is a candidate.
        // Counted from the segment's first page: the file may put its end at 2^64.
        const u64 first = segment.virtual_address & ~u64{0xFFF};
        const u64 reach = segment.virtual_address - first + segment.file_size;
        for (u64 offset = (start - first) % SlideUnit; offset < reach; offset += SlideUnit) {
            const u64 candidate = first + offset;
            const auto expected = elf_.at(candidate, page.size());
            if (expected.size() < 64 || expected.size() > page.size()) continue;
            std::size_t equal = 0;
            for (std::size_t i = 0; i < expected.size(); ++i) equal += expected[i] == page[i] ? 1 : 0;
            if (equal * 8 < expected.size() * 7) continue;
            slide_ = start - candidate;
            return true;
        }
    }
    return false;
}

std::optional<u64> GuestSymbols::link_address(std::string_view name) const {
    const auto found = by_name_.find(name);
    if (found == by_name_.end()) return std::nullopt;
    return found->second;
}

std::optional<u64> GuestSymbols::find(std::string_view name) const {
    const auto address = link_address(name);
    if (!address || !slide_) return std::nullopt;
    return *address + *slide_;
}

std::optional<GuestSymbols::Hit> GuestSymbols::at(u64 address) const {
    if (!slide_) return std::nullopt;
    const u64 link = address - *slide_;
    const auto& all = elf_.symbols();
    auto after = std::ranges::upper_bound(all, link, {}, &Symbol::address);
    // Step back over labels inside a function to a symbol that covers the address.
    for (int tries = 0; after != all.begin() && tries < 16; ++tries) {
        --after;
        if (after->size ? link - after->address < after->size : link - after->address < 0x1000)
            return Hit{&*after, link - after->address};
    }
    return std::nullopt;
}

std::string GuestSymbols::name(u64 address) const {
    const auto hit = at(address);
    if (!hit) return {};
    const std::string& readable = plain_name(*hit);
    return hit->offset ? fmt::format("{}+{:#x}", readable, hit->offset) : readable;
}

std::optional<SourceLine> GuestSymbols::line(u64 address) const {
    if (!slide_ || path_.empty()) return std::nullopt;
    if (!lines_) lines_ = std::make_unique<Lines>(path_);
    const u64 link = address - *slide_;
    auto after = std::ranges::upper_bound(lines_->rows, link, {}, &Lines::Row::address);
    if (after == lines_->rows.begin()) return std::nullopt;
    const Lines::Row& row = *--after;
    if (row.line == 0) return std::nullopt;
    return SourceLine{lines_->files[row.file], row.line};
}

bool GuestSymbols::has_lines() const {
    if (path_.empty()) return false;
    if (!lines_) lines_ = std::make_unique<Lines>(path_);
    return !lines_->rows.empty();
}

std::vector<std::string> GuestSymbols::source_files() const {
    return has_lines() ? lines_->files : std::vector<std::string>{};
}

/// Which of the sources a name means: whole paths, or ends of them.
std::vector<bool> GuestSymbols::named_files(std::string_view file) const {
    std::vector<bool> wanted;
    for (const std::string& path : lines_->files)
        wanted.push_back(path.ends_with(file) &&
                         (path.size() == file.size() || path[path.size() - file.size() - 1] == '/'));
    return wanted;
}

unsigned GuestSymbols::nearest_line(std::string_view file, unsigned line) const {
    if (!has_lines() || file.empty()) return 0;
    const std::vector<bool> wanted = named_files(file);
    const auto distance = [line](unsigned other) { return other > line ? other - line : line - other; };
    unsigned best = 0;
    for (const Lines::Row& row : lines_->rows)
        if (wanted[row.file] && row.line && (best == 0 || distance(row.line) < distance(best)))
            best = row.line;
    return best;
}

std::vector<u64> GuestSymbols::line_addresses(std::string_view file, unsigned line) const {
    std::vector<u64> out;
    if (!has_lines() || file.empty() || line == 0) return out;
    const std::vector<bool> wanted = named_files(file);
    // The first row of the line in each function: a loop comes back to a line in several pieces.
    const Symbol* last = nullptr;
    for (const Lines::Row& row : lines_->rows) {
        if (row.line != line || !wanted[row.file]) continue;
        const auto after = std::ranges::upper_bound(elf_.symbols(), row.address, {}, &Symbol::address);
        const Symbol* function = after == elf_.symbols().begin() ? nullptr : &*std::prev(after);
        if (!out.empty() && function && function == last) continue;
        last = function;
        out.push_back(row.address);
    }
    return out;
}

} // namespace vitrine::emu
