// Reading and writing whole host files, with one clear line when something is wrong.
//
// A regular file is written to a temporary neighbour and renamed, so that a reader never sees half of it; it
// keeps its mode, and symbolic links stay and are followed. What is not a regular file (a device, a FIFO) is
// written through.
#pragma once
#include <span>
#include <string>
#include <string_view>
#include <vector>
#include "cpu/base/types.h"

namespace vitrine::emu {

/// `what` names the file's role in the message: "kernel", "firmware".
Expected<std::vector<u8>> read_file(const std::string& path, std::string_view what, u64 limit);
Expected<void> write_file(const std::string& path, std::span<const u8> bytes);
/// A file of Vitrine's own, "guest/vitrine-disk.img": beside the executable, where the build puts it, or in
/// share/vitrine of the prefix that it is installed in (bin/vitrine and share/vitrine move together).
std::string bundled_path(std::string_view relative);
bool file_exists(const std::string& path);
/// Both paths lead to one regular file, through whatever links, or will when it is written.
bool same_file(const std::string& one, const std::string& other);
u64 hash_bytes(std::span<const u8> bytes);

} // namespace vitrine::emu
