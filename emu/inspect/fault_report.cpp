// Why the processor shut down (Intel SDM 3A 6.15, double fault): the chain of faults, the state of the first,
// the walk of its address, and the gates through which the processor tried to deliver.
#include "emu/inspect/fault_report.h"
#include <fmt/format.h>
#include "emu/board/board.h"
#include "emu/inspect/interrupts.h"
#include "emu/inspect/registers.h"
#include "emu/inspect/render.h"
#include "emu/inspect/walk.h"
#include "emu/symbols/guest_symbols.h"

namespace vitrine::emu::inspect {

namespace {

std::string page_fault_reason(u32 code) {
    // SDM 3A 4.7.
    return fmt::format("{} by {} {}{}", code & 1 ? "a protection violation" : "a page that is not present",
                       code & 4 ? "user mode," : "supervisor mode,",
                       code & 16  ? "fetching an instruction"
                       : code & 2 ? "writing"
                                  : "reading",
                       code & 8 ? ", reserved bit set" : "");
}

} // namespace

std::string explain_triple_fault(const Board& board, const GuestSymbols* symbols) {
    const cpu::Cpu& processor = board.processor();
    const cpu::Registers& r = processor.registers();
    const MachineReader memory(board);
    const cpu::FaultChain& chain = processor.fault_chain();
    if (chain.count == 0) return "the processor shut down without a recorded fault\n";
    std::string out;
    for (unsigned i = 0; i < chain.count && i < 3; ++i) {
        const cpu::Delivery& d = chain.faults[i];
        const std::string at = symbols ? symbols->name(d.rip) : "";
        out += fmt::format("{}: {}",
                           i == 0                 ? "first fault"
                           : i + 1 == chain.count ? "last fault"
                                                  : "then",
                           exception_name(d.vector));
        if (d.has_error_code) out += fmt::format(", error code {}", hex(d.error_code, 4));
        if (d.vector == 14)
            out += fmt::format(", address {} ({})", hex(d.cr2, 16), page_fault_reason(d.error_code));
        out += fmt::format("\n  at {:04x}:{:016x}{}{}, step {}\n", d.cs, d.rip, at.empty() ? "" : " ", at,
                           d.step);
        if (i == 0) {
            out += fmt::format("  frame: ss:rsp {:04x}:{:016x}, rflags {} ({})\n", d.ss, d.rsp,
                               hex(d.rflags, 8), rflags_text(d.rflags));
            u8 code[16];
            const std::size_t n = memory.linear(d.rip, code);
            out += "  code:";
            for (std::size_t k = 0; k < n; ++k) out += fmt::format(" {:02x}", code[k]);
            out += n ? "\n" : " not readable\n";
        }
        GateRow gate;
        if (!read_gate(r, memory, d.vector, gate))
            out += fmt::format("  IDT entry {:02x}: beyond the limit {} or unreadable (IDT at {})\n",
                               d.vector, hex(r.idtr.limit, 4), hex(r.idtr.base, 16));
        else
            out += fmt::format("  IDT entry {:02x}: {}{}, target {:04x}:{}, DPL {}, IST {}\n", d.vector,
                               gate.present ? "" : "not present, ", gate.kind, gate.selector,
                               hex(gate.offset, 16), gate.dpl, gate.ist);
    }
    const cpu::Delivery& first = chain.faults[0];
    const bool paged = (r.cr0 & cpu::PG) != 0;
    if (paged) {
        const u64 address = first.vector == 14 ? first.cr2 : first.rip;
        out += fmt::format("page walk of {}:\n{}",
                           first.vector == 14 ? "the faulting address" : "the instruction",
                           to_text(walk_view(r, memory, address, symbols)));
    }
    return out;
}

} // namespace vitrine::emu::inspect
