// Pages of files to and from the disk, several in one bio. The file system says where a page's block is;
// neighbours on the disk travel together.
//
// Reading, a page is locked until its contents are there; writing, it has PageWriteback until they are out.
// Both hold a reference.
#pragma once

#include "block/block.h"

namespace kernel {

struct mpage_data {
    struct block_device* device = nullptr;
    req_op operation = REQ_OP_READ;
    struct bio* bio = nullptr;
    u64 next_sector = 0;

    explicit mpage_data(req_op op) : operation(op) {}
    ~mpage_data() { submit(); }
    mpage_data(const mpage_data&) = delete;
    mpage_data& operator=(const mpage_data&) = delete;

    /// A whole page at this sector of the device; ENOMEM when there is no memory for a bio.
    Result<void> add(struct block_device& on, u64 sector, struct page* page);
    void submit();
};

/// The page's write-back is over: the reference and the count go.
void finish_page_writeback(struct page* page);

} // namespace kernel
