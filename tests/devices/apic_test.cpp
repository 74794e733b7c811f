// lapic, ioapic and their bus: acceptance, priorities, EOI, remote IRR, timer modes, x2APIC rules, ExtINT.
#include "devices/ioapic.h"
#include "devices/lapic/apic_bus.h"
#include "devices/lapic/lapic.h"
#include "tests/devices/support.h"

namespace vitrine::devices::test {
namespace {

struct ApicTest : testing::Test {
    TestClock clock;
    Probe intr;
    unsigned nmis = 0, inits = 0;
    u64 tsc_offset = 0;
    std::vector<u8> start_ups, ended;
    int pic_vector = 0x20;
    ApicBus bus;
    LocalApic apic{
        clock.events,
        0,
        true,
        {.interrupt_request = intr.wire(),
         .nmi = [this] { ++nmis; },
         .external_acknowledge = [this] { return pic_vector; },
         .end_of_interrupt = [this](u8 vector) { ended.push_back(vector), ioapic.end_of_interrupt(vector); },
         .send = [this](LocalApic& source, const InterruptMessage& m,
                        Shorthand s) { bus.send(source, m, s); },
         .tsc_offset = [this] { return tsc_offset; }}};
    LocalApic second{
        clock.events,
        1,
        false,
        {.init = [this] { ++inits; }, .start_up = [this](u8 vector) { start_ups.push_back(vector); }}};
    Ioapic ioapic{[this](const InterruptMessage& message) { return bus.deliver(message); }};

    ApicTest() {
        bus.attach(apic);
        bus.attach(second);
    }
    u32 in(u64 offset) { return static_cast<u32>(apic.mmio_read(offset, 4)); }
    void out(u64 offset, u32 value) { apic.mmio_write(offset, 4, value); }
    void enable() { out(0xF0, 0x1FF); }
    void send(u8 vector, bool level = false) { apic.receive({.vector = vector, .level_triggered = level}); }
    void redirect(unsigned pin, u64 entry) {
        ioapic.mmio_write(0, 4, 0x10 + 2 * pin);
        ioapic.mmio_write(0x10, 4, static_cast<u32>(entry));
        ioapic.mmio_write(0, 4, 0x11 + 2 * pin);
        ioapic.mmio_write(0x10, 4, entry >> 32);
    }
};

TEST_F(ApicTest, PriorityClassesNestAndEoiEndsTheHighest) {
    enable();
    send(0x41);
    EXPECT_EQ(apic.acknowledge(), 0x41);
    send(0x45);
    EXPECT_FALSE(intr.level) << "same class";
    send(0x52);
    EXPECT_TRUE(intr.level);
    EXPECT_EQ(apic.acknowledge(), 0x52);
    EXPECT_EQ(in(0xA0), 0x50u);
    out(0xB0, 0);
    EXPECT_EQ(in(0xA0), 0x40u);
    EXPECT_FALSE(intr.level);
    out(0xB0, 0);
    EXPECT_TRUE(intr.level);
    EXPECT_EQ(apic.acknowledge(), 0x45);
}

TEST_F(ApicTest, TaskPriorityMasksThroughCr8) {
    enable();
    apic.set_task_priority(5);
    EXPECT_EQ(in(0x80), 0x50u);
    send(0x5F);
    EXPECT_FALSE(intr.level);
    apic.set_task_priority(4);
    EXPECT_TRUE(intr.level);
}

TEST_F(ApicTest, ExternalInterruptsPassUntilLint0SaysOtherwise) {
    apic.set_external_interrupt(true);
    EXPECT_TRUE(intr.level) << "virtual wire, as firmware leaves it";
    EXPECT_EQ(apic.acknowledge(), 0x20);
    enable();
    out(0x350, 0x10700);
    EXPECT_FALSE(intr.level) << "LINT0 is masked";
    out(0xF0, 0xFF);
    EXPECT_FALSE(intr.level) << "software disabled: masked all the more (11.4.7.2)";
    out(0x350, 0x700);
    EXPECT_FALSE(intr.level) << "and the mask cannot be cleared";
    EXPECT_TRUE(apic.msr_write(0x1B, 0xFEE00000));
    EXPECT_TRUE(intr.level) << "globally disabled: LINT0 is the INTR pin";
    EXPECT_TRUE(apic.msr_write(0x1B, 0xFEE00800));
    enable();
    out(0x350, 0x700);
    EXPECT_TRUE(intr.level) << "ExtINT";
    send(0x60);
    EXPECT_EQ(apic.acknowledge(), 0x60) << "the APIC's own vector first";
    EXPECT_EQ(apic.acknowledge(), 0x20);
    apic.set_external_interrupt(false);
    EXPECT_FALSE(intr.level);
    EXPECT_EQ(apic.acknowledge(), -1);
}

TEST_F(ApicTest, TimerOneShotAndPeriodic) {
    enable();
    out(0x320, 0x30);
    out(0x3E0, 0x3); // divide by 16
    out(0x380, 1000);
    clock.advance(8000);
    EXPECT_EQ(in(0x390), 500u);
    EXPECT_FALSE(intr.level);
    clock.advance(8000);
    EXPECT_TRUE(intr.level);
    EXPECT_EQ(in(0x390), 0u);
    EXPECT_EQ(apic.acknowledge(), 0x30);
    out(0xB0, 0);
    clock.advance(1'000'000);
    EXPECT_FALSE(intr.level);
    out(0x320, 0x20030);
    out(0x380, 1000);
    unsigned seen = 0;
    for (int i = 0; i < 1000; ++i) {
        clock.advance(1600);
        if (!intr.level) continue;
        EXPECT_EQ(apic.acknowledge(), 0x30);
        out(0xB0, 0);
        ++seen;
    }
    EXPECT_EQ(seen, 100u);
}

TEST_F(ApicTest, TscDeadline) {
    enable();
    out(0x320, 0x40030);
    EXPECT_TRUE(apic.msr_write(0x6E0, 5000));
    u64 value = 0;
    EXPECT_TRUE(apic.msr_read(0x6E0, value));
    EXPECT_EQ(value, 5000u);
    clock.advance(4999);
    EXPECT_FALSE(intr.level);
    clock.advance(1);
    EXPECT_TRUE(intr.level);
    EXPECT_TRUE(apic.msr_read(0x6E0, value));
    EXPECT_EQ(value, 0u);
    EXPECT_EQ(apic.acknowledge(), 0x30);
    out(0xB0, 0);
    EXPECT_TRUE(apic.msr_write(0x6E0, 100)); // in the past
    EXPECT_TRUE(intr.level);
    EXPECT_EQ(apic.acknowledge(), 0x30);
    out(0xB0, 0);
    EXPECT_TRUE(apic.msr_write(0x6E0, 9000));
    EXPECT_TRUE(apic.msr_write(0x6E0, 0)); // disarmed
    clock.advance(10'000);
    EXPECT_FALSE(intr.level);
}

/// A deadline is a value of the guest's TSC (11.5.4.1), which software may set and adjust.
TEST_F(ApicTest, TscDeadlineFollowsTheGuestsTsc) {
    enable();
    out(0x320, 0x40030);
    clock.advance(1'000'000);
    tsc_offset = u64{0} - 1'000'000; // WRMSR(IA32_TSC, 0)
    EXPECT_TRUE(apic.msr_write(0x6E0, 5000));
    EXPECT_FALSE(intr.level) << "not in the past";
    clock.advance(4999);
    EXPECT_FALSE(intr.level);
    clock.advance(1);
    EXPECT_TRUE(intr.level);
    EXPECT_EQ(apic.acknowledge(), 0x30);
    out(0xB0, 0);
    EXPECT_TRUE(apic.msr_write(0x6E0, 10'000)); // armed, then the TSC is set back by 2000
    tsc_offset -= 2000;
    apic.tsc_offset_changed();
    clock.advance(6999);
    EXPECT_FALSE(intr.level);
    clock.advance(1);
    EXPECT_TRUE(intr.level);
}

/// The divider may change while the timer counts: what is left counts on at the new rate.
TEST_F(ApicTest, TheDividerChangesWhileCounting) {
    enable();
    out(0x320, 0x30);
    out(0x3E0, 0xB); // divide by 1
    out(0x380, 1000);
    clock.advance(600);
    EXPECT_EQ(in(0x390), 400u);
    out(0x3E0, 0x3); // by 16
    EXPECT_EQ(in(0x390), 400u);
    clock.advance(16 * 399);
    EXPECT_EQ(in(0x390), 1u);
    EXPECT_FALSE(intr.level);
    clock.advance(16);
    EXPECT_TRUE(intr.level);
    EXPECT_EQ(apic.acknowledge(), 0x30);
    out(0xB0, 0);
    out(0x320, 0x20030); // periodic: the rest of this period, then whole ones
    out(0x380, 100);
    clock.advance(16 * 50);
    out(0x3E0, 0xB);
    clock.advance(49);
    EXPECT_FALSE(intr.level);
    clock.advance(1);
    EXPECT_EQ(apic.acknowledge(), 0x30);
    out(0xB0, 0);
    EXPECT_EQ(in(0x390), 100u);
    clock.advance(99);
    EXPECT_FALSE(intr.level);
    clock.advance(1);
    EXPECT_TRUE(intr.level);
}

TEST_F(ApicTest, IllegalVectorsAreErrors) {
    enable();
    out(0x370, 0x33);
    send(0x05);
    EXPECT_EQ(apic.acknowledge(), 0x33) << "LVT error";
    EXPECT_EQ(in(0x280), 0u);
    out(0x280, 0);
    EXPECT_EQ(in(0x280), 0x40u);
    out(0x280, 0);
    EXPECT_EQ(in(0x280), 0u);
}

TEST_F(ApicTest, X2apicTransitionsAndReservedBits) {
    u64 value = 0;
    EXPECT_FALSE(apic.msr_read(0x802, value)) << "not in x2APIC mode";
    EXPECT_FALSE(apic.msr_write(0x1B, 0xFEE00400)) << "EXTD without EN";
    EXPECT_TRUE(apic.msr_write(0x1B, 0xFEE00C00));
    EXPECT_FALSE(apic.mmio_enabled());
    EXPECT_TRUE(apic.msr_read(0x802, value));
    EXPECT_EQ(value, 0u);
    EXPECT_TRUE(apic.msr_read(0x80D, value));
    EXPECT_EQ(value, 1u) << "logical id of APIC 0";
    EXPECT_FALSE(apic.msr_write(0x802, 1)) << "read-only";
    EXPECT_FALSE(apic.msr_write(0x80B, 1)) << "EOI takes 0 only";
    EXPECT_FALSE(apic.msr_write(0x808, 0x100));
    EXPECT_FALSE(apic.msr_write(0x831, 0)) << "no ICR high half";
    EXPECT_FALSE(apic.msr_write(0x1B, 0xFEE00800)) << "x2APIC to xAPIC";
    EXPECT_TRUE(apic.msr_write(0x80F, 0x1FF));
    EXPECT_TRUE(apic.msr_write(0x83F, 0x77));
    EXPECT_EQ(apic.acknowledge(), 0x77) << "self IPI";
    EXPECT_TRUE(apic.msr_write(0x80B, 0));
    EXPECT_TRUE(apic.msr_write(0x830, u64{1} << 32 | 0x500));
    EXPECT_EQ(inits, 1u);
    EXPECT_TRUE(apic.msr_write(0x830, u64{1} << 32 | 0x608));
    EXPECT_TRUE(apic.msr_write(0x830, u64{1} << 32 | 0x608));
    EXPECT_EQ(start_ups, (std::vector<u8>{0x08, 0x08})) << "the processor decides which one it takes";
}

TEST_F(ApicTest, IoapicLevelWaitsForEoi) {
    enable();
    redirect(16, 0x8000 | 0x51);
    ioapic.set_pin(16, true);
    EXPECT_EQ(apic.acknowledge(), 0x51);
    EXPECT_EQ(ioapic.redirection(16) & 0x4000, 0x4000u);
    ioapic.set_pin(16, true);
    EXPECT_FALSE(intr.level) << "remote IRR is set";
    out(0xB0, 0);
    EXPECT_EQ(ended, std::vector<u8>{0x51});
    EXPECT_TRUE(intr.level) << "still high: sent again";
    ioapic.set_pin(16, false);
    EXPECT_EQ(apic.acknowledge(), 0x51);
    out(0xB0, 0);
    EXPECT_FALSE(intr.level);
    EXPECT_EQ(ioapic.redirection(16) & 0x4000, 0u);
}

/// Remote IRR says that a local APIC has the message (82093AA 3.2.4): one that nobody takes leaves the line
/// alive.
TEST_F(ApicTest, IoapicLevelThatNobodyTakes) {
    redirect(16, 0x8000 | 0x51);
    ioapic.set_pin(16, true);
    EXPECT_EQ(ioapic.redirection(16) & 0x4000, 0u) << "the local APIC is disabled by software";
    enable();
    redirect(16, 0x8000 | 0x51);
    EXPECT_EQ(ioapic.redirection(16) & 0x4000, 0x4000u);
    EXPECT_EQ(apic.acknowledge(), 0x51);
    ioapic.set_pin(16, false);
    out(0xB0, 0);
    redirect(16, u64{9} << 56 | 0x8000 | 0x51);
    ioapic.set_pin(16, true);
    EXPECT_EQ(ioapic.redirection(16) & 0x4000, 0u) << "nobody has this id";
}

TEST_F(ApicTest, IoapicEdgesAndMasks) {
    enable();
    EXPECT_EQ(ioapic.mmio_read(0x10, 4), 0u);
    ioapic.mmio_write(0, 4, 1);
    EXPECT_EQ(ioapic.mmio_read(0x10, 4), 0x170020u);
    redirect(4, 0x10044);
    ioapic.set_pin(4, true); // lost: masked
    redirect(4, 0x00044);
    EXPECT_FALSE(intr.level);
    ioapic.set_pin(4, false);
    ioapic.set_pin(4, true);
    EXPECT_EQ(apic.acknowledge(), 0x44);
    redirect(5, u64{0xFF} << 56 | 0x400);
    ioapic.set_pin(5, true);
    EXPECT_EQ(nmis, 1u) << "broadcast NMI";
}

TEST_F(ApicTest, LogicalFlatDestination) {
    enable();
    out(0xD0, 0x02000000);
    redirect(3, u64{0x02} << 56 | 0x800 | 0x63);
    ioapic.set_pin(3, true);
    EXPECT_EQ(apic.acknowledge(), 0x63);
    redirect(3, u64{0x04} << 56 | 0x800 | 0x63);
    ioapic.set_pin(3, false);
    ioapic.set_pin(3, true);
    EXPECT_FALSE(apic.requests().test(0x63));
}

} // namespace
} // namespace vitrine::devices::test
