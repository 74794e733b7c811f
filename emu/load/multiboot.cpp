// The headers of Multiboot 1 (specification 0.6.96 §3.1) and Multiboot 2 (specification 2.0 §3.1).
#include <algorithm>
#include <array>
#include <cstring>
#include <fmt/format.h>
#include "emu/load/boot_image.h"

namespace vitrine::emu {

namespace {

constexpr u32 Header1 = 0x1BADB002, Header2 = 0xE85250D6;
constexpr std::size_t Search1 = 8192, Search2 = 32768;
constexpr u32 DefaultWidth = 1024, DefaultHeight = 768, DefaultDepth = 32;

u32 get32(std::span<const u8> image, std::size_t at) {
    u32 value = 0;
    std::memcpy(&value, image.data() + at, sizeof value);
    return value;
}

std::optional<std::size_t> find_header1(std::span<const u8> image) {
    for (std::size_t at = 0; at + 12 <= std::min(image.size(), Search1); at += 4)
        if (get32(image, at) == Header1 &&
            get32(image, at) + get32(image, at + 4) + get32(image, at + 8) == 0)
            return at;
    return std::nullopt;
}
std::optional<std::size_t> find_header2(std::span<const u8> image) {
    for (std::size_t at = 0; at + 16 <= std::min(image.size(), Search2); at += 8)
        if (get32(image, at) == Header2 &&
            get32(image, at) + get32(image, at + 4) + get32(image, at + 8) + get32(image, at + 12) == 0)
            return at;
    return std::nullopt;
}

Error wrong(const std::string& path, std::string_view what) {
    return {Exit::BadInput, fmt::format("kernel {}: Multiboot: {}", path, what)};
}

void want_framebuffer(ImageWishes& wishes, u32 width, u32 height, u32 depth) {
    wishes.width = width ? width : DefaultWidth;
    wishes.height = height ? height : DefaultHeight;
    wishes.depth = depth ? depth : DefaultDepth;
}

/// The image without ELF: which part of the file goes where.
Expected<LoadPlan::Segment> flat_segment(const std::string& path, std::span<const u8> image,
                                         std::size_t header, u32 header_address, u32 load, u32 load_end,
                                         u32 bss_end) {
    if (load > header_address || header_address - load > header)
        return std::unexpected(wrong(path, "the addresses in its header point before the file"));
    const std::size_t offset = header - (header_address - load);
    const u64 size = load_end ? u64{load_end} - load : image.size() - offset;
    if ((load_end && load_end < load) || size > image.size() - offset)
        return std::unexpected(wrong(path, "the addresses in its header point behind the file"));
    if (bss_end && bss_end < load + size) return std::unexpected(wrong(path, "its bss ends before its data"));
    return LoadPlan::Segment{load, bss_end ? bss_end - load : size, image.subspan(offset, size)};
}

Expected<ImageWishes> read1(const std::string& path, std::span<const u8> image) {
    const std::size_t at = *find_header1(image);
    const u32 flags = get32(image, at + 4);
    ImageWishes out;
    out.kind = roms::ImageKind::Multiboot1;
    if (flags & 0xFFF8)
        return std::unexpected(
            wrong(path, fmt::format("it needs features that do not exist (flags {:#x})", flags)));
    const bool addresses = flags & 0x10000, video = flags & 4;
    if (at + (video ? 48u : addresses ? 32u : 12u) > image.size())
        return std::unexpected(wrong(path, "its header is cut off"));
    if (addresses) {
        auto segment = flat_segment(path, image, at, get32(image, at + 12), get32(image, at + 16),
                                    get32(image, at + 20), get32(image, at + 24));
        if (!segment) return std::unexpected(segment.error());
        out.flat = *segment;
        out.entry = get32(image, at + 28);
    }
    // Mode type 1 asks for text, which is what there is.
    if (video && get32(image, at + 32) == 0)
        want_framebuffer(out, get32(image, at + 36), get32(image, at + 40), get32(image, at + 44));
    return out;
}

Expected<ImageWishes> read2(const std::string& path, std::span<const u8> image) {
    enum {
        Requests = 1,
        Addresses = 2,
        Entry = 3,
        Console = 4,
        Framebuffer = 5,
        ModuleAlign = 6,
        Relocatable = 10
    };
    const std::size_t header = *find_header2(image);
    const u32 length = get32(image, header + 8);
    ImageWishes out;
    out.kind = roms::ImageKind::Multiboot2;
    if (get32(image, header + 4) != 0) return std::unexpected(wrong(path, "it is not for i386"));
    if (length > image.size() - header) return std::unexpected(wrong(path, "its header is cut off"));
    std::optional<std::array<u32, 4>> addresses;
    for (std::size_t at = header + 16; at + 8 <= header + length;) {
        const u32 word = get32(image, at), size = get32(image, at + 4);
        const unsigned type = word & 0xFFFF;
        const bool optional = word >> 16 & 1;
        if (type == 0) break;
        if (size < 8 || size > header + length - at)
            return std::unexpected(wrong(path, fmt::format("header tag {} has an impossible size", type)));
        const auto needs = [&](u32 bytes) { return size >= bytes; };
        const auto field = [&](u32 index) { return get32(image, at + 8 + 4 * index); };
        switch (type) {
        case Requests:
            for (u32 i = 0; 12 + 4 * i <= size; ++i) {
                using namespace roms::multiboot2;
                constexpr u32 Known[] = {CommandLine, LoaderName,  Module,  BasicMemory, MemoryMap,
                                         Framebuffer, ElfSections, AcpiOld, AcpiNew,     LoadBase};
                if (!optional && std::ranges::find(Known, field(i)) == std::end(Known))
                    return std::unexpected(wrong(
                        path, fmt::format("it requires information tag {}, which is not made", field(i))));
            }
            break;
        case Addresses:
            if (!needs(24)) return std::unexpected(wrong(path, "its address tag is cut off"));
            addresses = {field(0), field(1), field(2), field(3)};
            break;
        case Entry:
            if (!needs(12)) return std::unexpected(wrong(path, "its entry tag is cut off"));
            out.entry = field(0);
            break;
        case Framebuffer:
            if (!needs(20)) return std::unexpected(wrong(path, "its framebuffer tag is cut off"));
            want_framebuffer(out, field(0), field(1), field(2));
            break;
        case Console:
        case ModuleAlign:
        case Relocatable: break;
        default:
            if (!optional)
                return std::unexpected(
                    wrong(path, fmt::format("it requires header tag {}, which is not supported", type)));
        }
        at += (u64{size} + 7) & ~u64{7};
    }
    if (addresses) {
        const auto [header_address, load, load_end, bss_end] = *addresses;
        auto segment = flat_segment(path, image, header, header_address, load, load_end, bss_end);
        if (!segment) return std::unexpected(segment.error());
        if (!out.entry) return std::unexpected(wrong(path, "it gives addresses without an entry"));
        out.flat = *segment;
    }
    return out;
}

} // namespace

std::optional<roms::ImageKind> boot_image_kind(std::span<const u8> image) {
    // GRUB's order: the newer protocol where an image has both.
    if (find_header2(image)) return roms::ImageKind::Multiboot2;
    if (find_header1(image)) return roms::ImageKind::Multiboot1;
    if (pvh_entry(image) != 0) return roms::ImageKind::Pvh;
    return std::nullopt;
}

Expected<ImageWishes> read_multiboot_header(const std::string& path, std::span<const u8> image,
                                            roms::ImageKind kind) {
    return kind == roms::ImageKind::Multiboot1 ? read1(path, image) : read2(path, image);
}

} // namespace vitrine::emu
