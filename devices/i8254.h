// i8254 — programmable interval timer: three 16-bit counters at 1 193 182 Hz, and the PC's port 61h around
// it.
//
// Pins: OUT0 → IRQ 0, OUT1 → DRAM refresh (only seen as port 61h bit 4), GATE2 and OUT2 through port 61h,
// speaker. Ports: 40h–42h counters, 43h control word, 61h gate, speaker, refresh toggle, OUT2. Implements:
// Intel 8254 datasheet (231164) — modes 0–5, BCD, counter latch, read-back.
//
// Invariant: nothing ticks. A counter is a pure function of the tick number, which derives from virtual time
// without drift; only OUT0's next edge is an event. Inaccuracies: OUT1 does not exist beyond the refresh
// toggle (15 µs); a count of 1 in modes 2 and 3 (forbidden by the datasheet) behaves as 2.
#pragma once
#include "devices/chip.h"

namespace vitrine::devices {

class I8254 final : public Chip, public PortDevice {
public:
    static constexpr u64 Frequency = 1'193'182;

    I8254(EventQueue& events, Wire interrupt, Wire speaker = {});

    const char* name() const override { return "i8254"; }
    void reset() override;
    void serialize(Archive& archive) override;
    std::vector<Field> describe() const override;
    u32 port_read(u16 port, unsigned size) override;
    void port_write(u16 port, unsigned size, u32 value) override;

    struct Counter {
        u8 mode = 0, access = 3; ///< access: 1 low, 2 high, 3 low then high
        bool bcd = false, gate = true;
        bool loaded = false;      ///< a count was written since the control word
        bool triggered = false;   ///< modes 1 and 5: the gate's rising edge came
        bool null_count = true;   ///< the count register was written and not yet transferred
        bool low_written = false; ///< access 3: the high byte is next
        bool high_next_read = false;
        u8 low_byte = 0;
        u8 latched_bytes = 0; ///< bytes of `latch` that were not read yet
        bool status_latched = false;
        u8 status = 0;
        u16 latch = 0;
        u32 reload = 0x10000; ///< 1–65536: the period in force (modes 2, 3) or the count being counted
        u32 next_reload = 0;  ///< modes 2 and 3: taken over at the end of the period; 0: none
        u64 start_tick = 0;   ///< first tick at which the counting element holds `reload`
        u64 frozen_tick = 0;  ///< gate low: the tick at which counting stopped
        void serialize(Archive& archive);
    };
    /// What a counter does at a tick; for views and tests.
    u16 count(unsigned counter) const;
    bool output(unsigned counter) const;
    const Counter& counter(unsigned index) const { return counters_[index % 3]; }

private:
    u64 tick_now() const;
    static u64 time_of_tick(u64 tick);
    static void settle(Counter& counter, u64 tick);
    static u64 elapsed(const Counter& counter, u64 tick);
    static bool output_at(const Counter& counter, u64 tick);
    static u16 count_at(const Counter& counter, u64 tick);
    static u64 next_edge(const Counter& counter, u64 tick);
    void write_control(u8 value);
    void load(unsigned index, u16 value);
    void set_gate(unsigned index, bool level);
    u8 read_counter(unsigned index);
    void latch_count(Counter& counter);
    void edge();
    void update();
    void drive_interrupt(bool level);

    EventQueue& events_;
    EventId edge_;
    Wire interrupt_, speaker_;
    std::array<Counter, 3> counters_{};
    u8 port61_ = 0;
    bool interrupt_level_ = false, speaker_level_ = false;
    u64 seen_tick_ = 0; ///< OUT0 was driven for every edge up to this tick
};

} // namespace vitrine::devices
