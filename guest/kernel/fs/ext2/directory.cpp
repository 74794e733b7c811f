// ext2 directories: linked lists of variable-length records, each inside one block. See ext2.h.
//
// A block is looked at as a whole, in its cached page; records change under the page's lock. The directory's
// i_rwsem is the caller's.
#include "fs/ext2/ext2.h"
#include "lib/log.h"
#include "mm/zone.h"

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
    case S_IFSOCK: return 6;
    case S_IFLNK: return 7;
    default: return 0;
    }
}

/// A directory's block in memory, with the page held.
class Block {
public:
    static Result<void> get(ext2_inode_info& directory, u64 position, Block& block) {
        block.release();
        block.page_ = TRY(filemap_get_page(directory, position >> PAGE_SHIFT));
        block.directory_ = &directory;
        block.start_ = align_down(position, directory.fs->s_blocksize);
        return {};
    }
    Block() = default;
    ~Block() { release(); }
    Block(const Block&) = delete;
    Block& operator=(const Block&) = delete;

    /// The record at this byte of the block, checked: it ends inside its block and holds its name. Null when
    /// it is bad.
    ext2_dir_entry_2* record(u64 within) const {
        u64 size = directory_->fs->s_blocksize;
        auto* entry = reinterpret_cast<ext2_dir_entry_2*>(base() + within);
        if (within + sizeof *entry <= size && entry->rec_len >= record_size(entry->name_length) &&
            entry->rec_len % 4 == 0 && within + entry->rec_len <= size)
            return entry;
        pr_err("EXT2-fs error (%s): bad entry in directory #%lu at offset %lu\n",
               directory_->fs->block_device->name, directory_->i_ino, start_ + within);
        return nullptr;
    }
    static const char* name_of(const ext2_dir_entry_2* entry) {
        return reinterpret_cast<const char*>(entry + 1);
    }
    void change() const {
        set_page_dirty(page_);
        directory_->touch();
    }

private:
    u8* base() const { return static_cast<u8*>(page_address(page_)) + (start_ & (PAGE_SIZE - 1)); }
    void release() {
        if (page_) put_page(page_);
        page_ = nullptr;
    }
    struct page* page_ = nullptr;
    ext2_inode_info* directory_ = nullptr;
    u64 start_ = 0;
};

/// Calls visit(block, entry, previous entry in the block or null, position) until it returns true; false when
/// it never did.
template <typename Visit>
inline Result<bool> each_record(ext2_inode_info& directory, Visit visit, u64 from = 0) {
    u64 size = directory.fs->s_blocksize;
    Block block;
    for (u64 start = from; start < directory.i_size; start += size) {
        TRY(Block::get(directory, start, block));
        ext2_dir_entry_2* previous = nullptr;
        for (u64 within = 0; within < size;) {
            ext2_dir_entry_2* entry = block.record(within);
            if (!entry) return Errno::EIO;
            u32 length = entry->rec_len;
            if (visit(block, entry, previous, start + within)) return true;
            previous = entry;
            within += length;
        }
    }
    return false;
}

inline bool names(const ext2_dir_entry_2* entry, StringView name) {
    if (!entry->inode || entry->name_length != name.size) return false;
    const char* text = Block::name_of(entry); // names of one directory tend to differ at the end
    return text[name.size - 1] == name.data[name.size - 1] && memcmp(text, name.data, name.size) == 0;
}

void fill(ext2_dir_entry_2* entry, u32 number, u32 rec_len, StringView name, u32 mode) {
    entry->inode = number;
    entry->rec_len = static_cast<u16>(rec_len);
    entry->name_length = static_cast<u8>(name.size);
    entry->file_type = file_type(mode);
    memcpy(entry + 1, name.data, name.size);
}

} // namespace

Result<struct inode*> ext2_inode_info::lookup(StringView name) {
    if (!is_directory(i_mode)) return Errno::ENOTDIR;
    u32 number = 0;
    bool found = TRY(each_record(*this, [&](const Block&, ext2_dir_entry_2* entry, ext2_dir_entry_2*, u64) {
        if (names(entry, name)) number = entry->inode;
        return number != 0;
    }));
    if (!found) return Errno::ENOENT;
    return fs->inode(number);
}

Result<bool> ext2_inode_info::next_entry(struct file& file, DirectoryEntry& out) {
    if (!is_directory(i_mode)) return Errno::ENOTDIR;
    Block block;
    u64 size = fs->s_blocksize, loaded = ~u64{0};
    while (file.f_pos < i_size) {
        u64 start = align_down(file.f_pos, size);
        if (loaded != start) TRY(Block::get(*this, start, block));
        loaded = start;
        // A position from before a change may lie inside a record: the block is walked from its start.
        u64 within = 0;
        const ext2_dir_entry_2* entry = nullptr;
        while (within < size) {
            entry = block.record(within);
            if (!entry) return Errno::EIO;
            if (start + within >= file.f_pos) break;
            within += entry->rec_len;
        }
        if (within >= size) {
            file.f_pos = start + size;
            continue;
        }
        file.f_pos = start + within + entry->rec_len;
        if (!entry->inode) continue;
        out.inode = entry->inode;
        out.name_length = entry->name_length;
        memcpy(out.name, Block::name_of(entry), entry->name_length);
        out.name[entry->name_length] = 0;
        constexpr u8 types[] = {0, 8, 4, 2, 6, 1, 12, 10}; // to DT_*
        out.type = entry->file_type < sizeof types ? types[entry->file_type] : 0;
        return true;
    }
    return false;
}

Result<void> ext2_inode_info::add_entry(StringView name, u32 target, u32 target_mode) {
    if (name.size > 255) return Errno::ENAMETOOLONG;
    u32 needed = record_size(name.size);
    bool added = TRY(each_record(
        *this,
        [&](const Block& block, ext2_dir_entry_2* entry, ext2_dir_entry_2*, u64 position) {
            u32 used = entry->inode ? record_size(entry->name_length) : 0, length = entry->rec_len;
            if (length - used < needed) return false;
            if (used) { // the new record takes the slack behind this one
                auto* fresh = reinterpret_cast<ext2_dir_entry_2*>(reinterpret_cast<u8*>(entry) + used);
                fill(fresh, target, length - used, name, target_mode);
                entry->rec_len = static_cast<u16>(used);
            } else {
                fill(entry, target, length, name, target_mode);
            }
            block.change();
            room_from = align_down(position, fs->s_blocksize);
            return true;
        },
        room_from));
    if (added) return {};
    room_from = i_size;
    // No room: one more block, one record over all of it.
    struct page* page = TRY(grab_cache_page(i_data, i_size >> PAGE_SHIFT));
    Result<void> begun = write_begin(page, i_size, fs->s_blocksize);
    if (begun.ok()) {
        auto* data = static_cast<u8*>(page_address(page)) + (i_size & (PAGE_SIZE - 1));
        memset(data, 0, fs->s_blocksize);
        fill(reinterpret_cast<ext2_dir_entry_2*>(data), target, static_cast<u32>(fs->s_blocksize), name,
             target_mode);
        i_size += fs->s_blocksize;
        page->set_flags(PageUptodate);
        set_page_dirty(page);
    }
    unlock_page(page);
    put_page(page);
    if (!begun.ok()) {
        write_failed();
        return begun;
    }
    touch();
    return {};
}

Result<void> ext2_inode_info::remove_entry(StringView name) {
    bool removed = TRY(each_record(
        *this, [&](const Block& block, ext2_dir_entry_2* entry, ext2_dir_entry_2* previous, u64 position) {
            if (!names(entry, name)) return false;
            room_from = min(room_from, align_down(position, fs->s_blocksize));
            if (previous) // the one before it swallows the room
                previous->rec_len = static_cast<u16>(previous->rec_len + entry->rec_len);
            entry->inode = 0;
            block.change();
            return true;
        }));
    return removed ? Result<void>() : Errno::ENOENT;
}

Result<void> ext2_inode_info::set_link(StringView name, u32 number, u32 mode) {
    bool done =
        TRY(each_record(*this, [&](const Block& block, ext2_dir_entry_2* entry, ext2_dir_entry_2*, u64) {
            if (!names(entry, name)) return false;
            entry->inode = number;
            entry->file_type = file_type(mode);
            block.change();
            return true;
        }));
    return done ? Result<void>() : Errno::ENOENT;
}

Result<bool> ext2_inode_info::directory_is_empty() {
    bool found = TRY(each_record(*this, [&](const Block&, ext2_dir_entry_2* entry, ext2_dir_entry_2*, u64) {
        return entry->inode && !names(entry, StringView(".", 1)) && !names(entry, StringView("..", 2));
    }));
    return !found;
}

} // namespace kernel::ext2
