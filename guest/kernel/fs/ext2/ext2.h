// The second extended file system (the layout is documented in Linux's Documentation/filesystems/ext2.rst and
// Dave Poirier's "The Second Extended File System"): revision 1, block sizes 1–4 KiB, features filetype and
// sparse_super.
//
// Metadata goes through the block device's page cache, contents through each inode's. The image is not
// trusted: block numbers, directory records and counts are checked before use, and a bad one is EIO with a
// line in the log.
#pragma once

#include "block/block.h"
#include "fs/vfs.h"

namespace kernel::ext2 {

struct [[gnu::packed]] DiskSuper {
    u32 inodes_count, blocks_count, reserved_blocks, free_blocks, free_inodes, first_data_block,
        log_block_size, log_fragment_size;
    u32 blocks_per_group, fragments_per_group, inodes_per_group, mount_time, write_time;
    u16 mount_count;
    i16 max_mounts;
    u16 magic, state, errors, minor_revision;
    u32 last_check, check_interval, creator_os, revision;
    u16 reserved_uid, reserved_gid;
    u32 first_inode;
    u16 inode_size, block_group;
    u32 feature_compatible, feature_incompatible, feature_read_only;
    u8 uuid[16];
    char volume_name[16];
    char last_mounted[64];
    u8 rest[1024 - 200];
};
static_assert(sizeof(DiskSuper) == 1024);
static_assert(offsetof(DiskSuper, feature_compatible) == 92 && offsetof(DiskSuper, magic) == 56);

struct GroupDescriptor {
    u32 block_bitmap, inode_bitmap, inode_table;
    u16 free_blocks, free_inodes, used_directories, pad;
    u32 reserved[3];
};
static_assert(sizeof(GroupDescriptor) == 32);

struct DiskInode {
    u16 mode, uid;
    u32 size, access_time, change_time, modify_time, delete_time;
    u16 gid, links;
    u32 sectors, flags, os_specific1;
    u32 block[15];
    u32 generation, file_acl, size_high, fragment_address;
    u8 os_specific2[12];
};
static_assert(sizeof(DiskInode) == 128);

struct DiskEntry {
    u32 inode;
    u16 record_length;
    u8 name_length, file_type;
    // name follows
};
static_assert(sizeof(DiskEntry) == 8);

inline constexpr u16 Magic = 0xef53;
inline constexpr u32 RootInode = 2;
inline constexpr u32 IncompatibleFiletype = 2, ReadOnlySparse = 1, ReadOnlyLargeFile = 2;

struct Ext2Inode;

struct Ext2 : SuperBlock {
    BlockInode* block_device = nullptr;
    DiskSuper disk;
    GroupDescriptor* groups = nullptr;
    u32 group_count = 0;
    u32 inode_size = 128;
    u32 pointers_per_block = 0;
    bool dirty = false;
    Mutex lock{"ext2"}; ///< bitmaps, counts, the inode list
    ListNode inodes;    ///< in memory

    Result<void> sync() override;
    Result<void> read_block(u64 block, u32 offset, void* to, usize size);
    Result<void> write_block(u64 block, u32 offset, const void* from, usize size);
    bool valid_block(u64 block) const { return block >= disk.first_data_block && block < disk.blocks_count; }

    /// Inode objects are unique: the same number gives the same object.
    Result<Inode*> inode(u32 number);
    u64 inode_position(u32 number) const;

    // allocate.cpp
    Result<u32> allocate_block(u32 near);
    void free_block(u32 block);
    Result<u32> allocate_inode(u32 near, bool directory);
    void free_inode(u32 number, bool directory);
    Result<void> write_metadata();
};

struct Ext2Inode final : Inode {
    Ext2* fs = nullptr;
    DiskInode disk = {};
    bool dirty = false;
    ListNode node;

    Result<Inode*> lookup(StringView name) override;
    Result<bool> next_entry(File& file, DirectoryEntry& entry) override;
    Result<usize> read_link(char* out, usize capacity) override;
    Result<void> read_page(u64 index, Page* page) override;
    Result<void> write_page(u64 index, Page* page) override;
    Result<void> prepare_write(u64 position, usize bytes) override;
    Result<void> truncate(u64 size) override;
    Result<void> sync() override;
    Result<Inode*> create(StringView name, u32 mode, u32 device) override;
    Result<void> write_link(StringView target) override;
    Result<void> unlink(StringView name, Inode& inode) override;
    Result<void> remove_directory(StringView name, Inode& inode) override;
    Result<void> link(StringView name, Inode& inode) override;
    Result<void> rename(StringView name, Inode& directory, StringView new_name, Inode& inode) override;
    void destroy_self() override;

    /// The device block of a file block; 0 is a hole. With `create`, holes get a zeroed block.
    Result<u32> map_block(u64 file_block, bool create);
    void mark_dirty() { dirty = true; }
    Result<void> write_inode();

    // directory.cpp
    Result<void> add_entry(StringView name, u32 number, u32 mode);
    Result<void> remove_entry(StringView name);
    Result<bool> directory_is_empty();
};

/// Where in the tree of indirect blocks a file block is: up to four indexes, the first into DiskInode::block.
/// Pure; returns the depth (1 direct … 4 triple indirect), 0 when the file cannot be that large.
unsigned block_path(u64 file_block, u32 pointers_per_block, u32 path[4]);

Result<Ext2*> mount(BlockInode* device, bool read_only);

} // namespace kernel::ext2
