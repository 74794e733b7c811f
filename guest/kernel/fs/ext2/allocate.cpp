// ext2's bitmaps: giving out and taking back blocks and inodes, and writing the counts. See ext2.h.
#include "fs/ext2/ext2.h"
#include "lib/log.h"
#include "mm/zone.h"

namespace kernel::ext2 {
namespace {

/// Finds and sets the first clear bit of a bitmap block in [from, limit).
Result<u32> take_bit(Ext2& fs, u32 bitmap, u32 from, u32 limit) {
    for (u32 at = from; at < limit;) {
        u32 byte = at / 8;
        u8 value;
        TRY(fs.read_block(bitmap, byte, &value, 1));
        for (u32 bit = at % 8; bit < 8 && byte * 8 + bit < limit; bit++) {
            if (value >> bit & 1) continue;
            value = static_cast<u8>(value | 1 << bit);
            TRY(fs.write_block(bitmap, byte, &value, 1));
            return byte * 8 + bit;
        }
        at = (byte + 1) * 8;
    }
    return Errno::ENOSPC;
}

/// False when it was clear already: the image, or we, have a bug.
bool clear_bit(Ext2& fs, u32 bitmap, u32 bit) {
    u8 value;
    if (!fs.read_block(bitmap, bit / 8, &value, 1).ok() || !(value >> bit % 8 & 1)) return false;
    value = static_cast<u8>(value & ~(1 << bit % 8));
    return fs.write_block(bitmap, bit / 8, &value, 1).ok();
}

u32 blocks_in_group(const Ext2& fs, u32 group) {
    u32 first = fs.disk.first_data_block + group * fs.disk.blocks_per_group;
    return min(fs.disk.blocks_per_group, fs.disk.blocks_count - first);
}

} // namespace

Result<u32> Ext2::allocate_block(u32 near) {
    MutexGuard guard(lock);
    u32 start = near >= disk.first_data_block && near < disk.blocks_count ? near - disk.first_data_block : 0;
    u32 first_group = start / disk.blocks_per_group;
    for (u32 i = 0; i < group_count; i++) {
        u32 group = (first_group + i) % group_count;
        if (!groups[group].free_blocks) continue;
        u32 limit = blocks_in_group(*this, group);
        Result<u32> bit =
            take_bit(*this, groups[group].block_bitmap, i == 0 ? start % disk.blocks_per_group : 0, limit);
        if (!bit.ok() && i == 0) bit = take_bit(*this, groups[group].block_bitmap, 0, limit);
        if (!bit.ok()) {
            if (bit.error() != Errno::ENOSPC) return bit.error();
            continue;
        }
        groups[group].free_blocks--;
        disk.free_blocks--;
        dirty = true;
        return disk.first_data_block + group * disk.blocks_per_group + bit.value();
    }
    return Errno::ENOSPC;
}

void Ext2::free_block(u32 block) {
    MutexGuard guard(lock);
    if (!valid_block(block)) {
        pr_err("EXT2-fs (%s): freeing block %u outside the file system\n", block_device->name, block);
        return;
    }
    u32 index = block - disk.first_data_block, group = index / disk.blocks_per_group;
    if (!clear_bit(*this, groups[group].block_bitmap, index % disk.blocks_per_group)) {
        pr_err("EXT2-fs (%s): block %u was free already\n", block_device->name, block);
        return;
    }
    groups[group].free_blocks++;
    disk.free_blocks++;
    dirty = true;
}

Result<u32> Ext2::allocate_inode(u32 near, bool directory) {
    MutexGuard guard(lock);
    u32 first_group = (near - 1) / disk.inodes_per_group;
    u32 first_usable = disk.revision ? disk.first_inode : 11;
    for (u32 i = 0; i < group_count; i++) {
        u32 group = (first_group + i) % group_count;
        if (!groups[group].free_inodes) continue;
        u32 from = group == 0 ? first_usable - 1 : 0;
        Result<u32> bit = take_bit(*this, groups[group].inode_bitmap, from, disk.inodes_per_group);
        if (!bit.ok()) {
            if (bit.error() != Errno::ENOSPC) return bit.error();
            continue;
        }
        groups[group].free_inodes--;
        if (directory) groups[group].used_directories++;
        disk.free_inodes--;
        dirty = true;
        return group * disk.inodes_per_group + bit.value() + 1;
    }
    return Errno::ENOSPC;
}

void Ext2::free_inode(u32 number, bool directory) {
    MutexGuard guard(lock);
    u32 group = (number - 1) / disk.inodes_per_group;
    if (!clear_bit(*this, groups[group].inode_bitmap, (number - 1) % disk.inodes_per_group)) {
        pr_err("EXT2-fs (%s): inode %u was free already\n", block_device->name, number);
        return;
    }
    groups[group].free_inodes++;
    if (directory) groups[group].used_directories--;
    disk.free_inodes++;
    dirty = true;
}

/// REQUIRES: lock. Superblock and group descriptors into the device's page cache.
Result<void> Ext2::write_metadata() {
    if (!dirty) return {};
    dirty = false;
    TRY(write_device(*block_device, 1024, &disk, sizeof disk));
    return write_device(*block_device, (disk.first_data_block + 1) * block_size, groups,
                        u64{group_count} * sizeof(GroupDescriptor));
}

Result<void> Ext2::sync() {
    if (read_only) return {};
    // Inodes first: writing them back may still allocate. References keep the list stable while a write
    // sleeps.
    for (;;) {
        Ext2Inode* victim = nullptr;
        {
            MutexGuard guard(lock);
            for (LIST_EACH(node, inodes)) {
                auto* candidate = CONTAINER_OF(node, Ext2Inode, node);
                bool pages_dirty = false;
                candidate->cache.pages.each(
                    0, [&](u64, void* page) { pages_dirty |= static_cast<Page*>(page)->flags & PageDirty; });
                if (!candidate->dirty && !pages_dirty) continue;
                victim = candidate;
                get_inode(victim);
                break;
            }
        }
        if (!victim) break;
        Result<void> written = victim->sync();
        put_inode(victim);
        TRY(written);
    }
    {
        MutexGuard guard(lock);
        TRY(write_metadata());
    }
    return block_device->sync();
}

} // namespace kernel::ext2
