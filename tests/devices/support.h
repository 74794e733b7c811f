// What every chip test needs: a clock that the test moves, a fake RAM for DMA, a fake disk, and recording
// wires.
#pragma once
#include <gtest/gtest.h>
#include <map>
#include "devices/block_backend.h"
#include "devices/chip.h"
#include "devices/event_queue.h"
#include "devices/register.h"

namespace vitrine::devices::test {

/// Virtual time under the test's control. advance() stops at each event, as the machine does.
class TestClock {
public:
    u64 time = 0;
    EventQueue events{[this] { return time; }};

    void advance(u64 nanoseconds) { advance_to(time + nanoseconds); }
    void advance_to(u64 target) {
        while (events.next() <= target) {
            time = std::max(time, events.next());
            events.run_due(time);
        }
        time = target;
    }
};

class FakeRam final : public DmaPort {
public:
    explicit FakeRam(std::size_t size = 1 << 20) : bytes(size) {}
    static constexpr u64 RomBase = 0xF000, RomSize = 0x800;
    std::vector<u8> bytes;
    bool rom = false; ///< RomBase is read-only, as a bus answers it
    bool read(u64 pa, std::span<u8> out) override {
        if (pa > bytes.size() || out.size() > bytes.size() - pa) {
            std::ranges::fill(out, u8{0xFF});
            return false;
        }
        std::copy_n(&bytes[0] + pa, out.size(), out.begin());
        return true;
    }
    bool write(u64 pa, std::span<const u8> data) override {
        if (pa > bytes.size() || data.size() > bytes.size() - pa) return false;
        if (rom && pa < RomBase + RomSize && pa + data.size() > RomBase) return false;
        std::ranges::copy(data, &bytes[0] + pa);
        return true;
    }
    u64 get(u64 pa, unsigned size) const { return load_little(bytes, pa, size); }
    void put(u64 pa, unsigned size, u64 value) { store_little(bytes, pa, size, value); }
};

class FakeDisk final : public BlockBackend {
public:
    explicit FakeDisk(u64 count) : bytes(count * SectorSize) {
        for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<u8>(i / SectorSize * 7 + i);
    }
    std::vector<u8> bytes;
    bool locked = false, broken = false;
    unsigned flushes = 0, reads = 0, writes = 0;
    u64 sectors() override { return bytes.size() / SectorSize; }
    bool read(u64 lba, std::span<u8> out) override {
        EXPECT_LE(lba * SectorSize + out.size(), bytes.size());
        ++reads;
        if (broken) return false;
        std::copy_n(&bytes[lba * SectorSize], out.size(), out.begin());
        return true;
    }
    bool write(u64 lba, std::span<const u8> data) override {
        EXPECT_LE(lba * SectorSize + data.size(), bytes.size());
        ++writes;
        if (broken) return false;
        std::ranges::copy(data, &bytes[lba * SectorSize]);
        return true;
    }
    bool flush() override { return ++flushes, !broken; }
    bool read_only() override { return locked; }
};

/// The far end of a wire.
struct Probe {
    bool level = false;
    unsigned rises = 0, falls = 0;
    Wire wire() {
        return [this](bool now) {
            rises += now && !level ? 1 : 0;
            falls += !now && level ? 1 : 0;
            level = now;
        };
    }
};

/// SplitMix64: the tests' only source of chance, seeded by each test.
struct Random {
    u64 state;
    /// A fuzzer's bytes, used first: a small number each, or, behind one from F0h up, eight bytes.
    std::span<const u8> tape{};
    u64 next() {
        if (!tape.empty()) return from_tape();
        u64 z = state += 0x9E3779B97F4A7C15;
        z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9;
        z = (z ^ z >> 27) * 0x94D049BB133111EB;
        return z ^ z >> 31;
    }
    u64 below(u64 n) { return next() % n; }

private:
    u64 from_tape() {
        const u8 first = tape.front();
        tape = tape.subspan(1);
        if (first < 0xF0) return first;
        const std::size_t n = std::min<std::size_t>(8, tape.size());
        const u64 value = load_little(tape.first(n), 0, 8);
        tape = tape.subspan(n);
        return value;
    }
};

} // namespace vitrine::devices::test
