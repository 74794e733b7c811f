// What the machine tells the firmware about a Multiboot or PVH image, in two files of the configuration
// device (fw_cfg): "opt/vitrine/image" holds one BootImageHeader and its segments, "opt/vitrine/image-data"
// the segments' bytes, one behind the other. Shared by the host (emu/load/boot_image) and the firmware
// (bios/boot_image.cpp). Little-endian, no padding. Keep it plain: no includes.
//
// The host has checked and placed everything, the information structure included; the firmware loads the
// segments in order, adds to that structure what only it knows (memory map, ACPI, framebuffer), and jumps.
#pragma once

namespace vitrine::roms {

enum class ImageKind : unsigned { Multiboot1 = 1, Multiboot2 = 2, Pvh = 3 };

struct BootImageHeader {
    static constexpr unsigned Magic = 0x474d4956; // "VIMG"
    unsigned magic;
    ImageKind kind;
    unsigned entry;       ///< physical, entered in 32-bit protected mode without paging
    unsigned information; ///< where the information structure lies; page-aligned
    unsigned spare, room; ///< bytes that the firmware may use; with Multiboot 2 right behind the host's tags
    unsigned width, height; ///< of the linear framebuffer that the image asks for; 0: text
    unsigned depth;
    unsigned segments;
};
struct BootImageSegment {
    unsigned address, file_size, memory_size; ///< the rest of memory_size is zeroed
};
inline constexpr unsigned MostImageSegments = 64;

// Fixed parts of the information structures.
namespace multiboot1 {
inline constexpr unsigned Magic = 0x2badb002;
inline constexpr unsigned HasMemory = 1, HasCommandLine = 4, HasModules = 8, HasElf = 32, HasMap = 64,
                          HasLoaderName = 512, HasFramebuffer = 4096;
struct [[gnu::packed]] Information { // Multiboot 0.6.96 §3.3
    unsigned flags, memory_lower, memory_upper, boot_device, command_line, modules_count, modules;
    unsigned elf_count, elf_size, elf_address, elf_names;
    unsigned map_length, map_address, drives_length, drives_address, configuration, loader_name, apm;
    unsigned vbe_control, vbe_mode;
    unsigned short vbe_number, vbe_segment, vbe_offset, vbe_length;
    unsigned long long framebuffer;
    unsigned pitch, width, height;
    unsigned char depth, type, red_at, red_size, green_at, green_size, blue_at, blue_size;
};
static_assert(sizeof(Information) == 116);
struct Module {
    unsigned start, end, text, reserved;
};
} // namespace multiboot1

namespace multiboot2 {
inline constexpr unsigned Magic = 0x36d76289;
enum Tag : unsigned { // Multiboot 2 §3.6
    End = 0,
    CommandLine = 1,
    LoaderName = 2,
    Module = 3,
    BasicMemory = 4,
    MemoryMap = 6,
    Framebuffer = 8,
    ElfSections = 9,
    AcpiOld = 14,
    AcpiNew = 15,
    LoadBase = 21,
};
} // namespace multiboot2

namespace pvh {
inline constexpr unsigned Magic = 0x336ec578; // Xen public/arch-x86/hvm/start_info.h, version 1
struct StartInfo {
    unsigned magic, version, flags, modules_count;
    unsigned long long modules, command_line, rsdp, map;
    unsigned map_count, reserved;
};
static_assert(sizeof(StartInfo) == 56);
struct Module {
    unsigned long long address, size, command_line, reserved;
};
struct MapEntry {
    unsigned long long start, size;
    unsigned type, reserved;
};
} // namespace pvh

} // namespace vitrine::roms
