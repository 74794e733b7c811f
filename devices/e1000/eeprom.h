// The controller's EEPROM: 64 words of 16 bits behind the microwire pins of EECD (SDM 5.3, 13.4.3), and the
// word reads of EERD. Read-only: writes by the guest are not kept.
#pragma once
#include <array>
#include <span>
#include "cpu/base/archive.h"

namespace vitrine::devices {

class Eeprom {
public:
    explicit Eeprom(std::span<const u8, 6> mac_address);

    u16 word(unsigned index) const { return words_[index % words_.size()]; }
    /// EECD as the guest reads it, and its write: the pins move.
    u32 pins() const;
    void set_pins(u32 value);
    void reset();
    void serialize(Archive& archive);

private:
    std::array<u16, 64> words_{};
    u32 written_ = 0; ///< the pins that the guest drives
    u32 shifted_ = 0; ///< bits in since chip select, newest lowest
    u8 bits_in_ = 0;  ///< counted up to the end of a command
    u16 out_ = 0;
    u8 bits_out_ = 0; ///< bits of the answer that are still to come
    bool data_out_ = true;
};

} // namespace vitrine::devices
