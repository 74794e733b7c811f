// Interrupt lines: see interrupt_lines.h.
#include "emu/inspect/interrupt_lines.h"
#include <algorithm>
#include <fmt/format.h>
#include "emu/events/explain.h"
#include "emu/inspect/names.h"
#include "emu/inspect/render.h"
#include "emu/symbols/guest_symbols.h"

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
                const char* own = gate.vector == 0xEC   ? "local_timer_counts"
                                  : gate.vector == 0xFD ? "irq_resched_count"
                                  : gate.vector == 0xFC ? "irq_call_count"
                                                        : nullptr;
                for (u64 k = 0; own && kernel->root(own) && k < shown; ++k)
                    row.counts.push_back(number_root(*kernel, own, k));
                view.rows.push_back(std::move(row));
            }
    for (InterruptLineRow& row : view.rows)
        if (const GateRow* gate = gate_of(idt, row.vector))
            row.gate = gate->offset,
            row.handler = gate->handler_name.empty() ? gate->symbol : gate->handler_name,
            row.handler_address = gate->handler ? gate->handler : gate->offset;
    if (view.rows.empty()) view.why_empty = "the kernel serves no interrupt yet: they come with init_IRQ";
    return view;
}

void name_handlers(IdtView& idt, const std::expected<GuestKernel, std::string>& kernel,
                   const GuestSymbols* symbols) {
    if (!kernel || !symbols) return;
    const auto name = [&](u64 address) {
        const auto hit = symbols->at(address);
        return hit && hit->offset == 0 ? symbols->name(address) : std::string();
    };
    // Vectors that the kernel's common entry tells apart by itself (irq/irq.cpp, arch/x86_64/traps.cpp).
    static constexpr std::pair<unsigned, const char*> Own[] = {{0xEC, "hrtimer_interrupt"},
                                                               {0xF8, "machine_halt"},
                                                               {0xFC, "generic_smp_call_function_interrupt"},
                                                               {0xFD, "common_interrupt"},
                                                               {0xFE, "report_apic_error"},
                                                               {1, "trap_dispatch_paranoid"},
                                                               {2, "trap_dispatch_paranoid"},
                                                               {8, "trap_dispatch_paranoid"},
                                                               {18, "trap_dispatch_paranoid"}};
    const auto lines = kernel->root("irq_lines"), own_table = kernel->root("idt");
    const auto size = kernel->size_of("IrqLine");
    if (own_table && own_table->address != idt.base)
        return idt.notes.add("IDTR does not lead to the kernel's own table");
    Notes notes;
    for (GateRow& gate : idt.gates) {
        if (!gate.present) continue;
        const auto own = std::ranges::find(Own, gate.vector, &std::pair<unsigned, const char*>::first);
        if (own != std::end(Own) && symbols->find(own->second)) {
            gate.handler = *symbols->find(own->second), gate.handler_name = own->second;
        } else if (gate.vector < 32) {
            gate.handler = pointer_root(*kernel, "trap_handlers", gate.vector);
            gate.handler_name = name(gate.handler);
        } else if (gate.vector >= FirstLine && lines && size && gate.vector - FirstLine < lines->count) {
            GuestObject action =
                kernel->object("IrqLine", lines->address + (gate.vector - FirstLine) * *size, notes)
                    .pointer("action", "IrqAction");
            for (unsigned i = 0; !action.null() && i < 8; ++i) {
                const u64 handler = action.u64_of("handler");
                if (!gate.handler) gate.handler = handler;
                gate.handler_name += fmt::format("{}{} ({})", i ? ", " : "", name(handler),
                                                 guest_string(kernel->memory(), action.u64_of("name")));
                action = action.pointer("next", "IrqAction");
            }
        }
    }
}

SheetsView deferred_view(const std::expected<GuestKernel, std::string>& kernel, const GuestSymbols* symbols) {
    SheetsView view;
    if (!kernel) {
        view.why_empty = kernel.error();
        return view;
    }
    const auto function = [&](u64 address) {
        const std::string known = symbols ? symbols->name(address) : "";
        return address ? Cell::at(address, Cell::Leads::Code, known) : Cell::none();
    };
    const u64 processors = std::clamp<u64>(number_root(*kernel, "online_cpus"), 1, 8);
    const auto per_cpu = kernel->root("per_cpu");
    const auto stride = kernel->size_of("PerCpu");
    std::vector<std::string> columns = {"Softirq", "Runs"};
    for (u64 cpu = 0; cpu < processors; ++cpu) columns.push_back(fmt::format("CPU {}", cpu));
    columns.push_back("Raised on");
    Sheet& soft = view.add("softirqs", "Softirqs", columns);
    const auto names = kernel->root("softirq_names");
    for (u64 i = 0; names && i < std::min<u64>(names->count, 32); ++i) {
        std::vector<Cell> row{guest_string(kernel->memory(), pointer_root(*kernel, "softirq_names", i)),
                              function(pointer_root(*kernel, "softirq_actions", i))};
        std::string raised;
        for (u64 cpu = 0; cpu < processors; ++cpu) {
            row.push_back(Cell::number(number_root(*kernel, "softirq_counts", i * 8 + cpu)));
            if (per_cpu && stride &&
                kernel->object("PerCpu", per_cpu->address + cpu * *stride, view.notes)
                            .u64_of("softirq_pending") >>
                        i &
                    1)
                raised += fmt::format("{}CPU {}", raised.empty() ? "" : ", ", cpu);
        }
        row.push_back(Cell(raised, Cell::Tone::Active));
        soft.row(std::move(row));
    }
    Sheet& ticks = view.add("ticks", "What the ticks interrupted",
                            {"CPU", "User", "Nice", "System", "Idle", "Interrupts"});
    const auto times = kernel->root("cpu_times");
    const auto times_size = kernel->size_of("CpuTimes");
    for (u64 cpu = 0; times && times_size && cpu < processors; ++cpu) {
        const GuestObject row = kernel->object("CpuTimes", times->address + cpu * *times_size, view.notes);
        ticks.row({Cell::number(cpu), Cell::number(row.u64_of("user")), Cell::number(row.u64_of("nice")),
                   Cell::number(row.u64_of("system")), Cell::number(row.u64_of("idle")),
                   Cell::number(row.u64_of("irq"))});
    }
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
