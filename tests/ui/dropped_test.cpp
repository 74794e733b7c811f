// What is dropped on the window is told apart by its contents, not by its name.
#include <gtest/gtest.h>
#include <cstring>
#include "emu/cli/options.h"
#include "ui/model/dropped.h"

namespace vitrine::ui {
namespace {

Dropped::Kind kind(std::vector<u8> head, u64 size = 0, const char* path = "/tmp/thing") {
    return recognise(path, head, size ? size : head.size()).kind;
}
std::vector<u8> with(std::size_t at, std::string_view text, std::size_t size = 65536) {
    std::vector<u8> out(size);
    std::memcpy(out.data() + at, text.data(), text.size());
    return out;
}

TEST(Dropped, IsKnownByItsContents) {
    using enum Dropped::Kind;
    EXPECT_EQ(kind(with(0, "VTRC")), Recording);
    EXPECT_EQ(kind(with(0x202, "HdrS")), Kernel);
    EXPECT_EQ(kind(with(0x8001, "CD001")), Cdrom);
    EXPECT_EQ(kind(with(510, "\x55\xAA"), 64 << 20), Disk);
    EXPECT_EQ(kind(std::vector<u8>(65536, 0xFF), 131072, "/usr/share/bios.bin"), Firmware);
    std::vector<u8> multiboot(65536);
    const u32 header[] = {0x1BADB002, 3, 0u - 0x1BADB002 - 3};
    std::memcpy(multiboot.data() + 4096, header, sizeof header);
    std::memcpy(multiboot.data(),
                "\x7F"
                "ELF",
                4);
    EXPECT_EQ(kind(multiboot), Kernel);
}

TEST(Dropped, ADiskMayHaveCommasInItsName) {
    const Dropped disk = recognise("/tmp/a,b,,c.img", with(510, "\x55\xAA"), 64 << 20);
    std::vector<const char*> words{"vitrine"};
    for (const std::string& word : disk.options) words.push_back(word.c_str());
    const auto parsed = emu::cli::parse(static_cast<int>(words.size()), words.data());
    ASSERT_TRUE(parsed) << parsed.error().message;
    ASSERT_EQ(parsed->options.machine.disks.size(), 1u);
    EXPECT_EQ(parsed->options.machine.disks[0].path, "/tmp/a,b,,c.img");
    EXPECT_TRUE(parsed->options.machine.disks[0].read_only);
}

TEST(Dropped, OtherThingsAreSaidToBeWhatTheyAre) {
    const auto what = [](std::vector<u8> head) { return recognise("/a/b", head, head.size()).what; };
    EXPECT_NE(what({}).find("empty"), std::string::npos);
    EXPECT_NE(what(with(0,
                        "\x7F"
                        "ELF",
                        200))
                  .find("program"),
              std::string::npos);
    EXPECT_NE(what(with(0, "\x89PNG", 200)).find("picture"), std::string::npos);
    EXPECT_NE(what({'r', 'o', 'o', 't', ':', 'x', '\n'}).find("text"), std::string::npos);
    EXPECT_NE(what(with(0, "QFI\xFB", 200)).find("qcow2"), std::string::npos);
    EXPECT_NE(recognise_file("/").what.find("folder"), std::string::npos);
    EXPECT_NE(recognise_file("/no/such/thing").what.find("no file"), std::string::npos);
    for (std::size_t size = 0; size < 600; ++size)
        (void)recognise("x", std::vector<u8>(size, 0xEA), size); // short heads
}

} // namespace
} // namespace vitrine::ui
