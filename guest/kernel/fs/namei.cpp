// Path walking: components, "." and "..", mounts, symbolic links (at most 40, as in Linux). Changing names:
// namei_change.cpp.
#include "fs/vfs.h"
#include "mm/slab.h"
#include "task/task.h"

namespace kernel {
namespace {

constexpr unsigned MaxLinks = 40;

/// What one walk from a system call carries along.
struct nameidata {
    struct dentry* root; ///< the caller's, with a reference
    unsigned links = 0;
    nameidata() : root(get_fs_root()) {}
    ~nameidata() { dput(root); }
    nameidata(const nameidata&) = delete;
    nameidata& operator=(const nameidata&) = delete;
};

struct dentry* follow_mount(struct dentry* dentry) {
    while (struct dentry* inside = __atomic_load_n(&dentry->mounted, __ATOMIC_ACQUIRE)) {
        dget(inside);
        dput(dentry);
        dentry = inside;
    }
    return dentry;
}

/// "..": out of mounts where this is a mount's root, never above the caller's root.
struct dentry* follow_dotdot(const nameidata& nd, struct dentry* dentry) {
    while (dentry != nd.root && dentry->d_parent == dentry && dentry->mount_point) {
        struct dentry* outside = dentry->mount_point;
        dget(outside);
        dput(dentry);
        dentry = outside;
    }
    if (dentry == nd.root) return dentry;
    struct dentry* parent = dget_parent(dentry);
    dput(dentry);
    return follow_mount(parent);
}

Result<struct dentry*> link_path_walk(nameidata& nd, struct dentry* at, const char* path, u32 flags,
                                      LastName* last);

/// Replaces `link` (consumed, as is `at`, the directory that it is in) by what it points to.
Result<struct dentry*> get_link(nameidata& nd, struct dentry* at, struct dentry* link) {
    if (Result<struct dentry*> jump = link->d_inode->jump_link(); jump.ok()) {
        dput(link);
        dput(at);
        return jump;
    }
    auto* target = static_cast<char*>(kmalloc(PathMax));
    Result<usize> length =
        target ? link->d_inode->read_link(target, PathMax - 1) : Result<usize>(Errno::ENOMEM);
    dput(link);
    if (length.ok() && ++nd.links > MaxLinks) length = Errno::ELOOP;
    if (length.ok() && !length.value()) length = Errno::ENOENT;
    if (!length.ok()) {
        kfree(target);
        dput(at);
        return length.error();
    }
    target[length.value()] = 0;
    if (target[0] == '/') {
        dput(at);
        dget(at = nd.root);
    }
    Result<struct dentry*> followed = link_path_walk(nd, at, target, FollowLast, nullptr);
    kfree(target);
    return followed;
}

/// Consumes the reference on `at`; stops before the last component when `last` is wanted.
Result<struct dentry*> link_path_walk(nameidata& nd, struct dentry* at, const char* path, u32 flags,
                                      LastName* last) {
    for (;;) {
        while (*path == '/') path++;
        if (!*path) {
            if (last) last->root = true;
            return at;
        }
        const char* end = path;
        while (*end && *end != '/') end++;
        StringView name(path, static_cast<usize>(end - path));
        const char* rest = end;
        while (*rest == '/') rest++;
        bool is_last = !*rest, must_be_directory = *end == '/';
        bool dot = name == StringView(".", 1), dotdot = name == StringView("..", 2);
        Errno refused = !is_directory(at->d_inode->i_mode) ? Errno::ENOTDIR
                                                           : inode_permission(*at->d_inode, MAY_EXEC).error();
        if (refused == Errno::None && name.size > 255) refused = Errno::ENAMETOOLONG;
        if (refused != Errno::None) {
            dput(at);
            return refused;
        }
        if (is_last && last) {
            memcpy(last->text, name.data, name.size);
            last->text[name.size] = 0;
            last->length = static_cast<u32>(name.size);
            last->slash = must_be_directory, last->dot = dot, last->dotdot = dotdot;
            return at;
        }
        path = rest;
        if (dot) continue;
        if (dotdot) {
            at = follow_dotdot(nd, at);
            continue;
        }
        Result<struct dentry*> child = lookup_one_len(at, name);
        if (!child.ok()) {
            dput(at);
            return child.error();
        }
        struct dentry* next = follow_mount(child.value());
        if (is_symlink(next->d_inode->i_mode) && (!is_last || (flags & FollowLast) || must_be_directory)) {
            at = TRY(get_link(nd, at, next));
        } else {
            dput(at);
            at = next;
        }
        if (is_last && must_be_directory && !is_directory(at->d_inode->i_mode)) {
            dput(at);
            return Errno::ENOTDIR;
        }
    }
}

struct dentry* path_init(const nameidata& nd, struct dentry* base, const char* path) {
    if (*path != '/' && !base) return get_fs_pwd();
    struct dentry* start = *path == '/' ? nd.root : base;
    dget(start);
    return start;
}

} // namespace

Result<void> inode_permission(const struct inode& inode, u32 mask) {
    u32 mode = inode.i_mode;
    if ((mask & MAY_WRITE) && inode.i_sb && inode.i_sb->s_readonly &&
        (is_regular(mode) || is_directory(mode) || is_symlink(mode)))
        return Errno::EROFS;
    const struct cred& cred = *current_cred();
    u32 bits = cred.fsuid == inode.i_uid ? mode >> 6 : in_group_p(inode.i_gid) ? mode >> 3 : mode;
    if (!(mask & ~bits & 7)) return {};
    // Root may all but execute what nobody may (CAP_DAC_OVERRIDE).
    if (cred.fsuid == 0 && (is_directory(mode) || !(mask & MAY_EXEC) || (mode & 0111))) return {};
    return Errno::EACCES;
}

namespace {
/// Adds `step` to the count unless the other kind holds it.
bool count_writers(struct inode& inode, i32 step) {
    i32 seen = __atomic_load_n(&inode.i_writecount, __ATOMIC_RELAXED);
    do {
        if (step > 0 ? seen < 0 : seen > 0) return false;
    } while (!__atomic_compare_exchange_n(&inode.i_writecount, &seen, seen + step, true, __ATOMIC_ACQ_REL,
                                          __ATOMIC_RELAXED));
    return true;
}
} // namespace
Result<void> get_write_access(struct inode& inode) {
    return count_writers(inode, 1) ? Result<void>() : Errno::ETXTBSY;
}
Result<void> deny_write_access(struct inode& inode) {
    return count_writers(inode, -1) ? Result<void>() : Errno::ETXTBSY;
}
void put_write_access(struct inode& inode) { __atomic_fetch_sub(&inode.i_writecount, 1, __ATOMIC_ACQ_REL); }
void allow_write_access(struct inode& inode) { __atomic_fetch_add(&inode.i_writecount, 1, __ATOMIC_ACQ_REL); }

Result<struct dentry*> lookup_one_len(struct dentry* directory, StringView name) {
    if (name.size > 255) return Errno::ENAMETOOLONG;
    bool keep = directory->d_inode->keep_dentries();
    struct dentry* dentry = keep ? d_lookup(directory, name) : nullptr;
    if (!dentry) {
        MutexGuard guard(directory->d_inode->i_rwsem);
        if (keep) dentry = d_lookup(directory, name); // made while we waited
        if (!dentry) {
            Result<struct inode*> inode = directory->d_inode->lookup(name);
            if (!inode.ok() && (inode.error() != Errno::ENOENT || !keep)) return inode.error();
            dentry = TRY(d_add(directory, name, inode.ok() ? inode.value() : nullptr));
        }
    }
    if (__atomic_load_n(&dentry->d_inode, __ATOMIC_ACQUIRE)) return dentry;
    dput(dentry);
    return Errno::ENOENT;
}

Result<struct dentry*> filename_lookup(struct dentry* base, const char* path, u32 flags) {
    if (!*path) return Errno::ENOENT;
    nameidata nd;
    return link_path_walk(nd, path_init(nd, base, path), path, flags, nullptr);
}

Result<struct dentry*> filename_parentat(struct dentry* base, const char* path, LastName& last) {
    if (!*path) return Errno::ENOENT;
    nameidata nd;
    return link_path_walk(nd, path_init(nd, base, path), path, FollowLast, &last);
}

} // namespace kernel
