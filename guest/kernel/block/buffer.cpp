// The page cache of a block device, where file systems keep their metadata, and its changed sectors.
//
// Invariants: of a device's page, page->private_ says which of its eight sectors were changed (under the
// page's lock); only those are written. So a sector whose block became a file's contents, which go to the
// disk past this cache, is never written from here once forget_device() was told.
#include "block/block.h"
#include "mm/zone.h"

namespace kernel {
namespace {

constexpr u64 sector_mask(usize within, usize count) {
    u64 first = within / SectorSize, end = divide_up(within + count, SectorSize);
    return (u64{1} << end) - (u64{1} << first);
}

} // namespace

Result<void> block_device::read_page(u64 index, struct page* page) {
    u64 first = index * (PAGE_SIZE / SectorSize);
    if (first >= sectors) return Errno::EIO;
    u32 count = static_cast<u32>(min<u64>(PAGE_SIZE / SectorSize, sectors - first));
    if (count < PAGE_SIZE / SectorSize) memset(page_address(page), 0, PAGE_SIZE);
    page->private_ = 0;
    return blkdev_rw_page(*this, first, page, 0, static_cast<u32>(count * SectorSize), REQ_OP_READ);
}

Result<bool> block_device::write_page(u64 index, struct page* page, mpage_data&) {
    u64 first = index * (PAGE_SIZE / SectorSize), changed = page->private_;
    for (u64 at = 0; at < PAGE_SIZE / SectorSize; at++) {
        if (!(changed >> at & 1) || first + at >= sectors) continue;
        u64 run = 1;
        while (at + run < PAGE_SIZE / SectorSize && (changed >> (at + run) & 1) && first + at + run < sectors)
            run++;
        TRY(blkdev_rw_page(*this, first + at, page, static_cast<u32>(at * SectorSize),
                           static_cast<u32>(run * SectorSize), REQ_OP_WRITE));
        at += run;
    }
    page->private_ &= ~changed;
    return false;
}

Result<void> block_device::write_begin(struct page* page, u64 position, usize bytes) {
    if (position > i_size || bytes > i_size - position) return Errno::ENOSPC;
    if (!page->has(PageUptodate)) { // all of it: the sectors beside the written ones stay
        TRY(read_page(position >> PAGE_SHIFT, page));
        page->set_flags(PageUptodate);
    }
    page->private_ |= sector_mask(position & (PAGE_SIZE - 1), bytes);
    return {};
}

Result<void> read_device(struct block_device& device, u64 position, void* to, usize size) {
    auto* out = static_cast<u8*>(to);
    while (size) {
        usize within = position & (PAGE_SIZE - 1), count = min<usize>(size, PAGE_SIZE - within);
        struct page* page = TRY(filemap_get_page(device, position >> PAGE_SHIFT));
        memcpy(out, static_cast<u8*>(page_address(page)) + within, count);
        put_page(page);
        out += count, position += count, size -= count;
    }
    return {};
}

Result<void> write_device(struct block_device& device, u64 position, const void* from, usize size) {
    auto* in = static_cast<const u8*>(from);
    while (size) {
        usize within = position & (PAGE_SIZE - 1), count = min<usize>(size, PAGE_SIZE - within);
        struct page* page = TRY(grab_cache_page(device.i_data, position >> PAGE_SHIFT));
        wait_on_page_writeback(page);
        Result<void> begun = device.write_begin(page, position, count);
        if (begun.ok()) {
            memcpy(static_cast<u8*>(page_address(page)) + within, in, count);
            set_page_dirty(page);
        }
        unlock_page(page);
        put_page(page);
        TRY(begun);
        in += count, position += count, size -= count;
    }
    return {};
}

void forget_device(struct block_device& device, u64 position, usize size) {
    while (size) {
        usize within = position & (PAGE_SIZE - 1), count = min<usize>(size, PAGE_SIZE - within);
        if (struct page* page = find_get_page(device.i_data, position >> PAGE_SHIFT)) {
            lock_page(page);
            wait_on_page_writeback(page);
            page->private_ &= ~sector_mask(within, count);
            unlock_page(page);
            put_page(page);
        }
        position += count, size -= count;
    }
}

} // namespace kernel
