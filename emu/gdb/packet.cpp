// Packets: see packet.h.
#include "emu/gdb/packet.h"

namespace vitrine::emu::gdb {

namespace {
constexpr char Digits[] = "0123456789abcdef";
int digit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}
} // namespace

std::vector<PacketReader::Item> PacketReader::feed(std::string_view bytes) {
    std::vector<Item> out;
    for (char c : bytes) {
        switch (state_) {
        case State::Idle:
            if (c == '$')
                state_ = State::Data, data_.clear(), sum_ = 0, too_long_ = bad_digit_ = false;
            else if (c == 3)
                out.push_back({Item::Kind::Interrupt, {}});
            break; // acknowledgements and noise
        case State::Data:
        case State::Escape:
            if (c == '#' && state_ == State::Data) {
                state_ = State::Checksum1;
                break;
            }
            sum_ = static_cast<u8>(sum_ + static_cast<u8>(c));
            if (state_ == State::Data && c == '}') {
                state_ = State::Escape;
                break;
            }
            if (data_.size() >= Longest)
                too_long_ = true;
            else
                data_ += state_ == State::Escape ? static_cast<char>(c ^ 0x20) : c;
            state_ = State::Data;
            break;
        case State::Checksum1:
            bad_digit_ = digit(c) < 0;
            wanted_ = static_cast<u8>((digit(c) & 15) << 4);
            state_ = State::Checksum2;
            break;
        case State::Checksum2:
            bad_digit_ |= digit(c) < 0;
            wanted_ = static_cast<u8>(wanted_ | (digit(c) & 15));
            state_ = State::Idle;
            if (bad_digit_ || too_long_ || wanted_ != sum_)
                out.push_back({Item::Kind::Damaged, {}});
            else
                out.push_back({Item::Kind::Packet, data_});
            break;
        }
    }
    return out;
}

std::string frame(std::string_view data) {
    std::string out = "$";
    u8 sum = 0;
    const auto add = [&](char c) { out += c, sum = static_cast<u8>(sum + static_cast<u8>(c)); };
    for (char c : data)
        if (c == '#' || c == '$' || c == '}' || c == '*')
            add('}'), add(static_cast<char>(c ^ 0x20));
        else
            add(c);
    out += '#';
    out += Digits[sum >> 4];
    out += Digits[sum & 15];
    return out;
}

std::string to_hex(std::string_view bytes) {
    std::string out;
    for (char c : bytes) out += Digits[static_cast<u8>(c) >> 4], out += Digits[static_cast<u8>(c) & 15];
    return out;
}

std::optional<std::string> from_hex(std::string_view digits) {
    if (digits.size() % 2) return std::nullopt;
    std::string out;
    for (std::size_t i = 0; i < digits.size(); i += 2) {
        const int high = digit(digits[i]), low = digit(digits[i + 1]);
        if (high < 0 || low < 0) return std::nullopt;
        out += static_cast<char>(high << 4 | low);
    }
    return out;
}

std::optional<u64> take_number(std::string_view& text) {
    u64 value = 0;
    std::size_t count = 0;
    while (count < text.size() && digit(text[count]) >= 0) {
        if (count >= 16) return std::nullopt;
        value = value << 4 | static_cast<u64>(digit(text[count++]));
    }
    if (count == 0) return std::nullopt;
    text.remove_prefix(count);
    return value;
}

} // namespace vitrine::emu::gdb
