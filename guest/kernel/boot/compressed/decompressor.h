// The decompressor's parts (compressed/*.cpp). 64-bit, position-independent, identity-mapped below 4 GiB.
//
// Invariants: no relocations, no pointers in initialised data. Every structure that a loader passed is
// hostile: bounded, checked.
#pragma once
#include "guest/kernel/boot/boot_params.h"

namespace vitrine::boot {

/// What make_payload.py put in front of relocations and ELF. Little-endian, offsets from the header's first
/// byte.
struct PayloadHeader {
    U64 magic;
    U32 elf_offset, elf_size;
    U32 relocations64_offset,
        relocations64_count; ///< U32 offsets from the link base: 64-bit words that move by the slide
    U32 relocations32_offset, relocations32_count; ///< the same for sign-extended 32-bit words
};
static_assert(sizeof(PayloadHeader) == 32);
inline constexpr U64 PayloadMagic = 0x3130444c59415056; // "VPAYLD01"

inline constexpr U64 LinkBase = 0xffffffff81000000; ///< where the kernel is linked
inline constexpr U64 LinkPhysical = 0x1000000;      ///< its p_paddr, and where it goes with `nokaslr`
inline constexpr U64 KernelAlignment = 0x200000;
inline constexpr U64 KernelMappingEnd = 0xffffffffc0000000; ///< the kernel image's 1 GiB window ends here
inline constexpr U64 RandomEnd = 0x40000000;                ///< KASLR keeps the kernel below 1 GiB

struct Span {
    U64 start, end; ///< half-open
};

struct Placement {
    U64 physical, slide;
    bool randomized;
};

void print(const char* text);
void print_hex(U64 value);
void post_code(U8 code);
[[noreturn]] void fail(const char* why);

U8 port_in8(U16 port);
void port_out8(U16 port, U8 value);

/// Chooses where the kernel goes: `size` bytes of usable RAM that touch nothing in use. Fails loudly when
/// there is none. REQUIRES: image covers the decompressor with its stack and page tables.
Placement choose_placement(const BootParams& params, Span image, U64 size, U64 virtual_size);

/// LZ4 frame → bytes. Null when `output` holds exactly `output_size` good bytes, else what is wrong with the
/// frame.
const char* lz4_decode_frame(const U8* input, U64 input_size, U8* output, U64 output_size);

/// Copies PT_LOAD segments to `physical`, clears .bss, applies the slide; returns the physical entry point.
U64 load_elf(const U8* payload, U64 payload_size, U64 physical, U64 memory_size, U64 slide);

/// Looks for a whole word on the kernel command line.
bool command_line_has(const BootParams& params, const char* word);

// noexcept as in the C library, because the LZ4 decoder is also tested on the host.
extern "C" void* memcpy(void* to, const void* from, unsigned long size) noexcept;
extern "C" void* memset(void* to, int value, unsigned long size) noexcept;

} // namespace vitrine::boot
