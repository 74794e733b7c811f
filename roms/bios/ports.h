// Ports, memory-mapped registers and fixed addresses, for the firmware's 32-bit code (flat segments, paging
// off).
#pragma once

namespace vitrine::bios {

using U8 = unsigned char;
using U16 = unsigned short;
using U32 = unsigned int;
using U64 = unsigned long long;

inline void out8(U16 port, U8 value) { asm volatile("outb %0, %1" : : "a"(value), "Nd"(port) : "memory"); }
inline void out16(U16 port, U16 value) { asm volatile("outw %0, %1" : : "a"(value), "Nd"(port) : "memory"); }
inline void out32(U16 port, U32 value) { asm volatile("outl %0, %1" : : "a"(value), "Nd"(port) : "memory"); }
inline U8 in8(U16 port) {
    U8 value;
    asm volatile("inb %1, %0" : "=a"(value) : "Nd"(port) : "memory");
    return value;
}
inline U16 in16(U16 port) {
    U16 value;
    asm volatile("inw %1, %0" : "=a"(value) : "Nd"(port) : "memory");
    return value;
}
inline U32 in32(U16 port) {
    U32 value;
    asm volatile("inl %1, %0" : "=a"(value) : "Nd"(port) : "memory");
    return value;
}
inline void in8_string(U16 port, U32 address, U32 count) {
    asm volatile("rep insb" : "+D"(address), "+c"(count) : "d"(port) : "memory");
}

/// A reference to memory or a register at a fixed address; volatile, because devices and callers see every
/// access.
template <typename T> inline volatile T& memory(U32 address) {
    return *reinterpret_cast<volatile T*>(address);
}

inline void copy_memory(U32 to, U32 from, U32 bytes) {
    U32 words = bytes / 4, rest = bytes % 4;
    asm volatile("rep movsl; movl %3, %%ecx; rep movsb"
                 : "+D"(to), "+S"(from), "+c"(words)
                 : "r"(rest)
                 : "memory");
}
inline void fill_memory(U32 to, U8 value, U32 bytes) {
    U32 words = bytes / 4, rest = bytes % 4;
    asm volatile("rep stosl; movl %2, %%ecx; rep stosb"
                 : "+D"(to), "+c"(words)
                 : "r"(rest), "a"(value * 0x01010101u)
                 : "memory");
}
inline U32 address_of(const volatile void* object) { return reinterpret_cast<U32>(object); }
inline U32 swap32(U32 value) { return __builtin_bswap32(value); }
inline U16 swap16(U16 value) { return __builtin_bswap16(value); }

inline void post_code(U8 code) { out8(0x80, code); }

/// CMOS register; bit 7 of the index (NMI mask) stays clear.
inline U8 cmos_read(U8 index) {
    out8(0x70, index);
    return in8(0x71);
}
inline void cmos_write(U8 index, U8 value) {
    out8(0x70, index);
    out8(0x71, value);
}

} // namespace vitrine::bios
