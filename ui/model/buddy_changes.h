// What the buddy allocator did between two looks at its free lists: blocks that were split, merged, taken,
// given back.
//
// The lists are all that is compared, so a block that was taken and came back in between is not seen; from
// one step or breakpoint to the next, nothing is missed but that. Invariants: every free page of either look
// is accounted for by at most one change; bounded by the number of blocks.
#pragma once
#include <string>
#include <vector>
#include "cpu/base/types.h"

namespace vitrine::ui {

struct BuddyBlock {
    u64 frame = 0;
    u8 order = 0;
    bool operator==(const BuddyBlock&) const = default;
};
struct BuddyChange {
    enum class Kind : u8 { Split, Taken, Merged, GivenBack };
    Kind kind{};
    BuddyBlock block;              ///< the one that went (Split, Taken), or that is there now
    std::vector<BuddyBlock> parts; ///< what is left of it; what it was made of
    u64 pages = 0; ///< Split, Taken: that were taken out of it; Merged, GivenBack: that were given back
    std::string text() const;
};
/// Both in any order; blocks within one list do not overlap, or the overlapping ones are left out.
std::vector<BuddyChange> buddy_changes(std::vector<BuddyBlock> before, std::vector<BuddyBlock> now);

} // namespace vitrine::ui
