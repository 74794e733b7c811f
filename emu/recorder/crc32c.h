// CRC32C (Castagnoli): polynomial 1EDC6F41h, reflected, initial value and final XOR all ones. RFC 3720
// appendix B.4.
#pragma once
#include <array>
#include <span>
#include "cpu/base/types.h"

namespace vitrine::emu {

namespace detail {
constexpr std::array<u32, 256> crc32c_table() {
    std::array<u32, 256> table{};
    for (u32 i = 0; i < 256; ++i) {
        u32 value = i;
        for (int bit = 0; bit < 8; ++bit) value = value & 1 ? value >> 1 ^ 0x82F63B78u : value >> 1;
        table[i] = value;
    }
    return table;
}
inline constexpr std::array<u32, 256> Crc32cTable = crc32c_table();
} // namespace detail

/// `previous` continues an earlier call over the bytes before these.
constexpr u32 crc32c(std::span<const u8> bytes, u32 previous = 0) {
    u32 value = ~previous;
    for (u8 byte : bytes) value = value >> 8 ^ detail::Crc32cTable[(value ^ byte) & 0xFF];
    return ~value;
}

} // namespace vitrine::emu
