// The second extended file system (the layout is documented in Linux's Documentation/filesystems/ext2.rst and
// Dave Poirier's "The Second Extended file System"): revision 1, block sizes 1–4 KiB, features filetype and
// sparse_super.
//
// Metadata goes through the block device's page cache (block/buffer.cpp), contents through each inode's. The
// image is not trusted: block numbers, directory records and counts are checked before use, and a bad one is
// EIO with a line in the log.
//
// Invariants: a block's bit is set before anything points to it and cleared after nothing does. Blocks beyond
// i_size belong to a write that is going on, and go back when it fails. Lock order: i_rwsem, page lock,
// truncate_mutex, ext2_sb_info::lock, page lock of the device's cache.
#pragma once

#include "block/block.h"
#include "fs/vfs.h"

namespace kernel::ext2 {

struct [[gnu::packed]] ext2_super_block {
    u32 s_inodes_count, s_blocks_count, s_r_blocks_count, s_free_blocks_count, s_free_inodes_count,
        s_first_data_block, s_log_block_size, s_log_frag_size;
    u32 s_blocks_per_group, s_frags_per_group, s_inodes_per_group, s_mtime, s_wtime;
    u16 s_mnt_count;
    i16 s_max_mnt_count;
    u16 s_magic, s_state, s_errors, s_minor_rev_level;
    u32 s_lastcheck, s_checkinterval, s_creator_os, s_rev_level;
    u16 s_def_resuid, s_def_resgid;
    u32 s_first_ino;
    u16 s_inode_size, s_block_group_nr;
    u32 s_feature_compat, s_feature_incompat, s_feature_ro_compat;
    u8 s_uuid[16];
    char s_volume_name[16];
    char s_last_mounted[64];
    u8 rest[1024 - 200];
};
static_assert(sizeof(struct ext2_super_block) == 1024);
static_assert(offsetof(struct ext2_super_block, s_feature_compat) == 92 &&
              offsetof(struct ext2_super_block, s_magic) == 56);

struct ext2_group_desc {
    u32 bg_block_bitmap, bg_inode_bitmap, bg_inode_table;
    u16 bg_free_blocks_count, bg_free_inodes_count, bg_used_dirs_count, bg_pad;
    u32 reserved[3];
};
static_assert(sizeof(ext2_group_desc) == 32);

struct ext2_inode {
    u16 i_mode, i_uid;
    u32 i_size, i_atime, i_ctime, i_mtime, i_dtime;
    u16 i_gid, i_links_count;
    u32 i_blocks, i_flags, os_specific1;
    u32 i_block[15];
    u32 i_generation, i_file_acl, i_dir_acl, i_faddr;
    u8 os_specific2[12];
};
static_assert(sizeof(struct ext2_inode) == 128);

struct ext2_dir_entry_2 {
    u32 inode;
    u16 rec_len;
    u8 name_length, file_type;
    // name follows
};
static_assert(sizeof(ext2_dir_entry_2) == 8);

inline constexpr u16 Magic = 0xef53;
inline constexpr u32 RootInode = 2;
inline constexpr u32 IncompatibleFiletype = 2, ReadOnlySparse = 1, ReadOnlyLargeFile = 2;

struct ext2_inode_info;

struct ext2_sb_info : super_block {
    struct block_device* block_device = nullptr;
    struct ext2_super_block disk;
    ext2_group_desc* groups = nullptr;
    u32 group_count = 0;
    u32 inode_size = 128;
    u32 pointers_per_block = 0;
    bool dirty = false;
    bool was_valid = false;    ///< s_state at mount
    struct mutex lock{"ext2"}; ///< bitmaps, counts, super block

    ~ext2_sb_info() override;
    struct inode* alloc_inode() override;
    Result<void> sync() override;
    Result<void> statfs(kstatfs& stat) override;
    void write_super() override;
    Result<void> remount(bool read_only) override;
    void put_super() override;
    Result<void> read_block(u64 block, u32 offset, void* to, usize size);
    Result<void> write_block(u64 block, u32 offset, const void* from, usize size);
    bool valid_block(u64 block) const {
        return block >= disk.s_first_data_block && block < disk.s_blocks_count;
    }

    /// inode objects are unique: the same number gives the same object.
    Result<struct inode*> inode(u32 number);
    u64 inode_position(u32 number) const;

    Result<void> write_everything();
    void mark_clean();
    Result<void> mark_in_use();

    // allocate.cpp
    Result<u32> allocate_block(u32 near);
    /// Sets features that the contents need from now on.
    void require_feature(u32 ro_compat);
    void free_block(u32 block);
    Result<u32> allocate_inode(u32 near, bool directory);
    void free_inode(u32 number, bool directory);
    Result<void> write_metadata();
};

struct ext2_inode_info final : inode {
    ext2_sb_info* fs = nullptr;
    struct ext2_inode disk = {};
    struct mutex truncate_mutex{"ext2_truncate"}; ///< disk, the block tree
    bool deleted = false;
    u64 room_from = 0;  ///< of a directory: before it no block had room for the last name that was added
    u32 last_block = 0; ///< where the next one is looked for

    Result<struct inode*> lookup(StringView name) override;
    Result<bool> next_entry(struct file& file, DirectoryEntry& entry) override;
    Result<usize> read_link(char* out, usize capacity) override;
    Result<void> read_page(u64 index, struct page* page) override;
    Result<void> readahead_page(u64 index, struct page* page, mpage_data& batch) override;
    Result<bool> write_page(u64 index, struct page* page, mpage_data& batch) override;
    Result<void> write_begin(struct page* page, u64 position, usize bytes) override;
    void write_failed() override;
    Result<u64> bmap(u64 block) override { return u64{TRY(map_block(block, false))}; }
    Result<bool> page_is_data(u64 index) override;
    struct block_device* swap_device() override { return fs->block_device; }
    Result<void> truncate(u64 size) override;
    Result<void> write_inode() override;
    Result<void> sync() override;
    Result<struct inode*> create(StringView name, u32 mode, u32 device) override;
    Result<struct inode*> symlink(StringView name, StringView target) override;
    Result<void> unlink(StringView name, struct inode& inode) override;
    Result<void> remove_directory(StringView name, struct inode& inode) override;
    Result<void> link(StringView name, struct inode& inode) override;
    Result<void> rename(StringView name, struct inode& inode, struct inode& directory, StringView new_name,
                        struct inode* replaced) override;
    void evict_inode() override;

    /// The device block of a file block; 0 is a hole. With `create`, holes get a block, whose contents are
    /// the caller's business.
    Result<u32> map_block(u64 file_block, bool create);
    /// Gives back the blocks from file block `first` on.
    Result<void> truncate_blocks(u64 first);
    /// Frees the blocks and the number of an inode without names; once.
    void delete_inode();
    void mark_dirty() { mark_inode_dirty(this); }
    void touch() {
        i_mtime = i_ctime = current_time_seconds();
        mark_dirty();
    }

    // directory.cpp
    Result<void> add_entry(StringView name, u32 number, u32 mode);
    Result<void> remove_entry(StringView name);
    /// The name stands for another inode from now on.
    Result<void> set_link(StringView name, u32 number, u32 mode);
    Result<bool> directory_is_empty();

private:
    Result<u32> new_block(u32 near, bool pointers);
    Result<struct inode*> new_inode(u32 mode, u32 device);
    Result<struct inode*> finish_new_inode(struct inode* fresh, StringView name);
};

/// The largest file: what the tree of blocks, and the 32-bit count of 512-byte units, can hold (Linux's
/// ext2_max_size).
u64 ext2_max_size(u64 block_size);

/// Where in the tree of indirect blocks a file block is: up to four indexes, the first into
/// ext2_inode::block. Pure; returns the depth (1 direct … 4 triple indirect), 0 when the file cannot be that
/// large.
unsigned block_path(u64 file_block, u32 pointers_per_block, u32 path[4]);

Result<ext2_sb_info*> mount(struct block_device* device, bool read_only);

} // namespace kernel::ext2
