// The partition through INT 13h AH=42h, and copies to high memory through INT 15h AH=87h.
#include "guest/boot/stage2/loader.h"

namespace vitrine::boot {
namespace {

U8 boot_drive;
U32 partition_start, partition_sectors;

struct [[gnu::packed]] Packet {
    U8 size, reserved;
    U16 count, offset, segment;
    U64 sector;
};
Packet packet;

U64 move_table[6]; // null, GDT, source, target, and two for the BIOS

} // namespace

void open_partition(U8 drive, U32 first_sector, U32 sectors) {
    if (first_sector == 0 || sectors < 4 || first_sector + sectors < first_sector)
        die("the active partition's table entry is malformed");
    boot_drive = drive;
    partition_start = first_sector;
    partition_sectors = sectors;
}

void read_sectors(U32 sector, U32 count, U16 segment, U16 offset) {
    if (sector >= partition_sectors || count > partition_sectors - sector)
        die("the file system points outside of its partition");
    while (count != 0) {
        const U32 now = count < 64 ? count : 64;
        packet = {16, 0, static_cast<U16>(now), offset, segment, static_cast<U64>(partition_start) + sector};
        BiosRegisters registers = clear_registers();
        registers.eax = 0x4200;
        registers.edx = boot_drive;
        registers.esi = reinterpret_cast<U32>(&packet);
        bios_call(0x13, &registers, &registers);
        if (registers.carry()) die("the disk cannot be read");
        sector += now;
        count -= now;
        offset = static_cast<U16>(offset + now * 512);
    }
}

void copy_high(U32 to, U32 from, U32 bytes) {
    const auto descriptor = [](U32 base) {
        return 0x000093000000ffffull | static_cast<U64>(base & 0xffffff) << 16 |
               static_cast<U64>(base >> 24) << 56;
    };
    move_table[2] = descriptor(from);
    move_table[3] = descriptor(to);
    BiosRegisters registers = clear_registers();
    registers.eax = 0x8700;
    registers.ecx = (bytes + 1) / 2;
    registers.esi = reinterpret_cast<U32>(move_table);
    bios_call(0x15, &registers, &registers);
    if (registers.carry()) die("the firmware cannot copy above 1 MiB");
}

} // namespace vitrine::boot
