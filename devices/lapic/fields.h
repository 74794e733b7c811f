// Register fields of the local APIC, named as in SDM 3A chapter 11. Private to devices/lapic.
#pragma once
#include "devices/register.h"

namespace vitrine::devices {

// IA32_APIC_BASE, figure 11-5. MAXPHYADDR is 40.
using BaseBootstrap = Bits<8>;
using BaseExtended = Bits<10>;
using BaseEnable = Bits<11>;
inline constexpr u64 BaseReserved =
    ~u64{0xFF'FFFF'F000} & ~(BaseBootstrap::mask | BaseExtended::mask | BaseEnable::mask);
// Spurious interrupt vector register, figure 11-23.
using SpuriousEnable = Bits<8>;
// Local vector table, figure 11-8.
using LvtVector = Bits<0, 8>;
using LvtMode = Bits<8, 3>;
using LvtMask = Bits<16>;
using LvtTimerMode = Bits<17, 2>;
// Interrupt command register, figure 11-12.
using CommandVector = Bits<0, 8>;
using CommandMode = Bits<8, 3>;
using CommandLogical = Bits<11>;
using CommandAssert = Bits<14>;
using CommandLevel = Bits<15>;
using CommandShorthand = Bits<18, 2>;
// Error status register, figure 11-9.
inline constexpr u32 ErrorSendIllegal = 1 << 5;
inline constexpr u32 ErrorReceivedIllegal = 1 << 6;
inline constexpr u32 ErrorIllegalRegister = 1 << 7;

/// Register numbers: MMIO offset >> 4, and MSR − 800h. Table 11-6.
enum Register : unsigned {
    RegId = 0x02,
    RegVersion = 0x03,
    RegTaskPriority = 0x08,
    RegArbitration = 0x09,
    RegProcessorPriority = 0x0A,
    RegEnd = 0x0B,
    RegLogical = 0x0D,
    RegFormat = 0x0E,
    RegSpurious = 0x0F,
    RegService = 0x10,
    RegTrigger = 0x18,
    RegRequest = 0x20,
    RegError = 0x28,
    RegCommand = 0x30,
    RegCommandHigh = 0x31,
    RegLvtTimer = 0x32,
    RegLvtError = 0x37,
    RegInitial = 0x38,
    RegCurrent = 0x39,
    RegDivide = 0x3E,
    RegSelf = 0x3F,
};
inline constexpr u32 MsrApicBase = 0x1B, MsrDeadline = 0x6E0, MsrFirst = 0x800, MsrLast = 0x8FF;

} // namespace vitrine::devices
