// Read-ahead: what a reader will want next is on its way before he asks (after Linux's mm/readahead.c).
//
// A window of pages is read at once; it starts small and doubles up to 128 KiB while the reads stay
// sequential. One page of it is marked: who reads that one starts the next window. Random reads bring what
// was asked for alone.
#include "fs/mpage.h"
#include "fs/vfs.h"
#include "mm/reclaim.h"
#include "mm/zone.h"

namespace kernel {
namespace {

constexpr u32 RaPages = 32;

u32 get_init_ra_size(u32 wanted) {
    u32 size = 1U << log2_ceil(wanted);
    return size <= RaPages / 32 ? size * 4 : size <= RaPages / 4 ? size * 2 : RaPages;
}

u32 get_next_ra_size(u32 size) { return size < RaPages / 16 ? size * 4 : min(size * 2, RaPages); }

/// Starts to read [start, start + count) where it is not cached; `marked` gets the mark.
void do_page_cache_ra(struct inode& inode, u64 start, u32 count, u64 marked) {
    u64 end = divide_up(inode.i_size, PAGE_SIZE);
    blk_plug plug;
    blk_start_plug(plug);
    {
        mpage_data batch(REQ_OP_READ);
        for (u64 index = start; index < start + count && index < end; index++) {
            struct page* page =
                filemap_new_page(inode.i_data, index, GFP_KERNEL | __GFP_NORETRY | __GFP_NOWARN);
            if (!page) continue; // there already, or no memory for guesses
            if (index == marked) page->set_flags(PageReadahead);
            get_page(page); // for the end of the transfer
            if (!inode.readahead_page(index, page, batch).ok()) {
                unlock_page(page);
                put_page(page);
            }
            put_page(page);
        }
    }
    blk_finish_plug(plug);
}

} // namespace

void page_cache_sync_ra(struct file& file, u64 index, u32 wanted) {
    file_ra_state& ra = file.f_ra;
    struct inode& inode = *file.f_mapping->host;
    if (inode.i_data.unevictable) return;
    if (index && index != ra.prev_index + 1 && index != ra.prev_index)
        return do_page_cache_ra(inode, index, min(wanted, RaPages), ~u64{0});
    ra.start = index;
    ra.size = get_init_ra_size(min(wanted, RaPages));
    ra.async_size = ra.size > wanted ? ra.size - wanted : ra.size / 2;
    do_page_cache_ra(inode, ra.start, ra.size, ra.start + ra.size - max(ra.async_size, 1U));
}

void page_cache_async_ra(struct file& file, u64 index) {
    file_ra_state& ra = file.f_ra;
    u64 end = ra.start + ra.size;
    ra.start = index < end ? end : index + 1;
    ra.size = ra.size ? get_next_ra_size(ra.size) : 4;
    ra.async_size = ra.size;
    do_page_cache_ra(*file.f_mapping->host, ra.start, ra.size, ra.start);
}

} // namespace kernel
