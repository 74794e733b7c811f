// The decompressor's LZ4 decoder on the host: the same source file, under the sanitizers too, fed with good,
// cut and damaged frames.
#include "guest/kernel/boot/compressed/decompressor.h"

#include <gtest/gtest.h>

#include <fstream>
#include <random>
#include <sstream>
#include <vector>

namespace vitrine::boot {
namespace {

std::vector<U8> load(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    std::ostringstream text;
    text << file.rdbuf();
    const std::string bytes = text.str();
    return {bytes.begin(), bytes.end()};
}

struct Sample {
    std::vector<U8> plain = load(VITRINE_LZ4_PLAIN), packed = load(VITRINE_LZ4_PACKED);
};

TEST(Lz4, DecodesWhatTheToolMade) {
    const Sample sample;
    ASSERT_GT(sample.plain.size(), 10000u);
    ASSERT_GT(sample.packed.size(), 1000u);
    std::vector<U8> out(sample.plain.size());
    EXPECT_EQ(lz4_decode_frame(sample.packed.data(), sample.packed.size(), out.data(), out.size()), nullptr);
    EXPECT_EQ(out, sample.plain);
}

TEST(Lz4, RefusesAWrongSize) {
    const Sample sample;
    std::vector<U8> out(sample.plain.size() + 1);
    EXPECT_NE(lz4_decode_frame(sample.packed.data(), sample.packed.size(), out.data(), out.size()), nullptr);
    EXPECT_NE(lz4_decode_frame(sample.packed.data(), sample.packed.size(), out.data(), out.size() - 2),
              nullptr);
}

TEST(Lz4, RefusesEveryTruncation) {
    const Sample sample;
    std::vector<U8> out(sample.plain.size());
    for (std::size_t size = 0; size < sample.packed.size(); size += size < 64 ? 1 : 97) {
        const std::vector<U8> cut(sample.packed.begin(),
                                  sample.packed.begin() + static_cast<std::ptrdiff_t>(
                                                              size)); // its own allocation: ASan sees the end
        EXPECT_NE(lz4_decode_frame(cut.data(), cut.size(), out.data(), out.size()), nullptr) << size;
    }
}

TEST(Lz4, DamageIsFoundAndHarmless) {
    const Sample sample;
    std::vector<U8> out(sample.plain.size());
    std::mt19937 random(1);
    unsigned refused = 0;
    constexpr unsigned Rounds = 400;
    for (unsigned round = 0; round < Rounds; ++round) {
        std::vector<U8> bad = sample.packed;
        for (unsigned i = 0; i <= round % 4; ++i) bad[random() % bad.size()] = static_cast<U8>(random());
        if (lz4_decode_frame(bad.data(), bad.size(), out.data(), out.size()))
            ++refused;
        else
            EXPECT_EQ(out, sample.plain) << "damage passed the content checksum in round " << round;
    }
    EXPECT_GT(refused, Rounds / 2);
}

} // namespace
} // namespace vitrine::boot
