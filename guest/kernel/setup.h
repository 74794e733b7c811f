// What the boot loader handed over, as start_kernel keeps it.
#pragma once

#include "abi/boot_params.h"

namespace kernel {

extern const char kernel_banner[];
extern char command_line[2048];
extern unsigned e820_count;
extern u64 initrd_start, initrd_size; ///< what the boot loader has brought along; physical
extern E820Entry e820_table[128];
const char* e820_type_name(u32 type);

/// The value of "name=" on the command line; the last one counts.
bool command_line_value(const char* name, char* out, usize capacity);
bool command_line_flag(const char* name);
/// Whether "name=value" is given, also as "name=value,options".
bool command_line_lists(const char* name, const char* value);

/// E820 → memblock, ACPI, final page tables, zones.
void setup_arch(u64 boot_params_physical);

} // namespace kernel
