// System calls on names: open, stat, links, directories, working directory.
#include "arch/x86_64/user_access.h"
#include "fs/vfs.h"
#include "lib/log.h"
#include "mm/slab.h"
#include "syscall/syscall.h"
#include "syscall/user_path.h"
#include "task/task.h"
#include "time/timekeeping.h"

namespace kernel {
namespace {

struct DentryReference {
    struct dentry* dentry;
    explicit DentryReference(struct dentry* taken) : dentry(taken) {}
    ~DentryReference() {
        if (dentry) dput(dentry);
    }
    DentryReference(const DentryReference&) = delete;
    DentryReference& operator=(const DentryReference&) = delete;
    struct dentry* operator->() const { return dentry; }
};

Result<i64> do_sys_open(i32 directory, u64 address, u32 flags, u32 mode) {
    UserPath path;
    TRY(path.fetch(directory, address));
    struct file* file = TRY(do_filp_open(path.base(), path.text(), flags, mode));
    Result<i32> installed = fd_install(*get_current()->files, file, flags & O_CLOEXEC);
    if (!installed.ok()) {
        fput(file);
        return installed.error();
    }
    return i64{installed.value()};
}
Result<i64> sys_openat(i32 directory, u64 path, u32 flags, u32 mode) {
    return do_sys_open(directory, path, flags, mode);
}
Result<i64> sys_open(u64 path, u32 flags, u32 mode) { return do_sys_open(AT_FDCWD, path, flags, mode); }
Result<i64> sys_creat(u64 path, u32 mode) {
    return do_sys_open(AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode);
}

Result<i64> vfs_statx(i32 directory, u64 address, u64 target, u32 flags) {
    UserPath path;
    TRY(path.fetch(directory, address));
    Stat stat;
    if (!*path.text() && (flags & AT_EMPTY_PATH) && path.file()) {
        generic_fillattr(*path.file()->f_inode, stat);
    } else {
        DentryReference found(
            TRY(filename_lookup(path.base(), path.text(), flags & AT_SYMLINK_NOFOLLOW ? 0 : FollowLast)));
        generic_fillattr(*found->d_inode, stat);
    }
    TRY(put_user(target, stat));
    return i64{0};
}
Result<i64> sys_stat(u64 path, u64 target) { return vfs_statx(AT_FDCWD, path, target, 0); }
Result<i64> sys_lstat(u64 path, u64 target) { return vfs_statx(AT_FDCWD, path, target, AT_SYMLINK_NOFOLLOW); }
Result<i64> sys_newfstatat(i32 directory, u64 path, u64 target, u32 flags) {
    return vfs_statx(directory, path, target, flags);
}

Result<i64> sys_readlinkat(i32 directory, u64 address, u64 target, i32 size) {
    if (size <= 0) return Errno::EINVAL;
    UserPath path;
    TRY(path.fetch(directory, address));
    // Without a path, the link that O_PATH has opened.
    bool own = !*path.text() && path.file() && path.file()->f_dentry;
    if (own) dget(path.base());
    DentryReference found(own ? path.base() : TRY(filename_lookup(path.base(), path.text(), 0)));
    if (own && !is_symlink(found->d_inode->i_mode)) return Errno::ENOENT;
    auto* text = static_cast<char*>(kmalloc(PathMax));
    if (!text) return Errno::ENOMEM;
    Result<usize> length = found->d_inode->read_link(text, PathMax - 1);
    Result<void> copied;
    usize count = 0;
    if (length.ok()) {
        count = min(length.value(), static_cast<usize>(size));
        copied = copy_to_user(target, text, count);
    }
    kfree(text);
    if (!length.ok()) return length.error();
    TRY(copied);
    return static_cast<i64>(count);
}
Result<i64> sys_readlink(u64 path, u64 target, i32 size) {
    return sys_readlinkat(AT_FDCWD, path, target, size);
}

/// One user, root: only the execute bit of files can say no.
/// For the real user and group, as access(2) says: with a cred of its own for the length of the call.
Result<i64> sys_faccessat(i32 directory, u64 address, u32 mode) {
    if (mode & ~7U) return Errno::EINVAL;
    struct cred* real = TRY(prepare_creds());
    real->fsuid = real->uid, real->fsgid = real->gid;
    const struct cred* effective = override_creds(real);
    Result<i64> result = [&]() -> Result<i64> {
        UserPath path;
        TRY(path.fetch(directory, address));
        DentryReference found(TRY(filename_lookup(path.base(), path.text())));
        TRY(inode_permission(*found->d_inode, mode));
        return i64{0};
    }();
    revert_creds(effective);
    return result;
}
Result<i64> sys_access(u64 path, u32 mode) { return sys_faccessat(AT_FDCWD, path, mode); }

Result<i64> sys_getdents64(i32 descriptor, u64 target, usize size) {
    struct file* file = TRY(fget(descriptor));
    struct Closer {
        struct file* file;
        ~Closer() { fput(file); }
    } closer{file};
    if (!is_directory(file->f_inode->i_mode)) return Errno::ENOTDIR;
    MutexGuard guard(file->f_pos_lock);
    MutexGuard directory_guard(file->f_inode->i_rwsem);
    if (!file->f_inode->i_nlink) return i64{0}; // removed: nothing is in it
    DirectoryEntry entry;
    usize used = 0;
    for (;;) {
        u64 before = file->f_pos;
        bool more = TRY(file->f_op->next_entry(*file, entry));
        if (!more) break;
        u16 length = static_cast<u16>(align_up(offsetof(LinuxDirent64, d_name) + entry.name_length + 1, 8));
        if (used + length > size) {
            file->f_pos = before;
            if (!used) return Errno::EINVAL;
            break;
        }
        struct {
            u64 inode;
            i64 offset;
            u16 length;
            u8 type;
            char name[256 + 8];
        } record = {};
        record.inode = entry.inode;
        record.offset = static_cast<i64>(file->f_pos);
        record.length = length;
        record.type = entry.type;
        memcpy(reinterpret_cast<u8*>(&record) + offsetof(LinuxDirent64, d_name), entry.name,
               entry.name_length + 1);
        TRY(copy_to_user(target + used, &record, length));
        used += length;
    }
    return static_cast<i64>(used);
}

Result<i64> make_node_at(i32 directory, u64 address, u32 mode, u32 device, StringView link_target) {
    UserPath path;
    TRY(path.fetch(directory, address));
    TRY(do_mknodat(path.base(), path.text(), mode, device, link_target));
    return i64{0};
}
Result<i64> sys_mkdirat(i32 directory, u64 path, u32 mode) {
    return make_node_at(directory, path, S_IFDIR | (mode & ~get_current()->umask & 07777), 0, {});
}
Result<i64> sys_mkdir(u64 path, u32 mode) { return sys_mkdirat(AT_FDCWD, path, mode); }
Result<i64> sys_mknodat(i32 directory, u64 path, u32 mode, u32 device) {
    switch (mode & S_IFMT) {
    case 0: mode |= S_IFREG; [[fallthrough]];
    case S_IFREG:
    case S_IFIFO:
    case S_IFSOCK: device = 0; break;
    case S_IFCHR:
    case S_IFBLK: break;
    case S_IFDIR: return Errno::EPERM;
    default: return Errno::EINVAL;
    }
    return make_node_at(directory, path, (mode & S_IFMT) | (mode & ~get_current()->umask & 07777), device,
                        {});
}
Result<i64> sys_mknod(u64 path, u32 mode, u32 device) { return sys_mknodat(AT_FDCWD, path, mode, device); }
Result<i64> sys_symlinkat(u64 target, i32 directory, u64 path) {
    auto* text = static_cast<char*>(kmalloc(PathMax));
    if (!text) return Errno::ENOMEM;
    Result<usize> length = strncpy_from_user(text, target, PathMax);
    Result<i64> result = !length.ok()      ? Result<i64>(length.error())
                         : !length.value() ? Result<i64>(Errno::ENOENT)
                                           : make_node_at(directory, path, S_IFLNK | 0777, 0,
                                                          StringView(text, length.value()));
    kfree(text);
    return result;
}
Result<i64> sys_symlink(u64 target, u64 path) { return sys_symlinkat(target, AT_FDCWD, path); }

Result<i64> sys_unlinkat(i32 directory, u64 address, u32 flags) {
    if (flags & ~AT_REMOVEDIR) return Errno::EINVAL;
    UserPath path;
    TRY(path.fetch(directory, address));
    TRY(flags & AT_REMOVEDIR ? do_rmdir(path.base(), path.text()) : do_unlinkat(path.base(), path.text()));
    return i64{0};
}
Result<i64> sys_unlink(u64 path) { return sys_unlinkat(AT_FDCWD, path, 0); }
Result<i64> sys_rmdir(u64 path) { return sys_unlinkat(AT_FDCWD, path, AT_REMOVEDIR); }

Result<i64> sys_linkat(i32 from_directory, u64 from, i32 to_directory, u64 to, u32 flags) {
    constexpr u32 AT_SYMLINK_FOLLOW = 0x400;
    if (flags & ~(AT_SYMLINK_FOLLOW | AT_EMPTY_PATH)) return Errno::EINVAL;
    UserPath source, target;
    TRY(source.fetch(from_directory, from));
    TRY(target.fetch(to_directory, to));
    DentryReference existing(
        TRY(filename_lookup(source.base(), source.text(), flags & AT_SYMLINK_FOLLOW ? FollowLast : 0)));
    TRY(do_linkat(existing.dentry, target.base(), target.text()));
    return i64{0};
}
Result<i64> sys_link(u64 from, u64 to) { return sys_linkat(AT_FDCWD, from, AT_FDCWD, to, 0); }

Result<i64> sys_renameat2(i32 from_directory, u64 from, i32 to_directory, u64 to, u32 flags) {
    UserPath source, target;
    TRY(source.fetch(from_directory, from));
    TRY(target.fetch(to_directory, to));
    TRY(do_renameat2(source.base(), source.text(), target.base(), target.text(), flags));
    return i64{0};
}
Result<i64> sys_renameat(i32 from_directory, u64 from, i32 to_directory, u64 to) {
    return sys_renameat2(from_directory, from, to_directory, to, 0);
}
Result<i64> sys_rename(u64 from, u64 to) { return sys_renameat2(AT_FDCWD, from, AT_FDCWD, to, 0); }

Result<i64> sys_getcwd(u64 target, usize size) {
    DentryReference pwd(get_fs_pwd());
    if (d_unlinked(pwd.dentry)) return Errno::ENOENT;
    auto* buffer = static_cast<char*>(kmalloc(PathMax));
    if (!buffer) return Errno::ENOMEM;
    Result<i64> result = [&]() -> Result<i64> {
        char* path = TRY(d_path(pwd.dentry, buffer, PathMax));
        usize length = strlen(path) + 1;
        if (length > size) return Errno::ERANGE;
        TRY(copy_to_user(target, path, length));
        return static_cast<i64>(length);
    }();
    kfree(buffer);
    return result;
}

void set_working(struct dentry* dentry) { set_fs_pwd(*get_current()->fs, dentry); }

Result<i64> sys_chdir(u64 address) {
    UserPath path;
    TRY(path.fetch(AT_FDCWD, address));
    struct dentry* found = TRY(filename_lookup(nullptr, path.text()));
    Result<void> allowed = is_directory(found->d_inode->i_mode) ? inode_permission(*found->d_inode, MAY_EXEC)
                                                                : Result<void>(Errno::ENOTDIR);
    if (!allowed.ok()) {
        dput(found);
        return allowed.error();
    }
    set_working(found);
    return i64{0};
}

Result<i64> sys_fchdir(i32 descriptor) {
    struct file* file = TRY(fget_raw(descriptor));
    Result<void> allowed = is_directory(file->f_inode->i_mode) && file->f_dentry
                               ? inode_permission(*file->f_inode, MAY_EXEC)
                               : Result<void>(Errno::ENOTDIR);
    if (allowed.ok()) {
        dget(file->f_dentry);
        set_working(file->f_dentry);
    }
    fput(file);
    return allowed.ok() ? Result<i64>(i64{0}) : allowed.error();
}

Result<i64> sys_umask(u32 mask) {
    u32 old = get_current()->umask;
    get_current()->umask = mask & 0777;
    return i64{old};
}

Result<i64> sys_sync() {
    for (struct mount* mount = mounts; mount; mount = mount->next)
        if (Result<void> synced = mount->super->sync(); !synced.ok())
            pr_err("sync: %s: error %d\n", mount->target, static_cast<int>(synced.error()));
    return i64{0};
}

using enum ArgumentKind;
constexpr SyscallRow rows[] = {
    row<sys_open>(2, "open", Path, Flags, Hex),
    row<sys_stat>(4, "stat", Path, Pointer),
    row<sys_lstat>(6, "lstat", Path, Pointer),
    row<sys_access>(21, "access", Path, Hex),
    row<sys_getcwd>(79, "getcwd", Buffer, Unsigned),
    row<sys_chdir>(80, "chdir", Path),
    row<sys_fchdir>(81, "fchdir", Descriptor),
    row<sys_rename>(82, "rename", Path, Path),
    row<sys_mkdir>(83, "mkdir", Path, Hex),
    row<sys_rmdir>(84, "rmdir", Path),
    row<sys_creat>(85, "creat", Path, Hex),
    row<sys_link>(86, "link", Path, Path),
    row<sys_unlink>(87, "unlink", Path),
    row<sys_symlink>(88, "symlink", Path, Path),
    row<sys_readlink>(89, "readlink", Path, Buffer, Int),
    row<sys_umask>(95, "umask", Hex),
    row<sys_mknod>(133, "mknod", Path, Hex, Hex),
    row<sys_sync>(162, "sync"),
    row<sys_getdents64>(217, "getdents64", Descriptor, Buffer, Unsigned),
    row<sys_openat>(257, "openat", Descriptor, Path, Flags, Hex),
    row<sys_mkdirat>(258, "mkdirat", Descriptor, Path, Hex),
    row<sys_mknodat>(259, "mknodat", Descriptor, Path, Hex, Hex),
    row<sys_newfstatat>(262, "newfstatat", Descriptor, Path, Pointer, Flags),
    row<sys_unlinkat>(263, "unlinkat", Descriptor, Path, Flags),
    row<sys_renameat>(264, "renameat", Descriptor, Path, Descriptor, Path),
    row<sys_linkat>(265, "linkat", Descriptor, Path, Descriptor, Path, Flags),
    row<sys_symlinkat>(266, "symlinkat", Path, Descriptor, Path),
    row<sys_readlinkat>(267, "readlinkat", Descriptor, Path, Buffer, Int),
    row<sys_faccessat>(269, "faccessat", Descriptor, Path, Hex),
    row<sys_renameat2>(316, "renameat2", Descriptor, Path, Descriptor, Path, Flags),
};

} // namespace

SyscallSpan directory_syscalls() { return {rows, array_size(rows)}; }

} // namespace kernel
