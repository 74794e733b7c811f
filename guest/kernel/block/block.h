// Block devices: disks with partitions, and the requests that go to their drivers.
//
// A request covers up to MaxSegments physical ranges; it carries its time stamps (queued, dispatched,
// completed) so that latency can be seen from outside. Drivers take requests from the disk's queue in order
// (elevator "none") and complete them from the BLOCK softirq. Callers sleep in submit_bio_wait().
//
// Invariants (under gendisk::lock): a request is on the queue, or in flight (driver's), or complete — never
// two of them.
#pragma once

#include "fs/vfs.h"
#include "lib/list.h"
#include "lib/result.h"
#include "sync/wait_queue.h"

namespace kernel {

inline constexpr u64 SectorSize = 512;

struct bio_vec {
    u64 physical;
    u32 bytes;
};

struct request {
    static constexpr unsigned MaxSegments = 32;
    u64 sector = 0;
    u32 sectors = 0;
    bool write = false;
    bool flush = false; ///< no data: empty the drive's cache
    unsigned segment_count = 0;
    unsigned attempts = 0;
    bio_vec segments[MaxSegments];
    Errno status = Errno::None;
    struct completion done;
    u64 queued_at = 0, dispatched_at = 0, completed_at = 0; ///< ns
    list_head node;
};

struct disk_stats {
    u64 reads = 0, read_sectors = 0, read_nanoseconds = 0;
    u64 writes = 0, write_sectors = 0, write_nanoseconds = 0;
    u64 flushes = 0, errors = 0;
};

struct gendisk {
    char disk_name[16] = {};
    char model[41] = {};
    u64 sectors = 0;
    u32 first_minor = 0;
    list_head queue;
    u32 in_flight = 0;
    disk_stats statistics;
    spinlock_t lock{"disk"};
    struct gendisk* next = nullptr;

    virtual ~gendisk() = default;
    /// REQUIRES: lock. Takes requests from the queue while the driver has room.
    virtual void dispatch() = 0;
};

/// A disk or a partition, as its device node's inode; its page cache holds the file system's metadata.
struct block_device : inode {
    struct gendisk* disk = nullptr;
    u64 start_sector = 0;
    u64 sectors = 0;
    char name[16] = {};
    struct block_device* next = nullptr;

    Result<void> read_page(u64 index, struct page* page) override;
    Result<void> write_page(u64 index, struct page* page) override;
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

Result<void> submit_bio_wait(struct gendisk& disk, struct request& request);
/// For drivers, from the BLOCK softirq.
void blk_mq_end_request(struct gendisk& disk, struct request& request, Errno status);

/// Copies bytes of the device through its page cache (buffer.cpp).
Result<void> read_device(struct block_device& device, u64 position, void* to, usize size);
Result<void> write_device(struct block_device& device, u64 position, const void* from, usize size);
/// These bytes are somebody else's from now on: what the cache has of them will not be written.
void forget_device(struct block_device& device, u64 position, usize size);

} // namespace kernel
