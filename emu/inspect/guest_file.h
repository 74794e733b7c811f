// A file of the guest, read from outside: what its page cache holds first, the rest from the disk.
//
// For symbols of programs that run: their symbol tables are never mapped. Implements as much of ext2
// (The Second Extended File System, Poirier, 2011) as reading a regular file takes: superblock, group
// descriptors, inodes, three levels of indirect blocks. Invariants: nothing on the disk or in the kernel is
// trusted, every number is checked before use, loops are bounded; reading has no effect on guest or disk.
#pragma once
#include <functional>
#include "emu/inspect/names.h"

namespace vitrine::emu::inspect {

/// Reads `out.size()` bytes of a disk or partition at a byte offset.
using ReadBlocks = std::function<bool(u64 offset, std::span<u8> out)>;

class Ext2Reader {
public:
    /// Nothing: no ext2 file system that this can read.
    static std::optional<Ext2Reader> open(ReadBlocks read);
    struct File {
        u64 size = 0;
        std::array<u32, 15> blocks{};
    };
    /// A regular file by its inode's number.
    std::optional<File> file(u32 number) const;
    /// One page of it; holes are zeros. False: the file system is damaged there.
    bool page(const File& file, u64 index, std::span<u8, 4096> out) const;

private:
    std::optional<u32> map(const File& file, u64 block) const;
    ReadBlocks read_;
    u64 block_size_ = 0, inode_size_ = 0, inodes_ = 0, inodes_per_group_ = 0, blocks_ = 0, descriptors_ = 0;
};

/// The whole of a regular file, by the path that the kernel gives it; why not, otherwise.
std::expected<std::vector<u8>, std::string> read_guest_file(const Machine& machine, const GuestKernel& kernel,
                                                            std::string_view path, u64 most);

} // namespace vitrine::emu::inspect
