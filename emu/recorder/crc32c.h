// CRC32C (Castagnoli): polynomial 1EDC6F41h, reflected, initial value and final XOR all ones. RFC 3720
// appendix B.4. With the processor's own instruction where there is one: a recording with checkpoints is
// checked as a whole when it is opened.
#pragma once
#include <array>
#include <cstring>
#include <nmmintrin.h>
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

/// SSE4.2's CRC32, eight bytes at a time.
[[gnu::target("sse4.2")]] inline u32 crc32c_by_instruction(std::span<const u8> bytes, u32 value) {
    u64 wide = value;
    std::size_t i = 0;
    for (; i + 8 <= bytes.size(); i += 8) {
        u64 word;
        std::memcpy(&word, bytes.data() + i, sizeof word);
        wide = _mm_crc32_u64(wide, word);
    }
    value = static_cast<u32>(wide);
    for (; i < bytes.size(); ++i) value = _mm_crc32_u8(value, bytes[i]);
    return value;
}
} // namespace detail

/// By the table alone; what the other must agree with.
constexpr u32 crc32c_by_table(std::span<const u8> bytes, u32 previous = 0) {
    u32 value = ~previous;
    for (u8 byte : bytes) value = value >> 8 ^ detail::Crc32cTable[(value ^ byte) & 0xFF];
    return ~value;
}

/// `previous` continues an earlier call over the bytes before these.
inline u32 crc32c(std::span<const u8> bytes, u32 previous = 0) {
    static const bool fast = __builtin_cpu_supports("sse4.2");
    return fast ? ~detail::crc32c_by_instruction(bytes, ~previous) : crc32c_by_table(bytes, previous);
}

} // namespace vitrine::emu
