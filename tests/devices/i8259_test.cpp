// i8259 against its datasheet: priorities, cascade, spurious vectors, EOI forms, rotation, masks, poll, ELCR.
#include "devices/i8259.h"
#include "tests/devices/support.h"

namespace vitrine::devices::test {
namespace {

struct PicTest : testing::Test {
    Probe intr;
    I8259 pic{intr.wire()};

    void out(u16 port, u8 value) { pic.port_write(port, 1, value); }
    u8 in(u16 port) { return static_cast<u8>(pic.port_read(port, 1)); }
    /// ICW1–4 as PC firmware does it: vectors 20h and 28h, then all lines open.
    void start(u8 word4 = 1) {
        for (const u16 base : {u16{0x20}, u16{0xA0}}) {
            out(base, 0x11);
            out(static_cast<u16>(base + 1), base == 0x20 ? 0x20 : 0x28);
            out(static_cast<u16>(base + 1), base == 0x20 ? 4 : 2);
            out(static_cast<u16>(base + 1), word4);
            out(static_cast<u16>(base + 1), 0);
        }
    }
    void pulse(unsigned line) {
        pic.set_line(line, false);
        pic.set_line(line, true);
    }
};

TEST_F(PicTest, DeliversTheHighestPriorityFirst) {
    start();
    pulse(4);
    pulse(1);
    EXPECT_TRUE(intr.level);
    EXPECT_EQ(pic.acknowledge(), 0x21);
    EXPECT_FALSE(intr.level) << "IR4 waits while IR1 is in service";
    out(0x20, 0x20);
    EXPECT_TRUE(intr.level);
    EXPECT_EQ(pic.acknowledge(), 0x24);
    pulse(0);
    EXPECT_TRUE(intr.level) << "IR0 interrupts the service of IR4";
    EXPECT_EQ(pic.acknowledge(), 0x20);
    out(0x20, 0x0B);
    EXPECT_EQ(in(0x20), 0x11) << "ISR holds both";
    out(0x20, 0x20);
    EXPECT_EQ(in(0x20), 0x10) << "non-specific EOI ends the higher one";
    out(0x20, 0x64);
    EXPECT_EQ(in(0x20), 0x00) << "specific EOI for IR4";
}

TEST_F(PicTest, CascadesTheSlave) {
    start();
    pulse(12);
    EXPECT_EQ(pic.acknowledge(), 0x2C);
    out(0xA0, 0x0B);
    EXPECT_EQ(in(0xA0), 0x10);
    out(0x20, 0x0B);
    EXPECT_EQ(in(0x20), 0x04);
    pulse(3);
    EXPECT_FALSE(intr.level) << "IR3 is below the cascade";
    pulse(8);
    EXPECT_FALSE(intr.level) << "without special nesting the slave cannot nest";
    out(0xA0, 0x20);
    out(0x20, 0x20);
    EXPECT_EQ(pic.acknowledge(), 0x28);
}

TEST_F(PicTest, SpecialFullyNestedModeLetsTheSlaveNest) {
    start(0x11);
    pulse(12);
    EXPECT_EQ(pic.acknowledge(), 0x2C);
    pulse(8);
    ASSERT_TRUE(intr.level);
    EXPECT_EQ(pic.acknowledge(), 0x28);
}

TEST_F(PicTest, SpuriousVectorsSetNoServiceBit) {
    start();
    pulse(5);
    pic.set_line(5, false); // gone before the acknowledge
    EXPECT_EQ(pic.acknowledge(), 0x27);
    out(0x20, 0x0B);
    EXPECT_EQ(in(0x20), 0x00);
    pulse(10);
    out(0xA1, 0xFF); // masked between INT and INTA: the master has seen its edge drop too
    EXPECT_EQ(pic.acknowledge(), 0x27);
}

TEST_F(PicTest, EdgeNeedsALowFirstAndLevelDoesNot) {
    start();
    pulse(5);
    EXPECT_EQ(pic.acknowledge(), 0x25);
    out(0x20, 0x20);
    EXPECT_FALSE(intr.level) << "still high, but no new edge";
    out(0x4D1, 0x04); // IRQ 10 by level
    pic.set_line(10, true);
    EXPECT_EQ(pic.acknowledge(), 0x2A);
    out(0xA0, 0x20);
    out(0x20, 0x20);
    EXPECT_TRUE(intr.level) << "level-triggered: requests again";
    pic.set_line(10, false);
    EXPECT_FALSE(intr.level);
    out(0x4D0, 0xFF);
    EXPECT_EQ(in(0x4D0), 0xF8) << "timer, keyboard and cascade stay edge-triggered";
}

TEST_F(PicTest, MasksAndSpecialMask) {
    start();
    out(0x21, 0x02);
    pulse(1);
    EXPECT_FALSE(intr.level);
    out(0x21, 0x00);
    EXPECT_TRUE(intr.level);
    EXPECT_EQ(pic.acknowledge(), 0x21);
    out(0x20, 0x68); // special mask mode on
    out(0x21, 0x02); // mask the one in service: lower ones may come
    pulse(6);
    EXPECT_EQ(pic.acknowledge(), 0x26);
}

TEST_F(PicTest, RotationAndAutomaticEnd) {
    start();
    out(0x20, 0xC3); // IR3 becomes lowest, IR4 highest
    pulse(3);
    pulse(4);
    EXPECT_EQ(pic.acknowledge(), 0x24);
    out(0x20, 0xA0); // rotate on non-specific EOI: IR4 becomes lowest
    EXPECT_EQ(pic.unit(0).lowest_priority, 4);
    start(0x03);
    pulse(1);
    EXPECT_EQ(pic.acknowledge(), 0x21);
    EXPECT_EQ(pic.unit(0).service, 0) << "automatic EOI";
}

TEST_F(PicTest, PollActsAsAcknowledge) {
    start();
    pulse(6);
    out(0x20, 0x0C);
    EXPECT_EQ(in(0x20), 0x86);
    EXPECT_EQ(pic.unit(0).service, 0x40);
    EXPECT_FALSE(intr.level);
    out(0x20, 0x0C);
    EXPECT_EQ(in(0x20), 0x00);
}

} // namespace
} // namespace vitrine::devices::test
