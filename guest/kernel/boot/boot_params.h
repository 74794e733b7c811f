// The boot_params page and its set-up header, as the Linux/x86 boot protocol lays them out
// (Documentation/arch/x86: "boot.rst" for the header, "zero-page.rst" for the page). Shared by set-up,
// decompressor, boot loader and kernel.
//
// Invariants: byte-exact (packed; offsets asserted). Whoever reads one treats every field as hostile: a boot
// loader filled it.
#pragma once

namespace vitrine::boot {

using U8 = unsigned char;
using U16 = unsigned short;
using U32 = unsigned int;
using U64 = unsigned long long;

struct [[gnu::packed]] ScreenInfo {
    U8 cursor_column, cursor_row;
    U16 extended_memory_kib;
    U16 page;
    U8 mode, columns;
    U16 flags;
    U16 ega_bx;
    U16 unused2;
    U8 lines, is_vga;
    U16 character_height;
    U8 rest[0x40 - 0x12];
};
static_assert(sizeof(ScreenInfo) == 0x40);

/// Bits of SetupHeader::load_flags.
inline constexpr U8 LoadedHigh = 0x01, KaslrFlag = 0x02, QuietFlag = 0x20, KeepSegments = 0x40,
                    CanUseHeap = 0x80;
inline constexpr U16 ExtendedKernel64 = 0x0001; ///< xload_flags: 64-bit entry at +200h
inline constexpr U32 HeaderMagic = 0x53726448;  ///< "HdrS"

struct [[gnu::packed]] SetupHeader {
    U8 setup_sectors;
    U16 root_flags;
    U32 system_size;
    U16 ram_size, video_mode, root_device, boot_flag;
    U16 jump;
    U32 magic;
    U16 version;
    U32 real_mode_switch;
    U16 start_system_segment, kernel_version;
    U8 loader_type, load_flags;
    U16 setup_move_size;
    U32 code32_start, ramdisk_image, ramdisk_size, boot_sector_kludge;
    U16 heap_end;
    U8 loader_version_extended, loader_type_extended;
    U32 command_line, initrd_address_max, kernel_alignment;
    U8 relocatable, minimum_alignment;
    U16 xload_flags;
    U32 command_line_size, hardware_subarch;
    U64 hardware_subarch_data;
    U32 payload_offset, payload_length;
    U64 setup_data, preferred_address;
    U32 init_size, handover_offset, kernel_info_offset;
};
static_assert(sizeof(SetupHeader) == 0x26c - 0x1f1);

struct [[gnu::packed]] E820Entry {
    U64 address, size;
    U32 type;
};
static_assert(sizeof(E820Entry) == 20);
inline constexpr U32 E820Ram = 1;
inline constexpr unsigned E820Maximum = 128;

struct [[gnu::packed]] BootParams {
    ScreenInfo screen;
    U8 apm_and_others[0x70 - 0x40];
    U64 acpi_rsdp;
    U8 reserved78[0xc0 - 0x78];
    U32 extended_ramdisk_image, extended_ramdisk_size, extended_command_line;
    U8 reservedcc[0x1e0 - 0xcc];
    U32 alternative_memory_kib, scratch;
    U8 e820_count, edd_count, edd_signatures, keyboard_status, secure_boot, unused1ed[2], sentinel, unused1f0;
    SetupHeader header;
    U8 unused26c[0x2d0 - 0x26c];
    E820Entry e820[E820Maximum];
    U8 rest[0x1000 - 0xcd0];
};
static_assert(sizeof(BootParams) == 4096);
static_assert(__builtin_offsetof(BootParams, header) == 0x1f1);
static_assert(__builtin_offsetof(BootParams, scratch) == 0x1e4);
static_assert(__builtin_offsetof(BootParams, e820) == 0x2d0);
static_assert(__builtin_offsetof(SetupHeader, code32_start) + 0x1f1 == 0x214);
static_assert(__builtin_offsetof(SetupHeader, command_line) + 0x1f1 == 0x228);
static_assert(__builtin_offsetof(SetupHeader, init_size) + 0x1f1 == 0x260);

/// A node of the list at SetupHeader::setup_data.
struct [[gnu::packed]] SetupData {
    U64 next;
    U32 type, length;
};

} // namespace vitrine::boot
