// Files that are dropped: see dropped.h. Marks: Documentation/arch/x86/boot.rst ("HdrS" at 202h), Multiboot
// 0.6.96 3.1.1 and Multiboot2 3.1.1, ECMA-119 8.1 ("CD001" in sector 16), the boot signature of the IBM PC,
// emu/recorder/format.h.
#include "ui/model/dropped.h"
#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fmt/format.h>
#include <fstream>
#include "emu/recorder/format.h"

namespace vitrine::ui {

namespace {
constexpr std::size_t HeadBytes = 64 << 10;
constexpr u64 MostFirmware = 16 << 20;

u32 word(std::span<const u8> head, std::size_t at) {
    u32 value = 0;
    if (at + 4 <= head.size()) std::memcpy(&value, head.data() + at, 4);
    return value;
}
bool mark(std::span<const u8> head, std::size_t at, std::string_view text) {
    return at + text.size() <= head.size() && std::memcmp(head.data() + at, text.data(), text.size()) == 0;
}
bool multiboot(std::span<const u8> head) {
    for (std::size_t at = 0; at + 12 <= std::min<std::size_t>(head.size(), 32768); at += 4) {
        if (word(head, at) == 0x1BADB002 && word(head, at) + word(head, at + 4) + word(head, at + 8) == 0)
            return at < 8192;
        if (at % 8 == 0 && at + 16 <= head.size() && word(head, at) == 0xE85250D6 &&
            word(head, at) + word(head, at + 4) + word(head, at + 8) + word(head, at + 12) == 0)
            return true;
    }
    return false;
}
/// As --disk wants a name.
std::string doubled_commas(std::string_view path) {
    std::string out;
    for (const char c : path) out += c == ',' ? ",," : std::string(1, c);
    return out;
}
} // namespace

Dropped recognise(const std::string& path, std::span<const u8> head, u64 size) {
    using enum Dropped::Kind;
    const std::string name = path.substr(path.rfind('/') + 1);
    const auto other = [&](std::string_view what) {
        return Dropped{
            Other,
            fmt::format(
                "{} is {}; a kernel, a disk or CD image, a firmware or a recording can be dropped here", name,
                what),
            {}};
    };
    if (size == 0) return other("empty");
    if (word(head, 0) == emu::recording::Magic) return {Recording, "a recording: its run begins again", {}};
    if (mark(head, 0x202, "HdrS")) return {Kernel, "a Linux kernel (bzImage)", {"--kernel", path}};
    if (multiboot(head)) return {Kernel, "a Multiboot kernel", {"--kernel", path}};
    if (mark(head, 0x8001, "CD001")) return {Cdrom, "a CD image", {"--cdrom", path, "--boot", "cdrom"}};
    if (mark(head, 0,
             "\x7F"
             "ELF"))
        return other("an ELF file without a Multiboot header: a program, not a kernel that can be booted");
    if (mark(head, 0, "QFI\xFB")) return other("a qcow2 image (qemu-img convert -O raw makes a disk of it)");
    if (mark(head, 0, "\x89PNG") || mark(head, 0, "\xFF\xD8\xFF")) return other("a picture");
    if (mark(head, 0, "PK\x03\x04") || mark(head, 0, "\x1F\x8B") || mark(head, 0, "\x28\xB5\x2F\xFD") ||
        mark(head, 0,
             "\xFD"
             "7zXZ"))
        return other("packed: unpack it first");
    // The signature stands in boot sectors and in firmware's option ROMs' neighbours alike; a disk has whole
    // sectors and more of them.
    if (size >= 1024 && size % 512 == 0 && head.size() >= 512 && head[510] == 0x55 && head[511] == 0xAA)
        return {Disk, "a disk image, as a read-only disk", {"--disk", doubled_commas(path) + ",readonly"}};
    if (size >= 65536 && size <= MostFirmware && (size & (size - 1)) == 0 && path.ends_with(".bin"))
        return {Firmware, "a firmware image", {"--bios", path}};
    if (std::ranges::all_of(head.first(std::min<std::size_t>(head.size(), 4096)),
                            [](u8 c) { return c == '\n' || c == '\r' || c == '\t' || c >= ' '; }))
        return other("text");
    return other("of no kind that is known here");
}

Dropped recognise_file(const std::string& path) {
    std::error_code error;
    const std::string name = path.substr(path.rfind('/') + 1);
    if (std::filesystem::is_directory(path, error)) return {Dropped::Kind::Other, name + " is a folder", {}};
    if (!std::filesystem::is_regular_file(path, error))
        return {Dropped::Kind::Other, name + " is no file that can be read", {}};
    const u64 size = std::filesystem::file_size(path, error);
    std::ifstream file(path, std::ios::binary);
    std::vector<u8> head(std::min<u64>(size, HeadBytes));
    if (!file.read(reinterpret_cast<char*>(head.data()), static_cast<std::streamsize>(head.size())))
        return {Dropped::Kind::Other, name + " cannot be read", {}};
    return recognise(path, head, size);
}

} // namespace vitrine::ui
