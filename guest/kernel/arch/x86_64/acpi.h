// What the kernel reads from the ACPI tables (ACPI 6.4 chapter 5): interrupt controllers, HPET, PCI
// configuration space, and the registers for power-off and reset. There is no AML interpreter: \_S5 is found
// by its byte pattern.
//
// Trust: tables come from firmware, but every length is bounded and every checksum checked before use.
#pragma once

#include "lib/types.h"
#include "mm/layout.h"

namespace kernel {

struct InterruptOverride {
    u8 source; ///< ISA IRQ
    u32 gsi;
    u16 flags; ///< polarity bits 0–1, trigger bits 2–3 (MPS INTI flags)
};

struct AcpiInformation {
    bool found = false;
    u64 local_apic_address = 0;
    unsigned cpu_count = 0;
    u8 apic_ids[NR_CPUS] = {};
    u64 io_apic_address = 0;
    u32 io_apic_gsi_base = 0;
    u8 io_apic_id = 0;
    unsigned override_count = 0;
    InterruptOverride overrides[16] = {};
    u64 hpet_address = 0;
    u64 ecam_address = 0;
    u8 ecam_last_bus = 0;
    u16 pm1a_event_port = 0, pm1a_control_port = 0, pm_timer_port = 0;
    u16 sci_interrupt = 9;
    u8 s5_sleep_type = 0;
    bool s5_known = false;
    u8 reset_space = 0; ///< 1: I/O port
    u64 reset_register = 0;
    u8 reset_value = 0;
};
extern AcpiInformation acpi;

/// REQUIRES: physical memory is reachable through the direct map (the early tables map it on demand).
void acpi_boot_init(u64 rsdp_hint);

[[noreturn]] void machine_power_off();
[[noreturn]] void machine_restart();
[[noreturn]] void machine_halt();

} // namespace kernel
