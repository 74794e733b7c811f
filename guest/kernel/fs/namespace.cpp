// Mounts: which file system's root stands in for which directory. See vfs.h.
#include "fs/vfs.h"
#include "lib/log.h"
#include "mm/slab.h"

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
    struct mount** end = &mounts;
    while (*end) end = &(*end)->next;
    *end = record;
    return {};
}

void kill_all_supers() {
    for (struct mount* mount = mounts; mount; mount = mount->next) mount->super->put_super();
}

} // namespace kernel
