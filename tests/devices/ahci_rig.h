// A controller with a disk and an optical drive, driven as a kernel drives it: command lists built by hand in
// a fake RAM.
#pragma once
#include "devices/ata/disk.h"
#include "devices/ata/optical.h"
#include "devices/ich9_ahci/ich9_ahci.h"
#include "tests/devices/support.h"

namespace vitrine::devices::test {

inline constexpr u64 List = 0x1000, Fis = 0x1400, Tables = 0x2000, Data = 0x10000;
inline constexpr u32 P0 = 0x100;
enum : u32 {
    Clb = 0x00,
    Fb = 0x08,
    Is = 0x10,
    Ie = 0x14,
    Cmd = 0x18,
    Tfd = 0x20,
    Sig = 0x24,
    Ssts = 0x28,
    Sctl = 0x2C,
    Serr = 0x30,
    Sact = 0x34,
    Ci = 0x38
};

/// One controller with a disk at port 0 and an optical drive at port 2; commands are aimed at `port`.
struct AhciRig : testing::Test {
    TestClock clock;
    FakeRam ram;
    FakeDisk disk{70'000}, disc{4 * 5000 + 3};
    ata::Optical* drive = nullptr;
    Ich9Ahci ahci{clock.events, ram};
    Probe intx;
    std::vector<std::pair<u64, u32>> messages;

    AhciRig() {
        ahci.attach(0, std::make_unique<ata::Disk>(disk, "MODEL", "SERIAL"));
        auto optical = std::make_unique<ata::Optical>(&disc);
        drive = optical.get();
        ahci.attach(2, std::move(optical));
        ahci.connect({.intx = intx.wire(), .msi = [this](u64 a, u32 d) { messages.emplace_back(a, d); }});
        ahci.config_write(4, 2, 6);
        start();
    }
    u32 in(u32 reg) { return static_cast<u32>(ahci.bar_read(5, reg, 4)); }
    void out(u32 reg, u32 value) { ahci.bar_write(5, reg, 4, value); }
    void start(u32 port = P0) {
        out(0x04, 0x80000002);
        out(port + Clb, List);
        out(port + Fb, Fis);
        out(port + Cmd, 0x10);
        out(port + Serr, 0xFFFFFFFF);
        out(port + Is, 0xFFFFFFFF);
        out(port + Ie, 0x7DC000FF);
        out(port + Cmd, 0x11);
    }
    /// Builds a command in `slot`: FIS and `entries` PRDs of `each` bytes at Data.
    void build(unsigned slot, u8 command, u64 lba, u32 count, u32 entries, u32 each, bool write = false) {
        const u64 table = Tables + slot * 0x800;
        ram.put(List + slot * 32, 4, 5 | (write ? 0x40 : 0) | entries << 16);
        ram.put(List + slot * 32 + 4, 4, 0);
        ram.put(List + slot * 32 + 8, 8, table);
        const bool queued = command == 0x60 || command == 0x61;
        const u8 fis[20] = {0x27,
                            0x80,
                            command,
                            static_cast<u8>(queued ? count : 0),
                            static_cast<u8>(lba),
                            static_cast<u8>(lba >> 8),
                            static_cast<u8>(lba >> 16),
                            0x40,
                            static_cast<u8>(lba >> 24),
                            static_cast<u8>(lba >> 32),
                            static_cast<u8>(lba >> 40),
                            static_cast<u8>(queued ? count >> 8 : 0),
                            static_cast<u8>(queued ? slot << 3 : count),
                            static_cast<u8>(queued ? 0 : count >> 8)};
        std::copy_n(fis, 20, &ram.bytes[table]);
        for (u32 i = 0; i < entries; ++i) {
            ram.put(table + 0x80 + i * 16, 8, Data + u64{slot} * 0x8000 + u64{i} * each);
            ram.put(table + 0x80 + i * 16 + 12, 4, each - 1);
        }
    }
    void run(u64 nanoseconds = 100'000'000) { clock.advance(nanoseconds); }
    void issue(unsigned slot) { out(P0 + Ci, 1u << slot); }
};

} // namespace vitrine::devices::test
