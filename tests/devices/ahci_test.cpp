// ich9_ahci driven as a kernel drives it: command lists built by hand in a fake RAM.
#include "tests/devices/ahci_rig.h"

namespace vitrine::devices::test {
namespace {

using AhciTest = AhciRig;

TEST_F(AhciTest, DetectsTheDriveAndItsSignature) {
    EXPECT_EQ(in(0x00) & 0x1F, 5u);
    EXPECT_EQ(in(0x0C), 0x3Fu);
    EXPECT_EQ(in(0x10), 0x10301u);
    EXPECT_EQ(in(P0 + Ssts), 0x123u);
    EXPECT_EQ(in(P0 + Sig), 0x101u);
    EXPECT_EQ(in(P0 + Tfd), 0x150u);
    EXPECT_EQ(in(P0 + 0x80 + Ssts), 0u) << "port 1 is empty";
    EXPECT_EQ(ram.bytes[Fis + 0x40], 0x34) << "the signature FIS";
}

TEST_F(AhciTest, IdentifyIsPioWithASetupFis) {
    build(0, 0xEC, 0, 0, 1, 512);
    issue(0);
    EXPECT_EQ(in(P0 + Ci), 1u);
    EXPECT_EQ(in(P0 + Tfd) & 0x80, 0x80u) << "busy until its time has come";
    EXPECT_EQ(ahci.requests().size(), 1u);
    run();
    EXPECT_EQ(in(P0 + Ci), 0u);
    EXPECT_EQ(in(P0 + Is), 2u);
    EXPECT_TRUE(intx.level);
    EXPECT_EQ(ram.get(Data + 120, 4), 70'000u);
    EXPECT_EQ(ram.get(Data + 200, 8), 70'000u);
    EXPECT_EQ(ram.bytes[Data + 54], 'O') << "model, byte-swapped";
    EXPECT_EQ(ram.bytes[Data + 55], 'M');
    u8 sum = 0;
    for (unsigned i = 0; i < 512; ++i) sum = static_cast<u8>(sum + ram.bytes[Data + i]);
    EXPECT_EQ(sum, 0);
    EXPECT_EQ(ram.get(List + 4, 4), 512u) << "PRDBC";
    out(P0 + Is, 2);
    out(0x08, 1);
    EXPECT_FALSE(intx.level);
}

TEST_F(AhciTest, ReadsAndWritesThroughScatteredBuffers) {
    build(3, 0x25, 1234, 16, 8, 1024);
    issue(3);
    run();
    EXPECT_EQ(in(P0 + Is), 1u);
    EXPECT_TRUE(std::equal(&ram.bytes[Data + 3 * 0x8000], &ram.bytes[Data + 3 * 0x8000 + 8192],
                           &disk.bytes[1234 * 512]));
    for (unsigned i = 0; i < 4096; ++i) ram.bytes[Data + i] = static_cast<u8>(i * 3);
    build(0, 0xCA, 77, 8, 4, 1024, true);
    issue(0);
    run();
    EXPECT_EQ(in(P0 + Ci), 0u);
    EXPECT_TRUE(std::equal(&ram.bytes[Data], &ram.bytes[Data + 4096], &disk.bytes[77 * 512]));
    build(1, 0xEA, 0, 0, 0, 2);
    issue(1);
    run();
    EXPECT_EQ(disk.flushes, 1u);
    build(1, 0x34, 5, 1, 1, 512, true); // PIO out
    issue(1);
    run();
    EXPECT_EQ(in(P0 + Is) & 3, 3u) << "PIO setup, then the register FIS";
}

TEST_F(AhciTest, QueuedCommandsCompleteThroughSetDeviceBits) {
    for (unsigned slot = 0; slot < 8; ++slot) build(slot, 0x60, 1000 + slot * 10, 4, 1, 2048);
    out(P0 + Sact, 0xFF);
    out(P0 + Ci, 0xFF);
    EXPECT_EQ(in(P0 + Ci), 0u) << "accepted at once";
    EXPECT_EQ(in(P0 + Sact), 0xFFu);
    EXPECT_EQ(ahci.requests().size(), 8u);
    clock.advance(25'000);
    EXPECT_EQ(in(P0 + Sact), 0xFEu) << "in order of time";
    run();
    EXPECT_EQ(in(P0 + Sact), 0u);
    EXPECT_EQ(in(P0 + Is) & 8, 8u);
    EXPECT_EQ(ram.bytes[Fis + 0x58], 0xA1);
    for (unsigned slot = 0; slot < 8; ++slot)
        EXPECT_TRUE(std::equal(&ram.bytes[Data + slot * 0x8000], &ram.bytes[Data + slot * 0x8000 + 2048],
                               &disk.bytes[(1000 + slot * 10) * 512]))
            << slot;
    build(9, 0x61, 500, 4, 1, 2048, true);
    out(P0 + Sact, 1 << 9);
    issue(9);
    run();
    EXPECT_EQ(in(P0 + Sact), 0u);
}

TEST_F(AhciTest, OutOfRangeIsIdNotFoundAndStopsThePort) {
    build(0, 0x25, 69'999, 2, 1, 1024);
    build(1, 0x25, 0, 1, 1, 512);
    out(P0 + Ci, 3);
    run();
    EXPECT_EQ(in(P0 + Is) & 0x40000000, 0x40000000u);
    EXPECT_EQ(in(P0 + Tfd), 0x1051u);
    EXPECT_EQ(in(P0 + Ci), 3u) << "halted: neither bit clears";
    EXPECT_EQ(in(P0 + Cmd) >> 8 & 31, 0u);
    out(P0 + Cmd, 0x10);
    EXPECT_EQ(in(P0 + Ci), 0u);
    out(P0 + Is, 0xFFFFFFFF);
    out(P0 + Cmd, 0x11);
    issue(1);
    run();
    EXPECT_EQ(in(P0 + Is), 1u) << "recovered";
}

TEST_F(AhciTest, UnsupportedReadOnlyBrokenAndMalformed) {
    const auto recover = [this] {
        out(P0 + Cmd, 0x10);
        out(P0 + Cmd, 0x18); // command list override: a drive that is still busy
        out(P0 + Is, 0xFFFFFFFF);
        out(P0 + Cmd, 0x11);
    };
    for (u8 command : {u8{0x00}, u8{0xA1}, u8{0xB0}, u8{0x06}}) {
        build(0, command, 0, 1, 1, 512);
        issue(0);
        run();
        EXPECT_EQ(in(P0 + Tfd), 0x451u) << int{command};
        recover();
    }
    disk.locked = true;
    build(0, 0x35, 0, 1, 1, 512, true);
    issue(0);
    run();
    EXPECT_EQ(in(P0 + Tfd), 0x451u);
    recover();
    disk.locked = false;
    disk.broken = true;
    build(0, 0x25, 0, 1, 1, 512);
    issue(0);
    run();
    EXPECT_EQ(in(P0 + Tfd), 0x4051u) << "uncorrectable";
    recover();
    disk.broken = false;
    build(0, 0x35, 0, 4, 1, 1024, true); // the table is too short for the data
    const auto before = disk.bytes;
    issue(0);
    run();
    EXPECT_EQ(in(P0 + Tfd), 0x451u);
    EXPECT_EQ(disk.bytes, before);
    recover();
    build(0, 0x25, 0, 4, 1, 1024);
    issue(0);
    run();
    EXPECT_EQ(in(P0 + Is) & 0x1000000, 0x1000000u) << "overflow";
    recover();
    ram.put(List, 4, 3); // FIS of three dwords
    issue(0);
    EXPECT_EQ(in(P0 + Is) & 0x8000000, 0x8000000u);
    recover();
    build(0, 0x25, 0, 1, 1, 512);
    ram.put(Tables + 0x80, 8, 0xFFFFFFFF0000); // data outside memory
    issue(0);
    run();
    EXPECT_EQ(in(P0 + Is) & 0x20000000, 0x20000000u);
    recover();
    out(P0 + Clb, 0xFFFFFC00);
    issue(0);
    EXPECT_EQ(in(P0 + Is) & 0x20000000, 0x20000000u) << "command list outside memory";
}

/// A port without a drive takes no command, whatever its registers say: command list override clears BSY in
/// the task file of a port that never had one (AHCI 1.3.1 3.3.7, 3.3.8).
TEST_F(AhciTest, AnEmptyPortTakesNoCommand) {
    constexpr u32 P1 = P0 + 0x80;
    build(0, 0x25, 0, 1, 1, 512);
    out(P1 + Clb, List);
    out(P1 + Fb, Fis);
    out(P1 + Cmd, 0x18);
    EXPECT_EQ(in(P1 + Tfd) & 0x88, 0u) << "the override took BSY and DRQ away";
    out(P1 + Cmd, 0x11);
    out(P1 + Ci, 1);
    run();
    EXPECT_EQ(in(P1 + Ci), 1u) << "nobody takes it";
    EXPECT_EQ(in(P1 + Is), 0u);
    EXPECT_TRUE(ahci.requests().empty());
    ahci.describe();
}

/// Nor does one whose drive is held in COMRESET or taken off line (3.3.11), or has not sent its signature.
TEST_F(AhciTest, ADriveInResetTakesNoCommand) {
    for (const u32 detection : {1u, 4u}) {
        build(0, 0x25, 0, 1, 1, 512);
        out(P0 + Cmd, 0x10);
        out(P0 + Sctl, detection);
        out(P0 + Cmd, 0x18);
        out(P0 + Cmd, 0x11);
        out(P0 + Ci, 1);
        run();
        EXPECT_EQ(in(P0 + Ci), 1u) << "DET " << detection;
        EXPECT_TRUE(ahci.requests().empty());
        out(P0 + Cmd, 0x10);
        out(P0 + Sctl, 0);
        out(P0 + Serr, 0xFFFFFFFF);
        out(P0 + Is, 0xFFFFFFFF);
        out(P0 + Cmd, 0x11);
        out(P0 + Ci, 1);
        run();
        EXPECT_EQ(in(P0 + Ci), 0u) << "back after DET " << detection;
    }
}

TEST_F(AhciTest, WithoutBusMasteringNothingMoves) {
    ahci.config_write(4, 2, 2);
    build(0, 0x25, 0, 1, 1, 512);
    issue(0);
    run();
    EXPECT_EQ(in(P0 + Is) & 0x20000000, 0x20000000u);
    EXPECT_EQ(ram.get(Data, 8), 0u);
}

TEST_F(AhciTest, QueuedErrorIsExplainedByTheLogPage) {
    build(2, 0x60, 80'000, 1, 1, 512);
    out(P0 + Sact, 4);
    issue(2);
    run();
    EXPECT_EQ(in(P0 + Is) & 0x40000000, 0x40000000u);
    out(P0 + Cmd, 0x10);
    out(P0 + Is, 0xFFFFFFFF);
    out(P0 + Cmd, 0x11);
    build(0, 0x2F, 0x10, 1, 1, 512);
    issue(0);
    run();
    EXPECT_EQ(ram.bytes[Data], 2) << "tag";
    EXPECT_EQ(ram.bytes[Data + 3], 0x10) << "error";
    EXPECT_EQ(ram.get(Data + 4, 3), 80'000u);
}

/// IDENTIFY word 84 offers general purpose logging: the directory (ATA8-ACS A.2) names the one log there is.
TEST_F(AhciTest, TheLogDirectoryNamesTheLogs) {
    build(0, 0x2F, 0, 1, 1, 512);
    issue(0);
    run();
    EXPECT_EQ(in(P0 + Tfd) & 0xFF, 0x50u);
    EXPECT_EQ(ram.get(Data, 2), 1u) << "version";
    EXPECT_EQ(ram.get(Data + 0x20, 2), 1u) << "log 10h has one page";
    EXPECT_EQ(ram.get(Data + 2, 8), 0u);
    build(0, 0x2F, 0x11, 1, 1, 512);
    issue(0);
    run();
    EXPECT_EQ(in(P0 + Tfd), 0x451u) << "a log that the directory does not name";
}

/// ATA8-ACS 7.28, 7.49: READ MULTIPLE is refused until SET MULTIPLE MODE; its last block ends the command.
TEST_F(AhciTest, MultipleModeIsASettingThatIdentifyShows) {
    build(0, 0xC4, 9, 6, 1, 6 * 512);
    issue(0);
    run();
    EXPECT_EQ(in(P0 + Tfd), 0x451u);
    out(P0 + Cmd, 0x10);
    out(P0 + Cmd, 0x11);
    build(0, 0xC6, 0, 4, 0, 2);
    issue(0);
    run();
    build(0, 0xC4, 9, 6, 1, 6 * 512);
    issue(0);
    run();
    EXPECT_EQ(in(P0 + Tfd), 0x50u);
    EXPECT_TRUE(std::equal(&ram.bytes[Data], &ram.bytes[Data + 6 * 512], &disk.bytes[9 * 512]));
    EXPECT_EQ(ram.get(Fis + 0x20 + 16, 2), 1024u) << "blocks of four sectors, then one of two";
    build(0, 0xEC, 0, 0, 1, 512);
    issue(0);
    run();
    EXPECT_EQ(ram.get(Data + 59 * 2, 2), 0x0104u);
}

/// ATA8-ACS 7.8: the count register tells the power mode; a sleeping drive is brought back by a reset alone.
TEST_F(AhciTest, PowerModesAndSleep) {
    const auto mode = [this] {
        build(1, 0xE5, 0, 0, 0, 2);
        issue(1);
        run();
        return ram.bytes[Fis + 0x40 + 12];
    };
    const auto command = [this](u8 code) {
        build(0, code, 0, 0, 0, 2);
        issue(0);
        run();
    };
    EXPECT_EQ(mode(), 0xFF);
    command(0xE0);
    EXPECT_EQ(mode(), 0x00);
    build(0, 0x25, 0, 1, 1, 512);
    issue(0);
    run();
    EXPECT_EQ(mode(), 0xFF) << "an access wakes it";
    command(0xE6);
    build(0, 0x25, 0, 1, 1, 512);
    issue(0);
    run();
    EXPECT_EQ(in(P0 + Ci), 1u) << "asleep";
    EXPECT_EQ(in(P0 + Tfd) & 0x80, 0x80u);
    out(P0 + Cmd, 0x10);
    out(P0 + Sctl, 1);
    out(P0 + Sctl, 0);
    out(P0 + Cmd, 0x11);
    issue(0);
    run();
    EXPECT_EQ(in(P0 + Ci), 0u);
}

TEST_F(AhciTest, ComresetSoftResetAndHbaReset) {
    out(P0 + Sctl, 1);
    EXPECT_EQ(in(P0 + Ssts), 1u);
    out(P0 + Sctl, 0);
    EXPECT_EQ(in(P0 + Ssts), 0x123u);
    EXPECT_EQ(in(P0 + Serr) & 0x4000000, 0x4000000u);
    EXPECT_EQ(in(P0 + Is) & 0x40, 0x40u);
    EXPECT_EQ(in(P0 + Sig), 0x101u);
    const auto control = [this](u8 value) {
        build(0, 0, 0, 0, 0, 2);
        ram.bytes[Tables + 1] = 0;
        ram.bytes[Tables + 15] = value;
        issue(0);
        EXPECT_EQ(in(P0 + Ci), 0u);
    };
    ram.bytes[Fis + 0x40] = 0;
    control(4);
    control(0);
    EXPECT_EQ(ram.bytes[Fis + 0x40], 0x34);
    EXPECT_EQ(in(P0 + Tfd), 0x150u);
    build(0, 0x25, 0, 1, 1, 512);
    issue(0);
    out(0x04, 1);
    EXPECT_EQ(in(0x04), 0x80000000u);
    EXPECT_EQ(in(P0 + Clb), List);
    run();
    EXPECT_EQ(in(P0 + Is) & 1, 0u) << "the command is gone";
    EXPECT_EQ(in(P0 + Tfd), 0x7Fu) << "no signature before FIS receive is on";
}

TEST_F(AhciTest, MsiReplacesTheWire) {
    ahci.config_write(0x84, 4, 0xFEE01000);
    ahci.config_write(0x8C, 2, 0x4041);
    ahci.config_write(0x82, 2, 1);
    build(0, 0x25, 0, 1, 1, 512);
    issue(0);
    run();
    ASSERT_EQ(messages.size(), 1u);
    EXPECT_EQ(messages[0], (std::pair<u64, u32>{0xFEE01000, 0x4041}));
    EXPECT_FALSE(intx.level);
    out(P0 + Is, 0xFFFFFFFF);
    out(0x08, 1);
    issue(0);
    run();
    EXPECT_EQ(messages.size(), 2u);
}

TEST_F(AhciTest, InFlightCommandsSurviveSaveAndRestore) {
    build(0, 0x60, 10, 8, 1, 4096);
    build(1, 0x61, 200, 8, 1, 4096, true);
    out(P0 + Sact, 3);
    out(P0 + Ci, 3);
    Archive saver = Archive::saver();
    ahci.serialize(saver);
    clock.events.serialize(saver);
    const std::vector<u8> saved = saver.take();

    TestClock later;
    later.time = clock.time;
    Ich9Ahci twin(later.events, ram);
    twin.attach(0, std::make_unique<ata::Disk>(disk, "MODEL", "SERIAL"));
    twin.attach(2, std::make_unique<ata::Optical>(&disc));
    Archive loader = Archive::loader(saved);
    twin.serialize(loader);
    later.events.serialize(loader);
    ASSERT_TRUE(loader.ok()) << loader.error();
    EXPECT_EQ(twin.requests().size(), 2u);
    later.advance(100'000'000);
    EXPECT_EQ(twin.bar_read(5, P0 + Sact, 4), 0u);
    EXPECT_TRUE(std::equal(&ram.bytes[Data], &ram.bytes[Data + 4096], &disk.bytes[10 * 512]));
}

} // namespace
} // namespace vitrine::devices::test
