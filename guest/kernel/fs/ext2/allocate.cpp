// ext2's bitmaps: giving out and taking back blocks and inodes, and writing the counts. See ext2.h.
#include "fs/ext2/ext2.h"
#include "lib/log.h"
#include "mm/zone.h"

namespace kernel::ext2 {
namespace {

/// Finds and sets the first clear bit of a bitmap block in [from, limit), 512 bytes at a time.
Result<u32> take_bit(ext2_sb_info& fs, u32 bitmap, u32 from, u32 limit) {
    u64 words[64];
    constexpr u32 Chunk = sizeof words * 8;
    for (u32 at = from; at < limit; at = align_down(at, Chunk) + Chunk) {
        u32 base = static_cast<u32>(align_down(at, Chunk));
        TRY(fs.read_block(bitmap, base / 8, words, sizeof words));
        for (u32 bit = at - base; bit < Chunk && base + bit < limit;) {
            u64 clear = ~words[bit / 64] >> bit % 64;
            if (!clear) {
                bit = bit / 64 * 64 + 64;
                continue;
            }
            bit += static_cast<u32>(__builtin_ctzll(clear));
            if (base + bit >= limit) break;
            u64& word = words[bit / 64];
            word |= u64{1} << bit % 64;
            TRY(fs.write_block(bitmap, base / 8 + bit / 64 * 8, &word, 8));
            return base + bit;
        }
    }
    return Errno::ENOSPC;
}

/// False when it was clear already: the image, or we, have a bug.
bool clear_bit(ext2_sb_info& fs, u32 bitmap, u32 bit) {
    u8 value;
    if (!fs.read_block(bitmap, bit / 8, &value, 1).ok() || !(value >> bit % 8 & 1)) return false;
    value = static_cast<u8>(value & ~(1 << bit % 8));
    return fs.write_block(bitmap, bit / 8, &value, 1).ok();
}

u32 blocks_in_group(const ext2_sb_info& fs, u32 group) {
    u32 first = fs.disk.s_first_data_block + group * fs.disk.s_blocks_per_group;
    return min(fs.disk.s_blocks_per_group, fs.disk.s_blocks_count - first);
}

} // namespace

Result<u32> ext2_sb_info::allocate_block(u32 near) {
    MutexGuard guard(lock);
    u32 start =
        near >= disk.s_first_data_block && near < disk.s_blocks_count ? near - disk.s_first_data_block : 0;
    u32 first_group = start / disk.s_blocks_per_group;
    for (u32 i = 0; i < group_count; i++) {
        u32 group = (first_group + i) % group_count;
        if (!groups[group].bg_free_blocks_count) continue;
        u32 limit = blocks_in_group(*this, group);
        Result<u32> bit = take_bit(*this, groups[group].bg_block_bitmap,
                                   i == 0 ? start % disk.s_blocks_per_group : 0, limit);
        if (!bit.ok() && i == 0) bit = take_bit(*this, groups[group].bg_block_bitmap, 0, limit);
        if (!bit.ok()) {
            if (bit.error() != Errno::ENOSPC) return bit.error();
            continue;
        }
        groups[group].bg_free_blocks_count--;
        disk.s_free_blocks_count--;
        dirty = true;
        return disk.s_first_data_block + group * disk.s_blocks_per_group + bit.value();
    }
    return Errno::ENOSPC;
}

void ext2_sb_info::free_block(u32 block) {
    MutexGuard guard(lock);
    if (!valid_block(block)) {
        pr_err("EXT2-fs (%s): freeing block %u outside the file system\n", block_device->name, block);
        return;
    }
    u32 index = block - disk.s_first_data_block, group = index / disk.s_blocks_per_group;
    if (!clear_bit(*this, groups[group].bg_block_bitmap, index % disk.s_blocks_per_group)) {
        pr_err("EXT2-fs (%s): block %u was free already\n", block_device->name, block);
        return;
    }
    groups[group].bg_free_blocks_count++;
    disk.s_free_blocks_count++;
    dirty = true;
}

Result<u32> ext2_sb_info::allocate_inode(u32 near, bool directory) {
    MutexGuard guard(lock);
    u32 first_group = (near - 1) / disk.s_inodes_per_group;
    u32 first_usable = disk.s_rev_level ? disk.s_first_ino : 11;
    for (u32 i = 0; i < group_count; i++) {
        u32 group = (first_group + i) % group_count;
        if (!groups[group].bg_free_inodes_count) continue;
        u32 from = group == 0 ? first_usable - 1 : 0;
        Result<u32> bit = take_bit(*this, groups[group].bg_inode_bitmap, from, disk.s_inodes_per_group);
        if (!bit.ok()) {
            if (bit.error() != Errno::ENOSPC) return bit.error();
            continue;
        }
        groups[group].bg_free_inodes_count--;
        if (directory) groups[group].bg_used_dirs_count++;
        disk.s_free_inodes_count--;
        dirty = true;
        return group * disk.s_inodes_per_group + bit.value() + 1;
    }
    return Errno::ENOSPC;
}

void ext2_sb_info::free_inode(u32 number, bool directory) {
    MutexGuard guard(lock);
    u32 group = (number - 1) / disk.s_inodes_per_group;
    if (!clear_bit(*this, groups[group].bg_inode_bitmap, (number - 1) % disk.s_inodes_per_group)) {
        pr_err("EXT2-fs (%s): inode %u was free already\n", block_device->name, number);
        return;
    }
    groups[group].bg_free_inodes_count++;
    if (directory) groups[group].bg_used_dirs_count--;
    disk.s_free_inodes_count++;
    dirty = true;
}

/// REQUIRES: lock. Superblock and group descriptors into the device's page cache.
Result<void> ext2_sb_info::write_metadata() {
    if (!dirty) return {};
    dirty = false;
    TRY(write_device(*block_device, 1024, &disk, sizeof disk));
    return write_device(*block_device, (disk.s_first_data_block + 1) * s_blocksize, groups,
                        u64{group_count} * sizeof(ext2_group_desc));
}

void ext2_sb_info::require_feature(u32 ro_compat) {
    MutexGuard guard(lock);
    if (disk.s_feature_ro_compat & ro_compat) return;
    disk.s_feature_ro_compat |= ro_compat;
    disk.s_rev_level = max<u32>(disk.s_rev_level, 1);
    dirty = true;
}

Result<void> ext2_sb_info::write_everything() {
    Result<void> inodes = writeback_inodes_sb(this); // first: writing them may still allocate
    {
        MutexGuard guard(lock);
        disk.s_wtime = static_cast<u32>(current_time_seconds());
        TRY(write_metadata());
    }
    Result<void> device = block_device->sync();
    return inodes.ok() ? device : inodes;
}

Result<void> ext2_sb_info::sync() { return s_readonly ? Result<void>() : write_everything(); }

void ext2_sb_info::write_super() {
    if (s_readonly) return;
    MutexGuard guard(lock);
    (void)write_metadata();
}

void ext2_sb_info::mark_clean() {
    MutexGuard guard(lock);
    if (was_valid) disk.s_state |= 1;
    dirty = true;
}

Result<void> ext2_sb_info::remount(bool read_only) {
    if (!read_only) {
        // Linux's ext2_remount: what mount() refused to write, it refuses now.
        if (disk.s_rev_level && (disk.s_feature_ro_compat & ~(ReadOnlySparse | ReadOnlyLargeFile)))
            return Errno::EROFS;
        return mark_in_use();
    }
    TRY(write_everything()); // before the volume is said to be clean
    wait_on_freeing_inodes(*this);
    mark_clean();
    return write_everything();
}

void ext2_sb_info::put_super() {
    if (s_readonly) return;
    stop_changes(*this);
    if (!write_everything().ok()) pr_err("EXT2-fs (%s): could not be synced\n", block_device->name);
    // Files without a name that somebody still has open would be orphans: their blocks go now.
    for_each_inode(*this, [](struct inode* inode) {
        if (inode->i_nlink) return;
        static_cast<ext2_inode_info*>(inode)->delete_inode();
    });
    wait_on_freeing_inodes(*this);
    mark_clean();
    if (!write_everything().ok()) pr_err("EXT2-fs (%s): could not be synced\n", block_device->name);
}

} // namespace kernel::ext2
