// memblock: merging ranges, finding room, iterating over what is free.
#include "mm/memblock.h"

#include <gtest/gtest.h>

#include <memory>
#include <random>
#include <vector>

using namespace kernel;

namespace {

TEST(KernelMemblock, RangesMergeWhenTheyTouchOrOverlap) {
    RangeList list;
    EXPECT_TRUE(list.add(0x1000, 0x1000));
    EXPECT_TRUE(list.add(0x3000, 0x1000));
    ASSERT_EQ(list.count, 2U);
    EXPECT_TRUE(list.add(0x2000, 0x1000));
    ASSERT_EQ(list.count, 1U);
    EXPECT_EQ(list.ranges[0].base, 0x1000U);
    EXPECT_EQ(list.ranges[0].end(), 0x4000U);
    EXPECT_TRUE(list.add(0x0, 0x100000));
    ASSERT_EQ(list.count, 1U);
    EXPECT_TRUE(list.overlaps(0xfffff, 0x100001));
    EXPECT_FALSE(list.overlaps(0x100000, 0x200000));
}

TEST(KernelMemblock, AllocationsNeverOverlap) {
    auto block = std::make_unique<Memblock>();
    block->memory.add(0x100000, 0x100000);
    block->memory.add(0x400000, 0x80000);
    block->reserved.add(0x140000, 0x10000);
    std::mt19937 random(3);
    std::vector<std::pair<u64, u64>> taken{{0x140000, 0x150000}};
    for (;;) {
        u64 size = 0x1000ULL << (random() % 4);
        u64 base = block->allocate(size, size, ~u64{0});
        if (!base) break;
        EXPECT_EQ(base % size, 0U);
        EXPECT_TRUE((base >= 0x100000 && base + size <= 0x200000) ||
                    (base >= 0x400000 && base + size <= 0x480000));
        for (auto [from, to] : taken) EXPECT_TRUE(base + size <= from || base >= to);
        taken.emplace_back(base, base + size);
    }
    EXPECT_GT(taken.size(), 50U);
}

TEST(KernelMemblock, LimitIsRespected) {
    auto block = std::make_unique<Memblock>();
    block->memory.add(0x100000, 0x1000000);
    EXPECT_EQ(block->allocate(0x1000, 0x1000, 0x200000), 0x1ff000U);
    EXPECT_EQ(block->allocate(0x1000, 0x1000, 0x100000), 0U);
}

TEST(KernelMemblock, FreeRangesAreMemoryMinusReserved) {
    auto block = std::make_unique<Memblock>();
    block->memory.add(0x0, 0x10000);
    block->reserved.add(0x0, 0x1000);
    block->reserved.add(0x5000, 0x2000);
    std::vector<std::pair<u64, u64>> found;
    for (MemoryRange range = block->next_free(0); range.size; range = block->next_free(range.end()))
        found.emplace_back(range.base, range.end());
    EXPECT_EQ(found, (std::vector<std::pair<u64, u64>>{{0x1000, 0x5000}, {0x7000, 0x10000}}));
}

} // namespace
