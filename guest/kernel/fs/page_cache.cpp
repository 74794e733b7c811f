// The page cache: file contents by page, and generic read and write through it. See vfs.h.
#include "arch/x86_64/cpu.h"
#include "fs/vfs.h"
#include "mm/zone.h"
#include "time/timekeeping.h"

namespace kernel {

constinit u64 page_cache_pages = 0;

Result<struct page*> filemap_get_page(struct inode& inode, u64 index) {
    MutexGuard guard(inode.i_data.lock);
    if (auto* page = static_cast<struct page*>(inode.i_data.i_pages.find(index))) {
        get_page(page);
        return page;
    }
    struct page* page = alloc_page(GFP_KERNEL, PageType::PageCache);
    if (!page) return Errno::ENOMEM;
    Result<void> filled = inode.read_page(index, page); // must fill all of it: what is past the end is zero
    if (filled.ok()) filled = inode.i_data.i_pages.insert(index, page);
    if (!filled.ok()) {
        put_page(page);
        return filled.error();
    }
    page->mapping = &inode.i_data;
    page->index = index;
    page->flags |= PageUptodate;
    inode.i_data.nrpages++;
    page_cache_pages++;
    get_page(page); // one for the cache, one for the caller
    return page;
}

void truncate_inode_pages(struct inode& inode, u64 first) {
    MutexGuard guard(inode.i_data.lock);
    inode.i_data.i_pages.each(first, [&](u64 index, void* item) {
        auto* page = static_cast<struct page*>(item);
        inode.i_data.i_pages.remove(index);
        page->mapping = nullptr;
        inode.i_data.nrpages--;
        page_cache_pages--;
        put_page(page);
    });
}

Result<void> filemap_write_and_wait(struct inode& inode) {
    MutexGuard guard(inode.i_data.lock);
    Result<void> result;
    inode.i_data.i_pages.each(0, [&](u64 index, void* item) {
        auto* page = static_cast<struct page*>(item);
        if (!(page->flags & PageDirty)) return;
        page->flags &= static_cast<u16>(~PageDirty);
        Result<void> written = inode.write_page(index, page);
        if (!written.ok()) {
            page->flags |= PageDirty;
            result = written;
        }
    });
    return result;
}

Result<usize> inode::read(struct file&, IoBuffer buffer, u64 position) {
    usize done = 0;
    while (done < buffer.size && position < i_size) {
        usize within = position & (PAGE_SIZE - 1);
        usize count = min<u64>(min<u64>(buffer.size - done, PAGE_SIZE - within), i_size - position);
        struct page* page = TRY(filemap_get_page(*this, position >> PAGE_SHIFT));
        Result<void> stored = buffer.store(done, static_cast<u8*>(page_address(page)) + within, count);
        put_page(page);
        if (!stored.ok()) {
            if (done) return done;
            return stored.error();
        }
        done += count;
        position += count;
    }
    return done;
}

Result<usize> inode::write(struct file&, IoBuffer buffer, u64 position) {
    MutexGuard guard(i_rwsem);
    if (!buffer.size) return usize{0};
    TRY(prepare_write(position, buffer.size));
    usize done = 0;
    while (done < buffer.size) {
        usize within = position & (PAGE_SIZE - 1);
        usize count = min<u64>(buffer.size - done, PAGE_SIZE - within);
        struct page* page = TRY(filemap_get_page(*this, position >> PAGE_SHIFT));
        Result<void> loaded = buffer.load(static_cast<u8*>(page_address(page)) + within, done, count);
        if (loaded.ok()) page->flags |= PageDirty;
        put_page(page);
        if (!loaded.ok()) {
            if (done) break;
            return loaded.error();
        }
        done += count;
        position += count;
        if (position > i_size) i_size = position;
    }
    i_mtime = i_ctime = ktime_get_real_ns() / 1'000'000'000;
    return done;
}

} // namespace kernel
