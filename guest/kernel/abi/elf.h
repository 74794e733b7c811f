// ELF64 headers and the auxiliary vector (System V ABI, AMD64 supplement 3.4.3).
#pragma once

#include "lib/types.h"

namespace kernel {

struct Elf64Header {
    u8 ident[16];
    u16 type, machine;
    u32 version;
    u64 entry, program_headers, section_headers;
    u32 flags;
    u16 header_size, program_header_size, program_header_count, section_header_size, section_header_count,
        string_index;
};
static_assert(sizeof(Elf64Header) == 64);

struct Elf64ProgramHeader {
    u32 type, flags;
    u64 offset, virtual_address, physical_address, file_size, memory_size, alignment;
};
static_assert(sizeof(Elf64ProgramHeader) == 56);

inline constexpr u16 ET_EXEC = 2, ET_DYN = 3, EM_X86_64 = 62;
inline constexpr u32 PT_LOAD = 1, PT_INTERP = 3, PT_PHDR = 6, PT_GNU_STACK = 0x6474e551, PF_X = 1, PF_W = 2,
                     PF_R = 4;

enum Auxiliary : u64 {
    AT_NULL = 0,
    AT_PHDR = 3,
    AT_PHENT = 4,
    AT_PHNUM = 5,
    AT_PAGESZ = 6,
    AT_BASE = 7,
    AT_FLAGS = 8,
    AT_ENTRY = 9,
    AT_UID = 11,
    AT_EUID = 12,
    AT_GID = 13,
    AT_EGID = 14,
    AT_PLATFORM = 15,
    AT_HWCAP = 16,
    AT_CLKTCK = 17,
    AT_SECURE = 23,
    AT_RANDOM = 25,
    AT_HWCAP2 = 26,
    AT_EXECFN = 31,
    AT_SYSINFO_EHDR = 33,
    AT_MINSIGSTKSZ = 51,
};

} // namespace kernel
