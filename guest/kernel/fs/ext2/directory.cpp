// ext2 directories: linked lists of variable-length records, each inside one block. See ext2.h.
#include "fs/ext2/ext2.h"
#include "lib/log.h"
#include "mm/zone.h"
#include "time/timekeeping.h"

namespace kernel::ext2 {
namespace {

constexpr u32 record_size(usize name_length) {
    return static_cast<u32>(align_up(sizeof(ext2_dir_entry_2) + name_length, 4));
}

constexpr u8 file_type(u32 mode) {
    switch (mode & S_IFMT) {
    case S_IFREG: return 1;
    case S_IFDIR: return 2;
    case S_IFCHR: return 3;
    case S_IFBLK: return 4;
    case S_IFIFO: return 5;
    case S_IFLNK: return 7;
    default: return 0;
    }
}

/// The record at `position`, checked: it ends inside its block and holds its name.
bool read_record(ext2_inode_info& directory, u64 position, ext2_dir_entry_2& entry, char* name) {
    u64 block_size = directory.fs->s_blocksize, within = position % block_size;
    Result<struct page*> page = filemap_get_page(directory, position >> PAGE_SHIFT);
    if (!page.ok()) return false;
    const u8* at = static_cast<u8*>(page_address(page.value())) + (position & (PAGE_SIZE - 1));
    bool good = within + sizeof(ext2_dir_entry_2) <= block_size;
    if (good) {
        memcpy(&entry, at, sizeof entry);
        good = entry.rec_len >= record_size(entry.name_length) && entry.rec_len % 4 == 0 &&
               within + entry.rec_len <= block_size;
        if (good && name) {
            memcpy(name, at + sizeof entry, entry.name_length);
            name[entry.name_length] = 0;
        }
    }
    put_page(page.value());
    if (!good)
        pr_err("EXT2-fs (%s): bad entry in directory #%lu at offset %lu\n", directory.fs->block_device->name,
               directory.i_ino, position);
    return good;
}

/// Directory blocks are changed in the page cache, and written by sync().
Result<void> write_record(ext2_inode_info& directory, u64 position, const ext2_dir_entry_2& entry,
                          const char* name) {
    struct page* page = TRY(filemap_get_page(directory, position >> PAGE_SHIFT));
    u8* at = static_cast<u8*>(page_address(page)) + (position & (PAGE_SIZE - 1));
    memcpy(at, &entry, sizeof entry);
    if (name) memcpy(at + sizeof entry, name, entry.name_length);
    page->flags |= PageDirty;
    put_page(page);
    return {};
}

} // namespace

Result<struct inode*> ext2_inode_info::lookup(StringView name) {
    if (!is_directory(i_mode)) return Errno::ENOTDIR;
    char text[256];
    ext2_dir_entry_2 entry;
    for (u64 position = 0; position < i_size; position += entry.rec_len) {
        if (!read_record(*this, position, entry, text)) return Errno::EIO;
        if (entry.inode && StringView(text, entry.name_length) == name) return fs->inode(entry.inode);
    }
    return Errno::ENOENT;
}

Result<bool> ext2_inode_info::next_entry(struct file& file, DirectoryEntry& out) {
    if (!is_directory(i_mode)) return Errno::ENOTDIR;
    while (file.f_pos < i_size) {
        ext2_dir_entry_2 entry;
        if (!read_record(*this, file.f_pos, entry, out.name)) return Errno::EIO;
        file.f_pos += entry.rec_len;
        if (!entry.inode) continue;
        out.inode = entry.inode;
        out.name_length = entry.name_length;
        constexpr u8 types[] = {0, 8, 4, 2, 6, 1, 12, 10}; // to DT_*
        out.type = entry.file_type < sizeof types ? types[entry.file_type] : 0;
        return true;
    }
    return false;
}

Result<void> ext2_inode_info::add_entry(StringView name, u32 target, u32 target_mode) {
    if (name.size > 255) return Errno::ENAMETOOLONG;
    u32 needed = record_size(name.size);
    ext2_dir_entry_2 fresh{target, 0, static_cast<u8>(name.size), file_type(target_mode)};
    ext2_dir_entry_2 entry;
    for (u64 position = 0; position < i_size; position += entry.rec_len) {
        if (!read_record(*this, position, entry, nullptr)) return Errno::EIO;
        u32 used = entry.inode ? record_size(entry.name_length) : 0;
        if (entry.rec_len - used < needed) continue;
        if (used) { // the new record takes the slack behind this one
            fresh.rec_len = static_cast<u16>(entry.rec_len - used);
            char kept[256];
            ext2_dir_entry_2 shortened;
            if (!read_record(*this, position, shortened, kept)) return Errno::EIO;
            shortened.rec_len = static_cast<u16>(used);
            TRY(write_record(*this, position, shortened, kept));
            position += used;
        } else {
            fresh.rec_len = entry.rec_len;
        }
        i_mtime = i_ctime = ktime_get_real_ns() / 1'000'000'000;
        mark_dirty();
        return write_record(*this, position, fresh, name.data);
    }
    // No room: one more block, one record over all of it.
    u64 position = i_size;
    TRY(map_block(position / fs->s_blocksize, true));
    i_size += fs->s_blocksize;
    fresh.rec_len = static_cast<u16>(fs->s_blocksize);
    i_mtime = i_ctime = ktime_get_real_ns() / 1'000'000'000;
    mark_dirty();
    if (position &
        (PAGE_SIZE - 1)) { // the page may be cached from before the directory grew: the block reads as zero
        struct page* page = TRY(filemap_get_page(*this, position >> PAGE_SHIFT));
        memset(static_cast<u8*>(page_address(page)) + (position & (PAGE_SIZE - 1)), 0, fs->s_blocksize);
        put_page(page);
    }
    return write_record(*this, position, fresh, name.data);
}

Result<void> ext2_inode_info::remove_entry(StringView name) {
    char text[256];
    ext2_dir_entry_2 entry, previous{};
    u64 previous_position = 0;
    bool has_previous = false;
    for (u64 position = 0; position < i_size; position += entry.rec_len) {
        if (position % fs->s_blocksize == 0) has_previous = false;
        if (!read_record(*this, position, entry, text)) return Errno::EIO;
        if (!entry.inode || !(StringView(text, entry.name_length) == name)) {
            previous = entry;
            previous_position = position;
            has_previous = true;
            continue;
        }
        i_mtime = i_ctime = ktime_get_real_ns() / 1'000'000'000;
        mark_dirty();
        if (has_previous) { // the one before it swallows the room
            previous.rec_len = static_cast<u16>(previous.rec_len + entry.rec_len);
            return write_record(*this, previous_position, previous, nullptr);
        }
        entry.inode = 0;
        return write_record(*this, position, entry, nullptr);
    }
    return Errno::ENOENT;
}

Result<bool> ext2_inode_info::directory_is_empty() {
    char text[256];
    ext2_dir_entry_2 entry;
    for (u64 position = 0; position < i_size; position += entry.rec_len) {
        if (!read_record(*this, position, entry, text)) return Errno::EIO;
        StringView name(text, entry.name_length);
        if (entry.inode && !(name == StringView(".", 1)) && !(name == StringView("..", 2))) return false;
    }
    return true;
}

} // namespace kernel::ext2
