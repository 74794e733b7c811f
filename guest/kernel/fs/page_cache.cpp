// The page cache: file contents by page, and generic read and write through it. See vfs.h.
#include "arch/x86_64/cpu.h"
#include "fs/vfs.h"
#include "mm/zone.h"
#include "time/timekeeping.h"

namespace kernel {

constinit u64 page_cache_pages = 0;

Result<Page*> cached_page(Inode& inode, u64 index) {
    MutexGuard guard(inode.cache.lock);
    if (auto* page = static_cast<Page*>(inode.cache.pages.find(index))) {
        get_page(page);
        return page;
    }
    Page* page = allocate_page(AllocateKernel, PageType::PageCache);
    if (!page) return Errno::ENOMEM;
    Result<void> filled = inode.read_page(index, page); // must fill all of it: what is past the end is zero
    if (filled.ok()) filled = inode.cache.pages.insert(index, page);
    if (!filled.ok()) {
        put_page(page);
        return filled.error();
    }
    page->mapping = &inode.cache;
    page->index = index;
    page->flags |= PageUptodate;
    inode.cache.page_count++;
    page_cache_pages++;
    get_page(page); // one for the cache, one for the caller
    return page;
}

void drop_cached_pages(Inode& inode, u64 first) {
    MutexGuard guard(inode.cache.lock);
    inode.cache.pages.each(first, [&](u64 index, void* item) {
        auto* page = static_cast<Page*>(item);
        inode.cache.pages.remove(index);
        page->mapping = nullptr;
        inode.cache.page_count--;
        page_cache_pages--;
        put_page(page);
    });
}

Result<void> write_back(Inode& inode) {
    MutexGuard guard(inode.cache.lock);
    Result<void> result;
    inode.cache.pages.each(0, [&](u64 index, void* item) {
        auto* page = static_cast<Page*>(item);
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

Result<usize> Inode::read(File&, IoBuffer buffer, u64 position) {
    usize done = 0;
    while (done < buffer.size && position < size) {
        usize within = position & (PageSize - 1);
        usize count = min<u64>(min<u64>(buffer.size - done, PageSize - within), size - position);
        Page* page = TRY(cached_page(*this, position >> PageShift));
        Result<void> stored = buffer.store(done, static_cast<u8*>(address_of(page)) + within, count);
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

Result<usize> Inode::write(File&, IoBuffer buffer, u64 position) {
    MutexGuard guard(lock);
    if (!buffer.size) return usize{0};
    TRY(prepare_write(position, buffer.size));
    usize done = 0;
    while (done < buffer.size) {
        usize within = position & (PageSize - 1);
        usize count = min<u64>(buffer.size - done, PageSize - within);
        Page* page = TRY(cached_page(*this, position >> PageShift));
        Result<void> loaded = buffer.load(static_cast<u8*>(address_of(page)) + within, done, count);
        if (loaded.ok()) page->flags |= PageDirty;
        put_page(page);
        if (!loaded.ok()) {
            if (done) break;
            return loaded.error();
        }
        done += count;
        position += count;
        if (position > size) size = position;
    }
    modify_time = change_time = wall_clock_nanoseconds() / 1'000'000'000;
    return done;
}

} // namespace kernel
