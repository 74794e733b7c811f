// Interrupt lines: handlers, routing to vectors, counts; and softirqs.
//
// Lines 0–15 are the ISA IRQs, 16–23 the IOAPIC's PCI pins, 24 and up message-signalled. Line n uses vector
// 30h + n, under the IOAPIC and the 8259 alike. Handlers run with interrupts off in hardirq context and must
// not sleep.
#pragma once

#include "arch/x86_64/trap_frame.h"
#include "lib/result.h"
#include "mm/layout.h"

namespace kernel {

inline constexpr unsigned FirstIrqVector = 0x30;
inline constexpr unsigned IrqCount = 64;
inline constexpr u8 REBOOT_VECTOR = 0xf8, CALL_FUNCTION_VECTOR = 0xfc, RESCHEDULE_VECTOR = 0xfd,
                    LOCAL_TIMER_VECTOR = 0xec, ERROR_APIC_VECTOR = 0xfe, SPURIOUS_APIC_VECTOR = 0xff;

using IrqHandler = void (*)(void* context);

struct irqaction {
    IrqHandler handler = nullptr;
    void* dev_id = nullptr;
    const char* name = nullptr;
    irqaction* next = nullptr; ///< shared lines
};

struct irq_desc {
    irqaction* action = nullptr;
    const char* chip = nullptr; ///< "IO-APIC", "PCI-MSI", "XT-PIC"
    u8 pin = 0;
    bool level = false;
    u64 kstat_irqs[NR_CPUS] = {};
};
extern struct irq_desc irq_desc[IrqCount];
extern u64 local_timer_counts[NR_CPUS], spurious_count, error_count;
extern u64 irq_resched_count[NR_CPUS], irq_call_count[NR_CPUS];

/// Remaps and masks the 8259s, finds LAPIC and IOAPIC, routes the ISA lines.
void init_IRQ();
/// The tick: LAPIC timer, or the PIT without one.
void tick_init();
bool using_apic();

Result<void> request_irq(unsigned line, IrqHandler handler, void* context, const char* name);
/// A PCI pin-signalled line: level, active low.
Result<void> request_pci_irq(unsigned line, IrqHandler handler, void* context, const char* name);
/// A free MSI line; *address and *data are what the device must write.
Result<unsigned> allocate_msi(u64* address, u32* data);

/// From trap_dispatch, vectors 30h and up.
void common_interrupt(pt_regs& frame);

// --- softirqs, in Linux's order
// ------------------------------------------------------------------------------------------
enum Softirq : u8 {
    HI_SOFTIRQ,
    TIMER_SOFTIRQ,
    NET_TX_SOFTIRQ,
    NET_RX_SOFTIRQ,
    BLOCK_SOFTIRQ,
    IRQ_POLL_SOFTIRQ,
    TASKLET_SOFTIRQ,
    SCHED_SOFTIRQ,
    HRTIMER_SOFTIRQ,
    RCU_SOFTIRQ,
    NR_SOFTIRQS
};
extern const char* const softirq_to_name[NR_SOFTIRQS];
extern u64 softirq_counts[NR_SOFTIRQS][NR_CPUS];
extern void (*softirq_actions[NR_SOFTIRQS])();
void open_softirq(Softirq number, void (*action)());
/// Runs it when the current hardirq returns.
void raise_softirq(Softirq number);
void __do_softirq();

} // namespace kernel
