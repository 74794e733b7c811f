// Inodes, dentries, files and mounts; see vfs.h.
#include "fs/vfs.h"

#include "arch/x86_64/user_access.h"
#include "lib/log.h"
#include "mm/slab.h"
#include "task/task.h"
#include "time/timekeeping.h"

namespace kernel {

constinit Dentry* root_dentry = nullptr;
constinit MountRecord* mounts = nullptr;

namespace {
constinit SpinLock dentry_lock{"dentry"};
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
void get_inode(Inode* inode) { __atomic_fetch_add(&inode->references, 1, __ATOMIC_RELAXED); }
void put_inode(Inode* inode) {
    if (inode && __atomic_sub_fetch(&inode->references, 1, __ATOMIC_ACQ_REL) == 0) inode->destroy_self();
}
void Inode::destroy_self() {
    drop_cached_pages(*this, 0);
    cache.pages.clear();
    destroy(this);
}

// --- dentries
// -----------------------------------------------------------------------------------------------------------------
void get_dentry(Dentry* dentry) { __atomic_fetch_add(&dentry->references, 1, __ATOMIC_RELAXED); }

/// An unused dentry stays in the cache (its parent's list) unless its directory does not keep them, or it was
/// unlinked.
void put_dentry(Dentry* dentry) {
    while (dentry) {
        Dentry* parent = nullptr;
        {
            SpinGuard guard(dentry_lock);
            if (--dentry->references) return;
            bool keep =
                !dentry->unlinked && (dentry->parent == dentry || dentry->parent->inode->keep_dentries());
            if (keep) return;
            dentry->sibling.remove();
            parent = dentry->parent == dentry ? nullptr : dentry->parent;
        }
        put_inode(dentry->inode);
        kfree(dentry->name);
        destroy(dentry);
        dentry = parent;
    }
}

Result<Dentry*> make_dentry(Dentry* parent, StringView name, Inode* inode) {
    auto* dentry = make<Dentry>();
    auto* text = static_cast<char*>(kmalloc(name.size + 1));
    if (!dentry || !text) {
        destroy(dentry);
        kfree(text);
        put_inode(inode);
        return Errno::ENOMEM;
    }
    memcpy(text, name.data, name.size);
    text[name.size] = 0;
    dentry->name = text;
    dentry->inode = inode;
    dentry->parent = parent ? parent : dentry;
    dentry->children.initialise();
    dentry->sibling.initialise();
    if (parent) {
        SpinGuard guard(dentry_lock);
        parent->references++;
        parent->children.push_front(&dentry->sibling);
    }
    return dentry;
}

void drop_dentry(Dentry* dentry) {
    SpinGuard guard(dentry_lock);
    dentry->unlinked = true;
    dentry->sibling.remove();
}

Result<Dentry*> lookup_child(Dentry* directory, StringView name) {
    auto find_cached = [&]() -> Dentry* {
        SpinGuard guard(dentry_lock);
        for (LIST_EACH(node, directory->children)) {
            Dentry* child = CONTAINER_OF(node, Dentry, sibling);
            if (StringView(child->name) == name) {
                child->references++;
                return child;
            }
        }
        return nullptr;
    };
    if (directory->inode->keep_dentries())
        if (Dentry* cached = find_cached()) return cached;
    if (name.size > 255) return Errno::ENAMETOOLONG;
    MutexGuard guard(directory->inode->lock);
    if (directory->inode->keep_dentries())
        if (Dentry* cached = find_cached()) return cached; // made while we waited
    Inode* inode = TRY(directory->inode->lookup(name));
    return make_dentry(directory, name, inode);
}

void set_root(Inode* root) { root_dentry = make_dentry(nullptr, "/", root).value(); }

Result<void> mount_at(const char* path, Inode* root, const char* source, SuperBlock* super) {
    Dentry* target = nullptr;
    if (!strings_equal(path, "/")) {
        target = TRY(lookup_path(nullptr, path));
        if (!is_directory(target->inode->mode)) {
            put_dentry(target);
            return Errno::ENOTDIR;
        }
        Dentry* mounted = TRY(make_dentry(nullptr, "/", root));
        mounted->mount_point = target;
        target->mounted = mounted; // the reference on `target` is kept by the mount
    } else {
        set_root(root);
    }
    auto* record = make<MountRecord>();
    if (!record) return Errno::ENOMEM;
    copy_string(record->source, source, sizeof record->source);
    copy_string(record->target, path, sizeof record->target);
    record->super = super;
    MountRecord** end = &mounts;
    while (*end) end = &(*end)->next;
    *end = record;
    return {};
}

// --- files
// --------------------------------------------------------------------------------------------------------------------
void get_file(File* file) { __atomic_fetch_add(&file->references, 1, __ATOMIC_RELAXED); }
void put_file(File* file) {
    if (!file || __atomic_sub_fetch(&file->references, 1, __ATOMIC_ACQ_REL)) return;
    file->inode->release(*file);
    if (file->dentry)
        put_dentry(file->dentry);
    else
        put_inode(file->inode);
    destroy(file);
}

Result<File*> open_dentry(Dentry* dentry, u32 flags) {
    auto* file = make<File>();
    if (!file) return Errno::ENOMEM;
    file->flags = flags & ~(O_CREAT | O_EXCL | O_NOCTTY | O_TRUNC | O_CLOEXEC);
    file->inode = dentry->inode;
    Result<void> opened = file->inode->open(*file);
    if (!opened.ok()) {
        destroy(file);
        return opened.error();
    }
    get_dentry(dentry);
    file->dentry = dentry;
    return file;
}

Result<File*> open_path(Dentry* base, const char* path, u32 flags, u32 mode) {
    Dentry* dentry = nullptr;
    bool created = false;
    if (flags & O_CREAT) {
        char last[256];
        Dentry* parent = TRY(lookup_parent(base, path, last, sizeof last));
        Result<Dentry*> found = lookup_child(parent, last);
        if (!found.ok() && found.error() == Errno::ENOENT) {
            MutexGuard guard(parent->inode->lock);
            Result<Inode*> inode =
                parent->inode->create(last, S_IFREG | (mode & ~current_task()->umask & 07777), 0);
            found = inode.ok() ? make_dentry(parent, last, inode.value()) : Result<Dentry*>(inode.error());
            created = found.ok();
        } else if (found.ok()) {
            put_dentry(found.value());
            found = flags & O_EXCL ? Result<Dentry*>(Errno::EEXIST)
                                   : lookup_path(base, path, flags & O_NOFOLLOW ? 0 : FollowLast);
        }
        put_dentry(parent);
        dentry = TRY(found);
    } else {
        dentry = TRY(lookup_path(base, path, flags & O_NOFOLLOW ? 0 : FollowLast));
    }
    Inode* inode = dentry->inode;
    Result<File*> result = [&]() -> Result<File*> {
        if (is_symlink(inode->mode)) return Errno::ELOOP;
        if ((flags & O_DIRECTORY) && !is_directory(inode->mode)) return Errno::ENOTDIR;
        bool writes = (flags & O_ACCMODE) != O_RDONLY;
        if (is_directory(inode->mode) && (writes || (flags & O_CREAT))) return Errno::EISDIR;
        if (writes && is_regular(inode->mode) && inode->super && inode->super->read_only) return Errno::EROFS;
        if ((flags & O_TRUNC) && is_regular(inode->mode) && !created && writes) {
            MutexGuard guard(inode->lock);
            TRY(inode->truncate(0));
        }
        return open_dentry(dentry, flags);
    }();
    put_dentry(dentry);
    return result;
}

Result<usize> read_file(File& file, IoBuffer buffer) {
    if (!file.readable()) return Errno::EBADF;
    if (is_directory(file.inode->mode)) return Errno::EISDIR;
    if (!file.inode->seekable()) return file.inode->read(file, buffer, 0);
    MutexGuard guard(file.lock);
    usize count = TRY(file.inode->read(file, buffer, file.position));
    file.position += count;
    return count;
}

Result<usize> write_file(File& file, IoBuffer buffer) {
    if (!file.writable()) return Errno::EBADF;
    if (!file.inode->seekable()) return file.inode->write(file, buffer, 0);
    MutexGuard guard(file.lock);
    if (file.flags & O_APPEND) file.position = file.inode->size;
    usize count = TRY(file.inode->write(file, buffer, file.position));
    file.position += count;
    return count;
}

Result<usize> read_kernel(File& file, void* to, usize size, u64 position) {
    return file.inode->read(file, IoBuffer::of_kernel(to, size), position);
}

void fill_stat(Inode& inode, Stat& stat) {
    stat = {};
    stat.st_dev = inode.super ? inode.super->device : 0;
    stat.st_ino = inode.number;
    stat.st_nlink = inode.links;
    stat.st_mode = inode.mode;
    stat.st_uid = inode.uid;
    stat.st_gid = inode.gid;
    stat.st_rdev = inode.device;
    stat.st_size = static_cast<i64>(inode.size);
    stat.st_blksize = inode.super ? static_cast<i64>(inode.super->block_size) : 4096;
    stat.st_blocks = static_cast<i64>(inode.blocks);
    stat.st_atime = inode.access_time;
    stat.st_mtime = inode.modify_time;
    stat.st_ctime = inode.change_time;
}

} // namespace kernel
