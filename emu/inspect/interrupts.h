// The interrupt descriptor table with its gates decoded (Intel SDM 3A 6.11, 6.14.1; real mode: 20.1.4).
#pragma once
#include <nlohmann/json.hpp>
#include <string>
#include <vector>
#include "cpu/cpu.h"
#include "emu/inspect/reader.h"

namespace vitrine::emu {
class GuestSymbols;
}

namespace vitrine::emu::inspect {

struct GateRow {
    unsigned vector = 0;
    std::string name; ///< "#PF page fault" for the architectural vectors
    bool present = false;
    std::string kind; ///< "interrupt gate", "trap gate", "real-mode vector"
    u16 selector = 0;
    u64 offset = 0;
    u8 dpl = 0, ist = 0;
    std::string symbol;
    u64 handler = 0;          ///< the function that its entry code calls, where the kernel says it
    std::string handler_name; ///< "exc_page_fault"; for interrupts also whose: "ahci_interrupt (ahci)"
};
struct IdtView {
    u64 base = 0;
    u32 limit = 0;
    unsigned entry_size = 0; ///< 16 in long mode, 8 in protected mode, 4 in real mode
    std::vector<GateRow> gates;
    Notes notes;
};

IdtView idt_view(const cpu::Registers& registers, const GuestReader& memory, const GuestSymbols* symbols);
/// One gate, or nothing when it lies beyond the limit or cannot be read.
bool read_gate(const cpu::Registers& registers, const GuestReader& memory, unsigned vector, GateRow& out);
/// "#PF page fault"; "" for vectors that have no architectural meaning.
std::string vector_name(unsigned vector);

std::string to_text(const IdtView& view);
nlohmann::json to_json(const IdtView& view);

} // namespace vitrine::emu::inspect
