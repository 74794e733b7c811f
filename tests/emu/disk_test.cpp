// Disks: the base is never written, the overlay shadows it, serializes in a fixed order, and comes back from
// its file.
#include <fcntl.h>
#include <unistd.h>
#include "emu/disk/disk.h"
#include <algorithm>
#include <unistd.h>
#include "tests/emu/support.h"

using namespace vitrine;
using namespace vitrine::emu;
using namespace vitrine::test;

namespace {
std::vector<u8> read_all(Disk& disk) {
    std::vector<u8> out(disk.sectors() * 512);
    EXPECT_TRUE(disk.read(0, out));
    return out;
}
} // namespace

TEST(Disk, WritesShadowTheBaseAndNeverReachIt) {
    TemporaryFolder folder;
    auto image = pattern_disk(37); // ends in the middle of an overlay page
    const std::string path = folder.write("disk.img", image);
    auto disk = Disk::open({path, false, {}});
    ASSERT_TRUE(disk) << disk.error().message;
    std::mt19937 random(1);
    auto expected = image;
    for (int i = 0; i < 500; ++i) {
        const u64 lba = random() % 37, count = 1 + random() % (37 - lba);
        std::vector<u8> data(count * 512);
        for (u8& byte : data) byte = static_cast<u8>(random());
        ASSERT_TRUE((*disk)->write(lba, data));
        std::ranges::copy(data, expected.begin() + static_cast<std::ptrdiff_t>(lba * 512));
        ASSERT_EQ(read_all(**disk), expected) << i;
    }
    EXPECT_EQ(read_bytes(path), image);
}

TEST(Disk, SavedStateComesBackAndDamageIsRefused) {
    TemporaryFolder folder;
    const std::string path = folder.write("disk.img", pattern_disk(64));
    auto first = Disk::open({path, false, {}}), second = Disk::open({path, false, {}});
    ASSERT_TRUE(first && second);
    const std::vector<u8> data(3 * 512, 0xEE);
    ASSERT_TRUE((*first)->write(20, data));
    Archive saver = Archive::saver();
    (*first)->serialize(saver);
    const auto bytes = saver.take();
    Archive loader = Archive::loader(bytes);
    (*second)->serialize(loader);
    EXPECT_TRUE(loader.ok() && loader.at_end()) << loader.error();
    EXPECT_EQ(read_all(**first), read_all(**second));
    for (std::size_t n = 0; n < bytes.size(); n += 13) {
        auto third = Disk::open({path, false, {}});
        Archive cut = Archive::loader(std::span(bytes).first(n));
        (*third)->serialize(cut);
        EXPECT_FALSE(cut.ok()) << n;
    }
}

TEST(Disk, AHashIsOfContentsNotOfHoles) {
    TemporaryFolder folder;
    const auto hash = [&](const std::string& path) {
        auto disk = Disk::open({path, false, {}});
        return disk ? (*disk)->base_hash().value_or(0) : 0;
    };
    // One sector at 3 MiB + 512, the last one of an image whose size is no multiple of a block.
    constexpr u64 Size = (3 << 20) + 1024, At = (3 << 20) + 512;
    std::vector<u8> content(Size);
    content[At] = 1;
    const std::string full = folder.write("full.img", content), sparse = folder.file("sparse.img");
    const int file = ::open(sparse.c_str(), O_WRONLY | O_CREAT, 0600);
    ASSERT_EQ(::ftruncate(file, Size), 0);
    ASSERT_EQ(::pwrite(file, content.data() + At, 1, At), 1);
    ::close(file);
    const u64 wanted = hash(full);
    EXPECT_NE(wanted, 0u);
    EXPECT_EQ(hash(sparse), wanted);
    // The same byte elsewhere, another byte, another size: others.
    content[At] = 0, content[At - (1 << 20)] = 1;
    EXPECT_NE(hash(folder.write("moved.img", content)), wanted);
    content[At] = 2, content[At - (1 << 20)] = 0;
    EXPECT_NE(hash(folder.write("other.img", content)), wanted);
    content[At] = 1, content.resize(Size + 512);
    EXPECT_NE(hash(folder.write("longer.img", content)), wanted);
    EXPECT_NE(hash(folder.write("zero.img", std::vector<u8>(1024))),
              hash(folder.write("zeros.img", std::vector<u8>(2048))));
}

TEST(Disk, OverlayFileKeepsWritesAndKnowsItsBase) {
    TemporaryFolder folder;
    const std::string path = folder.write("disk.img", pattern_disk(64)),
                      overlay = folder.file("disk.overlay");
    const std::vector<u8> data(512, 0x77);
    {
        auto disk = Disk::open({path, false, overlay});
        ASSERT_TRUE(disk);
        ASSERT_TRUE((*disk)->write(9, data));
        ASSERT_TRUE((*disk)->save_overlay());
    }
    auto again = Disk::open({path, false, overlay});
    ASSERT_TRUE(again) << again.error().message;
    std::vector<u8> sector(512);
    ASSERT_TRUE((*again)->read(9, sector));
    EXPECT_EQ(sector, data);

    auto other = pattern_disk(64);
    other[5000] ^= 1;
    const std::string other_path = folder.write("other.img", other);
    auto wrong = Disk::open({other_path, false, overlay});
    ASSERT_FALSE(wrong);
    EXPECT_NE(wrong.error().message.find("another base image"), std::string::npos) << wrong.error().message;

    auto bytes = read_bytes(overlay);
    std::size_t refused = 0;
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        auto damaged = bytes;
        damaged[i] ^= 0x10;
        const std::string damaged_path = folder.write("damaged.overlay", damaged);
        // A few bits of a zstd frame mean nothing: then, and only then, the contents are what they were.
        auto opened = Disk::open({path, false, damaged_path});
        if (opened)
            EXPECT_EQ(read_all(**opened), read_all(**again)) << "byte " << i;
        else
            ++refused;
    }
    EXPECT_GT(refused, bytes.size() * 9 / 10);
}

TEST(Disk, BadImagesAreRefusedWithOneLine) {
    TemporaryFolder folder;
    EXPECT_FALSE(Disk::open({folder.file("missing.img"), false, {}}));
    const std::string empty = folder.write("empty.img", {});
    EXPECT_FALSE(Disk::open({empty, false, {}}));
    const std::string odd = folder.write("odd.img", std::vector<u8>(700));
    auto truncated = Disk::open({odd, false, {}});
    ASSERT_FALSE(truncated);
    EXPECT_NE(truncated.error().message.find("truncated"), std::string::npos);
    EXPECT_EQ(truncated.error().message.find('\n'), std::string::npos);
    const std::string blank = folder.write("blank.img", std::vector<u8>(4096));
    auto unbootable = Disk::open({blank, false, {}});
    ASSERT_TRUE(unbootable);
    EXPECT_FALSE((*unbootable)->check_boot_sector());
}

TEST(Disk, RangesBeyondTheEndAndReadOnlyDisksFail) {
    TemporaryFolder folder;
    const std::string path = folder.write("disk.img", pattern_disk(8));
    auto disk = Disk::open({path, true, {}});
    ASSERT_TRUE(disk);
    std::vector<u8> buffer(1024);
    EXPECT_FALSE((*disk)->read(7, buffer));
    EXPECT_FALSE((*disk)->read(~u64{0} / 512, buffer));
    EXPECT_FALSE((*disk)->write(0, buffer));
    EXPECT_EQ(::truncate(path.c_str(), 512), 0); // the image shrinks underneath
    EXPECT_FALSE((*disk)->read(4, buffer));
}
