// The interrupt descriptor table: 256 interrupt gates that all lead to entry.S's stubs (SDM 3A 6.11, 6.14.1).
#pragma once

#include "arch/x86_64/segments.h"
#include "arch/x86_64/trap_frame.h"

namespace kernel {

struct gate_struct {
    u16 offset_low;
    u16 selector;
    u8 ist;
    u8 type_attributes;
    u16 offset_middle;
    u32 offset_high;
    u32 reserved;
};
static_assert(sizeof(gate_struct) == 16);

extern gate_struct idt_table[256];

/// A handler gets the frame; entry.S has saved everything.
using TrapHandler = void (*)(pt_regs&);

/// Fills the table (no IST) and loads it: enough to take an early #PF.
void load_early_interrupt_table();
/// Gives the IST vectors their stacks, and vectors 3 and 4 their user privilege; loads it on the calling CPU.
void load_interrupt_table();
extern TrapHandler trap_handlers[256]; ///< for inspection
void set_trap_handler(u8 vector, TrapHandler handler);
TrapHandler trap_handler(u8 vector);

} // namespace kernel
