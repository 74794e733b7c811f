// Block devices: disks with partitions, and the requests that go to their drivers.
//
// A request covers up to MaxSegments physical ranges; it carries its time stamps (queued, dispatched,
// completed) so that latency can be seen from outside. Drivers take requests from the disk's queue in order
// (elevator "none") and complete them from the BLOCK softirq. Callers sleep in submit_and_wait().
//
// Invariants (under Disk::lock): a request is on the queue, or in flight (driver's), or complete — never two
// of them.
#pragma once

#include "fs/vfs.h"
#include "lib/list.h"
#include "lib/result.h"
#include "sync/wait_queue.h"

namespace kernel {

inline constexpr u64 SectorSize = 512;

struct BlockSegment {
    u64 physical;
    u32 bytes;
};

struct BlockRequest {
    static constexpr unsigned MaxSegments = 32;
    u64 sector = 0;
    u32 sectors = 0;
    bool write = false;
    bool flush = false; ///< no data: empty the drive's cache
    unsigned segment_count = 0;
    unsigned attempts = 0;
    BlockSegment segments[MaxSegments];
    Errno status = Errno::None;
    Completion done;
    u64 queued_at = 0, dispatched_at = 0, completed_at = 0; ///< ns
    ListNode node;
};

struct DiskStatistics {
    u64 reads = 0, read_sectors = 0, read_nanoseconds = 0;
    u64 writes = 0, write_sectors = 0, write_nanoseconds = 0;
    u64 flushes = 0, errors = 0;
};

struct Disk {
    char name[16] = {};
    char model[41] = {};
    u64 sectors = 0;
    u32 first_minor = 0;
    ListNode queue;
    u32 in_flight = 0;
    DiskStatistics statistics;
    SpinLock lock{"disk"};
    Disk* next = nullptr;

    virtual ~Disk() = default;
    /// REQUIRES: lock. Takes requests from the queue while the driver has room.
    virtual void dispatch() = 0;
};

/// A disk or a partition, as its device node's inode; its page cache holds the file system's metadata.
struct BlockInode : Inode {
    Disk* disk = nullptr;
    u64 start_sector = 0;
    u64 sectors = 0;
    char name[16] = {};
    BlockInode* next = nullptr;

    Result<void> read_page(u64 index, Page* page) override;
    Result<void> write_page(u64 index, Page* page) override;
    Result<void> prepare_write(u64 position, usize bytes) override;
    Result<u64> control(File&, u32 command, u64 argument) override;
    Result<void> sync() override;
    void destroy_self() override {} // lives as long as its disk
};

extern Disk* disks;
extern BlockInode* block_devices;

/// Adds the disk and its partitions (MBR) to the system.
Result<void> register_disk(Disk* disk);
/// "sda1" or "/dev/sda1".
BlockInode* find_block_device(const char* name);

Result<void> submit_and_wait(Disk& disk, BlockRequest& request);
/// For drivers, from the BLOCK softirq.
void complete_request(Disk& disk, BlockRequest& request, Errno status);

/// Copies bytes of the device through its page cache.
Result<void> read_device(BlockInode& device, u64 position, void* to, usize size);
Result<void> write_device(BlockInode& device, u64 position, const void* from, usize size);
/// For file contents, which go to the disk past the device's page cache: where that cache has the bytes, they
/// are taken from it or changed in it too, so that a later write-back of a neighbour on the same page cannot
/// bring old contents back. Inside one page.
bool read_if_cached(BlockInode& device, u64 position, void* to, usize size);
void update_if_cached(BlockInode& device, u64 position, const void* from, usize size);

} // namespace kernel
