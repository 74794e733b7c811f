// ext2's names: create, link, unlink, mkdir, rmdir, symlink, rename. See ext2.h. The directory's mutex is
// held by the caller.
#include "fs/ext2/ext2.h"
#include "mm/slab.h"
#include "task/task.h"
#include "time/timekeeping.h"

namespace kernel::ext2 {

Result<struct inode*> ext2_inode_info::create(StringView name, u32 new_mode, u32 new_device) {
    if (fs->s_readonly) return Errno::EROFS;
    if (!i_nlink) return Errno::ENOENT;
    bool directory = is_directory(new_mode);
    u32 fresh_number = TRY(fs->allocate_inode(static_cast<u32>(i_ino), directory));
    auto* fresh = make<ext2_inode_info>();
    if (!fresh) {
        fs->free_inode(fresh_number, directory);
        return Errno::ENOMEM;
    }
    fresh->fs = fs;
    fresh->i_sb = fs;
    fresh->i_ino = fresh_number;
    fresh->i_mode = new_mode;
    fresh->i_nlink = 1;
    fresh->i_rdev = new_device;
    fresh->disk.i_block[0] = new_device;
    fresh->i_atime = fresh->i_mtime = fresh->i_ctime = ktime_get_real_ns() / 1'000'000'000;
    fresh->dirty = true;
    {
        MutexGuard guard(fs->lock);
        fs->inodes.push_back(&fresh->node);
    }
    Result<void> made = [&]() -> Result<void> {
        if (directory) {
            TRY(fresh->add_entry(StringView(".", 1), fresh_number, new_mode));
            TRY(fresh->add_entry(StringView("..", 2), static_cast<u32>(i_ino), i_mode));
            fresh->i_nlink = 2;
        }
        return add_entry(name, fresh_number, new_mode);
    }();
    if (!made.ok()) {
        fresh->i_nlink = 0; // destroy_self frees what it had
        iput(fresh);
        return made.error();
    }
    if (directory) {
        i_nlink++;
        mark_dirty();
    }
    return fresh;
}

Result<void> ext2_inode_info::write_link(StringView target) {
    if (target.size < sizeof disk.i_block) {
        memcpy(disk.i_block, target.data, target.size);
        i_size = target.size;
        mark_dirty();
        return {};
    }
    if (target.size >= fs->s_blocksize) return Errno::ENAMETOOLONG;
    TRY(map_block(0, true));
    i_size = target.size;
    struct page* page = TRY(filemap_get_page(*this, 0));
    memcpy(page_address(page), target.data, target.size);
    page->flags |= PageDirty;
    put_page(page);
    mark_dirty();
    return {};
}

Result<void> ext2_inode_info::unlink(StringView name, struct inode& inode) {
    if (fs->s_readonly) return Errno::EROFS;
    if (is_directory(inode.i_mode)) return Errno::EISDIR;
    TRY(remove_entry(name));
    auto& target = static_cast<ext2_inode_info&>(inode);
    target.i_nlink--;
    target.i_ctime = ktime_get_real_ns() / 1'000'000'000;
    target.mark_dirty();
    return {};
}

Result<void> ext2_inode_info::remove_directory(StringView name, struct inode& inode) {
    if (fs->s_readonly) return Errno::EROFS;
    if (!is_directory(inode.i_mode)) return Errno::ENOTDIR;
    auto& target = static_cast<ext2_inode_info&>(inode);
    if (!TRY(target.directory_is_empty())) return Errno::ENOTEMPTY;
    TRY(remove_entry(name));
    target.i_nlink = 0;
    target.mark_dirty();
    i_nlink--; // its ".." is gone
    mark_dirty();
    return {};
}

Result<void> ext2_inode_info::link(StringView name, struct inode& inode) {
    if (fs->s_readonly) return Errno::EROFS;
    if (is_directory(inode.i_mode)) return Errno::EPERM;
    if (inode.i_sb != fs) return Errno::EXDEV;
    if (inode.i_nlink >= 32000) return Errno::EMLINK;
    TRY(add_entry(name, static_cast<u32>(inode.i_ino), inode.i_mode));
    inode.i_nlink++;
    inode.i_ctime = ktime_get_real_ns() / 1'000'000'000;
    static_cast<ext2_inode_info&>(inode).mark_dirty();
    return {};
}

Result<void> ext2_inode_info::rename(StringView name, struct inode& directory, StringView new_name,
                                     struct inode& inode) {
    if (fs->s_readonly) return Errno::EROFS;
    if (directory.i_sb != fs) return Errno::EXDEV;
    auto& target = static_cast<ext2_inode_info&>(directory);
    TRY(target.add_entry(new_name, static_cast<u32>(inode.i_ino), inode.i_mode));
    TRY(remove_entry(name));
    if (is_directory(inode.i_mode) && &target != this) { // ".." points elsewhere now
        auto& moved = static_cast<ext2_inode_info&>(inode);
        TRY(moved.remove_entry(StringView("..", 2)));
        TRY(moved.add_entry(StringView("..", 2), static_cast<u32>(target.i_ino), target.i_mode));
        i_nlink--;
        target.i_nlink++;
        mark_dirty();
        target.mark_dirty();
    }
    return {};
}

} // namespace kernel::ext2
