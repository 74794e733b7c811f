// The page cache: file contents by page, and generic read and write through it. See fs/address_space.h for
// the rules.
#include "fs/vfs.h"
#include "lib/log.h"
#include "fs/fs-writeback.h"
#include "fs/mpage.h"
#include "mm/overcommit.h"
#include "mm/reclaim.h"
#include "mm/rmap.h"
#include "mm/vmstat.h"
#include "mm/zone.h"
#include "task/task.h"

namespace kernel {

namespace {

/// Enters a fresh, locked page; EEXIST when another is there.
Result<void> filemap_add_page(address_space& mapping, struct page* page, u64 index) {
    SpinGuard guard(mapping.i_pages_lock);
    if (mapping.i_pages.find(index)) return Errno::EEXIST;
    if (mapping.commits_pages && !security_vm_enough_memory_mm(get_current()->mm, 1).ok())
        return Errno::ENOSPC;
    if (Result<void> entered = mapping.i_pages.insert(index, page); !entered.ok()) {
        if (mapping.commits_pages) vm_unacct_memory(1);
        return entered;
    }
    get_page(page); // the tree's
    page->index = index;
    __atomic_store_n(&page->mapping, &mapping, __ATOMIC_RELEASE);
    mapping.nrpages++;
    mod_page_state(NR_FILE_PAGES, 1);
    if (mapping.unevictable) mod_page_state(NR_SHMEM, 1);
    return {};
}

/// REQUIRES: i_pages_lock, the page's lock. The tree's reference is the caller's.
void page_cache_delete(address_space& mapping, struct page* page) {
    mapping.i_pages.remove(page->index);
    if (page->test_and_clear(PageDirty)) {
        mapping.nrdirty--;
        mod_page_state(NR_FILE_DIRTY, -1);
        get_current()->ioac.cancelled_write_bytes += PAGE_SIZE;
    }
    __atomic_store_n(&page->mapping, static_cast<address_space*>(nullptr), __ATOMIC_RELEASE);
    mapping.nrpages--;
    mod_page_state(NR_FILE_PAGES, -1);
    if (mapping.unevictable) mod_page_state(NR_SHMEM, -1);
    if (mapping.commits_pages) vm_unacct_memory(1);
}

/// The first page at or behind `from`, with a reference.
struct page* find_next_page(address_space& mapping, u64 from) {
    SpinGuard guard(mapping.i_pages_lock);
    u64 index;
    auto* page = static_cast<struct page*>(mapping.i_pages.next(from, index));
    if (page) get_page(page);
    return page;
}

} // namespace

struct page* find_get_page(address_space& mapping, u64 index) {
    SpinGuard guard(mapping.i_pages_lock);
    auto* page = static_cast<struct page*>(mapping.i_pages.find(index));
    if (page) get_page(page);
    return page;
}

struct page* filemap_new_page(address_space& mapping, u64 index, u32 gfp_flags) {
    struct page* there = find_get_page(mapping, index);
    if (there) return put_page(there), nullptr;
    struct page* page = alloc_page(gfp_flags, PageType::PageCache);
    if (!page) return nullptr;
    page->set_flags(PageLocked);
    if (filemap_add_page(mapping, page, index).ok()) {
        if (!mapping.unevictable) lru_cache_add(page);
        return page;
    }
    page->clear_flags(PageLocked);
    put_page(page);
    return nullptr;
}

Result<struct page*> grab_cache_page(address_space& mapping, u64 index) {
    for (;;) {
        if (struct page* page = find_get_page(mapping, index)) {
            lock_page(page);
            if (page->mapping == &mapping) return page;
            unlock_page(page); // truncated meanwhile
            put_page(page);
            continue;
        }
        struct page* page = alloc_page(GFP_KERNEL, PageType::PageCache);
        if (!page) return Errno::ENOMEM;
        page->set_flags(PageLocked);
        Result<void> added = filemap_add_page(mapping, page, index);
        if (added.ok()) {
            if (!mapping.unevictable) lru_cache_add(page);
            return page;
        }
        page->clear_flags(PageLocked);
        put_page(page);
        if (added.error() != Errno::EEXIST) return added.error();
    }
}

Result<struct page*> filemap_get_page(struct inode& inode, u64 index) {
    if (struct page* page = find_get_page(inode.i_data, index)) {
        if (page->has(PageUptodate)) return page;
        put_page(page);
    }
    struct page* page = TRY(grab_cache_page(inode.i_data, index));
    Result<void> filled;
    if (!page->has(PageUptodate)) {
        filled = inode.read_page(index, page);
        if (filled.ok()) page->set_flags(PageUptodate);
    }
    unlock_page(page);
    if (filled.ok()) return page;
    put_page(page);
    return filled.error();
}

void set_page_dirty(struct page* page) {
    address_space* mapping = __atomic_load_n(&page->mapping, __ATOMIC_ACQUIRE);
    if (!mapping || mapping->unevictable || page->has(PageDirty)) return;
    {
        SpinGuard guard(mapping->i_pages_lock);
        if (page->mapping != mapping || page->test_and_set(PageDirty)) return;
        mapping->nrdirty++;
        mod_page_state(NR_FILE_DIRTY, 1);
        count_vm_events(NR_DIRTIED);
        get_current()->ioac.write_bytes += PAGE_SIZE;
    }
    mark_inode_dirty(mapping->host, I_DIRTY_PAGES);
}

bool mapping_has_dirty_pages(const address_space& mapping) {
    return __atomic_load_n(&mapping.nrdirty, __ATOMIC_RELAXED);
}

bool remove_mapping(address_space& mapping, struct page* page) {
    {
        SpinGuard guard(mapping.i_pages_lock);
        // The tree's reference, and the caller's.
        if (page->mapping != &mapping || page->has(PageDirty) ||
            __atomic_load_n(&page->_refcount, __ATOMIC_ACQUIRE) != 2)
            return false;
        page_cache_delete(mapping, page);
    }
    put_page(page);
    return true;
}

void truncate_inode_pages(struct inode& inode, u64 first) {
    address_space& mapping = inode.i_data;
    unmap_mapping_pages(mapping, first, ~u64{0});
    while (struct page* page = find_next_page(mapping, first)) {
        lock_page(page);
        wait_on_page_writeback(page);
        if (page_mapped(page)) try_to_unmap(page); // mapped since
        first = page->index + 1;
        bool ours = page->mapping == &mapping;
        if (ours) {
            SpinGuard guard(mapping.i_pages_lock);
            page_cache_delete(mapping, page);
        }
        unlock_page(page);
        if (ours) put_page(page);
        put_page(page);
    }
}

namespace {

/// REQUIRES: the page's lock. Starts to write it when it is dirty.
Result<void> write_one(struct inode& inode, struct page* page, mpage_data& batch) {
    address_space& mapping = inode.i_data;
    {
        SpinGuard guard(mapping.i_pages_lock);
        if (page->mapping != &mapping || !page->test_and_clear(PageDirty)) return {};
        mapping.nrdirty--;
    }
    mod_page_state(NR_FILE_DIRTY, -1);
    mod_page_state(NR_WRITEBACK, 1);
    count_vm_events(NR_WRITTEN);
    page_mkclean(page); // a store from now on makes it dirty again
    page->set_flags(PageWriteback);
    get_page(page);
    Result<bool> started = inode.write_page(page->index, page, batch);
    if (started.ok() && started.value()) return {};
    finish_page_writeback(page);
    if (started.ok()) return {};
    page->set_flags(PageError);
    mapping.wb_err = started.error();
    return started.error();
}

/// A file without a name whose last user has gone: what is still dirty will never be read.
bool is_being_deleted(const struct inode& inode) {
    return (__atomic_load_n(&inode.i_state, __ATOMIC_ACQUIRE) & I_FREEING) && !inode.i_nlink;
}

} // namespace

Result<void> filemap_write_and_wait(struct inode& inode) {
    address_space& mapping = inode.i_data;
    Result<void> result;
    u64 first = 0;
    blk_plug plug;
    blk_start_plug(plug);
    {
        mpage_data batch(REQ_OP_WRITE);
        while (mapping_has_dirty_pages(mapping) && !is_being_deleted(inode)) {
            struct page* page = find_next_page(mapping, first);
            if (!page) break;
            first = page->index + 1;
            if (page->has(PageDirty)) {
                if (page->has(PageWriteback) || !trylock_page(page)) {
                    batch.submit(); // who holds the page may wait for one of ours
                    lock_page(page);
                }
                wait_on_page_writeback(page);
                if (Result<void> started = write_one(inode, page, batch); !started.ok()) result = started;
                unlock_page(page);
            }
            put_page(page);
        }
    }
    blk_finish_plug(plug);
    for (first = 0; mapping.nrpages && !is_being_deleted(inode);) {
        struct page* page = find_next_page(mapping, first);
        if (!page) break;
        first = page->index + 1;
        wait_on_page_writeback(page);
        put_page(page);
    }
    return result;
}

namespace {

/// The page for a reader, up to date.
Result<struct page*> filemap_read_page(struct file& file, u64 index, u32 wanted) {
    struct inode& inode = *file.f_mapping->host;
    struct page* page = find_get_page(inode.i_data, index);
    if (!page) {
        page_cache_sync_ra(file, index, wanted);
        page = find_get_page(inode.i_data, index);
    } else if (page->test_and_clear(PageReadahead)) {
        page_cache_async_ra(file, index);
    }
    file.f_ra.prev_index = index;
    if (page && page->has(PageUptodate)) return page;
    if (page) put_page(page);
    return filemap_get_page(inode, index); // waits for the transfer, or tries by itself and finds the error
}

} // namespace

Result<usize> inode::read(struct file& file, IoBuffer buffer, u64 position) {
    struct inode& source = *file.f_mapping->host;
    usize done = 0;
    while (done < buffer.size && position < source.i_size) {
        usize within = position & (PAGE_SIZE - 1);
        usize left = min<u64>(buffer.size - done, source.i_size - position),
              count = min<usize>(left, PAGE_SIZE - within);
        Result<struct page*> page =
            filemap_read_page(file, position >> PAGE_SHIFT,
                              static_cast<u32>(min<u64>(divide_up(within + left, PAGE_SIZE), 64)));
        if (!page.ok()) return done ? Result<usize>(done) : page.error();
        Result<void> stored =
            buffer.store(done, static_cast<u8*>(page_address(page.value())) + within, count);
        mark_page_accessed(page.value());
        put_page(page.value());
        if (!stored.ok()) return done ? Result<usize>(done) : stored.error();
        done += count;
        position += count;
    }
    return done;
}

namespace {

/// One piece inside one page; returns how much was written. The copy runs under the page's lock and must not
/// fault: the page that it would wait for may be this one.
Result<usize> generic_perform_write(struct inode& inode, const IoBuffer& buffer, usize done, u64 position,
                                    usize count) {
    usize within = position & (PAGE_SIZE - 1);
    struct page* page = TRY(grab_cache_page(inode.i_data, position >> PAGE_SHIFT));
    wait_on_page_writeback(page);
    Result<void> begun = inode.write_begin(page, position, count);
    Result<void> loaded = begun;
    if (begun.ok()) {
        auto* target = static_cast<u8*>(page_address(page)) + within;
        loaded = buffer.load_atomic(target, done, count);
        if (loaded.ok()) {
            page->set_flags(PageUptodate);
            if (position + count > inode.i_size) inode.i_size = position + count;
            set_page_dirty(page);
        } else if (!page->has(PageUptodate)) { // blocks that write_begin made are in the file perhaps: they
                                               // read as zero
            memset(page_address(page), 0, PAGE_SIZE);
            page->set_flags(PageUptodate);
            set_page_dirty(page);
        }
    }
    unlock_page(page);
    put_page(page);
    if (!begun.ok()) return begun.error();
    return loaded.ok() ? Result<usize>(count) : Errno::EFAULT;
}

} // namespace

Result<usize> inode::write(struct file& file, IoBuffer buffer, u64& position) {
    struct inode& target = *file.f_mapping->host;
    if (!buffer.size) return usize{0};
    MutexGuard guard(target.i_rwsem);
    if (target.i_swapfile) return Errno::ETXTBSY;
    if ((file.f_flags & O_APPEND) && is_regular(target.i_mode)) position = target.i_size;
    u64 limit = target.i_sb ? target.i_sb->s_maxbytes : ~u64{0} >> 1;
    if (is_regular(target.i_mode)) limit = min(limit, TRY(file_size_limit(position)));
    if (position >= limit) return Errno::EFBIG;
    buffer.size = min<u64>(buffer.size, limit - position);
    file_remove_privs(target);
    usize done = 0;
    Result<usize> moved = usize{0};
    while (done < buffer.size) {
        usize within = position & (PAGE_SIZE - 1);
        usize count = min<u64>(buffer.size - done, PAGE_SIZE - within);
        moved = Errno::EFAULT;
        if (buffer.fault_in_readable(done, count).ok())
            moved = generic_perform_write(target, buffer, done, position, count);
        if (!moved.ok() &&
            moved.error() == Errno::EFAULT) { // up to the end of the source's page, which may be all there is
            count = min<usize>(count, PAGE_SIZE - ((buffer.address + done) & (PAGE_SIZE - 1)));
            if (Result<void> there = buffer.fault_in_readable(done, count); there.ok())
                moved = generic_perform_write(target, buffer, done, position, count);
        }
        if (!moved.ok()) break;
        done += moved.value();
        position += moved.value();
        balance_dirty_pages();
    }
    if (!moved.ok()) target.write_failed();
    target.i_mtime = target.i_ctime = current_time_seconds();
    mark_inode_dirty(&target);
    if (!done && !moved.ok()) return moved.error();
    return done;
}

} // namespace kernel
