// Mounting ext2, and reading inodes. See ext2.h.
#include "fs/ext2/ext2.h"
#include "lib/log.h"
#include "mm/slab.h"
#include "mm/vmalloc.h"

namespace kernel::ext2 {

Result<void> ext2_sb_info::read_block(u64 block, u32 offset, void* to, usize size) {
    if (!valid_block(block) || offset + size > s_blocksize) {
        pr_err("EXT2-fs (%s): bad block number %lu\n", block_device->name, block);
        return Errno::EIO;
    }
    return read_device(*block_device, block * s_blocksize + offset, to, size);
}

Result<void> ext2_sb_info::write_block(u64 block, u32 offset, const void* from, usize size) {
    if (!valid_block(block) || offset + size > s_blocksize) {
        pr_err("EXT2-fs (%s): bad block number %lu\n", block_device->name, block);
        return Errno::EIO;
    }
    return write_device(*block_device, block * s_blocksize + offset, from, size);
}

u64 ext2_sb_info::inode_position(u32 number) const {
    u32 group = (number - 1) / disk.s_inodes_per_group, index = (number - 1) % disk.s_inodes_per_group;
    return groups[group].bg_inode_table * s_blocksize + u64{index} * inode_size;
}

ext2_sb_info::~ext2_sb_info() { vfree(groups); }

struct inode* ext2_sb_info::alloc_inode() {
    auto* fresh = make<ext2_inode_info>();
    if (fresh) fresh->fs = this;
    return fresh;
}

Result<struct inode*> ext2_sb_info::inode(u32 number) {
    if (!number || number > disk.s_inodes_count) return Errno::EIO;
    struct inode* inode = TRY(iget_locked(*this, number));
    if (!(__atomic_load_n(&inode->i_state, __ATOMIC_ACQUIRE) & I_NEW)) return inode;
    auto* fresh = static_cast<ext2_inode_info*>(inode);
    Result<void> read = read_device(*block_device, inode_position(number), &fresh->disk, sizeof fresh->disk);
    const struct ext2_inode& d = fresh->disk;
    if (read.ok() && (!d.i_links_count || !d.i_mode)) { // a directory names a free inode
        pr_err("EXT2-fs error (%s): inode %u is free, but named\n", block_device->name, number);
        read = Errno::EIO;
    }
    if (!read.ok()) {
        iget_failed(fresh);
        return read.error();
    }
    fresh->i_mode = d.i_mode;
    fresh->i_nlink = d.i_links_count;
    fresh->i_uid = d.i_uid;
    fresh->i_gid = d.i_gid;
    fresh->i_size = d.i_size;
    if (is_regular(d.i_mode)) fresh->i_size |= u64{d.i_dir_acl} << 32;
    fresh->i_blocks = d.i_blocks;
    fresh->i_atime = d.i_atime;
    fresh->i_mtime = d.i_mtime;
    fresh->i_ctime = d.i_ctime;
    if (is_device(d.i_mode)) { // 16 bits in the old encoding, 32 in the new
        u32 old = d.i_block[0];
        fresh->i_rdev = old ? make_device(old >> 8 & 0xff, old & 0xff) : d.i_block[1];
    }
    if (is_directory(d.i_mode)) lockdep_set_class(fresh->i_rwsem, "inode_dir");
    unlock_new_inode(fresh);
    return fresh;
}

Result<void> ext2_sb_info::statfs(kstatfs& stat) {
    MutexGuard guard(lock);
    stat = {};
    stat.f_type = Magic;
    stat.f_bsize = stat.f_frsize = static_cast<i64>(s_blocksize);
    // What the bitmaps, the tables and the copies of the superblock take does not count (Linux's minixdf is
    // off).
    u64 table = divide_up(u64{disk.s_inodes_per_group} * inode_size, s_blocksize),
        overhead = disk.s_first_data_block;
    for (u32 group = 0; group < group_count; group++) {
        auto power = [group](u32 base) {
            u32 value = base;
            while (value < group) value *= base;
            return value == group;
        };
        bool copy =
            !(disk.s_feature_ro_compat & ReadOnlySparse) || group <= 1 || power(3) || power(5) || power(7);
        overhead +=
            2 + table + (copy ? 1 + divide_up(group_count * sizeof(ext2_group_desc), s_blocksize) : 0);
    }
    stat.f_blocks = disk.s_blocks_count - overhead;
    stat.f_bfree = disk.s_free_blocks_count;
    stat.f_bavail = stat.f_bfree > disk.s_r_blocks_count ? stat.f_bfree - disk.s_r_blocks_count : 0;
    stat.f_files = disk.s_inodes_count;
    stat.f_ffree = disk.s_free_inodes_count;
    memcpy(stat.f_fsid, disk.s_uuid, sizeof stat.f_fsid);
    stat.f_flags = 0x20 | (s_readonly ? 1 : 0); // ST_VALID
    return {};
}

Result<void> ext2_sb_info::mark_in_use() {
    {
        MutexGuard guard(lock);
        was_valid = disk.s_state & 1;
        disk.s_state &= static_cast<u16>(~1);
        disk.s_mnt_count++;
        disk.s_mtime = disk.s_wtime = static_cast<u32>(current_time_seconds());
        dirty = true;
    }
    return write_everything();
}

Result<ext2_sb_info*> mount(struct block_device* device, bool read_only) {
    auto* fs = make<ext2_sb_info>();
    if (!fs) return Errno::ENOMEM;
    fs->block_device = device;
    fs->s_type = "ext2";
    fs->s_dev = device->i_rdev;
    auto fail = [&](Errno error, const char* why) -> Errno {
        pr_err("EXT2-fs (%s): %s\n", device->name, why);
        destroy(fs);
        return error;
    };
    if (!read_device(*device, 1024, &fs->disk, sizeof fs->disk).ok())
        return fail(Errno::EIO, "cannot read the superblock");
    struct ext2_super_block& d = fs->disk;
    if (d.s_magic != Magic) return fail(Errno::EINVAL, "no ext2 superblock (bad magic)");
    if (d.s_log_block_size > 2) return fail(Errno::EINVAL, "block size above 4 KiB");
    fs->s_blocksize = 1024U << d.s_log_block_size;
    fs->inode_size = d.s_rev_level ? d.s_inode_size : 128;
    fs->pointers_per_block = static_cast<u32>(fs->s_blocksize / 4);
    if (fs->inode_size < 128 || fs->inode_size > fs->s_blocksize || (fs->inode_size & (fs->inode_size - 1)))
        return fail(Errno::EINVAL, "bad inode size");
    if (!d.s_blocks_per_group || d.s_blocks_per_group > fs->s_blocksize * 8 || !d.s_inodes_per_group ||
        d.s_inodes_per_group > fs->s_blocksize * 8 || d.s_first_data_block >= d.s_blocks_count)
        return fail(Errno::EINVAL, "bad group geometry");
    if (d.s_rev_level && (d.s_feature_incompat & ~IncompatibleFiletype))
        return fail(Errno::EINVAL, "incompatible features");
    if (d.s_rev_level && (d.s_feature_ro_compat & ~(ReadOnlySparse | ReadOnlyLargeFile)) && !read_only) {
        pr_warn("EXT2-fs (%s): features %#x allow reading only\n", device->name, d.s_feature_ro_compat);
        read_only = true;
    }
    if (u64{d.s_blocks_count} * fs->s_blocksize > device->i_size)
        return fail(Errno::EINVAL, "larger than its partition");
    fs->group_count =
        static_cast<u32>(divide_up(d.s_blocks_count - d.s_first_data_block, d.s_blocks_per_group));
    if (u64{fs->group_count} * d.s_inodes_per_group < d.s_inodes_count)
        return fail(Errno::EINVAL, "bad inode count");
    u64 table_bytes = u64{fs->group_count} * sizeof(ext2_group_desc);
    fs->groups = static_cast<ext2_group_desc*>(vmalloc(table_bytes));
    if (!fs->groups) return fail(Errno::ENOMEM, "no memory for the group descriptors");
    if (!read_device(*device, (d.s_first_data_block + 1) * fs->s_blocksize, fs->groups, table_bytes).ok())
        return fail(Errno::EIO, "cannot read the group descriptors");
    for (u32 group = 0; group < fs->group_count; group++) {
        const ext2_group_desc& g = fs->groups[group];
        u64 table_blocks = divide_up(u64{d.s_inodes_per_group} * fs->inode_size, fs->s_blocksize);
        if (!fs->valid_block(g.bg_block_bitmap) || !fs->valid_block(g.bg_inode_bitmap) ||
            !fs->valid_block(g.bg_inode_table) || !fs->valid_block(g.bg_inode_table + table_blocks - 1))
            return fail(Errno::EINVAL, "a group descriptor points outside the file system");
    }
    if (!(d.s_state & 1))
        pr_warn("EXT2-fs (%s): warning: mounting unchecked fs, running e2fsck is recommended\n",
                device->name);
    fs->s_readonly = read_only;
    fs->s_maxbytes = ext2_max_size(fs->s_blocksize);
    if (!read_only) { // until put_super(), who finds this volume knows that it was in use
        if (!fs->mark_in_use().ok()) return fail(Errno::EIO, "cannot write the superblock");
    }
    pr_info("EXT2-fs (%s): mounted filesystem %s, %u blocks of %lu bytes, %u free\n", device->name,
            read_only ? "read-only" : "read-write", d.s_blocks_count, fs->s_blocksize, d.s_free_blocks_count);
    return fs;
}

} // namespace kernel::ext2
