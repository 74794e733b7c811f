// Path walking: components, "." and "..", mounts, symbolic links (at most 40, as in Linux).
#include "fs/vfs.h"
#include "mm/slab.h"
#include "task/task.h"

namespace kernel {
namespace {

constexpr unsigned MaxLinks = 40;

Dentry* task_root() {
    FileSystemContext* fs = current_task()->fs;
    return fs && fs->root ? fs->root : root_dentry;
}
Dentry* task_working() {
    FileSystemContext* fs = current_task()->fs;
    return fs && fs->working ? fs->working : task_root();
}

Dentry* cross_mounts(Dentry* dentry) {
    while (dentry->mounted) {
        get_dentry(dentry->mounted);
        Dentry* inside = dentry->mounted;
        put_dentry(dentry);
        dentry = inside;
    }
    return dentry;
}

Dentry* parent_of(Dentry* dentry) {
    Dentry* from = dentry;
    while (from->mount_point && from != task_root()) from = from->mount_point;
    Dentry* parent = from == task_root() ? from : from->parent;
    get_dentry(parent);
    put_dentry(dentry);
    return parent;
}

/// Consumes the reference on `at`; stops before the last component when `last` is wanted.
Result<Dentry*> walk(Dentry* at, const char* path, u32 flags, unsigned& links, StringView* last) {
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
        if (!is_directory(at->inode->mode)) {
            put_dentry(at);
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
        Result<Dentry*> child = lookup_child(at, name);
        if (!child.ok()) {
            put_dentry(at);
            return child.error();
        }
        Dentry* next = cross_mounts(child.value());
        bool must_be_directory = *end == '/';
        if (is_symlink(next->inode->mode) && (!is_last || (flags & FollowLast) || must_be_directory)) {
            auto* target = static_cast<char*>(kmalloc(PathMax));
            Result<usize> length =
                target ? next->inode->read_link(target, PathMax - 1) : Result<usize>(Errno::ENOMEM);
            put_dentry(next);
            if (!length.ok() || ++links > MaxLinks) {
                kfree(target);
                put_dentry(at);
                return length.ok() ? Errno::ELOOP : length.error();
            }
            target[length.value()] = 0;
            Dentry* start = at;
            if (target[0] == '/') {
                put_dentry(at);
                start = task_root();
                get_dentry(start);
            }
            Result<Dentry*> followed = walk(start, target, FollowLast, links, nullptr);
            kfree(target);
            if (!followed.ok()) return followed;
            at = followed.value();
            continue;
        }
        put_dentry(at);
        at = next;
        if (is_last && must_be_directory && !is_directory(at->inode->mode)) {
            put_dentry(at);
            return Errno::ENOTDIR;
        }
    }
}

Dentry* start_of(Dentry* base, const char* path) {
    Dentry* start = *path == '/' ? task_root() : base ? base : task_working();
    get_dentry(start);
    return start;
}

} // namespace

Result<Dentry*> lookup_path(Dentry* base, const char* path, u32 flags) {
    if (!*path) return Errno::ENOENT;
    unsigned links = 0;
    return walk(start_of(base, path), path, flags, links, nullptr);
}

Result<Dentry*> lookup_parent(Dentry* base, const char* path, char* last, usize capacity) {
    if (!*path) return Errno::ENOENT;
    unsigned links = 0;
    StringView name;
    Dentry* parent = TRY(walk(start_of(base, path), path, FollowLast, links, &name));
    if (name.size >= capacity) {
        put_dentry(parent);
        return Errno::ENAMETOOLONG;
    }
    memcpy(last, name.data, name.size);
    last[name.size] = 0;
    return parent;
}

char* dentry_path(Dentry* dentry, char* buffer, usize capacity) {
    char* at = buffer + capacity - 1;
    *at = 0;
    while (dentry) {
        if (dentry->parent == dentry) {
            if (!dentry->mount_point) break;
            dentry = dentry->mount_point;
            continue;
        }
        usize length = strlen(dentry->name);
        if (static_cast<usize>(at - buffer) < length + 1) break; // cut at the front
        at -= length;
        memcpy(at, dentry->name, length);
        *--at = '/';
        dentry = dentry->parent;
    }
    if (!*at) *--at = '/';
    return at;
}

} // namespace kernel
