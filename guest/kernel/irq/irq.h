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
inline constexpr u8 RescheduleVector = 0xfd, LocalTimerVector = 0xec, ErrorVector = 0xfe,
                    SpuriousVector = 0xff;

using IrqHandler = void (*)(void* context);

struct IrqAction {
    IrqHandler handler = nullptr;
    void* context = nullptr;
    const char* name = nullptr;
    IrqAction* next = nullptr; ///< shared lines
};

struct IrqLine {
    IrqAction* actions = nullptr;
    const char* chip = nullptr; ///< "IO-APIC", "PCI-MSI", "XT-PIC"
    u8 pin = 0;
    bool level = false;
    u64 counts[MaxCpus] = {};
};
extern IrqLine irq_lines[IrqCount];
extern u64 local_timer_counts[MaxCpus], spurious_count, error_count;

/// Remaps and masks the 8259s, finds LAPIC and IOAPIC, routes the ISA lines.
void initialise_irq();
/// The tick: LAPIC timer, or the PIT without one.
void initialise_tick();
bool using_apic();

Result<void> request_irq(unsigned line, IrqHandler handler, void* context, const char* name);
/// A PCI pin-signalled line: level, active low.
Result<void> request_pci_irq(unsigned line, IrqHandler handler, void* context, const char* name);
/// A free MSI line; *address and *data are what the device must write.
Result<unsigned> allocate_msi(u64* address, u32* data);

/// From trap_dispatch, vectors 30h and up.
void handle_interrupt(TrapFrame& frame);

// --- softirqs, in Linux's order
// ------------------------------------------------------------------------------------------
enum Softirq : u8 {
    SoftirqHi,
    SoftirqTimer,
    SoftirqNetTx,
    SoftirqNetRx,
    SoftirqBlock,
    SoftirqIrqPoll,
    SoftirqTasklet,
    SoftirqSched,
    SoftirqHrtimer,
    SoftirqRcu,
    SoftirqCount
};
extern const char* const softirq_names[SoftirqCount];
extern u64 softirq_counts[SoftirqCount][MaxCpus];
void open_softirq(Softirq number, void (*action)());
/// Runs it when the current hardirq returns.
void raise_softirq(Softirq number);
void run_pending_softirqs();

} // namespace kernel
