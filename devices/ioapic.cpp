// ioapic — see the header.
#include "devices/ioapic.h"
#include "devices/register.h"

namespace vitrine::devices {
namespace {

// Redirection table entry, 82093AA 3.2.4.
using EntryVector = Bits<0, 8>;
using EntryMode = Bits<8, 3>;
using EntryLogical = Bits<11>;
using EntryRemote = Bits<14>;
using EntryLevel = Bits<15>;
using EntryMask = Bits<16>;
using EntryDestination = Bits<56, 8>;
constexpr u64 EntryReadOnly = Bits<12>::mask | EntryRemote::mask;
constexpr u64 EntryImplemented = 0xFF00'0000'0001'FFFF;
constexpr u32 Version = 0x20 | (Ioapic::Pins - 1) << 16;

/// Only fixed and lowest-priority entries can be level-triggered; the rest act as edges (3.2.4, DELMOD).
bool by_level(u64 entry) { return EntryLevel::test(entry) && EntryMode::get(entry) <= 1; }

} // namespace

Ioapic::Ioapic(MessageSink send) : send_(std::move(send)) { redirection_.fill(EntryMask::mask); }

void Ioapic::reset() {
    redirection_.fill(EntryMask::mask);
    id_ = 0;
    select_ = 0;
}

void Ioapic::set_pin(unsigned pin, bool level) {
    if (pin >= Pins) return;
    const u32 bit = u32{1} << pin;
    const bool rising = level && (levels_ & bit) == 0;
    levels_ = level ? levels_ | bit : levels_ & ~bit;
    const u64 entry = redirection_[pin];
    if (by_level(entry))
        service(pin);
    else if (rising && !EntryMask::test(entry))
        send(pin); // an edge at a masked pin is lost
}

/// Level-triggered: sends while the line is high and the last message was answered by an EOI.
void Ioapic::service(unsigned pin) {
    u64& entry = redirection_[pin];
    if (!by_level(entry) || EntryMask::test(entry) || EntryRemote::test(entry) || !pin_level(pin)) return;
    // Remote IRR means that a local APIC has the message and owes an EOI (82093AA 3.2.4).
    EntryRemote::set(entry, 1);
    if (!send(pin)) EntryRemote::set(entry, 0);
}

bool Ioapic::send(unsigned pin) {
    const u64 entry = redirection_[pin];
    InterruptMessage message;
    message.vector = static_cast<u8>(EntryVector::get(entry));
    message.mode = static_cast<DeliveryMode>(EntryMode::get(entry));
    message.logical = EntryLogical::test(entry);
    message.level_triggered = by_level(entry);
    message.destination = EntryDestination::get(entry);
    if (!message.logical && message.destination == 0xFF) message.destination = BroadcastDestination;
    return send_ && send_(message);
}

void Ioapic::end_of_interrupt(u8 vector) {
    for (unsigned pin = 0; pin < Pins; ++pin) {
        u64& entry = redirection_[pin];
        if (!EntryRemote::test(entry) || EntryVector::get(entry) != vector) continue;
        EntryRemote::set(entry, 0);
        service(pin);
    }
}

u32 Ioapic::read_register(u8 index) const {
    switch (index) {
    case 0: return id_ << 24;
    case 1: return Version;
    case 2: return id_ << 24; // arbitration id
    default: break;
    }
    const unsigned pin = (index - 0x10u) / 2;
    if (index < 0x10 || pin >= Pins) return 0;
    return static_cast<u32>(redirection_[pin] >> ((index & 1) * 32));
}

void Ioapic::write_register(u8 index, u32 value) {
    if (index == 0) {
        id_ = value >> 24 & 0xF;
        return;
    }
    const unsigned pin = (index - 0x10u) / 2;
    if (index < 0x10 || pin >= Pins) return;
    u64& entry = redirection_[pin];
    const u64 written = put_bytes(entry, (index & 1) * 4, 4, value) & EntryImplemented;
    entry = (written & ~EntryReadOnly) | (entry & EntryReadOnly);
    if (!EntryLevel::test(entry))
        EntryRemote::set(entry, 0); // switching to edge mode forgets an unanswered message
    service(pin);
}

u64 Ioapic::mmio_read(u64 offset, unsigned size) {
    const unsigned lane = static_cast<unsigned>(offset & 15);
    u32 value = 0;
    if ((offset & 0xFF0) == 0)
        value = select_;
    else if ((offset & 0xFF0) == 0x10)
        value = read_register(select_);
    return take_bytes(value, lane, size);
}

void Ioapic::mmio_write(u64 offset, unsigned size, u64 value) {
    if ((offset & 15) != 0) return;
    switch (offset & 0xFF0) {
    case 0x00: select_ = static_cast<u8>(value); break;
    case 0x10:
        if (size >= 4)
            write_register(select_, static_cast<u32>(value));
        else
            log("a window store of less than 32 bits was ignored");
        break;
    case 0x40: end_of_interrupt(static_cast<u8>(value)); break;
    default: break;
    }
}

void Ioapic::serialize(Archive& archive) {
    archive.section(name(), 1);
    archive(redirection_, levels_, id_, select_);
    if (!archive.loading()) return;
    for (u64 entry : redirection_)
        if ((entry & ~EntryImplemented) != 0) archive.fail("a redirection entry holds reserved bits");
    if (levels_ >> Pins != 0 || id_ > 0xF) archive.fail("a register holds reserved bits");
}

std::vector<Field> Ioapic::describe() const {
    static constexpr const char* Modes[] = {"fixed", "lowest priority", "SMI",   "reserved", "NMI",
                                            "INIT",  "reserved",        "ExtINT"};
    std::vector<Field> out{{"ID", id_, ""}, {"VER", Version, "24 pins"}, {"IOREGSEL", select_, ""}};
    for (unsigned pin = 0; pin < Pins; ++pin) {
        const u64 entry = redirection_[pin];
        std::string meaning = EntryMask::test(entry) ? "masked"
                                                     : "vector " + std::to_string(EntryVector::get(entry)) +
                                                           ", " + Modes[EntryMode::get(entry)];
        if (EntryLevel::test(entry))
            meaning += EntryRemote::test(entry) ? ", level, waiting for EOI" : ", level";
        if (pin_level(pin)) meaning += ", line high";
        out.push_back({"pin " + std::to_string(pin), entry, meaning});
    }
    return out;
}

} // namespace vitrine::devices
