// MP floating pointer and configuration table (Intel MultiProcessor Specification 1.4, chapter 4), for
// software that does not read ACPI: memtest86+ 5, old kernels.
//
// Invariants: pointer and table lie in segment F000h; they say the same as MADT and _PRT; both checksums are
// 0.
#include "roms/bios/bios.h"

namespace vitrine::bios {
namespace {

struct [[gnu::packed]] FloatingPointer {
    char signature[4];
    U32 table;
    U8 length, revision, checksum, features[5];
};
static_assert(sizeof(FloatingPointer) == 16);

struct [[gnu::packed]] Header {
    char signature[4];
    U16 length;
    U8 revision, checksum;
    char oem[8], product[12];
    U32 oem_table;
    U16 oem_size, entries;
    U32 local_apic;
    U16 extended_length;
    U8 extended_checksum, reserved;
};
static_assert(sizeof(Header) == 44);

struct [[gnu::packed]] Processor {
    U8 type, apic, version, flags;
    U32 signature, features, reserved[2];
};
static_assert(sizeof(Processor) == 20);
struct [[gnu::packed]] Bus {
    U8 type, id;
    char name[6];
};
struct [[gnu::packed]] IoApic {
    U8 type, id, version, flags;
    U32 address;
};
struct [[gnu::packed]] Interrupt { ///< I/O (type 3) or local (type 4)
    U8 type, kind;
    U16 flags;
    U8 bus, source, apic, pin;
};
static_assert(sizeof(Bus) == 8 && sizeof(IoApic) == 8 && sizeof(Interrupt) == 8);

constexpr U8 PciBus = 0, IsaBus = 1, AllApics = 0xff;
constexpr U8 Vectored = 0, Nmi = 1, ExtInt = 3;
constexpr U16 AsTheBus = 0, ActiveLowLevel = 0x000f, ActiveHighLevel = 0x000d;

[[gnu::section(".f_segment.mp"), gnu::aligned(16)]] FloatingPointer pointer = {};
[[gnu::section(".f_segment.mp"), gnu::aligned(16)]] U8 table[2048] = {};

U32 used;
U16 entries;
U8 io_apic_id;

template <typename Entry> void append(const Entry& entry) {
    if (used + sizeof entry > sizeof table)
        stop(roms::post::FatalFirmware, "Vitrine BIOS: the MP table does not fit. Halted.");
    copy_memory(address_of(table) + used, address_of(&entry), sizeof entry);
    used += sizeof entry;
    ++entries;
}

U8 checksum(U32 address, U32 bytes) {
    U8 sum = 0;
    for (U32 i = 0; i < bytes; ++i) sum = static_cast<U8>(sum + memory<U8>(address + i));
    return static_cast<U8>(0 - sum);
}

} // namespace

void mp_init() {
    U32 signature = 1, b, c = 0, features;
    asm volatile("cpuid" : "+a"(signature), "=b"(b), "+c"(c), "=d"(features));
    if (!(features & 1u << 9)) return; // no local APIC, no table
    used = sizeof(Header);
    entries = 0;
    const U32 processors = processor_count();
    const U8 version = static_cast<U8>(memory<U32>(0xfee00030));
    for (U32 i = 0; i < processors; ++i)
        append(Processor{
            0, static_cast<U8>(i), version, static_cast<U8>(i == 0 ? 3 : 1), signature, features, {}});
    append(Bus{1, PciBus, {'P', 'C', 'I', ' ', ' ', ' '}});
    append(Bus{1, IsaBus, {'I', 'S', 'A', ' ', ' ', ' '}});
    memory<U32>(0xfec00000) = 1;
    append(IoApic{2, io_apic_id, static_cast<U8>(memory<U32>(0xfec00010)), 1, 0xfec00000});
    pci::for_each_interrupt([](U16 device, U32 pin) {
        append(Interrupt{3, Vectored, ActiveLowLevel, PciBus, static_cast<U8>((device >> 3) << 2 | pin),
                         io_apic_id, static_cast<U8>(pci::gsi(device >> 3, pin))});
    });
    for (U8 irq = 0; irq < 16; ++irq) { // the PIT arrives at pin 2, where the second 8259 would be
        if (irq == 2) continue;
        const U16 flags = irq == 9 ? ActiveHighLevel : AsTheBus;
        append(Interrupt{3, Vectored, flags, IsaBus, irq, io_apic_id, static_cast<U8>(irq == 0 ? 2 : irq)});
    }
    append(Interrupt{4, ExtInt, AsTheBus, IsaBus, 0, AllApics, 0});
    append(Interrupt{4, Nmi, AsTheBus, IsaBus, 0, AllApics, 1});

    auto& header = *reinterpret_cast<Header*>(table);
    copy_memory(address_of(header.signature), address_of("PCMP"), 4);
    header.length = static_cast<U16>(used);
    header.revision = 4;
    copy_memory(address_of(header.oem), address_of("VITRINE "), 8);
    copy_memory(address_of(header.product), address_of("GLASS CASE  "), 12);
    header.entries = entries;
    header.local_apic = 0xfee00000;
    header.checksum = checksum(address_of(table), used);
    copy_memory(address_of(pointer.signature), address_of("_MP_"), 4);
    pointer.table = address_of(table);
    pointer.length = 1;
    pointer.revision = 4;
    pointer.checksum = checksum(address_of(&pointer), sizeof pointer);
}

} // namespace vitrine::bios
