// The transceiver on the other side of MDIC: registers of IEEE 802.3 clause 22 and of Marvell's M88E1011 (SDM
// 8.5 and chapter 13.5, "PHY registers"). The cable is in: negotiation is over at once, 1000 Mb/s full
// duplex.
#pragma once
#include <array>
#include "cpu/base/archive.h"

namespace vitrine::devices {

class Phy {
public:
    Phy() { reset(); }
    u16 read(unsigned index) const { return registers_[index & 31]; }
    void write(unsigned index, u16 value);
    void reset();
    void serialize(Archive& archive) { archive(registers_); }

private:
    std::array<u16, 32> registers_{};
};

} // namespace vitrine::devices
