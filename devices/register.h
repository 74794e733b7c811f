// Typed register fields: Bits<Low, Width> names a field once, and the io code then reads like the manual.
//
// Also the byte-lane helpers that every memory-mapped register file needs. All are pure functions.
#pragma once
#include <algorithm>
#include <span>
#include "cpu/base/types.h"

namespace vitrine::devices {

template <unsigned Low, unsigned Width = 1> struct Bits {
    static_assert(Width > 0 && Low + Width <= 64);
    static constexpr u64 unit = Width == 64 ? ~u64{0} : (u64{1} << Width) - 1;
    static constexpr u64 mask = unit << Low;

    /// The field's value in `word`.
    static constexpr u32 get(u64 word) { return static_cast<u32>((word & mask) >> Low); }
    static constexpr bool test(u64 word) { return (word & mask) != 0; }
    template <class T> static constexpr void set(T& word, u64 value) {
        word = static_cast<T>((static_cast<u64>(word) & ~mask) | ((value << Low) & mask));
    }
    /// A word that holds only this field.
    static constexpr u64 of(u64 value) { return (value << Low) & mask; }
};

/// All ones of `size` bytes (1–8).
constexpr u64 size_mask(unsigned size) { return size >= 8 ? ~u64{0} : (u64{1} << (8 * size)) - 1; }

/// `size` bytes of `word`, starting at byte `offset`; bytes beyond the word read as zero.
constexpr u64 take_bytes(u64 word, unsigned offset, unsigned size) {
    return offset >= 8 ? 0 : (word >> (8 * offset)) & size_mask(size);
}
/// `word` with `size` bytes from byte `offset` replaced by `value`.
constexpr u64 put_bytes(u64 word, unsigned offset, unsigned size, u64 value) {
    if (offset >= 8) return word;
    const u64 mask = size_mask(size) << (8 * offset);
    return (word & ~mask) | ((value << (8 * offset)) & mask);
}

/// Little-endian access to a byte array; bytes outside read as zero and swallow writes.
constexpr u64 load_little(std::span<const u8> bytes, u64 offset, unsigned size) {
    u64 value = 0;
    for (unsigned i = 0; i < size && offset + i < bytes.size(); ++i)
        value |= u64{bytes[offset + i]} << (8 * i);
    return value;
}
constexpr void store_little(std::span<u8> bytes, u64 offset, unsigned size, u64 value) {
    for (unsigned i = 0; i < size && offset + i < bytes.size(); ++i)
        bytes[offset + i] = static_cast<u8>(value >> (8 * i));
}

/// An access of several bytes to a byte-wide chip: the bus splits it into byte cycles at successive ports.
template <class Read> u32 read_bytewise(u16 port, unsigned size, Read&& read) {
    u32 value = 0;
    for (unsigned i = 0; i < size && i < 4; ++i) value |= u32{read(static_cast<u16>(port + i))} << (8 * i);
    return value;
}
template <class Write> void write_bytewise(u16 port, unsigned size, u32 value, Write&& write) {
    for (unsigned i = 0; i < size && i < 4; ++i)
        write(static_cast<u16>(port + i), static_cast<u8>(value >> (8 * i)));
}

/// value * numerator / denominator without overflow on the way; the result must fit.
constexpr u64 scale_down(u64 value, u64 numerator, u64 denominator) {
    return static_cast<u64>(u128{value} * numerator / denominator);
}
constexpr u64 scale_up(u64 value, u64 numerator, u64 denominator) {
    return static_cast<u64>((u128{value} * numerator + denominator - 1) / denominator);
}

} // namespace vitrine::devices
