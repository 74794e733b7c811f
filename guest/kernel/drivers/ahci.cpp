// AHCI host controllers and the disks on their ports. See ahci_port.h.
#include "drivers/ahci.h"

#include "drivers/ahci_port.h"
#include "drivers/pci.h"
#include "irq/irq.h"
#include "lib/format.h"
#include "lib/log.h"
#include "mm/slab.h"
#include "mm/vmalloc.h"
#include "mm/zone.h"
#include "task/task.h"

namespace kernel {
namespace {

constexpr u8 Identify = 0xec;

struct Controller {
    const PciDevice* pci;
    volatile HostRegisters* host = nullptr;
    u32 capabilities = 0;
    char irq_name[32] = {};
    AhciDisk* disks[32] = {};
};
constinit Controller controller = {};

void ahci_single_irq_intr(void*) {
    u32 pending = controller.host->interrupt_status;
    for (unsigned port = 0; port < 32; port++)
        if ((pending >> port & 1) && controller.disks[port]) controller.disks[port]->handle_interrupt();
    controller.host->interrupt_status = pending;
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

/// IDENTIFY DEVICE before the port's interrupts are on: nobody tries it again as something else.
Result<void> ata_dev_read_id(AhciDisk& disk) {
    struct page* page = alloc_page(GFP_KERNEL | __GFP_DMA32 | __GFP_ZERO, PageType::Kernel);
    if (!page) return Errno::ENOMEM;
    u64 physical = page_to_phys(page);
    disk.tables[0].regions[0] = {static_cast<u32>(physical), static_cast<u32>(physical >> 32), 0,
                                 SectorSize - 1};
    disk.issue(0, Identify, 0, 0, 1, false);
    bool done = ahci_poll(
        5000,
        [](void* context) {
            auto* port = static_cast<AhciDisk*>(context)->port;
            return !(port->command_issue & 1) || (port->interrupt_status & port_interrupt::Errors);
        },
        &disk);
    bool good = done && !(disk.port->interrupt_status & port_interrupt::Errors) &&
                !(disk.port->task_file & 1) && disk.list[0].bytes_transferred == SectorSize;
    if (good) {
        auto* words = static_cast<const u16*>(page_address(page));
        copy_ata_string(disk.model, words + 27, 20);
        copy_ata_string(disk.firmware, words + 23, 4);
        disk.rotational = words[217] != 1;
        disk.sectors = words[83] & 1 << 10 ? words[100] | u64{words[101]} << 16 | u64{words[102]} << 32 |
                                                 u64{words[103]} << 48
                                           : words[60] | u64{words[61]} << 16;
        if ((words[76] & 1 << 8) && (controller.capabilities & ahci_cap::NativeQueueing))
            disk.queue_depth = (words[75] & 31U) + 1;
    }
    put_page(page);
    return good ? Result<void>() : Errno::EIO;
}

Result<void> probe_port(unsigned number, unsigned slot_count) {
    volatile PortRegisters* port = &controller.host->ports[number];
    if ((port->sata_status & 0xf) != 3) return {}; // no device, or no communication
    if (port->signature != 0x101) {
        pr_info("ata%u: device with signature %#x is not a disk, left alone\n", number + 1, port->signature);
        return {};
    }
    u32 where =
        GFP_KERNEL | __GFP_ZERO | (controller.capabilities & ahci_cap::Addresses64 ? 0 : u32{__GFP_DMA32});
    unsigned table_order = order_for_pages(divide_up(sizeof(CommandTable) * 32, PAGE_SIZE));
    auto* disk = make<AhciDisk>();
    struct page* lists =
        alloc_pages(0, where, PageType::Kernel); // 1 KiB list, then the 256-byte received-FIS area
    struct page* tables = alloc_pages(table_order, where, PageType::Kernel);
    Result<void> result = [&]() -> Result<void> {
        if (!disk || !lists || !tables) return Errno::ENOMEM;
        disk->port = port;
        disk->port_number = disk->host_port = number;
        disk->controller = controller.pci;
        disk->list = static_cast<CommandHeader*>(page_address(lists));
        disk->tables = static_cast<CommandTable*>(page_address(tables));
        port->interrupt_enable = 0;
        if (!disk->stop() && !disk->reset()) {
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
            disk->list[slot].table = static_cast<u32>(table);
            disk->list[slot].table_high = static_cast<u32>(table >> 32);
        }
        port->sata_error = port->sata_error;
        port->interrupt_status = ~0U;
        disk->start();
        if (!ata_dev_read_id(*disk).ok()) {
            pr_err("ata%u: IDENTIFY DEVICE failed\n", number + 1);
            (void)disk->stop();
            return Errno::EIO;
        }
        if (!disk->sectors) return Errno::EIO;
        TRY(blk_mq_init_queue(*disk, disk->queue_depth ? min(disk->queue_depth, slot_count) : slot_count));
        return {};
    }();
    if (!result.ok()) {
        destroy(disk);
        if (lists) put_page(lists);
        if (tables) put_page(tables);
        return result;
    }
    char name[16];
    format_text(name, sizeof name, "scsi_eh_%u", number);
    TRY(kthread_run(AhciDisk::error_thread, disk, name));
    controller.disks[number] = disk;
    port->interrupt_status = ~0U;
    port->interrupt_enable = port_interrupt::DeviceToHost | port_interrupt::PioSetup |
                             port_interrupt::DmaSetup | port_interrupt::SetDeviceBits |
                             port_interrupt::Errors;
    pr_info("ata%u: SATA link up, %s, %lu sectors", number + 1, disk->model, disk->sectors);
    if (disk->queue_depth)
        pr_cont(", NCQ (depth %u)\n", disk->queue_depth);
    else
        pr_cont("\n");
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
    controller.capabilities = host->capabilities;
    if (!(controller.capabilities & ahci_cap::Addresses64) && max_pfn > 4 * GiB / PAGE_SIZE) {
        pr_err("ahci: the controller reaches 4 GiB, the memory more: not used\n");
        return Errno::ENODEV;
    }
    unsigned slot_count = (controller.capabilities >> 8 & 31) + 1;
    pr_info("ahci 0000:%02x:%02x.%u: AHCI %04x.%04x, %u slots, ports implemented %#x\n", device->bus,
            device->device, device->function, host->version >> 16, host->version & 0xffff, slot_count,
            host->ports_implemented);
    blk_mq_init();
    format_text(controller.irq_name, sizeof controller.irq_name, "ahci[0000:%02x:%02x.%u]", device->bus,
                device->device, device->function);
    device->driver = "ahci";
    controller.pci = device;
    TRY(request_device_interrupt(*device, ahci_single_irq_intr, nullptr, controller.irq_name));
    host->interrupt_status = ~0U;
    host->control = host->control | ghc::InterruptEnable;
    for (unsigned port = 0; port < 32; port++)
        if (host->ports_implemented >> port & 1)
            if (Result<void> probed = probe_port(port, slot_count); !probed.ok())
                pr_err("ata%u: not usable, error %d\n", port + 1, static_cast<int>(probed.error()));
    return {};
}

} // namespace kernel
