// From bios to requests to the driver, and back. See block.h.
#include "block/block.h"
#include "irq/irq.h"
#include "lib/log.h"
#include "mm/slab.h"
#include "mm/vmstat.h"
#include "mm/zone.h"
#include "setup.h"
#include "task/task.h"
#include "time/timekeeping.h"

namespace kernel {
namespace {

constinit workqueue_struct* kblockd_workqueue = nullptr;

constexpr u64 RequestTimeout = 30 * HZ;

void bio_endio(struct bio& bio, Errno status) {
    bio.bi_status = status;
    bio.bi_end_io(bio);
}

u16 bio_segments(const struct bio& bio) { return bio.bi_vcnt; }

/// A free request; waits for one. The caller's plug is not held back meanwhile: schedule() flushes it.
struct request* blk_mq_get_request(struct gendisk& disk) {
    request_queue& queue = disk.queue;
    struct request* request = nullptr;
    queue.free_wait.wait([&] {
        IrqSpinGuard guard(queue.lock);
        list_head* node = queue.free_list.pop_front();
        if (!node) return false;
        queue.free_count--;
        request = container_of(node, struct request, queuelist);
        return true;
    });
    return request;
}

bool may_merge(const struct request& request, const struct bio& bio) {
    return request.op == bio.bi_opf && request.part == bio.bi_bdev &&
           request.sectors() + bio.sectors() <= BLK_MAX_SECTORS &&
           request.nr_phys_segments + bio_segments(bio) <= BLK_MAX_SEGMENTS;
}

void add_bio(struct request& request, struct bio* bio, bool front) {
    if (front) {
        bio->bi_next = request.bio;
        request.bio = bio;
        request.__sector = bio->bi_sector;
    } else {
        request.biotail->bi_next = bio;
        request.biotail = bio;
    }
    request.__data_len += bio->bi_size;
    request.nr_phys_segments = static_cast<u16>(request.nr_phys_segments + bio_segments(*bio));
}

void account_merge(struct request& request) {
    IrqSpinGuard guard(request.rq_disk->queue.lock);
    request.part->bd_stats.merges[request.op]++;
    if (request.part != request.rq_disk->part0) request.rq_disk->part0->bd_stats.merges[request.op]++;
}

bool blk_attempt_plug_merge(blk_plug& plug, struct bio* bio) {
    for (list_head* node = plug.mq_list.prev; node != &plug.mq_list; node = node->prev) {
        struct request* request = container_of(node, struct request, queuelist);
        bool back = request->__sector + request->sectors() == bio->bi_sector;
        bool front = bio->bi_sector + bio->sectors() == request->__sector;
        if (request->rq_disk != bio->bi_bdev->disk || (!back && !front) || !may_merge(*request, *bio))
            continue;
        add_bio(*request, bio, front);
        account_merge(*request);
        return true;
    }
    return false;
}

/// REQUIRES: queue.lock.
bool blk_mq_sched_try_merge(request_queue& queue, struct bio* bio) {
    bool front = false;
    struct request* request = queue.elevator->find_merge(queue, *bio, front);
    if (!request || !may_merge(*request, *bio)) return false;
    add_bio(*request, bio, front);
    queue.elevator->merged(queue, *request, front);
    request->part->bd_stats.merges[request->op]++;
    if (request->part != request->rq_disk->part0) request->rq_disk->part0->bd_stats.merges[request->op]++;
    return true;
}

/// REQUIRES: queue.lock.
void insert(request_queue& queue, struct request& request) {
    if (request.op == REQ_OP_READ || request.op == REQ_OP_WRITE)
        queue.elevator->insert_request(queue, request);
    else
        queue.dispatch.push_back(&request.queuelist);
}

/// REQUIRES: queue.lock. Gives the driver what it takes.
void dispatch(struct gendisk& disk) {
    request_queue& queue = disk.queue;
    u32 all = queue.tag_count == 32 ? ~0U : (1U << queue.tag_count) - 1;
    while (!queue.quiesced) {
        u32 free = ~queue.busy & all;
        if (!free) return;
        struct request* request = nullptr;
        if (list_head* node = queue.dispatch.pop_front())
            request = container_of(node, struct request, queuelist);
        else
            request = queue.elevator->dispatch_request(queue);
        if (!request) return;
        request->tag = __builtin_ctz(free);
        if (!disk.queue_rq(*request)) {
            request->tag = -1;
            queue.dispatch.push_front(&request->queuelist);
            return;
        }
        request->io_start_time_ns = ktime_get_ns();
        request->deadline = jiffies + RequestTimeout;
        queue.tags[request->tag] = request;
        bool first = !queue.busy;
        queue.busy |= 1U << request->tag;
        if (first) mod_timer(queue.timeout, request->deadline);
    }
}

/// Looks for the overdue, and comes back at the next deadline.
void blk_mq_timeout_work(work_struct& work) {
    request_queue& queue = *container_of(&work, request_queue, timeout_work);
    auto& disk = *static_cast<struct gendisk*>(queue.timeout.context);
    IrqSpinGuard guard(queue.lock);
    u64 next = 0;
    for (struct request* request : queue.tags) {
        if (!request) continue;
        if (static_cast<i64>(jiffies - request->deadline) >= 0) {
            request->deadline = jiffies + RequestTimeout;
            disk.timed_out(*request);
        }
        if (!next || static_cast<i64>(request->deadline - next) < 0) next = request->deadline;
    }
    if (next) mod_timer(queue.timeout, next);
}

void blk_mq_timed_out_timer(void* disk) {
    queue_work(kblockd_workqueue, static_cast<struct gendisk*>(disk)->queue.timeout_work);
}

/// REQUIRES: queue.lock.
void release_tag(request_queue& queue, struct request& request) {
    queue.tags[request.tag] = nullptr;
    queue.busy &= ~(1U << request.tag);
    request.tag = -1;
}

void blk_mq_end_request(struct request& request, Errno status) {
    request_queue& queue = request.rq_disk->queue;
    request.completed_ns = ktime_get_ns();
    if (status != Errno::None && request.op != REQ_OP_DRV_IN)
        pr_err("blk_update_request: I/O error, dev %s, sector %lu op %s\n", request.rq_disk->disk_name,
               request.__sector,
               request.op == REQ_OP_FLUSH ? "FLUSH"
               : request.write()          ? "WRITE"
                                          : "READ");
    struct bio* bio = request.bio;
    {
        IrqSpinGuard guard(queue.lock);
        if (status != Errno::None) request.part->bd_stats.errors++;
        blk_account_done(request);
        queue.free_list.push_back(&request.queuelist);
        queue.free_count++;
    }
    queue.free_wait.wake_one();
    while (bio) {
        struct bio* next = bio->bi_next; // who waits for the bio may free it
        bio->bi_next = nullptr;
        bio_endio(*bio, status);
        bio = next;
    }
}

void blk_done_softirq() {
    for (struct gendisk* disk = disks; disk; disk = disk->next) {
        for (;;) {
            struct request* request;
            {
                IrqSpinGuard guard(disk->queue.lock);
                list_head* node = disk->queue.done.pop_front();
                if (!node) break;
                request = container_of(node, struct request, queuelist);
            }
            blk_mq_end_request(*request, request->status);
        }
        blk_mq_run_hw_queue(*disk);
    }
}

} // namespace

void blk_mq_init() {
    open_softirq(BLOCK_SOFTIRQ, blk_done_softirq);
    kblockd_workqueue = alloc_workqueue("kblockd", WQ_MEM_RECLAIM | WQ_HIGHPRI, 0);
    if (!kblockd_workqueue) panic("no memory for kblockd");
}

Result<void> blk_mq_init_queue(struct gendisk& disk, u32 tags) {
    request_queue& queue = disk.queue;
    char name[16] = "mq-deadline"; // Linux's default for one hardware queue
    (void)command_line_value("elevator", name, sizeof name);
    queue.elevator = strings_equal(name, "none") ? &elevator_none : &elevator_mq_deadline;
    queue.elevator->init(queue);
    queue.tag_count = min(tags, BLK_MAX_TAGS);
    queue.dispatch.initialise();
    queue.free_list.initialise();
    queue.done.initialise();
    queue.timeout.function = blk_mq_timed_out_timer;
    INIT_WORK(queue.timeout_work, blk_mq_timeout_work);
    queue.timeout.context = &disk;
    queue.pool = static_cast<struct request*>(kzalloc(sizeof(struct request) * BLKDEV_DEFAULT_RQ));
    if (!queue.pool) return Errno::ENOMEM;
    for (unsigned i = 0; i < BLKDEV_DEFAULT_RQ; i++) {
        new (&queue.pool[i]) struct request();
        queue.free_list.push_back(&queue.pool[i].queuelist);
    }
    queue.free_count = BLKDEV_DEFAULT_RQ;
    return {};
}

void blk_mq_run_hw_queue(struct gendisk& disk) {
    IrqSpinGuard guard(disk.queue.lock);
    dispatch(disk);
}

void blk_mq_complete_request(struct request& request, Errno status) {
    request_queue& queue = request.rq_disk->queue;
    release_tag(queue, request);
    request.status = status;
    queue.done.push_back(&request.queuelist);
    raise_softirq(BLOCK_SOFTIRQ);
}

void blk_mq_requeue_request(struct request& request) {
    request_queue& queue = request.rq_disk->queue;
    release_tag(queue, request);
    queue.dispatch.push_back(&request.queuelist);
}

void submit_bio(struct bio* bio) {
    struct block_device& device = *bio->bi_bdev;
    struct gendisk& disk = *device.disk;
    bio->bi_next = nullptr;
    bool data = bio->bi_opf == REQ_OP_READ || bio->bi_opf == REQ_OP_WRITE;
    if (data) {
        if (bio->bi_opf == REQ_OP_READ) get_current()->ioac.read_bytes += bio->bi_size;
        if (!bio->bi_size || bio->bi_sector >= device.sectors ||
            bio->sectors() > device.sectors - bio->bi_sector) {
            pr_err("%s: attempt to access beyond end of device, sector %lu\n", device.name, bio->bi_sector);
            return bio_endio(*bio, Errno::EIO);
        }
        bio->bi_sector += device.start_sector;
        count_vm_events(bio->bi_opf == REQ_OP_WRITE ? PGPGOUT : PGPGIN, bio->bi_size / 1024);
    }
    blk_plug* plug = get_current()->plug;
    if (data && plug && blk_attempt_plug_merge(*plug, bio)) return;
    if (data && !plug) {
        IrqSpinGuard guard(disk.queue.lock);
        if (blk_mq_sched_try_merge(disk.queue, bio)) return;
    }
    struct request* request = blk_mq_get_request(disk);
    new (request) struct request();
    request->rq_disk = &disk;
    request->part = &device;
    request->op = bio->bi_opf;
    request->__sector = data ? bio->bi_sector : 0;
    request->__data_len = bio->bi_size;
    request->nr_phys_segments = bio_segments(*bio);
    request->bio = request->biotail = bio;
    request->start_time_ns = ktime_get_ns();
    if (data && plug) {
        plug->mq_list.push_back(&request->queuelist);
        {
            IrqSpinGuard guard(disk.queue.lock);
            blk_account_start(*request);
        }
        if (++plug->rq_count >= 32) blk_flush_plug(*plug);
        return;
    }
    IrqSpinGuard guard(disk.queue.lock);
    blk_account_start(*request);
    insert(disk.queue, *request);
    dispatch(disk);
}

void blk_start_plug(blk_plug& plug) {
    plug.mq_list.initialise();
    if (!get_current()->plug) get_current()->plug = &plug; // the outermost counts
}

void blk_flush_plug(blk_plug& plug) {
    struct gendisk* last = nullptr;
    while (list_head* node = plug.mq_list.pop_front()) {
        struct request* request = container_of(node, struct request, queuelist);
        struct gendisk* disk = request->rq_disk;
        if (last && last != disk) blk_mq_run_hw_queue(*last);
        last = disk;
        IrqSpinGuard guard(disk->queue.lock);
        insert(disk->queue, *request);
    }
    plug.rq_count = 0;
    if (last) blk_mq_run_hw_queue(*last);
}

void blk_finish_plug(blk_plug& plug) {
    if (get_current()->plug != &plug) return;
    blk_flush_plug(plug);
    get_current()->plug = nullptr;
}

// --- statistics; REQUIRES: queue.lock
void update_io_ticks(disk_stats& stats, u64 now) {
    if (stats.in_flight) stats.io_ticks += now - stats.stamp;
    stats.stamp = now;
}

static void account(disk_stats& stats, const struct request& request, bool start, u64 now) {
    update_io_ticks(stats, now);
    if (start) {
        stats.in_flight++;
        return;
    }
    stats.in_flight--;
    stats.ios[request.op]++;
    stats.sectors[request.op] += request.sectors();
    stats.nsecs[request.op] += now - request.start_time_ns;
}

void blk_account_start(struct request& request) {
    if (request.op >= REQ_OP_DRV_IN) return;
    account(request.part->bd_stats, request, true, request.start_time_ns);
    if (request.part != request.rq_disk->part0)
        account(request.rq_disk->part0->bd_stats, request, true, request.start_time_ns);
}

void blk_account_done(struct request& request) {
    if (request.op >= REQ_OP_DRV_IN) return;
    account(request.part->bd_stats, request, false, request.completed_ns);
    if (request.part != request.rq_disk->part0)
        account(request.rq_disk->part0->bd_stats, request, false, request.completed_ns);
}

} // namespace kernel
