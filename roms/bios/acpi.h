// Table layouts of ACPI 6.4 chapter 5 that the firmware makes.
#pragma once
#include "roms/bios/ports.h"

namespace vitrine::bios {

class Aml;
/// dsdt.cpp: the contents of the DSDT.
void write_definition_block(Aml& aml);
bool hpet_present();

} // namespace vitrine::bios

namespace vitrine::bios::acpi {

struct [[gnu::packed]] Rsdp {
    char signature[8];
    U8 checksum;
    char oem[6];
    U8 revision;
    U32 rsdt, length;
    U64 xsdt;
    U8 extended_checksum, reserved[3];
};
static_assert(sizeof(Rsdp) == 36);

struct [[gnu::packed]] Header {
    char signature[4];
    U32 length;
    U8 revision, checksum;
    char oem[6], oem_table[8];
    U32 oem_revision;
    char creator[4];
    U32 creator_revision;
};
static_assert(sizeof(Header) == 36);

struct [[gnu::packed]] Address {
    U8 space, width, offset, access;
    U64 address;
};
static_assert(sizeof(Address) == 12);

struct [[gnu::packed]] Fadt {
    Header header;
    U32 facs, dsdt;
    U8 reserved, profile;
    U16 sci;
    U32 smi_command;
    U8 acpi_enable, acpi_disable, s4_request, pstate_control;
    U32 pm1a_event, pm1b_event, pm1a_control, pm1b_control, pm2_control, pm_timer, gpe0, gpe1;
    U8 pm1_event_length, pm1_control_length, pm2_control_length, pm_timer_length, gpe0_length, gpe1_length,
        gpe1_base, cst_control;
    U16 c2_latency, c3_latency, flush_size, flush_stride;
    U8 duty_offset, duty_width, day_alarm, month_alarm, century;
    U16 boot_architecture;
    U8 reserved2;
    U32 flags;
    Address reset_register;
    U8 reset_value, reserved3[3];
    U64 x_facs, x_dsdt;
    Address x_pm1a_event, x_pm1b_event, x_pm1a_control, x_pm1b_control, x_pm2_control, x_pm_timer, x_gpe0,
        x_gpe1;
};
static_assert(sizeof(Fadt) == 244);

struct [[gnu::packed]] Facs {
    char signature[4];
    U32 length, hardware_signature, waking_vector, global_lock, flags;
    U64 x_waking_vector;
    U8 version, reserved[31];
};
static_assert(sizeof(Facs) == 64);

struct [[gnu::packed]] Madt {
    Header header;
    U32 local_apic, flags;
};
struct [[gnu::packed]] MadtLocalApic {
    U8 type, length, processor, apic;
    U32 flags;
};
struct [[gnu::packed]] MadtIoApic {
    U8 type, length, id, reserved;
    U32 address, base;
};
struct [[gnu::packed]] MadtOverride {
    U8 type, length, bus, source;
    U32 gsi;
    U16 flags;
};
struct [[gnu::packed]] MadtLocalNmi {
    U8 type, length, processor;
    U16 flags;
    U8 pin;
};

struct [[gnu::packed]] Srat {
    Header header;
    U32 one;
    U64 reserved;
};
static_assert(sizeof(Srat) == 48);
struct [[gnu::packed]] SratProcessor {
    U8 type, length, domain, apic;
    U32 flags;
    U8 sapic, domain_high[3];
    U32 clock_domain;
};
static_assert(sizeof(SratProcessor) == 16);
struct [[gnu::packed]] SratMemory {
    U8 type, length;
    U32 domain;
    U16 reserved;
    U64 base, size;
    U32 reserved2, flags;
    U64 reserved3;
};
static_assert(sizeof(SratMemory) == 40);

struct [[gnu::packed]] Slit {
    Header header;
    U64 localities;
};
static_assert(sizeof(Slit) == 44);

struct [[gnu::packed]] Hpet {
    Header header;
    U32 id;
    Address address;
    U8 number;
    U16 minimum_tick;
    U8 attributes;
};
static_assert(sizeof(Hpet) == 56);

struct [[gnu::packed]] Mcfg {
    Header header;
    U64 reserved;
    U64 base;
    U16 segment;
    U8 first_bus, last_bus;
    U32 reserved2;
};
static_assert(sizeof(Mcfg) == 60);

} // namespace vitrine::bios::acpi
