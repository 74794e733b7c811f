// BlockBackend — the medium behind a drive: 512-byte sectors. The board implements it over images and
// overlays.
//
// Invariants: a caller never passes a range beyond sectors(); spans are whole sectors. False means that the
// medium failed; the drive then reports an uncorrectable error to the guest.
#pragma once
#include <span>
#include "cpu/base/types.h"

namespace vitrine::devices {

inline constexpr u64 SectorSize = 512;

class BlockBackend {
public:
    virtual ~BlockBackend() = default;
    virtual u64 sectors() = 0;
    virtual bool read(u64 lba, std::span<u8> out) = 0;
    virtual bool write(u64 lba, std::span<const u8> data) = 0;
    virtual bool flush() = 0;
    virtual bool read_only() = 0;
};

} // namespace vitrine::devices
