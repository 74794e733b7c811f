// Direct boot (--kernel). A Multiboot or PVH image: see boot_image.h. A Linux/x86 bzImage: checked, split
// into set-up and payload, and placed as QEMU's loader places it, so that the firmware finds it in fw_cfg
// (items 07h–18h) and starts it.
//
// Implements: Linux Documentation/x86/boot.rst — set-up header 2.00 and later, "zero page" fields 1F1h–264h.
// Invariant: every offset in the file is checked against its size before use.
#pragma once
#include <optional>
#include <string>
#include <vector>
#include "emu/load/boot_image.h"

namespace vitrine::emu {

struct DirectKernel {
    std::vector<u8> setup;   ///< real-mode part, header filled in as a boot loader does
    std::vector<u8> payload; ///< protected-mode part
    std::vector<u8> initrd;
    std::string command_line;
    u32 setup_address = 0x10000, command_line_address = 0x20000, payload_address = 0x100000,
        initrd_address = 0;
    u64 kernel_hash = 0, initrd_hash = 0;
    std::optional<BootImage> image; ///< not a bzImage: only this and the hashes count
};

/// Reads the files; `low_memory` is the RAM below 2 GiB, in which the initrd must find room. `initrd_paths`
/// are separated by commas (a comma in a name is doubled): a bzImage gets them one behind the other, each at
/// a multiple of 4; Multiboot and PVH as modules, where a name may be followed by a blank and arguments.
Expected<DirectKernel> load_kernel(const std::string& kernel_path, const std::string& initrd_paths,
                                   const std::string& command_line, u64 low_memory);

} // namespace vitrine::emu
