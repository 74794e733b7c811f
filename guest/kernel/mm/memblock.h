// memblock: the allocator of early boot. Two sorted lists of physical ranges, RAM and what of it is taken; an
// allocation is a range of RAM that is not reserved. The buddy allocator takes over from it (mm/zone.cpp).
//
// Invariants: each list is sorted, its ranges do not overlap or touch (touching ranges are merged).
#pragma once

#include "lib/types.h"

namespace kernel {

struct MemoryRange {
    u64 base = 0;
    u64 size = 0;
    u64 end() const { return base + size; }
};

struct RangeList {
    static constexpr unsigned Capacity = 192;
    MemoryRange ranges[Capacity];
    unsigned count = 0;

    /// Adds [base, base + size), merging; false when the list is full.
    bool add(u64 base, u64 size);
    bool overlaps(u64 base, u64 end) const;
};

struct Memblock {
    RangeList memory;
    RangeList reserved;

    /// The highest free, aligned range below `limit`, reserved; 0 when there is none.
    u64 allocate(u64 size, u64 alignment, u64 limit);
    /// The next free range at or after `from`; size 0 at the end.
    MemoryRange next_free(u64 from) const;
};

extern Memblock memblock;

} // namespace kernel
