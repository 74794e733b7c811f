// i8254, hpet, acpi_pm and mc146818: what virtual time does to them.
#include "devices/acpi_pm.h"
#include "devices/hpet.h"
#include "devices/i8254.h"
#include "devices/mc146818.h"
#include "tests/devices/support.h"

namespace vitrine::devices::test {
namespace {

constexpr u64 Millisecond = 1'000'000, Second = 1'000'000'000;
u64 ticks(u64 n) { return scale_up(n, Second, I8254::Frequency); }

struct PitTest : testing::Test {
    TestClock clock;
    Probe irq0;
    I8254 pit{clock.events, irq0.wire()};
    void out(u16 port, u8 value) { pit.port_write(port, 1, value); }
    u8 in(u16 port) { return static_cast<u8>(pit.port_read(port, 1)); }
    void program(u8 control, u16 count) {
        const u16 port = static_cast<u16>(0x40 + (control >> 6));
        out(0x43, control);
        out(port, static_cast<u8>(count));
        out(port, static_cast<u8>(count >> 8));
    }
    u16 latched(unsigned counter) {
        out(0x43, static_cast<u8>(counter << 6));
        const u8 low = in(static_cast<u16>(0x40 + counter));
        return static_cast<u16>(low | in(static_cast<u16>(0x40 + counter)) << 8);
    }
};

TEST_F(PitTest, Mode2GivesOnePulseAPeriod) {
    program(0x34, 1000);
    const unsigned before = irq0.rises;
    clock.advance(ticks(10'000) + 2000);
    EXPECT_EQ(irq0.rises - before, 10u);
    EXPECT_GE(pit.count(0), 1);
    EXPECT_LE(pit.count(0), 1000);
}

TEST_F(PitTest, Mode2DoesNotDriftOverAMinute) {
    program(0x34, 0); // 65536: the PC's 18.2 Hz
    const unsigned before = irq0.rises;
    clock.advance(60 * Second);
    EXPECT_EQ(irq0.rises - before, 60 * I8254::Frequency / 65536);
}

TEST_F(PitTest, Mode3IsASquareWaveCountingByTwo) {
    program(0x36, 100);
    clock.advance(ticks(1) + 10);
    EXPECT_TRUE(pit.output(0));
    EXPECT_EQ(pit.count(0) % 2, 0);
    const u16 first = pit.count(0);
    clock.advance(ticks(10));
    EXPECT_EQ(first - pit.count(0), 20);
    clock.advance(ticks(45));
    EXPECT_FALSE(pit.output(0));
    clock.advance(ticks(50));
    EXPECT_TRUE(pit.output(0));
}

TEST_F(PitTest, Mode0RisesOnceAtTerminalCount) {
    program(0x30, 50);
    EXPECT_FALSE(irq0.level);
    clock.advance(ticks(50));
    EXPECT_FALSE(irq0.level) << "N + 1 clocks after the write";
    clock.advance(ticks(2));
    EXPECT_TRUE(irq0.level);
    clock.advance(Second);
    EXPECT_EQ(irq0.rises, 1u);
}

TEST_F(PitTest, Mode4StrobesForOneTick) {
    program(0x38, 20);
    EXPECT_TRUE(irq0.level);
    clock.advance(Second);
    EXPECT_EQ(irq0.falls, 1u);
    EXPECT_TRUE(irq0.level);
}

TEST_F(PitTest, Counter2IsGatedThroughPort61) {
    program(0xB0, 11932); // mode 0, about 10 ms: how kernels calibrate
    clock.advance(50 * Millisecond);
    EXPECT_EQ(in(0x61) & 0x20, 0) << "the gate is closed";
    out(0x61, 1);
    clock.advance(9 * Millisecond);
    EXPECT_EQ(in(0x61) & 0x20, 0);
    clock.advance(2 * Millisecond);
    EXPECT_EQ(in(0x61) & 0x20, 0x20);
}

TEST_F(PitTest, OneShotStartsWithTheGate) {
    program(0xB2, 1000); // counter 2, mode 1
    EXPECT_TRUE(pit.output(2));
    out(0x61, 1);
    clock.advance(ticks(5));
    EXPECT_FALSE(pit.output(2));
    clock.advance(ticks(1000));
    EXPECT_TRUE(pit.output(2));
}

TEST_F(PitTest, LatchReadBackAndBcd) {
    program(0x35, 0x1000); // BCD: one thousand
    clock.advance(ticks(5) + 10);
    const u16 value = latched(0);
    EXPECT_EQ(value & 0xF000, 0x0000);
    EXPECT_GE(value, 0x0990);
    out(0x43, 0xC2); // read-back: count and status of counter 0
    const u8 status = in(0x40);
    EXPECT_EQ(status & 0x3F, 0x35);
    EXPECT_EQ(status & 0x40, 0) << "the count is loaded";
    const u8 low = in(0x40), high = in(0x40);
    EXPECT_GE(high << 8 | low, 0x0980);
}

TEST_F(PitTest, NewCountInMode2WaitsForThePeriod) {
    program(0x34, 1000);
    clock.advance(ticks(100));
    out(0x40, 0x10);
    out(0x40, 0x27); // 10000
    const unsigned before = irq0.rises;
    clock.advance(ticks(905));
    EXPECT_EQ(irq0.rises - before, 1u) << "the old period ends";
    clock.advance(ticks(9'900));
    EXPECT_EQ(irq0.rises - before, 1u);
    clock.advance(ticks(110));
    EXPECT_EQ(irq0.rises - before, 2u);
}

TEST_F(PitTest, RefreshBitToggles) {
    const u8 first = in(0x61) & 0x10;
    clock.advance(15'085);
    EXPECT_NE(in(0x61) & 0x10, first);
}

struct HpetTest : testing::Test {
    TestClock clock;
    std::map<unsigned, Probe> pins, irqs;
    bool legacy = false;
    Hpet hpet{clock.events,
              {[this](unsigned pin, bool level) { pins[pin].wire()(level); },
               [this](unsigned irq, bool level) { irqs[irq].wire()(level); },
               [this](bool on) { legacy = on; }}};
    u64 in(u64 offset) { return hpet.mmio_read(offset, 8); }
    void out(u64 offset, u64 value) { hpet.mmio_write(offset, 8, value); }
};

TEST_F(HpetTest, CountsAtAHundredMegahertz) {
    EXPECT_EQ(in(0) >> 32, 10'000'000u);
    EXPECT_EQ(in(0) & 0xFFFFFFFF, 0x8086A201u);
    clock.advance(Second);
    EXPECT_EQ(in(0xF0), 0u);
    out(0x10, 1);
    clock.advance(Second);
    EXPECT_EQ(in(0xF0), 100'000'000u);
    EXPECT_EQ(hpet.mmio_read(0xF4, 4), 0u);
    out(0x10, 0);
    clock.advance(Second);
    EXPECT_EQ(in(0xF0), 100'000'000u);
}

TEST_F(HpetTest, PeriodicLegacyReplacement) {
    out(0x100, 0x4C);    // periodic, enabled, value set
    out(0x108, 100'000); // first at 1 ms
    out(0x108, 50'000);  // then every 0.5 ms
    EXPECT_FALSE(legacy);
    out(0x10, 3);
    EXPECT_TRUE(legacy);
    clock.advance(Millisecond - 10);
    EXPECT_EQ(irqs[0].rises, 0u);
    clock.advance(10);
    EXPECT_EQ(irqs[0].rises, 1u);
    clock.advance(10 * Millisecond);
    EXPECT_EQ(irqs[0].rises, 21u);
}

TEST_F(HpetTest, LevelTriggeredOneShotOnAPin) {
    out(0x140, 0x6 | 21 << 9);
    out(0x148, 1000);
    out(0x10, 1);
    clock.advance(20'000);
    EXPECT_TRUE(pins[21].level);
    EXPECT_EQ(in(0x20), 4u);
    out(0x20, 4);
    EXPECT_FALSE(pins[21].level);
    clock.advance(Second);
    EXPECT_EQ(pins[21].rises, 1u);
}

TEST(AcpiPmTest, TimerOverflowsIntoTheSci) {
    TestClock clock;
    Probe sci;
    bool off = false;
    AcpiPm pm{clock.events, {sci.wire(), [&] { off = true; }}};
    clock.advance(Second);
    EXPECT_EQ(pm.port_read(0x608, 4), 3'579'545u);
    pm.apm_command(2);
    pm.port_write(0x602, 2, 1);
    clock.advance(2 * Second);
    EXPECT_TRUE(sci.level) << "bit 23 toggles after 2.34 s";
    EXPECT_EQ(pm.port_read(0x600, 2) & 1, 1u);
    pm.port_write(0x600, 2, 1);
    EXPECT_FALSE(sci.level);
    pm.port_write(0x604, 2, 0x2001);
    EXPECT_TRUE(off);
}

struct RtcTest : testing::Test {
    TestClock clock;
    Probe irq8;
    Mc146818 rtc{clock.events,
                 irq8.wire(),
                 {.wall_clock = 1'767'225'600 - 2,
                  .memory_below_4g = 512 << 20,
                  .memory_above_4g = 3ull << 30,
                  .processors = 4}};
    u8 in(u8 index) {
        rtc.port_write(0x70, 1, index);
        return static_cast<u8>(rtc.port_read(0x71, 1));
    }
    void out(u8 index, u8 value) {
        rtc.port_write(0x70, 1, index);
        rtc.port_write(0x71, 1, value);
    }
};

TEST_F(RtcTest, RollsOverIntoTheNewYearInBcd) {
    EXPECT_EQ(in(0), 0x58);
    EXPECT_EQ(in(9), 0x25);
    clock.advance(2 * Second);
    EXPECT_EQ(in(0), 0x00);
    EXPECT_EQ(in(2), 0x00);
    EXPECT_EQ(in(4), 0x00);
    EXPECT_EQ(in(6), 5) << "2026-01-01 is a Thursday";
    EXPECT_EQ(in(7), 0x01);
    EXPECT_EQ(in(8), 0x01);
    EXPECT_EQ(in(9), 0x26);
    EXPECT_EQ(in(0x32), 0x20);
}

TEST_F(RtcTest, BinaryTwelveHourForm) {
    out(11, 0x84); // SET, binary, 12 hours
    out(0, 59);
    out(2, 59);
    out(4, 11); // 11 AM
    out(11, 0x04);
    clock.advance(Second);
    EXPECT_EQ(in(4), 0x8C) << "12 PM";
    EXPECT_EQ(in(0), 0);
}

TEST_F(RtcTest, UpdateInProgressWarns) {
    clock.advance(Second - 300'000);
    EXPECT_EQ(in(10) & 0x80, 0);
    clock.advance(100'000);
    EXPECT_EQ(in(10) & 0x80, 0x80);
    clock.advance(300'000);
    EXPECT_EQ(in(10) & 0x80, 0);
}

TEST_F(RtcTest, PeriodicInterruptAtTheChosenRate) {
    out(10, 0x26); // 1024 Hz
    out(11, 0x42);
    unsigned seen = 0;
    for (int i = 0; i < 4096; ++i) {
        clock.advance(Second / 4096);
        if (irq8.level) {
            EXPECT_EQ(in(12) & 0xC0, 0xC0);
            ++seen;
        }
    }
    EXPECT_NEAR(seen, 1024, 1);
    EXPECT_FALSE(irq8.level);
}

TEST_F(RtcTest, UpdateAndAlarmInterrupts) {
    out(1, 0x00); // alarm at second 0, any minute and hour
    out(3, 0xC0);
    out(5, 0xFF);
    out(11, 0x32);
    clock.advance(Second);
    EXPECT_TRUE(irq8.level);
    EXPECT_EQ(in(12) & 0xB0, 0x90);
    clock.advance(Second);
    EXPECT_EQ(in(12) & 0xB0, 0xB0);
}

TEST_F(RtcTest, CmosTellsMemoryAndProcessors) {
    EXPECT_EQ(in(0x34) | in(0x35) << 8, (512 - 16) * 16);
    EXPECT_EQ(in(0x5B) | in(0x5C) << 8 | in(0x5D) << 16, 3 << 14);
    EXPECT_EQ(in(0x5F), 3);
    EXPECT_EQ(in(13), 0x80);
}

} // namespace
} // namespace vitrine::devices::test
