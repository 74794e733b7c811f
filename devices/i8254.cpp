// i8254 — see the header. Counting is arithmetic on tick numbers: tick k happens at ceil(k · 10⁹ / 1 193 182)
// ns.
#include "devices/i8254.h"
#include <algorithm>
#include "devices/register.h"

namespace vitrine::devices {
namespace {

// Control word, datasheet figure 7.
using ControlBcd = Bits<0>;
using ControlMode = Bits<1, 3>;
using ControlAccess = Bits<4, 2>;
using ControlSelect = Bits<6, 2>;
// Port 61h.
using GateTwo = Bits<0>;
using SpeakerEnable = Bits<1>;
constexpr u64 RefreshPeriod = 15'085; // ns between toggles of port 61h bit 4
constexpr u64 NanosecondsPerSecond = 1'000'000'000;

constexpr u64 TickLimit = u64{1} << 52; // 119 years: no run gets there, and times stay within 64 bits

bool hardware_triggered(u8 mode) { return mode == 1 || mode == 5; }
bool repeats(u8 mode) { return mode == 2 || mode == 3; }

u16 to_bcd(u32 value) {
    value %= 10000;
    return static_cast<u16>(value % 10 | value / 10 % 10 << 4 | value / 100 % 10 << 8 | value / 1000 << 12);
}
u32 from_bcd(u16 value) {
    return (value & 15) + (value >> 4 & 15) * 10u + (value >> 8 & 15) * 100u + (value >> 12) * 1000u;
}

} // namespace

I8254::I8254(EventQueue& events, Wire interrupt, Wire speaker)
    : events_(events), interrupt_(std::move(interrupt)), speaker_(std::move(speaker)) {
    edge_ = events_.add("i8254 OUT0", [this] { edge(); });
    counters_[2].gate = false;
}

void I8254::reset() {
    counters_ = {};
    counters_[2].gate = false;
    port61_ = 0;
    seen_tick_ = 0;
    events_.cancel(edge_);
    drive_interrupt(false);
    if (std::exchange(speaker_level_, false)) drive(speaker_, false);
}

u64 I8254::tick_now() const { return scale_down(events_.now(), Frequency, NanosecondsPerSecond); }
u64 I8254::time_of_tick(u64 tick) { return scale_up(tick, NanosecondsPerSecond, Frequency); }

/// Ticks since the counting element was loaded; 0 before.
u64 I8254::elapsed(const Counter& counter, u64 tick) {
    const u64 at = counter.gate || hardware_triggered(counter.mode) ? tick : counter.frozen_tick;
    return at > counter.start_tick ? at - counter.start_tick : 0;
}

/// Takes over a count that waits for the end of the period (modes 2 and 3).
void I8254::settle(Counter& counter, u64 tick) {
    if (!repeats(counter.mode) || !counter.loaded || counter.next_reload == 0 || !counter.gate) return;
    if (tick < counter.start_tick + counter.reload) return;
    counter.start_tick += counter.reload;
    counter.reload = std::exchange(counter.next_reload, 0);
}

bool I8254::output_at(const Counter& counter, u64 tick) {
    const bool running = hardware_triggered(counter.mode) ? counter.triggered : counter.loaded;
    if (!running || tick < counter.start_tick) return counter.mode != 0;
    const u64 e = elapsed(counter, tick);
    switch (counter.mode) {
    case 0: return e >= counter.reload;
    case 1: return e >= counter.reload;
    case 2: return !counter.gate || e % counter.reload != counter.reload - 1;
    case 3: return !counter.gate || e % counter.reload < (counter.reload + 1) / 2;
    default: return e != counter.reload; // 4 and 5: one low tick
    }
}

u16 I8254::count_at(const Counter& counter, u64 tick) {
    const u32 modulus = counter.bcd ? 10000 : 0x10000;
    const u64 e = elapsed(counter, tick);
    const u32 n = counter.reload;
    u64 value = 0;
    if (counter.mode == 2) {
        value = n - e % n;
    } else if (counter.mode == 3) {
        // The element counts by two, from N (even) or N − 1 (odd), twice a period.
        const u64 high = (n + 1) / 2, r = e % n;
        value = (n & ~1u) - 2 * (r < high ? r : r - high);
    } else {
        value = (u64{n} + modulus - e % modulus) % modulus;
    }
    return counter.bcd ? to_bcd(static_cast<u32>(value)) : static_cast<u16>(value);
}

/// The first tick after `tick` at which the output may differ, or Never.
u64 I8254::next_edge(const Counter& counter, u64 tick) {
    const bool running = hardware_triggered(counter.mode) ? counter.triggered : counter.loaded;
    if (!running || (!counter.gate && !hardware_triggered(counter.mode))) return Never;
    const u64 start = counter.start_tick, n = counter.reload;
    auto first_after = [tick](std::initializer_list<u64> candidates) {
        for (u64 candidate : candidates)
            if (candidate > tick) return candidate;
        return Never;
    };
    if (repeats(counter.mode)) {
        const u64 period = tick > start ? start + (tick - start) / n * n : start;
        const u64 fall = counter.mode == 2 ? n - 1 : (n + 1) / 2;
        return first_after({period + fall, period + n, period + n + fall});
    }
    if (counter.mode == 1) return first_after({start, start + n});
    return first_after({start + n, start + n + 1});
}

u16 I8254::count(unsigned index) const {
    Counter copy = counters_[index % 3];
    settle(copy, tick_now());
    return count_at(copy, tick_now());
}

bool I8254::output(unsigned index) const {
    Counter copy = counters_[index % 3];
    settle(copy, tick_now());
    return output_at(copy, tick_now());
}

void I8254::drive_interrupt(bool level) {
    if (level == interrupt_level_) return;
    interrupt_level_ = level;
    drive(interrupt_, level);
}

/// One edge of OUT0 a call, so that a one-tick pulse reaches the 8259 even when the event comes late.
void I8254::edge() {
    Counter& counter = counters_[0];
    const u64 tick = next_edge(counter, seen_tick_);
    if (tick == Never) return;
    if (tick_now() > tick + Frequency)
        return update(); // a second behind: only a forged snapshot can be; start afresh
    seen_tick_ = tick;
    settle(counter, tick);
    drive_interrupt(output_at(counter, tick));
    const u64 next = next_edge(counter, tick);
    if (next != Never) events_.schedule(edge_, time_of_tick(next));
}

/// After programming: drives OUT0 for now and arms its next edge.
void I8254::update() {
    seen_tick_ = tick_now();
    settle(counters_[0], seen_tick_);
    drive_interrupt(output_at(counters_[0], seen_tick_));
    const u64 next = next_edge(counters_[0], seen_tick_);
    if (next == Never)
        events_.cancel(edge_);
    else
        events_.schedule(edge_, time_of_tick(next));
}

void I8254::latch_count(Counter& counter) {
    if (counter.latched_bytes != 0) return; // a latched count stays until it is read
    settle(counter, tick_now());
    counter.latch = count_at(counter, tick_now());
    counter.latched_bytes = counter.access == 3 ? 2 : 1;
}

void I8254::write_control(u8 value) {
    const unsigned select = ControlSelect::get(value);
    if (select == 3) { // read-back command: bits 5 and 4 are active low
        for (unsigned i = 0; i < 3; ++i) {
            Counter& counter = counters_[i];
            if ((value >> (i + 1) & 1) == 0) continue;
            if ((value & 0x20) == 0) latch_count(counter);
            if ((value & 0x10) == 0 && !counter.status_latched) {
                const u64 tick = tick_now();
                settle(counter, tick);
                const bool null = counter.null_count || counter.next_reload != 0 || tick < counter.start_tick;
                counter.status =
                    static_cast<u8>((output_at(counter, tick) ? 0x80 : 0) | (null ? 0x40 : 0) |
                                    counter.access << 4 | counter.mode << 1 | (counter.bcd ? 1 : 0));
                counter.status_latched = true;
            }
        }
        return;
    }
    Counter& counter = counters_[select];
    if (ControlAccess::get(value) == 0) return latch_count(counter);
    const bool gate = counter.gate;
    counter = Counter{};
    counter.gate = gate;
    counter.frozen_tick = tick_now();
    counter.access = static_cast<u8>(ControlAccess::get(value));
    counter.mode = static_cast<u8>(ControlMode::get(value));
    if (counter.mode > 5) counter.mode -= 4; // 6 and 7 mean 2 and 3
    counter.bcd = ControlBcd::test(value);
    if (select == 0) update();
}

void I8254::load(unsigned index, u16 value) {
    Counter& counter = counters_[index];
    u32 n = counter.bcd ? from_bcd(value) : value;
    if (n == 0) n = counter.bcd ? 10000 : 0x10000;
    if (n == 1 && repeats(counter.mode)) n = 2;
    const u64 tick = tick_now();
    settle(counter, tick);
    if (hardware_triggered(counter.mode)) {
        counter.next_reload = n; // taken by the next trigger
        counter.null_count = counter.loaded = true;
        if (!counter.triggered) counter.reload = n;
    } else if (repeats(counter.mode) && counter.loaded && counter.gate && tick >= counter.start_tick) {
        // The running period ends first.
        counter.start_tick += (tick - counter.start_tick) / counter.reload * counter.reload;
        counter.next_reload = n;
    } else {
        counter.reload = n;
        counter.next_reload = 0;
        counter.start_tick = tick + 1; // the next CLK pulse loads the counting element
        counter.frozen_tick = tick + 1;
        counter.loaded = true;
        counter.null_count = false;
    }
    if (index == 0) update();
}

void I8254::set_gate(unsigned index, bool level) {
    Counter& counter = counters_[index];
    if (counter.gate == level) return;
    const u64 tick = tick_now();
    settle(counter, tick);
    if (!level) {
        counter.frozen_tick = std::max(tick, counter.start_tick);
    } else if (hardware_triggered(counter.mode)) {
        if (counter.next_reload != 0) counter.reload = std::exchange(counter.next_reload, 0);
        if (counter.loaded) {
            counter.triggered = true;
            counter.null_count = false;
            counter.start_tick = tick + 1;
        }
    } else if (repeats(counter.mode)) {
        if (counter.next_reload != 0) counter.reload = std::exchange(counter.next_reload, 0);
        counter.start_tick = tick + 1;
    } else {
        counter.start_tick += tick - std::min(tick, counter.frozen_tick); // counting goes on where it stopped
    }
    counter.gate = level;
}

u8 I8254::read_counter(unsigned index) {
    Counter& counter = counters_[index];
    if (counter.status_latched) {
        counter.status_latched = false;
        return counter.status;
    }
    if (counter.latched_bytes != 0) {
        const bool high = counter.access == 2 || (counter.access == 3 && counter.latched_bytes == 1);
        --counter.latched_bytes;
        return static_cast<u8>(high ? counter.latch >> 8 : counter.latch);
    }
    const u64 tick = tick_now();
    settle(counter, tick);
    const u16 value = count_at(counter, tick);
    bool high = counter.access == 2;
    if (counter.access == 3) {
        high = counter.high_next_read;
        counter.high_next_read = !high;
    }
    return static_cast<u8>(high ? value >> 8 : value);
}

u32 I8254::port_read(u16 port, unsigned size) {
    return read_bytewise(port, size, [this](u16 p) -> u8 {
        if (p >= 0x40 && p <= 0x42) return read_counter(p - 0x40);
        if (p == 0x61) {
            const u8 refresh = static_cast<u8>(events_.now() / RefreshPeriod & 1);
            return static_cast<u8>(port61_ | refresh << 4 | (output(2) ? 0x20 : 0));
        }
        return 0xFF; // 43h cannot be read
    });
}

void I8254::port_write(u16 port, unsigned size, u32 value) {
    write_bytewise(port, size, value, [this](u16 p, u8 byte) {
        if (p == 0x43) return write_control(byte);
        if (p == 0x61) {
            port61_ = byte & 0x0F;
            set_gate(2, GateTwo::test(byte));
            const bool sounding = GateTwo::test(byte) && SpeakerEnable::test(byte);
            if (sounding != speaker_level_) {
                speaker_level_ = sounding;
                drive(speaker_, sounding);
            }
            return;
        }
        if (p < 0x40 || p > 0x42) return;
        Counter& counter = counters_[p - 0x40];
        if (counter.access == 1) return load(p - 0x40, byte);
        if (counter.access == 2) return load(p - 0x40, static_cast<u16>(byte << 8));
        if (!std::exchange(counter.low_written, !counter.low_written)) {
            counter.low_byte = byte;
            if (counter.mode == 0) { // writing the first byte stops counting
                counter.loaded = false;
                if (p == 0x40) update();
            }
            return;
        }
        load(p - 0x40, static_cast<u16>(byte << 8 | counter.low_byte));
    });
}

void I8254::Counter::serialize(Archive& archive) {
    archive(mode, access, bcd, gate, loaded, triggered, null_count, low_written, high_next_read, low_byte,
            latched_bytes, status_latched, status, latch, reload, next_reload, start_tick, frozen_tick);
    if (archive.loading() && (mode > 5 || access < 1 || access > 3 || latched_bytes > 2 || reload < 1 ||
                              (repeats(mode) && (reload < 2 || next_reload == 1)) || reload > 0x10000 ||
                              next_reload > 0x10000 || start_tick > TickLimit || frozen_tick > TickLimit))
        archive.fail("a counter holds impossible values");
}

void I8254::serialize(Archive& archive) {
    archive.section(name(), 1);
    archive(counters_, port61_, interrupt_level_, speaker_level_, seen_tick_);
    if (archive.loading() && seen_tick_ > TickLimit) archive.fail("an impossible tick");
}

std::vector<Field> I8254::describe() const {
    static constexpr const char* Modes[] = {"interrupt on terminal count",
                                            "one-shot",
                                            "rate generator",
                                            "square wave",
                                            "software strobe",
                                            "hardware strobe"};
    std::vector<Field> out;
    for (unsigned i = 0; i < 3; ++i) {
        const Counter& counter = counters_[i];
        const std::string who = "counter" + std::to_string(i) + ".";
        out.push_back({who + "mode", counter.mode, Modes[counter.mode]});
        out.push_back({who + "reload", counter.reload, counter.bcd ? "BCD" : "binary"});
        out.push_back(
            {who + "count", count(i), counter.loaded || counter.triggered ? "counting" : "not loaded"});
        out.push_back({who + "gate", counter.gate ? 1u : 0u, ""});
        out.push_back({who + "OUT", output(i) ? 1u : 0u, ""});
    }
    out.push_back({"port61", port61_, "bit 0 gate 2, bit 1 speaker"});
    return out;
}

} // namespace vitrine::devices
