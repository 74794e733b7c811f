// IDE drives by polling: disks by the bus master, packets and IDENTIFY through the data port
// (ATA/ATAPI-6 9.5–9.8; Programming Interface for Bus Master IDE Controller 1.0).
//
// Invariants: every wait is bounded; interrupts stay off at the drives (nIEN) while the firmware uses them; a
// PRD never crosses 64 KiB.
#include "roms/bios/bios.h"

namespace vitrine::bios {
namespace {

constexpr U32 PollLimit = 20000000;
constexpr U8 Busy = 0x80, DataRequest = 0x08, Error = 0x01, DeviceFault = 0x20;
constexpr U8 IdentifyDevice = 0xec, IdentifyPacketDevice = 0xa1, PacketCommand = 0xa0, ReadDmaExt = 0x25,
             WriteDmaExt = 0x35;
enum TaskFile : U16 { Data, Features, Count, LbaLow, LbaMiddle, LbaHigh, Select, StatusCommand };
constexpr U16 ControlOffset = 0x206;

U16 bus_master;

U16 base(U32 drive) { return drive < 2 ? 0x1f0 : 0x170; }
U16 port(U32 drive, TaskFile reg) { return static_cast<U16>(base(drive) + reg); }
U16 master(U32 drive) { return static_cast<U16>(bus_master + (drive < 2 ? 0 : 8)); }
U32 table() { return memory_map.dma_area + 0xf800; } // where port 31 of AHCI would have its structures
U32 identify_buffer() { return memory_map.dma_area + 0xfa00; }

/// Until BSY falls, and what else is asked for; the status then, or BSY.
U8 wait_idle(U32 drive, U8 others = 0) {
    for (U32 spin = 0; spin < PollLimit; ++spin) {
        const U8 status = in8(port(drive, StatusCommand));
        if (!(status & (Busy | others))) return status;
    }
    return Busy;
}

bool select(U32 drive) {
    out8(port(drive, Select), static_cast<U8>(0xe0 | (drive & 1) << 4));
    for (U32 i = 0; i < 4; ++i) (void)in8(static_cast<U16>(base(drive) + ControlOffset)); // 400 ns
    return !(wait_idle(drive) & (Busy | DataRequest));
}

void words_in(U32 drive, U32 address, U32 bytes) {
    for (U32 i = 0; i + 1 < bytes; i += 2) memory<U16>(address + i) = in16(port(drive, Data));
}

/// Whether registers hold what is written to them: then a drive is there.
bool answers(U32 drive) {
    out8(port(drive, Select), static_cast<U8>(0xe0 | (drive & 1) << 4));
    out8(port(drive, Count), 0x55);
    out8(port(drive, LbaLow), 0xaa);
    return in8(port(drive, Count)) == 0x55 && in8(port(drive, LbaLow)) == 0xaa;
}

/// IDENTIFY, or IDENTIFY PACKET, into the buffer.
bool identify(U32 drive, U8 command) {
    if (!select(drive)) return false;
    out8(port(drive, StatusCommand), command);
    const U8 status = wait_idle(drive);
    if (status & (Busy | Error | DeviceFault) || !(status & DataRequest)) return false;
    words_in(drive, identify_buffer(), 512);
    return true;
}

/// Regions of physical memory; none crosses 64 KiB (Bus Master IDE 1.0 1.2).
void fill_table(U32 address, U32 bytes) {
    U32 at = table();
    while (bytes != 0) {
        const U32 room = 0x10000 - (address & 0xffff), now = bytes < room ? bytes : room;
        memory<U32>(at) = address;
        memory<U32>(at + 4) = (now & 0xffff) | (now == bytes ? 0x80000000 : 0);
        address += now;
        bytes -= now;
        at += 8;
    }
}

} // namespace

bool ide_transfer(const Disk& disk, bool write, U64 sector, U32 count, U32 address) {
    if (count == 0 || count > 128 || sector >= disk.sectors || count > disk.sectors - sector) return false;
    const U32 drive = disk.port;
    if (!select(drive)) return false;
    fill_table(address, count * 512);
    asm volatile("" : : : "memory");
    out8(master(drive), 0);
    out32(static_cast<U16>(master(drive) + 4), table());
    out8(static_cast<U16>(master(drive) + 2), 0x06); // error and interrupt of the last command
    const U8 direction = write ? 0 : 8;
    out8(master(drive), direction);
    // 48 bits go through each register in two writes, the high half first.
    out8(port(drive, Count), static_cast<U8>(count >> 8));
    out8(port(drive, LbaLow), static_cast<U8>(sector >> 24));
    out8(port(drive, LbaMiddle), static_cast<U8>(sector >> 32));
    out8(port(drive, LbaHigh), static_cast<U8>(sector >> 40));
    out8(port(drive, Count), static_cast<U8>(count));
    out8(port(drive, LbaLow), static_cast<U8>(sector));
    out8(port(drive, LbaMiddle), static_cast<U8>(sector >> 8));
    out8(port(drive, LbaHigh), static_cast<U8>(sector >> 16));
    out8(port(drive, StatusCommand), write ? WriteDmaExt : ReadDmaExt);
    out8(master(drive), direction | 1);
    const U8 status = wait_idle(drive, DataRequest), outcome = in8(static_cast<U16>(master(drive) + 2));
    out8(master(drive), 0);
    asm volatile("" : : : "memory");
    if (!(status & (Busy | Error | DeviceFault | DataRequest)) && !(outcome & 2)) return true;
    debug("IDE: drive %u, %s: status %02x, error %02x, bus master %02x", drive, write ? "write" : "read",
          status, in8(port(drive, Features)), outcome);
    return false;
}

bool ide_packet(U32 drive, const U8 (&command)[12], U32 address, U32 bytes) {
    if (!select(drive)) return false;
    out8(port(drive, Features), 0); // data through the port
    out8(port(drive, LbaMiddle), 0xfe);
    out8(port(drive, LbaHigh), 0xff);
    out8(port(drive, StatusCommand), PacketCommand);
    U8 status = wait_idle(drive);
    if (status & (Busy | Error) || !(status & DataRequest)) return false;
    for (U32 i = 0; i < 12; i += 2)
        out16(port(drive, Data), static_cast<U16>(command[i] | command[i + 1] << 8));
    for (;;) {
        status = wait_idle(drive);
        if (status & (Busy | Error | DeviceFault)) return false;
        if (!(status & DataRequest)) return true;
        const U32 now = in8(port(drive, LbaMiddle)) | in8(port(drive, LbaHigh)) * 256u;
        const U32 taken = now < bytes ? now : bytes;
        words_in(drive, address, taken);
        for (U32 i = taken; i < now; i += 2) (void)in16(port(drive, Data)); // more than was asked for
        address += taken;
        bytes -= taken;
    }
}

U16 ide_device() { return pci::find_class(0x010100, 0xffff00, 0); }

void ide_init() {
    const U16 device = ide_device();
    if (device == 0xffff) return;
    if (pci::read16(device, 0) == 0x8086) { // PIIX: both channels' ports are decoded only then
        pci::write16(device, 0x40, 0x8000);
        pci::write16(device, 0x42, 0x8000);
    }
    pci::write16(device, 0x04, pci::read16(device, 0x04) | 5); // I/O, bus master
    bus_master = static_cast<U16>(pci::read32(device, 0x20) & 0xfff0);
    for (U32 drive = 0; drive < 4; ++drive) {
        out8(static_cast<U16>(base(drive) + ControlOffset), 0x02);
        if (!answers(drive)) continue;
        if (identify(drive, IdentifyDevice))
            disk_found(true, drive, identify_buffer());
        else if (in8(port(drive, LbaMiddle)) == 0x14 && in8(port(drive, LbaHigh)) == 0xeb &&
                 identify(drive, IdentifyPacketDevice))
            optical_found(true, drive);
    }
}

} // namespace vitrine::bios
