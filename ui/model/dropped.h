// What a file is that somebody drops on the window, by its contents: a kernel, a recording, a disk or CD
// image, or nothing that a machine can use — and then what it is instead.
#pragma once
#include <span>
#include <string>
#include <vector>
#include "cpu/base/types.h"

namespace vitrine::ui {

struct Dropped {
    enum class Kind : u8 { Kernel, Recording, Disk, Cdrom, Firmware, Other };
    Kind kind = Kind::Other;
    std::string
        what; ///< "a Linux kernel (bzImage)"; for Other: what it is and that nothing can be done with it
    std::vector<std::string> options; ///< of the machine that it makes
};
/// By the first bytes (64 KiB suffice) and the size of the file.
Dropped recognise(const std::string& path, std::span<const u8> head, u64 size);
/// Reads the file's beginning; folders and unreadable files are said to be that.
Dropped recognise_file(const std::string& path);

} // namespace vitrine::ui
