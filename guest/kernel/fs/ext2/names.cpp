// ext2's names: create, link, unlink, mkdir, rmdir, symlink, rename. See ext2.h. The directory's mutex is
// held by the caller.
#include "fs/ext2/ext2.h"
#include "mm/slab.h"
#include "task/task.h"
#include "time/timekeeping.h"

namespace kernel::ext2 {

Result<Inode*> Ext2Inode::create(StringView name, u32 new_mode, u32 new_device) {
    if (fs->read_only) return Errno::EROFS;
    if (!links) return Errno::ENOENT;
    bool directory = is_directory(new_mode);
    u32 fresh_number = TRY(fs->allocate_inode(static_cast<u32>(number), directory));
    auto* fresh = make<Ext2Inode>();
    if (!fresh) {
        fs->free_inode(fresh_number, directory);
        return Errno::ENOMEM;
    }
    fresh->fs = fs;
    fresh->super = fs;
    fresh->number = fresh_number;
    fresh->mode = new_mode;
    fresh->links = 1;
    fresh->device = new_device;
    fresh->disk.block[0] = new_device;
    fresh->access_time = fresh->modify_time = fresh->change_time = wall_clock_nanoseconds() / 1'000'000'000;
    fresh->dirty = true;
    {
        MutexGuard guard(fs->lock);
        fs->inodes.push_back(&fresh->node);
    }
    Result<void> made = [&]() -> Result<void> {
        if (directory) {
            TRY(fresh->add_entry(StringView(".", 1), fresh_number, new_mode));
            TRY(fresh->add_entry(StringView("..", 2), static_cast<u32>(number), mode));
            fresh->links = 2;
        }
        return add_entry(name, fresh_number, new_mode);
    }();
    if (!made.ok()) {
        fresh->links = 0; // destroy_self frees what it had
        put_inode(fresh);
        return made.error();
    }
    if (directory) {
        links++;
        mark_dirty();
    }
    return fresh;
}

Result<void> Ext2Inode::write_link(StringView target) {
    if (target.size < sizeof disk.block) {
        memcpy(disk.block, target.data, target.size);
        size = target.size;
        mark_dirty();
        return {};
    }
    if (target.size >= fs->block_size) return Errno::ENAMETOOLONG;
    TRY(map_block(0, true));
    size = target.size;
    Page* page = TRY(cached_page(*this, 0));
    memcpy(address_of(page), target.data, target.size);
    page->flags |= PageDirty;
    put_page(page);
    mark_dirty();
    return {};
}

Result<void> Ext2Inode::unlink(StringView name, Inode& inode) {
    if (fs->read_only) return Errno::EROFS;
    if (is_directory(inode.mode)) return Errno::EISDIR;
    TRY(remove_entry(name));
    auto& target = static_cast<Ext2Inode&>(inode);
    target.links--;
    target.change_time = wall_clock_nanoseconds() / 1'000'000'000;
    target.mark_dirty();
    return {};
}

Result<void> Ext2Inode::remove_directory(StringView name, Inode& inode) {
    if (fs->read_only) return Errno::EROFS;
    if (!is_directory(inode.mode)) return Errno::ENOTDIR;
    auto& target = static_cast<Ext2Inode&>(inode);
    if (!TRY(target.directory_is_empty())) return Errno::ENOTEMPTY;
    TRY(remove_entry(name));
    target.links = 0;
    target.mark_dirty();
    links--; // its ".." is gone
    mark_dirty();
    return {};
}

Result<void> Ext2Inode::link(StringView name, Inode& inode) {
    if (fs->read_only) return Errno::EROFS;
    if (is_directory(inode.mode)) return Errno::EPERM;
    if (inode.super != fs) return Errno::EXDEV;
    if (inode.links >= 32000) return Errno::EMLINK;
    TRY(add_entry(name, static_cast<u32>(inode.number), inode.mode));
    inode.links++;
    inode.change_time = wall_clock_nanoseconds() / 1'000'000'000;
    static_cast<Ext2Inode&>(inode).mark_dirty();
    return {};
}

Result<void> Ext2Inode::rename(StringView name, Inode& directory, StringView new_name, Inode& inode) {
    if (fs->read_only) return Errno::EROFS;
    if (directory.super != fs) return Errno::EXDEV;
    auto& target = static_cast<Ext2Inode&>(directory);
    TRY(target.add_entry(new_name, static_cast<u32>(inode.number), inode.mode));
    TRY(remove_entry(name));
    if (is_directory(inode.mode) && &target != this) { // ".." points elsewhere now
        auto& moved = static_cast<Ext2Inode&>(inode);
        TRY(moved.remove_entry(StringView("..", 2)));
        TRY(moved.add_entry(StringView("..", 2), static_cast<u32>(target.number), target.mode));
        links--;
        target.links++;
        mark_dirty();
        target.mark_dirty();
    }
    return {};
}

} // namespace kernel::ext2
