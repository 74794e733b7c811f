// pci_host, PciDevice, mch and ich9_lpc: configuration access, BAR sizing, gating, MSI, PAM, PIRQ routing,
// resets.
#include "devices/ich9_ahci/ich9_ahci.h"
#include "devices/ich9_lpc.h"
#include "devices/mch.h"
#include "devices/pci_host.h"
#include "tests/devices/support.h"

namespace vitrine::devices::test {
namespace {

struct PciTest : testing::Test {
    TestClock clock;
    FakeRam ram;
    PciHost host;
    Mch mch;
    std::map<unsigned, Probe> irqs, pins;
    Probe a20;
    std::vector<bool> resets;
    std::vector<u8> apm;
    Ich9Lpc lpc{{[this](unsigned irq, bool level) { irqs[irq].wire()(level); },
                 [this](unsigned pin, bool level) { pins[pin].wire()(level); }, a20.wire(),
                 [this](bool full) { resets.push_back(full); },
                 [this](u8 command) { apm.push_back(command); }}};
    Ich9Ahci ahci{clock.events, ram};
    unsigned remaps = 0;

    PciTest() {
        host.add(0, 0, mch);
        host.add(31, 0, lpc);
        host.add(31, 2, ahci);
        for (PciDevice* device : std::initializer_list<PciDevice*>{&mch, &lpc, &ahci})
            device->connect({.mapping_changed = [this] { ++remaps; }});
    }
    u32 in(unsigned device, unsigned function, u32 reg, unsigned size = 4) {
        host.port_write(0xCF8, 4, 0x80000000 | device << 11 | function << 8 | (reg & 0xFC));
        return host.port_read(static_cast<u16>(0xCFC + (reg & 3)), size);
    }
    void out(unsigned device, unsigned function, u32 reg, u32 value, unsigned size = 4) {
        host.port_write(0xCF8, 4, 0x80000000 | device << 11 | function << 8 | (reg & 0xFC));
        host.port_write(static_cast<u16>(0xCFC + (reg & 3)), size, value);
    }
};

TEST_F(PciTest, MechanismOneAndEcamAgree) {
    EXPECT_EQ(in(0, 0, 0), 0x29C08086u);
    EXPECT_EQ(in(31, 0, 0), 0x29188086u);
    EXPECT_EQ(in(31, 2, 0), 0x29228086u);
    EXPECT_EQ(in(31, 2, 8) >> 8, 0x010601u);
    EXPECT_EQ(in(31, 0, 0x0E, 1), 0x80u) << "multifunction";
    EXPECT_EQ(in(5, 0, 0), 0xFFFFFFFFu);
    EXPECT_EQ(host.ecam_read(31 << 15 | 2 << 12, 2), 0x8086u);
    EXPECT_EQ(host.ecam_read(u64{1} << 20, 4), 0xFFFFFFFFu) << "bus 1 is empty";
    EXPECT_EQ(host.ecam_read(31 << 15 | 2 << 12 | 0x100, 4), 0u) << "no extended capabilities";
    host.port_write(0xCF8, 4, 0);
    EXPECT_EQ(host.port_read(0xCFC, 4), 0xFFFFFFFFu);
}

TEST_F(PciTest, BarSizingAndDecoding) {
    out(31, 2, 0x24, 0xFFFFFFFF);
    EXPECT_EQ(in(31, 2, 0x24), 0xFFFFF000u);
    EXPECT_FALSE(host.claim_memory(0xFFFFF000).has_value()) << "memory decoding is off";
    out(31, 2, 0x20, 0xFFFFFFFF);
    EXPECT_EQ(in(31, 2, 0x20), 0xFFFFFFE1u);
    out(31, 2, 0x10, 0xFFFFFFFF);
    EXPECT_EQ(in(31, 2, 0x10), 0u) << "no BAR0";
    out(31, 2, 0x24, 0xFEB00000);
    out(31, 2, 0x20, 0xC040);
    out(31, 2, 4, 7, 2);
    const auto claim = host.claim_memory(0xFEB00123);
    ASSERT_TRUE(claim.has_value());
    EXPECT_EQ(claim->device, &ahci);
    EXPECT_EQ(claim->bar, 5u);
    EXPECT_EQ(claim->offset, 0x123u);
    EXPECT_TRUE(host.claim_port(0xC045).has_value());
    EXPECT_FALSE(host.claim_port(0xC060).has_value());
    EXPECT_GT(remaps, 0u);
    out(31, 2, 0, 0x12345678);
    EXPECT_EQ(in(31, 2, 0), 0x29228086u) << "read-only";
}

TEST_F(PciTest, PamAndEcamWindow) {
    EXPECT_FALSE(mch.reads_memory(0xF0000));
    out(0, 0, 0x90, 0x10, 1);
    EXPECT_TRUE(mch.reads_memory(0xFFFFF));
    EXPECT_FALSE(mch.writes_memory(0xF0000));
    out(0, 0, 0x93, 0x31, 1); // D0000: read; D4000: read and write
    EXPECT_TRUE(mch.reads_memory(0xD0000));
    EXPECT_FALSE(mch.writes_memory(0xD3FFF));
    EXPECT_TRUE(mch.writes_memory(0xD4000));
    EXPECT_FALSE(mch.reads_memory(0xD8000));
    EXPECT_TRUE(mch.reads_memory(0x1000));
    EXPECT_FALSE(mch.ecam().has_value());
    const unsigned before = remaps;
    out(0, 0, 0x60, 0xB0000001);
    ASSERT_TRUE(mch.ecam().has_value());
    EXPECT_EQ(mch.ecam()->base, 0xB0000000u);
    EXPECT_EQ(mch.ecam()->size, 256u << 20);
    EXPECT_GT(remaps, before);
}

TEST_F(PciTest, PirqRouting) {
    lpc.set_pirq(0, true);
    EXPECT_TRUE(pins[16].level);
    EXPECT_FALSE(irqs[10].level) << "not routed after reset";
    out(31, 0, 0x60, 0x0A, 1);
    EXPECT_TRUE(irqs[10].level);
    out(31, 0, 0x61, 0x0A, 1);
    lpc.set_pirq(1, true);
    lpc.set_pirq(0, false);
    EXPECT_TRUE(irqs[10].level) << "shared: PIRQB holds it";
    lpc.set_pirq(1, false);
    EXPECT_FALSE(irqs[10].level);
    out(31, 0, 0x62, 0x02, 1); // the cascade cannot be reached
    lpc.set_pirq(2, true);
    EXPECT_FALSE(irqs[2].level);
}

TEST_F(PciTest, AcpiBaseResetsAndA20) {
    EXPECT_FALSE(lpc.pm_base().has_value());
    out(31, 0, 0x40, 0x601);
    out(31, 0, 0x44, 0x80, 1);
    EXPECT_EQ(lpc.pm_base().value_or(0), 0x600);
    EXPECT_EQ(lpc.sci_irq(), 9u);
    out(31, 0, 0xF0, 0xFED1C001);
    EXPECT_EQ(lpc.rcba().value_or(0), 0xFED1C000u);
    lpc.port_write(0x92, 1, 0x00);
    EXPECT_FALSE(a20.level);
    lpc.port_write(0x92, 1, 0x02);
    EXPECT_TRUE(a20.level);
    lpc.port_write(0xCF9, 1, 0x02);
    EXPECT_TRUE(resets.empty());
    lpc.port_write(0xCF9, 1, 0x06);
    lpc.port_write(0x92, 1, 0x03);
    EXPECT_EQ(resets, (std::vector<bool>{true, false}));
    lpc.port_write(0xB2, 1, 0x02);
    EXPECT_EQ(apm, std::vector<u8>{2});
}

} // namespace
} // namespace vitrine::devices::test
