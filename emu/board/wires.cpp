// InterruptWires: see wires.h.
#include "emu/board/wires.h"

namespace vitrine::emu {

namespace {
constexpr u8 bit(InterruptWires::Source source) {
    return static_cast<u8>(1u << static_cast<unsigned>(source));
}
} // namespace

u8 InterruptWires::visible(unsigned line) const {
    u8 sources = isa_[line];
    // Lines 0 and 8 belong to either the HPET or to i8254 and RTC.
    if (line == 0 || line == 8)
        sources &= static_cast<u8>(hpet_legacy_ ? ~bit(Source::Device) : ~bit(Source::HpetLegacy));
    return sources;
}

void InterruptWires::drive(unsigned line) {
    const u8 sources = visible(line);
    const bool pic = sources != 0, ioapic = (sources & ~bit(Source::Pirq)) != 0;
    const u8 before = driven_[line];
    driven_[line] = static_cast<u8>((pic ? 1 : 0) | (ioapic ? 2 : 0));
    if (line == 2) return; // the cascade has no input of its own; I/O APIC pin 2 is IRQ 0
    if (((before & 1) != 0) != pic) to_pic(line, pic);
    if (((before & 2) != 0) != ioapic) to_ioapic(line == 0 ? 2 : line, ioapic);
}

void InterruptWires::isa(unsigned line, Source source, bool level) {
    if (line >= IsaLines) return;
    isa_[line] = static_cast<u8>(level ? isa_[line] | bit(source) : isa_[line] & ~bit(source));
    drive(line);
}

void InterruptWires::pin(unsigned pin, bool from_hpet, bool level) {
    if (pin >= Pins) return;
    const u8 mask = from_hpet ? 2 : 1, before = pins_[pin];
    pins_[pin] = static_cast<u8>(level ? before | mask : before & ~mask);
    if ((before != 0) != (pins_[pin] != 0)) to_ioapic(pin, pins_[pin] != 0);
}

void InterruptWires::set_hpet_legacy(bool enabled) {
    hpet_legacy_ = enabled;
    drive(0);
    drive(8);
}

void InterruptWires::reset() {
    isa_.fill(0), pins_.fill(0), driven_.fill(0);
    hpet_legacy_ = false;
}

void InterruptWires::serialize(Archive& archive) {
    archive.section("wires", 1);
    archive(isa_, pins_, driven_, hpet_legacy_);
}

} // namespace vitrine::emu
