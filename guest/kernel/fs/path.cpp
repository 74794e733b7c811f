// Path walking: components, "." and "..", mounts, symbolic links (at most 40, as in Linux).
#include "fs/vfs.h"
#include "mm/slab.h"
#include "task/task.h"

namespace kernel {
namespace {

constexpr unsigned MaxLinks = 40;

struct dentry* task_root() {
    fs_struct* fs = get_current()->fs;
    return fs && fs->root ? fs->root : root_dentry;
}
struct dentry* task_working() {
    fs_struct* fs = get_current()->fs;
    return fs && fs->pwd ? fs->pwd : task_root();
}

struct dentry* cross_mounts(struct dentry* dentry) {
    while (dentry->mounted) {
        dget(dentry->mounted);
        struct dentry* inside = dentry->mounted;
        dput(dentry);
        dentry = inside;
    }
    return dentry;
}

struct dentry* parent_of(struct dentry* dentry) {
    struct dentry* from = dentry;
    while (from->mount_point && from != task_root()) from = from->mount_point;
    struct dentry* parent = from == task_root() ? from : from->d_parent;
    dget(parent);
    dput(dentry);
    return parent;
}

/// Consumes the reference on `at`; stops before the last component when `last` is wanted.
Result<struct dentry*> walk(struct dentry* at, const char* path, u32 flags, unsigned& links,
                            StringView* last) {
    for (;;) {
        while (*path == '/') path++;
        if (!*path) {
            if (last) *last = StringView(".", 1);
            return at;
        }
        const char* end = path;
        while (*end && *end != '/') end++;
        StringView name(path, static_cast<usize>(end - path));
        const char* rest = end;
        while (*rest == '/') rest++;
        bool is_last = !*rest;
        if (!is_directory(at->d_inode->i_mode)) {
            dput(at);
            return Errno::ENOTDIR;
        }
        if (is_last && last) {
            *last = name;
            return at;
        }
        path = rest;
        if (name == StringView(".", 1)) continue;
        if (name == StringView("..", 2)) {
            at = parent_of(at);
            continue;
        }
        Result<struct dentry*> child = lookup_one_len(at, name);
        if (!child.ok()) {
            dput(at);
            return child.error();
        }
        struct dentry* next = cross_mounts(child.value());
        bool must_be_directory = *end == '/';
        if (is_symlink(next->d_inode->i_mode) && (!is_last || (flags & FollowLast) || must_be_directory)) {
            auto* target = static_cast<char*>(kmalloc(PathMax));
            Result<usize> length =
                target ? next->d_inode->read_link(target, PathMax - 1) : Result<usize>(Errno::ENOMEM);
            dput(next);
            if (!length.ok() || ++links > MaxLinks) {
                kfree(target);
                dput(at);
                return length.ok() ? Errno::ELOOP : length.error();
            }
            target[length.value()] = 0;
            struct dentry* start = at;
            if (target[0] == '/') {
                dput(at);
                start = task_root();
                dget(start);
            }
            Result<struct dentry*> followed = walk(start, target, FollowLast, links, nullptr);
            kfree(target);
            if (!followed.ok()) return followed;
            at = followed.value();
            continue;
        }
        dput(at);
        at = next;
        if (is_last && must_be_directory && !is_directory(at->d_inode->i_mode)) {
            dput(at);
            return Errno::ENOTDIR;
        }
    }
}

struct dentry* start_of(struct dentry* base, const char* path) {
    struct dentry* start = *path == '/' ? task_root() : base ? base : task_working();
    dget(start);
    return start;
}

} // namespace

Result<struct dentry*> filename_lookup(struct dentry* base, const char* path, u32 flags) {
    if (!*path) return Errno::ENOENT;
    unsigned links = 0;
    return walk(start_of(base, path), path, flags, links, nullptr);
}

Result<struct dentry*> filename_parentat(struct dentry* base, const char* path, char* last, usize capacity) {
    if (!*path) return Errno::ENOENT;
    unsigned links = 0;
    StringView name;
    struct dentry* parent = TRY(walk(start_of(base, path), path, FollowLast, links, &name));
    if (name.size >= capacity) {
        dput(parent);
        return Errno::ENAMETOOLONG;
    }
    memcpy(last, name.data, name.size);
    last[name.size] = 0;
    return parent;
}

char* d_path(struct dentry* dentry, char* buffer, usize capacity) {
    char* at = buffer + capacity - 1;
    *at = 0;
    while (dentry) {
        if (dentry->d_parent == dentry) {
            if (!dentry->mount_point) break;
            dentry = dentry->mount_point;
            continue;
        }
        usize length = strlen(dentry->d_name);
        if (static_cast<usize>(at - buffer) < length + 1) break; // cut at the front
        at -= length;
        memcpy(at, dentry->d_name, length);
        *--at = '/';
        dentry = dentry->d_parent;
    }
    if (!*at) *--at = '/';
    return at;
}

} // namespace kernel
