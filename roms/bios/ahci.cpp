// AHCI disks and an optical drive by polling (Serial ATA AHCI 1.3.1: §3 registers, §10.1.2 firmware
// initialisation, §5.5 commands).
//
// One command at a time, slot 0. Invariants: structures lie in the firmware's high area, which E820 reserves;
// every wait is bounded; the ports stay started until the operating system resets the adapter.
#include "roms/bios/bios.h"

namespace vitrine::bios {

namespace {

constexpr U32 PollLimit = 20000000; // register reads; some seconds on any machine
constexpr U32 Ghc = 0x04, PortsImplemented = 0x0c;
enum PortRegister : U32 {
    ListBase = 0x00,
    ListBaseHigh = 0x04,
    FisBase = 0x08,
    FisBaseHigh = 0x0c,
    InterruptStatus = 0x10,
    InterruptEnable = 0x14,
    Command = 0x18,
    TaskFile = 0x20,
    Signature = 0x24,
    SataStatus = 0x28,
    SataError = 0x30,
    CommandIssue = 0x38
};
constexpr U32 Start = 1, SpinUp = 2, PowerOn = 4, FisReceive = 0x10, FisRunning = 0x4000,
              ListRunning = 0x8000;
constexpr U8 IdentifyDevice = 0xec, ReadDmaExt = 0x25, WriteDmaExt = 0x35, PacketCommand = 0xa0;
constexpr U32 DiskSignature = 0x00000101, OpticalSignature = 0xeb140101;

U32 abar;

struct CommandHeader {
    U32 flags; ///< FIS length in words (4:0), write (6), PRDT entries (31:16)
    U32 bytes, table, table_high, reserved[4];
};
struct Region {
    U32 address, address_high, reserved, count;
};
/// One port's structures: list (1 KiB), received FIS (256), table (128 + one region), in 2 KiB.
struct PortMemory {
    CommandHeader list[32];
    U8 received[256];
    U8 fis[64], atapi[16], reserved[48];
    Region region;
    U8 rest[2048 - 1024 - 256 - 128 - 16];
};
static_assert(sizeof(PortMemory) == 2048);

volatile U32& port_register(U32 port, PortRegister offset) {
    return memory<U32>(abar + 0x100 + port * 0x80 + offset);
}
PortMemory& port_memory(U32 port) {
    return *reinterpret_cast<PortMemory*>(memory_map.dma_area + port * sizeof(PortMemory));
}
U32 identify_buffer() { return memory_map.dma_area + 32 * sizeof(PortMemory) - 512; }

bool wait_clear(volatile U32& target, U32 bits) {
    for (U32 spin = 0; spin < PollLimit; ++spin)
        if (!(target & bits)) return true;
    return false;
}

bool start_port(U32 port) {
    volatile U32& command = port_register(port, Command);
    command = command & ~(Start | FisReceive);
    if (!wait_clear(command, ListRunning | FisRunning)) return false;
    fill_memory(address_of(&port_memory(port)), 0, sizeof(PortMemory));
    port_register(port, ListBase) = address_of(port_memory(port).list);
    port_register(port, ListBaseHigh) = 0;
    port_register(port, FisBase) = address_of(port_memory(port).received);
    port_register(port, FisBaseHigh) = 0;
    port_register(port, InterruptEnable) = 0;
    port_register(port, SataError) = 0xffffffff;
    port_register(port, InterruptStatus) = 0xffffffff;
    command = command | SpinUp | PowerOn | FisReceive;
    // A device that is there has been detected by now, or is about to be (DET 1); nothing is waited for on an
    // empty port.
    for (U32 spin = 0; (port_register(port, SataStatus) & 15) == 1 && spin < 100000; ++spin) {
    }
    if ((port_register(port, SataStatus) & 15) != 3) return false;
    if (!wait_clear(port_register(port, TaskFile), 0x88)) return false;
    const U32 signature = port_register(port, Signature);
    if (signature != DiskSignature && signature != OpticalSignature) return false;
    command = command | Start;
    return true;
}

/// Runs what lies in slot 0. False: an error, or no answer.
bool run_command(U32 port, U8 operation) {
    asm volatile("" : : : "memory");
    port_register(port, InterruptStatus) = 0xffffffff;
    port_register(port, CommandIssue) = 1;
    for (U32 spin = 0; spin < PollLimit; ++spin) {
        if (port_register(port, InterruptStatus) & 0x40000000) break; // task file error
        if (!(port_register(port, CommandIssue) & 1)) {
            asm volatile("" : : : "memory");
            return !(port_register(port, TaskFile) & 1);
        }
    }
    if (operation != PacketCommand) // the sense data of those says more
        debug("AHCI: port %u, command %02x: task file %x, interrupt status %x", port, operation,
              port_register(port, TaskFile), port_register(port, InterruptStatus));
    start_port(port); // clears the error: the list engine must be stopped and started (6.2.2.1)
    return false;
}

bool issue(U32 port, U8 operation, U64 sector, U32 count, U32 address, U32 bytes) {
    PortMemory& area = port_memory(port);
    const bool write = operation == WriteDmaExt;
    fill_memory(address_of(area.fis), 0, sizeof area.fis);
    // Register host-to-device FIS (Serial ATA 3.x 10.5.5).
    U8* fis = area.fis;
    fis[0] = 0x27;
    fis[1] = 0x80;
    fis[2] = operation;
    fis[4] = static_cast<U8>(sector);
    fis[5] = static_cast<U8>(sector >> 8);
    fis[6] = static_cast<U8>(sector >> 16);
    fis[7] = 0x40; // LBA
    fis[8] = static_cast<U8>(sector >> 24);
    fis[9] = static_cast<U8>(sector >> 32);
    fis[10] = static_cast<U8>(sector >> 40);
    fis[12] = static_cast<U8>(count);
    fis[13] = static_cast<U8>(count >> 8);
    area.region = {address, 0, 0, bytes - 1};
    area.list[0] = {5u | (write ? 0x40u : 0) | 1u << 16, 0, address_of(area.fis), 0, {}};
    return run_command(port, operation);
}

void identify(U32 port) {
    if (issue(port, IdentifyDevice, 0, 0, identify_buffer(), 512)) disk_found(false, port, identify_buffer());
}

} // namespace

bool ahci_packet(const U8 (&command)[12], U32 address, U32 bytes) {
    PortMemory& area = port_memory(optical_port);
    fill_memory(address_of(area.fis), 0, sizeof area.fis + sizeof area.atapi);
    area.fis[0] = 0x27;
    area.fis[1] = 0x80;
    area.fis[2] = PacketCommand;
    area.fis[3] = 1; // data by DMA
    copy_memory(address_of(area.atapi), address_of(command), sizeof command);
    area.region = {address, 0, 0, bytes - 1};
    area.list[0] = {5u | 0x20u | (bytes != 0 ? 1u << 16 : 0), 0, address_of(area.fis), 0, {}};
    return run_command(optical_port, PacketCommand);
}

bool ahci_transfer(const Disk& disk, bool write, U64 sector, U32 count, U32 address) {
    if (count == 0 || count > 128 || sector >= disk.sectors || count > disk.sectors - sector) return false;
    return issue(disk.port, write ? WriteDmaExt : ReadDmaExt, sector, count, address, count * 512);
}

U16 ahci_device() { return pci::find_class(0x010601, 0xffffff, 0); }

void ahci_init() {
    const U16 device = ahci_device();
    if (device == 0xffff) return;
    abar = pci::read32(device, 0x24) & ~15u;
    pci::write16(device, 0x04, pci::read16(device, 0x04) | 6);      // memory, bus master
    memory<U32>(abar + Ghc) = memory<U32>(abar + Ghc) | 0x80000000; // AHCI enable
    const U32 implemented = memory<U32>(abar + PortsImplemented);
    for (U32 port = 0; port < 31; ++port)
        if (implemented >> port & 1 && start_port(port)) {
            if (port_register(port, Signature) == DiskSignature)
                identify(port);
            else
                optical_found(false, port);
        }
}

} // namespace vitrine::bios
