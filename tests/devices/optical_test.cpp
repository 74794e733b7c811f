// The optical drive behind the AHCI controller, asked as libata and a BIOS ask it. Field positions are those
// of MMC-5 and SPC-3.
#include "tests/devices/ahci_rig.h"

namespace vitrine::devices::test {
namespace {

constexpr u32 P2 = P0 + 0x100;
constexpr u32 TaskFileError = 0x40000000;

struct OpticalTest : AhciRig {
    OpticalTest() { start(P2); }

    /// One PACKET command; returns the status and error registers. The port is restarted after an error.
    u32 packet(std::initializer_list<u8> bytes, u32 room = 0, bool dma = true) {
        const u64 table = Tables;
        ram.put(List, 4, 5 | 0x20 | (room != 0 ? 1 << 16 : 0));
        ram.put(List + 4, 4, 0);
        ram.put(List + 8, 8, table);
        const u8 fis[20] = {0x27, 0x80, 0xA0, static_cast<u8>(dma ? 1 : 0),
                            0,    0x00, 0x08, 0xA0}; // limit 2048
        std::copy_n(fis, 20, &ram.bytes[table]);
        std::fill_n(&ram.bytes[table + 0x40], 16, u8{0});
        std::ranges::copy(bytes, &ram.bytes[table + 0x40]);
        ram.put(table + 0x80, 8, Data);
        ram.put(table + 0x8C, 4, room == 0 ? 1 : room - 1);
        std::fill_n(&ram.bytes[Data], 0x10000, u8{0xEE});
        out(P2 + Is, 0xFFFFFFFF);
        out(P2 + Ci, 1);
        run(10'000'000'000);
        const u32 task = in(P2 + Tfd);
        if ((task & 1) != 0) {
            EXPECT_EQ(in(P2 + Is) & TaskFileError, TaskFileError);
            out(P2 + Cmd, 0x10);
            out(P2 + Cmd, 0x11);
        } else {
            EXPECT_EQ(in(P2 + Ci), 0u);
        }
        return task;
    }
    /// Key, code and qualifier of REQUEST SENSE.
    u32 sense() {
        EXPECT_EQ(packet({0x03, 0, 0, 0, 18}, 18), 0x50u);
        EXPECT_EQ(ram.bytes[Data], 0x70);
        return u32{ram.bytes[Data + 2]} << 16 | u32{ram.bytes[Data + 12]} << 8 | ram.bytes[Data + 13];
    }
    void make_ready() {
        EXPECT_EQ(packet({0x00}) & 0xFF, 0x51u) << "a unit attention tells of the reset";
        EXPECT_EQ(sense(), 0x062900u);
        EXPECT_EQ(packet({0x00}), 0x50u);
    }
    u64 big(u64 at, unsigned size) {
        u64 value = 0;
        for (unsigned i = 0; i < size; ++i) value = value << 8 | ram.bytes[Data + at + i];
        return value;
    }
};

TEST_F(OpticalTest, SignatureAndIdentity) {
    EXPECT_EQ(in(P2 + Sig), 0xEB140101u);
    EXPECT_EQ(in(P2 + Ssts), 0x123u);
    const auto command = [this](u8 code) {
        build(0, code, 0, 0, 1, 512);
        out(P2 + Is, 0xFFFFFFFF);
        out(P2 + Ci, 1);
        run();
    };
    command(0xEC);
    EXPECT_EQ(in(P2 + Tfd), 0x451u) << "not a disk";
    EXPECT_EQ(ram.get(Fis + 0x44, 3), 0xEB1401u) << "what it is instead";
    out(P2 + Cmd, 0x10);
    out(P2 + Cmd, 0x11);
    command(0xA1);
    EXPECT_EQ(in(P2 + Tfd), 0x50u);
    EXPECT_EQ(ram.get(Data, 2), 0x85C0u) << "ATAPI, CD-ROM, removable, 12-byte packets";
    EXPECT_EQ(ram.bytes[Data + 54], 'I') << "model, byte-swapped";
    EXPECT_EQ(ram.get(List + 4, 4), 512u);
}

TEST_F(OpticalTest, InquiryIsAnsweredAtAnyTime) {
    EXPECT_EQ(packet({0x12, 0, 0, 0, 36}, 36), 0x50u);
    EXPECT_EQ(ram.bytes[Data], 5) << "CD/DVD";
    EXPECT_EQ(ram.bytes[Data + 1], 0x80) << "removable";
    EXPECT_EQ(ram.bytes[Data + 4], 31);
    EXPECT_EQ(std::string(&ram.bytes[Data + 8], &ram.bytes[Data + 16]), "VITRINE ");
    EXPECT_EQ(packet({0x12, 0, 0, 0, 5}, 36), 0x50u);
    EXPECT_EQ(ram.bytes[Data + 5], 0xEE) << "no more than the allocation length";
    EXPECT_EQ(ram.get(List + 4, 4), 5u);
}

TEST_F(OpticalTest, CapacityAndBlocksOf2048Bytes) {
    make_ready();
    EXPECT_EQ(packet({0x25}, 8), 0x50u);
    EXPECT_EQ(big(0, 4), 4999u) << "the last whole block";
    EXPECT_EQ(big(4, 4), 2048u);
    EXPECT_EQ(packet({0x28, 0, 0, 0, 0x12, 0x34, 0, 0, 3}, 3 * 2048), 0x50u);
    EXPECT_TRUE(std::equal(&ram.bytes[Data], &ram.bytes[Data + 6144], &disc.bytes[0x1234 * 2048]));
    EXPECT_EQ(packet({0xA8, 0, 0, 0, 0, 16, 0, 0, 0, 2}, 4096, false), 0x50u);
    EXPECT_TRUE(std::equal(&ram.bytes[Data], &ram.bytes[Data + 4096], &disc.bytes[16 * 2048]));
    EXPECT_EQ(in(P2 + Is) & 3, 3u) << "PIO: set-up FIS and register FIS";
    EXPECT_EQ(ram.get(Fis + 0x20 + 16, 2), 2048u) << "byte count limit";
    EXPECT_EQ(ram.bytes[Fis + 0x40 + 12], 3) << "interrupt reason: over";
    EXPECT_EQ(packet({0xBE, 0x08, 0, 0, 0, 7, 0, 0, 1, 0x10}, 2048), 0x50u);
    EXPECT_TRUE(std::equal(&ram.bytes[Data], &ram.bytes[Data + 2048], &disc.bytes[7 * 2048]));
}

TEST_F(OpticalTest, ImpossibleAddressesAndPackets) {
    make_ready();
    EXPECT_EQ(packet({0x28, 0, 0, 0, 0x13, 0x88, 0, 0, 1}, 2048), 0x5451u) << "block 5000 of 5000";
    EXPECT_EQ(sense(), 0x052100u);
    EXPECT_EQ(packet({0xA8, 0, 0, 0, 0, 1, 0xFF, 0xFF, 0xFF, 0xFF}, 2048), 0x5451u);
    EXPECT_EQ(sense(), 0x052100u);
    EXPECT_EQ(packet({0x2A, 0, 0, 0, 0, 1, 0, 0, 1}, 2048), 0x5451u) << "it writes nothing";
    EXPECT_EQ(sense(), 0x052000u);
    EXPECT_EQ(packet({0xBE, 0x04, 0, 0, 0, 7, 0, 0, 1, 0xF8}, 2352), 0x5451u) << "no audio";
    EXPECT_EQ(sense(), 0x056400u);
    EXPECT_EQ(sense(), 0u) << "told once";
    disc.broken = true;
    EXPECT_EQ(packet({0x28, 0, 0, 0, 0, 0, 0, 0, 1}, 2048) & 0xFF, 0x51u);
    EXPECT_EQ(sense(), 0x031100u);
    disc.broken = false;
    build(0, 0xA0, 0, 0, 1, 512); // PACKET without a packet in the command table
    out(P2 + Ci, 1);
    run();
    EXPECT_EQ(in(P2 + Tfd), 0x451u);
}

TEST_F(OpticalTest, TableOfContentsInItsFormats) {
    make_ready();
    EXPECT_EQ(packet({0x43, 0, 0, 0, 0, 0, 0, 0, 20}, 20), 0x50u);
    EXPECT_EQ(big(0, 4), 0x00120101u);
    EXPECT_EQ(big(4, 8), 0x0014010000000000u);
    EXPECT_EQ(big(12, 8), 0x0014AA0000001388u) << "the lead-out";
    EXPECT_EQ(packet({0x43, 2, 0, 0, 0, 0, 0xAA, 0, 12}, 12), 0x50u);
    EXPECT_EQ(big(8, 4), 0x00010832u) << "5150 frames: 1 min, 8 s, 50 frames";
    EXPECT_EQ(packet({0x43, 0, 1, 0, 0, 0, 0, 0, 12}, 12), 0x50u);
    EXPECT_EQ(big(0, 4), 0x000A0101u);
    EXPECT_EQ(packet({0x43, 0, 5, 0, 0, 0, 0, 0, 12}, 12), 0x5451u);
}

TEST_F(OpticalTest, ConfigurationDiscAndModePages) {
    make_ready();
    EXPECT_EQ(packet({0x46, 0, 0, 0, 0, 0, 0, 0, 200}, 200), 0x50u);
    EXPECT_EQ(big(6, 2), 0x0008u) << "CD-ROM";
    EXPECT_EQ(big(0, 4) + 4, ram.get(List + 4, 4)) << "length";
    EXPECT_EQ(packet({0x46, 2, 0, 0x1E, 0, 0, 0, 0, 200}, 200), 0x50u);
    EXPECT_EQ(ram.get(List + 4, 4), 16u) << "one feature";
    EXPECT_EQ(packet({0x51, 0, 0, 0, 0, 0, 0, 0, 34}, 34), 0x50u);
    EXPECT_EQ(big(0, 3), 0x00200Eu);
    EXPECT_EQ(packet({0x5A, 0, 0x2A, 0, 0, 0, 0, 0, 30}, 30), 0x50u);
    EXPECT_EQ(big(0, 2), 28u);
    EXPECT_EQ(big(8, 2), 0x2A14u);
    EXPECT_EQ(packet({0x5A, 0, 0x3F, 0, 0, 0, 0, 0, 255}, 256), 0x50u);
    EXPECT_EQ(big(0, 2) + 2, ram.get(List + 4, 4));
    EXPECT_EQ(packet({0x5A, 0, 0x0D, 0, 0, 0, 0, 0, 255}, 256), 0x5451u);
}

TEST_F(OpticalTest, AMediumChangeIsToldOnceByEachWay) {
    make_ready();
    const auto event = [this] {
        EXPECT_EQ(packet({0x4A, 1, 0, 0, 0x10, 0, 0, 0, 8}, 8), 0x50u);
        EXPECT_EQ(big(0, 4), 0x00060410u);
        return big(4, 2);
    };
    EXPECT_EQ(event(), 0x0202u) << "new at power-on";
    EXPECT_EQ(event(), 0x0002u);
    EXPECT_EQ(packet({0x1E, 0, 0, 0, 1}), 0x50u);
    EXPECT_EQ(packet({0x1B, 0, 0, 0, 2}), 0x5451u) << "locked";
    EXPECT_EQ(sense(), 0x055302u);
    EXPECT_FALSE(drive->change_medium(nullptr));
    EXPECT_EQ(event(), 0x0102u) << "somebody wants it out";
    EXPECT_EQ(packet({0x1E, 0, 0, 0, 0}), 0x50u);
    EXPECT_EQ(packet({0x1B, 0, 0, 0, 2}), 0x50u);
    EXPECT_EQ(event(), 0x0301u) << "open";
    EXPECT_EQ(packet({0x00}) & 0xFF, 0x51u);
    EXPECT_EQ(sense(), 0x023A02u);
    FakeDisk other(4 * 100);
    EXPECT_TRUE(drive->change_medium(&other));
    EXPECT_EQ(event(), 0x0202u);
    EXPECT_EQ(packet({0x25}, 8) & 0xFF, 0x51u);
    EXPECT_EQ(sense(), 0x062800u) << "the medium may have changed";
    EXPECT_EQ(packet({0x25}, 8), 0x50u);
    EXPECT_EQ(big(0, 4), 99u);
    EXPECT_TRUE(drive->change_medium(nullptr));
    EXPECT_EQ(packet({0x28, 0, 0, 0, 0, 0, 0, 0, 1}, 2048) & 0xFF, 0x51u);
    EXPECT_EQ(sense(), 0x023A01u);
}

} // namespace
} // namespace vitrine::devices::test
