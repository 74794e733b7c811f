// ext2 inodes: the block map, contents, and writing inodes back. See ext2.h.
#include "fs/ext2/ext2.h"
#include "lib/log.h"
#include "mm/slab.h"
#include "mm/zone.h"
#include "time/timekeeping.h"

namespace kernel::ext2 {

Result<u32> ext2_inode_info::map_block(u64 file_block, bool create) {
    u32 path[4];
    unsigned depth = block_path(file_block, fs->pointers_per_block, path);
    if (!depth) return Errno::EFBIG;
    auto new_block = [&](u32 near) -> Result<u32> {
        u32 fresh = TRY(fs->allocate_block(near));
        // Pointers must not be garbage, and neither must file contents before they are written.
        struct page* zeros = alloc_page(__GFP_ZERO, PageType::Kernel);
        if (!zeros) {
            fs->free_block(fresh);
            return Errno::ENOMEM;
        }
        Result<void> cleared = fs->write_block(fresh, 0, page_address(zeros), fs->s_blocksize);
        put_page(zeros);
        if (!cleared.ok()) return cleared.error();
        disk.i_blocks += static_cast<u32>(fs->s_blocksize / 512);
        i_blocks = disk.i_blocks;
        mark_dirty();
        return fresh;
    };
    u32 block = disk.i_block[path[0]];
    if (!block) {
        if (!create) return u32{0};
        block = TRY(new_block(0));
        disk.i_block[path[0]] = block;
    }
    for (unsigned level = 1; level < depth; level++) {
        u32 next;
        TRY(fs->read_block(block, path[level] * 4, &next, 4));
        if (!next) {
            if (!create) return u32{0};
            next = TRY(new_block(block));
            TRY(fs->write_block(block, path[level] * 4, &next, 4));
        }
        block = next;
    }
    if (!fs->valid_block(block)) {
        pr_err("EXT2-fs (%s): inode %lu: block %u is outside the file system\n", fs->block_device->name,
               i_ino, block);
        return Errno::EIO;
    }
    return block;
}

/// A page is 1, 2 or 4 blocks; runs of neighbouring blocks go to the disk in one request.
Result<void> ext2_inode_info::read_page(u64 index, struct page* page) {
    auto* data = static_cast<u8*>(page_address(page));
    u64 per_page = PAGE_SIZE / fs->s_blocksize, sectors_per_block = fs->s_blocksize / SectorSize;
    memset(data, 0, PAGE_SIZE);
    u64 blocks_in_file = divide_up(i_size, fs->s_blocksize);
    for (u64 i = 0; i < per_page;) {
        u64 file_block = index * per_page + i;
        if (file_block >= blocks_in_file) break;
        u32 block = TRY(map_block(file_block, false));
        u64 run = 1;
        while (block && i + run < per_page && file_block + run < blocks_in_file &&
               TRY(map_block(file_block + run, false)) == block + run)
            run++;
        u64 position = u64{block} * fs->s_blocksize;
        u8* target = data + i * fs->s_blocksize;
        bool one_page = (position & (PAGE_SIZE - 1)) + run * fs->s_blocksize <= PAGE_SIZE;
        if (block && !one_page) run = 1;
        if (block && !read_if_cached(*fs->block_device, position, target, run * fs->s_blocksize)) {
            struct request request;
            request.sector = fs->block_device->start_sector + block * sectors_per_block;
            request.sectors = static_cast<u32>(run * sectors_per_block);
            request.segments[0] = {page_to_phys(page) + i * fs->s_blocksize,
                                   static_cast<u32>(run * fs->s_blocksize)};
            request.segment_count = 1;
            TRY(submit_bio_wait(*fs->block_device->disk, request));
        }
        i += run;
    }
    if (i_size < (index + 1) * PAGE_SIZE) { // what is past the end reads as zero when the file grows
        u64 valid = i_size > index * PAGE_SIZE ? i_size - index * PAGE_SIZE : 0;
        memset(data + valid, 0, PAGE_SIZE - valid);
    }
    return {};
}

Result<void> ext2_inode_info::write_page(u64 index, struct page* page) {
    u64 per_page = PAGE_SIZE / fs->s_blocksize, sectors_per_block = fs->s_blocksize / SectorSize;
    u64 blocks_in_file = divide_up(i_size, fs->s_blocksize);
    for (u64 i = 0; i < per_page; i++) {
        u64 file_block = index * per_page + i;
        if (file_block >= blocks_in_file) break;
        u32 block = TRY(map_block(file_block, true));
        update_if_cached(*fs->block_device, u64{block} * fs->s_blocksize,
                         static_cast<u8*>(page_address(page)) + i * fs->s_blocksize, fs->s_blocksize);
        struct request request;
        request.sector = fs->block_device->start_sector + block * sectors_per_block;
        request.sectors = static_cast<u32>(sectors_per_block);
        request.segments[0] = {page_to_phys(page) + i * fs->s_blocksize, static_cast<u32>(fs->s_blocksize)};
        request.segment_count = 1;
        request.write = true;
        TRY(submit_bio_wait(*fs->block_device->disk, request));
    }
    return {};
}

Result<void> ext2_inode_info::prepare_write(u64 position, usize bytes) {
    if (fs->s_readonly) return Errno::EROFS;
    if (!is_regular(i_mode)) return Errno::EINVAL;
    if (position + bytes < position) return Errno::EFBIG;
    for (u64 block = position / fs->s_blocksize; block <= (position + bytes - 1) / fs->s_blocksize; block++)
        TRY(map_block(block, true));
    mark_dirty();
    return {};
}

Result<void> ext2_inode_info::write_inode() {
    if (!dirty) return {};
    dirty = false;
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

Result<void> ext2_inode_info::sync() {
    TRY(filemap_write_and_wait(*this));
    TRY(write_inode());
    return {};
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

/// Frees the tree below `block`; `level` 0 is data. Only blocks from file block `first` on, where `base` is
/// this subtree's first file block. Returns whether the whole subtree went.
static Result<bool> free_subtree(ext2_inode_info& inode, u32 block, unsigned level, u64 base, u64 first) {
    ext2_sb_info& fs = *inode.fs;
    if (!block) return true;
    bool all = base >= first;
    if (level) {
        u64 span = 1;
        for (unsigned i = 1; i < level; i++) span *= fs.pointers_per_block;
        for (u32 i = 0; i < fs.pointers_per_block; i++) {
            u64 child_base = base + i * span;
            if (child_base + span <= first) {
                all = false;
                continue;
            }
            u32 child;
            TRY(fs.read_block(block, i * 4, &child, 4));
            if (!child) continue;
            if (TRY(free_subtree(inode, child, level - 1, child_base, first))) {
                u32 zero = 0;
                TRY(fs.write_block(block, i * 4, &zero, 4));
            } else {
                all = false;
            }
        }
    }
    if (all) {
        fs.free_block(block);
        inode.disk.i_blocks -= static_cast<u32>(fs.s_blocksize / 512);
    }
    return all;
}

Result<void> ext2_inode_info::truncate(u64 new_size) {
    if (fs->s_readonly) return Errno::EROFS;
    if (is_symlink(i_mode) && !disk.i_blocks) return {};
    if (new_size < i_size) {
        u64 first = divide_up(new_size, fs->s_blocksize), n = fs->pointers_per_block;
        u64 base = 0;
        for (u32 i = 0; i < 15; i++) {
            unsigned level = i < 12 ? 0 : i - 11;
            u64 span = level == 0 ? 1 : level == 1 ? n : level == 2 ? n * n : n * n * n;
            if (base + span > first && disk.i_block[i])
                if (TRY(free_subtree(*this, disk.i_block[i], level, base, first))) disk.i_block[i] = 0;
            base += span;
        }
        truncate_inode_pages(*this, divide_up(new_size, PAGE_SIZE));
        if (new_size &
            (PAGE_SIZE - 1)) { // the tail of the last page must read as zero when the file grows again
            struct page* page = TRY(filemap_get_page(*this, new_size >> PAGE_SHIFT));
            memset(static_cast<u8*>(page_address(page)) + (new_size & (PAGE_SIZE - 1)), 0,
                   PAGE_SIZE - (new_size & (PAGE_SIZE - 1)));
            page->flags |= PageDirty;
            put_page(page);
        }
    }
    i_size = new_size;
    i_blocks = disk.i_blocks;
    i_mtime = i_ctime = ktime_get_real_ns() / 1'000'000'000;
    mark_dirty();
    return {};
}

void ext2_inode_info::destroy_self() {
    {
        MutexGuard guard(fs->lock);
        if (__atomic_load_n(&i_count, __ATOMIC_ACQUIRE)) return; // found again meanwhile
        this->node.remove();
    }
    if (!i_nlink && !fs->s_readonly) { // the last name and the last user are gone
        bool directory = is_directory(i_mode);
        (void)truncate(0);
        disk.i_dtime = static_cast<u32>(ktime_get_real_ns() / 1'000'000'000);
        dirty = true;
        (void)write_inode();
        fs->free_inode(static_cast<u32>(i_ino), directory);
    } else if (!fs->s_readonly) {
        (void)sync();
    }
    inode::destroy_self();
}

} // namespace kernel::ext2
