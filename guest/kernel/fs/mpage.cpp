// See mpage.h.
#include "fs/mpage.h"

#include "fs/address_space.h"
#include "mm/vmstat.h"
#include "mm/zone.h"

namespace kernel {
namespace {

void mpage_end_io(struct bio& bio) {
    for (unsigned i = 0; i < bio.bi_vcnt; i++) {
        struct page* page = bio.bi_io_vec[i].bv_page;
        bool failed = bio.bi_status != Errno::None;
        if (failed) page->set_flags(PageError);
        if (bio.bi_opf == REQ_OP_WRITE) {
            if (failed && page->mapping) page->mapping->wb_err = bio.bi_status;
            finish_page_writeback(page);
        } else {
            if (!failed) page->set_flags(PageUptodate);
            unlock_page(page);
            put_page(page);
        }
    }
    bio_put(&bio);
}

} // namespace

void finish_page_writeback(struct page* page) {
    end_page_writeback(page);
    mod_page_state(NR_WRITEBACK, -1);
    put_page(page);
}

Result<void> mpage_data::add(struct block_device& on, u64 sector, struct page* page) {
    if (bio && (device != &on || sector != next_sector || bio->bi_vcnt == BIO_MAX_VECS)) submit();
    if (!bio) {
        bio = bio_alloc(&on, operation, sector);
        if (!bio) return Errno::ENOMEM;
        bio->bi_end_io = mpage_end_io;
        device = &on;
    }
    bio_add_page(*bio, page, PAGE_SIZE, 0);
    next_sector = sector + PAGE_SIZE / SectorSize;
    return {};
}

void mpage_data::submit() {
    if (bio) submit_bio(bio);
    bio = nullptr;
}

} // namespace kernel
