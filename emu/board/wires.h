// InterruptWires — who pulls which interrupt line. Several sources share a line; the line is high while any
// of them is.
//
// ISA lines reach the 8259 and, with the same number, the I/O APIC (IRQ 0 becomes pin 2); a PIRQ reaches the
// 8259 by its ISA line and the I/O APIC by a pin of its own, 16–23 (ICH9 datasheet 5.9, docs/board.md). While
// the HPET's legacy replacement is on, it drives IRQ 0 and 8, and the i8254 and RTC are cut off (HPET 1.0a
// 2.4).
//
// Invariant: the state is only levels; serialize() holds them, and restoring drives nothing (the controllers
// restore their own inputs).
#pragma once
#include <array>
#include <functional>
#include "cpu/base/archive.h"

namespace vitrine::emu {

class InterruptWires {
public:
    enum class Source : u8 { Device, SystemControl, Pirq, HpetLegacy };
    static constexpr unsigned IsaLines = 16, Pins = 24;

    std::function<void(unsigned line, bool level)> to_pic;
    std::function<void(unsigned pin, bool level)> to_ioapic;

    void isa(unsigned line, Source source, bool level);
    /// I/O APIC pins 16–23; `source` separates the HPET from PCI.
    void pin(unsigned pin, bool from_hpet, bool level);
    void set_hpet_legacy(bool enabled);
    void serialize(Archive& archive);
    void reset();

private:
    u8 visible(unsigned line) const;
    void drive(unsigned line);
    std::array<u8, IsaLines> isa_{};    ///< bit per Source
    std::array<u8, Pins> pins_{};       ///< bit 0 PCI, bit 1 HPET
    std::array<u8, IsaLines> driven_{}; ///< bit 0: level at the 8259, bit 1: at the I/O APIC
    bool hpet_legacy_ = false;
};

} // namespace vitrine::emu
