// The DSDT's contents: processors, PCI root and its interrupt routing in both modes, the devices that are not
// on a bus which can tell of them (ACPI 6.4 chapters 5, 6, 19, 20; PCI Firmware Specification 3.0 4.5).
//
// Invariants: what is named here is there: the HPET is asked, processors are counted; names are unique in
// their scopes. iasl takes the table apart and puts it together again in the tests.
#include "roms/bios/acpi.h"
#include "roms/bios/aml.h"
#include "roms/bios/bios.h"

namespace vitrine::bios {
namespace {

// AML opcodes that aml.h does not wrap (chapter 20.2.5).
constexpr U8 Local0 = 0x60, Arg0 = 0x68, Arg1 = 0x69, Arg3 = 0x6b, StoreOp = 0x70, DecrementOp = 0x76,
             ShiftLeftOp = 0x79, AndOp = 0x7b, OrOp = 0x7d, FindSetRightBitOp = 0x82,
             CreateDWordFieldOp = 0x8a, CreateWordFieldOp = 0x8b, LNotOp = 0x92, LEqualOp = 0x93,
             ReturnOp = 0xa4, NoTarget = 0x00;
constexpr U8 Serialized = 8;

U32 eisa_id(char a, char b, char c, U32 product) {
    return swap32(static_cast<U32>((a - '@') << 26 | (b - '@') << 21 | (c - '@') << 16) | product);
}
void hardware_id(Aml& aml, U32 product, U32 unique) {
    aml.name("_HID"), aml.integer(eisa_id('P', 'N', 'P', product));
    aml.name("_UID"), aml.integer(unique);
}

// --- resource descriptors, 6.4.2 and 6.4.3 ---

void io_range(Aml& aml, U16 first, U16 last, U8 alignment, U8 length) // 16-bit decoding
{
    aml.byte(0x47), aml.byte(1), aml.word(first), aml.word(last), aml.byte(alignment), aml.byte(length);
}
void irq(Aml& aml, U32 number) { aml.byte(0x22), aml.word(static_cast<U16>(1u << number)); }
void shared_irqs(Aml& aml, U16 mask) { aml.byte(0x23), aml.word(mask), aml.byte(0x18); } // level, active low
void fixed_memory(Aml& aml, U32 base, U32 size, bool writable) {
    aml.byte(0x86), aml.word(9), aml.byte(writable ? 1 : 0), aml.dword(base), aml.dword(size);
}
void end_tag(Aml& aml) { aml.byte(0x79), aml.byte(0); }
void word_window(Aml& aml, U8 kind, U8 specific, U16 first, U16 last) {
    aml.byte(0x88), aml.word(13), aml.byte(kind), aml.byte(0x0c), aml.byte(specific), aml.word(0);
    aml.word(first), aml.word(last), aml.word(0), aml.word(static_cast<U16>(last - first + 1));
}
void memory_window(Aml& aml, U32 first, U32 last) {
    aml.byte(0x87), aml.word(23), aml.byte(0), aml.byte(0x0c), aml.byte(1), aml.dword(0);
    aml.dword(first), aml.dword(last), aml.dword(0), aml.dword(last - first + 1);
}
constexpr U16 IoSize = 8, IrqSize = 3, SharedIrqSize = 4, FixedMemorySize = 12, EndSize = 2,
              WordWindowSize = 16, MemoryWindowSize = 26;

struct Ports {
    U16 first;
    U8 length;
};
/// An ISA device with up to three port ranges and perhaps an interrupt (line below 16).
constexpr U32 NoLine = 16;
/// `unit` tells devices of one product apart (_UID).
void isa_device(Aml& aml, const char* segment, U32 product, const Ports (&ports)[3], U32 line, U32 unit = 0) {
    const U32 device = aml.begin_device(segment);
    aml.name("_HID"), aml.integer(eisa_id('P', 'N', 'P', product));
    if (unit) aml.name("_UID"), aml.integer(unit);
    U16 size = static_cast<U16>((line < NoLine ? IrqSize : 0) + EndSize);
    for (const Ports& range : ports) size = static_cast<U16>(size + (range.length ? IoSize : 0));
    aml.name("_CRS");
    const U32 resources = aml.begin_buffer(size);
    for (const Ports& range : ports)
        if (range.length) io_range(aml, range.first, range.first, 1, range.length);
    if (line < NoLine) irq(aml, line);
    end_tag(aml);
    aml.end(resources);
    aml.end(device);
}

// --- PIRQ link devices, 6.2.11 and ICH9 datasheet 13.1.20 ---

/// PRQA … PRQH: the routing registers, 60h–63h and 68h–6Bh of the LPC bridge.
const char* field_of(U32 pirq) {
    static const char* const names[8] = {"PRQA", "PRQB", "PRQC", "PRQD", "PRQE", "PRQF", "PRQG", "PRQH"};
    return names[pirq & 7];
}
const char* link_of(U32 pirq) {
    static const char* const names[8] = {"LNKA", "LNKB", "LNKC", "LNKD", "LNKE", "LNKF", "LNKG", "LNKH"};
    return names[pirq & 7];
}

void routing_registers(Aml& aml) {
    aml.byte(0x5b), aml.byte(0x80),
        aml.name_segment("PIRQ"); // OperationRegion (PIRQ, PCI_Config, 0x60, 0x0C)
    aml.byte(0x02), aml.integer(0x60), aml.integer(0x0c);
    const U32 field = aml.begin_field();
    aml.name_segment("PIRQ"), aml.byte(0x01); // byte access, preserve
    for (U32 pirq = 0; pirq < 8; ++pirq) {
        if (pirq == 4) aml.byte(0x00), aml.byte(32); // four bytes that are something else
        aml.name_segment(field_of(pirq)), aml.byte(8);
    }
    aml.end(field);
}

/// And (PRQx, 0x80): not zero while the line is not routed.
void if_disabled_begin(Aml& aml, U32 pirq, U32& start) {
    start = aml.begin_if();
    aml.byte(AndOp), aml.name_segment(field_of(pirq)), aml.integer(0x80), aml.byte(NoTarget);
}

void link_device(Aml& aml, U32 pirq) {
    constexpr U16 Choices = 1 << 10 | 1 << 11;
    const char* field = field_of(pirq);
    const U32 device = aml.begin_device(link_of(pirq));
    hardware_id(aml, 0x0c0f, pirq + 1);
    aml.name("_PRS");
    const U32 possible = aml.begin_buffer(SharedIrqSize + EndSize);
    shared_irqs(aml, Choices), end_tag(aml);
    aml.end(possible);
    aml.name("BUFA");
    const U32 current = aml.begin_buffer(SharedIrqSize + EndSize);
    shared_irqs(aml, 0), end_tag(aml);
    aml.end(current);
    aml.byte(CreateWordFieldOp), aml.name_segment("BUFA"), aml.integer(1), aml.name_segment("IRQW");

    U32 condition;
    const U32 status = aml.begin_method("_STA", 0);
    if_disabled_begin(aml, pirq, condition);
    aml.byte(ReturnOp), aml.integer(0x09);
    aml.end(condition);
    aml.byte(ReturnOp), aml.integer(0x0b);
    aml.end(status);

    const U32 resources = aml.begin_method("_CRS", 0 | Serialized);
    if_disabled_begin(aml, pirq, condition);
    aml.byte(StoreOp), aml.integer(0), aml.name_segment("IRQW");
    aml.end(condition);
    const U32 otherwise = aml.begin_else();
    aml.byte(AndOp), aml.name_segment(field), aml.integer(0x0f), aml.byte(Local0);
    aml.byte(ShiftLeftOp), aml.integer(1), aml.byte(Local0), aml.name_segment("IRQW");
    aml.end(otherwise);
    aml.byte(ReturnOp), aml.name_segment("BUFA");
    aml.end(resources);

    const U32 set = aml.begin_method("_SRS", 1 | Serialized);
    aml.byte(CreateWordFieldOp), aml.byte(Arg0), aml.integer(1), aml.name_segment("SRSW");
    aml.byte(FindSetRightBitOp), aml.name_segment("SRSW"), aml.byte(Local0);
    aml.byte(DecrementOp), aml.byte(Local0);
    aml.byte(StoreOp), aml.byte(Local0), aml.name_segment(field);
    aml.end(set);

    const U32 disable = aml.begin_method("_DIS", 0);
    aml.byte(OrOp), aml.name_segment(field), aml.integer(0x80), aml.name_segment(field);
    aml.end(disable);
    aml.end(device);
}

// --- _PRT, 6.2.13 ---

/// Every function of a slot, a pin, and the GSI (I/O APIC) or the link device (8259) that it is wired to.
void routing_table(Aml& aml, const char* segment, bool io_apic) {
    aml.name(segment);
    const U32 table = aml.begin_package(31 * 4);
    for (U32 slot = 1; slot < 32; ++slot)
        for (U32 pin = 0; pin < 4; ++pin) {
            const U32 gsi = pci::gsi(slot, pin);
            const U32 row = aml.begin_package(4);
            aml.integer(slot << 16 | 0xffff);
            aml.integer(pin);
            if (io_apic) {
                aml.integer(0);
                aml.integer(gsi);
            } else { // \_SB.PCI0.ISA.LNKx
                aml.byte('\\'), aml.byte(0x2f), aml.byte(4);
                aml.name_segment("_SB_"), aml.name_segment("PCI0"), aml.name_segment("ISA_");
                aml.name_segment(link_of(gsi - 16));
                aml.integer(0);
            }
            aml.end(row);
        }
    aml.end(table);
}

// --- the namespace ---

/// PCI Firmware Specification 3.0 4.5.1: the operating system may have every feature it asks for, as the
/// firmware runs none of them itself.
void control_method(Aml& aml) {
    static const U8 uuid[16] = {0x5b, 0x4d, 0xdb, 0x33, 0xf7, 0x1f, 0x1c, 0x40,
                                0x96, 0x57, 0x74, 0x41, 0xc0, 0x3d, 0xd7, 0x66};
    const auto set_status = [&](U32 bit) {
        aml.byte(OrOp), aml.name_segment("CDW1"), aml.integer(bit), aml.name_segment("CDW1");
    };
    const U32 method = aml.begin_method("_OSC", 4 | Serialized);
    aml.byte(CreateDWordFieldOp), aml.byte(Arg3), aml.integer(0), aml.name_segment("CDW1");
    const U32 ours = aml.begin_if();
    aml.byte(LEqualOp), aml.byte(Arg0);
    const U32 bytes = aml.begin_buffer(sizeof uuid);
    for (const U8 byte : uuid) aml.byte(byte);
    aml.end(bytes);
    aml.byte(CreateDWordFieldOp), aml.byte(Arg3), aml.integer(8), aml.name_segment("CDW3");
    aml.byte(AndOp), aml.name_segment("CDW3"), aml.integer(0x1f), aml.byte(Local0);
    const U32 revision = aml.begin_if();
    aml.byte(LNotOp), aml.byte(LEqualOp), aml.byte(Arg1), aml.integer(1);
    set_status(0x08); // unknown revision
    aml.end(revision);
    const U32 masked = aml.begin_if();
    aml.byte(LNotOp), aml.byte(LEqualOp), aml.byte(Local0), aml.name_segment("CDW3");
    set_status(0x10); // something was masked
    aml.end(masked);
    aml.byte(StoreOp), aml.byte(Local0), aml.name_segment("CDW3");
    aml.end(ours);
    const U32 foreign = aml.begin_else();
    set_status(0x04); // unknown UUID
    aml.end(foreign);
    aml.byte(ReturnOp), aml.byte(Arg3);
    aml.end(method);
}

void lpc_bridge(Aml& aml) {
    const U32 isa = aml.begin_device("ISA_");
    aml.name("_ADR"), aml.integer(0x001f0000);
    routing_registers(aml);
    for (U32 pirq = 0; pirq < 8; ++pirq) link_device(aml, pirq);
    isa_device(aml, "PIC_", 0x0000, {{0x20, 2}, {0xa0, 2}, {0x4d0, 2}}, NoLine);
    isa_device(aml, "TIMR", 0x0100, {{0x40, 4}, {}, {}}, 0);
    isa_device(aml, "SPKR", 0x0800, {{0x61, 1}, {}, {}}, NoLine);
    isa_device(aml, "KBD_", 0x0303, {{0x60, 1}, {0x64, 1}, {}}, 1);
    isa_device(aml, "MOU_", 0x0f13, {}, 12);
    isa_device(aml, "COM1", 0x0501, {{0x3f8, 8}, {}, {}}, 4, 1);
    if (second_serial_port()) isa_device(aml, "COM2", 0x0501, {{0x2f8, 8}, {}, {}}, 3, 2);
    isa_device(aml, "RTC_", 0x0b00, {{0x70, 2}, {}, {}}, 8);
    const U32 board = aml.begin_device("MBRD"); // ports that belong to no driver
    hardware_id(aml, 0x0c02, 1);
    aml.name("_CRS");
    const U32 resources = aml.begin_buffer(4 * IoSize + EndSize);
    io_range(aml, 0x80, 0x80, 1, 1);
    io_range(aml, 0x92, 0x92, 1, 1);
    io_range(aml, 0xb2, 0xb2, 1, 2);
    io_range(aml, PmBase, PmBase, 1, 0x80);
    end_tag(aml);
    aml.end(resources);
    aml.end(board);
    aml.end(isa);
}

void pci_root(Aml& aml) {
    const U32 root = aml.begin_device("PCI0");
    aml.name("_HID"), aml.integer(eisa_id('P', 'N', 'P', 0x0a08));
    aml.name("_CID"), aml.integer(eisa_id('P', 'N', 'P', 0x0a03));
    aml.name("_BBN"), aml.integer(0);
    aml.name("_UID"), aml.integer(0);
    aml.name("_CRS");
    const U32 resources = aml.begin_buffer(3 * WordWindowSize + IoSize + 2 * MemoryWindowSize + EndSize);
    word_window(aml, 2, 0, 0, 0xff); // buses; the length 256 is what last − first + 1 says
    io_range(aml, 0xcf8, 0xcf8, 1, 8);
    word_window(aml, 1, 3, 0x0000, 0x0cf7);
    word_window(aml, 1, 3, 0x0d00, 0xffff);
    memory_window(aml, 0xa0000, 0xbffff);
    memory_window(aml, pci::WindowStart, pci::WindowEnd - 1);
    end_tag(aml);
    aml.end(resources);
    control_method(aml);
    lpc_bridge(aml);
    routing_table(aml, "PRTA", true);
    routing_table(aml, "PRTP", false);
    const U32 method = aml.begin_method("_PRT", 0);
    const U32 condition = aml.begin_if();
    aml.byte('\\'), aml.name_segment("PICF");
    aml.byte(ReturnOp), aml.name_segment("PRTA");
    aml.end(condition);
    aml.byte(ReturnOp), aml.name_segment("PRTP");
    aml.end(method);
    aml.end(root);
}

/// Memory that the chip set answers and that no bus hands out: ECAM (where Linux and Windows look for it
/// before they believe the MCFG), the APICs.
void system_resources(Aml& aml) {
    const U32 device = aml.begin_device("SYSR");
    hardware_id(aml, 0x0c02, 2);
    aml.name("_CRS");
    const U32 resources = aml.begin_buffer(3 * FixedMemorySize + EndSize);
    fixed_memory(aml, pci::EcamBase, 0x10000000, true);
    fixed_memory(aml, 0xfec00000, 0x1000, true);
    fixed_memory(aml, 0xfee00000, 0x1000, true);
    end_tag(aml);
    aml.end(resources);
    aml.end(device);
}

void event_timer(Aml& aml) {
    const U32 device = aml.begin_device("HPET");
    hardware_id(aml, 0x0103, 0);
    aml.name("_CRS");
    const U32 resources = aml.begin_buffer(FixedMemorySize + EndSize);
    fixed_memory(aml, 0xfed00000, 0x400, false);
    end_tag(aml);
    aml.end(resources);
    aml.end(device);
}

/// One for each MADT entry; _UID is the entry's processor number (8.4).
void processors(Aml& aml) {
    static const char digits[] = "0123456789ABCDEF";
    for (U32 i = 0; i < processor_count(); ++i) {
        const char segment[4] = {'C', '0', digits[i >> 4 & 15], digits[i & 15]};
        const U32 device = aml.begin_device(segment);
        aml.name("_HID"), aml.string("ACPI0007");
        aml.name("_UID"), aml.integer(i);
        aml.end(device);
    }
}

} // namespace

bool hpet_present() {
    const U32 id = memory<U32>(0xfed00000);
    return id != 0xffffffff && id != 0;
}

void write_definition_block(Aml& aml) {
    const U32 top = aml.begin_scope(nullptr);
    aml.name("PICF"), aml.integer(0);
    const U32 pic = aml.begin_method("_PIC", 1); // 1: the operating system uses the I/O APIC
    aml.byte(StoreOp), aml.byte(Arg0), aml.name_segment("PICF");
    aml.end(pic);
    aml.name("_S5_");
    const U32 sleep = aml.begin_package(4); // SLP_TYP 0 for PM1a and PM1b
    for (U32 i = 0; i < 4; ++i) aml.integer(0);
    aml.end(sleep);
    aml.end(top);
    const U32 system = aml.begin_scope("_SB_");
    processors(aml);
    pci_root(aml);
    system_resources(aml);
    if (hpet_present()) event_timer(aml);
    aml.end(system);
}

} // namespace vitrine::bios
