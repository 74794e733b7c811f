// One AHCI port with a disk: registers, command list, tags (Serial ATA AHCI 1.3.1). ahci_port.cpp moves data,
// ahci_error.cpp recovers, ahci.cpp finds controllers and disks.
//
// Invariants (under request_queue::lock): slot n belongs to the hardware exactly while queue.tags[n] is not
// null; slots are tags. Either queued commands (READ/WRITE FPDMA QUEUED) are in flight, or plain ones, never
// both (SATA 3.x 13.6.3); a plain one beside a disk that queues is alone.
#pragma once

#include "block/block.h"

namespace kernel {

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
inline constexpr u32 InterruptEnable = 1 << 1, AhciEnable = 1U << 31;
}
namespace ahci_cap {
inline constexpr u32 NativeQueueing = 1 << 30, Addresses64 = 1U << 31;
}
namespace port_command {
inline constexpr u32 Start = 1 << 0, FisReceive = 1 << 4, FisRunning = 1 << 14, ListRunning = 1 << 15;
}
namespace port_interrupt {
inline constexpr u32 DeviceToHost = 1 << 0, PioSetup = 1 << 1, DmaSetup = 1 << 2, SetDeviceBits = 1 << 3,
                     TaskFileError = 1 << 30, HostBusFatal = 1 << 29, HostBusData = 1 << 28,
                     InterfaceFatal = 1 << 27;
inline constexpr u32 Errors = TaskFileError | HostBusFatal | HostBusData | InterfaceFatal;
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
    PhysicalRegion regions[BLK_MAX_SEGMENTS];
};
static_assert(sizeof(CommandTable) == 128 + 16 * BLK_MAX_SEGMENTS);

struct AhciDisk final : gendisk {
    volatile PortRegisters* port = nullptr;
    unsigned port_number = 0;
    u32 queue_depth = 0; ///< of native queueing; 0: the disk or the controller has none
    CommandHeader* list = nullptr;
    CommandTable* tables = nullptr;
    u32 queued = 0;         ///< tags in flight as queued commands
    bool exclusive = false; ///< a plain command is in flight that must be alone
    bool failed = false;    ///< for the error thread
    wait_queue_head error_wait{"ata_eh"};

    bool queue_rq(struct request& request) override;
    void timed_out(struct request& request) override;
    void handle_interrupt();
    /// Fills the slot's command and starts it.
    void issue(unsigned slot, u8 command, u64 sector, u32 sectors, unsigned segments, bool write);
    /// Ends those that the hardware has finished.
    void complete(u32 finished);

    // ahci_error.cpp
    bool stop();
    void start();
    bool reset();
    void recover();
    static void error_thread(void* disk);
};

/// Polls, sleeping a tick at a time after the first millisecond.
bool ahci_poll(u64 milliseconds, bool (*condition)(void*), void* context);

} // namespace kernel
