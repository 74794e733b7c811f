// ioapic — I/O APIC with 24 pins, version 20h (with the EOI register).
//
// Pins: INTIN0–23 in (active high here; polarity bits are stored and the board passes logical levels),
// messages out. Registers: FEC00000h IOREGSEL, +10h IOWIN, +40h EOI. Implements: Intel 82093AA datasheet
// (290566) chapter 3; ICH9 datasheet 13.5 for version 20h.
//
// Inaccuracies: the polarity bit does not invert; the delivery status bit always reads idle; the arbitration
// id mirrors the id.
#pragma once
#include "devices/chip.h"
#include "devices/interrupt_message.h"

namespace vitrine::devices {

class Ioapic final : public Chip, public MmioDevice {
public:
    static constexpr unsigned Pins = 24;
    static constexpr u64 DefaultBase = 0xFEC00000;

    explicit Ioapic(MessageSink send);

    void set_pin(unsigned pin, bool level);
    Wire pin(unsigned pin) {
        return [this, pin](bool level) { set_pin(pin, level); };
    }
    /// A local APIC finished a level-triggered vector.
    void end_of_interrupt(u8 vector);
    u64 redirection(unsigned pin) const { return pin < Pins ? redirection_[pin] : 0; }
    bool pin_level(unsigned pin) const { return pin < Pins && (levels_ >> pin & 1) != 0; }

    const char* name() const override { return "ioapic"; }
    void reset() override;
    void serialize(Archive& archive) override;
    std::vector<Field> describe() const override;
    u64 mmio_read(u64 offset, unsigned size) override;
    void mmio_write(u64 offset, unsigned size, u64 value) override;

private:
    void service(unsigned pin);
    bool send(unsigned pin);
    u32 read_register(u8 index) const;
    void write_register(u8 index, u32 value);

    MessageSink send_;
    std::array<u64, Pins> redirection_{};
    u32 levels_ = 0; ///< input pins
    u32 id_ = 0;
    u8 select_ = 0;
};

} // namespace vitrine::devices
