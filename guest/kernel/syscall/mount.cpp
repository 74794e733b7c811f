// mount, umount2.
#include "arch/x86_64/user_access.h"
#include "block/block.h"
#include "drivers/tty.h"
#include "fs/dev/devtmpfs.h"
#include "fs/ext2/ext2.h"
#include "fs/proc/proc.h"
#include "fs/tmpfs.h"
#include "fs/vfs.h"
#include "lib/kobject.h"
#include "mm/slab.h"
#include "mm/swap.h"
#include "syscall/syscall.h"
#include "syscall/user_path.h"
#include "task/cred.h"
#include "task/task.h"

namespace kernel {
namespace {

constexpr u64 MS_RDONLY = 1, MS_REMOUNT = 32, MS_BIND = 4096, MS_MOVE = 8192, MS_PROPAGATION = 0x1e0000;

Result<struct inode*> new_root(const char* type, const char* source, bool read_only) {
    if (strings_equal(type, "tmpfs")) return make_tmpfs();
    if (strings_equal(type, "proc")) return make_procfs();
    if (strings_equal(type, "sysfs")) return make_sysfs();
    if (strings_equal(type, "devtmpfs")) return make_devtmpfs();
    if (strings_equal(type, "devpts")) return make_devpts();
    if (!strings_equal(type, "ext2")) return Errno::ENODEV;
    struct dentry* node = TRY(filename_lookup(nullptr, source));
    bool block = (node->d_inode->i_mode & S_IFMT) == S_IFBLK;
    struct inode* found = block ? find_device(node->d_inode->i_mode, node->d_inode->i_rdev) : nullptr;
    dput(node);
    if (!block) return Errno::ENOTBLK;
    if (!found) return Errno::ENXIO;
    auto* device = static_cast<struct block_device*>(found);
    for (const struct mount* mount = mounts; mount; mount = mount->next)
        if (mount->super->s_dev == device->i_rdev) return Errno::EBUSY;
    if (is_swap_device(device->i_rdev)) return Errno::EBUSY;
    ext2::ext2_sb_info* fs = TRY(ext2::mount(device, read_only));
    return fs->inode(ext2::RootInode);
}

Result<i64> sys_mount(u64 source_address, u64 target_address, u64 type_address, u64 flags, u64) {
    if (!capable(*current_cred())) return Errno::EPERM;
    UserPath source, target, type;
    TRY(target.fetch(AT_FDCWD, target_address));
    if (source_address) TRY(source.fetch(AT_FDCWD, source_address));
    if (flags & (MS_BIND | MS_MOVE | MS_PROPAGATION)) return Errno::EINVAL; // one place a file system
    struct dentry* place = TRY(filename_lookup(nullptr, target.text()));
    if (flags & MS_REMOUNT) {
        super_block* super = place->d_inode->i_sb;
        bool is_root = place->d_parent == place;
        dput(place);
        if (!is_root || !super) return Errno::EINVAL;
        TRY(reconfigure_super(*super, flags & MS_RDONLY));
        return i64{0};
    }
    auto* path = static_cast<char*>(kmalloc(PathMax));
    if (!path) return dput(place), Errno::ENOMEM;
    Result<char*> absolute = d_path(place, path, PathMax);
    bool directory = is_directory(place->d_inode->i_mode);
    dput(place);
    Result<i64> result = [&]() -> Result<i64> {
        if (!type_address) return Errno::EINVAL;
        TRY(type.fetch(AT_FDCWD, type_address));
        if (!directory) return Errno::ENOTDIR;
        TRY(absolute);
        struct inode* root =
            TRY(new_root(type.text(), source_address ? source.text() : "", flags & MS_RDONLY));
        if (flags & MS_RDONLY) root->i_sb->s_readonly = true;
        TRY(do_mount(absolute.value(), root, source_address && *source.text() ? source.text() : "none",
                     root->i_sb));
        return i64{0};
    }();
    kfree(path);
    return result;
}

Result<i64> sys_umount2(u64 target_address, u32 flags) {
    if (!capable(*current_cred())) return Errno::EPERM;
    if (flags & ~0xfU) return Errno::EINVAL;
    UserPath target;
    TRY(target.fetch(AT_FDCWD, target_address));
    struct dentry* root = TRY(filename_lookup(nullptr, target.text()));
    TRY(do_umount(root));
    return i64{0};
}

using enum ArgumentKind;
constexpr SyscallRow rows[] = {
    row<sys_mount>(165, "mount", Path, Path, String, Hex, Pointer),
    row<sys_umount2>(166, "umount2", Path, Flags),
};

} // namespace

SyscallSpan mount_syscalls() { return {rows, array_size(rows)}; }

} // namespace kernel
