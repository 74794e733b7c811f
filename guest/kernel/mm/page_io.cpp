// Pages to and from their places in a swap area. See swap.h.
#include "block/block.h"
#include "lib/log.h"
#include "mm/reclaim.h"
#include "mm/swap.h"
#include "mm/vmstat.h"
#include "mm/zone.h"

namespace kernel {
namespace {

/// Pages on their way out. What they need (bios, requests) comes out of the very memory that is short.
constexpr u32 MostWrites = 256;
constinit u32 nr_writes = 0;
constinit wait_queue_head writes_wait{"swap_writes"};

void end_swap_bio_write(struct bio& bio) {
    struct page* page = bio.bi_io_vec[0].bv_page;
    if (bio.bi_status != Errno::None) { // what the page holds is nowhere else
        pr_err("Write-error on swap-device\n");
        page->set_flags(PageDirty | PageError);
        page->clear_flags(PageReclaim);
    }
    if (page->test_and_clear(PageReclaim)) rotate_reclaimable_page(page);
    end_page_writeback(page);
    mod_page_state(NR_WRITEBACK, -1);
    put_page(page);
    bio_put(&bio);
    if (__atomic_sub_fetch(&nr_writes, 1, __ATOMIC_ACQ_REL) == MostWrites / 2) writes_wait.wake_all();
}

void end_swap_bio_read(struct bio& bio) {
    struct page* page = bio.bi_io_vec[0].bv_page;
    if (bio.bi_status != Errno::None) {
        pr_err("Read-error on swap-device\n");
        page->set_flags(PageError);
    } else {
        page->set_flags(PageUptodate);
    }
    unlock_page(page);
    put_page(page);
    bio_put(&bio);
}

struct bio* swap_bio(struct page* page, req_op operation, void (*end)(struct bio&)) {
    swp_entry_t entry = {page->private_};
    const swap_info_struct& area = swap_info[swp_type(entry)];
    struct bio* bio = bio_alloc(area.bdev, operation, swap_sector(area, swp_offset(entry)));
    if (!bio) return nullptr;
    bio->bi_end_io = end;
    bio_add_page(*bio, page, PAGE_SIZE, 0);
    get_page(page);
    return bio;
}

} // namespace

void throttle_swap_writes() {
    if (__atomic_load_n(&nr_writes, __ATOMIC_ACQUIRE) < MostWrites) return;
    writes_wait.wait([] { return __atomic_load_n(&nr_writes, __ATOMIC_ACQUIRE) <= MostWrites / 2; });
}

void swap_writepage(struct page* page) {
    struct bio* bio = try_to_free_swap(page) ? nullptr : swap_bio(page, REQ_OP_WRITE, end_swap_bio_write);
    if (!bio) return unlock_page(page); // still dirty
    page->clear_flags(PageDirty);
    page->set_flags(PageWriteback);
    mod_page_state(NR_WRITEBACK, 1);
    __atomic_fetch_add(&nr_writes, 1, __ATOMIC_RELAXED);
    count_vm_events(PSWPOUT);
    unlock_page(page);
    submit_bio(bio);
}

Result<void> swap_readpage(struct page* page) {
    struct bio* bio = swap_bio(page, REQ_OP_READ, end_swap_bio_read);
    if (!bio) return Errno::ENOMEM;
    count_vm_events(PSWPIN);
    submit_bio(bio);
    return {};
}

} // namespace kernel
