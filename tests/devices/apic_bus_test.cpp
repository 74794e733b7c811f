// Two to eight local APICs on one bus: start-up, shorthands, logical destinations, lowest priority. Rules and
// table numbers are those of the SDM, volume 3A chapter 11.
#include <memory>
#include "devices/lapic/apic_bus.h"
#include "devices/lapic/lapic.h"
#include "tests/devices/support.h"

namespace vitrine::devices::test {
namespace {

constexpr u32 IcrLow = 0x300, IcrHigh = 0x310;
constexpr u32 Self = 1u << 18, AllIncludingSelf = 2u << 18, AllButSelf = 3u << 18;
constexpr u32 LowestPriority = 1u << 8, Nmi = 4u << 8, Init = 5u << 8, StartUp = 6u << 8, Logical = 1u << 11;
constexpr u32 Assert = 1u << 14, Level = 1u << 15;

class ApicBusTest : public testing::TestWithParam<unsigned> {
protected:
    struct Cpu {
        Probe intr;
        unsigned nmis = 0, inits = 0;
        std::vector<u8> start_ups;
        std::unique_ptr<LocalApic> apic;
    };
    TestClock clock;
    ApicBus bus;
    std::vector<std::unique_ptr<Cpu>> cpus;
    unsigned count = GetParam();

    ApicBusTest() {
        for (u32 id = 0; id < count; ++id) {
            Cpu& cpu = *cpus.emplace_back(std::make_unique<Cpu>());
            LocalApic::Links links;
            links.interrupt_request = cpu.intr.wire();
            links.nmi = [&cpu] { ++cpu.nmis; };
            links.send = [this](LocalApic& source, const InterruptMessage& message, Shorthand shorthand) {
                bus.send(source, message, shorthand);
            };
            links.init = [&cpu] { ++cpu.inits; };
            links.start_up = [&cpu](u8 vector) { cpu.start_ups.push_back(vector); };
            cpu.apic = std::make_unique<LocalApic>(clock.events, id, id == 0, links);
            bus.attach(*cpu.apic);
        }
    }
    LocalApic& apic(unsigned n) { return *cpus[n]->apic; }
    void enable_all() {
        for (auto& cpu : cpus) cpu->apic->mmio_write(0xF0, 4, 0x1FF);
    }
    void send(unsigned from, u32 low, u32 destination = 0) {
        apic(from).mmio_write(IcrHigh, 4, destination << 24);
        apic(from).mmio_write(IcrLow, 4, low);
    }
    /// The processors that have `vector` requested, as bits; the requests are taken.
    u32 takers(u8 vector) {
        u32 out = 0;
        for (unsigned n = 0; n < count; ++n)
            if (apic(n).requests().test(vector)) {
                out |= 1u << n;
                EXPECT_EQ(apic(n).acknowledge(), vector);
                apic(n).mmio_write(0xB0, 4, 0);
            }
        return out;
    }
    u32 all() const { return (1u << count) - 1; }
};

/// 11.4.7.2: what starts a processor reaches APICs that software never enabled; the order of INIT and SIPIs,
/// and whether one is wanted, is the processors' business.
TEST_P(ApicBusTest, TheStartUpSequenceReachesEveryOther) {
    send(0, AllButSelf | Init | Level | Assert);
    send(0, AllButSelf | Init | Level); // the de-assert form does nothing
    send(0, AllButSelf | StartUp | 0x9A);
    send(0, AllButSelf | StartUp | 0x9A);
    for (unsigned n = 0; n < count; ++n) {
        EXPECT_EQ(cpus[n]->inits, n == 0 ? 0u : 1u) << n;
        EXPECT_EQ(cpus[n]->start_ups.size(), n == 0 ? 0u : 2u) << n;
    }
    const u32 last = count - 1;
    send(0, Init | Assert, last);
    send(0, StartUp | 0x10, last);
    EXPECT_EQ(cpus[last]->inits, 2u);
    EXPECT_EQ(cpus[last]->start_ups.back(), 0x10);
}

/// 11.4.7.3: INIT resets everything but the id and the base register.
TEST_P(ApicBusTest, InitKeepsIdAndBase) {
    const unsigned last = count - 1;
    EXPECT_TRUE(apic(last).msr_write(0x1B, 0xFEE01000 | 0x800));
    apic(last).mmio_write(0xF0, 4, 0x1FF);
    apic(last).mmio_write(0xD0, 4, 0x80000000);
    apic(last).mmio_write(0x320, 4, 0x30);
    apic(last).mmio_write(0x380, 4, 1000);
    apic(last).receive({.vector = 0x66});
    EXPECT_TRUE(cpus[last]->intr.level);
    send(0, Init | Assert, last);
    EXPECT_FALSE(cpus[last]->intr.level);
    EXPECT_EQ(apic(last).mmio_read(0x20, 4), u64{last} << 24);
    EXPECT_EQ(apic(last).mmio_base(), 0xFEE01000u);
    EXPECT_TRUE(apic(last).mmio_enabled());
    EXPECT_EQ(apic(last).mmio_read(0xF0, 4), 0xFFu);
    EXPECT_EQ(apic(last).mmio_read(0xD0, 4), 0u);
    EXPECT_EQ(apic(last).mmio_read(0xE0, 4), 0xFFFFFFFFu);
    EXPECT_EQ(apic(last).mmio_read(0x320, 4), 0x10000u);
    EXPECT_EQ(apic(last).mmio_read(0x380, 4), 0u);
    EXPECT_EQ(apic(last).mmio_read(0x390, 4), 0u);
    EXPECT_EQ(clock.events.next(), Never);
}

TEST_P(ApicBusTest, PhysicalBroadcastAndShorthands) {
    send(0, Assert | 0x41, count - 1);
    EXPECT_EQ(takers(0x41), 0u) << "software has enabled none";
    enable_all();
    for (unsigned n = 0; n < count; ++n) {
        send(0, Assert | 0x41, n);
        EXPECT_EQ(takers(0x41), 1u << n);
    }
    send(1, Assert | 0x42, 0xFF);
    EXPECT_EQ(takers(0x42), all());
    send(1, Assert | AllIncludingSelf | 0x43);
    EXPECT_EQ(takers(0x43), all());
    send(1, Assert | AllButSelf | 0x44);
    EXPECT_EQ(takers(0x44), all() & ~2u);
    send(1, Assert | Self | 0x45, 0);
    EXPECT_EQ(takers(0x45), 2u);
    send(1, Assert | 0x46, 0x20);
    EXPECT_EQ(takers(0x46), 0u) << "nobody has this id";
    send(0, Assert | AllButSelf | Nmi);
    for (unsigned n = 0; n < count; ++n) EXPECT_EQ(cpus[n]->nmis, n == 0 ? 0u : 1u);
    // A globally disabled APIC hears nothing, whoever calls.
    EXPECT_TRUE(apic(1).msr_write(0x1B, 0xFEE00000));
    send(0, Assert | AllButSelf | Nmi);
    send(0, AllButSelf | Init | Assert);
    EXPECT_EQ(cpus[1]->nmis, 1u);
    EXPECT_EQ(cpus[1]->inits, 0u);
}

/// 11.6.2.2: eight processors have a bit each in the flat model; in the cluster model bits 7:4 name a cluster
/// of four.
TEST_P(ApicBusTest, LogicalFlatAndCluster) {
    enable_all();
    for (unsigned n = 0; n < count; ++n) apic(n).mmio_write(0xD0, 4, 1u << (24 + n));
    send(0, Assert | Logical | 0x51, 0x02);
    EXPECT_EQ(takers(0x51), 2u);
    send(0, Assert | Logical | 0x51, 0x85);
    EXPECT_EQ(takers(0x51), 0x85u & all());
    send(0, Assert | Logical | 0x51, 0xFF);
    EXPECT_EQ(takers(0x51), all());
    for (unsigned n = 0; n < count; ++n) {
        apic(n).mmio_write(0xE0, 4, 0x0FFFFFFF);
        apic(n).mmio_write(0xD0, 4, (n / 4 << 4 | 1u << (n % 4)) << 24);
    }
    send(0, Assert | Logical | 0x52, 0x03);
    EXPECT_EQ(takers(0x52), 3u & all());
    send(0, Assert | Logical | 0x52, 0x15);
    EXPECT_EQ(takers(0x52), 0x50u & all()) << "cluster 1: processors 4 and 6";
    send(0, Assert | Logical | 0x52, 0xFF);
    EXPECT_EQ(takers(0x52), all());
}

TEST_P(ApicBusTest, LowestPriorityChoosesAmongThoseThatAccept) {
    enable_all();
    for (unsigned n = 0; n < count; ++n) {
        apic(n).mmio_write(0xD0, 4, 1u << (24 + n));
        apic(n).mmio_write(0x80, 4, (count - n) << 4); // the last has the lowest
    }
    send(0, Assert | Logical | LowestPriority | 0xE1, 0xFF);
    EXPECT_EQ(takers(0xE1), 1u << (count - 1));
    apic(count - 1).mmio_write(0x80, 4, 0xD0);
    send(0, Assert | Logical | LowestPriority | 0xE1, 0xFF);
    EXPECT_EQ(takers(0xE1), 1u << (count == 2 ? 0 : count - 2));
    apic(count - 1).mmio_write(0x80, 4, 0);
    apic(count - 1).mmio_write(0xF0, 4, 0xFF); // the lowest, but software has disabled it
    EXPECT_TRUE(bus.deliver(
        {.vector = 0xE2, .mode = DeliveryMode::LowestPriority, .logical = true, .destination = 0xFF}));
    EXPECT_EQ(takers(0xE2), 1u << (count == 2 ? 0 : count - 2));
    EXPECT_FALSE(bus.deliver({.vector = 0xE3, .destination = 0x40})) << "nobody";
    EXPECT_FALSE(bus.deliver({.vector = 0xE3, .destination = count - 1})) << "disabled";
}

/// 11.12.9, 11.12.10.2: 32-bit ids; logical ids are cluster and bit, derived from them.
TEST_P(ApicBusTest, X2apicDestinations) {
    for (unsigned n = 0; n < count; ++n) {
        EXPECT_TRUE(apic(n).msr_write(0x1B, 0xFEE00C00));
        EXPECT_TRUE(apic(n).msr_write(0x80F, 0x1FF));
        u64 id = 0;
        EXPECT_TRUE(apic(n).msr_read(0x80D, id));
        EXPECT_EQ(id, 1u << n);
    }
    const auto command = [&](unsigned from, u64 destination, u32 low) {
        EXPECT_TRUE(apic(from).msr_write(0x830, destination << 32 | low));
    };
    const auto end = [&] {
        for (unsigned n = 0; n < count; ++n) EXPECT_TRUE(apic(n).msr_write(0x80B, 0));
    };
    const auto taken = [&](u8 vector) {
        u32 out = 0;
        for (unsigned n = 0; n < count; ++n)
            if (apic(n).acknowledge() == vector) out |= 1u << n;
        end();
        return out;
    };
    command(0, count - 1, 0x61);
    EXPECT_EQ(taken(0x61), 1u << (count - 1));
    command(0, 0xFFFFFFFF, 0x62);
    EXPECT_EQ(taken(0x62), all());
    command(0, 0xFF, 0x63);
    EXPECT_EQ(taken(0x63), 0u) << "not a broadcast here";
    command(1, 0x0000A3, Logical | 0x64);
    EXPECT_EQ(taken(0x64), 0xA3u & all());
    command(1, 0x1000A3, Logical | 0x64);
    EXPECT_EQ(taken(0x64), 0u) << "cluster 16";
    command(1, 0, AllButSelf | 0x65);
    EXPECT_EQ(taken(0x65), all() & ~2u);
    EXPECT_TRUE(apic(1).msr_write(0x83F, 0x66));
    EXPECT_EQ(taken(0x66), 2u);
    command(0, 0, AllButSelf | Init | Assert);
    command(0, 0, AllButSelf | StartUp | 0x12);
    EXPECT_EQ(cpus[1]->start_ups, std::vector<u8>{0x12});
    u64 base = 0;
    EXPECT_TRUE(apic(1).msr_read(0x1B, base));
    EXPECT_EQ(base, 0xFEE00C00u) << "INIT leaves x2APIC mode on (11.12.5.1)";
}

INSTANTIATE_TEST_SUITE_P(Processors, ApicBusTest, testing::Values(2u, 4u, 8u));

} // namespace
} // namespace vitrine::devices::test
