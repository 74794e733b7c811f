// Register offsets and bits of the e1000: SDM table 13-2 and the sections that follow it.
#pragma once
#include "cpu/base/types.h"

namespace vitrine::devices::e1000 {

enum Register : u32 {
    Control = 0x0000,
    DeviceStatus = 0x0008,
    EepromPins = 0x0010, // EECD
    EepromRead = 0x0014, // EERD
    ExtendedControl = 0x0018,
    PhyAccess = 0x0020, // MDIC
    CauseRead = 0x00C0, // ICR
    Throttle = 0x00C4,  // ITR
    CauseSet = 0x00C8,
    MaskSet = 0x00D0,
    MaskClear = 0x00D8,
    ReceiveControl = 0x0100,
    TransmitControl = 0x0400,
    ReceiveBaseLow = 0x2800,
    ReceiveBaseHigh = 0x2804,
    ReceiveLength = 0x2808,
    ReceiveHead = 0x2810,
    ReceiveTail = 0x2818,
    ReceiveDelay = 0x2820,    // RDTR
    ReceiveAbsolute = 0x282C, // RADV
    TransmitBaseLow = 0x3800,
    TransmitBaseHigh = 0x3804,
    TransmitLength = 0x3808,
    TransmitHead = 0x3810,
    TransmitTail = 0x3818,
    TransmitDelay = 0x3820,    // TIDV
    TransmitAbsolute = 0x382C, // TADV
    FirstStatistic = 0x4000,
    EndOfStatistics = 0x4100,
    MulticastTable = 0x5200,
    ReceiveAddresses = 0x5400,
    VlanFilter = 0x5600,
};
/// Registers that only remember (E1000::plain_): FCAL FCAH FCT VET FCTTV TXCW TIPG AIT LEDCTL PBA FCRTL FCRTH
/// RXDCTL RSRPD TXDMAC TXDCTL TSPMT RXCSUM WUC WUFC IPAV MANC and two of the packet buffer.
inline constexpr u32 PlainRegisters[24] = {0x0028, 0x002C, 0x0030, 0x0038, 0x0170, 0x0178, 0x0410, 0x0458,
                                           0x0E00, 0x1000, 0x2160, 0x2168, 0x2828, 0x2C00, 0x3000, 0x3828,
                                           0x3830, 0x5000, 0x5800, 0x5808, 0x5838, 0x5820, 0x2410, 0x3410};

// CTRL and STATUS, SDM 13.4.1 and 13.4.2.
inline constexpr u32 ControlLinkUp = 1u << 6, ControlReset = 1u << 26, ControlVlan = 1u << 30,
                     ControlPhyReset = 1u << 31;
inline constexpr u32 StatusLink = 2, StatusAlways = 0x781; // full duplex, 1000 Mb/s
// Interrupt causes, SDM 13.4.17.
inline constexpr u32 Sent = 1, QueueEmpty = 2, LinkChange = 4, FewDescriptors = 0x10, Overrun = 0x40,
                     Received = 0x80, PhyAccessDone = 0x200;
inline constexpr u32 AllCauses = 0x1F6DF, Asserted = 0x80000000;
// RCTL, SDM 13.4.22.
inline constexpr u32 ReceiverOn = 2, AllUnicast = 8, AllMulticast = 0x10, LongPackets = 0x20,
                     AcceptBroadcast = 0x8000, LargeBuffers = 1u << 25, StripChecksum = 1u << 26;
// TCTL, SDM 13.4.33.
inline constexpr u32 TransmitterOn = 2;
// Statistics, SDM 13.7.
enum Statistic : u32 {
    MissedPackets = 0x4010,
    GoodReceived = 0x4074,
    BroadcastReceived = 0x4078,
    MulticastReceived = 0x407C,
    GoodSent = 0x4080,
    GoodOctetsReceived = 0x4088,
    GoodOctetsSent = 0x4090,
    NoBuffers = 0x40A0,
    OctetsReceived = 0x40C0,
    OctetsSent = 0x40C8,
    PacketsReceived = 0x40D0,
    PacketsSent = 0x40D4,
    MulticastSent = 0x40F0,
    BroadcastSent = 0x40F4,
    SegmentedContexts = 0x40F8,
};

} // namespace vitrine::devices::e1000
