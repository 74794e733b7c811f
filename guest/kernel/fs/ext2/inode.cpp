// ext2 inodes: the block map, contents, and writing inodes back. See ext2.h.
#include "fs/ext2/ext2.h"
#include "lib/log.h"
#include "mm/slab.h"
#include "mm/zone.h"
#include "time/timekeeping.h"

namespace kernel::ext2 {

Result<u32> Ext2Inode::map_block(u64 file_block, bool create) {
    u32 path[4];
    unsigned depth = block_path(file_block, fs->pointers_per_block, path);
    if (!depth) return Errno::EFBIG;
    auto new_block = [&](u32 near) -> Result<u32> {
        u32 fresh = TRY(fs->allocate_block(near));
        // Pointers must not be garbage, and neither must file contents before they are written.
        Page* zeros = allocate_page(AllocateZero, PageType::Kernel);
        if (!zeros) {
            fs->free_block(fresh);
            return Errno::ENOMEM;
        }
        Result<void> cleared = fs->write_block(fresh, 0, address_of(zeros), fs->block_size);
        put_page(zeros);
        if (!cleared.ok()) return cleared.error();
        disk.sectors += static_cast<u32>(fs->block_size / 512);
        blocks = disk.sectors;
        mark_dirty();
        return fresh;
    };
    u32 block = disk.block[path[0]];
    if (!block) {
        if (!create) return u32{0};
        block = TRY(new_block(0));
        disk.block[path[0]] = block;
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
               number, block);
        return Errno::EIO;
    }
    return block;
}

/// A page is 1, 2 or 4 blocks; runs of neighbouring blocks go to the disk in one request.
Result<void> Ext2Inode::read_page(u64 index, Page* page) {
    auto* data = static_cast<u8*>(address_of(page));
    u64 per_page = PageSize / fs->block_size, sectors_per_block = fs->block_size / SectorSize;
    memset(data, 0, PageSize);
    u64 blocks_in_file = divide_up(size, fs->block_size);
    for (u64 i = 0; i < per_page;) {
        u64 file_block = index * per_page + i;
        if (file_block >= blocks_in_file) break;
        u32 block = TRY(map_block(file_block, false));
        u64 run = 1;
        while (block && i + run < per_page && file_block + run < blocks_in_file &&
               TRY(map_block(file_block + run, false)) == block + run)
            run++;
        u64 position = u64{block} * fs->block_size;
        u8* target = data + i * fs->block_size;
        bool one_page = (position & (PageSize - 1)) + run * fs->block_size <= PageSize;
        if (block && !one_page) run = 1;
        if (block && !read_if_cached(*fs->block_device, position, target, run * fs->block_size)) {
            BlockRequest request;
            request.sector = fs->block_device->start_sector + block * sectors_per_block;
            request.sectors = static_cast<u32>(run * sectors_per_block);
            request.segments[0] = {physical_of(page) + i * fs->block_size,
                                   static_cast<u32>(run * fs->block_size)};
            request.segment_count = 1;
            TRY(submit_and_wait(*fs->block_device->disk, request));
        }
        i += run;
    }
    if (size < (index + 1) * PageSize) { // what is past the end reads as zero when the file grows
        u64 valid = size > index * PageSize ? size - index * PageSize : 0;
        memset(data + valid, 0, PageSize - valid);
    }
    return {};
}

Result<void> Ext2Inode::write_page(u64 index, Page* page) {
    u64 per_page = PageSize / fs->block_size, sectors_per_block = fs->block_size / SectorSize;
    u64 blocks_in_file = divide_up(size, fs->block_size);
    for (u64 i = 0; i < per_page; i++) {
        u64 file_block = index * per_page + i;
        if (file_block >= blocks_in_file) break;
        u32 block = TRY(map_block(file_block, true));
        update_if_cached(*fs->block_device, u64{block} * fs->block_size,
                         static_cast<u8*>(address_of(page)) + i * fs->block_size, fs->block_size);
        BlockRequest request;
        request.sector = fs->block_device->start_sector + block * sectors_per_block;
        request.sectors = static_cast<u32>(sectors_per_block);
        request.segments[0] = {physical_of(page) + i * fs->block_size, static_cast<u32>(fs->block_size)};
        request.segment_count = 1;
        request.write = true;
        TRY(submit_and_wait(*fs->block_device->disk, request));
    }
    return {};
}

Result<void> Ext2Inode::prepare_write(u64 position, usize bytes) {
    if (fs->read_only) return Errno::EROFS;
    if (!is_regular(mode)) return Errno::EINVAL;
    if (position + bytes < position) return Errno::EFBIG;
    for (u64 block = position / fs->block_size; block <= (position + bytes - 1) / fs->block_size; block++)
        TRY(map_block(block, true));
    mark_dirty();
    return {};
}

Result<void> Ext2Inode::write_inode() {
    if (!dirty) return {};
    dirty = false;
    disk.mode = static_cast<u16>(mode);
    disk.links = static_cast<u16>(links);
    disk.uid = static_cast<u16>(uid);
    disk.gid = static_cast<u16>(gid);
    disk.size = static_cast<u32>(size);
    if (is_regular(mode)) disk.size_high = static_cast<u32>(size >> 32);
    disk.access_time = static_cast<u32>(access_time);
    disk.modify_time = static_cast<u32>(modify_time);
    disk.change_time = static_cast<u32>(change_time);
    return write_device(*fs->block_device, fs->inode_position(static_cast<u32>(number)), &disk, sizeof disk);
}

Result<void> Ext2Inode::sync() {
    TRY(write_back(*this));
    TRY(write_inode());
    return {};
}

Result<usize> Ext2Inode::read_link(char* out, usize capacity) {
    if (!is_symlink(mode)) return Errno::EINVAL;
    usize length = min<u64>(size, capacity);
    if (size < sizeof disk.block && !disk.sectors) { // "fast": in the inode itself
        memcpy(out, disk.block, length);
        return length;
    }
    Page* page = TRY(cached_page(*this, 0));
    length = min<usize>(length, PageSize);
    memcpy(out, address_of(page), length);
    put_page(page);
    return length;
}

/// Frees the tree below `block`; `level` 0 is data. Only blocks from file block `first` on, where `base` is
/// this subtree's first file block. Returns whether the whole subtree went.
static Result<bool> free_subtree(Ext2Inode& inode, u32 block, unsigned level, u64 base, u64 first) {
    Ext2& fs = *inode.fs;
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
        inode.disk.sectors -= static_cast<u32>(fs.block_size / 512);
    }
    return all;
}

Result<void> Ext2Inode::truncate(u64 new_size) {
    if (fs->read_only) return Errno::EROFS;
    if (is_symlink(mode) && !disk.sectors) return {};
    if (new_size < size) {
        u64 first = divide_up(new_size, fs->block_size), n = fs->pointers_per_block;
        u64 base = 0;
        for (u32 i = 0; i < 15; i++) {
            unsigned level = i < 12 ? 0 : i - 11;
            u64 span = level == 0 ? 1 : level == 1 ? n : level == 2 ? n * n : n * n * n;
            if (base + span > first && disk.block[i])
                if (TRY(free_subtree(*this, disk.block[i], level, base, first))) disk.block[i] = 0;
            base += span;
        }
        drop_cached_pages(*this, divide_up(new_size, PageSize));
        if (new_size &
            (PageSize - 1)) { // the tail of the last page must read as zero when the file grows again
            Page* page = TRY(cached_page(*this, new_size >> PageShift));
            memset(static_cast<u8*>(address_of(page)) + (new_size & (PageSize - 1)), 0,
                   PageSize - (new_size & (PageSize - 1)));
            page->flags |= PageDirty;
            put_page(page);
        }
    }
    size = new_size;
    blocks = disk.sectors;
    modify_time = change_time = wall_clock_nanoseconds() / 1'000'000'000;
    mark_dirty();
    return {};
}

void Ext2Inode::destroy_self() {
    {
        MutexGuard guard(fs->lock);
        if (__atomic_load_n(&references, __ATOMIC_ACQUIRE)) return; // found again meanwhile
        this->node.remove();
    }
    if (!links && !fs->read_only) { // the last name and the last user are gone
        bool directory = is_directory(mode);
        (void)truncate(0);
        disk.delete_time = static_cast<u32>(wall_clock_nanoseconds() / 1'000'000'000);
        dirty = true;
        (void)write_inode();
        fs->free_inode(static_cast<u32>(number), directory);
    } else if (!fs->read_only) {
        (void)sync();
    }
    Inode::destroy_self();
}

} // namespace kernel::ext2
