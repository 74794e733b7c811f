// The shared page-table walker over tables in a plain map.
#include "mm/page_walk.h"

#include <gtest/gtest.h>

#include <map>

using namespace kernel;

namespace {

struct Memory {
    std::map<u64, u64> words;
    u64 operator()(u64 physical) const {
        auto found = words.find(physical);
        return found == words.end() ? 0 : found->second;
    }
};

TEST(KernelPageWalk, FollowsFourLevels) {
    Memory memory;
    u64 address = 0x00007f1234567abc;
    memory.words[0x1000 + ((address >> 39) & 511) * 8] = 0x2000 | 0x67;
    memory.words[0x2000 + ((address >> 30) & 511) * 8] = 0x3000 | 0x67;
    memory.words[0x3000 + ((address >> 21) & 511) * 8] = 0x4000 | 0x65; // not writable here
    memory.words[0x4000 + ((address >> 12) & 511) * 8] = 0x9000 | 0x67 | pte::NoExecute;
    PageWalk walk = walk_page_tables(0x1000, address, memory);
    EXPECT_TRUE(walk.present);
    EXPECT_EQ(walk.levels, 4U);
    EXPECT_EQ(walk.physical, 0x9abcU);
    EXPECT_EQ(walk.page_size, 4096U);
    EXPECT_FALSE(walk.flags & pte::Write);
    EXPECT_TRUE(walk.flags & pte::User);
    EXPECT_TRUE(walk.flags & pte::NoExecute);
}

TEST(KernelPageWalk, StopsAtLargePagesAndHoles) {
    Memory memory;
    u64 address = 0xffff888012345678;
    memory.words[0x1000 + ((address >> 39) & 511) * 8] = 0x2000 | 0x63;
    memory.words[0x2000 + ((address >> 30) & 511) * 8] = 0x3000 | 0x63;
    memory.words[0x3000 + ((address >> 21) & 511) * 8] = 0x12200000 | 0xe3;
    PageWalk walk = walk_page_tables(0x1000, address, memory);
    EXPECT_TRUE(walk.present);
    EXPECT_EQ(walk.page_size, u64{2} << 20);
    EXPECT_EQ(walk.physical, 0x12345678U);
    walk = walk_page_tables(0x1000, address + (u64{1} << 30), memory);
    EXPECT_FALSE(walk.present);
    EXPECT_EQ(walk.levels, 2U);
}

} // namespace
