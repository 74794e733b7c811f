// The interrupt controllers: 8259 pair, local APIC, IOAPIC (Intel 8259A data sheet, SDM 3A chapter 10,
// 82093AA).
#pragma once

#include "lib/types.h"

namespace kernel {

/// Programs the IOAPIC pin or unmasks the 8259 line. `pci`: level, active low; else as the MADT's override
/// says.
void route_line(unsigned line, bool pci);
void ack_APIC_irq(u8 vector);
bool is_spurious_pic_interrupt(unsigned line);
void report_apic_error();
/// The calling CPU's local APIC, ready for interrupts.
void setup_local_APIC();
/// Starts its timer at the rate that tick_init() measured.
void setup_APIC_timer();
void send_IPI(unsigned cpu, u8 vector);
void send_INIT(u8 apic_id);
void send_STARTUP(u8 apic_id, u64 page);
u32 apic_read(u32 offset);
void apic_write(u32 offset, u32 value);

} // namespace kernel
