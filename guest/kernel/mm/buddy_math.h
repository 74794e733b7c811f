// The arithmetic of the buddy system (Knuth, TAOCP 1, 2.5): a block of order k starts at a multiple of 2^k
// pages, and its buddy differs in bit k alone.
#pragma once

#include "lib/types.h"

namespace kernel {

inline constexpr unsigned MaxOrder = 10;
inline constexpr unsigned MAX_ORDER = MaxOrder + 1;

constexpr u64 buddy_of(u64 frame, unsigned order) { return frame ^ (u64{1} << order); }
constexpr u64 merged_block(u64 frame, unsigned order) { return frame & ~(u64{1} << order); }
constexpr unsigned order_for_pages(u64 pages) { return log2_ceil(pages); }

/// The largest order whose block may start at `frame` and does not pass `end`.
constexpr unsigned largest_order(u64 frame, u64 end) {
    unsigned order = frame ? static_cast<unsigned>(__builtin_ctzll(frame)) : MaxOrder;
    order = min(order, MaxOrder);
    while (order && frame + (u64{1} << order) > end) order--;
    return order;
}

struct Watermarks {
    u64 minimum, low, high;
};

/// Linux's init_per_zone_wmark_min: min_free_kbytes = sqrt(16 × lowmem KiB), shared out in proportion to the
/// zones' sizes; low is a quarter above the minimum, high a half.
constexpr Watermarks zone_watermarks(u64 zone_pages, u64 all_pages) {
    u64 target = all_pages * 4 * 16, root = 0;
    for (u64 bit = u64{1} << 31; bit; bit >>= 1)
        if ((root + bit) * (root + bit) <= target) root += bit;
    u64 kbytes = clamp<u64>(root, 128, 262144);
    u64 minimum = all_pages ? kbytes / 4 * zone_pages / all_pages : 0;
    return {minimum, minimum + minimum / 4, minimum + minimum / 2};
}

} // namespace kernel
