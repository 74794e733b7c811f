// The kernel's ELF file → memory: program headers checked, segments copied, .bss cleared, the slide applied
// (ELF-64 object file format 1.5, "Program header").
//
// Invariants: nothing is written outside [physical, physical + memory_size); a relocation touches only such
// bytes.
#include "guest/kernel/boot/compressed/decompressor.h"
#include "roms/post_codes.h"

namespace vitrine::boot {
namespace {

struct ElfHeader {
    U8 identification[16];
    U16 type, machine;
    U32 version;
    U64 entry, program_header_offset, section_header_offset;
    U32 flags;
    U16 header_size, program_header_size, program_header_count, section_header_size, section_header_count,
        names;
};
struct ProgramHeader {
    U32 type, flags;
    U64 offset, virtual_address, physical_address, file_size, memory_size, alignment;
};
constexpr U32 LoadSegment = 1;
constexpr U16 MachineX86_64 = 62;

} // namespace

U64 load_elf(const U8* payload, U64 payload_size, U64 physical, U64 memory_size, U64 slide) {
    post_code(vitrine::roms::post::DecompressorElf);
    const auto* header = reinterpret_cast<const PayloadHeader*>(payload);
    if (payload_size < sizeof *header || header->magic != PayloadMagic) fail("the payload has no header");
    if (header->elf_offset > payload_size || header->elf_size > payload_size - header->elf_offset)
        fail("the payload's ELF size is wrong");
    const U8* file = payload + header->elf_offset;
    const U64 file_size = header->elf_size;

    const auto* elf = reinterpret_cast<const ElfHeader*>(file);
    if (file_size < sizeof *elf || *reinterpret_cast<const U32*>(file) != 0x464c457f ||
        elf->identification[4] != 2 || elf->machine != MachineX86_64)
        fail("the kernel is not an x86-64 ELF file");
    if (elf->program_header_size != sizeof(ProgramHeader) || elf->program_header_offset > file_size ||
        elf->program_header_count * sizeof(ProgramHeader) > file_size - elf->program_header_offset)
        fail("the kernel's program headers are outside of its file");

    memset(reinterpret_cast<void*>(physical), 0, memory_size); // .bss and the gaps between segments
    const auto* segments = reinterpret_cast<const ProgramHeader*>(file + elf->program_header_offset);
    for (unsigned i = 0; i < elf->program_header_count; ++i) {
        const ProgramHeader& segment = segments[i];
        if (segment.type != LoadSegment || segment.memory_size == 0) continue;
        const U64 offset = segment.physical_address - LinkPhysical;
        if (segment.physical_address < LinkPhysical || offset > memory_size ||
            segment.memory_size > memory_size - offset || segment.file_size > segment.memory_size ||
            segment.offset > file_size || segment.file_size > file_size - segment.offset)
            fail("a segment of the kernel lies outside of its image");
        memcpy(reinterpret_cast<void*>(physical + offset), file + segment.offset, segment.file_size);
    }

    post_code(vitrine::roms::post::DecompressorRelocate);
    const U64 list_end = payload_size / 4;
    const auto list = [&](U32 offset, U32 count) {
        if (offset % 4 || offset / 4 > list_end || count > list_end - offset / 4)
            fail("the relocation list is outside of the payload");
        return reinterpret_cast<const U32*>(payload + offset);
    };
    if (slide != 0) {
        const U32* words = list(header->relocations64_offset, header->relocations64_count);
        for (U32 i = 0; i < header->relocations64_count; ++i) {
            if (words[i] > memory_size - 8) fail("a relocation lies outside of the kernel");
            *reinterpret_cast<U64*>(physical + words[i]) += slide;
        }
        words = list(header->relocations32_offset, header->relocations32_count);
        for (U32 i = 0; i < header->relocations32_count; ++i) {
            if (words[i] > memory_size - 4) fail("a relocation lies outside of the kernel");
            *reinterpret_cast<U32*>(physical + words[i]) += static_cast<U32>(slide);
        }
    }
    // The entry is a physical address (Linux's convention); a kernel linked with a virtual one is accepted
    // too.
    const U64 entry = elf->entry >= LinkBase ? elf->entry - LinkBase : elf->entry - LinkPhysical;
    if (entry >= memory_size) fail("the kernel's entry point lies outside of its image");
    return physical + entry;
}

} // namespace vitrine::boot
