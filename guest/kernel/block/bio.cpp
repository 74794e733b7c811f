// bios: what is to be moved between memory and sectors. See block.h.
#include "block/block.h"
#include "lib/log.h"
#include "mm/slab.h"
#include "mm/vmstat.h"
#include "mm/zone.h"

namespace kernel {

namespace {
constinit kmem_cache* bio_cache = nullptr;
}

struct bio* bio_alloc(struct block_device* device, req_op operation, u64 sector) {
    if (!bio_cache) bio_cache = kmem_cache_create("bio-32", sizeof(struct bio));
    void* memory = kmem_cache_alloc(bio_cache, GFP_NOIO);
    if (!memory) return nullptr;
    auto* bio = new (memory) struct bio();
    bio->bi_bdev = device;
    bio->bi_opf = operation;
    bio->bi_sector = sector;
    return bio;
}

void bio_put(struct bio* bio) { kmem_cache_free(bio_cache, bio); }

bool bio_add_page(struct bio& bio, struct page* page, u32 bytes, u32 offset) {
    if (bio.bi_vcnt == BIO_MAX_VECS) return false;
    bio.bi_io_vec[bio.bi_vcnt++] = {page, bytes, offset};
    bio.bi_size += bytes;
    return true;
}

Result<void> submit_bio_wait(struct bio& bio) {
    struct completion done;
    bio.bi_private = &done;
    bio.bi_end_io = [](struct bio& ended) { static_cast<struct completion*>(ended.bi_private)->complete(); };
    submit_bio(&bio);
    done.wait(); // schedule() flushes the plug
    return bio.bi_status == Errno::None ? Result<void>() : bio.bi_status;
}

Result<void> blkdev_rw_page(struct block_device& device, u64 sector, struct page* page, u32 offset, u32 bytes,
                            req_op operation) {
    struct bio* bio = bio_alloc(&device, operation, sector);
    if (!bio) return Errno::ENOMEM;
    bio_add_page(*bio, page, bytes, offset);
    Result<void> result = submit_bio_wait(*bio);
    bio_put(bio);
    return result;
}

Result<void> blkdev_issue_flush(struct block_device& device) {
    struct bio* bio = bio_alloc(&device, REQ_OP_FLUSH, 0);
    if (!bio) return Errno::ENOMEM;
    Result<void> result = submit_bio_wait(*bio);
    bio_put(bio);
    return result;
}

} // namespace kernel
