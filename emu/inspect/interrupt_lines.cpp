// Interrupt lines: see interrupt_lines.h.
#include "emu/inspect/interrupt_lines.h"
#include <algorithm>
#include <fmt/format.h>
#include "emu/events/explain.h"
#include "emu/inspect/render.h"

namespace vitrine::emu::inspect {

namespace {
constexpr unsigned FirstLine = 0x30, MostLines = 64, FirstOther = 0x80; // guest/kernel/irq/irq.h

const GateRow* gate_of(const IdtView& idt, unsigned vector) {
    const auto found = std::ranges::find(idt.gates, vector, &GateRow::vector);
    return found != idt.gates.end() && found->present ? &*found : nullptr;
}
} // namespace

InterruptLinesView interrupt_lines_view(const std::expected<GuestKernel, std::string>& kernel,
                                        const IdtView& idt, unsigned processors) {
    InterruptLinesView view;
    if (!kernel) {
        view.why_empty = kernel.error();
        return view;
    }
    const auto lines = kernel->root("irq_lines");
    const auto size = kernel->size_of("IrqLine");
    const auto counts = kernel->field("IrqLine", "counts");
    if (!lines || !size || !counts) {
        view.why_empty = "the kernel has not published irq_lines";
        return view;
    }
    const u64 shown = std::min<u64>({processors, counts->size / 8, 8});
    for (u64 i = 0; i < std::min<u64>(lines->count, MostLines); ++i) {
        const GuestObject line = kernel->object("IrqLine", lines->address + i * *size, view.notes);
        const u64 name = line.u64_of("chip");
        if (!name) continue; // nobody has asked for it
        InterruptLineRow row;
        row.vector = FirstLine + static_cast<unsigned>(i);
        char chip[24] = {};
        kernel->memory().linear(name, {reinterpret_cast<u8*>(chip), sizeof chip - 1});
        for (char& c : chip)
            if (c && (c < ' ' || c > 126)) c = '?';
        row.source = fmt::format("{} {}", chip, line.u64_of("pin"));
        row.level = line.u64_of("level") != 0;
        for (u64 k = 0; k < shown; ++k) {
            u64 count = 0;
            kernel->memory().linear_value(line.address() + counts->offset + k * 8, count);
            row.counts.push_back(count);
        }
        // Lines that no driver has taken have the same chip, pin 0, and no count.
        if (line.u64_of("pin") == 0 && std::ranges::all_of(row.counts, [](u64 count) { return count == 0; }))
            continue;
        view.rows.push_back(std::move(row));
    }
    // What processors send to themselves and each other.
    for (const GateRow& gate : idt.gates)
        if (gate.present && gate.vector >= FirstOther)
            if (const std::string title = vector_title(gate.vector); !title.empty()) {
                InterruptLineRow row;
                row.vector = gate.vector, row.source = title;
                view.rows.push_back(std::move(row));
            }
    for (InterruptLineRow& row : view.rows)
        if (const GateRow* gate = gate_of(idt, row.vector))
            row.gate = gate->offset, row.handler = gate->symbol;
    if (view.rows.empty()) view.why_empty = "the kernel serves no interrupt yet: they come with init_IRQ";
    return view;
}

std::string to_text(const InterruptLinesView& view) {
    if (!view.why_empty.empty()) return view.why_empty + "\n";
    Table table({"vector", "source", "trigger", "gate", "handler", "count"});
    for (const auto& row : view.rows) {
        std::string counts;
        for (u64 count : row.counts) counts += fmt::format("{}{}", counts.empty() ? "" : " ", count);
        table.row({hex(row.vector, 2), row.source,
                   row.counts.empty() ? ""
                   : row.level        ? "level"
                                      : "edge",
                   hex(row.gate), row.handler, counts});
    }
    return table.text() + notes_text(view.notes);
}

nlohmann::json to_json(const InterruptLinesView& view) {
    nlohmann::json rows = nlohmann::json::array();
    for (const auto& row : view.rows)
        rows.push_back({{"vector", row.vector},
                        {"source", row.source},
                        {"level", row.level},
                        {"gate", hex(row.gate)},
                        {"handler", row.handler},
                        {"counts", row.counts}});
    return {{"interrupts", rows}, {"notes", notes_json(view.notes)}, {"why_empty", view.why_empty}};
}

} // namespace vitrine::emu::inspect
