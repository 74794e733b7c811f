// Interrupts as the bundled kernel serves them: which vector comes from which pin, where its gate leads, how
// often it came on each processor. The counts are the kernel's own (irq/irq.h), as /proc/interrupts shows
// them.
#pragma once
#include <nlohmann/json.hpp>
#include <string>
#include <vector>
#include "emu/inspect/interrupts.h"
#include "emu/inspect/sheet.h"

namespace vitrine::emu::inspect {

struct InterruptLineRow {
    unsigned vector = 0;
    std::string source; ///< "IO-APIC pin 4", "local APIC timer"
    bool level = false;
    u64 gate = 0;
    std::string handler; ///< the function that serves it, or the symbol that the gate leads to
    u64 handler_address = 0;
    std::vector<u64> counts; ///< per processor; empty: the kernel does not count it
};
struct InterruptLinesView {
    std::vector<InterruptLineRow> rows;
    Notes notes;
    std::string why_empty;
};
InterruptLinesView interrupt_lines_view(const std::expected<GuestKernel, std::string>& kernel,
                                        const IdtView& idt, unsigned processors);
/// Names the functions that the gates' entry code calls: the kernel's exception handlers, the drivers'
/// interrupt handlers.
void name_handlers(IdtView& idt, const std::expected<GuestKernel, std::string>& kernel,
                   const GuestSymbols* symbols);
/// Sheets: softirqs, ticks by what they interrupted.
SheetsView deferred_view(const std::expected<GuestKernel, std::string>& kernel, const GuestSymbols* symbols);
std::string to_text(const InterruptLinesView& view);
nlohmann::json to_json(const InterruptLinesView& view);

} // namespace vitrine::emu::inspect
