// Scatter — walks a command's PRD table (AHCI 1.3.1 4.2.3.3) and moves bytes between guest memory and a
// device.
//
// Invariants: each entry is read once, front to back; bounded by the header's entry count and by the bytes
// that the device moves, wherever the entries point (also at the table itself). The first bus error ends it
// for good.
#pragma once
#include <algorithm>
#include <array>
#include "devices/ata/sata_device.h"
#include "devices/register.h"

namespace vitrine::devices {

class Scatter final : public ata::DataPort {
public:
    Scatter(DmaPort& memory, u64 command_table, u16 entries)
        : memory_(memory), next_(command_table + 0x80), entries_(entries) {}

    End send(std::span<const u8> bytes) override {
        return walk(bytes.size(), [&](u64 pa, std::size_t at, std::size_t n) {
            return memory_.write(pa, bytes.subspan(at, n));
        });
    }
    End receive(std::span<u8> bytes) override {
        return walk(bytes.size(), [&](u64 pa, std::size_t at, std::size_t n) {
            return memory_.read(pa, bytes.subspan(at, n));
        });
    }
    End covers(u64 bytes) override {
        Scatter copy = *this;
        u64 total = copy.left_;
        while (total < bytes) {
            if (copy.entries_ == 0) return End::TableShort;
            if (!copy.advance()) return end_ = End::BusError;
            total += copy.left_;
        }
        return End::Done;
    }
    u32 moved() const { return moved_; }
    /// How the transfer ended: what the device did not get or give is the adapter's to report.
    End end() const { return end_; }

private:
    bool advance() {
        std::array<u8, 16> entry{};
        if (!memory_.read(next_, entry)) return false;
        next_ += 16;
        --entries_;
        address_ = load_little(entry, 0, 8) & ~u64{1};
        left_ = ((load_little(entry, 12, 4) & 0x3FFFFF) | 1) + 1; // even byte counts only
        return true;
    }
    template <class Move> End walk(std::size_t size, Move&& move) {
        for (std::size_t at = 0; at < size && end_ == End::Done;) {
            if (left_ == 0 && entries_ == 0) return end_ = End::TableShort;
            if (left_ == 0 && !advance()) return end_ = End::BusError;
            const std::size_t n = static_cast<std::size_t>(std::min<u64>(left_, size - at));
            if (!move(address_, at, n)) return end_ = End::BusError;
            address_ += n;
            left_ -= n;
            at += n;
            moved_ += static_cast<u32>(n);
        }
        return end_;
    }
    DmaPort& memory_;
    u64 next_;
    u32 entries_;
    u64 address_ = 0, left_ = 0;
    u32 moved_ = 0;
    End end_ = End::Done;
};

} // namespace vitrine::devices
