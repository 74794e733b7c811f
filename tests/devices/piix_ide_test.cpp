// piix_ide: PIO, bus master and packet commands as a driver gives them, with the answers that ATA/ATAPI-6 9
// and the bus master's specification want at each step.
#include "devices/ata/disk.h"
#include "devices/ata/optical.h"
#include "devices/piix_ide/piix_ide.h"
#include "tests/devices/support.h"

namespace vitrine::devices::test {
namespace {

struct IdeTest : testing::Test {
    TestClock clock;
    FakeRam ram;
    FakeDisk disk{70'000}, disc{4 * 100};
    std::array<bool, 2> line{};
    std::array<unsigned, 2> rises{};
    PiixIde ide{clock.events, ram, [this](unsigned channel, bool level) {
                    rises[channel] += level && !line[channel];
                    line[channel] = level;
                }};

    IdeTest() {
        ide.attach(0, std::make_unique<ata::Disk>(disk, "MODEL", "SERIAL"));
        ide.attach(2, std::make_unique<ata::Optical>(&disc));
        ide.reset();
        ide.config_write(4, 2, 5);
        ide.config_write(0x40, 4, 0x80008000);
    }
    u8 in(u16 port) { return static_cast<u8>(ide.port_read(port, 1)); }
    void out(u16 port, unsigned value) { ide.port_write(port, 1, value); }
    u16 data(u16 base = 0x1F0) { return static_cast<u16>(ide.port_read(base, 2)); }
    void master(unsigned offset, unsigned size, u32 value) { ide.bar_write(4, offset, size, value); }
    u8 master(unsigned offset) { return static_cast<u8>(ide.bar_read(4, offset, 1)); }
    void address(u64 lba, unsigned count, u16 base = 0x1F0) {
        out(static_cast<u16>(base + 6), 0xE0 | (lba >> 24 & 15));
        out(static_cast<u16>(base + 2), count);
        for (unsigned i = 0; i < 3; ++i) out(static_cast<u16>(base + 3 + i), lba >> (8 * i) & 0xFF);
    }
    void wait() { clock.advance(100'000'000); }
};

TEST_F(IdeTest, PortsAnswerOnlyWhereTheyAreEnabled) {
    EXPECT_EQ(in(0x1F7), 0x50);
    EXPECT_EQ(in(0x1F2), 0x01) << "the signature of a disk";
    EXPECT_EQ(in(0x177), 0x00) << "a packet device is not ready before it was asked";
    EXPECT_EQ(in(0x174), 0x14);
    EXPECT_EQ(in(0x175), 0xEB);
    out(0x1F6, 0xB0);
    EXPECT_EQ(in(0x1F7), 0x00) << "there is no slave";
    ide.config_write(0x40, 2, 0);
    EXPECT_EQ(in(0x1F7), 0xFF);
    EXPECT_EQ(in(0x174), 0x14);
    ide.config_write(4, 2, 4);
    EXPECT_EQ(in(0x174), 0xFF);
}

TEST_F(IdeTest, PioInGivesABlockAnInterrupt) {
    address(1000, 2);
    out(0x1F7, 0x20);
    EXPECT_EQ(in(0x1F7) & 0x88, 0x80) << "busy, without data";
    EXPECT_EQ(data(), 0xFFFF);
    wait();
    EXPECT_TRUE(line[0]);
    EXPECT_EQ(in(0x3F6), 0x58);
    EXPECT_TRUE(line[0]) << "the alternate status leaves it";
    EXPECT_EQ(in(0x1F7), 0x58);
    EXPECT_FALSE(line[0]);
    for (unsigned i = 0; i < 256; ++i)
        ASSERT_EQ(data(), disk.bytes[1000 * 512 + 2 * i] | disk.bytes[1000 * 512 + 2 * i + 1] << 8);
    EXPECT_EQ(rises[0], 2u) << "the second block";
    EXPECT_EQ(in(0x1F7), 0x58);
    for (unsigned i = 0; i < 128; ++i) ide.port_read(0x1F0, 4);
    EXPECT_EQ(in(0x1F7), 0x50);
    EXPECT_EQ(rises[0], 2u) << "the last block ends the command in silence";
}

TEST_F(IdeTest, PioOutWritesAndInterruptsForEachBlockAndTheEnd) {
    address(7, 2);
    out(0x1F7, 0x30);
    EXPECT_EQ(in(0x1F7), 0x58) << "the first block is wanted at once";
    EXPECT_EQ(rises[0], 0u);
    for (unsigned i = 0; i < 256; ++i) ide.port_write(0x1F0, 2, i);
    EXPECT_EQ(rises[0], 1u);
    EXPECT_EQ(in(0x1F7), 0x58);
    for (unsigned i = 0; i < 256; ++i) ide.port_write(0x1F0, 2, 0xA000 + i);
    EXPECT_EQ(in(0x1F7) & 0x80, 0x80);
    wait();
    EXPECT_EQ(rises[0], 2u);
    EXPECT_EQ(in(0x1F7), 0x50);
    EXPECT_EQ(disk.bytes[7 * 512 + 510], 0xFF);
    EXPECT_EQ(disk.bytes[8 * 512 + 1], 0xA0);
}

TEST_F(IdeTest, BusMasterReadsByItsTable) {
    ram.put(0x1000, 8, 0x20000 | u64{0x600} << 32);
    ram.put(0x1008, 8, 0x30000 | u64{0x80000A00} << 32);
    master(4, 4, 0x1000);
    master(0, 1, 8);
    address(40, 8);
    out(0x1F7, 0xC8);
    wait();
    EXPECT_FALSE(line[0]) << "waits for the master";
    EXPECT_EQ(master(2), 0);
    master(0, 1, 9);
    EXPECT_TRUE(line[0]);
    EXPECT_EQ(master(2), 0x04) << "interrupt, no longer active, no error";
    EXPECT_EQ(in(0x1F7), 0x50);
    EXPECT_TRUE(std::equal(&ram.bytes[0x20000], &ram.bytes[0x20600], &disk.bytes[40 * 512]));
    EXPECT_TRUE(std::equal(&ram.bytes[0x30000], &ram.bytes[0x30A00], &disk.bytes[43 * 512]));
    master(2, 1, 0x64);
    EXPECT_EQ(master(2), 0x60) << "written with ones; the drives' bits stay";
    // A table that is longer than the command leaves the master active (Bus Master IDE 1.0 3.1).
    master(0, 1, 0);
    address(40, 1);
    out(0x1F7, 0xC8);
    master(0, 1, 9);
    wait();
    EXPECT_EQ(master(2) & 7, 5);
}

TEST_F(IdeTest, BusMasterErrors) {
    ram.put(0x1000, 8, 0xFFFF0000 | u64{0x80000200} << 32); // beyond memory
    master(4, 4, 0x1000);
    address(40, 1);
    out(0x1F7, 0xC8);
    master(0, 1, 9);
    wait();
    EXPECT_EQ(master(2) & 7, 6) << "error, interrupt, not active";
    ram.put(0x1000, 8, 0x20000 | u64{0x80000200} << 32); // one sector for two
    ram.bytes[0x20200] = 0xEE;
    master(0, 1, 0), master(2, 1, 6);
    address(40, 2);
    out(0x1F7, 0xC8);
    master(0, 1, 9);
    wait();
    EXPECT_EQ(master(2) & 1, 0);
    EXPECT_EQ(ram.bytes[0x20200], 0xEE);
}

TEST_F(IdeTest, FortyEightBitsGoThroughEachRegisterTwice) {
    FakeDisk& d = disk;
    for (const unsigned value : {0u, 2u}) out(0x1F2, value);
    for (const unsigned value : {0u, 0x70u}) out(0x1F3, value);
    for (const unsigned value : {0u, 0x11u}) out(0x1F4, value);
    for (const unsigned value : {0u, 0x01u}) out(0x1F5, value);
    out(0x1F6, 0x40);
    out(0x1F7, 0x24);
    wait();
    EXPECT_EQ(in(0x1F7) & 0x81, 0x01) << "70000 is beyond the end";
    EXPECT_EQ(in(0x1F1), 0x10);
    out(0x3F6, 0x80);
    EXPECT_EQ(in(0x1F3), 0x00) << "HOB shows the halves that came first";
    out(0x1F6, 0x40);
    EXPECT_EQ(in(0x1F3), 0x70) << "a write to the command block puts HOB back";
    for (const unsigned value : {0u, 1u}) out(0x1F2, value);
    for (const unsigned value : {0u, 0x6Fu}) out(0x1F3, value);
    out(0x1F7, 0x24);
    wait();
    ASSERT_EQ(in(0x1F7), 0x58);
    EXPECT_EQ(data(), d.bytes[69999 * 512] | d.bytes[69999 * 512 + 1] << 8);
}

TEST_F(IdeTest, SoftResetAndInterruptsOff) {
    address(0, 1);
    out(0x1F7, 0x20);
    out(0x3F6, 0x04);
    EXPECT_EQ(in(0x1F7), 0x80);
    wait();
    out(0x3F6, 0x02);
    EXPECT_EQ(in(0x1F7), 0x50);
    EXPECT_EQ(in(0x1F1), 0x01);
    EXPECT_EQ(rises[0], 0u);
    address(0, 1);
    out(0x1F7, 0x20);
    wait();
    EXPECT_EQ(rises[0], 0u) << "nIEN";
    out(0x3F6, 0x00);
    EXPECT_TRUE(line[0]) << "it was pending";
}

TEST_F(IdeTest, PacketsByPioAndDma) {
    const auto packet = [this](std::initializer_list<u8> bytes, bool dma, unsigned limit) {
        std::array<u8, 12> full{};
        std::ranges::copy(bytes, full.begin());
        out(0x176, 0xA0);
        out(0x171, dma ? 1 : 0);
        out(0x174, limit & 0xFF), out(0x175, limit >> 8);
        out(0x177, 0xA0);
        EXPECT_EQ(in(0x177), 0x58);
        EXPECT_EQ(in(0x172) & 3, 1) << "command, out";
        for (unsigned i = 0; i < 6; ++i) ide.port_write(0x170, 2, full[2 * i] | full[2 * i + 1] << 8);
        wait();
    };
    packet({0x00}, false, 0xFFFE);
    EXPECT_EQ(in(0x177), 0x51) << "the unit attention of the reset";
    EXPECT_EQ(in(0x171) >> 4, 6);
    EXPECT_EQ(in(0x172) & 3, 3);
    packet({0x00}, false, 0xFFFE);
    EXPECT_EQ(in(0x177), 0x50);
    rises[1] = 0;
    packet({0x28, 0, 0, 0, 0, 9, 0, 0, 2}, false, 2048); // READ (10), two blocks, one at a time
    for (unsigned block = 0; block < 2; ++block) {
        EXPECT_EQ(in(0x177), 0x58);
        EXPECT_EQ(in(0x172) & 3, 2) << "data, in";
        EXPECT_EQ(in(0x174) | in(0x175) << 8, 2048);
        for (unsigned i = 0; i < 1024; ++i) {
            const std::size_t at = (9 + block) * 2048 + 2 * i;
            ASSERT_EQ(data(0x170), disc.bytes[at] | disc.bytes[at + 1] << 8);
        }
    }
    EXPECT_EQ(in(0x172) & 3, 3);
    EXPECT_EQ(in(0x177), 0x50);
    EXPECT_EQ(rises[1], 3u) << "each block and the end";
    ram.put(0x1000, 8, 0x20000 | u64{0x80001000} << 32);
    master(8 + 4, 4, 0x1000);
    packet({0x28, 0, 0, 0, 0, 3, 0, 0, 2}, true, 0);
    master(8, 1, 9);
    EXPECT_EQ(master(8 + 2) & 7, 4);
    EXPECT_EQ(in(0x177), 0x50);
    EXPECT_TRUE(std::equal(&ram.bytes[0x20000], &ram.bytes[0x21000], &disc.bytes[3 * 2048]));
}

TEST_F(IdeTest, RefusesWhatOnlySataHas) {
    address(0, 1);
    out(0x1F7, 0x60);
    wait();
    EXPECT_EQ(in(0x1F7) & 0x89, 0x01);
    EXPECT_EQ(in(0x1F1), 0x04);
}

/// ATA/ATAPI-6 7: registers that are read belong to the drive that is selected.
TEST_F(IdeTest, EachDriveHasItsOwnRegisters) {
    FakeDisk second{5'000}, second_disc{4 * 100};
    ide.attach(1, std::make_unique<ata::Disk>(second, "SECOND", "S2"));
    ide.attach(3, std::make_unique<ata::Optical>(&second_disc));
    ide.reset();
    ide.config_write(4, 2, 5);
    ide.config_write(0x40, 4, 0x80008000);
    out(0x176, 0xB0); // the slave is a packet device, too, and says so
    EXPECT_EQ(in(0x174) | in(0x175) << 8, 0xEB14);
    out(0x1F6, 0xB0);
    EXPECT_EQ(in(0x1F4) | in(0x1F5) << 8, 0);
    EXPECT_EQ(in(0x1F7), 0x50);
    // An error of one is not the other's.
    out(0x1F7, 0xFF);
    wait();
    EXPECT_EQ(in(0x1F7) & 1, 1);
    out(0x1F6, 0xA0);
    EXPECT_EQ(in(0x1F7), 0x50);
    // SET MULTIPLE of one is not the other's.
    const auto multiple = [&](unsigned drive, unsigned sectors) {
        out(0x1F6, 0xE0 | drive << 4);
        out(0x1F2, sectors);
        out(0x1F7, 0xC6);
        wait();
        EXPECT_EQ(in(0x1F7), 0x50);
    };
    multiple(0, 8);
    multiple(1, 1);
    address(0, 8);
    rises[0] = 0;
    out(0x1F7, 0xC4);
    wait();
    for (unsigned i = 0; i < 8 * 256; ++i) data();
    EXPECT_EQ(rises[0], 1u) << "eight sectors are one block";
    // One that sleeps does not keep the host from the other.
    out(0x1F6, 0xE0);
    out(0x1F7, 0xE6);
    wait();
    in(0x1F7);
    out(0x1F7, 0xEC); // nothing: it sleeps
    wait();
    out(0x1F6, 0xF0);
    EXPECT_EQ(in(0x1F7), 0x50);
    out(0x1F2, 1);
    for (unsigned i = 0; i < 3; ++i) out(static_cast<u16>(0x1F3 + i), i == 0 ? 3 : 0);
    out(0x1F7, 0x20);
    wait();
    EXPECT_EQ(in(0x1F7), 0x58);
    EXPECT_EQ(data(), second.bytes[3 * 512] | second.bytes[3 * 512 + 1] << 8);
}

/// A saved state whose packet buffer is shorter than a packet.
TEST_F(IdeTest, AnImpossiblePacketIsRefused) {
    out(0x176, 0xA0);
    out(0x177, 0xA0);
    ASSERT_EQ(in(0x177), 0x58);
    auto archive = Archive::saver();
    ide.serialize(archive);
    auto good = archive.take();
    // The buffer: its length as four bytes, and twelve zeroes, at the end of the second channel's state.
    const std::array<u8, 16> wanted{12};
    const auto at = std::find_end(good.begin(), good.end(), wanted.begin(), wanted.end());
    ASSERT_NE(at, good.end());
    auto load = Archive::loader(good);
    ide.serialize(load);
    EXPECT_TRUE(load.ok());
    for (const u8 length : {u8{2}, u8{11}}) {
        auto bad = good;
        const auto place = bad.begin() + (at - good.begin());
        *place = length;
        bad.erase(place + 4 + length, place + 16);
        std::replace(bad.begin(), bad.end(), u8{12}, length); // where the block ends, too
        auto forged = Archive::loader(bad);
        ide.serialize(forged);
        EXPECT_FALSE(forged.ok());
    }
}

} // namespace
} // namespace vitrine::devices::test
