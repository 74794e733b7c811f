// Drives, whichever adapter they hang on: what was found, and who moves their data.
//
// Invariants: at most DiskMaximum disks and one optical drive are known; disks of AHCI come before those of
// IDE, each in the order of their ports.
#include "roms/bios/bios.h"

namespace vitrine::bios {

Disk disks[DiskMaximum];
U32 disk_count;
U32 optical_port = NoPort;
bool optical_ide;

static void choose_geometry(Disk& disk) {
    // LBA-assisted translation, as every firmware since the 1990s: 63 sectors, heads doubled until 1024
    // cylinders suffice.
    const U32 sectors = disk.sectors > 0xffffffff ? 0xffffffffu : static_cast<U32>(disk.sectors);
    disk.sectors_per_track = 63;
    disk.heads = 16;
    while (disk.heads < 128 && sectors / (63 * disk.heads) > 1024) disk.heads *= 2;
    if (sectors / (63 * disk.heads) > 1024) disk.heads = 255;
    disk.cylinders = sectors / (63 * disk.heads);
    if (disk.cylinders > 1024) disk.cylinders = 1024;
    if (disk.cylinders == 0) disk.cylinders = 1;
}

void disk_found(bool ide, U32 port, U32 identify) {
    if (disk_count == DiskMaximum) return;
    const auto word = [identify](U32 index) { return static_cast<U64>(memory<U16>(identify + index * 2)); };
    Disk& disk = disks[disk_count];
    disk.ide = ide;
    disk.port = port;
    const bool extended = word(83) & 0x400;
    disk.sectors = extended ? word(100) | word(101) << 16 | word(102) << 32 | word(103) << 48
                            : word(60) | word(61) << 16;
    if (disk.sectors == 0 || !extended) {
        debug("%s %u has a disk without 48-bit addresses", ide ? "IDE drive" : "AHCI port", port);
        return;
    }
    for (U32 i = 0; i < 20; ++i) {
        const U16 pair = static_cast<U16>(word(27 + i)); // high byte first
        disk.model[i * 2] = static_cast<char>(pair >> 8);
        disk.model[i * 2 + 1] = static_cast<char>(pair);
    }
    U32 length = 40;
    while (length != 0 && disk.model[length - 1] == ' ') --length;
    disk.model[length] = 0;
    choose_geometry(disk);
    ++disk_count;
}

void optical_found(bool ide, U32 port) {
    if (optical_port != NoPort) return;
    optical_port = port;
    optical_ide = ide;
}

bool disk_transfer(const Disk& disk, bool write, U64 sector, U32 count, U32 address) {
    return (disk.ide ? ide_transfer : ahci_transfer)(disk, write, sector, count, address);
}

bool optical_packet(const U8 (&command)[12], U32 address, U32 bytes) {
    return optical_ide ? ide_packet(optical_port, command, address, bytes)
                       : ahci_packet(command, address, bytes);
}

void storage_init() {
    ahci_init();
    ide_init();
    memory<U8>(bda::DiskCount) = static_cast<U8>(disk_count);
    const auto where = [](bool ide) { return ide ? "IDE drive" : "AHCI port"; };
    for (U32 i = 0; i < disk_count; ++i)
        say("Disk %u      %s %u, %u MiB, %s\r\n", i, where(disks[i].ide), disks[i].port,
            static_cast<U32>(disks[i].sectors >> 11), disks[i].model);
    if (disk_count == 0) say("Disks       none\r\n");
    if (optical_port != NoPort) say("CD/DVD      %s %u\r\n", where(optical_ide), optical_port);
}

} // namespace vitrine::bios
