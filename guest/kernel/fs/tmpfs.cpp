// tmpfs: files that live in the page cache alone, and shared anonymous memory, which is a file without a
// name.
//
// Invariants: its mappings are `unevictable`: their pages are on no LRU list, never dirty for the flusher,
// and go when the file does. A directory's entries keep the order and the numbers in which they were made, so
// that a reader's position stays true. At most half of memory is used.
#include "fs/tmpfs.h"

#include "lib/log.h"
#include "mm/overcommit.h"
#include "mm/slab.h"
#include "mm/vmstat.h"
#include "mm/zone.h"
#include "task/task.h"

namespace kernel {
namespace {

struct tmpfs_sb_info final : super_block {
    u64 next_ino = 1;
    Result<void> statfs(kstatfs& stat) override {
        stat = {};
        stat.f_type = 0x01021994;
        stat.f_blocks = totalram_pages() / 2;
        u64 used = global_page_state(NR_SHMEM);
        stat.f_bfree = stat.f_bavail = stat.f_blocks > used ? stat.f_blocks - used : 0;
        return {};
    }
};

struct shmem_inode;
struct Entry {
    char* name;
    u32 length;
    u64 position;
    shmem_inode* inode; ///< with a reference
    list_head node;
};

struct shmem_inode final : inode {
    list_head entries;
    u64 next_position = 2;
    shmem_inode* parent = nullptr;
    char* target = nullptr; ///< of a symbolic link
    u64 committed = 0;      ///< pages, for as long as it lives; else each page when it comes

    tmpfs_sb_info& sb() const { return *static_cast<tmpfs_sb_info*>(i_sb); }
    void touch() { i_mtime = i_ctime = current_time_seconds(); }

    Entry* find(StringView name) {
        for (LIST_EACH(node, entries)) {
            Entry* entry = container_of(node, Entry, node);
            if (StringView(entry->name, entry->length) == name) return entry;
        }
        return nullptr;
    }
    Result<void> add(StringView name, shmem_inode* inode) { // takes over the reference when it succeeds
        auto* entry = make<Entry>();
        auto* text = static_cast<char*>(kmalloc(name.size + 1));
        if (!entry || !text) {
            destroy(entry);
            kfree(text);
            return Errno::ENOMEM;
        }
        memcpy(text, name.data, name.size);
        text[name.size] = 0;
        entry->name = text;
        entry->length = static_cast<u32>(name.size);
        entry->position = next_position++;
        entry->inode = inode;
        entries.push_back(&entry->node);
        i_size += 20;
        touch();
        return {};
    }
    void remove(Entry* entry) {
        entry->node.remove();
        iput(entry->inode);
        kfree(entry->name);
        destroy(entry);
        i_size -= 20;
        touch();
    }

    Result<struct inode*> lookup(StringView name) override {
        if (!is_directory(i_mode)) return Errno::ENOTDIR;
        Entry* entry = find(name);
        if (!entry) return Errno::ENOENT;
        ihold(entry->inode);
        return entry->inode;
    }
    Result<bool> next_entry(struct file& file, DirectoryEntry& out) override {
        if (!is_directory(i_mode)) return Errno::ENOTDIR;
        if (file.f_pos < 2) {
            bool up = file.f_pos++;
            out.inode = up && parent ? parent->i_ino : i_ino;
            out.type = 4;
            out.name_length = static_cast<u32>(strscpy(out.name, up ? ".." : ".", sizeof out.name));
            return true;
        }
        for (LIST_EACH(node, entries)) {
            const Entry* entry = container_of(node, Entry, node);
            if (entry->position < file.f_pos) continue;
            out.inode = entry->inode->i_ino;
            out.type = directory_type(entry->inode->i_mode);
            out.name_length = static_cast<u32>(strscpy(out.name, entry->name, sizeof out.name));
            file.f_pos = entry->position + 1;
            return true;
        }
        return false;
    }
    Result<struct inode*> create(StringView name, u32 mode, u32 device) override;
    Result<struct inode*> symlink(StringView name, StringView text) override;
    Result<void> unlink(StringView name, struct inode& inode) override {
        Entry* entry = find(name);
        if (!entry) return Errno::ENOENT;
        inode.i_nlink--;
        inode.i_ctime = current_time_seconds();
        remove(entry);
        return {};
    }
    Result<void> remove_directory(StringView name, struct inode& inode) override {
        if (!static_cast<shmem_inode&>(inode).entries.empty()) return Errno::ENOTEMPTY;
        Entry* entry = find(name);
        if (!entry) return Errno::ENOENT;
        inode.i_nlink = 0;
        i_nlink--;
        remove(entry);
        return {};
    }
    Result<void> link(StringView name, struct inode& inode) override {
        TRY(add(name, static_cast<shmem_inode*>(&inode)));
        ihold(&inode);
        inode.i_nlink++;
        inode.i_ctime = current_time_seconds();
        return {};
    }
    Result<void> rename(StringView name, struct inode& inode, struct inode& directory, StringView new_name,
                        struct inode* replaced) override {
        auto& target_directory = static_cast<shmem_inode&>(directory);
        auto& moved = static_cast<shmem_inode&>(inode);
        bool is_dir = is_directory(inode.i_mode);
        if (replaced) {
            if (is_dir && !static_cast<shmem_inode*>(replaced)->entries.empty()) return Errno::ENOTEMPTY;
            Entry* entry = target_directory.find(new_name);
            if (!entry) return Errno::ENOENT;
            ihold(&inode);
            entry->inode = &moved;
            replaced->i_nlink -= is_dir ? 2 : 1;
            if (is_dir) target_directory.i_nlink--;
            iput(replaced);
        } else {
            TRY(target_directory.add(new_name, &moved));
            ihold(&inode);
        }
        remove(find(name));
        if (is_dir) {
            moved.parent = &target_directory;
            i_nlink--;
            target_directory.i_nlink++;
        }
        moved.i_ctime = current_time_seconds();
        return {};
    }
    Result<usize> read_link(char* out, usize capacity) override {
        if (!target) return Errno::EINVAL;
        return strscpy(out, target, capacity + 1);
    }

    // Contents.
    Result<bool> page_is_data(u64 index) override {
        struct page* page = find_get_page(i_data, index);
        if (page) put_page(page);
        return page != nullptr;
    }
    Result<void> read_page(u64, struct page* page) override {
        memset(page_address(page), 0, PAGE_SIZE);
        return {};
    }
    Result<void> write_begin(struct page* page, u64, usize) override {
        if (page->has(PageUptodate)) return {};
        if (global_page_state(NR_SHMEM) > totalram_pages() / 2) return Errno::ENOSPC;
        memset(page_address(page), 0, PAGE_SIZE);
        page->set_flags(PageUptodate);
        return {};
    }
    void write_failed() override { truncate_inode_pages(*this, divide_up(i_size, PAGE_SIZE)); }
    Result<void> truncate(u64 size) override {
        if (!is_regular(i_mode)) return Errno::EINVAL;
        bool shrinks = size < i_size;
        i_size = size;
        touch();
        if (!shrinks) return {};
        truncate_inode_pages(*this, divide_up(size, PAGE_SIZE));
        if (u64 within = size & (PAGE_SIZE - 1))
            if (struct page* page = find_get_page(i_data, size >> PAGE_SHIFT)) {
                memset(static_cast<u8*>(page_address(page)) + within, 0, PAGE_SIZE - within);
                put_page(page);
            }
        return {};
    }
    void evict_inode() override {
        while (list_head* node = entries.front())
            remove(container_of(node, Entry, node)); // of an unmounted tree
        kfree(target);
        vm_unacct_memory(committed);
        inode::evict_inode();
    }
};

Result<shmem_inode*> new_inode(tmpfs_sb_info& sb, u32 mode) {
    auto* inode = make<shmem_inode>();
    if (!inode) return Errno::ENOMEM;
    inode->i_sb = &sb;
    inode->i_ino = __atomic_fetch_add(&sb.next_ino, 1, __ATOMIC_RELAXED);
    inode->i_mode = mode;
    inode->i_nlink = is_directory(mode) ? 2 : 1;
    inode->i_atime = inode->i_mtime = inode->i_ctime = current_time_seconds();
    inode->entries.initialise();
    inode->i_data.unevictable = inode->i_data.commits_pages = true;
    if (is_directory(mode)) lockdep_set_class(inode->i_rwsem, "tmpfs_dir");
    return inode;
}

Result<struct inode*> shmem_inode::create(StringView name, u32 mode, u32 device) {
    shmem_inode* fresh = TRY(new_inode(sb(), mode));
    if (is_device(mode)) fresh->i_rdev = device;
    fresh->parent = this;
    if (Result<void> added = add(name, fresh); !added.ok()) {
        iput(fresh);
        return added.error();
    }
    if (is_directory(mode)) i_nlink++;
    ihold(fresh); // the entry has one, the caller gets one
    return fresh;
}

Result<struct inode*> shmem_inode::symlink(StringView name, StringView text) {
    auto* fresh = static_cast<shmem_inode*>(TRY(create(name, S_IFLNK | 0777, 0)));
    fresh->target = static_cast<char*>(kmalloc(text.size + 1));
    if (!fresh->target) {
        (void)unlink(name, *fresh);
        iput(fresh);
        return Errno::ENOMEM;
    }
    memcpy(fresh->target, text.data, text.size);
    fresh->target[text.size] = 0;
    fresh->i_size = text.size;
    return fresh;
}

constinit tmpfs_sb_info* shm_mnt = nullptr; ///< of files without a name

Result<tmpfs_sb_info*> new_super() {
    static constinit u32 next_device = 32;
    auto* super = make<tmpfs_sb_info>();
    if (!super) return Errno::ENOMEM;
    super->s_type = "tmpfs";
    super->s_dev = __atomic_fetch_add(&next_device, 1, __ATOMIC_RELAXED);
    return super;
}

} // namespace

Result<struct inode*> make_tmpfs() {
    tmpfs_sb_info* super = TRY(new_super());
    Result<shmem_inode*> root = new_inode(*super, S_IFDIR | 01777);
    if (!root.ok()) {
        destroy(super);
        return root.error();
    }
    return root.value();
}

void shmem_init() {
    Result<tmpfs_sb_info*> super = new_super();
    if (!super.ok()) panic("out of memory for shared memory");
    shm_mnt = super.value();
}

Result<struct file*> shmem_file_setup(u64 size, bool noreserve) {
    if (size > TASK_SIZE_MAX) return Errno::ENOMEM;
    u64 pages = noreserve ? 0 : size >> PAGE_SHIFT;
    TRY(security_vm_enough_memory_mm(get_current()->mm, pages));
    Result<shmem_inode*> made = new_inode(*shm_mnt, S_IFREG | 0777);
    if (!made.ok()) {
        vm_unacct_memory(pages);
        return made.error();
    }
    shmem_inode* inode = made.value();
    inode->committed = pages;
    inode->i_data.commits_pages = noreserve;
    inode->i_nlink = 0;
    inode->i_size = size;
    Result<struct file*> file = alloc_file_pseudo(inode, O_RDWR);
    if (!file.ok()) iput(inode);
    return file;
}

} // namespace kernel
