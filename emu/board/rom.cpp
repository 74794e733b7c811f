// Rom: see rom.h.
#include "emu/board/rom.h"
#include <algorithm>
#include <fmt/format.h>
#include "emu/load/files.h"

namespace vitrine::emu {

Expected<Rom> Rom::load(const std::string& path) {
    auto bytes = read_file(path, "firmware", 64 << 20);
    if (!bytes) return std::unexpected(bytes.error());
    const u64 size = bytes->size();
    if (size == 0) return bad_input(fmt::format("firmware {} is empty", path));
    if (size % (64 << 10))
        return bad_input(
            fmt::format("firmware {} is truncated: {} bytes are not a multiple of 64 KiB", path, size));
    if (size > Largest)
        return bad_input(
            fmt::format("firmware {} is too large: {} KiB, and the board takes 256 KiB", path, size >> 10));
    Rom rom;
    rom.size_ = size;
    rom.hash_ = hash_bytes(*bytes);
    rom.bytes_ = std::make_unique<u8[]>(size);
    std::ranges::copy(*bytes, rom.bytes_.get());
    return rom;
}

} // namespace vitrine::emu
