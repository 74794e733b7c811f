// The command line: sizes, conditions, typing and disks parse as documented; what is wrong is refused with
// status 64.
#include "emu/cli/options.h"
#include "tests/emu/support.h"

using namespace vitrine;
using namespace vitrine::emu;
using namespace vitrine::emu::cli;

namespace {
Expected<Parsed> parse_line(std::vector<const char*> arguments) {
    arguments.insert(arguments.begin(), "vitrine");
    return parse(static_cast<int>(arguments.size()), arguments.data());
}
} // namespace

TEST(Options, Sizes) {
    EXPECT_EQ(*parse_size("512M"), 512u << 20);
    EXPECT_EQ(*parse_size("2G"), 2ull << 30);
    EXPECT_EQ(*parse_size("65536K"), 64u << 20);
    EXPECT_EQ(*parse_size("512"), 512u << 20) << "a plain number counts MiB";
    for (const char* bad :
         {"", "M", "-1", "12Q", "1.5G", "99999999999999999999", "18446744073709551615G", " 5M", "5 M"})
        EXPECT_FALSE(parse_size(bad)) << bad;
}

TEST(Options, Conditions) {
    auto step = parse_until("step:0x10");
    ASSERT_TRUE(step);
    EXPECT_EQ(step->address, 16u);
    EXPECT_EQ(parse_until("phase:kernel:mm_init")->text, "kernel:mm_init");
    EXPECT_EQ(parse_until("rip:0xffffffff81000000")->address, 0xffffffff81000000u);
    EXPECT_EQ(parse_until("rip:start_kernel")->symbol, "start_kernel");
    EXPECT_EQ(parse_until("serial:a\\n\\x41")->text, "a\rA");
    for (const char* bad :
         {"", "step", "step:", "step:12x", "rip:0xZZ", "phases:init", "serial:\\q", "serial:\\x4"})
        EXPECT_FALSE(parse_until(bad)) << bad;
}

TEST(Options, Typing) {
    auto plain = parse_typing("cat /etc/motd\\n");
    ASSERT_TRUE(plain);
    EXPECT_EQ(plain->text, "cat /etc/motd\r");
    EXPECT_EQ(plain->when.kind, BreakKind::Prompt);
    auto mail = parse_typing("a@b.c");
    ASSERT_TRUE(mail);
    EXPECT_EQ(mail->text, "a@b.c");
    auto timed = parse_typing("x@y\\n@step:500");
    ASSERT_TRUE(timed);
    EXPECT_EQ(timed->text, "x@y\r");
    EXPECT_EQ(timed->when.address, 500u);
    EXPECT_FALSE(parse_typing(""));
    EXPECT_FALSE(parse_typing("x@step:y"));
}

TEST(Options, DisksAndTimes) {
    auto disk = parse_disk("a.img,overlay=b.ovl");
    ASSERT_TRUE(disk);
    EXPECT_EQ(disk->path, "a.img");
    EXPECT_EQ(disk->overlay, "b.ovl");
    EXPECT_TRUE(parse_disk("a.img,readonly")->read_only);
    const auto commas = parse_disk("a,,b.img,overlay=c,,,,d");
    ASSERT_TRUE(commas);
    EXPECT_EQ(commas->path, "a,b.img");
    EXPECT_EQ(commas->overlay, "c,,d");
    for (const char* bad : {"", ",readonly", "a,overlay=", "a,fast", "a,readonly,overlay=b"})
        EXPECT_FALSE(parse_disk(bad)) << bad;
    EXPECT_EQ(*parse_wall_clock("1970-01-01T00:00:00Z"), 0);
    EXPECT_EQ(*parse_wall_clock("2026-01-01T00:00:00Z"), 1'767'225'600);
    EXPECT_EQ(*parse_wall_clock("2024-02-29T23:59:59"), 1'709'251'199);
    for (const char* bad : {"", "2023-02-29T00:00:00Z", "2026-13-01T00:00:00Z", "2026-01-01",
                            "2026-01-01T24:00:00Z", "1969-12-31T00:00:00Z"})
        EXPECT_FALSE(parse_wall_clock(bad)) << bad;
}

TEST(Options, WholeLines) {
    auto good = parse_line({"-m", "1G", "--disk", "a.img", "--disk", "b.img,readonly", "--headless",
                            "--serial", "file:out.txt", "--type", "ls, then\\n"});
    ASSERT_TRUE(good) << good.error().message;
    EXPECT_EQ(good->options.machine.memory_bytes, 1u << 30);
    ASSERT_EQ(good->options.machine.disks.size(), 2u);
    EXPECT_TRUE(good->options.machine.disks[1].read_only);
    EXPECT_EQ(good->options.serial_file, "out.txt");
    ASSERT_EQ(good->options.typing.size(), 1u);
    EXPECT_EQ(good->options.typing[0].text, "ls, then\r");
    EXPECT_FALSE(parse_line({"--help"})->help.empty());
}

TEST(Options, ADiscComesAfterTheDisks) {
    const auto parsed = parse_line({"--cdrom", "x,y.iso", "--disk", "a.img", "--boot", "cdrom"});
    ASSERT_TRUE(parsed);
    const MachineConfig& machine = parsed->options.machine;
    EXPECT_TRUE(machine.boot_cdrom);
    ASSERT_EQ(machine.disks.size(), 2u);
    EXPECT_FALSE(machine.disks[0].optical);
    EXPECT_EQ(machine.disks[1],
              (DiskConfig{.path = "x,y.iso", .read_only = true, .overlay = {}, .optical = true}));
}

TEST(Options, BootOrderMenuStorageAndDiscs) {
    const auto parsed =
        parse_line({"--cdrom", "a.iso", "--disk", "a.img", "--boot", "order=dc,menu=on", "--storage", "ide",
                    "--headless", "--change-cdrom", "b@c.iso@serial:x@y", "--change-cdrom", "none@step:7"});
    ASSERT_TRUE(parsed) << parsed.error().message;
    const MachineConfig& machine = parsed->options.machine;
    EXPECT_EQ(machine.boot_order, "dc");
    EXPECT_TRUE(machine.boot_cdrom);
    EXPECT_TRUE(machine.boot_menu);
    EXPECT_TRUE(machine.legacy_ide);
    ASSERT_EQ(parsed->options.media.size(), 2u);
    EXPECT_EQ(parsed->options.media[1].path, "");
    EXPECT_EQ(parsed->options.media[1].when.address, 7u);
    const auto plain = parse_line({"--disk", "a.img", "--boot", "menu=on"});
    ASSERT_TRUE(plain);
    EXPECT_TRUE(plain->options.machine.boot_order.empty());
    for (const std::vector<const char*>& line :
         std::vector<std::vector<const char*>>{{"--boot", "order="},
                                               {"--boot", "order=cc"},
                                               {"--boot", "order=n"},
                                               {"--boot", "order=d"},
                                               {"--boot", "menu=maybe"},
                                               {"--boot", "menu=on,"},
                                               {"--boot", ",menu=on"},
                                               {"--boot", "disk,menu=on"},
                                               {"--storage", "scsi"},
                                               {"--headless", "--change-cdrom", "b.iso@step:1"},
                                               {"--cdrom", "a.iso", "--change-cdrom", "b.iso@step:1"},
                                               {"--cdrom", "a.iso", "--headless", "--change-cdrom", "b.iso"}})
        EXPECT_FALSE(parse_line(line)) << line[0] << " " << line[1];
}

TEST(Options, WhatIsWrongOrNotThereYetIsUsage) {
    const std::vector<std::vector<const char*>> lines = {{"--no-such-option"},
                                                         {"stray"},
                                                         {"-m", "31M"},
                                                         {"-m", "65G"},
                                                         {"-m", "huge"},
                                                         {"--cpus", "0"},
                                                         {"--cpus", "9"},
                                                         {"--cpu", "v5"},
                                                         {"--cpu", "V3"},
                                                         {"--cpu", "z80"},
                                                         {"--timing", "detailed"},
                                                         {"--boot", "cdrom"},
                                                         {"--boot", "floppy", "--cdrom", "x.iso"},
                                                         {"--serial", "com2"},
                                                         {"--until", "soon"},
                                                         {"--until", "wrote:0x10"},
                                                         {"--break", "wrote:0x10"},
                                                         {"--break", "step:"},
                                                         {"--last", "syscall:nothing"},
                                                         {"--last", "step:3", "--history", "off"},
                                                         {"--gdb", "70000"},
                                                         {"--events", "sycall"},
                                                         {"--trace", "x"},
                                                         {"--json"},
                                                         {"--record", "a", "--replay", "b"},
                                                         {"--replay", "a", "-m", "64M"},
                                                         {"--log", "loud"},
                                                         {"--limit-seconds", "-1"},
                                                         {"--limit-steps", "many"}};
    for (const auto& line : lines) {
        auto result = parse_line(line);
        ASSERT_FALSE(result) << line[0];
        EXPECT_EQ(result.error().status, Exit::Usage) << line[0];
        EXPECT_EQ(result.error().message.find('\n'), std::string::npos) << result.error().message;
    }
    EXPECT_NE(parse_line({"--timing", "detailed"}).error().message.find("is not there yet"),
              std::string::npos);
}

TEST(Options, PromptsAreRecognised) {
    EXPECT_TRUE(ends_with_prompt("hello\r\nvitrine# "));
    EXPECT_TRUE(ends_with_prompt("/ # "));
    EXPECT_FALSE(ends_with_prompt("# ")); // a table's head begins so: "# name"
    EXPECT_FALSE(ends_with_prompt("vitrine# ls"));
    EXPECT_FALSE(ends_with_prompt("[    0.1] item # "));
    EXPECT_FALSE(ends_with_prompt("## "));
}
