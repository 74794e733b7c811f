// Mounts: which file system's root stands in for which directory. See vfs.h.
#include "fs/vfs.h"
#include "lib/log.h"
#include "mm/slab.h"
#include "task/task.h"

namespace kernel {

constinit struct dentry* root_dentry = nullptr;
constinit struct mount* mounts = nullptr;

namespace {
constinit struct mutex namespace_sem{"namespace"};
}

Result<void> do_mount(const char* path, struct inode* root, const char* source, super_block* super) {
    MutexGuard guard(namespace_sem);
    struct dentry* target = nullptr;
    auto* record = make<struct mount>();
    if (!record) return Errno::ENOMEM;
    if (!strings_equal(path, "/")) {
        Result<struct dentry*> found = filename_lookup(nullptr, path);
        if (found.ok() && !is_directory(found.value()->d_inode->i_mode)) {
            dput(found.value());
            found = Errno::ENOTDIR;
        }
        if (!found.ok()) {
            destroy(record);
            return found.error();
        }
        target = found.value();
    }
    Result<struct dentry*> mounted = d_add(nullptr, "/", root);
    if (!mounted.ok()) {
        destroy(record);
        dput(target);
        return mounted.error();
    }
    if (target) {
        mounted.value()->mount_point = target; // the reference on `target` is kept by the mount
        __atomic_store_n(&target->mounted, mounted.value(), __ATOMIC_RELEASE);
    } else {
        root_dentry = mounted.value();
    }
    strscpy(record->source, source, sizeof record->source);
    strscpy(record->target, path, sizeof record->target);
    record->super = super;
    record->mnt_root = mounted.value();
    struct mount** end = &mounts;
    while (*end) end = &(*end)->next;
    *end = record;
    return {};
}

Result<void> do_umount(struct dentry* root) {
    if (root == root_dentry) { // it stays, read-only
        super_block& super = *root->d_inode->i_sb;
        dput(root);
        return reconfigure_super(super, true);
    }
    Result<void> result = [&]() -> Result<void> {
        MutexGuard guard(namespace_sem);
        struct mount** link = &mounts;
        while (*link && (*link)->mnt_root != root) link = &(*link)->next;
        if (!*link || !root->mount_point) return Errno::EINVAL;
        struct mount* record = *link;
        if (root->mounted) return Errno::EBUSY;
        while (prune_dcache(nr_dentry_unused)) {
        }
        TRY(record->super->sync());
        wait_sb_writers(*record->super); // what is being written is not pruned
        while (prune_dcache(nr_dentry_unused)) {
        } // what had still to be written
        if (!d_unused(root, 2)) return Errno::EBUSY; // the mount's reference, and the caller's
        *link = record->next;
        struct dentry* place = root->mount_point;
        __atomic_store_n(&place->mounted, static_cast<struct dentry*>(nullptr), __ATOMIC_RELEASE);
        root->mount_point = nullptr;
        dput(place);
        dput(root); // the mount's
        super_block* super = record->super;
        destroy(record);
        dput(root);
        root = nullptr;
        super->put_super();
        wait_on_freeing_inodes(*super);
        // The kernel's own trees stay: their files are shared with other mounts of them.
        if (!super->s_permanent) destroy(super);
        return {};
    }();
    if (root) dput(root);
    return result;
}

void stop_changes(super_block& super) {
    __atomic_store_n(&super.s_readonly, true, __ATOMIC_SEQ_CST); // whoever comes from now on is refused
    for_each_inode(super, [](struct inode* inode) { MutexGuard guard(inode->i_rwsem); });
}

Result<void> reconfigure_super(super_block& super, bool read_only) {
    MutexGuard guard(namespace_sem);
    if (super.s_readonly == read_only) return {};
    if (!read_only) {
        TRY(super.remount(false));
        super.s_readonly = false;
        return {};
    }
    stop_changes(super);
    static bool orphans;
    orphans = false;
    for_each_inode(super, [](struct inode* inode) { orphans |= !inode->i_nlink; });
    Result<void> result = Errno::EBUSY;
    if (!orphans && !__atomic_load_n(&super.s_open_for_write, __ATOMIC_SEQ_CST)) result = super.remount(true);
    if (!result.ok()) super.s_readonly = false;
    return result;
}

void kill_all_supers() {
    for (struct mount* mount = mounts; mount; mount = mount->next) mount->super->put_super();
}

void set_init_root() {
    get_current()->fs->root = root_dentry;
    get_current()->fs->pwd = root_dentry;
    dget(root_dentry);
    dget(root_dentry);
}

void drop_rootfs() {
    MutexGuard guard(namespace_sem);
    struct dentry* root = root_dentry;
    fs_struct& fs = *get_current()->fs;
    fs.root = fs.pwd = nullptr;
    dput(root), dput(root);
    struct mount* record = mounts;
    mounts = record->next;
    root_dentry = nullptr;
    destroy(record);
    while (prune_dcache(nr_dentry_unused)) {
    }
    dput(root); // the mount's: the files go with it
}

} // namespace kernel
