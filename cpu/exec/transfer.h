// Privilege-changing transfers share these: stack switching and the TSS. SDM vol. 3A 5.8, 6.12, 7.7.
#pragma once
#include "cpu/exec/segment.h"
#include "cpu/exec/stack.h"

namespace vitrine::cpu {

// `ext` is bit 0 of error codes: the fault comes while an event that the program did not ask for is delivered
// (3A 6.13).
/// SS:rSP for `cpl` from the 16- or 32-bit TSS.
bool tss_stack(Core& core, u8 cpl, u16& ss, u32& sp, u32 ext = 0);
/// RSP0–2 or IST1–7 of the 64-bit TSS, by its offset there.
bool tss64_pointer(Core& core, unsigned offset, u64& rsp, u32 ext = 0);
/// Checks a new stack segment for `cpl`; #TS on failure (SDM 3A 6.12.1).
bool check_stack_segment(Core& core, u16 selector, u8 cpl, Descriptor& d, u32 ext = 0);
/// Nulls DS ES FS GS when the new, outer CPL may not use them.
void null_inaccessible(Core& core);

/// Hardware task switching (exec/task.cpp, SDM 3A 7.3). A fault before the switch leaves everything as it
/// was; a fault in the new task's context becomes Core::deferred_fault and the function returns true, unless
/// `how` is Interrupt.
enum class TaskSwitch : u8 { Jump, Call, Interrupt, Return };
struct TaskEvent {
    bool has_error = false;
    u32 error = 0, ext = 0;
    u64 flags_image = 0;
};
/// To the task whose TSS `selector` names. r.rip is what the old task continues with.
bool switch_task(Core& core, u16 selector, TaskSwitch how, const TaskEvent& event);
/// Through a task gate that passed its privilege check.
bool task_gate(Core& core, const Descriptor& gate, TaskSwitch how, const TaskEvent& event);

/// INT n in virtual-8086 mode (SDM 3B 20.3). True: `done` tells whether the 8086 handler was called, else the
/// IDT is next.
bool virtual_interrupt(Core& core, u8 vector, bool& done);
/// CR4.VME in virtual-8086 mode, or CR4.PVI at CPL 3, with IOPL < 3: CLI and STI work on VIF.
bool virtual_interrupt_flag(const Core& core);

} // namespace vitrine::cpu
