// Read-only ext2 ("The Second Extended File System", Dave Poirier: superblock, block groups, inodes,
// directories).
//
// Invariants: block size 1, 2 or 4 KiB; only the `filetype` incompatible feature is understood, any other
// stops the boot; block maps down to triple indirection; directories are walked block by block with every
// record checked.
#include "guest/boot/stage2/loader.h"

namespace vitrine::boot {
namespace {

struct Superblock {
    U32 inodes, blocks, reserved_blocks, free_blocks, free_inodes, first_data_block, log_block_size,
        log_fragment_size, blocks_per_group, fragments_per_group, inodes_per_group, mount_time, write_time;
    U16 mount_count, maximum_mounts, magic, state, errors, minor_revision;
    U32 last_check, check_interval, creator, revision;
    U16 default_uid, default_gid;
    U32 first_inode;
    U16 inode_size, block_group;
    U32 compatible, incompatible, read_only_compatible;
};
static_assert(__builtin_offsetof(Superblock, magic) == 56 &&
              __builtin_offsetof(Superblock, incompatible) == 96);

struct Inode {
    U16 mode, uid;
    U32 size, access_time, change_time, modify_time, delete_time;
    U16 gid, links;
    U32 sectors, flags, reserved, blocks[15];
};
static_assert(sizeof(Inode) == 100);

struct DirectoryEntry {
    U32 inode;
    U16 length;
    U8 name_length, type;
};

constexpr U32 BlockMaximum = 4096;
constexpr U32 IncompatibleFileType = 2;
constexpr U16 TypeMask = 0xf000, TypeDirectory = 0x4000, TypeRegular = 0x8000;
constexpr U32 RootInode = 2;

Superblock super;
U32 block_size, sectors_per_block, inode_size, pointers_log2;
U8 scratch[BlockMaximum];          // inode tables, directories
U32 indirect[3][BlockMaximum / 4]; // one block for each level
U32 indirect_block[3] = {0, 0, 0}; // which one it is; 0: none

void read_block(U32 block, void* buffer) {
    if (block == 0 || block >= super.blocks) die("the file system has a block number outside of itself");
    read_sectors(block * sectors_per_block, sectors_per_block, data_segment(),
                 static_cast<U16>(reinterpret_cast<U32>(buffer)));
}

void load_indirect(U32 level, U32 block) {
    if (indirect_block[level] == block) return;
    read_block(block, indirect[level]);
    indirect_block[level] = block;
}

/// The disk block that holds a file's block; 0 for a hole.
U32 map_block(const File& file, U32 index) {
    if (index < 12) return file.blocks[index];
    index -= 12;
    for (U32 depth = 1; depth <= 3; ++depth) {
        const U32 covered_log2 = pointers_log2 * depth; // at most 30
        if (index >> covered_log2) {
            index -= 1u << covered_log2;
            continue;
        }
        U32 block = file.blocks[11 + depth];
        for (U32 level = depth; level-- != 0;) {
            if (block == 0) return 0;
            load_indirect(level, block);
            block = indirect[level][index >> (pointers_log2 * level) & ((1u << pointers_log2) - 1)];
        }
        return block;
    }
    die("a file is larger than ext2 allows");
}

void read_inode(U32 number, Inode& inode) {
    if (number == 0 || number > super.inodes) die("a directory names an inode outside of the file system");
    const U32 group = (number - 1) / super.inodes_per_group, index = (number - 1) % super.inodes_per_group;
    const U32 descriptor = group * 32;
    read_block(super.first_data_block + 1 + descriptor / block_size, scratch);
    U32 table;
    __builtin_memcpy(&table, scratch + descriptor % block_size + 8, 4);
    read_block(table + index * inode_size / block_size, scratch);
    __builtin_memcpy(&inode, scratch + index * inode_size % block_size, sizeof inode);
}

void to_file(const Inode& inode, File& file) {
    file.size = inode.size;
    for (U32 i = 0; i < 15; ++i) file.blocks[i] = inode.blocks[i];
}

/// The inode of `name` (length bytes) in a directory; 0 when it is not there.
U32 find_entry(const Inode& directory, const char* name, U32 length) {
    if (directory.size > 0x100000 || directory.size % block_size) die("a directory has an impossible size");
    static File file;
    to_file(directory, file);
    for (U32 block = 0; block < directory.size / block_size; ++block) {
        const U32 place = map_block(file, block);
        if (place == 0) continue;
        read_block(place, scratch);
        for (U32 at = 0; at < block_size;) {
            DirectoryEntry entry;
            __builtin_memcpy(&entry, scratch + at, sizeof entry);
            if (entry.length < 8 || entry.length % 4 || entry.length > block_size - at ||
                entry.name_length + 8u > entry.length)
                die("a directory is damaged");
            if (entry.inode != 0 && entry.name_length == length) {
                U32 same = 0;
                while (same < length && scratch[at + 8 + same] == static_cast<U8>(name[same])) ++same;
                if (same == length) return entry.inode;
            }
            at += entry.length;
        }
    }
    return 0;
}

} // namespace

void ext2_mount() {
    read_sectors(2, 2, data_segment(), static_cast<U16>(reinterpret_cast<U32>(scratch)));
    __builtin_memcpy(&super, scratch, sizeof super);
    if (super.magic != 0xef53) die("the active partition holds no ext2 file system");
    if (super.log_block_size > 2) die("the file system's blocks are larger than 4 KiB");
    const U32 unknown = super.revision == 0 ? 0 : super.incompatible & ~IncompatibleFileType;
    if (unknown) die("the file system uses features beyond ext2 (extents, journal to replay, …)");
    block_size = 1024u << super.log_block_size;
    sectors_per_block = block_size / 512;
    pointers_log2 = 8 + super.log_block_size;
    inode_size = super.revision == 0 ? 128 : super.inode_size;
    if (inode_size < 128 || inode_size > block_size || inode_size & (inode_size - 1))
        die("the file system has an impossible inode size");
    if (super.inodes_per_group == 0 || super.blocks == 0) die("the file system's superblock is damaged");
}

U32 ext2_block_size() { return block_size; }

void ext2_open(const char* path, File& file) {
    Inode inode;
    read_inode(RootInode, inode);
    const char* at = path;
    while (*at) {
        while (*at == '/') ++at;
        U32 length = 0;
        while (at[length] && at[length] != '/') ++length;
        if (length == 0) break;
        if ((inode.mode & TypeMask) != TypeDirectory) die2(path, "a part of the path is not a directory");
        const U32 number = find_entry(inode, at, length);
        if (number == 0) die2(path, "no such file");
        read_inode(number, inode);
        at += length;
    }
    if ((inode.mode & TypeMask) != TypeRegular) die2(path, "not a regular file");
    to_file(inode, file);
}

U32 ext2_read(const File& file, U32 offset) {
    if (offset >= file.size) return 0;
    const U32 wanted = file.size - offset < TransferBytes ? file.size - offset : TransferBytes;
    const U32 blocks = (wanted + block_size - 1) / block_size;
    // Neighbouring blocks are read in one request; a hole reads as zeros.
    for (U32 i = 0; i < blocks;) {
        const U32 place = map_block(file, offset / block_size + i);
        U32 run = 1;
        if (place == 0) {
            for (U32 byte = 0; byte < block_size; byte += 4)
                far_write32(TransferSegment, static_cast<U16>(i * block_size + byte), 0);
        } else {
            while (i + run < blocks && map_block(file, offset / block_size + i + run) == place + run) ++run;
            if (place >= super.blocks || run > super.blocks - place)
                die("the file system has a block number outside of itself");
            read_sectors(place * sectors_per_block, run * sectors_per_block, TransferSegment,
                         static_cast<U16>(i * block_size));
        }
        i += run;
    }
    return wanted;
}

} // namespace vitrine::boot
