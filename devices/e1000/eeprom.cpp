// See eeprom.h. Word layout: SDM table 5-2. A command is a start bit 1, two bits of operation, six of
// address; READ (10b) is answered by a 0 and sixteen bits, highest first.
#include "devices/e1000/eeprom.h"

namespace vitrine::devices {
namespace {
// EECD, SDM 13.4.3.
constexpr u32 ClockPin = 1, SelectPin = 2, DataIn = 4, DataOut = 8, Request = 0x40, Grant = 0x80,
              Present = 0x100;
constexpr u16 ChecksumSum = 0xBABA;
constexpr u8 CommandBits = 9;
constexpr u32 OperationRead = 6; // start bit and 10b
} // namespace

Eeprom::Eeprom(std::span<const u8, 6> mac_address) {
    for (unsigned i = 0; i < 3; ++i)
        words_[i] = static_cast<u16>(mac_address[2 * i] | mac_address[2 * i + 1] << 8);
    words_[0x03] = 0x0000; // compatibility
    words_[0x04] = 0xFFFF, words_[0x08] = 0xFFFF, words_[0x09] = 0xFFFF;
    words_[0x0A] = 0x4408; // initialization control 1: signature 01b, INTA#, load identity
    words_[0x0B] = 0x100E, words_[0x0C] = 0x8086; // subsystem
    words_[0x0D] = 0x100E, words_[0x0E] = 0x8086;
    words_[0x0F] = 0xB040; // initialization control 2
    u16 sum = 0;
    for (unsigned i = 0; i < 0x3F; ++i) sum = static_cast<u16>(sum + words_[i]);
    words_[0x3F] = static_cast<u16>(ChecksumSum - sum);
}

u32 Eeprom::pins() const {
    return written_ | Present | (written_ & Request ? Grant : 0) | (data_out_ ? DataOut : 0);
}

void Eeprom::set_pins(u32 value) {
    const u32 before = written_;
    written_ = value & (ClockPin | SelectPin | DataIn | Request | 0x30);
    if (!(written_ & SelectPin)) {
        shifted_ = 0, bits_in_ = bits_out_ = 0, data_out_ = true;
        return;
    }
    if (!(written_ & ClockPin) || (before & ClockPin)) return; // data moves on the rising edge
    if (bits_out_) {
        data_out_ = (out_ >> --bits_out_ & 1) != 0;
        return;
    }
    const bool bit = (written_ & DataIn) != 0;
    if (bits_in_ == 0 && !bit) return; // before the start bit
    if (bits_in_ >= CommandBits) return;
    shifted_ = shifted_ << 1 | (bit ? 1 : 0);
    if (++bits_in_ < CommandBits) return;
    if (shifted_ >> 6 == OperationRead) out_ = word(shifted_ & 0x3F), bits_out_ = 16, data_out_ = false;
    bits_in_ = 0, shifted_ = 0;
}

void Eeprom::reset() { written_ = shifted_ = 0, bits_in_ = bits_out_ = 0, out_ = 0, data_out_ = true; }

void Eeprom::serialize(Archive& archive) {
    archive(written_, shifted_, bits_in_, out_, bits_out_, data_out_);
    if (archive.loading() && (bits_in_ > CommandBits || bits_out_ > 16))
        archive.fail("an impossible EEPROM state");
}

} // namespace vitrine::devices
