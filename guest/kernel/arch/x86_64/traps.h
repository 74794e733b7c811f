// Exceptions (SDM 3A chapter 6): page faults go to the memory manager, user errors become signals, kernel
// errors oops.
#pragma once

#include "arch/x86_64/trap_frame.h"

namespace kernel {

void trap_init();
/// Before trap_init(): #PF maps on demand, everything else stops the machine.
void idt_setup_early_handler();

/// Linux's "Oops" report; ends the task, or panics in interrupt context, in PID 0 and 1.
extern bool panic_on_oops;
[[noreturn]] void die(const char* what, const pt_regs& frame);
void show_regs(const pt_regs& frame);
/// Frame-pointer backtrace from rbp; bounded, and never faults.
void show_backtrace(u64 rip, u64 rbp);

/// Last stop before ring 3: signals and rescheduling. Leaves with interrupts off.
extern "C" void exit_to_user_mode_prepare(pt_regs* frame);

} // namespace kernel
