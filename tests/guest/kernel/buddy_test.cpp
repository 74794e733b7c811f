// Buddy arithmetic and watermarks.
#include "mm/buddy_math.h"

#include <gtest/gtest.h>

using namespace kernel;

namespace {

TEST(KernelBuddy, BuddiesAreMutualAndMergeDownwards) {
    for (unsigned order = 0; order < MaxOrder; order++)
        for (u64 frame = 0; frame < 4096; frame += u64{1} << order) {
            u64 other = buddy_of(frame, order);
            EXPECT_EQ(buddy_of(other, order), frame);
            EXPECT_EQ(merged_block(frame, order), std::min(frame, other));
            EXPECT_EQ(merged_block(frame, order), merged_block(other, order));
            EXPECT_EQ(merged_block(frame, order) % (u64{2} << order), 0U);
        }
}

TEST(KernelBuddy, LargestOrderIsAlignedAndFits) {
    EXPECT_EQ(largest_order(0, 1024), 10U);
    EXPECT_EQ(largest_order(0, 5000), 10U);
    EXPECT_EQ(largest_order(0, 1023), 9U);
    EXPECT_EQ(largest_order(1, 1024), 0U);
    EXPECT_EQ(largest_order(6, 1024), 1U);
    EXPECT_EQ(largest_order(512, 600), 6U);
    for (u64 frame = 1; frame < 3000; frame++) {
        unsigned order = largest_order(frame, 3000);
        EXPECT_EQ(frame % (u64{1} << order), 0U);
        EXPECT_LE(frame + (u64{1} << order), 3000U);
    }
}

TEST(KernelBuddy, OrderForPagesRoundsUp) {
    EXPECT_EQ(order_for_pages(1), 0U);
    EXPECT_EQ(order_for_pages(2), 1U);
    EXPECT_EQ(order_for_pages(3), 2U);
    EXPECT_EQ(order_for_pages(1024), 10U);
}

TEST(KernelBuddy, WatermarksFollowLinux) {
    // 512 MiB: sqrt(524288 KiB × 16) = 2896 KiB, 724 pages.
    Watermarks marks = zone_watermarks(131072, 131072);
    EXPECT_EQ(marks.minimum, 724U);
    EXPECT_EQ(marks.low, 905U);
    EXPECT_EQ(marks.high, 1086U);
    EXPECT_EQ(zone_watermarks(4096, 131072).minimum, 22U);
    EXPECT_EQ(zone_watermarks(0, 131072).minimum, 0U);
    EXPECT_EQ(zone_watermarks(1, 1).minimum, 32U); // 128 KiB at least
}

} // namespace
