// The call stack: who called the code that runs, through interrupts and across the system call into the
// program that made it.
//
// In the bundled kernel frames are chained by RBP (System V ABI x86-64, 3.2.2), and the entry code leaves
// pt_regs behind a frame of its own (guest/kernel/arch/x86_64/entry.S); from there the interrupted code goes
// on. Programs are compiled without frame pointers as often as not: where the chain does not hold, the first
// words of the stack behind which a call ends are shown, and marked as guesses. Invariants: bounded; a frame
// is never invented: each is a return address that stood in memory or in a register.
#pragma once
#include "emu/inspect/code_names.h"
#include "emu/inspect/sheet.h"

namespace vitrine::emu::inspect {

struct CallFrame {
    enum class How : u8 {
        Here,    ///< where the processor stands
        Return,  ///< a return address in a chain of frames
        Trap,    ///< what an interrupt, exception or system call broke into
        Perhaps, ///< a word of the stack that may be a return address
    };
    u64 address = 0;
    u64 stack = 0; ///< where the address was found, or the stack pointer
    How how = How::Here;
    std::string name, source; ///< "do_syscall_64+0x4f"; "guest/kernel/syscall/entry.cpp:31"
    std::string through;      ///< of a Trap: "system call write", "interrupt ECh", "#PF page fault"
    bool user = false;
};
struct CallsView {
    std::vector<CallFrame> frames; ///< innermost first
    Notes notes;
};
CallsView calls_view(const Machine& machine, unsigned processor, const CodeNames& names);
std::string to_text(const CallsView& view);
nlohmann::json to_json(const CallsView& view);

} // namespace vitrine::emu::inspect
