// zstd frames with a content checksum, for snapshots, overlays and recordings.
//
// decompress() never returns more than `limit` bytes and never trusts the size that a frame states.
#pragma once
#include <span>
#include <vector>
#include "cpu/base/types.h"

namespace vitrine::emu {

std::vector<u8> compress(std::span<const u8> bytes, int level = 1);
/// The same without a checksum of its own, and many times faster for small pieces: for chunks that have one.
std::vector<u8> compress_quickly(std::span<const u8> bytes);
Expected<std::vector<u8>> decompress(std::span<const u8> frame, u64 limit);

} // namespace vitrine::emu
