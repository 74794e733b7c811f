// Commands of one port; see ahci_port.h.
#include "drivers/ahci_port.h"

#include "lib/log.h"
#include "lib/string.h"
#include "mm/zone.h"

namespace kernel {
namespace {

constexpr u8 ReadDmaExt = 0x25, WriteDmaExt = 0x35, FlushCacheExt = 0xea, ReadFpdmaQueued = 0x60,
             WriteFpdmaQueued = 0x61;

bool is_queued_command(u8 command) { return command == ReadFpdmaQueued || command == WriteFpdmaQueued; }

/// The pieces of a request's bios, neighbours joined; returns how many.
unsigned fill_regions(const struct request& request, CommandTable& table) {
    unsigned count = 0;
    u64 end = 0;
    for (const struct bio* bio = request.bio; bio; bio = bio->bi_next)
        for (unsigned i = 0; i < bio->bi_vcnt; i++) {
            const bio_vec& vec = bio->bi_io_vec[i];
            u64 physical = page_to_phys(vec.bv_page) + vec.bv_offset;
            if (count && physical == end && table.regions[count - 1].count + vec.bv_len < 4 * MiB) {
                table.regions[count - 1].count += vec.bv_len;
            } else {
                KERNEL_ASSERT(count < BLK_MAX_SEGMENTS);
                table.regions[count++] = {static_cast<u32>(physical), static_cast<u32>(physical >> 32), 0,
                                          vec.bv_len - 1};
            }
            end = physical + vec.bv_len;
        }
    return count;
}

} // namespace

void AhciDisk::issue(unsigned slot, u8 command, u64 sector, u32 count, unsigned segments, bool write) {
    CommandTable& table = tables[slot];
    memset(&table, 0, 128);
    u8* fis = table.fis; // register host-to-device FIS (SATA 10.3.4)
    fis[0] = 0x27;
    fis[1] = 0x80;
    fis[2] = command;
    fis[4] = static_cast<u8>(sector), fis[5] = static_cast<u8>(sector >> 8),
    fis[6] = static_cast<u8>(sector >> 16);
    fis[7] = 0x40; // LBA
    fis[8] = static_cast<u8>(sector >> 24), fis[9] = static_cast<u8>(sector >> 32),
    fis[10] = static_cast<u8>(sector >> 40);
    bool queue_it = is_queued_command(command);
    if (queue_it) { // the count is in the features, the tag in the count
        fis[3] = static_cast<u8>(count), fis[11] = static_cast<u8>(count >> 8);
        fis[12] = static_cast<u8>(slot << 3);
    } else {
        fis[12] = static_cast<u8>(count), fis[13] = static_cast<u8>(count >> 8);
    }
    CommandHeader& header = list[slot];
    header.flags = static_cast<u16>(5 | (write ? 1 << 6 : 0));
    header.prdt_length = static_cast<u16>(segments);
    header.bytes_transferred = 0;
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    if (queue_it) {
        queued |= 1U << slot;
        port->sata_active = 1U << slot; // before CI (5.5.1)
    }
    port->command_issue = 1U << slot;
}

bool AhciDisk::queue_rq(struct request& request) {
    bool data = request.op == REQ_OP_READ || request.op == REQ_OP_WRITE;
    // What failed before is tried again alone and plain, so that the next error says whose it is.
    bool queue_it = data && queue_depth && !request.retries;
    bool alone = request.op == REQ_OP_FLUSH || (queue_depth && !queue_it);
    if (exclusive || (alone && queue.busy)) return false;
    if (queue_it && queue.busy & ~queued) return false;
    exclusive = alone;
    unsigned slot = static_cast<unsigned>(request.tag);
    u8 command = request.op == REQ_OP_FLUSH ? FlushCacheExt
                 : queue_it                 ? (request.write() ? WriteFpdmaQueued : ReadFpdmaQueued)
                                            : (request.write() ? WriteDmaExt : ReadDmaExt);
    issue(slot, command, request.__sector, request.sectors(), fill_regions(request, tables[slot]),
          request.write());
    return true;
}

void AhciDisk::complete(u32 finished) {
    for (; finished; finished &= finished - 1) {
        unsigned slot = static_cast<unsigned>(__builtin_ctz(finished));
        struct request& request = *queue.tags[slot];
        bool was_queued = queued >> slot & 1;
        queued &= ~(1U << slot);
        exclusive = false;
        // A short transfer is an error too (4.2.2: PRDBC counts the bytes moved; it is not used by queued
        // commands).
        bool whole =
            was_queued || request.op == REQ_OP_FLUSH || list[slot].bytes_transferred == request.__data_len;
        if (whole)
            blk_mq_complete_request(request, Errno::None);
        else if (++request.retries <= 3)
            blk_mq_requeue_request(request);
        else
            blk_mq_complete_request(request, Errno::EIO);
    }
}

/// Hardirq: acknowledge, complete what is done; errors go to the thread.
void AhciDisk::handle_interrupt() {
    IrqSpinGuard guard(queue.lock);
    u32 status = port->interrupt_status;
    port->interrupt_status =
        status; // write 1 to clear, before looking at CI and SACT: a later completion interrupts again
    if (status & port_interrupt::Errors) {
        pr_err("ata%u: exception: interrupt status %#x, task file %#x, SError %#x\n", port_number + 1, status,
               port->task_file, port->sata_error);
        queue.quiesced = failed = true;
        error_wait.wake_all();
        return;
    }
    complete(queue.busy & ~(port->command_issue | port->sata_active));
}

void AhciDisk::timed_out(struct request& request) {
    if (!(port->command_issue >> request.tag & 1) &&
        !(port->sata_active >> request.tag & 1)) { // an interrupt was lost
        complete(1U << request.tag);
        return;
    }
    pr_err("ata%u: command timeout, tag %d, sector %lu\n", port_number + 1, request.tag, request.__sector);
    queue.quiesced = failed = true;
    error_wait.wake_all();
}

} // namespace kernel
