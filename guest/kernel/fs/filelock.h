// Advisory locks on files: flock(2) for whole files, fcntl(2) for byte ranges, which belong to a process
// (POSIX) or to an open file (OFD). One list an inode and kind; a request that conflicts waits.
//
// Invariants (under file_lock_lock): two locks of one list that overlap and of which one is for writing have
// the same owner; locks of one owner do not overlap, and neighbours of one type are one lock. A lock is on
// its inode's list and on file_lock_list; a waiting request on blocked_list alone.
#pragma once

#include "fs/vfs.h"

namespace kernel {

struct seq_file;

enum FileLockFlag : u32 { FL_POSIX = 1, FL_FLOCK = 2, FL_OFDLCK = 1024 };
enum FileLockType : u8 { F_RDLCK = 0, F_WRLCK = 1, F_UNLCK = 2 };
inline constexpr u64 OFFSET_MAX = 0x7fff'ffff'ffff'ffff;

struct file_lock {
    list_head fl_list; ///< inode::i_flock or i_posix; blocked_list
    list_head fl_link; ///< file_lock_list, in the order in which they were got
    u32 fl_flags = 0;
    u8 fl_type = F_UNLCK;
    i32 fl_pid = 0;
    const void* fl_owner = nullptr; ///< files_struct (POSIX), or file
    u64 fl_start = 0, fl_end = OFFSET_MAX;
    struct inode* fl_inode = nullptr;       ///< kept by an open file, which gives its locks up before it goes
    struct file_lock* fl_blocker = nullptr; ///< of a waiting request
};

/// A descriptor of `owner` is closed: POSIX locks on the file go, whichever descriptor they came through.
void locks_remove_posix(struct file& file, const void* owner);
/// The last reference on an open file is gone.
void locks_remove_file(struct file& file);
Result<void> flock_lock_file(struct file& file, u32 operation);
Result<void> fcntl_getlk(struct file& file, u32 command, u64 argument);
Result<void> fcntl_setlk(i32 descriptor, struct file& file, u32 command, u64 argument);
inline bool is_lock_command(u32 command) {
    return (command >= 5 && command <= 7) || (command >= 36 && command <= 38);
}
void show_locks(seq_file& out);

} // namespace kernel
