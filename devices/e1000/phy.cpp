// See phy.h.
#include "devices/e1000/phy.h"

namespace vitrine::devices {
namespace {
enum Register : unsigned {
    Control = 0,
    Status = 1,
    Identifier1 = 2,
    Identifier2 = 3,
    Advertisement = 4,
    PartnerAbility = 5,
    Expansion = 6,
    GigabitControl = 9,
    GigabitStatus = 10,
    ExtendedStatus = 15,
    SpecificControl = 16,
    SpecificStatus = 17,
    InterruptEnable = 18,
    ExtendedSpecificControl = 20,
    LedControl = 24,
    LedOverride = 25,
    PageSelect = 29,
    PageValue = 30,
};
constexpr u16 ControlReset = 0x8000, ControlRestart = 0x0200;
constexpr u32 Writable = 1u << Control | 1u << Advertisement | 1u << GigabitControl | 1u << SpecificControl |
                         1u << InterruptEnable | 1u << ExtendedSpecificControl | 1u << LedControl |
                         1u << LedOverride | 1u << PageSelect | 1u << PageValue;
} // namespace

void Phy::reset() {
    registers_ = {};
    registers_[Control] = 0x1140;     // negotiate, full duplex, 1000 Mb/s
    registers_[Status] = 0x796D;      // every 10/100 ability, extended status, negotiated, link
    registers_[Identifier1] = 0x0141; // Marvell
    registers_[Identifier2] = 0x0C20; // M88E1011
    registers_[Advertisement] = 0x0DE1;
    registers_[PartnerAbility] = 0x45E1; // acknowledged; the partner can do everything
    registers_[Expansion] = 0x0001;      // the partner negotiates
    registers_[GigabitControl] = 0x0E00;
    registers_[GigabitStatus] = 0x3C00;  // both receivers are well, the partner can do 1000 Mb/s
    registers_[ExtendedStatus] = 0x3000; // 1000BASE-T full and half duplex
    registers_[SpecificControl] = 0x0360;
    registers_[SpecificStatus] = 0xAC00; // 1000 Mb/s, full duplex, resolved, link
    registers_[ExtendedSpecificControl] = 0x0D60;
}

void Phy::write(unsigned index, u16 value) {
    index &= 31;
    if (!(Writable >> index & 1)) return;
    if (index == Control) {
        if (value & ControlReset) return reset();
        value = static_cast<u16>(value & ~ControlRestart); // negotiation is over as soon as it began
    }
    registers_[index] = value;
}

} // namespace vitrine::devices
