// The shape of an ext2 file's block tree: 12 direct blocks, then one single, one double and one triple
// indirect.
#include "lib/types.h"

namespace kernel::ext2 {

unsigned block_path(u64 file_block, u32 pointers_per_block, u32 path[4]) {
    constexpr u32 Direct = 12;
    u64 n = pointers_per_block;
    if (file_block < Direct) {
        path[0] = static_cast<u32>(file_block);
        return 1;
    }
    file_block -= Direct;
    if (file_block < n) {
        path[0] = Direct;
        path[1] = static_cast<u32>(file_block);
        return 2;
    }
    file_block -= n;
    if (file_block < n * n) {
        path[0] = Direct + 1;
        path[1] = static_cast<u32>(file_block / n);
        path[2] = static_cast<u32>(file_block % n);
        return 3;
    }
    file_block -= n * n;
    if (file_block < n * n * n) {
        path[0] = Direct + 2;
        path[1] = static_cast<u32>(file_block / (n * n));
        path[2] = static_cast<u32>(file_block / n % n);
        path[3] = static_cast<u32>(file_block % n);
        return 4;
    }
    return 0;
}

u64 ext2_max_size(u64 block_size) {
    u64 n = block_size / 4, blocks = 12 + n + n * n + n * n * n, units = 0xffff'ffff,
        per_block = block_size / 512;
    u64 limit = units / per_block; // i_blocks counts the pointer blocks too
    limit -= 1 + (1 + n) + (1 + n + n * n);
    return min(blocks, limit) * block_size;
}

} // namespace kernel::ext2
