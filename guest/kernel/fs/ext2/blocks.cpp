// The tree of an ext2 file's blocks: finding, adding and freeing them. See ext2.h, and block_path.cpp for the
// tree's shape.
#include "fs/ext2/ext2.h"
#include "lib/log.h"
#include "mm/zone.h"

namespace kernel::ext2 {
namespace {

/// REQUIRES: truncate_mutex.
void count_blocks(ext2_inode_info& inode, i64 blocks) {
    inode.disk.i_blocks += static_cast<u32>(blocks * static_cast<i64>(inode.fs->s_blocksize / SectorSize));
    inode.i_blocks = inode.disk.i_blocks;
    inode.mark_dirty();
}

/// Frees what the subtree below `block` has from file block `first` on; `level` 0 is data, `base` its first
/// file block. Returns whether all of it went.
Result<bool> free_subtree(ext2_inode_info& inode, u32 block, unsigned level, u64 base, u64 first) {
    ext2_sb_info& fs = *inode.fs;
    if (!fs.valid_block(block)) {
        pr_err("EXT2-fs error (%s): inode %lu: block %u is outside the file system\n", fs.block_device->name,
               inode.i_ino, block);
        return true;
    }
    bool all = base >= first;
    if (level) {
        u64 span = 1;
        for (unsigned i = 1; i < level; i++) span *= fs.pointers_per_block;
        bool kept = false;
        for (u32 i = 0; i < fs.pointers_per_block; i++) {
            u64 child_base = base + i * span;
            u32 child;
            TRY(fs.read_block(block, i * 4, &child, 4));
            if (!child) continue;
            if (child_base + span <= first) {
                kept = true;
                continue;
            }
            if (TRY(free_subtree(inode, child, level - 1, child_base, first))) {
                u32 zero = 0;
                if (!all) TRY(fs.write_block(block, i * 4, &zero, 4));
            } else {
                kept = true;
            }
        }
        all = !kept;
    }
    if (all) {
        if (level) forget_device(*fs.block_device, u64{block} * fs.s_blocksize, fs.s_blocksize);
        fs.free_block(block);
        count_blocks(inode, -1);
    }
    return all;
}

} // namespace

/// REQUIRES: truncate_mutex. A block of pointers starts out empty; data is the page cache's business.
Result<u32> ext2_inode_info::new_block(u32 near, bool pointers) {
    u32 fresh = TRY(fs->allocate_block(near ? near + 1 : last_block ? last_block + 1 : 0));
    if (pointers) {
        struct page* zeros = alloc_page(GFP_KERNEL | __GFP_ZERO, PageType::Kernel);
        Result<void> cleared = zeros ? fs->write_block(fresh, 0, page_address(zeros), fs->s_blocksize)
                                     : Result<void>(Errno::ENOMEM);
        if (zeros) put_page(zeros);
        if (!cleared.ok()) {
            fs->free_block(fresh);
            return cleared.error();
        }
    } else {
        forget_device(*fs->block_device, u64{fresh} * fs->s_blocksize, fs->s_blocksize);
    }
    last_block = fresh;
    count_blocks(*this, 1);
    return fresh;
}

Result<u32> ext2_inode_info::map_block(u64 file_block, bool create) {
    u32 path[4];
    unsigned depth = block_path(file_block, fs->pointers_per_block, path);
    if (!depth) return Errno::EFBIG;
    MutexGuard guard(truncate_mutex);
    u32 block = disk.i_block[path[0]];
    if (!block) {
        if (!create) return u32{0};
        block = disk.i_block[path[0]] = TRY(new_block(0, depth > 1));
    }
    for (unsigned level = 1; level < depth; level++) {
        u32 next;
        TRY(fs->read_block(block, path[level] * 4, &next, 4));
        if (!next) {
            if (!create) return u32{0};
            next = TRY(new_block(level == 1 && !path[1] ? block : 0, level + 1 < depth));
            if (Result<void> linked = fs->write_block(block, path[level] * 4, &next, 4); !linked.ok()) {
                fs->free_block(next);
                count_blocks(*this, -1);
                return linked.error();
            }
        }
        block = next;
    }
    if (!fs->valid_block(block)) {
        pr_err("EXT2-fs error (%s): inode %lu: block %u is outside the file system\n", fs->block_device->name,
               i_ino, block);
        return Errno::EIO;
    }
    return block;
}

Result<bool> ext2_inode_info::page_is_data(u64 index) {
    u64 per_page = PAGE_SIZE / fs->s_blocksize;
    for (u64 i = 0; i < per_page; i++)
        if (TRY(map_block(index * per_page + i, false))) return true;
    // A store through a mapping gets its block when it is written back.
    struct page* page = find_get_page(i_data, index);
    bool dirty = page && page->has(PageDirty);
    if (page) put_page(page);
    return dirty;
}

Result<void> ext2_inode_info::truncate_blocks(u64 first) {
    MutexGuard guard(truncate_mutex);
    u64 n = fs->pointers_per_block, base = 0;
    for (u32 i = 0; i < 15; i++) {
        unsigned level = i < 12 ? 0 : i - 11;
        u64 span = level == 0 ? 1 : level == 1 ? n : level == 2 ? n * n : n * n * n;
        if (base + span > first && disk.i_block[i])
            if (TRY(free_subtree(*this, disk.i_block[i], level, base, first))) disk.i_block[i] = 0;
        base += span;
    }
    last_block = 0;
    mark_dirty();
    return {};
}

} // namespace kernel::ext2
