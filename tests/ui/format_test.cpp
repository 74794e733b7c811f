// Numbers and names as the app writes them, and the disassembler's rows.
#include <gtest/gtest.h>
#include <map>
#include "emu/inspect/disassembly.h"
#include "ui/model/format.h"

namespace vitrine::ui {
namespace {

TEST(Format, NumbersAndTimes) {
    EXPECT_EQ(short_count(999), "999");
    EXPECT_EQ(short_count(2'444'110), "2.4 M");
    EXPECT_EQ(duration_text(16'640), "16.64 µs");
    EXPECT_EQ(duration_text(1'500'000'000), "1.500 s");
    EXPECT_EQ(bytes_text(512ull << 20), "512 MiB");
    EXPECT_EQ(bytes_text(1536), "1.5 KiB");
    EXPECT_EQ(hex_text(0xF000, 4), "f000");
}

TEST(Format, Symbols) {
    EXPECT_EQ(readable_symbol("start_kernel+0x10"), "start_kernel+0x10");
    EXPECT_EQ(readable_symbol("_ZN6kernel12_GLOBAL__N_15writeEPKcm+0x54"), "write+0x54");
    EXPECT_EQ(readable_symbol("kernel::(anonymous namespace)::write+0x54"), "write+0x54");
    EXPECT_EQ(readable_symbol("_Znot_a_symbol"), "_Znot_a_symbol");
}

/// Memory that holds some bytes at one address and nothing else.
class Bytes final : public emu::inspect::GuestReader {
public:
    Bytes(u64 base, std::vector<u8> bytes) : base_(base), bytes_(std::move(bytes)) {}
    std::size_t linear(u64 address, std::span<u8> out) const override {
        std::size_t n = 0;
        while (n < out.size() && address + n >= base_ && address + n - base_ < bytes_.size())
            out[n] = bytes_[address + n - base_], ++n;
        return n;
    }
    bool physical(u64 address, std::span<u8> out) const override {
        return linear(address, out) == out.size();
    }

private:
    u64 base_;
    std::vector<u8> bytes_;
};

TEST(Disassembly, TheResetVector) {
    const Bytes rom(0xFFFFFFF0, {0xEA, 0x5B, 0xE0, 0x00, 0xF0, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90,
                                 0x90, 0x90, 0x0F});
    const CodeListing listing =
        Disassembler().list(rom, nullptr, 0xFFFFFFF0, 50, cpu::Mode::Real, 0xFFFF0000);
    ASSERT_EQ(listing.rows.size(), 12u);
    EXPECT_EQ(listing.rows[0].mnemonic, "ljmp");
    ASSERT_TRUE(listing.rows[0].target);
    EXPECT_EQ(*listing.rows[0].target, 0xFE05Bu);
    EXPECT_TRUE(listing.rows[0].always);
    EXPECT_EQ(listing.rows.back().mnemonic, "(bad)");
    EXPECT_FALSE(listing.why_short.empty());
}

TEST(Disassembly, CallsAndNearTargets) {
    const Bytes code(0x1000, {0xE8, 0x0B, 0x00, 0x00, 0x00, 0xF3, 0xA4, 0x74, 0xF7, 0x48, 0x8B, 0x05, 0x10,
                              0x00, 0x00, 0x00, 0xC3});
    const CodeListing listing = Disassembler().list(code, nullptr, 0x1000, 5, cpu::Mode::Long64, 0);
    ASSERT_EQ(listing.rows.size(), 5u);
    EXPECT_TRUE(listing.rows[0].call);
    EXPECT_EQ(listing.rows[0].target, 0x1010u);
    EXPECT_TRUE(listing.rows[1].call) << "rep movsb is stepped over";
    EXPECT_EQ(listing.rows[2].target, 0x1000u);
    EXPECT_EQ(listing.rows[3].target, 0x1020u) << "rip-relative data";
    EXPECT_TRUE(listing.rows[4].always);
    EXPECT_EQ(Disassembler().previous(code, 0x1007, cpu::Mode::Long64), 0x1005u);
}

TEST(Disassembly, NearTargetsWrapInRealMode) {
    const Bytes code(0xF0010, {0xEB, 0xEC}); // jmp short to offset fffe of the segment
    const CodeListing listing = Disassembler().list(code, nullptr, 0xF0010, 1, cpu::Mode::Real, 0xF0000);
    ASSERT_EQ(listing.rows.size(), 1u);
    EXPECT_EQ(listing.rows[0].target, 0xFFFFEu);
}

} // namespace
} // namespace vitrine::ui
