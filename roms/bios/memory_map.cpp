// RAM: how much there is, and the E820 map (ACPI 6.4 chapter 15). RAM is believed, not tested: the board or
// CMOS tell.
//
// Invariants: ranges are sorted, do not overlap, and RAM never covers A0000h–FFFFFh nor the firmware's high
// area.
#include "roms/bios/bios.h"

namespace vitrine::bios {

MemoryMap memory_map;

namespace {

void add(U64 start, U64 end, U32 type) {
    if (start < end && memory_map.count < 32)
        memory_map.ranges[memory_map.count++] = {start, end - start, type};
}

/// QEMU's etc/e820: packed 20-byte entries. Only RAM counts here.
bool size_from_fw_cfg() {
    struct [[gnu::packed]] Entry {
        U64 start, size;
        U32 type;
    };
    static Entry entries[16];
    U16 key = 0;
    const U32 bytes = fw_cfg::find("etc/e820", key);
    if (bytes < sizeof(Entry)) return false;
    const U32 count = bytes / sizeof(Entry) < 16 ? bytes / sizeof(Entry) : 16;
    fw_cfg::read(key, address_of(entries), count * sizeof(Entry));
    for (U32 i = 0; i < count; ++i) {
        if (entries[i].type != RangeRam) continue;
        const U64 end = entries[i].start + entries[i].size;
        if (entries[i].start < 0x100000000) {
            if (end <= 0x100000000 && end > memory_map.low_top) memory_map.low_top = static_cast<U32>(end);
        } else if (end > memory_map.high_top)
            memory_map.high_top = end;
    }
    return memory_map.low_top != 0;
}

/// CMOS 34h/35h: above 16 MiB in 64 KiB; 30h/31h: above 1 MiB in KiB; 5Bh–5Dh: above 4 GiB in 64 KiB.
void size_from_cmos() {
    const U32 above_16m = cmos_read(0x34) | static_cast<U32>(cmos_read(0x35)) << 8;
    const U32 above_1m = cmos_read(0x30) | static_cast<U32>(cmos_read(0x31)) << 8;
    memory_map.low_top = above_16m ? 0x1000000 + (above_16m << 16) : 0x100000 + (above_1m << 10);
    const U32 above_4g =
        cmos_read(0x5b) | static_cast<U32>(cmos_read(0x5c)) << 8 | static_cast<U32>(cmos_read(0x5d)) << 16;
    memory_map.high_top = 0x100000000 + (static_cast<U64>(above_4g) << 16);
}

} // namespace

void memory_init() {
    memory_map.high_top = 0x100000000;
    if (!size_from_fw_cfg()) size_from_cmos();
    if (memory_map.low_top < 0x400000)
        stop(roms::post::FatalFirmware, "Vitrine BIOS: less than 4 MiB of RAM. Halted.");
    memory_map.dma_area = memory_map.low_top - HighAreaSize;
    memory_map.acpi_area = memory_map.low_top - AcpiAreaSize;

    add(0, ExtendedDataArea, RangeRam);
    add(ExtendedDataArea, 0xa0000, RangeReserved);
    add(0xe0000, 0x100000, RangeReserved);
    add(0x100000, memory_map.dma_area, RangeRam);
    add(memory_map.dma_area, memory_map.acpi_area, RangeReserved);
    add(memory_map.acpi_area, memory_map.low_top, RangeAcpi);
    add(pci::EcamBase, pci::EcamBase + 0x10000000, RangeReserved);
    add(0xfffc0000, 0x100000000, RangeReserved);
    add(0x100000000, memory_map.high_top, RangeRam);
}

} // namespace vitrine::bios
