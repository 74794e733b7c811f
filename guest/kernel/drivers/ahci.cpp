// AHCI host controller driver (Serial ATA AHCI 1.3.1): one command list a port, up to 32 commands in flight,
// READ/WRITE DMA EXT, interrupts, error recovery with a port restart.
//
// Invariants (under gendisk::lock): slot n is busy exactly while slots[n] is not null; its command table and
// PRDT belong to the hardware then. completion runs in the BLOCK softirq.
#include "drivers/ahci.h"

#include "block/block.h"
#include "drivers/pci.h"
#include "irq/irq.h"
#include "lib/format.h"
#include "lib/log.h"
#include "mm/slab.h"
#include "mm/vmalloc.h"
#include "mm/zone.h"
#include "time/tick.h"
#include "time/timekeeping.h"

namespace kernel {
namespace {

// 3.1 generic host control, 3.3 port registers.
struct PortRegisters {
    u32 command_list, command_list_high, fis_base, fis_base_high, interrupt_status, interrupt_enable, command,
        reserved0;
    u32 task_file, signature, sata_status, sata_control, sata_error, sata_active, command_issue, notification;
    u32 reserved1[16];
};
static_assert(sizeof(PortRegisters) == 0x80);
struct HostRegisters {
    u32 capabilities, control, interrupt_status, ports_implemented, version;
    u32 reserved[59];
    PortRegisters ports[32];
};
static_assert(offsetof(HostRegisters, ports) == 0x100);

namespace ghc {
constexpr u32 InterruptEnable = 1 << 1, AhciEnable = 1U << 31;
}
namespace port_command {
constexpr u32 Start = 1 << 0, FisReceive = 1 << 4, FisRunning = 1 << 14, ListRunning = 1 << 15;
}
namespace port_interrupt {
constexpr u32 DeviceToHost = 1 << 0, PioSetup = 1 << 1, DmaSetup = 1 << 2, SetDeviceBits = 1 << 3,
              TaskFileError = 1 << 30, HostBusFatal = 1 << 29, HostBusData = 1 << 28,
              InterfaceFatal = 1 << 27;
constexpr u32 Errors = TaskFileError | HostBusFatal | HostBusData | InterfaceFatal;
} // namespace port_interrupt

struct CommandHeader { // 4.2.2
    u16 flags;         ///< bits 0–4 FIS length in dwords, 6 write
    u16 prdt_length;
    u32 bytes_transferred;
    u32 table, table_high;
    u32 reserved[4];
};
static_assert(sizeof(CommandHeader) == 32);
struct PhysicalRegion {                         // 4.2.3.3
    u32 address, address_high, reserved, count; ///< count: bytes − 1, bit 31 interrupt
};
struct CommandTable {
    u8 fis[64], atapi[16], reserved[48];
    PhysicalRegion regions[request::MaxSegments];
};
static_assert(sizeof(CommandTable) == 128 + 16 * request::MaxSegments);

constexpr u8 ReadDmaExt = 0x25, WriteDmaExt = 0x35, FlushCacheExt = 0xea, Identify = 0xec;
constexpr unsigned MaxAttempts = 3;

struct AhciDisk final : gendisk {
    volatile PortRegisters* port = nullptr;
    unsigned port_number = 0;
    unsigned slot_count = 32;
    CommandHeader* list = nullptr;
    CommandTable* tables = nullptr;
    struct request* slots[32] = {};
    u32 busy = 0;
    u32 finished = 0; ///< slots that the interrupt handler saw complete
    u32 failed = 0;
    bool restart_needed = false;
    timer_list watchdog;

    void dispatch() override;
    void issue(unsigned slot, struct request& request, u8 command);
    bool stop();
    void start();
    void handle_interrupt();
    void finish();
};

struct Controller {
    volatile HostRegisters* host = nullptr;
    AhciDisk* disks[32] = {};
};
constinit Controller controller = {};

/// Polls at most `microseconds`.
template <typename Condition> bool wait_for(u64 microseconds, Condition condition) {
    u64 end = ktime_get_ns() + microseconds * 1000;
    while (!condition())
        if (ktime_get_ns() > end) return condition();
    return true;
}

bool AhciDisk::stop() { // 10.1.2: both engines idle before the lists may change
    port->command = port->command & ~(port_command::Start | port_command::FisReceive);
    return wait_for(
        500'000, [&] { return !(port->command & (port_command::ListRunning | port_command::FisRunning)); });
}

void AhciDisk::start() {
    port->command = port->command | port_command::FisReceive;
    port->command = port->command | port_command::Start;
}

void AhciDisk::issue(unsigned slot, struct request& request, u8 command) {
    CommandTable& table = tables[slot];
    memset(&table, 0, 128);
    u8* fis = table.fis; // register host-to-device FIS (SATA 10.3.4)
    fis[0] = 0x27;
    fis[1] = 0x80;
    fis[2] = command;
    fis[4] = static_cast<u8>(request.sector), fis[5] = static_cast<u8>(request.sector >> 8),
    fis[6] = static_cast<u8>(request.sector >> 16);
    fis[7] = command == Identify ? 0 : 0x40; // LBA
    fis[8] = static_cast<u8>(request.sector >> 24), fis[9] = static_cast<u8>(request.sector >> 32),
    fis[10] = static_cast<u8>(request.sector >> 40);
    fis[12] = static_cast<u8>(request.sectors), fis[13] = static_cast<u8>(request.sectors >> 8);
    for (unsigned i = 0; i < request.segment_count; i++) {
        const bio_vec& segment = request.segments[i];
        table.regions[i] = {static_cast<u32>(segment.physical), static_cast<u32>(segment.physical >> 32), 0,
                            segment.bytes - 1};
    }
    CommandHeader& header = list[slot];
    header.flags = static_cast<u16>(5 | (request.write ? 1 << 6 : 0));
    header.prdt_length = static_cast<u16>(request.segment_count);
    header.bytes_transferred = 0;
    slots[slot] = &request;
    busy |= 1U << slot;
    in_flight++;
    request.dispatched_at = ktime_get_ns();
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    port->command_issue = 1U << slot;
}

void AhciDisk::dispatch() {
    if (restart_needed) return;
    while (list_head* node = queue.front()) {
        u32 free = ~busy & (slot_count == 32 ? ~0U : (1U << slot_count) - 1);
        if (!free) return;
        struct request* request = container_of(node, struct request, node);
        if (request->flush && busy) return; // a flush waits for what came before it
        node->remove();
        issue(static_cast<unsigned>(__builtin_ctz(free)), *request,
              request->flush   ? FlushCacheExt
              : request->write ? WriteDmaExt
                               : ReadDmaExt);
        if (request->flush) return;
        mod_timer(watchdog, jiffies + 5 * HZ);
    }
}

/// Hardirq: acknowledge and note; the softirq completes.
void AhciDisk::handle_interrupt() {
    IrqSpinGuard guard(lock);
    u32 status = port->interrupt_status;
    port->interrupt_status =
        status; // write 1 to clear, before looking at CI: a later completion interrupts again
    if (status & port_interrupt::Errors) {
        pr_err("ata%u: exception: interrupt status %#x, task file %#x, SError %#x\n", port_number + 1, status,
               port->task_file, port->sata_error);
        failed |= busy & port->command_issue; // what had not completed
        restart_needed = true;
    }
    u32 issued = port->command_issue;
    finished |= busy & ~issued & ~failed;
    if (finished | failed) raise_softirq(BLOCK_SOFTIRQ);
}

void AhciDisk::finish() {
    struct request* done[32];
    Errno outcome[32];
    unsigned count = 0;
    {
        IrqSpinGuard guard(lock);
        if (restart_needed) { // 6.2.2.1: stop, clear, start; what was in flight is tried again
            failed |= busy & ~finished;
            bool stopped = stop();
            port->sata_error = port->sata_error;
            port->interrupt_status = ~0U;
            if (stopped)
                start();
            else
                pr_err("ata%u: the port does not stop\n", port_number + 1);
            restart_needed = false;
        }
        for (unsigned slot = 0; slot < 32; slot++) {
            u32 bit = 1U << slot;
            struct request* request = slots[slot];
            if (!((finished | failed) & bit) || !request) continue;
            slots[slot] = nullptr;
            busy &= ~bit;
            in_flight--;
            bool ok = finished & bit;
            // A short transfer is an error too (4.2.2: PRDBC counts the bytes moved).
            if (ok && !request->flush && list[slot].bytes_transferred != request->sectors * SectorSize)
                ok = false;
            if (!ok && ++request->attempts < MaxAttempts) {
                queue.push_front(&request->node);
                continue;
            }
            done[count] = request;
            outcome[count++] = ok ? Errno::None : Errno::EIO;
        }
        finished = failed = 0;
        if (!busy) del_timer(watchdog);
        dispatch();
    }
    for (unsigned i = 0; i < count; i++) blk_mq_end_request(*this, *done[i], outcome[i]);
}

void blk_done_softirq() {
    for (AhciDisk* disk : controller.disks)
        if (disk) disk->finish();
}

void ahci_single_irq_intr(void*) {
    u32 pending = controller.host->interrupt_status;
    for (unsigned port = 0; port < 32; port++)
        if ((pending >> port & 1) && controller.disks[port]) controller.disks[port]->handle_interrupt();
    controller.host->interrupt_status = pending;
}

/// Five seconds without a completion: the port is restarted, its commands are tried again and then fail.
void watchdog_expired(void* context) {
    auto* disk = static_cast<AhciDisk*>(context);
    {
        IrqSpinGuard guard(disk->lock);
        if (!disk->busy) return;
        pr_err("ata%u: command timeout, slots %#x\n", disk->port_number + 1, disk->busy);
        disk->restart_needed = true;
    }
    raise_softirq(BLOCK_SOFTIRQ);
}

/// ATA strings are byte-swapped in each word (ATA8-ACS 7.12).
void copy_ata_string(char* to, const u16* from, unsigned words) {
    for (unsigned i = 0; i < words; i++) {
        to[i * 2] = static_cast<char>(from[i] >> 8);
        to[i * 2 + 1] = static_cast<char>(from[i]);
    }
    to[words * 2] = 0;
    for (unsigned i = words * 2; i-- > 0 && to[i] == ' ';) to[i] = 0;
}

Result<void> probe_port(unsigned number, unsigned slot_count) {
    volatile PortRegisters* port = &controller.host->ports[number];
    if ((port->sata_status & 0xf) != 3) return {}; // no device, or no communication
    if (port->signature != 0x101) {
        pr_info("ata%u: device with signature %#x is not a disk, left alone\n", number + 1, port->signature);
        return {};
    }
    auto* disk = make<AhciDisk>();
    struct page* lists = alloc_pages(0, GFP_KERNEL | __GFP_ZERO, PageType::Kernel);
    unsigned table_order = order_for_pages(divide_up(sizeof(CommandTable) * 32, PAGE_SIZE));
    struct page* tables = alloc_pages(table_order, GFP_KERNEL | __GFP_ZERO, PageType::Kernel);
    if (!disk || !lists || !tables) return Errno::ENOMEM;
    disk->port = port;
    disk->port_number = number;
    disk->slot_count = slot_count;
    disk->queue.initialise();
    disk->list =
        static_cast<CommandHeader*>(page_address(lists)); // 1 KiB list, then the 256-byte received-FIS area
    disk->tables = static_cast<CommandTable*>(page_address(tables));
    disk->watchdog.function = watchdog_expired;
    disk->watchdog.context = disk;
    if (!disk->stop()) {
        pr_err("ata%u: the port does not stop, not used\n", number + 1);
        return Errno::EIO;
    }
    u64 list = page_to_phys(lists), fis = list + 1024;
    port->command_list = static_cast<u32>(list);
    port->command_list_high = static_cast<u32>(list >> 32);
    port->fis_base = static_cast<u32>(fis);
    port->fis_base_high = static_cast<u32>(fis >> 32);
    for (unsigned slot = 0; slot < 32; slot++) {
        u64 table = page_to_phys(tables) + slot * sizeof(CommandTable);
        disk->list[slot].table = static_cast<u32>(table),
        disk->list[slot].table_high = static_cast<u32>(table >> 32);
    }
    port->sata_error = port->sata_error;
    port->interrupt_status = ~0U;
    port->interrupt_enable = port_interrupt::DeviceToHost | port_interrupt::PioSetup |
                             port_interrupt::DmaSetup | port_interrupt::SetDeviceBits |
                             port_interrupt::Errors;
    disk->start();
    controller.disks[number] = disk;

    // IDENTIFY DEVICE, sleeping like any other request.
    struct page* identity_page = alloc_page(GFP_KERNEL | __GFP_ZERO, PageType::Kernel);
    if (!identity_page) return Errno::ENOMEM;
    struct request request;
    request.sectors = 1;
    request.segments[0] = {page_to_phys(identity_page), SectorSize};
    request.segment_count = 1;
    request.queued_at = ktime_get_ns();
    {
        IrqSpinGuard guard(disk->lock);
        disk->issue(0, request, Identify);
        mod_timer(disk->watchdog, jiffies + 5 * HZ);
    }
    request.done.wait();
    if (request.status != Errno::None) {
        pr_err("ata%u: IDENTIFY DEVICE failed\n", number + 1);
        controller.disks[number] = nullptr;
        return request.status;
    }
    auto* words = static_cast<const u16*>(page_address(identity_page));
    copy_ata_string(disk->model, words + 27, 20);
    disk->sectors = words[83] & 1 << 10
                        ? words[100] | u64{words[101]} << 16 | u64{words[102]} << 32 | u64{words[103]} << 48
                        : words[60] | u64{words[61]} << 16;
    put_page(identity_page);
    pr_info("ata%u: SATA link up, %s, %lu sectors\n", number + 1, disk->model, disk->sectors);
    if (!disk->sectors) return Errno::EIO;
    return add_disk(disk);
}

} // namespace

Result<void> ahci_init() {
    const PciDevice* device = pci_devices;
    while (device && !(device->class_code == 1 && device->subclass == 6)) device = device->next;
    if (!device) {
        pr_warn("ahci: no controller found\n");
        return Errno::ENODEV;
    }
    u64 base = device->memory_bar(5); // ABAR
    if (!base) return Errno::ENODEV;
    device->enable(true);
    controller.host = static_cast<volatile HostRegisters*>(ioremap(base, sizeof(HostRegisters)));
    if (!controller.host) return Errno::ENOMEM;
    volatile HostRegisters* host = controller.host;
    host->control = host->control | ghc::AhciEnable;
    u32 capabilities = host->capabilities;
    unsigned slot_count = (capabilities >> 8 & 31) + 1;
    pr_info("ahci 0000:00:%02x.%u: AHCI %04x.%04x, %u slots, ports implemented %#x\n", device->device,
            device->function, host->version >> 16, host->version & 0xffff, slot_count,
            host->ports_implemented);
    open_softirq(BLOCK_SOFTIRQ, blk_done_softirq);
    TRY(request_device_interrupt(*device, ahci_single_irq_intr, nullptr, "ahci[0000:00:1f.2]"));
    host->interrupt_status = ~0U;
    host->control = host->control | ghc::InterruptEnable;
    for (unsigned port = 0; port < 32; port++)
        if (host->ports_implemented >> port & 1)
            if (Result<void> probed = probe_port(port, slot_count); !probed.ok())
                pr_err("ata%u: not usable, error %d\n", port + 1, static_cast<int>(probed.error()));
    return {};
}

} // namespace kernel
