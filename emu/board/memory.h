// GuestMemory — the machine's RAM: one lazily committed host mapping, seen by the guest below 2 GiB and above
// 4 GiB.
//
// Invariants: the host address of a guest page never changes while the machine lives. A page that the guest
// never wrote is zero. serialize() and digests see only pages that are not zero, in order, so they depend on
// contents alone.
#pragma once
#include <algorithm>
#include <span>
#include <vector>
#include "cpu/base/archive.h"
#include "cpu/base/types.h"

namespace vitrine::emu {

inline constexpr u64 PageBytes = 4096;
inline constexpr u64 LowMemoryLimit = 0x8000'0000; ///< RAM below 4 GiB ends here at most (docs/board.md)
inline constexpr u64 HighMemoryBase = 0x1'0000'0000;
inline constexpr u64 SmallestMemory = 32ull << 20;
inline constexpr u64 LargestMemory = 64ull << 30;

/// Nothing, or why a machine cannot have this much RAM.
Expected<void> check_memory_size(u64 bytes);
bool page_is_zero(const u8* page);

class GuestMemory {
public:
    static Expected<GuestMemory> create(u64 bytes);
    GuestMemory(GuestMemory&& other) noexcept;
    GuestMemory& operator=(GuestMemory&&) = delete;
    ~GuestMemory();

    u64 size() const { return size_; }
    u64 low_size() const { return size_ < LowMemoryLimit ? size_ : LowMemoryLimit; }
    u64 high_size() const { return size_ - low_size(); }
    /// The host address of a guest physical byte, or nullptr where there is no RAM. Ignores holes below 1
    /// MiB: the board decides what lies over them.
    u8* at(u64 pa) const {
        if (pa < low_size()) return base_ + pa;
        if (pa >= HighMemoryBase && pa - HighMemoryBase < high_size())
            return base_ + low_size() + (pa - HighMemoryBase);
        return nullptr;
    }
    /// The number of the page in order of host memory: what FrameFlags know it by. Only where at() is memory.
    u32 frame(u64 pa) const {
        return static_cast<u32>((pa < low_size() ? pa : pa - HighMemoryBase + low_size()) / PageBytes);
    }
    u32 frames() const { return static_cast<u32>(size_ / PageBytes); }
    /// The page of a frame below frames().
    const u8* page(u32 frame) const { return base_ + u64{frame} * PageBytes; }
    void clear();
    void serialize(Archive& archive);
    /// Calls `visit(frame, page)` for every page that is not zero, in order. Pages that the host never gave
    /// are not looked at: a large machine that has touched little is quick to go through.
    template <class Visit> void each_used_page(Visit&& visit) const {
        std::vector<u8> backed;
        constexpr u64 Batch = 1 << 16;
        for (u64 first = 0; first < frames(); first += Batch) {
            const u64 count = std::min<u64>(Batch, frames() - first);
            backed_pages(first, count, backed);
            for (u64 i = 0; i < count; ++i) {
                if (!backed[i]) continue;
                const u8* page = base_ + (first + i) * PageBytes;
                if (!page_is_zero(page)) visit(static_cast<u32>(first + i), page);
            }
        }
    }

private:
    GuestMemory(u8* base, u64 size) : base_(base), size_(size) {}
    void backed_pages(u64 first, u64 count, std::vector<u8>& backed) const;
    u8* base_;
    u64 size_;
};

} // namespace vitrine::emu
