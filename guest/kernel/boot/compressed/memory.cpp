// Block moves (the compiler may call them too) and the early identity map for the 64-bit entry.
#include "guest/kernel/boot/compressed/decompressor.h"

namespace vitrine::boot {

extern "C" void* memcpy(void* to, const void* from, unsigned long size) noexcept {
    void* start = to;
    unsigned long words = size / 8, rest = size % 8;
    asm volatile("rep movsq" : "+D"(to), "+S"(from), "+c"(words) : : "memory");
    asm volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(rest) : : "memory");
    return start;
}

extern "C" void* memset(void* to, int value, unsigned long size) noexcept {
    void* start = to;
    unsigned long words = size / 8, rest = size % 8;
    const U64 pattern = 0x0101010101010101 * static_cast<U8>(value);
    asm volatile("rep stosq" : "+D"(to), "+c"(words) : "a"(pattern) : "memory");
    asm volatile("rep stosb" : "+D"(to), "+c"(rest) : "a"(pattern) : "memory");
    return start;
}

// Six pages: PML4, PDPT, four directories of 2 MiB pages (Intel SDM 3A 4.5). Called from head.S before .bss
// is cleared.
extern "C" U64 build_identity_map(U64* tables) {
    constexpr U64 present_writable = 3, large = 0x80;
    const U64 base = reinterpret_cast<U64>(tables);
    memset(tables, 0, 2 * 4096);
    tables[0] = base + 0x1000 + present_writable;
    for (unsigned i = 0; i < 4; ++i) tables[512 + i] = base + 0x2000 + i * 0x1000 + present_writable;
    for (unsigned i = 0; i < 2048; ++i) tables[1024 + i] = i * 0x200000ull + large + present_writable;
    return base;
}

} // namespace vitrine::boot
