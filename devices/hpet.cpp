// hpet — see the header. The counter is arithmetic on virtual time; each comparator's next match is one
// event.
#include "devices/hpet.h"
#include "devices/register.h"

namespace vitrine::devices {
namespace {

constexpr u64 FemtosecondsPerTick = 10'000'000;
// General capabilities (2.3.4): vendor 8086h, legacy replacement, 64-bit counter, three timers, revision 1.
constexpr u64 Capabilities =
    FemtosecondsPerTick << 32 | u64{0x8086} << 16 | 1 << 15 | 1 << 13 | (Hpet::Timers - 1) << 8 | 1;
// Timer configuration and capability (2.3.8).
using TimerLevel = Bits<1>;
using TimerEnable = Bits<2>;
using TimerPeriodic = Bits<3>;
using TimerSetValue = Bits<6>;
using TimerMode32 = Bits<8>;
using TimerRoute = Bits<9, 5>;
constexpr u64 TimerWritable = TimerLevel::mask | TimerEnable::mask | TimerPeriodic::mask |
                              TimerSetValue::mask | TimerMode32::mask | TimerRoute::mask;
// Every timer can be periodic, is 64 bits wide, and may use pins 20–23 (ICH9 20.1.5).
constexpr u64 RoutablePins = 0x00F00000;
constexpr u64 TimerCapabilities = 1 << 4 | 1 << 5 | RoutablePins << 32;

} // namespace

Hpet::Hpet(EventQueue& events, Links links) : events_(events), links_(std::move(links)) {
    for (unsigned i = 0; i < Timers; ++i) {
        expiry_[i] = events_.add("hpet timer " + std::to_string(i), [this, i] { fire(i); });
        timers_[i].configuration = TimerCapabilities;
    }
}

void Hpet::reset() {
    const bool was_legacy = legacy();
    for (unsigned i = 0; i < Timers; ++i) {
        drive(i, false);
        events_.cancel(expiry_[i]);
        timers_[i] = Timer{};
        timers_[i].configuration = TimerCapabilities;
    }
    configuration_ = status_ = counter_value_ = start_time_ = 0;
    if (was_legacy && links_.legacy_replacement) links_.legacy_replacement(false);
}

u64 Hpet::counter() const {
    if (!enabled()) return counter_value_;
    const u64 now = events_.now();
    return counter_value_ + (now > start_time_ ? (now - start_time_) / Period : 0);
}

/// Sets comparator i's wire, wherever its configuration routes it.
void Hpet::drive(unsigned index, bool level) {
    Timer& timer = timers_[index];
    if (timer.line == level) return;
    timer.line = level;
    if (legacy() && index < 2) {
        if (links_.legacy_irq) links_.legacy_irq(index == 0 ? 0 : 8, level);
        return;
    }
    const unsigned pin = TimerRoute::get(timer.configuration);
    if ((RoutablePins >> pin & 1) != 0 && links_.ioapic_pin) links_.ioapic_pin(pin, level);
}

/// Level-triggered lines follow their status bit.
void Hpet::update_level(unsigned index) {
    const Timer& timer = timers_[index];
    if (!TimerLevel::test(timer.configuration)) return;
    drive(index, (status_ >> index & 1) != 0 && TimerEnable::test(timer.configuration) && enabled());
}

/// Schedules the next match. A match at this very tick counts only with `include_now` (a comparator just
/// written).
void Hpet::arm(unsigned index, bool include_now) {
    const Timer& timer = timers_[index];
    events_.cancel(expiry_[index]);
    if (!enabled()) return;
    const bool narrow = TimerMode32::test(timer.configuration);
    const u64 now_count = counter();
    u64 wait = timer.comparator - now_count;
    if (narrow) wait &= 0xFFFFFFFF;
    if (wait == 0 && !include_now) {
        if (!narrow) return; // 2⁶⁴ ticks away
        wait = u64{1} << 32;
    }
    // Ticks happen at start_time_ + k · 10 ns.
    const u64 ticks = now_count - counter_value_ + wait;
    if (ticks < wait || ticks > (Never - start_time_) / Period - 1) return;
    events_.schedule(expiry_[index], start_time_ + ticks * Period);
}

void Hpet::arm_all() {
    for (unsigned i = 0; i < Timers; ++i) arm(i, true);
}

void Hpet::fire(unsigned index) {
    Timer& timer = timers_[index];
    if (!enabled()) return;
    if (TimerPeriodic::test(timer.configuration) && timer.period != 0) {
        // 2.3.9.2.2: the comparator advances by the period; periods that passed unseen are skipped.
        const bool narrow = TimerMode32::test(timer.configuration);
        u64 behind = counter() - timer.comparator;
        if (narrow) behind &= 0xFFFFFFFF;
        timer.comparator += (behind / timer.period + 1) * timer.period;
        if (narrow) timer.comparator &= 0xFFFFFFFF;
    }
    if (TimerLevel::test(timer.configuration)) {
        status_ |= u64{1} << index;
        update_level(index);
    } else if (TimerEnable::test(timer.configuration)) {
        drive(index, false); // the line stays high until the next edge, so that the 8259 can still see it
        drive(index, true);
    }
    arm(index, false);
}

u64 Hpet::read_register(u64 offset) const {
    switch (offset) {
    case 0x00: return Capabilities;
    case 0x10: return configuration_;
    case 0x20: return status_;
    case 0xF0: return counter();
    default: break;
    }
    const u64 index = (offset - 0x100) / 0x20;
    if (offset < 0x100 || index >= Timers) return 0;
    switch (offset & 0x1F) {
    case 0x00: return timers_[index].configuration;
    case 0x08: return timers_[index].comparator;
    default: return 0;
    }
}

void Hpet::write_configuration(u64 value) {
    value &= 3;
    if (value == configuration_) return;
    const bool was_legacy = legacy();
    if (((value ^ configuration_) & 2) != 0)
        for (unsigned i = 0; i < Timers; ++i) drive(i, false); // on the old route
    counter_value_ = counter();
    start_time_ = events_.now();
    configuration_ = value;
    if (legacy() != was_legacy && links_.legacy_replacement) links_.legacy_replacement(legacy());
    arm_all();
    for (unsigned i = 0; i < Timers; ++i) update_level(i);
}

void Hpet::write_timer_configuration(unsigned index, u64 value) {
    Timer& timer = timers_[index];
    const u64 written = (value & TimerWritable) | TimerCapabilities;
    const u64 changed = written ^ timer.configuration;
    if ((changed & (TimerRoute::mask | TimerLevel::mask)) != 0 || !TimerEnable::test(written))
        drive(index, false);
    timer.configuration = written;
    if ((changed & TimerMode32::mask) != 0 && TimerMode32::test(written)) {
        timer.comparator &= 0xFFFFFFFF;
        timer.period &= 0xFFFFFFFF;
    }
    update_level(index);
    arm(index, false);
}

void Hpet::write_comparator(unsigned index, u64 value) {
    Timer& timer = timers_[index];
    if (TimerMode32::test(timer.configuration)) value &= 0xFFFFFFFF;
    const bool periodic = TimerPeriodic::test(timer.configuration);
    if (periodic) timer.period = value;
    // In periodic mode a plain write sets the period; after VAL_SET it also sets the accumulator (2.3.9.2.2).
    if (!periodic || TimerSetValue::test(timer.configuration)) timer.comparator = value;
    TimerSetValue::set(timer.configuration, 0);
    arm(index, true);
}

void Hpet::write_register(u64 offset, u64 value) {
    switch (offset) {
    case 0x10: return write_configuration(value);
    case 0x20: // write one to clear
        status_ &= ~value;
        for (unsigned i = 0; i < Timers; ++i) update_level(i);
        return;
    case 0xF0: // only meaningful while halted (2.3.7); taken at any time
        counter_value_ = value;
        start_time_ = events_.now();
        return arm_all();
    default: break;
    }
    const u64 index = (offset - 0x100) / 0x20;
    if (offset < 0x100 || index >= Timers) return;
    if ((offset & 0x1F) == 0)
        write_timer_configuration(static_cast<unsigned>(index), value);
    else if ((offset & 0x1F) == 8)
        write_comparator(static_cast<unsigned>(index), value);
}

u64 Hpet::mmio_read(u64 offset, unsigned size) {
    offset &= 0x3FF;
    return take_bytes(read_register(offset & ~u64{7}), static_cast<unsigned>(offset & 7), size);
}

void Hpet::mmio_write(u64 offset, unsigned size, u64 value) {
    offset &= 0x3FF;
    const u64 base = offset & ~u64{7};
    const unsigned lane = static_cast<unsigned>(offset & 7);
    if (size < 4 || (lane & 3) != 0) return log("a store of less than 32 bits was ignored");
    // Status bits are write-one-to-clear: the other half must not be written back. A comparator's other half
    // keeps what the same write would mean for it: in periodic mode that is the period.
    u64 old = read_register(base);
    if (base == 0x20) old = 0;
    const u64 index = (base - 0x100) / 0x20;
    if (base >= 0x100 && index < Timers && (base & 0x1F) == 8 &&
        TimerPeriodic::test(timers_[index].configuration) &&
        !TimerSetValue::test(timers_[index].configuration))
        old = timers_[index].period;
    write_register(base, put_bytes(old, lane, size, value));
}

void Hpet::serialize(Archive& archive) {
    archive.section(name(), 1);
    archive(timers_, configuration_, status_, counter_value_, start_time_);
    if (!archive.loading()) return;
    for (const Timer& timer : timers_)
        if ((timer.configuration & ~(TimerWritable | TimerCapabilities)) != 0)
            archive.fail("a timer's configuration holds reserved bits");
    if (configuration_ > 3 || start_time_ > u64{1} << 62)
        archive.fail("a register holds an impossible value");
}

std::vector<Field> Hpet::describe() const {
    std::vector<Field> out{{"CAP", Capabilities, "100 MHz, 64 bit, 3 timers"},
                           {"CONF", configuration_,
                            enabled() ? (legacy() ? "running, legacy replacement" : "running") : "halted"},
                           {"STS", status_, ""},
                           {"counter", counter(), ""}};
    for (unsigned i = 0; i < Timers; ++i) {
        const Timer& timer = timers_[i];
        const std::string who = "timer" + std::to_string(i) + ".";
        std::string meaning = TimerEnable::test(timer.configuration) ? "enabled" : "no interrupt";
        meaning += TimerPeriodic::test(timer.configuration) ? ", periodic" : ", one-shot";
        meaning += TimerLevel::test(timer.configuration) ? ", level" : ", edge";
        meaning += ", pin " + std::to_string(TimerRoute::get(timer.configuration));
        out.push_back({who + "conf", timer.configuration, meaning});
        out.push_back({who + "comparator", timer.comparator, ""});
        out.push_back({who + "period", timer.period, ""});
    }
    return out;
}

} // namespace vitrine::devices
