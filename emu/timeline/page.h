// Page — one immutable copy of 4 KiB that several checkpoints share, and the count of bytes that all copies
// take. Equal contents are kept once, found by their hash; a page of zeroes costs nothing.
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
    ~PageStore();
    /// The 4096 bytes at `bytes`: a copy that is held already, or a new one.
    Page keep(const u8* bytes);
    /// A copy for a short time, or for good: it is not looked for among those that are held.
    Page copy(const u8* bytes);
    /// What keep() would say: a copy that is held already, or this one.
    Page share(Page page);
    const Page& zero() const { return zero_; }
    /// Bytes that live copies take.
    u64 used() const;
    /// How often a copy that was held already served.
    u64 shared() const;

private:
    struct Table;
    struct Release;
    Page zero_;
    std::shared_ptr<Table> table_; ///< outlives every page
};

} // namespace vitrine::emu
