// InterruptMessage — what travels between I/O APIC, MSI sources and local APICs (Intel SDM 3A 11.11, table
// 11-x; 82093AA datasheet 3.2.4).
//
// Invariant: an 8-bit physical destination FFh (broadcast) is normalised to FFFFFFFFh by whoever builds the
// message.
#pragma once
#include <functional>
#include "cpu/base/types.h"

namespace vitrine::devices {

enum class DeliveryMode : u8 { Fixed, LowestPriority, Smi, Reserved, Nmi, Init, StartUp, ExtInt };
enum class Shorthand : u8 { None, Self, AllIncludingSelf, AllButSelf };

inline constexpr u32 BroadcastDestination = 0xFFFFFFFF;

struct InterruptMessage {
    u8 vector = 0;
    DeliveryMode mode = DeliveryMode::Fixed;
    bool logical = false;
    bool level_triggered = false;
    bool asserted = true;
    u32 destination = 0;
};

/// An MSI write to FEExxxxxh, SDM 3A 11.11.1–11.11.2.
constexpr InterruptMessage message_from_msi(u64 address, u32 data) {
    InterruptMessage message;
    message.destination = static_cast<u32>(address >> 12) & 0xFF;
    message.logical = (address >> 2 & 1) != 0;
    if (!message.logical && message.destination == 0xFF) message.destination = BroadcastDestination;
    message.vector = static_cast<u8>(data);
    message.mode = static_cast<DeliveryMode>(data >> 8 & 7);
    message.level_triggered = (data >> 15 & 1) != 0;
    message.asserted = !message.level_triggered || (data >> 14 & 1) != 0;
    return message;
}

/// Carries a message to the local APICs. False: none took it.
using MessageSink = std::function<bool(const InterruptMessage&)>;

} // namespace vitrine::devices
