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

U32 make_dsdt() {
    const U32 at = allocate(sizeof(Header), 16);
    Aml aml(at + sizeof(Header), memory_map.low_top - at - sizeof(Header));
    write_definition_block(aml);
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
    if (!hpet_present()) return;
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

/// What fw_cfg says of NUMA: the number of nodes, the node of each processor, the bytes of each node.
struct Nodes {
    static constexpr U32 Most = 64, MostProcessors = 256;
    U32 count = 0;
    U64 of_processor[MostProcessors], memory[Most];
};
[[gnu::aligned(16)]] Nodes nodes;

void read_nodes() {
    constexpr U16 NumaKey = 0x0d, MaximumProcessorsKey = 0x0f;
    const U32 maximum = fw_cfg::read32(MaximumProcessorsKey) & 0xffff; // QEMU counts APIC numbers
    U64 count = 0;
    fw_cfg::read(NumaKey, address_of(&count), 8);
    nodes.count = static_cast<U32>(*const_cast<volatile U64*>(&count));
    if (!fw_cfg::present() || nodes.count > Nodes::Most || maximum > Nodes::MostProcessors) nodes.count = 0;
    if (nodes.count == 0) return;
    fw_cfg::read_on(address_of(nodes.of_processor), maximum * 8);
    fw_cfg::read_on(address_of(nodes.memory), nodes.count * 8);
}

/// The processors' and the memory's nodes (5.2.16): without the hole of the video memory, and of PCI.
void make_srat() {
    const U32 at = allocate(sizeof(Srat), 16);
    reinterpret_cast<Srat*>(at)->one = 1;
    const auto append = [](const auto& row) {
        const U32 entry = allocate(sizeof row, 1);
        copy_memory(entry, address_of(&row), sizeof row);
    };
    for (U32 i = 0; i < processor_count(); ++i)
        append(SratProcessor{0, 16, static_cast<U8>(nodes.of_processor[i]), static_cast<U8>(i), 1, 0, {}, 0});
    U64 base = 0;
    for (U32 node = 0; node < nodes.count; ++node)
        for (U64 left = nodes.memory[node]; left;) {
            const U64 limit = base < 0xa0000              ? 0xa0000
                              : base < memory_map.low_top ? memory_map.low_top
                                                          : ~U64{0};
            const U64 size = left < limit - base ? left : limit - base;
            append(SratMemory{1, 40, node, 0, base, size, 0, 1, 0});
            base += size, left -= size;
            if (base == 0xa0000) {
                const U64 hidden = left < 0x60000 ? left : 0x60000;
                base += hidden, left -= hidden; // RAM that the video memory and the ROMs hide
            }
            if (base == memory_map.low_top) base = U64{1} << 32;
        }
    fill_header(*reinterpret_cast<Header*>(at), "SRAT", 3, next - at);
    publish(at);
}

/// How far the nodes are from one another (5.2.17): 10 is here, 20 is anywhere else.
void make_slit() {
    const U32 bytes = sizeof(Slit) + nodes.count * nodes.count, at = allocate(bytes, 16);
    auto& slit = *reinterpret_cast<Slit*>(at);
    fill_header(slit.header, "SLIT", 1, bytes);
    slit.localities = nodes.count;
    for (U32 i = 0; i < nodes.count * nodes.count; ++i)
        memory<U8>(at + sizeof(Slit) + i) = i % (nodes.count + 1) ? 20 : 10;
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
    read_nodes();
    if (nodes.count) make_srat(), make_slit();
    copy_memory(address_of(rsdp.signature), address_of("RSD PTR "), 8);
    copy_memory(address_of(rsdp.oem), address_of("VITRIN"), 6);
    rsdp.revision = 2;
    rsdp.rsdt = make_root("RSDT", 4);
    rsdp.length = sizeof rsdp;
    rsdp.xsdt = make_root("XSDT", 8);
    rsdp.checksum = checksum(address_of(&rsdp), 20);
    rsdp.extended_checksum = checksum(address_of(&rsdp), sizeof rsdp);
}

U32 acpi_rsdp() { return address_of(&rsdp); }

} // namespace vitrine::bios
