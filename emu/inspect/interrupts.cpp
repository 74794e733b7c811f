// IDT: see interrupts.h.
#include "emu/inspect/interrupts.h"
#include <fmt/format.h>
#include "emu/inspect/fault_report.h"
#include "emu/inspect/render.h"
#include "emu/symbols/guest_symbols.h"

namespace vitrine::emu::inspect {

namespace {
// SDM 3A table 6-1.
constexpr const char* Exceptions[32] = {"#DE divide error",
                                        "#DB debug",
                                        "NMI",
                                        "#BP breakpoint",
                                        "#OF overflow",
                                        "#BR bound range",
                                        "#UD invalid opcode",
                                        "#NM no coprocessor",
                                        "#DF double fault",
                                        "coprocessor segment overrun",
                                        "#TS invalid TSS",
                                        "#NP segment not present",
                                        "#SS stack segment",
                                        "#GP general protection",
                                        "#PF page fault",
                                        "",
                                        "#MF x87 error",
                                        "#AC alignment check",
                                        "#MC machine check",
                                        "#XM SIMD error",
                                        "#VE virtualization",
                                        "#CP control protection",
                                        "",
                                        "",
                                        "",
                                        "",
                                        "",
                                        "",
                                        "",
                                        "",
                                        "",
                                        ""};

unsigned gate_size(const cpu::Registers& r) {
    return !(r.cr0 & cpu::PE) ? 4 : r.msr.efer & cpu::LMA ? 16 : 8;
}

const char* gate_kind(unsigned type) {
    switch (type) {
    case 5: return "task gate";
    case 6: return "interrupt gate (16-bit)";
    case 7: return "trap gate (16-bit)";
    case 14: return "interrupt gate";
    case 15: return "trap gate";
    default: return "not a gate";
    }
}
} // namespace

std::string vector_name(unsigned vector) { return vector < 32 ? Exceptions[vector] : ""; }

const char* exception_name(unsigned vector) {
    return vector < 32 && Exceptions[vector][0] ? Exceptions[vector] : "interrupt";
}

bool read_gate(const cpu::Registers& r, const GuestReader& memory, unsigned vector, GateRow& out) {
    const unsigned size = gate_size(r);
    out = {};
    out.vector = vector, out.name = vector_name(vector);
    if ((vector + 1) * size - 1 > r.idtr.limit) return false;
    u64 raw[2] = {};
    if (memory.linear(r.idtr.base + u64{vector} * size, {reinterpret_cast<u8*>(raw), size}) != size)
        return false;
    if (size == 4) {
        out.offset = raw[0] & 0xFFFF, out.selector = static_cast<u16>(raw[0] >> 16);
        out.present = true, out.kind = "real-mode vector";
        return true;
    }
    out.selector = static_cast<u16>(raw[0] >> 16);
    out.offset = (raw[0] & 0xFFFF) | (raw[0] >> 32 & 0xFFFF0000) | (size == 16 ? raw[1] << 32 : 0);
    out.present = (raw[0] >> 47 & 1) != 0;
    out.dpl = raw[0] >> 45 & 3;
    out.ist = size == 16 ? raw[0] >> 32 & 7 : 0;
    out.kind = gate_kind(raw[0] >> 40 & 31);
    return true;
}

IdtView idt_view(const cpu::Registers& r, const GuestReader& memory, const GuestSymbols* symbols) {
    IdtView view;
    view.base = r.idtr.base, view.limit = r.idtr.limit, view.entry_size = gate_size(r);
    for (unsigned vector = 0; vector < 256; ++vector) {
        if ((vector + 1) * view.entry_size - 1 > view.limit) break;
        GateRow gate;
        if (!read_gate(r, memory, vector, gate)) {
            view.notes.add(fmt::format("memory at {} cannot be read",
                                       hex(view.base + u64{vector} * view.entry_size, 16)));
            break;
        }
        if (symbols) gate.symbol = symbols->name(gate.offset);
        view.gates.push_back(std::move(gate));
    }
    if (view.gates.empty() && view.notes.empty())
        view.notes.add("the table's limit leaves no gate: no interrupt handlers are installed yet");
    return view;
}

std::string to_text(const IdtView& v) {
    std::string out =
        fmt::format("IDT at {} limit {}, {} bytes a gate\n", hex(v.base, 16), hex(v.limit, 4), v.entry_size);
    Table table({"vector", "target", "kind", "dpl", "ist", "symbol", "handler", "meaning"});
    unsigned absent = 0;
    for (const auto& gate : v.gates) {
        if (!gate.present) {
            ++absent;
            continue;
        }
        table.row({fmt::format("{:02x}", gate.vector), fmt::format("{:04x}:{:x}", gate.selector, gate.offset),
                   gate.kind, std::to_string(gate.dpl), gate.ist ? std::to_string(gate.ist) : "", gate.symbol,
                   gate.handler_name, gate.name});
    }
    out += table.text();
    if (absent) out += fmt::format("{} gates are not present\n", absent);
    return out + notes_text(v.notes);
}

nlohmann::json to_json(const IdtView& v) {
    nlohmann::json gates = nlohmann::json::array();
    for (const auto& gate : v.gates)
        gates.push_back({{"vector", gate.vector},
                         {"name", gate.name},
                         {"present", gate.present},
                         {"kind", gate.kind},
                         {"selector", gate.selector},
                         {"offset", hex(gate.offset, 16)},
                         {"dpl", gate.dpl},
                         {"ist", gate.ist},
                         {"symbol", gate.symbol},
                         {"handler", gate.handler_name},
                         {"handler_address", hex(gate.handler, 16)}});
    return {{"base", hex(v.base, 16)},
            {"limit", v.limit},
            {"entry_size", v.entry_size},
            {"gates", gates},
            {"notes", notes_json(v.notes)}};
}

} // namespace vitrine::emu::inspect
