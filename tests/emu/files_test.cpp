// Output files: regular files are replaced whole, links and modes stay, devices and FIFOs are written
// through.
#include <fcntl.h>
#include <sys/stat.h>
#include <thread>
#include "emu/load/files.h"
#include "tests/emu/support.h"

using namespace vitrine;
using namespace vitrine::emu;
using namespace vitrine::test;

namespace {

std::span<const u8> bytes_of(std::string_view text) {
    return {reinterpret_cast<const u8*>(text.data()), text.size()};
}
std::string text_of(const std::string& path) {
    const auto bytes = read_bytes(path);
    return {bytes.begin(), bytes.end()};
}
mode_t kind(const std::string& path) {
    struct stat info{};
    return ::lstat(path.c_str(), &info) == 0 ? info.st_mode & S_IFMT : 0;
}

} // namespace

TEST(Files, ARegularFileIsReplacedWholeAndKeepsItsMode) {
    TemporaryFolder folder;
    const std::string path = folder.write("file", bytes_of("old and longer"));
    ASSERT_EQ(::chmod(path.c_str(), 0640), 0);
    ASSERT_TRUE(write_file(path, bytes_of("new")));
    EXPECT_EQ(text_of(path), "new");
    struct stat info{};
    ASSERT_EQ(::stat(path.c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 07777, 0640u);
    EXPECT_EQ(
        std::distance(std::filesystem::directory_iterator(std::filesystem::path(path).parent_path()), {}), 1)
        << "no temporary file is left";
}

TEST(Files, LinksStayAndAreFollowed) {
    TemporaryFolder folder;
    const std::string target = folder.write("target", bytes_of("old")), link = folder.file("link"),
                      dangling = folder.file("dangling"), loop = folder.file("loop");
    std::filesystem::create_symlink("target", link);
    std::filesystem::create_symlink("not_yet", dangling);
    std::filesystem::create_symlink("loop", loop);
    ASSERT_TRUE(write_file(link, bytes_of("through")));
    EXPECT_EQ(kind(link), static_cast<mode_t>(S_IFLNK));
    EXPECT_EQ(text_of(target), "through");
    ASSERT_TRUE(write_file(dangling, bytes_of("made")));
    EXPECT_EQ(kind(dangling), static_cast<mode_t>(S_IFLNK));
    EXPECT_EQ(text_of(folder.file("not_yet")), "made");
    EXPECT_FALSE(write_file(loop, bytes_of("never")));
    EXPECT_EQ(kind(loop), static_cast<mode_t>(S_IFLNK));
}

TEST(Files, AFifoIsWrittenThrough) {
    TemporaryFolder folder;
    const std::string path = folder.file("fifo");
    ASSERT_EQ(::mkfifo(path.c_str(), 0600), 0);
    std::string got;
    std::thread reader([&] { got = text_of(path); });
    const bool wrote = write_file(path, bytes_of("hello")).has_value();
    if (kind(path) != S_IFIFO) ::close(::open(path.c_str(), O_WRONLY | O_NONBLOCK)); // let the reader go
    reader.join();
    EXPECT_TRUE(wrote);
    EXPECT_EQ(kind(path), static_cast<mode_t>(S_IFIFO));
    EXPECT_EQ(got, "hello");
}

TEST(Files, ADeviceStaysADevice) {
    // A link to it, so that a mistake replaces the link and not the machine's device.
    TemporaryFolder folder;
    const std::string null = folder.file("null"), full = folder.file("full");
    std::filesystem::create_symlink("/dev/null", null);
    std::filesystem::create_symlink("/dev/full", full);
    EXPECT_TRUE(write_file(null, bytes_of("nothing")));
    EXPECT_EQ(kind(null), static_cast<mode_t>(S_IFLNK));
    EXPECT_EQ(kind("/dev/null"), static_cast<mode_t>(S_IFCHR));
    const auto refused = write_file(full, bytes_of("nothing"));
    ASSERT_FALSE(refused);
    EXPECT_NE(refused.error().message.find("No space left"), std::string::npos) << refused.error().message;
    EXPECT_EQ(kind("/dev/full"), static_cast<mode_t>(S_IFCHR));
}

TEST(Files, WhatCannotBeWrittenIsSaid) {
    TemporaryFolder folder;
    EXPECT_FALSE(write_file(folder.file("no/such/folder"), bytes_of("x")));
    EXPECT_FALSE(write_file(folder.file("."), bytes_of("x")));
    // Another program's temporary file is not touched.
    const std::string theirs = folder.write("file.part", bytes_of("theirs"));
    ASSERT_TRUE(write_file(folder.file("file"), bytes_of("ours")));
    EXPECT_EQ(text_of(theirs), "theirs");
    EXPECT_EQ(text_of(folder.file("file")), "ours");
}
