// ext2's names: create, link, unlink, mkdir, rmdir, symlink, rename. See ext2.h. The directories' i_rwsem is
// held by the caller.
#include "fs/ext2/ext2.h"
#include "mm/slab.h"
#include "mm/zone.h"

namespace kernel::ext2 {

/// A fresh inode without a name: what goes wrong from here on ends with i_nlink 0 and iput().
Result<struct inode*> ext2_inode_info::new_inode(u32 mode, u32 device) {
    if (fs->s_readonly) return Errno::EROFS;
    if (!i_nlink) return Errno::ENOENT;
    bool directory = is_directory(mode);
    u32 number = TRY(fs->allocate_inode(static_cast<u32>(i_ino), directory));
    auto* fresh = static_cast<ext2_inode_info*>(fs->alloc_inode());
    if (!fresh) {
        fs->free_inode(number, directory);
        return Errno::ENOMEM;
    }
    fresh->i_sb = fs;
    fresh->i_ino = number;
    fresh->i_mode = mode;
    fresh->i_nlink = directory ? 2 : 1;
    if (is_device(mode)) {
        fresh->i_rdev = device;
        bool old = device_major(device) < 256 && device_minor(device) < 256;
        fresh->disk.i_block[old ? 0 : 1] = old ? device_major(device) << 8 | device_minor(device) : device;
    }
    fresh->i_atime = fresh->i_mtime = fresh->i_ctime = current_time_seconds();
    if (is_directory(mode)) lockdep_set_class(fresh->i_rwsem, "inode_dir");
    insert_inode_locked(fresh); // a namesake may still be on its way out
    fresh->mark_dirty();
    return fresh;
}

Result<struct inode*> ext2_inode_info::finish_new_inode(struct inode* fresh, StringView name) {
    Result<void> made = add_entry(name, static_cast<u32>(fresh->i_ino), fresh->i_mode);
    if (made.ok()) return fresh;
    fresh->i_nlink = 0;
    iput(fresh);
    return made.error();
}

Result<struct inode*> ext2_inode_info::create(StringView name, u32 new_mode, u32 new_device) {
    bool directory = is_directory(new_mode);
    if (directory && i_nlink >= 32000) return Errno::EMLINK;
    auto* fresh = static_cast<ext2_inode_info*>(TRY(new_inode(new_mode, new_device)));
    if (directory) {
        Result<void> dots = fresh->add_entry(StringView(".", 1), static_cast<u32>(fresh->i_ino), new_mode);
        if (dots.ok()) dots = fresh->add_entry(StringView("..", 2), static_cast<u32>(i_ino), i_mode);
        if (!dots.ok()) {
            fresh->i_nlink = 0;
            iput(fresh);
            return dots.error();
        }
    }
    struct inode* made = TRY(finish_new_inode(fresh, name));
    if (directory) {
        i_nlink++;
        mark_dirty();
    }
    return made;
}

Result<struct inode*> ext2_inode_info::symlink(StringView name, StringView target) {
    if (target.size >= fs->s_blocksize) return Errno::ENAMETOOLONG;
    auto* fresh = static_cast<ext2_inode_info*>(TRY(new_inode(S_IFLNK | 0777, 0)));
    Result<void> written = [&]() -> Result<void> {
        fresh->i_size = target.size;
        if (target.size < sizeof disk.i_block) { // "fast": in the inode itself
            memcpy(fresh->disk.i_block, target.data, target.size);
            return {};
        }
        struct page* page = TRY(grab_cache_page(fresh->i_data, 0));
        Result<u32> mapped = fresh->map_block(0, true);
        if (mapped.ok()) {
            memset(page_address(page), 0, PAGE_SIZE);
            memcpy(page_address(page), target.data, target.size);
            page->set_flags(PageUptodate);
            set_page_dirty(page);
        }
        unlock_page(page);
        put_page(page);
        return mapped.ok() ? Result<void>() : mapped.error();
    }();
    if (!written.ok()) {
        fresh->i_nlink = 0;
        iput(fresh);
        return written.error();
    }
    return finish_new_inode(fresh, name);
}

Result<void> ext2_inode_info::unlink(StringView name, struct inode& inode) {
    if (fs->s_readonly) return Errno::EROFS;
    TRY(remove_entry(name));
    auto& target = static_cast<ext2_inode_info&>(inode);
    target.i_nlink--;
    target.i_ctime = current_time_seconds();
    target.mark_dirty();
    return {};
}

Result<void> ext2_inode_info::remove_directory(StringView name, struct inode& inode) {
    if (fs->s_readonly) return Errno::EROFS;
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
    if (inode.i_nlink >= 32000) return Errno::EMLINK;
    TRY(add_entry(name, static_cast<u32>(inode.i_ino), inode.i_mode));
    inode.i_nlink++;
    inode.i_ctime = current_time_seconds();
    static_cast<ext2_inode_info&>(inode).mark_dirty();
    return {};
}

Result<void> ext2_inode_info::rename(StringView name, struct inode& inode, struct inode& directory,
                                     StringView new_name, struct inode* replaced) {
    if (fs->s_readonly) return Errno::EROFS;
    auto& target = static_cast<ext2_inode_info&>(directory);
    auto& moved = static_cast<ext2_inode_info&>(inode);
    bool is_dir = is_directory(inode.i_mode), other = &target != this;
    if (is_dir && other && !replaced && target.i_nlink >= 32000) return Errno::EMLINK;
    u32 number = static_cast<u32>(inode.i_ino);
    Result<void> synced; // a failure is told when the names and the counts of links agree again
    if (replaced) {      // the entry changes its inode in place: there is no moment without the name
        auto& victim = static_cast<ext2_inode_info&>(*replaced);
        if (is_dir && !TRY(victim.directory_is_empty())) return Errno::ENOTEMPTY;
        // A file that replaces another is how programs save: whenever the power goes, one of the two is
        // whole. So the new one is on the disk before its name, and the name before the old one's blocks are
        // free.
        bool replaces_file = is_regular(victim.i_mode) && victim.i_nlink == 1;
        if (replaces_file) TRY(moved.sync());
        TRY(target.set_link(new_name, number, inode.i_mode));
        if (replaces_file) synced = target.sync();
        if (is_dir) {
            victim.i_nlink = 0;
            target.i_nlink--;
        } else {
            victim.i_nlink--;
        }
        victim.i_ctime = current_time_seconds();
        victim.mark_dirty();
    } else {
        TRY(target.add_entry(new_name, number, inode.i_mode));
    }
    TRY(remove_entry(name));
    if (is_dir && other)
        TRY(moved.set_link(StringView("..", 2), static_cast<u32>(target.i_ino), target.i_mode));
    if (is_dir && other) {
        i_nlink--;
        target.i_nlink++;
    }
    moved.i_ctime = current_time_seconds();
    moved.mark_dirty();
    mark_dirty();
    target.mark_dirty();
    return synced;
}

} // namespace kernel::ext2
