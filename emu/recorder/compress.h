// zstd frames with a content checksum, for snapshots, overlays and recordings.
//
// decompress() never returns more than `limit` bytes and never trusts the size that a frame states.
#pragma once
#include <span>
#include <vector>
#include "cpu/base/types.h"

namespace vitrine::emu {

std::vector<u8> compress(std::span<const u8> bytes, int level = 1);
Expected<std::vector<u8>> decompress(std::span<const u8> frame, u64 limit);

} // namespace vitrine::emu
