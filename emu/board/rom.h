// Rom — the firmware image, which ends at 4 GiB and whose end is seen again below 1 MiB.
//
// Invariant: 64 KiB to 256 KiB, a multiple of 64 KiB (docs/board.md). It lies in pages that the processor may
// execute from, and is never written.
#pragma once
#include <memory>
#include <string>
#include <string_view>
#include "cpu/base/types.h"

namespace vitrine::emu {

class Rom {
public:
    static constexpr u64 Largest = 256 << 10;
    static constexpr u64 End = 0x1'0000'0000;
    static constexpr u64 ShadowEnd = 0x10'0000, ShadowStart = 0xC'0000;

    Rom() = default;
    /// Reads and checks a firmware file.
    static Expected<Rom> load(const std::string& path);

    u64 size() const { return size_; }
    /// True when the text stands somewhere in it: what this firmware knows by name.
    bool contains(std::string_view text) const {
        return std::string_view(reinterpret_cast<const char*>(bytes_.get()), size_).contains(text);
    }
    u64 hash() const { return hash_; }
    u8* high(u64 pa) const {
        return pa < End && pa >= End - size_ ? bytes_.get() + (pa - (End - size_)) : nullptr;
    }
    /// What C0000–FFFFF shows while PAM points it at the ROM.
    u8* low(u64 pa) const {
        return pa < ShadowEnd && pa >= ShadowStart && ShadowEnd - pa <= size_
                   ? bytes_.get() + (size_ - (ShadowEnd - pa))
                   : nullptr;
    }

private:
    std::unique_ptr<u8[]> bytes_;
    u64 size_ = 0, hash_ = 0;
};

} // namespace vitrine::emu
