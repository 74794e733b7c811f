// Mounting ext2, and reading inodes. See ext2.h.
#include "fs/ext2/ext2.h"
#include "lib/log.h"
#include "mm/slab.h"
#include "mm/vmalloc.h"

namespace kernel::ext2 {

Result<void> Ext2::read_block(u64 block, u32 offset, void* to, usize size) {
    if (!valid_block(block) || offset + size > block_size) {
        pr_err("EXT2-fs (%s): bad block number %lu\n", block_device->name, block);
        return Errno::EIO;
    }
    return read_device(*block_device, block * block_size + offset, to, size);
}

Result<void> Ext2::write_block(u64 block, u32 offset, const void* from, usize size) {
    if (!valid_block(block) || offset + size > block_size) {
        pr_err("EXT2-fs (%s): bad block number %lu\n", block_device->name, block);
        return Errno::EIO;
    }
    return write_device(*block_device, block * block_size + offset, from, size);
}

u64 Ext2::inode_position(u32 number) const {
    u32 group = (number - 1) / disk.inodes_per_group, index = (number - 1) % disk.inodes_per_group;
    return groups[group].inode_table * block_size + u64{index} * inode_size;
}

Result<Inode*> Ext2::inode(u32 number) {
    if (!number || number > disk.inodes_count) return Errno::EIO;
    MutexGuard guard(lock);
    for (LIST_EACH(node, inodes)) {
        auto* known = CONTAINER_OF(node, Ext2Inode, node);
        if (known->number != number) continue;
        get_inode(known);
        return known;
    }
    auto* fresh = make<Ext2Inode>();
    if (!fresh) return Errno::ENOMEM;
    Result<void> read = read_device(*block_device, inode_position(number), &fresh->disk, sizeof fresh->disk);
    if (!read.ok()) {
        destroy(fresh);
        return read.error();
    }
    const DiskInode& d = fresh->disk;
    if (!d.links && !d.mode) { // a directory names a free inode
        destroy(fresh);
        pr_err("EXT2-fs (%s): inode %u is free, but named\n", block_device->name, number);
        return Errno::EIO;
    }
    fresh->fs = this;
    fresh->super = this;
    fresh->number = number;
    fresh->mode = d.mode;
    fresh->links = d.links;
    fresh->uid = d.uid;
    fresh->gid = d.gid;
    fresh->size = d.size;
    if (is_regular(d.mode)) fresh->size |= u64{d.size_high} << 32;
    fresh->blocks = d.sectors;
    fresh->access_time = d.access_time;
    fresh->modify_time = d.modify_time;
    fresh->change_time = d.change_time;
    if ((d.mode & S_IFMT) == S_IFCHR || (d.mode & S_IFMT) == S_IFBLK)
        fresh->device = d.block[0] ? d.block[0] : d.block[1];
    inodes.push_back(&fresh->node);
    return fresh;
}

Result<Ext2*> mount(BlockInode* device, bool read_only) {
    auto* fs = make<Ext2>();
    if (!fs) return Errno::ENOMEM;
    fs->block_device = device;
    fs->inodes.initialise();
    fs->type = "ext2";
    fs->device = device->device;
    auto fail = [&](Errno error, const char* why) -> Errno {
        pr_err("EXT2-fs (%s): %s\n", device->name, why);
        destroy(fs);
        return error;
    };
    if (!read_device(*device, 1024, &fs->disk, sizeof fs->disk).ok())
        return fail(Errno::EIO, "cannot read the superblock");
    DiskSuper& d = fs->disk;
    if (d.magic != Magic) return fail(Errno::EINVAL, "no ext2 superblock (bad magic)");
    if (d.log_block_size > 2) return fail(Errno::EINVAL, "block size above 4 KiB");
    fs->block_size = 1024U << d.log_block_size;
    fs->inode_size = d.revision ? d.inode_size : 128;
    fs->pointers_per_block = static_cast<u32>(fs->block_size / 4);
    if (fs->inode_size < 128 || fs->inode_size > fs->block_size || (fs->inode_size & (fs->inode_size - 1)))
        return fail(Errno::EINVAL, "bad inode size");
    if (!d.blocks_per_group || d.blocks_per_group > fs->block_size * 8 || !d.inodes_per_group ||
        d.inodes_per_group > fs->block_size * 8 || d.first_data_block >= d.blocks_count)
        return fail(Errno::EINVAL, "bad group geometry");
    if (d.revision && (d.feature_incompatible & ~IncompatibleFiletype))
        return fail(Errno::EINVAL, "incompatible features");
    if (d.revision && (d.feature_read_only & ~(ReadOnlySparse | ReadOnlyLargeFile)) && !read_only) {
        pr_warn("EXT2-fs (%s): features %#x allow reading only\n", device->name, d.feature_read_only);
        read_only = true;
    }
    if (u64{d.blocks_count} * fs->block_size > device->size)
        return fail(Errno::EINVAL, "larger than its partition");
    fs->group_count = static_cast<u32>(divide_up(d.blocks_count - d.first_data_block, d.blocks_per_group));
    if (u64{fs->group_count} * d.inodes_per_group < d.inodes_count)
        return fail(Errno::EINVAL, "bad inode count");
    u64 table_bytes = u64{fs->group_count} * sizeof(GroupDescriptor);
    fs->groups = static_cast<GroupDescriptor*>(vmalloc(table_bytes));
    if (!fs->groups) return fail(Errno::ENOMEM, "no memory for the group descriptors");
    if (!read_device(*device, (d.first_data_block + 1) * fs->block_size, fs->groups, table_bytes).ok())
        return fail(Errno::EIO, "cannot read the group descriptors");
    for (u32 group = 0; group < fs->group_count; group++) {
        const GroupDescriptor& g = fs->groups[group];
        u64 table_blocks = divide_up(u64{d.inodes_per_group} * fs->inode_size, fs->block_size);
        if (!fs->valid_block(g.block_bitmap) || !fs->valid_block(g.inode_bitmap) ||
            !fs->valid_block(g.inode_table) || !fs->valid_block(g.inode_table + table_blocks - 1))
            return fail(Errno::EINVAL, "a group descriptor points outside the file system");
    }
    if (!(d.state & 1))
        pr_warn("EXT2-fs (%s): warning: mounting unchecked fs, running e2fsck is recommended\n",
                device->name);
    fs->read_only = read_only;
    pr_info("EXT2-fs (%s): mounted filesystem %s, %u blocks of %lu bytes, %u free\n", device->name,
            read_only ? "read-only" : "read-write", d.blocks_count, fs->block_size, d.free_blocks);
    return fs;
}

} // namespace kernel::ext2
