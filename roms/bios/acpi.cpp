// ACPI tables (ACPI 6.4 chapter 5) in the high area, found through the RSDP below 1 MiB.
//
// Invariants: every table's bytes add up to 0; RSDT and XSDT list the same tables; all of it lies in
// [acpi_area, low_top).
#include "roms/bios/acpi.h"
#include "roms/bios/aml.h"
#include "roms/bios/bios.h"

namespace vitrine::bios {
namespace {

using namespace acpi;

[[gnu::aligned(16)]] Rsdp rsdp; // in E0000h–EFFFFh, where operating systems look
U32 next;                       // the first free byte of the area
U32 tables[8], table_count;

U8 checksum(U32 address, U32 bytes) {
    U8 sum = 0;
    for (U32 i = 0; i < bytes; ++i) sum = static_cast<U8>(sum + memory<U8>(address + i));
    return static_cast<U8>(0 - sum);
}

U32 allocate(U32 bytes, U32 alignment) {
    const U32 start = (next + alignment - 1) & ~(alignment - 1);
    if (start + bytes > memory_map.low_top)
        stop(roms::post::FatalFirmware, "Vitrine BIOS: the ACPI tables do not fit. Halted.");
    next = start + bytes;
    fill_memory(start, 0, bytes);
    return start;
}

void fill_header(Header& header, const char* signature, U8 revision, U32 length) {
    copy_memory(address_of(header.signature), address_of(signature), 4);
    header.length = length;
    header.revision = revision;
    copy_memory(address_of(header.oem), address_of("VITRIN"), 6);
    copy_memory(address_of(header.oem_table), address_of("VITRINE "), 8);
    header.oem_revision = 1;
    copy_memory(address_of(header.creator), address_of("VTRN"), 4);
    header.creator_revision = 1;
}

void seal(U32 table) {
    auto& header = *reinterpret_cast<Header*>(table);
    header.checksum = 0;
    header.checksum = checksum(table, header.length);
}

void publish(U32 table) {
    seal(table);
    tables[table_count++] = table;
}

Address io_address(U16 port, U8 bits, U8 access) { return {1, bits, 0, access, port}; }

U32 make_facs() {
    const U32 at = allocate(sizeof(Facs), 64);
    auto& facs = *reinterpret_cast<Facs*>(at);
    copy_memory(at, address_of("FACS"), 4);
    facs.length = sizeof facs;
    facs.version = 1;
    return at;
}

// --- DSDT ---

/// One _PRT row: every function of a slot, a pin, and the GSI that it is wired to.
void route(Aml& aml, U32 slot, U32 pin, U32 gsi) {
    const U32 row = aml.begin_package(4);
    aml.integer(slot << 16 | 0xffff);
    aml.integer(pin);
    aml.integer(0);
    aml.integer(gsi);
    aml.end(row);
}

void routing_table(Aml& aml, const char* segment, bool io_apic) {
    aml.name(segment);
    const U32 table = aml.begin_package(31 * 4);
    for (U32 slot = 1; slot < 32; ++slot)
        for (U32 pin = 0; pin < 4; ++pin) {
            const U32 gsi = pci::gsi(slot, pin);
            route(aml, slot, pin, io_apic ? gsi : pci::pirq_irq(gsi - 16));
        }
    aml.end(table);
}

void io_range(Aml& aml, U16 first, U16 last, U8 alignment, U8 length) // small resource, 16-bit decoding
{
    aml.byte(0x47), aml.byte(1), aml.word(first), aml.word(last), aml.byte(alignment), aml.byte(length);
}
void irq(Aml& aml, U32 number) { aml.byte(0x22), aml.word(static_cast<U16>(1u << number)); }
void end_tag(Aml& aml) { aml.byte(0x79), aml.byte(0); }
void word_window(Aml& aml, U8 kind, U8 specific, U16 first, U16 last) {
    aml.byte(0x88), aml.word(13), aml.byte(kind), aml.byte(0x0c), aml.byte(specific), aml.word(0);
    aml.word(first), aml.word(last), aml.word(0), aml.word(static_cast<U16>(last - first + 1));
}
void memory_window(Aml& aml, U32 first, U32 last) {
    aml.byte(0x87), aml.word(23), aml.byte(0), aml.byte(0x0c), aml.byte(1), aml.dword(0);
    aml.dword(first), aml.dword(last), aml.dword(0), aml.dword(last - first + 1);
}
U32 eisa_id(char a, char b, char c, U32 product) {
    return swap32(static_cast<U32>((a - '@') << 26 | (b - '@') << 21 | (c - '@') << 16) | product);
}

/// An ISA device with up to two port ranges and an interrupt.
void isa_device(Aml& aml, const char* segment, U32 id, U16 first, U8 first_length, U16 second,
                U8 second_length, U32 line) {
    const U32 device = aml.begin_device(segment);
    aml.name("_HID"), aml.integer(id);
    const U16 size = static_cast<U16>((first_length ? 8 : 0) + (second_length ? 8 : 0) + 3 + 2);
    aml.name("_CRS");
    const U32 resources = aml.begin_buffer(size);
    if (first_length) io_range(aml, first, first, 1, first_length);
    if (second_length) io_range(aml, second, second, 1, second_length);
    irq(aml, line);
    end_tag(aml);
    aml.end(resources);
    aml.end(device);
}

void pci_root(Aml& aml) {
    const U32 root = aml.begin_device("PCI0");
    aml.name("_HID"), aml.integer(eisa_id('P', 'N', 'P', 0x0a08));
    aml.name("_CID"), aml.integer(eisa_id('P', 'N', 'P', 0x0a03));
    aml.name("_ADR"), aml.integer(0);
    aml.name("_BBN"), aml.integer(0);
    aml.name("_UID"), aml.integer(0);
    aml.name("_CRS");
    const U32 resources = aml.begin_buffer(16 + 8 + 16 + 16 + 26 + 26 + 2);
    word_window(aml, 2, 0, 0, 0xff); // buses; the length 256 is what last − first + 1 says
    io_range(aml, 0xcf8, 0xcf8, 1, 8);
    word_window(aml, 1, 3, 0x0000, 0x0cf7);
    word_window(aml, 1, 3, 0x0d00, 0xffff);
    memory_window(aml, 0xa0000, 0xbffff);
    memory_window(aml, pci::WindowStart, pci::WindowEnd - 1);
    end_tag(aml);
    aml.end(resources);
    routing_table(aml, "PRTA", true);
    routing_table(aml, "PRTP", false);
    const U32 method = aml.begin_method("_PRT", 0);
    const U32 condition = aml.begin_if();
    aml.byte('\\'), aml.name_segment("PICF");
    aml.byte(0xa4), aml.name_segment("PRTA"); // Return
    aml.end(condition);
    aml.byte(0xa4), aml.name_segment("PRTP");
    aml.end(method);

    const U32 isa = aml.begin_device("ISA_");
    aml.name("_ADR"), aml.integer(0x001f0000);
    isa_device(aml, "KBD_", eisa_id('P', 'N', 'P', 0x0303), 0x60, 1, 0x64, 1, 1);
    isa_device(aml, "MOU_", eisa_id('P', 'N', 'P', 0x0f13), 0, 0, 0, 0, 12);
    isa_device(aml, "COM1", eisa_id('P', 'N', 'P', 0x0501), 0x3f8, 8, 0, 0, 4);
    isa_device(aml, "RTC_", eisa_id('P', 'N', 'P', 0x0b00), 0x70, 2, 0, 0, 8);
    aml.end(isa);
    aml.end(root);
}

U32 make_dsdt() {
    const U32 at = allocate(sizeof(Header), 16);
    Aml aml(at + sizeof(Header), memory_map.low_top - at - sizeof(Header));
    const U32 top = aml.begin_scope(nullptr);
    aml.name("PICF"), aml.integer(0);
    const U32 pic = aml.begin_method("_PIC", 1); // 1: the operating system uses the IOAPIC
    aml.byte(0x70), aml.byte(0x68), aml.name_segment("PICF");
    aml.end(pic);
    aml.name("_S5_");
    const U32 sleep = aml.begin_package(4); // SLP_TYP 0 for PM1a and PM1b
    for (U32 i = 0; i < 4; ++i) aml.integer(0);
    aml.end(sleep);
    aml.end(top);
    const U32 system = aml.begin_scope("_SB_");
    pci_root(aml);
    aml.end(system);
    if (aml.overflowed()) stop(roms::post::FatalFirmware, "Vitrine BIOS: the DSDT does not fit. Halted.");
    next = aml.position();
    fill_header(*reinterpret_cast<Header*>(at), "DSDT", 2, aml.position() - at);
    seal(at);
    return at;
}

void make_fadt(U32 facs, U32 dsdt) {
    const U32 at = allocate(sizeof(Fadt), 16);
    auto& fadt = *reinterpret_cast<Fadt*>(at);
    fill_header(fadt.header, "FACP", 3, sizeof fadt);
    fadt.facs = facs;
    fadt.dsdt = dsdt;
    fadt.profile = 1; // desktop
    fadt.sci = 9;
    // No SMI port: POST has set SCI_EN, the machine is always in ACPI mode.
    fadt.pm1a_event = PmBase;
    fadt.pm1a_control = PmBase + 4;
    fadt.pm_timer = PmBase + 8;
    fadt.gpe0 = PmBase + 0x20;
    fadt.pm1_event_length = 4;
    fadt.pm1_control_length = 2;
    fadt.pm_timer_length = 4;
    fadt.gpe0_length = 16;
    fadt.c2_latency = 0xfff; // no C2, no C3
    fadt.c3_latency = 0xfff;
    fadt.century = 0x32;
    fadt.boot_architecture = 0x0003; // legacy devices, 8042
    fadt.flags =
        1 | 1u << 2 | 1u << 5 | 1u << 10; // WBINVD, C1 on all processors, no sleep button, reset register
    fadt.reset_register = io_address(0xcf9, 8, 1);
    fadt.reset_value = 0x06;
    fadt.x_facs = facs;
    fadt.x_dsdt = dsdt;
    fadt.x_pm1a_event = io_address(PmBase, 32, 2);
    fadt.x_pm1a_control = io_address(PmBase + 4, 16, 2);
    fadt.x_pm_timer = io_address(PmBase + 8, 32, 3);
    fadt.x_gpe0 = io_address(PmBase + 0x20, 128, 1);
    publish(at);
}

void make_madt() {
    const U32 processors = processor_count();
    const U32 bytes = sizeof(Madt) + processors * sizeof(MadtLocalApic) + sizeof(MadtIoApic) +
                      2 * sizeof(MadtOverride) + sizeof(MadtLocalNmi);
    const U32 at = allocate(bytes, 16);
    auto& madt = *reinterpret_cast<Madt*>(at);
    fill_header(madt.header, "APIC", 3, bytes);
    madt.local_apic = 0xfee00000;
    madt.flags = 1; // there is an 8259 pair too
    U32 entry = at + sizeof madt;
    const auto append = [&](const auto& row) {
        copy_memory(entry, address_of(&row), sizeof row);
        entry += sizeof row;
    };
    for (U32 i = 0; i < processors; ++i)
        append(MadtLocalApic{0, 8, static_cast<U8>(i), static_cast<U8>(i), 1});
    append(MadtIoApic{1, 12, 0, 0, 0xfec00000, 0});
    append(MadtOverride{2, 10, 0, 0, 2, 0});      // the PIT arrives at pin 2
    append(MadtOverride{2, 10, 0, 9, 9, 0x000d}); // SCI: level, active high
    append(MadtLocalNmi{4, 6, 0xff, 0, 1});       // LINT1 on all processors
    publish(at);
}

void make_hpet() {
    if (memory<U32>(0xfed00000) == 0xffffffff || memory<U32>(0xfed00000) == 0) return; // none on this board
    const U32 at = allocate(sizeof(Hpet), 16);
    auto& hpet = *reinterpret_cast<Hpet*>(at);
    fill_header(hpet.header, "HPET", 1, sizeof hpet);
    hpet.id = memory<U32>(0xfed00000); // the block's own identification
    hpet.address = {0, 64, 0, 0, 0xfed00000};
    publish(at);
}

void make_mcfg() {
    const U32 at = allocate(sizeof(Mcfg), 16);
    auto& mcfg = *reinterpret_cast<Mcfg*>(at);
    fill_header(mcfg.header, "MCFG", 1, sizeof mcfg);
    mcfg.base = pci::EcamBase;
    mcfg.last_bus = 255;
    publish(at);
}

U32 make_root(const char* signature, U32 entry_size) {
    const U32 bytes = sizeof(Header) + table_count * entry_size;
    const U32 at = allocate(bytes, 16);
    fill_header(*reinterpret_cast<Header*>(at), signature, 1, bytes);
    for (U32 i = 0; i < table_count; ++i) memory<U32>(at + sizeof(Header) + i * entry_size) = tables[i];
    seal(at);
    return at;
}

} // namespace

void acpi_init() {
    next = memory_map.acpi_area;
    const U32 facs = make_facs();
    const U32 dsdt = make_dsdt();
    make_fadt(facs, dsdt);
    make_madt();
    make_hpet();
    make_mcfg();
    copy_memory(address_of(rsdp.signature), address_of("RSD PTR "), 8);
    copy_memory(address_of(rsdp.oem), address_of("VITRIN"), 6);
    rsdp.revision = 2;
    rsdp.rsdt = make_root("RSDT", 4);
    rsdp.length = sizeof rsdp;
    rsdp.xsdt = make_root("XSDT", 8);
    rsdp.checksum = checksum(address_of(&rsdp), 20);
    rsdp.extended_checksum = checksum(address_of(&rsdp), sizeof rsdp);
}

} // namespace vitrine::bios
