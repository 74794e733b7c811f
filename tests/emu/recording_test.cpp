// The recording format: what is written comes back; every truncation opens up to its last whole chunk or is
// refused; no flipped bit is accepted silently.
#include "emu/recorder/format.h"
#include "emu/recorder/crc32c.h"
#include "tests/emu/support.h"

using namespace vitrine;
using namespace vitrine::emu;
using namespace vitrine::emu::recording;

namespace {

void append(std::vector<u8>& file, const std::vector<u8>& chunk) {
    file.insert(file.end(), chunk.begin(), chunk.end());
}

struct Sample {
    std::vector<u8> file;
    std::vector<std::size_t> ends; ///< offset behind each chunk
};

Sample sample() {
    MachineConfig config;
    config.memory_bytes = 64 << 20;
    config.disks.push_back({"/some/disk.img", true, {}, false});
    config.append = "console=ttyS0";
    ImageHashes images{1, 2, 3, {4}};
    Sample s;
    const auto add = [&](const std::vector<u8>& chunk) {
        append(s.file, chunk), s.ends.push_back(s.file.size());
    };
    add(encode(ChunkType::Configuration, 0, encode_configuration(config, images)));
    add(encode(ChunkType::Hash, 1'000'000, encode_hash(0x1122334455667788)));
    LoggedInput key{1'500'000, 77, KeyInput{{0x1E, 0x9E}}}, text{1'500'000, 78, SerialInput{"ls\r"}},
        mouse{1'600'000, 99, MouseInput{-3, 4, 1, 2}};
    add(encode(ChunkType::Input, key.step, encode_input(key)));
    add(encode(ChunkType::Input, text.step, encode_input(text)));
    add(encode(ChunkType::Input, mouse.step, encode_input(mouse)));
    add(encode(ChunkType::Input, 1'700'000, encode_input({1'700'000, 100, ResetInput{}})));
    add(encode(ChunkType::Hash, 2'000'000, encode_hash(42)));
    add(encode(ChunkType::End, 2'222'222, encode_end({2'222'222, 3'333'333, 99, StopReason::PoweredOff})));
    return s;
}

} // namespace

TEST(Recording, Crc32cMatchesTheStandardCheckValues) {
    const std::string digits = "123456789"; // RFC 3720 B.4 and the CRC catalogue
    EXPECT_EQ(crc32c({reinterpret_cast<const u8*>(digits.data()), digits.size()}), 0xE3069283u);
    const std::vector<u8> zeros(32, 0), ones(32, 0xFF);
    EXPECT_EQ(crc32c(zeros), 0x8A9136AAu);
    EXPECT_EQ(crc32c(ones), 0x62A8AB43u);
}

TEST(Recording, RoundTrip) {
    const Sample s = sample();
    auto back = parse(s.file, "sample");
    ASSERT_TRUE(back) << back.error().message;
    EXPECT_EQ(back->config.memory_bytes, 64u << 20);
    EXPECT_EQ(back->config.append, "console=ttyS0");
    ASSERT_EQ(back->config.disks.size(), 1u);
    EXPECT_TRUE(back->config.disks[0].read_only);
    EXPECT_EQ(back->images, (ImageHashes{1, 2, 3, {4}}));
    ASSERT_EQ(back->inputs.size(), 4u);
    EXPECT_EQ(std::get<KeyInput>(back->inputs[0].event).scancodes, (std::vector<u8>{0x1E, 0x9E}));
    EXPECT_EQ(std::get<SerialInput>(back->inputs[1].event).bytes, "ls\r");
    EXPECT_EQ(back->inputs[1].time, 78u);
    EXPECT_EQ(std::get<MouseInput>(back->inputs[2].event).dx, -3);
    EXPECT_TRUE(std::holds_alternative<ResetInput>(back->inputs[3].event));
    ASSERT_EQ(back->hashes.size(), 2u);
    EXPECT_EQ(back->hashes[0].value, 0x1122334455667788u);
    ASSERT_TRUE(back->end);
    EXPECT_EQ(back->end->state_hash, 99u);
    EXPECT_FALSE(back->torn);
}

TEST(Recording, EveryTruncationOpensToItsLastWholeChunk) {
    const Sample s = sample();
    for (std::size_t size = 0; size < s.file.size(); ++size) {
        auto back = parse(std::span(s.file).first(size), "cut");
        std::size_t whole = 0;
        while (whole < s.ends.size() && s.ends[whole] <= size) ++whole;
        if (whole == 0) {
            ASSERT_FALSE(back) << size;
            EXPECT_EQ(back.error().status, Exit::BadInput);
            continue;
        }
        ASSERT_TRUE(back) << size << ": " << back.error().message;
        EXPECT_EQ(back->torn, s.ends[whole - 1] != size) << size;
        if (back->torn) EXPECT_EQ(back->torn_at, s.ends[whole - 1]);
        EXPECT_EQ(back->inputs.size() + back->hashes.size() + (back->end ? 1 : 0), whole - 1) << size;
    }
}

TEST(Recording, NoFlippedBitIsAccepted) {
    const Sample s = sample();
    auto whole = parse(s.file, "whole");
    ASSERT_TRUE(whole);
    for (std::size_t bit = 0; bit < s.file.size() * 8; ++bit) {
        auto damaged = s.file;
        damaged[bit / 8] ^= static_cast<u8>(1u << bit % 8);
        auto back = parse(damaged, "flipped");
        if (!back) {
            EXPECT_EQ(back.error().message.find('\n'), std::string::npos);
            continue;
        }
        // A longer length of the last chunk reads as a torn tail; that is the only way to open.
        EXPECT_TRUE(back->torn) << "bit " << bit;
        EXPECT_GE(bit / 8, s.ends[s.ends.size() - 2]) << "bit " << bit;
    }
}

TEST(Recording, ChunksOutOfOrderAreRefused) {
    const Sample s = sample();
    const auto configuration =
        std::vector<u8>(s.file.begin(), s.file.begin() + static_cast<std::ptrdiff_t>(s.ends[0]));
    auto file = configuration;
    append(file, encode(ChunkType::Hash, 10, encode_hash(1)));
    append(file, encode(ChunkType::Hash, 9, encode_hash(1)));
    EXPECT_FALSE(parse(file, "backwards"));
    file = configuration;
    append(file, configuration);
    EXPECT_FALSE(parse(file, "twice"));
    EXPECT_FALSE(parse(encode(ChunkType::Hash, 0, encode_hash(1)), "headless"));
    file = configuration;
    append(file, encode(ChunkType::Checkpoint, 5, encode_hash(1)));
    EXPECT_FALSE(parse(file, "reserved type"));
    std::mt19937 random(3);
    for (int i = 0; i < 2000; ++i) { // arbitrary bytes behind a good beginning
        file = configuration;
        for (unsigned n = random() % 200; n > 0; --n) file.push_back(static_cast<u8>(random()));
        auto back = parse(file, "noise");
        if (back) EXPECT_TRUE(back->torn || file.size() == configuration.size());
    }
}
