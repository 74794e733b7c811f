// System calls on names: open, stat, links, directories, working directory.
#include "arch/x86_64/user_access.h"
#include "fs/vfs.h"
#include "lib/log.h"
#include "mm/slab.h"
#include "syscall/syscall.h"
#include "task/task.h"
#include "time/timekeeping.h"

namespace kernel {
namespace {

/// A path from user space, and the directory it starts from.
class UserPath {
public:
    UserPath() = default;
    ~UserPath() {
        kfree(text_);
        if (file_) fput(file_);
    }
    UserPath(const UserPath&) = delete;
    UserPath& operator=(const UserPath&) = delete;

    Result<void> fetch(i32 directory, u64 address) {
        text_ = static_cast<char*>(kmalloc(PathMax));
        if (!text_) return Errno::ENOMEM;
        TRY(strncpy_from_user(text_, address, PathMax));
        if (directory != AT_FDCWD && text_[0] != '/') {
            file_ = TRY(fget(directory));
            if (!file_->f_dentry || (!is_directory(file_->f_inode->i_mode) && text_[0]))
                return Errno::ENOTDIR;
        }
        return {};
    }
    const char* text() const { return text_; }
    struct dentry* base() const { return file_ ? file_->f_dentry : nullptr; }
    struct file* file() const { return file_; }

private:
    char* text_ = nullptr;
    struct file* file_ = nullptr;
};

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
    DentryReference found(TRY(filename_lookup(path.base(), path.text(), 0)));
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
Result<i64> sys_faccessat(i32 directory, u64 address, u32 mode) {
    UserPath path;
    TRY(path.fetch(directory, address));
    DentryReference found(TRY(filename_lookup(path.base(), path.text())));
    if ((mode & 1) && is_regular(found->d_inode->i_mode) && !(found->d_inode->i_mode & 0111))
        return Errno::EACCES;
    if ((mode & 2) && found->d_inode->i_sb && found->d_inode->i_sb->s_readonly &&
        is_regular(found->d_inode->i_mode))
        return Errno::EROFS;
    return i64{0};
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
    DirectoryEntry entry;
    usize used = 0;
    for (;;) {
        u64 before = file->f_pos;
        bool more = TRY(file->f_inode->next_entry(*file, entry));
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

Result<i64> do_mknodat(i32 directory, u64 address, u32 mode, u32 device, StringView link_target) {
    UserPath path;
    TRY(path.fetch(directory, address));
    char last[256];
    DentryReference parent(TRY(filename_parentat(path.base(), path.text(), last, sizeof last)));
    if (strings_equal(last, ".") || strings_equal(last, "..")) return Errno::EEXIST;
    Result<struct dentry*> existing = lookup_one_len(parent.dentry, last);
    if (existing.ok()) {
        dput(existing.value());
        return Errno::EEXIST;
    }
    if (existing.error() != Errno::ENOENT) return existing.error();
    MutexGuard guard(parent->d_inode->i_rwsem);
    struct inode* inode = TRY(parent->d_inode->create(last, mode, device));
    if (is_symlink(mode)) {
        Result<void> written = inode->write_link(link_target);
        if (!written.ok()) {
            (void)parent->d_inode->unlink(last, *inode);
            iput(inode);
            return written.error();
        }
    }
    struct dentry* dentry = TRY(d_add(parent.dentry, last, inode));
    dput(dentry);
    return i64{0};
}
Result<i64> sys_mkdirat(i32 directory, u64 path, u32 mode) {
    return do_mknodat(directory, path, S_IFDIR | (mode & ~get_current()->umask & 07777), 0, {});
}
Result<i64> sys_mkdir(u64 path, u32 mode) { return sys_mkdirat(AT_FDCWD, path, mode); }
Result<i64> sys_mknodat(i32 directory, u64 path, u32 mode, u32 device) {
    if (!(mode & S_IFMT)) mode |= S_IFREG;
    if (is_directory(mode) || is_symlink(mode)) return Errno::EPERM;
    return do_mknodat(directory, path, (mode & S_IFMT) | (mode & ~get_current()->umask & 07777), device, {});
}
Result<i64> sys_symlinkat(u64 target, i32 directory, u64 path) {
    auto* text = static_cast<char*>(kmalloc(PathMax));
    if (!text) return Errno::ENOMEM;
    Result<usize> length = strncpy_from_user(text, target, PathMax);
    Result<i64> result =
        !length.ok()      ? Result<i64>(length.error())
        : !length.value() ? Result<i64>(Errno::ENOENT)
                          : do_mknodat(directory, path, S_IFLNK | 0777, 0, StringView(text, length.value()));
    kfree(text);
    return result;
}
Result<i64> sys_symlink(u64 target, u64 path) { return sys_symlinkat(target, AT_FDCWD, path); }

Result<i64> sys_unlinkat(i32 directory, u64 address, u32 flags) {
    UserPath path;
    TRY(path.fetch(directory, address));
    char last[256];
    DentryReference parent(TRY(filename_parentat(path.base(), path.text(), last, sizeof last)));
    if (strings_equal(last, ".")) return Errno::EINVAL;
    if (strings_equal(last, "..")) return Errno::ENOTEMPTY;
    DentryReference victim(TRY(lookup_one_len(parent.dentry, last)));
    if (victim->mounted) return Errno::EBUSY;
    MutexGuard guard(parent->d_inode->i_rwsem);
    if (flags & AT_REMOVEDIR)
        TRY(parent->d_inode->remove_directory(last, *victim->d_inode));
    else
        TRY(parent->d_inode->unlink(last, *victim->d_inode));
    d_drop(victim.dentry);
    return i64{0};
}
Result<i64> sys_unlink(u64 path) { return sys_unlinkat(AT_FDCWD, path, 0); }
Result<i64> sys_rmdir(u64 path) { return sys_unlinkat(AT_FDCWD, path, AT_REMOVEDIR); }

Result<i64> sys_linkat(i32 from_directory, u64 from, i32 to_directory, u64 to, u32 flags) {
    UserPath source, target;
    TRY(source.fetch(from_directory, from));
    TRY(target.fetch(to_directory, to));
    DentryReference existing(
        TRY(filename_lookup(source.base(), source.text(), flags & 0x400 ? FollowLast : 0)));
    char last[256];
    DentryReference parent(TRY(filename_parentat(target.base(), target.text(), last, sizeof last)));
    Result<struct dentry*> taken = lookup_one_len(parent.dentry, last);
    if (taken.ok()) {
        dput(taken.value());
        return Errno::EEXIST;
    }
    MutexGuard guard(parent->d_inode->i_rwsem);
    TRY(parent->d_inode->link(last, *existing->d_inode));
    return i64{0};
}
Result<i64> sys_link(u64 from, u64 to) { return sys_linkat(AT_FDCWD, from, AT_FDCWD, to, 0); }

Result<i64> sys_renameat2(i32 from_directory, u64 from, i32 to_directory, u64 to, u32 flags) {
    if (flags & ~1U) return Errno::EINVAL;
    UserPath source, target;
    TRY(source.fetch(from_directory, from));
    TRY(target.fetch(to_directory, to));
    char old_name[256], new_name[256];
    DentryReference old_parent(
        TRY(filename_parentat(source.base(), source.text(), old_name, sizeof old_name)));
    DentryReference new_parent(
        TRY(filename_parentat(target.base(), target.text(), new_name, sizeof new_name)));
    DentryReference moved(TRY(lookup_one_len(old_parent.dentry, old_name)));
    for (struct dentry* up = new_parent.dentry; up->d_parent != up; up = up->d_parent)
        if (up == moved.dentry) return Errno::EINVAL; // into itself
    if (moved->mounted) return Errno::EBUSY;
    struct inode* first = old_parent->d_inode;
    struct inode* second = new_parent->d_inode;
    if (Result<struct dentry*> existing = lookup_one_len(new_parent.dentry, new_name); existing.ok()) {
        DentryReference replaced(existing.value());
        if (flags & 1) return Errno::EEXIST; // RENAME_NOREPLACE
        if (replaced->d_inode == moved->d_inode) return i64{0};
        bool directory = is_directory(moved->d_inode->i_mode);
        if (directory != is_directory(replaced->d_inode->i_mode))
            return directory ? Errno::ENOTDIR : Errno::EISDIR;
        MutexGuard guard(second->i_rwsem);
        if (directory)
            TRY(second->remove_directory(new_name, *replaced->d_inode));
        else
            TRY(second->unlink(new_name, *replaced->d_inode));
        d_drop(replaced.dentry);
    }
    // Lock order by address: two renames between the same directories cannot deadlock.
    if (first == second) {
        MutexGuard guard(first->i_rwsem);
        TRY(first->rename(old_name, *second, new_name, *moved->d_inode));
    } else {
        MutexGuard guard(first < second ? first->i_rwsem : second->i_rwsem);
        MutexGuard guard2(first < second ? second->i_rwsem : first->i_rwsem);
        TRY(first->rename(old_name, *second, new_name, *moved->d_inode));
    }
    d_drop(moved.dentry);
    return i64{0};
}
Result<i64> sys_rename(u64 from, u64 to) { return sys_renameat2(AT_FDCWD, from, AT_FDCWD, to, 0); }

Result<i64> sys_getcwd(u64 target, usize size) {
    char buffer[512];
    const char* path = d_path(get_current()->fs->pwd, buffer, sizeof buffer);
    usize length = strlen(path) + 1;
    if (length > size) return Errno::ERANGE;
    TRY(copy_to_user(target, path, length));
    return static_cast<i64>(length);
}

void set_working(struct dentry* dentry) { // takes over the reference
    fs_struct& fs = *get_current()->fs;
    dput(fs.pwd);
    fs.pwd = dentry;
}

Result<i64> sys_chdir(u64 address) {
    UserPath path;
    TRY(path.fetch(AT_FDCWD, address));
    struct dentry* found = TRY(filename_lookup(nullptr, path.text()));
    if (!is_directory(found->d_inode->i_mode)) {
        dput(found);
        return Errno::ENOTDIR;
    }
    set_working(found);
    return i64{0};
}

Result<i64> sys_fchdir(i32 descriptor) {
    struct file* file = TRY(fget(descriptor));
    bool directory = is_directory(file->f_inode->i_mode) && file->f_dentry;
    if (directory) {
        dget(file->f_dentry);
        set_working(file->f_dentry);
    }
    fput(file);
    return directory ? Result<i64>(i64{0}) : Errno::ENOTDIR;
}

Result<i64> change_mode(struct inode& inode, u32 mode) {
    if (inode.i_sb && inode.i_sb->s_readonly) return Errno::EROFS;
    MutexGuard guard(inode.i_rwsem);
    inode.i_mode = (inode.i_mode & S_IFMT) | (mode & 07777);
    inode.i_ctime = ktime_get_real_ns() / 1'000'000'000;
    if (is_regular(inode.i_mode)) TRY(inode.truncate(inode.i_size)); // marks it for writing
    return i64{0};
}
Result<i64> sys_fchmodat(i32 directory, u64 address, u32 mode) {
    UserPath path;
    TRY(path.fetch(directory, address));
    DentryReference found(TRY(filename_lookup(path.base(), path.text())));
    return change_mode(*found->d_inode, mode);
}
Result<i64> sys_chmod(u64 path, u32 mode) { return sys_fchmodat(AT_FDCWD, path, mode); }

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
    row<sys_chmod>(90, "chmod", Path, Hex),
    row<sys_umask>(95, "umask", Hex),
    row<sys_sync>(162, "sync"),
    row<sys_getdents64>(217, "getdents64", Descriptor, Buffer, Unsigned),
    row<sys_openat>(257, "openat", Descriptor, Path, Flags, Hex),
    row<sys_mkdirat>(258, "mkdirat", Descriptor, Path, Hex),
    row<sys_mknodat>(259, "mknodat", Descriptor, Path, Hex, Hex),
    row<sys_newfstatat>(262, "newfstatat", Descriptor, Path, Pointer, Flags),
    row<sys_unlinkat>(263, "unlinkat", Descriptor, Path, Flags),
    row<sys_linkat>(265, "linkat", Descriptor, Path, Descriptor, Path, Flags),
    row<sys_symlinkat>(266, "symlinkat", Path, Descriptor, Path),
    row<sys_readlinkat>(267, "readlinkat", Descriptor, Path, Buffer, Int),
    row<sys_fchmodat>(268, "fchmodat", Descriptor, Path, Hex),
    row<sys_faccessat>(269, "faccessat", Descriptor, Path, Hex),
    row<sys_renameat2>(316, "renameat2", Descriptor, Path, Descriptor, Path, Flags),
};

} // namespace

SyscallSpan directory_syscalls() { return {rows, array_size(rows)}; }

} // namespace kernel
