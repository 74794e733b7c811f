// Dirty inodes and their way to the disk. See vfs.h.
//
// Invariants (under list_lock): an inode with i_dirty is on b_dirty, or is being written (i_dirty may be set
// again meanwhile; it then returns to the list). Who takes an inode off the list to write it counts in
// i_writers and holds no reference: a file's last user ends it, and its blocks, at once, and has to wait only
// for what the writers are about (inode_wait_for_writeback). So who drops a reference must not be the writer
// of that inode itself: prunable() in dcache.cpp keeps those that are being written.
#include "fs/vfs.h"
#include "fs/fs-writeback.h"
#include "lib/log.h"
#include "sched/scheduler.h"
#include "time/timekeeping.h"

namespace kernel {
namespace {

constinit list_head b_dirty = {};
constinit spinlock_t list_lock{"wb_list"};
constinit wait_queue_head writers_wait{"i_writers"}; ///< an inode's last writer is done

/// The next dirty inode of a file system, counted in its i_writers; moved to the end so that each is seen
/// once.
struct inode* next_dirty(super_block* super, u64& left, u64 before = ~u64{0}) {
    SpinGuard guard(list_lock);
    if (!b_dirty.next) return nullptr;
    for (; left; left--) {
        list_head* node = b_dirty.front();
        if (!node) return nullptr;
        struct inode* inode = container_of(node, struct inode, i_io_list);
        node->remove();
        b_dirty.push_back(node);
        if ((super && inode->i_sb != super) || inode->dirtied_when > before ||
            (__atomic_load_n(&inode->i_state, __ATOMIC_ACQUIRE) & I_FREEING))
            continue;
        inode->i_writers++;
        if (inode->i_sb) inode->i_sb->s_writers++; // a block device has none
        left--;
        return inode;
    }
    return nullptr;
}

void end_write(struct inode* inode) {
    bool last;
    {
        SpinGuard guard(list_lock);
        if (inode->i_sb) inode->i_sb->s_writers--;
        last = !--inode->i_writers;
    } // the inode may be gone
    if (last) writers_wait.wake_all();
}

u64 count_dirty() {
    SpinGuard guard(list_lock);
    u64 count = 0;
    if (b_dirty.next)
        for (LIST_EACH(node, b_dirty)) count++;
    return count;
}

} // namespace

void mark_inode_dirty(struct inode* inode, u32 what) {
    if (inode->i_data.unevictable) return; // there is nowhere to write it
    if ((__atomic_load_n(&inode->i_dirty, __ATOMIC_ACQUIRE) & what) == what) return;
    SpinGuard guard(list_lock);
    if (!inode->i_dirty) inode->dirtied_when = jiffies;
    inode->i_dirty |= what;
    if (inode->i_io_list.linked()) return;
    if (!b_dirty.next) b_dirty.initialise();
    b_dirty.push_back(&inode->i_io_list);
}

void inode_wait_for_writeback(struct inode* inode) {
    writers_wait.wait([&] {
        SpinGuard guard(list_lock);
        return !inode->i_writers;
    });
}

void wait_sb_writers(super_block& super) {
    writers_wait.wait([&] {
        SpinGuard guard(list_lock);
        return !super.s_writers;
    });
}

void inode_io_list_del(struct inode* inode) {
    SpinGuard guard(list_lock);
    inode->i_io_list.remove();
    inode->i_dirty = 0;
}

Result<void> writeback_single_inode(struct inode* inode) {
    MutexGuard sync(inode->i_sync);
    u32 dirty;
    {
        SpinGuard guard(list_lock);
        dirty = inode->i_dirty;
        inode->i_dirty = 0;
        inode->i_io_list.remove();
    }
    Result<void> pages = filemap_write_and_wait(*inode);
    Result<void> written = dirty & I_DIRTY_INODE ? inode->write_inode() : Result<void>();
    if (!written.ok()) mark_inode_dirty(inode, I_DIRTY_INODE);
    return pages.ok() ? written : pages;
}

Result<void> writeback_inodes_sb(super_block* super) {
    Result<void> result;
    u64 left = count_dirty();
    while (struct inode* inode = next_dirty(super, left)) {
        Result<void> written = writeback_single_inode(inode);
        end_write(inode);
        if (!written.ok()) result = written;
    }
    return result;
}

u64 wb_writeback(u64 before) {
    u64 left = count_dirty(), written = 0;
    while (struct inode* inode = next_dirty(nullptr, left, before)) {
        u64 pages = inode->i_data.nrdirty;
        (void)writeback_single_inode(inode);
        end_write(inode);
        written += pages + 1;
    }
    return written;
}

} // namespace kernel
