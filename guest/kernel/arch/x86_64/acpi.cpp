// ACPI table reader; see acpi.h.
#include "arch/x86_64/acpi.h"

#include "arch/x86_64/cpu.h"
#include "lib/log.h"
#include "lib/string.h"
#include "time/timekeeping.h"

namespace kernel {

constinit AcpiInformation acpi = {};

namespace {

struct [[gnu::packed]] Rsdp {
    char signature[8];
    u8 checksum;
    char oem[6];
    u8 revision;
    u32 rsdt;
    u32 length;
    u64 xsdt;
    u8 extended_checksum;
    u8 reserved[3];
};

struct [[gnu::packed]] TableHeader {
    char signature[4];
    u32 length;
    u8 revision, checksum;
    char oem[6], oem_table[8];
    u32 oem_revision, creator, creator_revision;
};
static_assert(sizeof(TableHeader) == 36);

constexpr u32 MaxTable = 1 << 20;

bool sums_to_zero(const void* data, usize size) {
    u8 sum = 0;
    for (usize i = 0; i < size; i++) sum = static_cast<u8>(sum + static_cast<const u8*>(data)[i]);
    return sum == 0;
}

template <typename T> T field(const TableHeader* table, u32 offset) {
    T value{};
    if (offset + sizeof(T) <= table->length)
        memcpy(&value, reinterpret_cast<const u8*>(table) + offset, sizeof(T));
    return value;
}

const Rsdp* scan_for_rsdp(u64 base, u64 size) {
    for (u64 at = base; at + sizeof(Rsdp) <= base + size; at += 16) {
        auto* candidate = physical_to<Rsdp>(at);
        if (memcmp(candidate->signature, "RSD PTR ", 8) == 0 && sums_to_zero(candidate, 20)) return candidate;
    }
    return nullptr;
}

const TableHeader* table_at(u64 physical) {
    if (!physical) return nullptr;
    auto* table = physical_to<TableHeader>(physical);
    if (table->length < sizeof(TableHeader) || table->length > MaxTable ||
        !sums_to_zero(table, table->length)) {
        pr_warn("ACPI: table at %#lx is malformed, ignored\n", physical);
        return nullptr;
    }
    pr_info("ACPI: %.4s 0x%016lx %06X (v%02u %.6s %.8s %08X)\n", table->signature, physical, table->length,
            table->revision, table->oem, table->oem_table, table->oem_revision);
    return table;
}

void parse_madt(const TableHeader* madt) {
    acpi.local_apic_address = field<u32>(madt, 36);
    for (u32 at = 44; at + 2 <= madt->length;) {
        u8 type = field<u8>(madt, at), length = field<u8>(madt, at + 1);
        if (length < 2) break;
        if (type == 0 && (field<u32>(madt, at + 4) & 1)) { // local APIC, enabled
            if (acpi.cpu_count < NR_CPUS) acpi.apic_ids[acpi.cpu_count++] = field<u8>(madt, at + 3);
        } else if (type == 1 && !acpi.io_apic_address) {
            acpi.io_apic_id = field<u8>(madt, at + 2);
            acpi.io_apic_address = field<u32>(madt, at + 4);
            acpi.io_apic_gsi_base = field<u32>(madt, at + 8);
        } else if (type == 2 && acpi.override_count < array_size(acpi.overrides)) {
            acpi.overrides[acpi.override_count++] = {field<u8>(madt, at + 3), field<u32>(madt, at + 4),
                                                     field<u16>(madt, at + 8)};
            pr_info("ACPI: INT_SRC_OVR (bus 0 bus_irq %u global_irq %u)\n", field<u8>(madt, at + 3),
                    field<u32>(madt, at + 4));
        } else if (type == 5) {
            acpi.local_apic_address = field<u64>(madt, at + 4);
        }
        at += length;
    }
}

/// \_S5: NameOp "_S5_" PackageOp PkgLength NumElements, then SLP_TYPa as a byte, Zero or One (ACPI 20.2.5.4).
void find_s5(const TableHeader* dsdt) {
    auto* bytes = reinterpret_cast<const u8*>(dsdt);
    for (u32 i = sizeof(TableHeader); i + 12 < dsdt->length; i++) {
        if (memcmp(bytes + i, "_S5_", 4) != 0 || bytes[i + 4] != 0x12) continue;
        u32 at = i + 5;
        at += (bytes[at] >> 6) + 2U; // PkgLength's bytes, then NumElements
        u8 value = bytes[at];
        if (value == 0x0a)
            value = bytes[at + 1];
        else if (value > 1)
            continue;
        acpi.s5_sleep_type = value & 7;
        acpi.s5_known = true;
        return;
    }
}

void parse_fadt(const TableHeader* fadt) {
    acpi.sci_interrupt = field<u16>(fadt, 46);
    acpi.pm1a_event_port = static_cast<u16>(field<u32>(fadt, 56));
    acpi.pm1a_control_port = static_cast<u16>(field<u32>(fadt, 64));
    acpi.pm_timer_port = static_cast<u16>(field<u32>(fadt, 76));
    if (field<u32>(fadt, 112) & 1 << 10) { // RESET_REG_SUP
        acpi.reset_space = field<u8>(fadt, 116);
        acpi.reset_register = field<u64>(fadt, 120);
        acpi.reset_value = field<u8>(fadt, 128);
    }
    u64 dsdt = field<u64>(fadt, 140);
    if (!dsdt) dsdt = field<u32>(fadt, 40);
    if (const TableHeader* table = table_at(dsdt)) find_s5(table);
}

void parse_table(const TableHeader* table) {
    auto is = [&](const char* name) { return memcmp(table->signature, name, 4) == 0; };
    if (is("APIC"))
        parse_madt(table);
    else if (is("FACP"))
        parse_fadt(table);
    else if (is("HPET"))
        acpi.hpet_address = field<u64>(table, 44);
    else if (is("MCFG")) {
        acpi.ecam_address = field<u64>(table, 44);
        acpi.ecam_last_bus = field<u8>(table, 55);
    }
}

} // namespace

void acpi_boot_init(u64 rsdp_hint) {
    const Rsdp* rsdp = nullptr;
    if (rsdp_hint) {
        rsdp = physical_to<Rsdp>(rsdp_hint);
        if (memcmp(rsdp->signature, "RSD PTR ", 8) != 0 || !sums_to_zero(rsdp, 20)) rsdp = nullptr;
    }
    if (!rsdp) {
        u64 ebda = u64{*physical_to<u16>(0x40e)} << 4; // BDA 40:0E
        if (ebda >= 0x80000 && ebda < 0xa0000) rsdp = scan_for_rsdp(ebda, 1024);
    }
    if (!rsdp) rsdp = scan_for_rsdp(0xe0000, 0x20000);
    if (!rsdp) {
        pr_warn("ACPI: no RSDP found; using the 8259, the PIT and PCI mechanism 1\n");
        return;
    }
    acpi.found = true;
    pr_info("ACPI: RSDP 0x%016lx (v%02u %.6s)\n", virt_to_phys(rsdp), rsdp->revision, rsdp->oem);
    bool wide = rsdp->revision >= 2 && rsdp->xsdt;
    const TableHeader* root = table_at(wide ? rsdp->xsdt : rsdp->rsdt);
    if (!root) return;
    u32 step = wide ? 8 : 4;
    for (u32 at = sizeof(TableHeader); at + step <= root->length; at += step)
        if (const TableHeader* table = table_at(wide ? field<u64>(root, at) : field<u32>(root, at)))
            parse_table(table);
    if (acpi.cpu_count) pr_info("smpboot: Allowing %u CPUs\n", acpi.cpu_count);
}

void machine_halt() {
    local_irq_disable();
    for (;;) halt();
}

/// PM1a_CNT: SLP_TYP in bits 10–12, SLP_EN bit 13 (ACPI 4.8.3.2.1).
void machine_power_off() {
    local_irq_disable();
    pr_emerg("reboot: Power down\n");
    if (acpi.pm1a_control_port) {
        u16 kept = in16(acpi.pm1a_control_port) & 0x0001; // SCI_EN stays
        out16(acpi.pm1a_control_port, static_cast<u16>(kept | acpi.s5_sleep_type << 10 | 1 << 13));
        udelay(200'000); // the power goes when the board gets to it
    }
    pr_emerg("reboot: ACPI power-off had no effect%s; system halted\n",
             acpi.pm1a_control_port ? "" : " (no FADT)");
    machine_halt();
}

/// The FADT's reset register, then CF9 (ICH9 13.7.5), then the keyboard controller.
void machine_restart() {
    local_irq_disable();
    pr_emerg("reboot: Restarting system\n");
    if (acpi.reset_space == 1) out8(static_cast<u16>(acpi.reset_register), acpi.reset_value);
    out8(0xcf9, 0x02);
    out8(0xcf9, 0x06);
    for (u32 tries = 0; (in8(0x64) & 2) && tries < 10000; tries++) cpu_relax();
    out8(0x64, 0xfe);
    pr_emerg("reboot: reset had no effect; system halted\n");
    machine_halt();
}

} // namespace kernel
