// mc146818 — real-time clock and 128 bytes of CMOS memory.
//
// Pins: IRQ 8. Ports: 70h index (bit 7 masks NMI; kept, has no effect), 71h data. Implements: Motorola
// MC146818A datasheet; ICH9 datasheet 13.6.2. Time starts at the configured wall clock and runs on virtual
// time.
//
// Invariants: the time registers are the truth and count as the chip's do, once a virtual second;
// out-of-range values that the guest writes stay harmless numbers. Inaccuracies: daylight saving is not
// modelled; the square-wave output has no pin; the century byte (32h) is carried by hand at year rollover.
#pragma once
#include "devices/chip.h"

namespace vitrine::devices {

class Mc146818 final : public Chip, public PortDevice {
public:
    struct Setup {
        i64 wall_clock = 0;      ///< seconds since 1970 at power-on
        u64 memory_below_4g = 0; ///< bytes of RAM below 4 GiB
        u64 memory_above_4g = 0;
        unsigned processors = 1;
    };
    Mc146818(EventQueue& events, Wire interrupt, const Setup& setup);

    /// A byte of CMOS as stored, for the board (boot order) and tests.
    u8 cmos(u8 index) const { return memory_[index & 0x7F]; }
    void set_cmos(u8 index, u8 value) { memory_[index & 0x7F] = value; }

    const char* name() const override { return "mc146818"; }
    void reset() override; ///< platform reset: interrupts off; time and memory stay (battery)
    void serialize(Archive& archive) override;
    std::vector<Field> describe() const override;
    u32 port_read(u16 port, unsigned size) override;
    void port_write(u16 port, unsigned size, u32 value) override;

private:
    u8 read(u8 index);
    void write(u8 index, u8 value);
    void set_time(i64 seconds);
    void count_second();
    bool alarm_matches() const;
    unsigned decode(u8 value) const;
    u8 encode(unsigned value) const;
    unsigned decode_hour(u8 value) const;
    u8 encode_hour(unsigned hour) const;
    void second_elapsed();
    void periodic_elapsed();
    u64 periods_elapsed() const;
    unsigned periodic_shift() const;
    bool divider_runs() const;
    void arm_periodic();
    void restart_divider();
    void raise(u8 flags);
    void update();

    EventQueue& events_;
    EventId second_, periodic_;
    Wire interrupt_;
    std::array<u8, 128> memory_{};
    u8 index_ = 0;
    u64 next_second_ = 0;   ///< virtual time of the next update
    u64 periodic_base_ = 0; ///< virtual time from which periods count
    u64 periodic_seen_ = 0; ///< periods that already set PF
    bool line_ = false;
};

} // namespace vitrine::devices
