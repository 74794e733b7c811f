// bzImage checks and placement: see kernel_image.h.
#include "emu/load/kernel_image.h"
#include <algorithm>
#include <cstring>
#include <fmt/format.h>
#include "emu/load/files.h"

namespace vitrine::emu {

namespace {

// Offsets of the set-up header, boot.rst "The Real-Mode Kernel Header".
enum : std::size_t {
    SetupSectors = 0x1F1,
    BootFlag = 0x1FE,
    HeaderMagic = 0x202,
    Protocol = 0x206,
    LoaderType = 0x210,
    LoadFlags = 0x211,
    RamdiskImage = 0x218,
    RamdiskSize = 0x21C,
    HeapEnd = 0x224,
    CommandLine = 0x228,
    InitrdMaximum = 0x22C,
    CommandLineSize = 0x238,
    HeaderEnd = 0x268,
};
constexpr u64 LargestKernel = 512ull << 20, LargestInitrd = 2ull << 30;

u32 get32(const std::vector<u8>& bytes, std::size_t at) {
    u32 value = 0;
    std::memcpy(&value, bytes.data() + at, sizeof value);
    return value;
}
u16 get16(const std::vector<u8>& bytes, std::size_t at) {
    return static_cast<u16>(bytes[at] | bytes[at + 1] << 8);
}
template <class T> void put(std::vector<u8>& bytes, std::size_t at, T value) {
    std::memcpy(bytes.data() + at, &value, sizeof value);
}

/// The list of --initrd: names between commas.
std::vector<std::string> split(const std::string& list) {
    std::vector<std::string> out;
    if (list.empty()) return out;
    out.emplace_back();
    for (std::size_t i = 0; i < list.size(); ++i) {
        if (list[i] != ',')
            out.back() += list[i];
        else if (i + 1 < list.size() && list[i + 1] == ',')
            out.back() += list[++i];
        else
            out.emplace_back();
    }
    return out;
}

Expected<std::vector<BootModule>> read_modules(const std::string& list, bool with_arguments) {
    std::vector<BootModule> out;
    for (const std::string& text : split(list)) {
        // A blank may belong to the name.
        std::string path = text;
        if (const auto blank = text.find(' '); with_arguments && blank != text.npos && !file_exists(text))
            path.resize(blank);
        auto bytes = read_file(path, "initrd", LargestInitrd);
        if (!bytes) return std::unexpected(bytes.error());
        out.push_back({text, std::move(*bytes)});
    }
    return out;
}

Expected<DirectKernel> load_image(const std::string& path, const std::vector<u8>& image,
                                  const std::string& initrd_paths, const std::string& command_line,
                                  u64 low_memory) {
    auto modules = read_modules(initrd_paths, true);
    if (!modules) return std::unexpected(modules.error());
    auto made = make_boot_image(path, image, *modules, command_line, low_memory);
    if (!made) return std::unexpected(made.error());
    DirectKernel out;
    out.kernel_hash = hash_bytes(image);
    std::vector<u8> all;
    for (const BootModule& module : *modules) {
        all.insert(all.end(), module.text.begin(), module.text.end());
        all.insert(all.end(), module.bytes.begin(), module.bytes.end());
    }
    if (!modules->empty()) out.initrd_hash = hash_bytes(all);
    out.image = std::move(*made);
    return out;
}

bool is_bzimage(const std::vector<u8>& image) {
    return image.size() >= HeaderEnd && std::memcmp(image.data() + HeaderMagic, "HdrS", 4) == 0;
}

Expected<void> check_format(const std::string& path, const std::vector<u8>& image) {
    if (image.empty()) return bad_input(fmt::format("kernel {} is empty", path));
    if (image.size() >= 4 && std::memcmp(image.data(),
                                         "\x7F"
                                         "ELF",
                                         4) == 0)
        return bad_input(fmt::format("kernel {} is an ELF file with neither a Multiboot header nor a PVH "
                                     "note (Linux: give the bzImage)",
                                     path));
    if (image.size() < HeaderEnd)
        return bad_input(
            fmt::format("kernel {} is truncated: {} bytes hold no set-up header", path, image.size()));
    if (get16(image, BootFlag) != 0xAA55 || std::memcmp(image.data() + HeaderMagic, "HdrS", 4) != 0)
        return bad_input(
            fmt::format("kernel {} is not a Linux bzImage: no boot flag 55AA with \"HdrS\" at 202h", path));
    if (get16(image, Protocol) < 0x0202)
        return bad_input(fmt::format("kernel {} uses boot protocol {}.{:02}; 2.02 or later is needed", path,
                                     get16(image, Protocol) >> 8, get16(image, Protocol) & 0xFF));
    if ((image[LoadFlags] & 1) == 0)
        return bad_input(
            fmt::format("kernel {} is a zImage that loads below 1 MiB, which is not supported", path));
    return {};
}

} // namespace

Expected<DirectKernel> load_kernel(const std::string& kernel_path, const std::string& initrd_paths,
                                   const std::string& command_line, u64 low_memory) {
    auto image = read_file(kernel_path, "kernel", LargestKernel);
    if (!image) return std::unexpected(image.error());
    if (!is_bzimage(*image) && boot_image_kind(*image))
        return load_image(kernel_path, *image, initrd_paths, command_line, low_memory);
    if (auto ok = check_format(kernel_path, *image); !ok) return std::unexpected(ok.error());

    const std::size_t sectors = (*image)[SetupSectors] ? (*image)[SetupSectors] : 4; // boot.rst: 0 means 4
    const std::size_t setup_size = (sectors + 1) * 512;
    // syssize (1F4h) counts the protected-mode part in 16-byte units.
    const u64 stated = u64{get32(*image, 0x1F4)} * 16;
    if (image->size() <= setup_size || image->size() - setup_size + 15 < stated)
        return bad_input(fmt::format("kernel {} is truncated: {} of {} bytes", kernel_path, image->size(),
                                     setup_size + stated));

    DirectKernel kernel;
    kernel.kernel_hash = hash_bytes(*image);
    kernel.setup.assign(image->begin(), image->begin() + static_cast<std::ptrdiff_t>(setup_size));
    kernel.payload.assign(image->begin() + static_cast<std::ptrdiff_t>(setup_size), image->end());
    const u32 limit = get16(*image, Protocol) >= 0x0206 ? get32(*image, CommandLineSize) : 255;
    if (command_line.size() > std::min<u32>(limit, 0xFFFF))
        return usage_error(
            fmt::format("--append has {} characters; this kernel takes {}", command_line.size(), limit));
    kernel.command_line = command_line;
    if (kernel.payload_address + kernel.payload.size() > low_memory)
        return bad_input(
            fmt::format("kernel {} does not fit into {} MiB of memory", kernel_path, low_memory >> 20));

    if (!initrd_paths.empty()) {
        auto files = read_modules(initrd_paths, false);
        if (!files) return std::unexpected(files.error());
        for (const BootModule& file : *files) {
            kernel.initrd.resize((kernel.initrd.size() + 3) & ~std::size_t{3});
            kernel.initrd.insert(kernel.initrd.end(), file.bytes.begin(), file.bytes.end());
        }
        kernel.initrd_hash = hash_bytes(kernel.initrd);
        // As high as the header allows, and below the last MiB, where firmware keeps its ACPI tables.
        const u64 maximum = get16(*image, Protocol) >= 0x0203 ? get32(*image, InitrdMaximum) : 0x37FFFFFF;
        const u64 top = std::min(maximum + 1, low_memory - (1 << 20));
        const u64 floor = kernel.payload_address + kernel.payload.size();
        if (kernel.initrd.size() > top || ((top - kernel.initrd.size()) & ~u64{4095}) < floor)
            return bad_input(fmt::format("initrd {} ({} MiB) does not fit into memory beside the kernel",
                                         initrd_paths, kernel.initrd.size() >> 20));
        kernel.initrd_address = static_cast<u32>((top - kernel.initrd.size()) & ~u64{4095});
    }

    auto& setup = kernel.setup;
    setup[LoaderType] = 0xB0; // what QEMU states; the kernel only prints it
    setup[LoadFlags] |= 0x80; // CAN_USE_HEAP
    put(setup, HeapEnd, static_cast<u16>(kernel.command_line_address - kernel.setup_address - 0x200));
    put(setup, CommandLine, kernel.command_line_address);
    put(setup, RamdiskImage, kernel.initrd_address);
    put(setup, RamdiskSize, static_cast<u32>(kernel.initrd.size()));
    return kernel;
}

} // namespace vitrine::emu
