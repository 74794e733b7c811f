// The shape of ext2's block tree.
#include <gtest/gtest.h>

#include "lib/types.h"

namespace kernel::ext2 {
unsigned block_path(u64 file_block, u32 pointers_per_block, u32 path[4]);
}
using namespace kernel;

namespace {

TEST(KernelExt2, EveryBlockHasItsOwnPath) {
    // Small pointer blocks make all levels short enough to enumerate: n = 4 gives 12 + 4 + 16 + 64 blocks.
    constexpr u32 N = 4;
    u64 expected = 0;
    for (u32 a = 0; a < 12; a++, expected++) {
        u32 path[4];
        ASSERT_EQ(ext2::block_path(expected, N, path), 1U);
        EXPECT_EQ(path[0], a);
    }
    for (u32 a = 0; a < N; a++, expected++) {
        u32 path[4];
        ASSERT_EQ(ext2::block_path(expected, N, path), 2U);
        EXPECT_EQ(path[0], 12U);
        EXPECT_EQ(path[1], a);
    }
    for (u32 a = 0; a < N; a++)
        for (u32 b = 0; b < N; b++, expected++) {
            u32 path[4];
            ASSERT_EQ(ext2::block_path(expected, N, path), 3U);
            EXPECT_EQ(path[0], 13U);
            EXPECT_EQ(path[1], a);
            EXPECT_EQ(path[2], b);
        }
    for (u32 a = 0; a < N; a++)
        for (u32 b = 0; b < N; b++)
            for (u32 c = 0; c < N; c++, expected++) {
                u32 path[4];
                ASSERT_EQ(ext2::block_path(expected, N, path), 4U);
                EXPECT_EQ(path[0], 14U);
                EXPECT_EQ(path[1], a);
                EXPECT_EQ(path[2], b);
                EXPECT_EQ(path[3], c);
            }
    u32 path[4];
    EXPECT_EQ(ext2::block_path(expected, N, path), 0U);
    EXPECT_EQ(ext2::block_path(~u64{0}, 1024, path), 0U);
}

} // namespace
