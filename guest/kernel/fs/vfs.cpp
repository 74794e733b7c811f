// Inodes, dentries, files and mounts; see vfs.h.
#include "fs/vfs.h"

#include "arch/x86_64/user_access.h"
#include "lib/log.h"
#include "mm/slab.h"
#include "task/task.h"
#include "time/timekeeping.h"

namespace kernel {

constinit struct dentry* root_dentry = nullptr;
constinit struct mount* mounts = nullptr;

namespace {
constinit spinlock_t dentry_lock{"dentry"};
}

Result<void> IoBuffer::store(usize offset, const void* from, usize count) const {
    if (offset + count > size) return Errno::EINVAL;
    if (user) return copy_to_user(address + offset, from, count);
    memcpy(reinterpret_cast<void*>(address + offset), from, count);
    return {};
}

Result<void> IoBuffer::load(void* to, usize offset, usize count) const {
    if (offset + count > size) return Errno::EINVAL;
    if (user) return copy_from_user(to, address + offset, count);
    memcpy(to, reinterpret_cast<const void*>(address + offset), count);
    return {};
}

Result<void> IoBuffer::zero(usize offset, usize count) const {
    if (offset + count > size) return Errno::EINVAL;
    if (user) return clear_user(address + offset, count);
    memset(reinterpret_cast<void*>(address + offset), 0, count);
    return {};
}

// --- inodes
// -----------------------------------------------------------------------------------------------------------------
void ihold(struct inode* inode) { __atomic_fetch_add(&inode->i_count, 1, __ATOMIC_RELAXED); }
void iput(struct inode* inode) {
    if (inode && __atomic_sub_fetch(&inode->i_count, 1, __ATOMIC_ACQ_REL) == 0) inode->destroy_self();
}
void inode::destroy_self() {
    truncate_inode_pages(*this, 0);
    i_data.i_pages.clear();
    destroy(this);
}

// --- dentries
// -----------------------------------------------------------------------------------------------------------------
void dget(struct dentry* dentry) { __atomic_fetch_add(&dentry->d_count, 1, __ATOMIC_RELAXED); }

/// An unused dentry stays in the cache (its parent's list) unless its directory does not keep them, or it was
/// unlinked.
void dput(struct dentry* dentry) {
    while (dentry) {
        struct dentry* parent = nullptr;
        {
            SpinGuard guard(dentry_lock);
            if (--dentry->d_count) return;
            bool keep = !dentry->unlinked &&
                        (dentry->d_parent == dentry || dentry->d_parent->d_inode->keep_dentries());
            if (keep) return;
            dentry->d_child.remove();
            parent = dentry->d_parent == dentry ? nullptr : dentry->d_parent;
        }
        iput(dentry->d_inode);
        kfree(dentry->d_name);
        destroy(dentry);
        dentry = parent;
    }
}

Result<struct dentry*> d_add(struct dentry* parent, StringView name, struct inode* inode) {
    auto* dentry = make<struct dentry>();
    auto* text = static_cast<char*>(kmalloc(name.size + 1));
    if (!dentry || !text) {
        destroy(dentry);
        kfree(text);
        iput(inode);
        return Errno::ENOMEM;
    }
    memcpy(text, name.data, name.size);
    text[name.size] = 0;
    dentry->d_name = text;
    dentry->d_inode = inode;
    dentry->d_parent = parent ? parent : dentry;
    dentry->d_subdirs.initialise();
    dentry->d_child.initialise();
    if (parent) {
        SpinGuard guard(dentry_lock);
        parent->d_count++;
        parent->d_subdirs.push_front(&dentry->d_child);
    }
    return dentry;
}

void d_drop(struct dentry* dentry) {
    SpinGuard guard(dentry_lock);
    dentry->unlinked = true;
    dentry->d_child.remove();
}

Result<struct dentry*> lookup_one_len(struct dentry* directory, StringView name) {
    auto find_cached = [&]() -> struct dentry* {
        SpinGuard guard(dentry_lock);
        for (LIST_EACH(node, directory->d_subdirs)) {
            struct dentry* child = container_of(node, struct dentry, d_child);
            if (StringView(child->d_name) == name) {
                child->d_count++;
                return child;
            }
        }
        return nullptr;
    };
    if (directory->d_inode->keep_dentries())
        if (struct dentry* cached = find_cached()) return cached;
    if (name.size > 255) return Errno::ENAMETOOLONG;
    MutexGuard guard(directory->d_inode->i_rwsem);
    if (directory->d_inode->keep_dentries())
        if (struct dentry* cached = find_cached()) return cached; // made while we waited
    struct inode* inode = TRY(directory->d_inode->lookup(name));
    return d_add(directory, name, inode);
}

void set_root(struct inode* root) { root_dentry = d_add(nullptr, "/", root).value(); }

Result<void> do_mount(const char* path, struct inode* root, const char* source, super_block* super) {
    struct dentry* target = nullptr;
    if (!strings_equal(path, "/")) {
        target = TRY(filename_lookup(nullptr, path));
        if (!is_directory(target->d_inode->i_mode)) {
            dput(target);
            return Errno::ENOTDIR;
        }
        struct dentry* mounted = TRY(d_add(nullptr, "/", root));
        mounted->mount_point = target;
        target->mounted = mounted; // the reference on `target` is kept by the mount
    } else {
        set_root(root);
    }
    auto* record = make<struct mount>();
    if (!record) return Errno::ENOMEM;
    strscpy(record->source, source, sizeof record->source);
    strscpy(record->target, path, sizeof record->target);
    record->super = super;
    struct mount** end = &mounts;
    while (*end) end = &(*end)->next;
    *end = record;
    return {};
}

// --- files
// --------------------------------------------------------------------------------------------------------------------
void get_file(struct file* file) { __atomic_fetch_add(&file->f_count, 1, __ATOMIC_RELAXED); }
void fput(struct file* file) {
    if (!file || __atomic_sub_fetch(&file->f_count, 1, __ATOMIC_ACQ_REL)) return;
    file->f_inode->release(*file);
    if (file->f_dentry)
        dput(file->f_dentry);
    else
        iput(file->f_inode);
    destroy(file);
}

Result<struct file*> do_dentry_open(struct dentry* dentry, u32 flags) {
    auto* file = make<struct file>();
    if (!file) return Errno::ENOMEM;
    file->f_flags = flags & ~(O_CREAT | O_EXCL | O_NOCTTY | O_TRUNC | O_CLOEXEC);
    file->f_inode = dentry->d_inode;
    Result<void> opened = file->f_inode->open(*file);
    if (!opened.ok()) {
        destroy(file);
        return opened.error();
    }
    dget(dentry);
    file->f_dentry = dentry;
    return file;
}

Result<struct file*> do_filp_open(struct dentry* base, const char* path, u32 flags, u32 mode) {
    struct dentry* dentry = nullptr;
    bool created = false;
    if (flags & O_CREAT) {
        char last[256];
        struct dentry* parent = TRY(filename_parentat(base, path, last, sizeof last));
        Result<struct dentry*> found = lookup_one_len(parent, last);
        if (!found.ok() && found.error() == Errno::ENOENT) {
            MutexGuard guard(parent->d_inode->i_rwsem);
            Result<struct inode*> inode =
                parent->d_inode->create(last, S_IFREG | (mode & ~get_current()->umask & 07777), 0);
            found = inode.ok() ? d_add(parent, last, inode.value()) : Result<struct dentry*>(inode.error());
            created = found.ok();
        } else if (found.ok()) {
            dput(found.value());
            found = flags & O_EXCL ? Result<struct dentry*>(Errno::EEXIST)
                                   : filename_lookup(base, path, flags & O_NOFOLLOW ? 0 : FollowLast);
        }
        dput(parent);
        dentry = TRY(found);
    } else {
        dentry = TRY(filename_lookup(base, path, flags & O_NOFOLLOW ? 0 : FollowLast));
    }
    struct inode* inode = dentry->d_inode;
    Result<struct file*> result = [&]() -> Result<struct file*> {
        if (is_symlink(inode->i_mode)) return Errno::ELOOP;
        if ((flags & O_DIRECTORY) && !is_directory(inode->i_mode)) return Errno::ENOTDIR;
        bool writes = (flags & O_ACCMODE) != O_RDONLY;
        if (is_directory(inode->i_mode) && (writes || (flags & O_CREAT))) return Errno::EISDIR;
        if (writes && is_regular(inode->i_mode) && inode->i_sb && inode->i_sb->s_readonly)
            return Errno::EROFS;
        if ((flags & O_TRUNC) && is_regular(inode->i_mode) && !created && writes) {
            MutexGuard guard(inode->i_rwsem);
            TRY(inode->truncate(0));
        }
        return do_dentry_open(dentry, flags);
    }();
    dput(dentry);
    return result;
}

Result<usize> vfs_read(struct file& file, IoBuffer buffer) {
    if (!file.readable()) return Errno::EBADF;
    if (is_directory(file.f_inode->i_mode)) return Errno::EISDIR;
    if (!file.f_inode->seekable()) return file.f_inode->read(file, buffer, 0);
    MutexGuard guard(file.f_pos_lock);
    usize count = TRY(file.f_inode->read(file, buffer, file.f_pos));
    file.f_pos += count;
    return count;
}

Result<usize> vfs_write(struct file& file, IoBuffer buffer) {
    if (!file.writable()) return Errno::EBADF;
    if (!file.f_inode->seekable()) return file.f_inode->write(file, buffer, 0);
    MutexGuard guard(file.f_pos_lock);
    if (file.f_flags & O_APPEND) file.f_pos = file.f_inode->i_size;
    usize count = TRY(file.f_inode->write(file, buffer, file.f_pos));
    file.f_pos += count;
    return count;
}

Result<usize> kernel_read(struct file& file, void* to, usize size, u64 position) {
    return file.f_inode->read(file, IoBuffer::of_kernel(to, size), position);
}

void generic_fillattr(struct inode& inode, Stat& stat) {
    stat = {};
    stat.st_dev = inode.i_sb ? inode.i_sb->s_dev : 0;
    stat.st_ino = inode.i_ino;
    stat.st_nlink = inode.i_nlink;
    stat.st_mode = inode.i_mode;
    stat.st_uid = inode.i_uid;
    stat.st_gid = inode.i_gid;
    stat.st_rdev = inode.i_rdev;
    stat.st_size = static_cast<i64>(inode.i_size);
    stat.st_blksize = inode.i_sb ? static_cast<i64>(inode.i_sb->s_blocksize) : 4096;
    stat.st_blocks = static_cast<i64>(inode.i_blocks);
    stat.st_atime = inode.i_atime;
    stat.st_mtime = inode.i_mtime;
    stat.st_ctime = inode.i_ctime;
}

} // namespace kernel
