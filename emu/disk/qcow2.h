// qcow2 images, versions 2 and 3, read only: QEMU's docs/interop/qcow2.txt.
//
// Read: standard, zero and compressed clusters (deflate, Zstandard), extended entries with subclusters,
// backing files of either format. Refused with a line: encryption, data in another file, features that are
// not known. Internal snapshots are not looked at: the disk is the active one.
//
// Invariants: all tables were checked when the image was opened (place, order, range), and are again when
// they are read again. Nothing that a table says is trusted as an address in the host.
#pragma once
#include <array>
#include "emu/disk/image.h"

namespace vitrine::emu {

inline constexpr std::array<u8, 4> Qcow2Magic{'Q', 'F', 'I', 0xFB};

/// The files that were opened so far, each backed by the next.
using BackingChain = std::vector<std::string>;
inline constexpr std::size_t LongestChain = 64;

/// open_image() for a file that may back another.
Expected<std::unique_ptr<Image>> open_in_chain(const std::string& path, ImageFormat format,
                                               BackingChain& chain);
Expected<std::unique_ptr<Image>> open_qcow2(HostFile file, const std::string& path, BackingChain& chain);

} // namespace vitrine::emu
