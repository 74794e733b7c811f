// The block layer: who wants sectors submits a bio; what arrives close together becomes a request; the
// elevator orders requests; the driver gets them with a tag.
//
//   submit_bio → the task's plug (merge) → elevator (merge, order) → tag → gendisk::queue_rq → … →
//   blk_mq_complete_request → bio::bi_end_io
//
// Invariants (under request_queue::lock): a request is free, in a plug (its task's alone), in the elevator,
// on `dispatch`, or in flight with a tag; never two of them. Its bios cover neighbouring sectors in one
// direction. bi_end_io runs in the BLOCK softirq.
#pragma once

#include "fs/vfs.h"
#include "irq/workqueue.h"
#include "lib/list.h"
#include "lib/rbtree.h"
#include "lib/result.h"
#include "sync/wait_queue.h"
#include "time/tick.h"

namespace kernel {

inline constexpr u64 SectorSize = 512;
inline constexpr unsigned BIO_MAX_VECS = 32, BLK_MAX_SEGMENTS = 128, BLK_MAX_SECTORS = 1024;
inline constexpr unsigned BLKDEV_DEFAULT_RQ = 64; ///< requests of a queue
inline constexpr unsigned BLK_MAX_TAGS = 32;

enum req_op : u8 { REQ_OP_READ, REQ_OP_WRITE, REQ_OP_FLUSH, REQ_OP_DRV_IN, NR_REQ_OPS };

struct bio_vec {
    struct page* bv_page;
    u32 bv_len, bv_offset;
};

struct block_device;
struct gendisk;
struct PciDevice;

struct bio {
    struct block_device* bi_bdev = nullptr;
    u64 bi_sector = 0; ///< in the device; in the disk, once submitted
    u32 bi_size = 0;   ///< bytes
    req_op bi_opf = REQ_OP_READ;
    u16 bi_vcnt = 0;
    Errno bi_status = Errno::None;
    struct bio* bi_next = nullptr; ///< in its request
    void (*bi_end_io)(struct bio&) = nullptr;
    void* bi_private = nullptr;
    bio_vec bi_io_vec[BIO_MAX_VECS];

    u32 sectors() const { return bi_size / SectorSize; }
};
struct bio* bio_alloc(struct block_device* device, req_op operation, u64 sector);
void bio_put(struct bio* bio);
/// False when it is full.
bool bio_add_page(struct bio& bio, struct page* page, u32 bytes, u32 offset);
void submit_bio(struct bio* bio);
Result<void> submit_bio_wait(struct bio& bio);
Result<void> blkdev_issue_flush(struct block_device& device);
/// One run of bytes inside a page, to or from the device.
Result<void> blkdev_rw_page(struct block_device& device, u64 sector, struct page* page, u32 offset, u32 bytes,
                            req_op operation);

struct request {
    struct gendisk* rq_disk = nullptr;
    struct block_device* part = nullptr; ///< for the statistics
    req_op op = REQ_OP_READ;
    u64 __sector = 0;
    u32 __data_len = 0;
    u16 nr_phys_segments = 0;
    struct bio *bio = nullptr, *biotail = nullptr;
    i32 tag = -1;
    u32 retries = 0;
    Errno status = Errno::None;
    u64 start_time_ns = 0, io_start_time_ns = 0, completed_ns = 0; ///< made, given to the driver, done
    u64 deadline = 0;       ///< jiffies: in flight, when it counts as lost
    u64 fifo_time = 0;      ///< jiffies: in the elevator, when it must go
    list_head queuelist;    ///< free list, plug, elevator's FIFO, dispatch list, or completion list
    struct rb_node rb_node; ///< mq-deadline's order of sectors
    bool sorted = false;

    u32 sectors() const { return __data_len / SectorSize; }
    bool write() const { return op == REQ_OP_WRITE; }
};
/// Requests that one task collects before it gives them to the queue together: neighbours meet here.
struct blk_plug {
    list_head mq_list;
    u32 rq_count = 0;
};
void blk_start_plug(blk_plug& plug);
void blk_finish_plug(blk_plug& plug);
/// Before the task sleeps.
void blk_flush_plug(blk_plug& plug);

struct disk_stats {
    u64 ios[3] = {}, merges[3] = {}, sectors[3] = {}, nsecs[3] = {}; ///< by REQ_OP_READ, WRITE, FLUSH
    u64 io_ticks = 0, stamp = 0; ///< ns with something in flight, and since when that is counted
    u32 in_flight = 0;
    u64 errors = 0;
};

/// An elevator: the order in which requests reach the driver. REQUIRES for all: request_queue::lock.
struct elevator_type {
    const char* elevator_name;
    void (*init)(struct request_queue&);
    void (*insert_request)(struct request_queue&, struct request&);
    struct request* (*dispatch_request)(struct request_queue&);
    /// The queued request that ends where the bio begins (back), or begins where it ends (front).
    struct request* (*find_merge)(struct request_queue&, const struct bio&, bool& front);
    /// The request's start or length has changed.
    void (*merged)(struct request_queue&, struct request&, bool front);
};
extern const elevator_type elevator_none, elevator_mq_deadline;
/// What the old one holds goes to the new one. From now on, for all requests.
void elevator_switch(struct request_queue& queue, const elevator_type& type);

struct deadline_data {
    list_head fifo_list[2];
    struct rb_root sort_list[2];
    u32 batching = 0, starved = 0;
    bool last_write = false;
    u64 latest_pos[2] = {};
};

struct request_queue {
    spinlock_t lock{"request_queue"};
    const elevator_type* elevator = nullptr;
    list_head ctx_list; ///< elevator none: first come, first served
    deadline_data deadline;
    list_head dispatch;  ///< before the elevator: flushes, and what the driver gave back
    list_head free_list; ///< of `pool`
    u32 free_count = 0;
    wait_queue_head free_wait{"blk_request"};
    struct request* pool = nullptr;
    struct request* tags[BLK_MAX_TAGS] = {}; ///< in flight
    u32 tag_count = BLK_MAX_TAGS, busy = 0;
    bool quiesced = false; ///< the driver recovers from an error
    list_head done;        ///< for the softirq
    timer_list timeout;
    work_struct timeout_work; ///< kblockd: looks for the overdue
};

struct gendisk {
    char disk_name[16] = {};
    char model[41] = {};
    u64 sectors = 0;
    char firmware[9] = {}; ///< its revision
    bool rotational = true;
    const struct PciDevice* controller = nullptr; ///< what it hangs on, and where
    u32 host_port = 0;
    u32 first_minor = 0;
    struct block_device* part0 = nullptr;
    request_queue queue;
    struct gendisk* next = nullptr;

    virtual ~gendisk() = default;
    /// Starts a request, which has a tag; false when it must wait for others. REQUIRES: request_queue::lock.
    virtual bool queue_rq(struct request& request) = 0;
    /// A request is overdue: something must be done about the device. REQUIRES: request_queue::lock.
    virtual void timed_out(struct request& request) = 0;
};

/// A disk or a partition, as its device node's inode; its page cache holds the file system's metadata.
struct block_device : inode {
    struct gendisk* disk = nullptr;
    u64 start_sector = 0;
    u64 sectors = 0;
    char name[16] = {};
    disk_stats bd_stats;
    struct block_device* next = nullptr;

    Result<void> read_page(u64 index, struct page* page) override;
    Result<bool> write_page(u64 index, struct page* page, mpage_data& batch) override;
    Result<void> write_begin(struct page* page, u64 position, usize bytes) override;
    Result<u64> control(struct file&, u32 command, u64 argument) override;
    Result<void> sync() override;
    void evict_inode() override {} // lives as long as its disk
};

extern struct gendisk* disks;
extern struct block_device* block_devices;

/// Adds the disk and its partitions (MBR) to the system.
Result<void> add_disk(struct gendisk* disk);
/// "sda1" or "/dev/sda1".
struct block_device* find_block_device(const char* name);

// --- for drivers (blk-mq.cpp)
Result<void> blk_mq_init_queue(struct gendisk& disk, u32 tags);
/// From any context: the request goes to the BLOCK softirq. REQUIRES: request_queue::lock.
void blk_mq_complete_request(struct request& request, Errno status);
/// Back to the queue, to be started again. REQUIRES: request_queue::lock.
void blk_mq_requeue_request(struct request& request);
void blk_mq_run_hw_queue(struct gendisk& disk);
void blk_account_start(struct request& request);
void blk_account_done(struct request& request);
/// The statistics with the time that is running. REQUIRES: request_queue::lock.
void update_io_ticks(disk_stats& stats, u64 now);
void blk_mq_init();

/// Copies bytes of the device through its page cache (buffer.cpp).
Result<void> read_device(struct block_device& device, u64 position, void* to, usize size);
Result<void> write_device(struct block_device& device, u64 position, const void* from, usize size);
/// These bytes are somebody else's from now on: what the cache has of them will not be written.
void forget_device(struct block_device& device, u64 position, usize size);

} // namespace kernel
