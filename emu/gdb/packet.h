// Packets of gdb's remote serial protocol (GDB manual, appendix E.1): $data#checksum, escapes,
// acknowledgements.
//
// Invariants: any bytes may come; a packet longer than `Longest` or with a wrong checksum is dropped and
// asked for again; nothing is kept but one packet under way.
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>
#include "cpu/base/types.h"

namespace vitrine::emu::gdb {

class PacketReader {
public:
    static constexpr std::size_t Longest = 64 << 10;
    struct Item {
        enum class Kind : u8 { Packet, Interrupt, Damaged } kind{};
        std::string data; ///< escapes resolved
    };
    /// What the bytes complete, in order.
    std::vector<Item> feed(std::string_view bytes);

private:
    enum class State : u8 { Idle, Data, Escape, Checksum1, Checksum2 } state_ = State::Idle;
    std::string data_;
    u8 sum_ = 0, wanted_ = 0;
    bool too_long_ = false, bad_digit_ = false;
};

/// $data#xx, with # $ } * escaped.
std::string frame(std::string_view data);

// Hexadecimal, as the protocol writes it: bytes in order of memory.
std::string to_hex(std::string_view bytes);
/// Nothing when it is not hexadecimal digits, two for each byte.
std::optional<std::string> from_hex(std::string_view digits);
/// A number in hexadecimal, big-endian as people write it; consumes its digits. Nothing: no digit, or more
/// than 16.
std::optional<u64> take_number(std::string_view& text);

} // namespace vitrine::emu::gdb
