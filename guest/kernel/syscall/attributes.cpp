// System calls on what files are: owners, modes, times, sizes, locks, and the file systems that they are on.
#include "arch/x86_64/user_access.h"
#include "fs/filelock.h"
#include "fs/vfs.h"
#include "mm/slab.h"
#include "syscall/syscall.h"
#include "syscall/user_path.h"
#include "task/cred.h"
#include "task/signal.h"
#include "task/task.h"

namespace kernel {
namespace {

/// Drops the reference when the call ends.
struct FileReference {
    struct file* file;
    explicit FileReference(struct file* taken) : file(taken) {}
    ~FileReference() { fput(file); }
    FileReference(const FileReference&) = delete;
    FileReference& operator=(const FileReference&) = delete;
    struct file* operator->() const { return file; }
};
struct PathReference {
    struct dentry* dentry = nullptr;
    ~PathReference() { dput(dentry); }
    PathReference() = default;
    PathReference(const PathReference&) = delete;
    PathReference& operator=(const PathReference&) = delete;
    /// The file that a call's (directory, path, flags) name; an empty path with AT_EMPTY_PATH is the
    /// descriptor's.
    Result<struct inode*> find(i32 directory, u64 address, u32 flags) {
        UserPath path;
        TRY(path.fetch(directory, address));
        if (!*path.text() && (flags & AT_EMPTY_PATH) && path.file()) {
            if (!path.file()->f_dentry) return Errno::EBADF;
            dget(dentry = path.file()->f_dentry);
        } else {
            dentry =
                TRY(filename_lookup(path.base(), path.text(), flags & AT_SYMLINK_NOFOLLOW ? 0 : FollowLast));
        }
        return dentry->d_inode;
    }
};

Result<void> may_change(const struct inode& inode) {
    return inode.i_sb && inode.i_sb->s_readonly ? Errno::EROFS : Result<void>();
}
bool owns(const struct inode& inode) {
    return capable(*current_cred()) || current_cred()->fsuid == inode.i_uid;
}

void changed(struct inode& inode) {
    inode.i_ctime = current_time_seconds();
    mark_inode_dirty(&inode);
}

// --- mode
Result<i64> chmod_common(struct inode& inode, u32 mode) {
    TRY(may_change(inode));
    if (!owns(inode)) return Errno::EPERM;
    MutexGuard guard(inode.i_rwsem);
    inode.i_mode = (inode.i_mode & S_IFMT) | (mode & 07777);
    changed(inode);
    return i64{0};
}
Result<i64> sys_fchmodat(i32 directory, u64 address, u32 mode) {
    PathReference path;
    return chmod_common(*TRY(path.find(directory, address, 0)), mode);
}
Result<i64> sys_chmod(u64 path, u32 mode) { return sys_fchmodat(AT_FDCWD, path, mode); }
Result<i64> sys_fchmod(i32 descriptor, u32 mode) {
    FileReference file(TRY(fget(descriptor)));
    return chmod_common(*file->f_inode, mode);
}

// --- owner: −1 leaves it
Result<i64> chown_common(struct inode& inode, u32 user, u32 group) {
    TRY(may_change(inode));
    const struct cred& cred = *current_cred();
    if (!capable(cred)) { // the owner may give it to a group of his
        if (cred.fsuid != inode.i_uid || (user != ~0U && user != inode.i_uid)) return Errno::EPERM;
        if (group != ~0U && group != inode.i_gid && !in_group_p(group)) return Errno::EPERM;
    }
    MutexGuard guard(inode.i_rwsem);
    if (user != ~0U) inode.i_uid = user;
    if (group != ~0U) inode.i_gid = group;
    if (is_regular(inode.i_mode) && (user != ~0U || group != ~0U))
        inode.i_mode &= ~(04000U | (inode.i_mode & 010 ? 02000U : 0U));
    changed(inode);
    return i64{0};
}
Result<i64> sys_fchownat(i32 directory, u64 address, u32 user, u32 group, u32 flags) {
    if (flags & ~(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH)) return Errno::EINVAL;
    PathReference path;
    return chown_common(*TRY(path.find(directory, address, flags)), user, group);
}
Result<i64> sys_chown(u64 path, u32 user, u32 group) { return sys_fchownat(AT_FDCWD, path, user, group, 0); }
Result<i64> sys_lchown(u64 path, u32 user, u32 group) {
    return sys_fchownat(AT_FDCWD, path, user, group, AT_SYMLINK_NOFOLLOW);
}
Result<i64> sys_fchown(i32 descriptor, u32 user, u32 group) {
    FileReference file(TRY(fget(descriptor)));
    return chown_common(*file->f_inode, user, group);
}

// --- times, in whole seconds as ext2 stores them
struct TimeSpec {
    i64 seconds, nanoseconds;
};
constexpr i64 UTIME_NOW = (1 << 30) - 1, UTIME_OMIT = (1 << 30) - 2;

Result<i64> utimes_common(struct inode& inode, const TimeSpec* times) {
    TRY(may_change(inode));
    bool now = !times || (times[0].nanoseconds == UTIME_NOW && times[1].nanoseconds == UTIME_NOW);
    if (!owns(inode)) { // "now" is for whoever may write
        if (!now) return Errno::EPERM;
        TRY(inode_permission(inode, MAY_WRITE));
    }
    u64 current = current_time_seconds();
    MutexGuard guard(inode.i_rwsem);
    for (unsigned i = 0; i < 2; i++) {
        u64& field = i ? inode.i_mtime : inode.i_atime;
        if (!times || times[i].nanoseconds == UTIME_NOW)
            field = current;
        else if (times[i].nanoseconds != UTIME_OMIT)
            field = static_cast<u64>(times[i].seconds);
    }
    changed(inode);
    return i64{0};
}
Result<i64> sys_utimensat(i32 directory, u64 address, u64 times_address, u32 flags) {
    if (flags & ~(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH)) return Errno::EINVAL;
    TimeSpec times[2];
    if (times_address) {
        TRY(copy_from_user(times, times_address, sizeof times));
        for (const TimeSpec& time : times)
            if (time.nanoseconds != UTIME_NOW && time.nanoseconds != UTIME_OMIT &&
                (time.nanoseconds < 0 || time.nanoseconds >= 1'000'000'000))
                return Errno::EINVAL;
        if (times[0].nanoseconds == UTIME_OMIT && times[1].nanoseconds == UTIME_OMIT) return i64{0};
    }
    if (!address) { // futimens
        FileReference file(TRY(fget(directory)));
        return utimes_common(*file->f_inode, times_address ? times : nullptr);
    }
    PathReference path;
    return utimes_common(*TRY(path.find(directory, address, flags)), times_address ? times : nullptr);
}
struct TimeValue {
    i64 seconds, microseconds;
};
Result<i64> sys_utimes(u64 address, u64 times_address) {
    TimeSpec times[2];
    if (times_address) {
        TimeValue values[2];
        TRY(copy_from_user(values, times_address, sizeof values));
        for (unsigned i = 0; i < 2; i++) {
            if (values[i].microseconds < 0 || values[i].microseconds >= 1'000'000) return Errno::EINVAL;
            times[i] = {values[i].seconds, values[i].microseconds * 1000};
        }
    }
    PathReference path;
    return utimes_common(*TRY(path.find(AT_FDCWD, address, 0)), times_address ? times : nullptr);
}

// --- size
Result<i64> sys_truncate(u64 address, i64 size) {
    if (size < 0) return Errno::EINVAL;
    PathReference path;
    struct inode& inode = *TRY(path.find(AT_FDCWD, address, 0));
    if (is_directory(inode.i_mode)) return Errno::EISDIR;
    if (!is_regular(inode.i_mode)) return Errno::EINVAL;
    TRY(inode_permission(inode, MAY_WRITE));
    TRY(get_write_access(inode));
    Result<void> done = do_truncate(inode, static_cast<u64>(size));
    put_write_access(inode);
    TRY(done);
    return i64{0};
}
Result<i64> sys_fallocate(i32 descriptor, u32, i64 offset, i64 length) {
    FileReference file(TRY(fget(descriptor)));
    if (offset < 0 || length <= 0) return Errno::EINVAL;
    if (!file->writable()) return Errno::EBADF;
    return Errno::EOPNOTSUPP; // as on Linux's ext2: posix_fallocate writes zeroes itself
}

// --- file systems
Result<i64> statfs_common(const struct inode& inode, u64 target) {
    struct kstatfs stat;
    if (!inode.i_sb) return Errno::ENOSYS;
    TRY(inode.i_sb->statfs(stat));
    TRY(put_user(target, stat));
    return i64{0};
}
Result<i64> sys_statfs(u64 address, u64 target) {
    PathReference path;
    return statfs_common(*TRY(path.find(AT_FDCWD, address, 0)), target);
}
Result<i64> sys_fstatfs(i32 descriptor, u64 target) {
    FileReference file(TRY(fget_raw(descriptor)));
    return statfs_common(*file->f_inode, target);
}
Result<i64> sys_syncfs(i32 descriptor) {
    FileReference file(TRY(fget(descriptor)));
    if (file->f_inode->i_sb) TRY(file->f_inode->i_sb->sync());
    return i64{0};
}

Result<i64> sys_flock(i32 descriptor, u32 operation) {
    FileReference file(TRY(fget(descriptor)));
    TRY(flock_lock_file(*file.file, operation));
    return i64{0};
}

Result<i64> sys_chroot(u64 address) {
    if (!capable(*current_cred())) return Errno::EPERM;
    PathReference path;
    struct inode& inode = *TRY(path.find(AT_FDCWD, address, 0));
    if (!is_directory(inode.i_mode)) return Errno::ENOTDIR;
    TRY(inode_permission(inode, MAY_EXEC));
    dget(path.dentry);
    set_fs_root(*get_current()->fs, path.dentry);
    return i64{0};
}

using enum ArgumentKind;
constexpr SyscallRow rows[] = {
    row<sys_flock>(73, "flock", Descriptor, Flags),
    row<sys_truncate>(76, "truncate", Path, Int),
    row<sys_chmod>(90, "chmod", Path, Hex),
    row<sys_fchmod>(91, "fchmod", Descriptor, Hex),
    row<sys_chown>(92, "chown", Path, Int, Int),
    row<sys_fchown>(93, "fchown", Descriptor, Int, Int),
    row<sys_lchown>(94, "lchown", Path, Int, Int),
    row<sys_statfs>(137, "statfs", Path, Pointer),
    row<sys_fstatfs>(138, "fstatfs", Descriptor, Pointer),
    row<sys_chroot>(161, "chroot", Path),
    row<sys_utimes>(235, "utimes", Path, Pointer),
    row<sys_fchownat>(260, "fchownat", Descriptor, Path, Int, Int, Flags),
    row<sys_fchmodat>(268, "fchmodat", Descriptor, Path, Hex),
    row<sys_utimensat>(280, "utimensat", Descriptor, Path, Pointer, Flags),
    row<sys_fallocate>(285, "fallocate", Descriptor, Flags, Int, Int),
    row<sys_syncfs>(306, "syncfs", Descriptor),
};

} // namespace

SyscallSpan attribute_syscalls() { return {rows, array_size(rows)}; }

} // namespace kernel
