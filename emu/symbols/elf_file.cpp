// ElfFile: see elf_file.h. <elf.h> gives the structures of the specification.
#include "emu/symbols/elf_file.h"
#include <algorithm>
#include <cstring>
#include <elf.h>
#include <fmt/format.h>
#include "emu/load/files.h"

namespace vitrine::emu {

namespace {
constexpr u64 LargestElf = 1ull << 30;
// Of all tables together, which may claim the same bytes many times over.
constexpr u64 MostSymbols = 4'000'000, MostNameBytes = 256 << 20;

struct Wide {
    using Header = Elf64_Ehdr;
    using Segment = Elf64_Phdr;
    using Section = Elf64_Shdr;
    using Symbol = Elf64_Sym;
};
struct Narrow {
    using Header = Elf32_Ehdr;
    using Segment = Elf32_Phdr;
    using Section = Elf32_Shdr;
    using Symbol = Elf32_Sym;
};
} // namespace

template <class T> bool ElfFile::get(u64 offset, T& out) const {
    if (offset > bytes_.size() || sizeof(T) > bytes_.size() - offset) return false;
    std::memcpy(&out, bytes_.data() + offset, sizeof(T));
    return true;
}

Expected<ElfFile> ElfFile::load(const std::string& path) {
    auto bytes = read_file(path, "symbol file", LargestElf);
    if (!bytes) return std::unexpected(bytes.error());
    return parse(std::move(*bytes), path);
}

Expected<ElfFile> ElfFile::parse(std::vector<u8> bytes, const std::string& name) {
    return parse(std::move(bytes), name, false);
}
Expected<ElfFile> ElfFile::parse_any(std::vector<u8> bytes, const std::string& name) {
    return parse(std::move(bytes), name, true);
}

Expected<ElfFile> ElfFile::parse(std::vector<u8> bytes, const std::string& name, bool narrow_too) {
    ElfFile file;
    file.name_ = name;
    file.bytes_ = std::move(bytes);
    Elf64_Ehdr header{};
    if (!file.get(0, header)) return bad_input(fmt::format("symbol file {} is truncated", name));
    const bool elf = std::memcmp(header.e_ident, ELFMAG, SELFMAG) == 0 &&
                     header.e_ident[EI_DATA] == ELFDATA2LSB,
               wide = header.e_ident[EI_CLASS] == ELFCLASS64 && header.e_machine == EM_X86_64,
               narrow = narrow_too && header.e_ident[EI_CLASS] == ELFCLASS32 && header.e_machine == EM_386;
    if (!elf || (!wide && !narrow))
        return bad_input(fmt::format("symbol file {} is not an x86-64 ELF file", name));
    if (auto ok = wide ? file.read_all<Wide>(narrow_too) : file.read_all<Narrow>(true); !ok)
        return std::unexpected(ok.error());
    return file;
}

template <class Kind> Expected<void> ElfFile::read_all(bool dynamic) {
    typename Kind::Header header{};
    get(0, header);
    entry_ = header.e_entry;
    if (auto ok = read_segments<Kind>(); !ok) return ok;
    if (auto ok = read_sections<Kind>(SHT_SYMTAB); !ok || !symbols_.empty() || !dynamic) return ok;
    return read_sections<Kind>(SHT_DYNSYM); // all that a stripped library has
}

template <class Kind> Expected<void> ElfFile::read_segments() {
    typename Kind::Header header{};
    get(0, header);
    for (unsigned i = 0; i < header.e_phnum; ++i) {
        typename Kind::Segment segment{};
        if (header.e_phentsize != sizeof segment || header.e_phoff > bytes_.size() ||
            !get(header.e_phoff + u64{i} * sizeof segment, segment))
            return bad_input(
                fmt::format("symbol file {}: program header {} lies outside the file", name_, i));
        if (segment.p_type != PT_LOAD && segment.p_type != PT_NOTE) continue;
        if (segment.p_offset > bytes_.size() || segment.p_filesz > bytes_.size() - segment.p_offset)
            return bad_input(fmt::format("symbol file {}: segment {} lies outside the file", name_, i));
        if (segment.p_type == PT_NOTE)
            read_notes(segment.p_offset, segment.p_filesz);
        else
            segments_.push_back({segment.p_vaddr, segment.p_memsz, segment.p_offset, segment.p_filesz,
                                 (segment.p_flags & PF_X) != 0, (segment.p_flags & PF_W) != 0});
    }
    return {};
}

void ElfFile::read_notes(u64 offset, u64 size) {
    // Notes are 4-byte aligned: name size, descriptor size, type, name, descriptor.
    const u64 end = offset + size;
    while (end - offset >= sizeof(Elf64_Nhdr)) {
        Elf64_Nhdr note{};
        if (!get(offset, note)) return;
        offset += sizeof note;
        const u64 name_size = (u64{note.n_namesz} + 3) & ~u64{3},
                  description_size = (u64{note.n_descsz} + 3) & ~u64{3};
        if (name_size > end - offset || description_size > end - offset - name_size) return;
        const bool ours =
            note.n_namesz == sizeof inspect_abi::NoteOwner && note.n_type == inspect_abi::NoteType &&
            std::memcmp(bytes_.data() + offset, inspect_abi::NoteOwner, sizeof inspect_abi::NoteOwner) == 0;
        offset += name_size;
        inspect_abi::NoteDescriptor descriptor{};
        if (ours && note.n_descsz >= sizeof descriptor && get(offset, descriptor)) note_ = descriptor;
        offset += description_size;
    }
}

std::string_view ElfFile::string_at(u64 table, u64 table_size, u64 offset) const {
    if (offset >= table_size) return {};
    const char* start = reinterpret_cast<const char*>(bytes_.data() + table + offset);
    return {start, strnlen(start, std::min<u64>(table_size - offset, 512))};
}

template <class Kind> Expected<void> ElfFile::read_sections(u32 type_of_table) {
    using Section = typename Kind::Section;
    using RawSymbol = typename Kind::Symbol;
    typename Kind::Header header{};
    get(0, header);
    const auto section = [&](u64 index, Section& out) {
        return index < header.e_shnum && header.e_shentsize == sizeof out &&
               header.e_shoff <= bytes_.size() && get(header.e_shoff + index * sizeof out, out);
    };
    const auto inside = [&](const Section& s) {
        return s.sh_offset <= bytes_.size() && s.sh_size <= bytes_.size() - s.sh_offset;
    };
    u64 seen = 0, name_bytes = 0;
    for (unsigned i = 0; i < header.e_shnum; ++i) {
        Section table{}, strings{};
        if (!section(i, table))
            return bad_input(
                fmt::format("symbol file {}: section header {} lies outside the file", name_, i));
        if (table.sh_type != type_of_table) continue;
        if (!inside(table) || !section(table.sh_link, strings) || !inside(strings) ||
            table.sh_entsize != sizeof(RawSymbol))
            return bad_input(fmt::format("symbol file {}: its symbol table lies outside the file", name_));
        const u64 count = table.sh_size / sizeof(RawSymbol);
        seen += count;
        if (seen > MostSymbols)
            return bad_input(fmt::format("symbol file {}: more than {} symbols", name_, MostSymbols));
        for (u64 k = 0; k < count; ++k) {
            RawSymbol raw{};
            get(table.sh_offset + k * sizeof raw, raw);
            const unsigned type = ELF64_ST_TYPE(raw.st_info);
            if (raw.st_shndx == SHN_UNDEF || type == STT_SECTION || type == STT_FILE) continue;
            const std::string_view text = string_at(strings.sh_offset, strings.sh_size, raw.st_name);
            if (text.empty() || (type == STT_NOTYPE && text[0] == '.')) continue;
            name_bytes += text.size();
            if (name_bytes > MostNameBytes)
                return bad_input(
                    fmt::format("symbol file {}: more than {} bytes of names", name_, MostNameBytes));
            symbols_.push_back({raw.st_value, raw.st_size, std::string(text), type == STT_FUNC});
        }
    }
    std::ranges::sort(symbols_, [](const Symbol& a, const Symbol& b) {
        if (a.address != b.address) return a.address < b.address;
        if (a.function != b.function) return a.function;
        return a.name < b.name;
    });
    return {};
}

std::span<const u8> ElfFile::at(u64 address, u64 size) const {
    for (const Segment& s : segments_) {
        if (address < s.virtual_address || address - s.virtual_address >= s.file_size) continue;
        const u64 within = address - s.virtual_address;
        return {bytes_.data() + s.offset + within, std::min(size, s.file_size - within)};
    }
    return {};
}

} // namespace vitrine::emu
