// Error recovery of a port (AHCI 6.2.2): a thread, because stopping a port may take half a second. The queue
// is quiesced meanwhile; what was in flight is tried again, at most three times.
#include "drivers/ahci_port.h"
#include "lib/log.h"
#include "mm/reclaim.h"
#include "sched/scheduler.h"
#include "task/task.h"
#include "time/timekeeping.h"

namespace kernel {

bool ahci_poll(u64 milliseconds, bool (*condition)(void*), void* context) {
    u64 start = ktime_get_ns();
    while (!condition(context)) {
        u64 waited = ktime_get_ns() - start;
        if (waited > milliseconds * 1'000'000) return condition(context);
        if (waited > 1'000'000)
            schedule_timeout_idle(1);
        else
            cpu_relax();
    }
    return true;
}

/// 10.1.2: first the list, then the FIS engine; both idle before the lists may change.
bool AhciDisk::stop() {
    port->command = port->command & ~port_command::Start;
    auto list_idle = [](void* disk) {
        return !(static_cast<AhciDisk*>(disk)->port->command & port_command::ListRunning);
    };
    if (!ahci_poll(500, list_idle, this)) return false;
    port->command = port->command & ~port_command::FisReceive;
    return ahci_poll(
        500,
        [](void* disk) { return !(static_cast<AhciDisk*>(disk)->port->command & port_command::FisRunning); },
        this);
}

void AhciDisk::start() {
    port->command = port->command | port_command::FisReceive;
    port->command = port->command | port_command::Start;
}

/// COMRESET (10.4.2): DET 1 for a millisecond, then the link comes up again.
bool AhciDisk::reset() {
    port->sata_control = (port->sata_control & ~0xfU) | 1;
    schedule_timeout_idle(1);
    port->sata_control = port->sata_control & ~0xfU;
    bool up = ahci_poll(
        1000, [](void* disk) { return (static_cast<AhciDisk*>(disk)->port->sata_status & 0xf) == 3; }, this);
    port->sata_error = port->sata_error;
    return up && ahci_poll(
                     5000, [](void* disk) { return !(static_cast<AhciDisk*>(disk)->port->task_file & 0x88); },
                     this);
}

void AhciDisk::recover() {
    u32 issued = port->command_issue | port->sata_active; // cleared when Start is
    bool usable = stop();
    port->sata_error = port->sata_error;
    port->interrupt_status = ~0U;
    if (!usable || (port->task_file & 0x88)) usable = reset(); // BSY or DRQ
    if (usable)
        start();
    else
        pr_err("ata%u: the port does not come back\n", port_number + 1);
    IrqSpinGuard guard(queue.lock);
    complete(queue.busy & ~issued);
    for (struct request* request : queue.tags) {
        if (!request) continue;
        if (usable && ++request->retries <= 3)
            blk_mq_requeue_request(*request);
        else
            blk_mq_complete_request(*request, Errno::EIO);
    }
    queued = 0;
    exclusive = false;
    queue.quiesced = failed = false;
}

void AhciDisk::error_thread(void* context) {
    auto& disk = *static_cast<AhciDisk*>(context);
    get_current()->flags |= PF_MEMALLOC;
    for (;;) {
        (void)___wait_event(disk.error_wait, TASK_IDLE,
                            [&] { return __atomic_load_n(&disk.failed, __ATOMIC_ACQUIRE); });
        disk.recover();
        blk_mq_run_hw_queue(disk);
    }
}

} // namespace kernel
