// ext2 directories: linked lists of variable-length records, each inside one block. See ext2.h.
#include "fs/ext2/ext2.h"
#include "lib/log.h"
#include "mm/zone.h"
#include "time/timekeeping.h"

namespace kernel::ext2 {
namespace {

constexpr u32 record_size(usize name_length) {
    return static_cast<u32>(align_up(sizeof(DiskEntry) + name_length, 4));
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
bool read_record(Ext2Inode& directory, u64 position, DiskEntry& entry, char* name) {
    u64 block_size = directory.fs->block_size, within = position % block_size;
    Result<Page*> page = cached_page(directory, position >> PageShift);
    if (!page.ok()) return false;
    const u8* at = static_cast<u8*>(address_of(page.value())) + (position & (PageSize - 1));
    bool good = within + sizeof(DiskEntry) <= block_size;
    if (good) {
        memcpy(&entry, at, sizeof entry);
        good = entry.record_length >= record_size(entry.name_length) && entry.record_length % 4 == 0 &&
               within + entry.record_length <= block_size;
        if (good && name) {
            memcpy(name, at + sizeof entry, entry.name_length);
            name[entry.name_length] = 0;
        }
    }
    put_page(page.value());
    if (!good)
        pr_err("EXT2-fs (%s): bad entry in directory #%lu at offset %lu\n", directory.fs->block_device->name,
               directory.number, position);
    return good;
}

/// Directory blocks are changed in the page cache, and written by sync().
Result<void> write_record(Ext2Inode& directory, u64 position, const DiskEntry& entry, const char* name) {
    Page* page = TRY(cached_page(directory, position >> PageShift));
    u8* at = static_cast<u8*>(address_of(page)) + (position & (PageSize - 1));
    memcpy(at, &entry, sizeof entry);
    if (name) memcpy(at + sizeof entry, name, entry.name_length);
    page->flags |= PageDirty;
    put_page(page);
    return {};
}

} // namespace

Result<Inode*> Ext2Inode::lookup(StringView name) {
    if (!is_directory(mode)) return Errno::ENOTDIR;
    char text[256];
    DiskEntry entry;
    for (u64 position = 0; position < size; position += entry.record_length) {
        if (!read_record(*this, position, entry, text)) return Errno::EIO;
        if (entry.inode && StringView(text, entry.name_length) == name) return fs->inode(entry.inode);
    }
    return Errno::ENOENT;
}

Result<bool> Ext2Inode::next_entry(File& file, DirectoryEntry& out) {
    if (!is_directory(mode)) return Errno::ENOTDIR;
    while (file.position < size) {
        DiskEntry entry;
        if (!read_record(*this, file.position, entry, out.name)) return Errno::EIO;
        file.position += entry.record_length;
        if (!entry.inode) continue;
        out.inode = entry.inode;
        out.name_length = entry.name_length;
        constexpr u8 types[] = {0, 8, 4, 2, 6, 1, 12, 10}; // to DT_*
        out.type = entry.file_type < sizeof types ? types[entry.file_type] : 0;
        return true;
    }
    return false;
}

Result<void> Ext2Inode::add_entry(StringView name, u32 target, u32 target_mode) {
    if (name.size > 255) return Errno::ENAMETOOLONG;
    u32 needed = record_size(name.size);
    DiskEntry fresh{target, 0, static_cast<u8>(name.size), file_type(target_mode)};
    DiskEntry entry;
    for (u64 position = 0; position < size; position += entry.record_length) {
        if (!read_record(*this, position, entry, nullptr)) return Errno::EIO;
        u32 used = entry.inode ? record_size(entry.name_length) : 0;
        if (entry.record_length - used < needed) continue;
        if (used) { // the new record takes the slack behind this one
            fresh.record_length = static_cast<u16>(entry.record_length - used);
            char kept[256];
            DiskEntry shortened;
            if (!read_record(*this, position, shortened, kept)) return Errno::EIO;
            shortened.record_length = static_cast<u16>(used);
            TRY(write_record(*this, position, shortened, kept));
            position += used;
        } else {
            fresh.record_length = entry.record_length;
        }
        modify_time = change_time = wall_clock_nanoseconds() / 1'000'000'000;
        mark_dirty();
        return write_record(*this, position, fresh, name.data);
    }
    // No room: one more block, one record over all of it.
    u64 position = size;
    TRY(map_block(position / fs->block_size, true));
    size += fs->block_size;
    fresh.record_length = static_cast<u16>(fs->block_size);
    modify_time = change_time = wall_clock_nanoseconds() / 1'000'000'000;
    mark_dirty();
    if (position &
        (PageSize - 1)) { // the page may be cached from before the directory grew: the block reads as zero
        Page* page = TRY(cached_page(*this, position >> PageShift));
        memset(static_cast<u8*>(address_of(page)) + (position & (PageSize - 1)), 0, fs->block_size);
        put_page(page);
    }
    return write_record(*this, position, fresh, name.data);
}

Result<void> Ext2Inode::remove_entry(StringView name) {
    char text[256];
    DiskEntry entry, previous{};
    u64 previous_position = 0;
    bool has_previous = false;
    for (u64 position = 0; position < size; position += entry.record_length) {
        if (position % fs->block_size == 0) has_previous = false;
        if (!read_record(*this, position, entry, text)) return Errno::EIO;
        if (!entry.inode || !(StringView(text, entry.name_length) == name)) {
            previous = entry;
            previous_position = position;
            has_previous = true;
            continue;
        }
        modify_time = change_time = wall_clock_nanoseconds() / 1'000'000'000;
        mark_dirty();
        if (has_previous) { // the one before it swallows the room
            previous.record_length = static_cast<u16>(previous.record_length + entry.record_length);
            return write_record(*this, previous_position, previous, nullptr);
        }
        entry.inode = 0;
        return write_record(*this, position, entry, nullptr);
    }
    return Errno::ENOENT;
}

Result<bool> Ext2Inode::directory_is_empty() {
    char text[256];
    DiskEntry entry;
    for (u64 position = 0; position < size; position += entry.record_length) {
        if (!read_record(*this, position, entry, text)) return Errno::EIO;
        StringView name(text, entry.name_length);
        if (entry.inode && !(name == StringView(".", 1)) && !(name == StringView("..", 2))) return false;
    }
    return true;
}

} // namespace kernel::ext2
