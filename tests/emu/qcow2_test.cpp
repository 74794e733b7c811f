// qcow2 images as qemu-img writes them, beside the raw image that they were made of; then damaged ones.
#include <csignal>
#include <cstdlib>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <random>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include "emu/disk/disk.h"
#include "emu/load/files.h"
#include "tests/emu/support.h"

namespace vitrine::emu {
namespace {

using test::TemporaryFolder;

auto open_disk(const std::string& path, ImageFormat format = ImageFormat::Detect) {
    DiskConfig config;
    config.path = path, config.format = format;
    return Disk::open(config);
}

constexpr std::size_t DiskBytes = (9 << 20) + 512 * 3; // no whole number of clusters

void tool(const std::string& command) {
    ASSERT_EQ(std::system((command + " >/dev/null 2>&1").c_str()), 0) << command;
}

/// Text, zeroes, noise, and a hole, in pieces of odd sizes.
std::vector<u8> contents(unsigned seed) {
    std::mt19937 random(seed);
    std::vector<u8> out(DiskBytes);
    for (std::size_t at = 0; at < out.size();) {
        const std::size_t end = std::min(out.size(), at + 512 * (1 + random() % 400));
        const unsigned kind = random() % 4;
        for (; at < end; ++at)
            out[at] = kind == 0   ? 0
                      : kind == 1 ? static_cast<u8>(random())
                                  : static_cast<u8>("vitrine "[at % 8]);
    }
    return out;
}

std::vector<u8> read_all(Disk& disk) {
    std::vector<u8> out(disk.sectors() * devices::SectorSize);
    // In pieces that cross clusters and begin anywhere.
    constexpr u64 Piece = 77;
    for (u64 lba = 0; lba < disk.sectors(); lba += Piece)
        EXPECT_TRUE(disk.read(
            lba, std::span(out).subspan(lba * devices::SectorSize,
                                        std::min(Piece, disk.sectors() - lba) * devices::SectorSize)));
    return out;
}

void expect_contents(const std::string& path, const std::vector<u8>& wanted, const std::string& raw,
                     const std::string& what) {
    auto disk = open_disk(path);
    ASSERT_TRUE(disk) << what << ": " << disk.error().message;
    auto plain = open_disk(raw);
    ASSERT_TRUE(plain);
    EXPECT_TRUE(read_all(**disk) == wanted) << what;
    EXPECT_EQ(*(*disk)->base_hash(), *(*plain)->base_hash()) << what;
}

TEST(Qcow2, EveryKindThatQemuWrites) {
    TemporaryFolder folder;
    const auto data = contents(1);
    const std::string raw = folder.write("raw.img", data), image = folder.file("image.qcow2");
    for (const std::string options :
         {"-o compat=1.1", "-o compat=0.10", "-o cluster_size=512", "-o cluster_size=2M", "-c",
          "-c -o compat=0.10", "-c -o compression_type=zstd", "-c -o compression_type=zstd,cluster_size=2M",
          "-o extended_l2=on,cluster_size=128k", "-c -o extended_l2=on", "-o preallocation=metadata",
          "-o preallocation=full", "-S 0"}) {
        tool(fmt::format("qemu-img convert -f raw -O qcow2 {} {} {}", options, raw, image));
        expect_contents(image, data, raw, options);
        ::unlink(image.c_str());
    }
}

/// A small image over a larger and a smaller one, with zeroes over data, and a raw one at the bottom.
TEST(Qcow2, BackingFiles) {
    TemporaryFolder folder;
    auto data = contents(2);
    const std::string raw = folder.write("base.img", data);
    for (const std::string options : {"", ",extended_l2=on"}) {
        tool(fmt::format(
            "cd {} && qemu-img create -f qcow2 -F raw -b base.img -o cluster_size=64k{} middle.qcow2",
            folder.file(""), options));
        tool(fmt::format("cd {} && qemu-io -c 'write -P 7 100k 300k' -c 'write -z 1M 1M' -c 'write -P 9 "
                         "3100k 512' middle.qcow2",
                         folder.file("")));
        tool(fmt::format("cd {} && qemu-img create -f qcow2 -F qcow2 -b middle.qcow2 -o size=12M{} top.qcow2",
                         folder.file(""), options));
        tool(fmt::format(
            "cd {} && qemu-io -c 'write -P 3 11M 64k' -c 'write -z 150k 10k' -c 'discard 2M 128k' top.qcow2",
            folder.file("")));
        tool(fmt::format("cd {} && qemu-img convert -O raw top.qcow2 wanted.img", folder.file("")));
        const std::string wanted = folder.file("wanted.img");
        auto flat = open_disk(wanted);
        ASSERT_TRUE(flat);
        expect_contents(folder.file("top.qcow2"), read_all(**flat), wanted, options);
        EXPECT_EQ(image_files(folder.file("top.qcow2"), ImageFormat::Detect).size(), 3u);
    }
    // A circle, and a file that is gone.
    tool(fmt::format("cd {} && qemu-img rebase -u -F qcow2 -b top.qcow2 middle.qcow2", folder.file("")));
    auto circle = open_disk(folder.file("top.qcow2"));
    ASSERT_FALSE(circle);
    EXPECT_NE(circle.error().message.find("circle"), std::string::npos) << circle.error().message;
    tool(fmt::format("cd {} && qemu-img rebase -u -F raw -b gone.img middle.qcow2", folder.file("")));
    auto gone = open_disk(folder.file("top.qcow2"));
    ASSERT_FALSE(gone);
    EXPECT_NE(gone.error().message.find("gone.img: No such file"), std::string::npos) << gone.error().message;
}

TEST(Qcow2, SnapshotsInsideAreNotTheDisk) {
    TemporaryFolder folder;
    const auto data = contents(3);
    const std::string raw = folder.write("raw.img", data), image = folder.file("image.qcow2"),
                      wanted = folder.file("wanted.img");
    tool(fmt::format("qemu-img convert -f raw -O qcow2 {} {}", raw, image));
    tool(fmt::format("qemu-img snapshot -c one {}", image));
    tool(fmt::format("qemu-io -c 'write -P 5 0 2M' {}", image));
    tool(fmt::format("qemu-img convert -O raw {} {}", image, wanted));
    auto flat = open_disk(wanted);
    ASSERT_TRUE(flat);
    expect_contents(image, read_all(**flat), wanted, "after a snapshot");
}

TEST(Qcow2, FormatsThatAreAskedFor) {
    TemporaryFolder folder;
    const std::string raw = folder.write("raw.img", contents(4)), image = folder.file("image.qcow2");
    tool(fmt::format("qemu-img convert -f raw -O qcow2 {} {}", raw, image));
    auto bytes = open_disk(image, ImageFormat::Raw);
    ASSERT_TRUE(bytes);
    std::array<u8, devices::SectorSize> sector;
    ASSERT_TRUE((*bytes)->read(0, sector));
    EXPECT_EQ(sector[0], 'Q');
    EXPECT_FALSE(open_disk(raw, ImageFormat::Qcow2));
}

/// What qcow2 says is believed nowhere: each damaged image is refused in one line, or read.
TEST(Qcow2, DamagedImages) {
    TemporaryFolder folder;
    const std::string raw = folder.write("raw.img", contents(5)), image = folder.file("image.qcow2");
    std::mt19937 random(7);
    unsigned refused = 0, unreadable = 0;
    for (const std::string options :
         {"-o cluster_size=4k", "-c -o cluster_size=64k", "-o extended_l2=on,cluster_size=16k"}) {
        tool(fmt::format("qemu-img convert -f raw -O qcow2 {} {} {}", options, raw, image));
        auto good = read_file(image, "image", 64 << 20);
        ASSERT_TRUE(good);
        for (unsigned round = 0; round < 80; ++round) {
            auto bad = *good;
            if (round % 10 == 9) bad.resize(random() % bad.size());
            // In the header, then in what lies behind it: refcounts, level 1, level 2.
            for (unsigned change = 0; change <= random() % 4 && !bad.empty(); ++change)
                bad[random() % std::min<std::size_t>(bad.size(), round % 2   ? 112
                                                                 : round % 4 ? bad.size()
                                                                             : 256 << 10)] =
                    static_cast<u8>(random() % 3 ? random() : 0xFF);
            const std::string path = folder.write("bad.qcow2", bad);
            auto disk = open_disk(path, round % 10 == 9 ? ImageFormat::Detect : ImageFormat::Qcow2);
            if (!disk) {
                ++refused;
                EXPECT_EQ(disk.error().message.find('\n'), std::string::npos);
                continue;
            }
            std::vector<u8> part(64 << 10);
            for (u64 lba = 0; lba + 128 <= std::min<u64>((*disk)->sectors(), 24 << 11); lba += 128)
                unreadable += !(*disk)->read(lba, part);
        }
    }
    EXPECT_GT(refused, 60u);
    EXPECT_GT(unreadable, 0u);
}

TEST(Qcow2, TablesThatOverlap) {
    TemporaryFolder folder;
    const std::string raw = folder.write("raw.img", contents(6)), image = folder.file("image.qcow2");
    tool(fmt::format("qemu-img convert -f raw -O qcow2 -o cluster_size=4k {} {}", raw, image));
    auto good = read_file(image, "image", 64 << 20);
    ASSERT_TRUE(good);
    const auto at = [&](std::size_t where) {
        u64 value = 0;
        for (unsigned i = 0; i < 8; ++i) value = value << 8 | (*good)[where + i];
        return value;
    };
    const u64 level1 = at(40), level2 = at(level1) & 0x00FF'FFFF'FFFF'FE00;
    const auto refuses = [&](std::size_t where, u64 value, std::string_view why) {
        auto bad = *good;
        for (unsigned i = 0; i < 8; ++i) bad[where + i] = static_cast<u8>(value >> (56 - 8 * i));
        auto disk = open_disk(folder.write("bad.qcow2", bad));
        ASSERT_FALSE(disk) << why;
        EXPECT_NE(disk.error().message.find(why), std::string::npos) << disk.error().message;
    };
    refuses(level1, level1, "the same cluster");     // level 1 as its own level 2
    refuses(level1 + 8, level2, "the same cluster"); // one table twice
    refuses(level1, u64{1} << 40, "behind the file's end");
    refuses(level1, level2 + 512, "is damaged");
    refuses(level2, level2, "points to a table");
    refuses(level2, 0x1000'0000'0000, "behind the file's end");
    refuses(level2, level2 | 2, "reserved bits");
    refuses(40, 1, "out of range");
    refuses(40, ~u64{0} << 12, "out of range");
    refuses(24, u64{1} << 60, "larger than 8 TiB");
}

/// QEMU's own lock, both ways round.
TEST(Qcow2, HeldByQemu) {
    TemporaryFolder folder;
    const std::string raw = folder.write("raw.img", contents(8));
    const pid_t holder = fork();
    if (holder == 0) {
        ::execlp("qemu-io", "qemu-io", "-f", "raw", "-c", "sleep 100000", raw.c_str(), nullptr);
        ::_exit(127);
    }
    std::string message;
    for (unsigned tries = 0; tries < 600 && message.empty(); ++tries) {
        if (auto disk = open_disk(raw); !disk) message = disk.error().message;
        std::this_thread::sleep_for(std::chrono::milliseconds(100));
    }
    EXPECT_NE(message.find("is in use"), std::string::npos) << message;
    ::kill(holder, SIGKILL);
    ::waitpid(holder, nullptr, 0);
    auto disk = open_disk(raw);
    ASSERT_TRUE(disk) << disk.error().message;
    EXPECT_NE(std::system(fmt::format("qemu-io -f raw -c 'write 0 512' {} >/dev/null 2>&1", raw).c_str()), 0);
    EXPECT_EQ(std::system(fmt::format("qemu-io -r -f raw -c 'read 0 512' {} >/dev/null 2>&1", raw).c_str()),
              0);
}

} // namespace
} // namespace vitrine::emu
