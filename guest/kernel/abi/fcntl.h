// Linux's numbers for files: open flags, modes, seek, stat, directory entries (include/uapi on x86-64).
#pragma once

#include "lib/types.h"

namespace kernel {

inline constexpr u32 O_ACCMODE = 3, O_RDONLY = 0, O_WRONLY = 1, O_RDWR = 2, O_CREAT = 0100, O_EXCL = 0200,
                     O_NOCTTY = 0400, O_TRUNC = 01000, O_APPEND = 02000, O_NONBLOCK = 04000,
                     O_DIRECTORY = 0200000, O_NOFOLLOW = 0400000, O_NOATIME = 01000000, O_CLOEXEC = 02000000,
                     O_PATH = 010000000;
inline constexpr i32 AT_FDCWD = -100;
inline constexpr u32 AT_SYMLINK_NOFOLLOW = 0x100, AT_REMOVEDIR = 0x200, AT_EMPTY_PATH = 0x1000;

inline constexpr u32 S_IFMT = 0170000, S_IFSOCK = 0140000, S_IFLNK = 0120000, S_IFREG = 0100000,
                     S_IFBLK = 060000, S_IFDIR = 040000, S_IFCHR = 020000, S_IFIFO = 010000;
constexpr bool is_directory(u32 mode) { return (mode & S_IFMT) == S_IFDIR; }
constexpr bool is_regular(u32 mode) { return (mode & S_IFMT) == S_IFREG; }
constexpr bool is_symlink(u32 mode) { return (mode & S_IFMT) == S_IFLNK; }
constexpr bool is_device(u32 mode) { return (mode & S_IFMT) == S_IFCHR || (mode & S_IFMT) == S_IFBLK; }
constexpr u8 directory_type(u32 mode) { return static_cast<u8>(mode >> 12 & 15); } ///< DT_*

struct Stat {
    u64 st_dev, st_ino, st_nlink;
    u32 st_mode, st_uid, st_gid, pad0;
    u64 st_rdev;
    i64 st_size, st_blksize, st_blocks;
    u64 st_atime, st_atime_nsec, st_mtime, st_mtime_nsec, st_ctime, st_ctime_nsec;
    i64 reserved[3];
};
static_assert(sizeof(Stat) == 144);

/// struct statfs of x86-64.
struct kstatfs {
    i64 f_type = 0, f_bsize = 4096;
    u64 f_blocks = 0, f_bfree = 0, f_bavail = 0, f_files = 0, f_ffree = 0;
    i32 f_fsid[2] = {};
    i64 f_namelen = 255, f_frsize = 4096, f_flags = 0;
    i64 f_spare[4] = {};
};
static_assert(sizeof(kstatfs) == 120);

struct LinuxDirent64 {
    u64 d_ino;
    i64 d_off;
    u16 d_reclen;
    u8 d_type;
    char d_name[];
};
static_assert(offsetof(LinuxDirent64, d_name) == 19);

constexpr u32 make_device(u32 major, u32 minor) {
    return (minor & 0xff) | (major & 0xfff) << 8 | (minor & ~0xffU) << 12;
}
constexpr u32 device_major(u32 device) { return device >> 8 & 0xfff; }
constexpr u32 device_minor(u32 device) { return (device & 0xff) | (device >> 12 & 0xfff00); }

} // namespace kernel
