// Page — one immutable copy of 4 KiB that several checkpoints share, and the count of bytes that all copies
// take. A page of zeroes costs nothing.
#pragma once
#include <array>
#include <memory>
#include <span>
#include "cpu/base/types.h"

namespace vitrine::emu {

class PageStore {
public:
    static constexpr std::size_t Bytes = 4096;
    using Content = std::array<u8, Bytes>;
    using Page = std::shared_ptr<const Content>;

    PageStore();
    /// A copy of the 4096 bytes at `bytes`.
    Page keep(const u8* bytes);
    const Page& zero() const { return zero_; }
    /// Bytes that live copies take.
    u64 used() const { return *used_; }

private:
    Page zero_;
    std::shared_ptr<u64> used_; ///< outlives every page
};

} // namespace vitrine::emu
