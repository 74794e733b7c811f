// Exact-width integer names used everywhere on the host side, and the one result type.
//
// Depends on nothing but the standard library; cpu/, devices/, emu/ and ui/ all include it.
#pragma once
#include <cstddef>
#include <cstdint>
#include <expected>
#include <string>
#include <utility>

namespace vitrine {

using u8 = std::uint8_t;
using u16 = std::uint16_t;
using u32 = std::uint32_t;
using u64 = std::uint64_t;
using i8 = std::int8_t;
using i16 = std::int16_t;
using i32 = std::int32_t;
using i64 = std::int64_t;
using u128 = unsigned __int128;
using i128 = __int128;

/// Exit statuses of design.md §10 (sysexits.h where a name exists there).
enum class Exit : int {
    Ok = 0,
    Usage = 64,
    BadInput = 66,
    Internal = 70,
    LimitReached = 75,
    ReplayDiverged = 76,
    TripleFault = 77,
};

/// One clear line that says what and where, with the exit status that it asks for.
struct Error {
    Exit status = Exit::BadInput;
    std::string message;
};

template <class T> using Expected = std::expected<T, Error>;

inline std::unexpected<Error> bad_input(std::string message) {
    return std::unexpected(Error{Exit::BadInput, std::move(message)});
}
inline std::unexpected<Error> usage_error(std::string message) {
    return std::unexpected(Error{Exit::Usage, std::move(message)});
}

} // namespace vitrine
