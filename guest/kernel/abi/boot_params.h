// The zero page of the Linux/x86 boot protocol (Documentation/arch/x86/zero-page.rst): the fields that the
// kernel reads.
#pragma once

#include "lib/types.h"

namespace kernel {

struct [[gnu::packed]] E820Entry {
    u64 address;
    u64 size;
    u32 type; ///< 1 RAM, 2 reserved, 3 ACPI data, 4 ACPI NVS, 5 unusable
};
static_assert(sizeof(E820Entry) == 20);

struct [[gnu::packed]] BootParams {
    u8 screen_info[0x40];
    u8 pad0[0x70 - 0x40];
    u64 acpi_rsdp_address; ///< 0x070
    u8 pad1[0x1E8 - 0x78];
    u8 e820_entries; ///< 0x1E8
    u8 pad2[0x1F1 - 0x1E9];
    u8 header_start[0x210 - 0x1F1];
    u8 type_of_loader; ///< 0x210
    u8 loadflags;
    u8 pad3[0x218 - 0x212];
    u32 ramdisk_image; ///< 0x218
    u32 ramdisk_size;
    u8 pad4[0x228 - 0x220];
    u32 cmd_line_ptr; ///< 0x228
    u8 pad5[0x2D0 - 0x22C];
    E820Entry e820_table[128]; ///< 0x2D0
    u8 pad6[0x1000 - 0x2D0 - 128 * 20];
};
static_assert(sizeof(BootParams) == 4096);
static_assert(offsetof(BootParams, acpi_rsdp_address) == 0x70);
static_assert(offsetof(BootParams, e820_entries) == 0x1E8);
static_assert(offsetof(BootParams, ramdisk_image) == 0x218);
static_assert(offsetof(BootParams, cmd_line_ptr) == 0x228);
static_assert(offsetof(BootParams, e820_table) == 0x2D0);

} // namespace kernel
