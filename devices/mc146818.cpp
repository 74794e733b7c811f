// mc146818 — see the header.
#include "devices/mc146818.h"
#include <algorithm>
#include <chrono>
#include "devices/register.h"

namespace vitrine::devices {
namespace {

enum Index : u8 {
    Seconds,
    SecondsAlarm,
    Minutes,
    MinutesAlarm,
    Hours,
    HoursAlarm,
    WeekDay,
    MonthDay,
    Month,
    Year,
    RegA,
    RegB,
    RegC,
    RegD,
    Century = 0x32,
};
// Register A
using RateSelect = Bits<0, 4>;
using Divider = Bits<4, 3>;
using UpdateInProgress = Bits<7>;
// Register B
using Hours24 = Bits<1>;
using BinaryMode = Bits<2>;
using PeriodicEnable = Bits<6>;
using SetTime = Bits<7>;
// Flags: the same bits enable in B and report in C.
constexpr u8 FlagUpdate = 0x10, FlagAlarm = 0x20, FlagPeriodic = 0x40, FlagRequest = 0x80;
constexpr u8 FlagsAll = FlagUpdate | FlagAlarm | FlagPeriodic;

constexpr u64 Second = 1'000'000'000;
constexpr u64 UpdateWarning = 244'000; // UIP rises 244 µs before the update
constexpr u64 CrystalFrequency = 32'768;

unsigned days_in_month(unsigned month, unsigned year) {
    static constexpr std::array<u8, 13> Days{31, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    if (month == 2 && year % 4 == 0) return 29; // the chip knows only the last two digits
    return month <= 12 ? Days[month] : 31;
}

} // namespace

Mc146818::Mc146818(EventQueue& events, Wire interrupt, const Setup& setup)
    : events_(events), interrupt_(std::move(interrupt)) {
    second_ = events_.add("mc146818 second", [this] { second_elapsed(); });
    periodic_ = events_.add("mc146818 periodic", [this] { periodic_elapsed(); });
    memory_[RegA] = 0x26; // 32 768 Hz crystal, 1024 Hz rate
    memory_[RegB] = 0x02; // 24 hours, BCD
    memory_[RegD] = 0x80; // battery good
    set_time(setup.wall_clock);

    const auto put = [this](u8 index, u64 value, unsigned bytes, u64 limit) {
        value = std::min(value, limit);
        for (unsigned i = 0; i < bytes; ++i) memory_[index + i] = static_cast<u8>(value >> (8 * i));
    };
    const auto beyond = [](u64 bytes, u64 floor) { return bytes > floor ? bytes - floor : 0; };
    memory_[0x14] = 0x06; // equipment: FPU, PS/2 mouse
    put(0x15, 640, 2, 640);
    const u64 extended = beyond(setup.memory_below_4g, 1 << 20) >> 10;
    put(0x17, extended, 2, 0xFFFF);
    put(0x30, extended, 2, 0xFFFF);
    put(0x34, beyond(setup.memory_below_4g, 16 << 20) >> 16, 2, 0xFFFF);
    put(0x5B, setup.memory_above_4g >> 16, 3, 0xFFFFFF);
    put(0x5F, std::max(setup.processors, 1u) - 1, 1, 0xFF);
    u16 sum = 0; // IBM's checksum over 10h–2Dh
    for (unsigned i = 0x10; i <= 0x2D; ++i) sum = static_cast<u16>(sum + memory_[i]);
    memory_[0x2E] = static_cast<u8>(sum >> 8);
    memory_[0x2F] = static_cast<u8>(sum);

    next_second_ = events_.now() + Second;
    events_.schedule(second_, next_second_);
}

/// RESET# clears the enables and flags of registers B and C; time, memory and the divider run on the battery.
void Mc146818::reset() {
    memory_[RegB] &= static_cast<u8>(~(FlagsAll | 0x08));
    memory_[RegC] = 0;
    index_ = 0;
    arm_periodic();
    update();
}

unsigned Mc146818::decode(u8 value) const {
    return BinaryMode::test(memory_[RegB]) ? value : (value >> 4) * 10u + (value & 15u);
}
u8 Mc146818::encode(unsigned value) const {
    if (BinaryMode::test(memory_[RegB])) return static_cast<u8>(value);
    return static_cast<u8>((value / 10 % 16) << 4 | value % 10);
}
/// 12-hour form: 1–12 with bit 7 for PM.
unsigned Mc146818::decode_hour(u8 value) const {
    if (Hours24::test(memory_[RegB])) return decode(value);
    return decode(value & 0x7F) % 12 + ((value & 0x80) != 0 ? 12 : 0);
}
u8 Mc146818::encode_hour(unsigned hour) const {
    if (Hours24::test(memory_[RegB])) return encode(hour);
    return static_cast<u8>(encode(hour % 12 == 0 ? 12 : hour % 12) | (hour >= 12 ? 0x80 : 0));
}

void Mc146818::set_time(i64 seconds) {
    namespace chrono = std::chrono;
    const chrono::sys_seconds when{
        chrono::seconds(std::clamp<i64>(seconds, 0, 253'402'300'799))}; // to year 9999
    const auto day = chrono::floor<chrono::days>(when);
    const chrono::year_month_day date{day};
    const chrono::hh_mm_ss clock{when - day};
    const auto year = static_cast<unsigned>(static_cast<int>(date.year()));
    memory_[Seconds] = encode(static_cast<unsigned>(clock.seconds().count()));
    memory_[Minutes] = encode(static_cast<unsigned>(clock.minutes().count()));
    memory_[Hours] = encode_hour(static_cast<unsigned>(clock.hours().count()));
    memory_[WeekDay] = encode(chrono::weekday{day}.c_encoding() + 1); // Sunday is 1
    memory_[MonthDay] = encode(static_cast<unsigned>(date.day()));
    memory_[Month] = encode(static_cast<unsigned>(date.month()));
    memory_[Year] = encode(year % 100);
    memory_[Century] = static_cast<u8>((year / 1000) << 4 | year / 100 % 10); // BCD in either mode
}

/// The update cycle: each counter carries into the next. Out-of-range values roll over at once.
void Mc146818::count_second() {
    const auto carry = [this](u8 index, unsigned limit) {
        const unsigned value = decode(memory_[index]) + 1;
        memory_[index] = encode(value >= limit ? 0 : value);
        return value >= limit;
    };
    if (!carry(Seconds, 60) || !carry(Minutes, 60)) return;
    const unsigned hour = decode_hour(memory_[Hours]) + 1;
    memory_[Hours] = encode_hour(hour >= 24 ? 0 : hour);
    if (hour < 24) return;
    const unsigned weekday = decode(memory_[WeekDay]) + 1;
    memory_[WeekDay] = encode(weekday > 7 ? 1 : weekday);
    const unsigned day = decode(memory_[MonthDay]) + 1;
    const bool month_over = day > days_in_month(decode(memory_[Month]), decode(memory_[Year]));
    memory_[MonthDay] = encode(month_over ? 1 : day);
    if (!month_over) return;
    const unsigned month = decode(memory_[Month]) + 1;
    memory_[Month] = encode(month > 12 ? 1 : month);
    if (month <= 12 || !carry(Year, 100)) return;
    const unsigned century = ((memory_[Century] >> 4) * 10u + (memory_[Century] & 15u) + 1) % 100;
    memory_[Century] = static_cast<u8>(century / 10 << 4 | century % 10);
}

/// An alarm byte of C0h or more matches anything.
bool Mc146818::alarm_matches() const {
    for (const u8 index : {Seconds, Minutes, Hours}) {
        const u8 alarm = memory_[index + 1u];
        if (alarm < 0xC0 && alarm != memory_[index]) return false;
    }
    return true;
}

bool Mc146818::divider_runs() const { return Divider::get(memory_[RegA]) == 2; }

void Mc146818::second_elapsed() {
    next_second_ += Second;
    // A call that comes a little late is followed by the next on time. Far behind — which only a forged
    // snapshot can be — the clock starts afresh instead of counting for hours.
    if (events_.now() > next_second_ + 60 * Second) next_second_ = events_.now() + Second;
    events_.schedule(second_, next_second_);
    if (!divider_runs() || SetTime::test(memory_[RegB])) return;
    count_second();
    raise(static_cast<u8>(FlagUpdate | (alarm_matches() ? FlagAlarm : 0)));
}

/// Periodic rate: 2^(shift) cycles of the crystal. Table 3 of the datasheet; rates 1 and 2 repeat 8 and 9.
unsigned Mc146818::periodic_shift() const {
    const unsigned rate = RateSelect::get(memory_[RegA]);
    return rate <= 2 ? rate + 6 : rate - 1;
}

u64 Mc146818::periods_elapsed() const {
    if (RateSelect::get(memory_[RegA]) == 0 || !divider_runs()) return 0;
    const u64 now = events_.now();
    return scale_down(now - std::min(now, periodic_base_), CrystalFrequency, Second) >> periodic_shift();
}

/// The event exists only while the interrupt is enabled; otherwise PF is worked out when register C is read.
void Mc146818::arm_periodic() {
    if (!PeriodicEnable::test(memory_[RegB]) || RateSelect::get(memory_[RegA]) == 0 || !divider_runs())
        return events_.cancel(periodic_);
    const u64 next = (periods_elapsed() + 1) << periodic_shift();
    events_.schedule(periodic_, periodic_base_ + scale_up(next, Second, CrystalFrequency));
}

void Mc146818::periodic_elapsed() {
    periodic_seen_ = periods_elapsed();
    arm_periodic();
    raise(FlagPeriodic);
}

/// The divider chain leaves reset: the first update follows after half a second.
void Mc146818::restart_divider() {
    next_second_ = events_.now() + Second / 2;
    events_.schedule(second_, next_second_);
}

void Mc146818::raise(u8 flags) {
    memory_[RegC] |= flags;
    update();
}

void Mc146818::update() {
    const bool level = (memory_[RegC] & memory_[RegB] & FlagsAll) != 0;
    memory_[RegC] = static_cast<u8>((memory_[RegC] & FlagsAll) | (level ? FlagRequest : 0));
    if (level == line_) return;
    line_ = level;
    drive(interrupt_, level);
}

u8 Mc146818::read(u8 index) {
    switch (index) {
    case RegA: {
        const u64 now = events_.now();
        const bool updating =
            divider_runs() && !SetTime::test(memory_[RegB]) && now + UpdateWarning >= next_second_;
        return static_cast<u8>(memory_[RegA] | (updating ? UpdateInProgress::mask : 0));
    }
    case RegC: {
        if (periods_elapsed() > periodic_seen_ && !PeriodicEnable::test(memory_[RegB]))
            memory_[RegC] |= FlagPeriodic;
        periodic_seen_ = periods_elapsed();
        const u8 value = memory_[RegC];
        memory_[RegC] = 0;
        update();
        return value;
    }
    default: return memory_[index];
    }
}

void Mc146818::write(u8 index, u8 value) {
    switch (index) {
    case RegA: {
        const bool ran = divider_runs();
        memory_[RegA] = value & 0x7F;
        if (!ran && divider_runs()) restart_divider();
        periodic_base_ = events_.now();
        periodic_seen_ = 0;
        arm_periodic();
        break;
    }
    case RegB:
        memory_[RegB] = value;
        if (SetTime::test(value)) memory_[RegB] &= static_cast<u8>(~FlagUpdate); // SET clears UIE
        periodic_seen_ = std::max(periodic_seen_, PeriodicEnable::test(value) ? periods_elapsed() : 0);
        arm_periodic();
        update();
        break;
    case RegC:
    case RegD: break; // read-only
    default: memory_[index] = value; break;
    }
}

u32 Mc146818::port_read(u16 port, unsigned size) {
    return read_bytewise(port, size, [this](u16 p) -> u8 {
        return p == 0x71 ? read(index_ & 0x7F) : 0xFF; // the index cannot be read back
    });
}

void Mc146818::port_write(u16 port, unsigned size, u32 value) {
    write_bytewise(port, size, value, [this](u16 p, u8 byte) {
        if (p == 0x70)
            index_ = byte;
        else if (p == 0x71)
            write(index_ & 0x7F, byte);
    });
}

void Mc146818::serialize(Archive& archive) {
    archive.section(name(), 1);
    archive(memory_, index_, next_second_, periodic_base_, periodic_seen_, line_);
    if (archive.loading() &&
        (memory_[RegA] > 0x7F || next_second_ > u64{1} << 62 || periodic_base_ > u64{1} << 62))
        archive.fail("an impossible value");
}

std::vector<Field> Mc146818::describe() const {
    return {{"hours", memory_[Hours], Hours24::test(memory_[RegB]) ? "24-hour form" : "12-hour form"},
            {"minutes", memory_[Minutes], BinaryMode::test(memory_[RegB]) ? "binary" : "BCD"},
            {"seconds", memory_[Seconds], ""},
            {"day", memory_[MonthDay], ""},
            {"month", memory_[Month], ""},
            {"year", memory_[Year], ""},
            {"A", memory_[RegA], "divider and rate"},
            {"B", memory_[RegB], "modes and interrupt enables"},
            {"C", memory_[RegC], "interrupt flags"},
            {"index", index_ & 0x7Fu, "selected by port 70h"}};
}

} // namespace vitrine::devices
