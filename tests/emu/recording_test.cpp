// The recording format: what is written comes back; every truncation opens up to its last whole chunk or is
// refused; no flipped bit is accepted silently.
#include "emu/recorder/format.h"
#include "emu/recorder/crc32c.h"
#include <algorithm>
#include <random>
#include <sys/resource.h>
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

TEST(Recording, Crc32cByInstructionIsTheTables) {
    std::mt19937 random(11);
    std::vector<u8> bytes(300);
    for (u8& byte : bytes) byte = static_cast<u8>(random());
    for (std::size_t size = 0; size < bytes.size(); ++size) {
        const auto part = std::span(bytes).subspan(size % 7, size - std::min<std::size_t>(size, size % 7));
        EXPECT_EQ(crc32c(part, 12345), crc32c_by_table(part, 12345)) << size;
    }
}

namespace {

/// Configuration and three checkpoints: a whole one of 300 pages, and two of what changed.
struct WithCheckpoints {
    std::vector<u8> file;
    std::vector<std::pair<std::size_t, std::size_t>> chunks; ///< of checkpoints: offset and end
    std::vector<std::size_t> of;                             ///< which checkpoint
    std::vector<std::size_t> essential;                      ///< offsets of the other chunks
};
WithCheckpoints with_checkpoints() {
    WithCheckpoints out;
    const Sample s = sample();
    out.file.assign(s.file.begin(), s.file.begin() + static_cast<std::ptrdiff_t>(s.ends[0]));
    out.essential.push_back(0);
    std::vector<u8> page(4096);
    std::size_t number = 0;
    const auto add = [&](ChunkType type, u64 step, const std::vector<u8>& payload) {
        const std::size_t start = out.file.size();
        append(out.file, encode(type, step, payload));
        if (type == ChunkType::Hash)
            out.essential.push_back(start);
        else
            out.chunks.emplace_back(start, out.file.size()), out.of.push_back(number);
    };
    for (u64 step : {1'000'000u, 2'000'000u, 3'000'000u}) {
        add(ChunkType::Hash, step, encode_hash(step));
        CheckpointHead head;
        head.number = number, head.whole = number == 0, head.page_count = number == 0 ? 300 : 3;
        head.phases.push_back({"phase", "kernel", step, 0, 0, 0, ""});
        head.console = "text", head.console_total = 4 * (number + 1);
        PagesPayload pages;
        for (u64 i = 0; i < head.page_count; ++i) {
            std::ranges::fill(page, static_cast<u8>(i % 3 ? i + number : 0));
            pages.add(i * 7, page.data());
            if (pages.full()) add(ChunkType::Pages, step, pages.take());
        }
        if (!pages.empty()) add(ChunkType::Pages, step, pages.take());
        add(ChunkType::Checkpoint, step,
            encode_checkpoint(head, std::vector<u8>(1000, static_cast<u8>(number))));
        ++number;
    }
    return out;
}

} // namespace

TEST(Recording, CheckpointsComeBack) {
    const WithCheckpoints made = with_checkpoints();
    auto back = parse(made.file, "checkpoints");
    ASSERT_TRUE(back) << back.error().message;
    EXPECT_TRUE(back->damaged.empty());
    ASSERT_EQ(back->checkpoints.size(), 3u);
    EXPECT_EQ(back->checkpoints[0].pages.size(), 2u);
    EXPECT_EQ(back->checkpoints[2].head.console_total, 12u);
    u64 seen = 0;
    for (const ChunkPlace& place : back->checkpoints[0].pages) {
        auto chunk = read_chunk(MemorySource(made.file), place);
        ASSERT_TRUE(chunk) << chunk.error().message;
        ASSERT_TRUE(each_page(chunk->payload, [&](Place at, const u8* bytes) {
            EXPECT_EQ(at, seen * 7);
            EXPECT_EQ(bytes[4095], static_cast<u8>(seen % 3 ? seen : 0));
            ++seen;
        }));
    }
    EXPECT_EQ(seen, 300u);
}

TEST(Recording, ADamagedCheckpointCostsItselfAndThoseBehindIt) {
    const WithCheckpoints made = with_checkpoints();
    std::mt19937 random(5);
    for (std::size_t i = 0; i < made.chunks.size(); ++i)
        for (int tries = 0; tries < 60; ++tries) {
            auto damaged = made.file;
            const auto [start, end] = made.chunks[i];
            // Anywhere in the chunk but in its type, by which it is known for a checkpoint's.
            std::size_t at = start + random() % (end - start);
            if (at - start == 4 || at - start == 5) at = start;
            damaged[at] ^= static_cast<u8>(1 + random() % 255);
            auto back = parse(damaged, "damaged");
            ASSERT_TRUE(back) << back.error().message << " byte " << at - start << " of chunk " << i;
            ASSERT_EQ(back->checkpoints.size(), made.of[i]) << "byte " << at - start << " of chunk " << i;
            EXPECT_TRUE(!back->damaged.empty() || back->torn);
            EXPECT_EQ(back->hashes.size(), 3u);
        }
    for (std::size_t start : made.essential) {
        auto damaged = made.file;
        damaged[start + HeaderSize + 2] ^= 4;
        EXPECT_FALSE(parse(damaged, "essential"));
    }
}

/// What a few kilobytes unpack to does not stay in memory.
TEST(Recording, ASmallFileDoesNotFillTheMemory) {
    const auto most_memory = [] {
        rusage usage{};
        getrusage(RUSAGE_SELF, &usage);
        return usage.ru_maxrss / 1024; // MiB
    };
    const Sample s = sample();
    const std::vector<u8> start(s.file.begin(), s.file.begin() + static_cast<std::ptrdiff_t>(s.ends[0]));
    std::vector<u8> phases = start, inputs = start;
    constexpr u64 Many = 60; // times nine megabytes
    CheckpointHead head;
    head.phases.resize(65536);
    for (head.number = 0; head.number < Many; ++head.number) {
        head.whole = head.number == 0;
        append(phases, encode(ChunkType::Hash, head.number, encode_hash(0)));
        append(phases, encode(ChunkType::Checkpoint, head.number, encode_checkpoint(head, {})));
    }
    for (u64 i = 0; i < 100; ++i)
        append(inputs,
               encode(ChunkType::Input, i, encode_input({i, 0, SerialInput{std::string(1 << 20, 'x')}})));
    ASSERT_LT(phases.size(), 100'000u);
    const long before = most_memory();
    const auto back = parse(phases, "phases");
    ASSERT_TRUE(back) << back.error().message;
    EXPECT_EQ(back->checkpoints.size(), Many);
    EXPECT_LT(most_memory() - before, 400);
    const auto refused = parse(inputs, "inputs");
    ASSERT_FALSE(refused);
    EXPECT_TRUE(refused.error().message.contains("unpack to more")) << refused.error().message;
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
    append(file, encode(static_cast<ChunkType>(5), 5, encode_hash(1)));
    EXPECT_FALSE(parse(file, "unknown type"));
    std::mt19937 random(3);
    for (int i = 0; i < 2000; ++i) { // arbitrary bytes behind a good beginning
        file = configuration;
        for (unsigned n = random() % 200; n > 0; --n) file.push_back(static_cast<u8>(random()));
        auto back = parse(file, "noise");
        if (back) EXPECT_TRUE(back->torn || !back->damaged.empty() || file.size() == configuration.size());
    }
}
