// hpet — High Precision Event Timer: a 64-bit counter at 100 MHz and three comparators.
//
// Pins: one line a comparator, to IOAPIC pins 20–23; with legacy replacement, comparator 0 drives IRQ 0
// (IOAPIC pin 2) and comparator 1 IRQ 8, in place of the i8254 and the RTC. Registers: FED00000h, 1 KiB.
// Implements: IA-PC HPET specification 1.0a.
//
// Inaccuracies: FSB (MSI) delivery is not offered (capability bit clear).
#pragma once
#include "devices/chip.h"

namespace vitrine::devices {

class Hpet final : public Chip, public MmioDevice {
public:
    static constexpr u64 DefaultBase = 0xFED00000;
    static constexpr u64 Period = 10; ///< nanoseconds
    static constexpr unsigned Timers = 3;

    struct Links {
        std::function<void(unsigned pin, bool level)> ioapic_pin{};
        std::function<void(unsigned irq, bool level)>
            legacy_irq{}; ///< 0 or 8: 8259 line, and IOAPIC pin 2 or 8
        std::function<void(bool enabled)>
            legacy_replacement{}; ///< while enabled, i8254 and RTC lines are cut
    };
    Hpet(EventQueue& events, Links links);

    u64 counter() const;

    const char* name() const override { return "hpet"; }
    void reset() override;
    void serialize(Archive& archive) override;
    std::vector<Field> describe() const override;
    u64 mmio_read(u64 offset, unsigned size) override;
    void mmio_write(u64 offset, unsigned size, u64 value) override;

    struct Timer {
        u64 configuration = 0;
        u64 comparator = ~u64{0};
        u64 period = 0;    ///< last value written in periodic mode
        bool line = false; ///< what drives the wire now
        void serialize(Archive& archive) { archive(configuration, comparator, period, line); }
    };
    const Timer& timer(unsigned index) const { return timers_[index % Timers]; }

private:
    bool enabled() const { return (configuration_ & 1) != 0; }
    bool legacy() const { return (configuration_ & 2) != 0; }
    u64 read_register(u64 offset) const;
    void write_register(u64 offset, u64 value);
    void write_configuration(u64 value);
    void write_timer_configuration(unsigned index, u64 value);
    void write_comparator(unsigned index, u64 value);
    void arm(unsigned index, bool include_now);
    void arm_all();
    void fire(unsigned index);
    void drive(unsigned index, bool level);
    void update_level(unsigned index);

    EventQueue& events_;
    Links links_;
    std::array<EventId, Timers> expiry_{};
    std::array<Timer, Timers> timers_{};
    u64 configuration_ = 0, status_ = 0;
    u64 counter_value_ = 0; ///< while halted: the counter; while running: its value at start_time_
    u64 start_time_ = 0;
};

} // namespace vitrine::devices
