// What the allocator did between two looks, against one that is simulated: random allocations and frees of a
// buddy allocator that writes down what it does itself.
#include "ui/model/buddy_changes.h"
#include <algorithm>
#include <gtest/gtest.h>
#include <map>
#include <random>

namespace vitrine::ui {
namespace {

using enum BuddyChange::Kind;

TEST(BuddyChanges, SplitsMergesAndWholeBlocks) {
    // A page out of a block of eight: 4 + 2 + 1 are left.
    auto changes = buddy_changes({{8, 3}}, {{12, 2}, {10, 1}, {9, 0}});
    ASSERT_EQ(changes.size(), 1u);
    EXPECT_EQ(changes[0].kind, Split);
    EXPECT_EQ(changes[0].pages, 1u);
    EXPECT_EQ(changes[0].text(),
              "frame 8, order 3: split, 1 pages taken; left: 9 (order 0), 10 (order 1), 12 (order 2)");
    changes = buddy_changes({{12, 2}, {10, 1}, {9, 0}}, {{8, 3}});
    ASSERT_EQ(changes.size(), 1u);
    EXPECT_EQ(changes[0].kind, Merged);
    EXPECT_EQ(changes[0].pages, 1u);
    EXPECT_EQ(buddy_changes({{0, 0}}, {}).at(0).kind, Taken);
    EXPECT_EQ(buddy_changes({}, {{0, 0}}).at(0).kind, GivenBack);
    EXPECT_TRUE(buddy_changes({{0, 3}, {16, 1}}, {{16, 1}, {0, 3}}).empty());
}

TEST(BuddyChanges, DamagedListsAreBounded) {
    // Overlapping blocks, orders beyond reason, frames at the end of numbers.
    const auto changes = buddy_changes({{0, 3}, {1, 0}, {0, 200}, {~u64{0}, 0}}, {{4, 2}, {4, 2}, {5, 1}});
    u64 parts = 0;
    for (const auto& change : changes) parts += change.parts.size();
    EXPECT_LE(parts, 8u);
}

/// A buddy allocator as in the books.
struct Buddy {
    static constexpr u8 Orders = 6;
    std::map<u64, u8> free{{0, Orders - 1}, {32, Orders - 1}}, taken;
    u64 splits = 0, merges = 0;
    void allocate(u8 order) {
        for (u8 from = order; from < Orders; ++from)
            for (const auto& [frame, size] : free) {
                if (size != from) continue;
                const u64 at = frame;
                free.erase(frame), splits += from > order;
                while (from > order) --from, free[at + (u64{1} << from)] = from;
                taken[at] = order;
                return;
            }
    }
    void give_back(u64 frame) {
        u8 order = taken.extract(frame).mapped();
        bool merged = false;
        for (; order + 1 < Orders; ++order) {
            const auto buddy = free.find(frame ^ (u64{1} << order));
            if (buddy == free.end() || buddy->second != order) break;
            frame &= ~(u64{1} << order), free.erase(buddy), merged = true;
        }
        free[frame] = order, merges += merged;
    }
    std::vector<BuddyBlock> list() const {
        std::vector<BuddyBlock> out;
        for (const auto& [frame, order] : free) out.push_back({frame, order});
        return out;
    }
};

TEST(BuddyChanges, EachActionOfAnAllocatorIsOneChange) {
    std::mt19937 random(1);
    Buddy buddy;
    u64 splits = 0, merges = 0;
    for (int i = 0; i < 4000; ++i) {
        const auto before = buddy.list();
        const std::size_t held = buddy.taken.size();
        if (random() % 2 || buddy.taken.empty())
            buddy.allocate(static_cast<u8>(random() % 4));
        else
            buddy.give_back(
                std::next(buddy.taken.begin(), static_cast<std::ptrdiff_t>(random() % held))->first);
        const auto changes = buddy_changes(before, buddy.list());
        ASSERT_EQ(changes.size(), buddy.taken.size() == held ? 0u : 1u) << "action " << i;
        for (const auto& change : changes) splits += change.kind == Split, merges += change.kind == Merged;
    }
    EXPECT_EQ(splits, buddy.splits);
    EXPECT_EQ(merges, buddy.merges);
    EXPECT_GT(splits, 100u);
}

} // namespace
} // namespace vitrine::ui
