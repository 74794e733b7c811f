// A file's pages in memory (the page cache): mm/filemap.cpp.
//
// Invariants: i_pages, nrpages and page->mapping change under i_pages_lock; each cached page has one
// reference for being in the tree. A page's contents are read and replaced under its page lock; truncation
// takes the lock of each page that it drops, so who holds it and sees page->mapping set knows that the page
// stays. i_mmap lists the areas that map the file, under i_mmap_rwsem.
#pragma once

#include "lib/list.h"
#include "lib/radix_tree.h"
#include "lib/result.h"
#include "sync/wait_queue.h"

namespace kernel {

struct inode;
struct page;
struct file;

struct address_space {
    struct inode* host = nullptr;
    radix_tree_root i_pages;
    u64 nrpages = 0;
    u64 nrdirty = 0;
    bool unevictable = false;   ///< memory is all that the pages have (tmpfs)
    bool commits_pages = false; ///< each page counts in vm_committed_as
    Errno wb_err = Errno::None; ///< a write-back that failed since the last fsync
    spinlock_t i_pages_lock{"i_pages"};
    list_head i_mmap;
    struct mutex i_mmap_rwsem{"i_mmap"};
};

// --- page flags that sleepers wait for
void lock_page(struct page* page);
bool trylock_page(struct page* page);
void unlock_page(struct page* page);
void wait_on_page_writeback(struct page* page);
void end_page_writeback(struct page* page);

/// The page with a reference, or null when it is not cached.
struct page* find_get_page(address_space& mapping, u64 index);
/// The page with a reference, up to date; read when it is not there.
Result<struct page*> filemap_get_page(struct inode& inode, u64 index);
/// The page with a reference and locked; not read.
Result<struct page*> grab_cache_page(address_space& mapping, u64 index);
/// A fresh locked page with a reference, unless one is there or there is no memory.
struct page* filemap_new_page(address_space& mapping, u64 index, u32 gfp_flags);
void page_cache_sync_ra(struct file& file, u64 index, u32 wanted);
void page_cache_async_ra(struct file& file, u64 index);
void set_page_dirty(struct page* page);
/// Drops pages from `first` on, after those who use them; unmaps them first.
void truncate_inode_pages(struct inode& inode, u64 first);
/// Drops a locked, clean, unmapped page that nobody else holds; false when somebody does.
bool remove_mapping(address_space& mapping, struct page* page);
Result<void> filemap_write_and_wait(struct inode& inode);
bool mapping_has_dirty_pages(const address_space& mapping);

} // namespace kernel
