// ext2 inodes: contents, and writing inodes back. The tree of blocks is in blocks.cpp. See ext2.h.
#include "fs/ext2/ext2.h"
#include "fs/mpage.h"
#include "lib/log.h"
#include "mm/slab.h"
#include "mm/zone.h"

namespace kernel::ext2 {
namespace {

/// `bytes` of a page at `offset`, to or from a block and its neighbours.
Result<void> transfer(ext2_sb_info& fs, u32 block, struct page* page, u64 offset, u64 bytes,
                      req_op operation) {
    return blkdev_rw_page(*fs.block_device, u64{block} * (fs.s_blocksize / SectorSize), page,
                          static_cast<u32>(offset), static_cast<u32>(bytes), operation);
}

} // namespace

/// A page is 1, 2 or 4 blocks; runs of neighbouring blocks go to the disk in one request.
Result<void> ext2_inode_info::read_page(u64 index, struct page* page) {
    auto* data = static_cast<u8*>(page_address(page));
    u64 per_page = PAGE_SIZE / fs->s_blocksize, size = i_size;
    memset(data, 0, PAGE_SIZE);
    u64 blocks_in_file = divide_up(size, fs->s_blocksize);
    for (u64 i = 0; i < per_page;) {
        u64 file_block = index * per_page + i, run = 1;
        if (file_block >= blocks_in_file) break;
        u32 block = TRY(map_block(file_block, false));
        while (block && i + run < per_page && file_block + run < blocks_in_file &&
               TRY(map_block(file_block + run, false)) == block + run)
            run++;
        if (block) TRY(transfer(*fs, block, page, i * fs->s_blocksize, run * fs->s_blocksize, REQ_OP_READ));
        i += run;
    }
    if (size < (index + 1) * PAGE_SIZE) { // what is past the end reads as zero when the file grows
        u64 valid = size > index * PAGE_SIZE ? size - index * PAGE_SIZE : 0;
        memset(data + valid, 0, PAGE_SIZE - valid);
    }
    return {};
}

Result<void> ext2_inode_info::readahead_page(u64 index, struct page* page, mpage_data& batch) {
    u32 block = 0;
    if (fs->s_blocksize == PAGE_SIZE && (block = TRY(map_block(index, false)))) {
        if (i_size >= (index + 1) * PAGE_SIZE)
            return batch.add(*fs->block_device, u64{block} * (PAGE_SIZE / SectorSize), page);
    }
    TRY(read_page(index, page)); // a hole, the last page, or a page of several blocks
    page->set_flags(PageUptodate);
    unlock_page(page);
    put_page(page);
    return {};
}

Result<bool> ext2_inode_info::write_page(u64 index, struct page* page, mpage_data& batch) {
    u64 per_page = PAGE_SIZE / fs->s_blocksize, size = i_size;
    u64 blocks_in_file = divide_up(size, fs->s_blocksize);
    if (size < (index + 1) * PAGE_SIZE &&
        size > index * PAGE_SIZE) { // a mapping may have stored behind the end
        u64 valid = size - index * PAGE_SIZE;
        memset(static_cast<u8*>(page_address(page)) + valid, 0, PAGE_SIZE - valid);
    }
    for (u64 i = 0; i < per_page; i++) {
        u64 file_block = index * per_page + i;
        if (file_block >= blocks_in_file) break;
        u32 block = TRY(map_block(file_block, true)); // a hole that a mapping wrote to
        if (per_page == 1) {
            TRY(batch.add(*fs->block_device, u64{block} * (PAGE_SIZE / SectorSize), page));
            return true;
        }
        TRY(transfer(*fs, block, page, i * fs->s_blocksize, fs->s_blocksize, REQ_OP_WRITE));
    }
    return false;
}

Result<void> ext2_inode_info::write_begin(struct page* page, u64 position, usize bytes) {
    if (fs->s_readonly) return Errno::EROFS;
    if (!is_regular(i_mode) && !is_directory(i_mode)) return Errno::EINVAL;
    if (!page->has(PageUptodate) && bytes != PAGE_SIZE) {
        TRY(read_page(position >> PAGE_SHIFT, page));
        page->set_flags(PageUptodate);
    }
    for (u64 block = position / fs->s_blocksize; block <= (position + bytes - 1) / fs->s_blocksize; block++)
        TRY(map_block(block, true));
    if (position + bytes > 0x7fff'ffff && is_regular(i_mode)) fs->require_feature(ReadOnlyLargeFile);
    return {};
}

void ext2_inode_info::write_failed() { (void)truncate_blocks(divide_up(i_size, fs->s_blocksize)); }

Result<void> ext2_inode_info::write_inode() {
    MutexGuard guard(truncate_mutex);
    disk.i_mode = static_cast<u16>(i_mode);
    disk.i_links_count = static_cast<u16>(i_nlink);
    disk.i_uid = static_cast<u16>(i_uid);
    disk.i_gid = static_cast<u16>(i_gid);
    disk.i_size = static_cast<u32>(i_size);
    if (is_regular(i_mode)) disk.i_dir_acl = static_cast<u32>(i_size >> 32);
    disk.i_atime = static_cast<u32>(i_atime);
    disk.i_mtime = static_cast<u32>(i_mtime);
    disk.i_ctime = static_cast<u32>(i_ctime);
    return write_device(*fs->block_device, fs->inode_position(static_cast<u32>(i_ino)), &disk, sizeof disk);
}

/// fsync: the contents and the inode, then the device's cache with the tree and the bitmaps, then the
/// drive's.
Result<void> ext2_inode_info::sync() {
    if (fs->s_readonly) return {};
    Result<void> written = writeback_single_inode(this);
    {
        MutexGuard guard(fs->lock);
        TRY(fs->write_metadata());
    }
    TRY(fs->block_device->sync());
    if (i_data.wb_err != Errno::None) {
        written = i_data.wb_err;
        i_data.wb_err = Errno::None;
    }
    return written;
}

Result<usize> ext2_inode_info::read_link(char* out, usize capacity) {
    if (!is_symlink(i_mode)) return Errno::EINVAL;
    usize length = min<u64>(i_size, capacity);
    if (i_size < sizeof disk.i_block && !disk.i_blocks) { // "fast": in the inode itself
        memcpy(out, disk.i_block, length);
        return length;
    }
    struct page* page = TRY(filemap_get_page(*this, 0));
    length = min<usize>(length, PAGE_SIZE);
    memcpy(out, page_address(page), length);
    put_page(page);
    return length;
}

/// i_size first, then the pages behind it, then their blocks: nobody reads a block that is somebody else's
/// already.
Result<void> ext2_inode_info::truncate(u64 new_size) {
    if (fs->s_readonly) return Errno::EROFS;
    if (!is_regular(i_mode) && !is_directory(i_mode)) return Errno::EINVAL;
    bool shrinks = new_size < i_size;
    if (shrinks &&
        (new_size &
         (PAGE_SIZE - 1))) { // the tail of the last page must read as zero when the file grows again
        u64 at = new_size & (PAGE_SIZE - 1);
        struct page* page = TRY(filemap_get_page(*this, new_size >> PAGE_SHIFT));
        lock_page(page);
        memset(static_cast<u8*>(page_address(page)) + at, 0, PAGE_SIZE - at);
        if (page->mapping == &i_data) set_page_dirty(page);
        unlock_page(page);
        put_page(page);
    }
    i_size = new_size;
    if (new_size > 0x7fff'ffff) fs->require_feature(ReadOnlyLargeFile);
    touch();
    if (!shrinks) return {};
    truncate_inode_pages(*this, divide_up(new_size, PAGE_SIZE));
    return truncate_blocks(divide_up(new_size, fs->s_blocksize));
}

void ext2_inode_info::delete_inode() {
    if (deleted) return;
    deleted = true;
    bool fast_link = is_symlink(i_mode) && !disk.i_blocks;
    i_size = 0;
    truncate_inode_pages(*this, 0);
    if ((is_regular(i_mode) || is_directory(i_mode) || is_symlink(i_mode)) && !fast_link)
        (void)truncate_blocks(0);
    disk.i_dtime = static_cast<u32>(current_time_seconds());
    (void)write_inode();
    fs->free_inode(static_cast<u32>(i_ino), is_directory(i_mode));
}

void ext2_inode_info::evict_inode() {
    if (!i_nlink) {
        if (!fs->s_readonly) delete_inode();
    } else if (i_dirty || mapping_has_dirty_pages(i_data)) { // even read-only: from before that
        (void)writeback_single_inode(this);
    }
    inode::evict_inode();
}

} // namespace kernel::ext2
