// Range lists and the early allocator; see memblock.h.
#include "mm/memblock.h"

namespace kernel {

constinit Memblock memblock = {};

bool RangeList::add(u64 base, u64 size) {
    if (!size) return true;
    u64 end = base + size;
    // Swallow every range that overlaps or touches the new one, then insert the union in its place.
    unsigned keep = 0;
    for (unsigned i = 0; i < count; i++) {
        if (ranges[i].end() < base || ranges[i].base > end) {
            ranges[keep++] = ranges[i];
            continue;
        }
        base = min(base, ranges[i].base);
        end = max(end, ranges[i].end());
    }
    count = keep;
    if (count == Capacity) return false;
    unsigned at = 0;
    while (at < count && ranges[at].base < base) at++;
    for (unsigned i = count; i > at; i--) ranges[i] = ranges[i - 1];
    ranges[at] = {base, end - base};
    count++;
    return true;
}

bool RangeList::overlaps(u64 base, u64 end) const {
    for (unsigned i = 0; i < count; i++)
        if (ranges[i].base < end && base < ranges[i].end()) return true;
    return false;
}

MemoryRange Memblock::next_free(u64 from) const {
    for (unsigned m = 0; m < memory.count; m++) {
        u64 base = max(from, memory.ranges[m].base), end = memory.ranges[m].end();
        for (unsigned r = 0; r < reserved.count && base < end; r++) {
            const MemoryRange& taken = reserved.ranges[r];
            if (taken.end() <= base) continue;
            if (taken.base > base) {
                end = min(end, taken.base);
                break;
            }
            base = taken.end();
        }
        if (base < end) return {base, end - base};
    }
    return {};
}

u64 Memblock::allocate(u64 size, u64 alignment, u64 limit) {
    u64 best = 0;
    for (MemoryRange free = next_free(0); free.size; free = next_free(free.end())) {
        u64 end = min(free.end(), limit);
        if (end < size) continue;
        u64 base = align_down(end - size, alignment);
        if (base >= free.base && end > free.base) best = max(best, base);
    }
    if (best && !reserved.add(best, size)) return 0;
    return best;
}

} // namespace kernel
