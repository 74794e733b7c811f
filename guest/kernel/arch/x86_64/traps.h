// Exceptions (SDM 3A chapter 6): page faults go to the memory manager, user errors become signals, kernel
// errors oops.
#pragma once

#include "arch/x86_64/trap_frame.h"

namespace kernel {

void initialise_traps();
/// Before initialise_traps(): #PF maps on demand, everything else stops the machine.
void initialise_early_traps();

/// Linux's "Oops" report; ends the task, or panics in interrupt context, in PID 0 and 1.
[[noreturn]] void oops(const char* what, const TrapFrame& frame);
void show_registers(const TrapFrame& frame);
/// Frame-pointer backtrace from rbp; bounded, and never faults.
void show_backtrace(u64 rip, u64 rbp);

/// Last stop before ring 3: signals and rescheduling. Leaves with interrupts off.
extern "C" void exit_to_user_mode(TrapFrame* frame);

} // namespace kernel
