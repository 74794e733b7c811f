// ELF32 and ELF64 as kernels use them: program headers by physical address, the PVH note, section headers.
// System V ABI chapters 4 and 5; <elf.h> gives the structures.
#include <algorithm>
#include <cstring>
#include <elf.h>
#include <fmt/format.h>
#include "emu/load/boot_image.h"

namespace vitrine::emu {

namespace {

constexpr u32 PvhEntryNote = 18; // XEN_ELFNOTE_PHYS32_ENTRY

struct Elf32 {
    using Header = Elf32_Ehdr;
    using Segment = Elf32_Phdr;
    using Section = Elf32_Shdr;
    using Symbol = Elf32_Sym;
};
struct Elf64 {
    using Header = Elf64_Ehdr;
    using Segment = Elf64_Phdr;
    using Section = Elf64_Shdr;
    using Symbol = Elf64_Sym;
};

bool inside(std::span<const u8> image, u64 offset, u64 size) {
    return offset <= image.size() && size <= image.size() - offset;
}
template <class T> bool get(std::span<const u8> image, u64 offset, T& out) {
    if (!inside(image, offset, sizeof out)) return false;
    std::memcpy(&out, image.data() + offset, sizeof out);
    return true;
}

template <class Elf, class Visit> bool for_each_segment(std::span<const u8> image, Visit visit) {
    typename Elf::Header header{};
    if (!get(image, 0, header) || header.e_phentsize != sizeof(typename Elf::Segment)) return false;
    for (u64 i = 0; i < header.e_phnum; ++i) {
        typename Elf::Segment segment{};
        if (header.e_phoff > image.size() || !get(image, header.e_phoff + i * sizeof segment, segment) ||
            !visit(segment))
            return false;
    }
    return true;
}

u64 note_entry(std::span<const u8> notes) {
    for (u64 at = 0; inside(notes, at, sizeof(Elf64_Nhdr));) {
        Elf64_Nhdr note{};
        get(notes, at, note);
        at += sizeof note;
        const u64 name = (u64{note.n_namesz} + 3) & ~u64{3}, text = (u64{note.n_descsz} + 3) & ~u64{3};
        if (!inside(notes, at, name) || !inside(notes, at + name, text)) return 0;
        if (note.n_type == PvhEntryNote && note.n_namesz == 4 && std::memcmp(&notes[at], "Xen", 4) == 0) {
            u64 entry = 0;
            std::memcpy(&entry, notes.data() + at + name, std::min<u64>(note.n_descsz, sizeof entry));
            return entry;
        }
        at += name + text;
    }
    return 0;
}

/// The section headers, copied; what the loader does not load anyway (symbols and strings) becomes segments
/// of its own, and its headers point there.
template <class Elf>
void plan_sections(std::span<const u8> image, const typename Elf::Header& header, LoadPlan& plan) {
    using Section = typename Elf::Section;
    if (header.e_shnum == 0 || header.e_shentsize != sizeof(Section) ||
        !inside(image, header.e_shoff, u64{header.e_shnum} * sizeof(Section)))
        return; // an image without them loads as well
    plan.section_count = header.e_shnum, plan.section_size = sizeof(Section);
    plan.section_names = header.e_shstrndx < header.e_shnum ? header.e_shstrndx : 0;
    const auto from = image.subspan(header.e_shoff, u64{header.e_shnum} * sizeof(Section));
    plan.sections.assign(from.begin(), from.end());
    for (std::size_t i = 0; i < header.e_shnum; ++i) {
        Section section{};
        get(from, i * sizeof section, section);
        const bool wanted = section.sh_type == SHT_SYMTAB || section.sh_type == SHT_STRTAB;
        if (!wanted || section.sh_flags & SHF_ALLOC || section.sh_size == 0 ||
            !inside(image, section.sh_offset, section.sh_size))
            continue;
        plan.unloaded.push_back({i * sizeof section, image.subspan(section.sh_offset, section.sh_size)});
    }
}

template <class Elf> Expected<LoadPlan> plan(const std::string& path, std::span<const u8> image) {
    typename Elf::Header header{};
    if (!get(image, 0, header)) return bad_input(fmt::format("kernel {} is truncated", path));
    LoadPlan out;
    out.entry = header.e_entry;
    std::string wrong;
    bool moved = false;
    const bool read = for_each_segment<Elf>(image, [&](const auto& segment) {
        if (segment.p_type != PT_LOAD || segment.p_memsz == 0) return true;
        if (!inside(image, segment.p_offset, segment.p_filesz) || segment.p_filesz > segment.p_memsz) {
            wrong = "a segment lies outside the file";
            return false;
        }
        out.segments.push_back(
            {segment.p_paddr, segment.p_memsz, image.subspan(segment.p_offset, segment.p_filesz)});
        // The entry is a virtual address where segments are loaded elsewhere.
        if (!moved && header.e_entry >= segment.p_vaddr && header.e_entry - segment.p_vaddr < segment.p_memsz)
            out.entry = header.e_entry - segment.p_vaddr + segment.p_paddr, moved = true;
        return true;
    });
    if (!wrong.empty()) return bad_input(fmt::format("kernel {}: {}", path, wrong));
    if (!read) return bad_input(fmt::format("kernel {}: its program headers lie outside the file", path));
    if (out.segments.empty()) return bad_input(fmt::format("kernel {} has no segment to load", path));
    plan_sections<Elf>(image, header, out);
    return out;
}

bool is_elf(std::span<const u8> image, u8 elf_class) {
    return image.size() > EI_DATA && std::memcmp(image.data(), ELFMAG, SELFMAG) == 0 &&
           image[EI_CLASS] == elf_class && image[EI_DATA] == ELFDATA2LSB;
}

} // namespace

u64 pvh_entry(std::span<const u8> image) {
    u64 entry = 0;
    const auto visit = [&](const auto& segment) {
        if (segment.p_type == PT_NOTE && entry == 0 && inside(image, segment.p_offset, segment.p_filesz))
            entry = note_entry(image.subspan(segment.p_offset, segment.p_filesz));
        return true;
    };
    if (is_elf(image, ELFCLASS64)) for_each_segment<Elf64>(image, visit);
    if (is_elf(image, ELFCLASS32)) for_each_segment<Elf32>(image, visit);
    return entry;
}

Expected<LoadPlan> plan_elf(const std::string& path, std::span<const u8> image) {
    const auto machine = [&] {
        u16 value = 0;
        get(image, offsetof(Elf32_Ehdr, e_machine), value);
        return value;
    };
    if (is_elf(image, ELFCLASS32) && machine() == EM_386) return plan<Elf32>(path, image);
    if (is_elf(image, ELFCLASS64) && machine() == EM_X86_64) return plan<Elf64>(path, image);
    return bad_input(fmt::format("kernel {} is not an ELF file for i386 or x86-64", path));
}

} // namespace vitrine::emu
