// Time from the TSC; see timekeeping.h.
#include "time/timekeeping.h"

#include "arch/x86_64/acpi.h"
#include "arch/x86_64/cpu.h"
#include "arch/x86_64/vdso.h"
#include "lib/log.h"
#include "sync/spinlock.h"

namespace kernel {

constinit u64 jiffies = 0;
constinit u64 tsc_khz = 0;

namespace {

constinit u64 tsc_base = 0;
constinit u64 nanoseconds_per_cycle = 0; ///< 32 bits of fraction
constinit u64 wall_offset = 0;           ///< wall clock at tsc_base, under timekeeper_lock
constinit spinlock_t timekeeper_lock{"timekeeper"};

void set_rate(u64 khz) {
    tsc_khz = khz;
    nanoseconds_per_cycle = (u64{1'000'000} << 32) / khz;
}

/// The PM timer runs at 3.579545 MHz and has at least 24 bits (ACPI 4.8.2.1).
u64 measure_with_pm_timer(u16 port) {
    constexpr u32 Ticks = 35795; // 10 ms
    u32 start = in32(port) & 0xffffff;
    u64 tsc_start = rdtsc();
    u32 passed = 0;
    for (u32 tries = 0; passed < Ticks; tries++) {
        if (tries == 50'000'000) return 0; // it does not count
        passed = ((in32(port) & 0xffffff) - start) & 0xffffff;
    }
    return (rdtsc() - tsc_start) * 3'579'545 / passed / 1000;
}

/// PIT channel 2, one shot of 10 ms, watched through port 61h bit 5 (8254 data sheet, mode 0).
u64 measure_with_pit() {
    constexpr u16 Count = 11932;
    out8(0x61, static_cast<u8>((in8(0x61) & ~2) | 1));
    out8(0x43, 0xb0);
    out8(0x42, Count & 0xff);
    out8(0x42, Count >> 8);
    u64 start = rdtsc();
    for (u32 tries = 0; !(in8(0x61) & 0x20); tries++)
        if (tries == 50'000'000) return 0;
    return (rdtsc() - start) * 1'193'182 / Count / 1000;
}

u8 read_cmos(u8 index) {
    out8(0x70, index);
    return in8(0x71);
}

/// MC146818: wait out an update in progress, then read; BCD or binary, 12 or 24 hours as register B says.
u64 read_rtc() {
    for (u32 tries = 0; (read_cmos(0x0a) & 0x80) && tries < 100'000; tries++) cpu_relax();
    u8 raw[6] = {read_cmos(0), read_cmos(2), read_cmos(4), read_cmos(7), read_cmos(8), read_cmos(9)};
    u8 century = read_cmos(0x32), b = read_cmos(0x0b);
    bool pm = !(b & 2) && (raw[2] & 0x80);
    raw[2] &= 0x7f;
    auto decode = [&](u8 value) -> u64 { return b & 4 ? value : (value >> 4) * 10U + (value & 15); };
    u64 hour = decode(raw[2]);
    if (!(b & 2)) hour = hour % 12 + (pm ? 12 : 0);
    u64 year = decode(raw[5]), hundreds = decode(century);
    year += hundreds >= 19 && hundreds <= 21 ? hundreds * 100 : year < 70 ? 2000 : 1900;
    u64 seconds = mktime64(year, decode(raw[4]), decode(raw[3]), hour, decode(raw[1]), decode(raw[0]));
    pr_info("rtc_cmos: setting system clock to %04lu-%02lu-%02luT%02lu:%02lu:%02lu UTC (%lu)\n", year,
            decode(raw[4]), decode(raw[3]), hour, decode(raw[1]), decode(raw[0]), seconds);
    return seconds;
}

} // namespace

u64 mktime64(u64 year, u64 month, u64 day, u64 hour, u64 minute, u64 second) {
    if (month <= 2) year--;
    u64 era = year / 400, year_of_era = year % 400;
    u64 day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
    u64 day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    u64 days = era * 146097 + day_of_era - 719468;
    return ((days * 24 + hour) * 60 + minute) * 60 + second;
}

u64 ktime_get_ns() {
    if (!nanoseconds_per_cycle) return 0;
    unsigned __int128 product = static_cast<unsigned __int128>(rdtsc() - tsc_base) * nanoseconds_per_cycle;
    return static_cast<u64>(product >> 32);
}

u64 ktime_get_real_offset() { return __atomic_load_n(&wall_offset, __ATOMIC_RELAXED); }
u64 ktime_get_real_ns() { return ktime_get_real_offset() + ktime_get_ns(); }
void do_settimeofday64(u64 nanoseconds) {
    IrqSpinGuard guard(timekeeper_lock);
    __atomic_store_n(&wall_offset, nanoseconds - ktime_get_ns(), __ATOMIC_RELAXED);
    update_vsyscall(tsc_base, nanoseconds_per_cycle, wall_offset);
}

void early_tsc_init() {
    tsc_base = rdtsc();
    if (boot_cpu_data.max_leaf < 0x15) return;
    Cpuid ratio = cpuid(0x15); // TSC = crystal × EBX / EAX
    u64 crystal = ratio.ecx;
    if (!ratio.eax || !ratio.ebx) return;
    if (!crystal && boot_cpu_data.max_leaf >= 0x16)
        crystal = u64{cpuid(0x16).eax} * 1'000'000 * ratio.eax / ratio.ebx;
    if (!crystal) return;
    set_rate(crystal * ratio.ebx / ratio.eax / 1000);
    pr_info("tsc: Detected %lu.%03lu MHz TSC (CPUID 15h)\n", tsc_khz / 1000, tsc_khz % 1000);
}

void timekeeping_init() {
    if (!tsc_khz) {
        const char* source = "PM timer";
        u64 khz = acpi.pm_timer_port ? measure_with_pm_timer(acpi.pm_timer_port) : 0;
        if (!khz) khz = measure_with_pit(), source = "PIT";
        if (!khz) {
            khz = 1'000'000;
            source = "nothing: assuming 1 GHz, times will be wrong";
        }
        tsc_base = rdtsc();
        set_rate(khz);
        pr_info("tsc: Detected %lu.%03lu MHz processor, measured with %s\n", khz / 1000, khz % 1000, source);
    }
    pr_info("clocksource: tsc: mask: 0xffffffffffffffff, %lu.%03lu MHz\n", tsc_khz / 1000, tsc_khz % 1000);
    u64 seconds = read_rtc();
    do_settimeofday64(seconds * 1'000'000'000);
}

void udelay(u64 microseconds) {
    u64 end = ktime_get_ns() + microseconds * 1000;
    while (ktime_get_ns() < end) cpu_relax();
}

} // namespace kernel
