// Interrupt controllers: see controllers.h.
#include "emu/inspect/controllers.h"
#include <fmt/format.h>
#include "emu/board/board.h"
#include "emu/events/explain.h"
#include "emu/inspect/interrupts.h"
#include "emu/inspect/render.h"
#include "emu/machine.h"

namespace vitrine::emu::inspect {

ControllersView controllers_view(const Machine& machine) {
    ControllersView view;
    const Board& board = machine.board();
    Sheet vectors("vectors", "Vectors in the local APICs", {"CPU", "Vector", "What", "IRR", "ISR", "TMR"});
    Sheet& apics =
        view.add("local_apics", "Local APICs",
                 {"CPU", "ID", "Processor priority", "Requested", "In service", "Level-triggered"});
    for (unsigned i = 0; i < board.processor_count(); ++i) {
        const devices::LocalApic& apic = board.local_apic(i);
        view.apics.push_back({apic.requests().words, apic.in_service().words, apic.trigger_modes().words,
                              apic.processor_priority()});
        unsigned counts[3] = {};
        for (unsigned v = 0; v < 256; ++v) {
            const u8 vector = static_cast<u8>(v);
            const bool irr = apic.requests().test(vector), isr = apic.in_service().test(vector),
                       tmr = apic.trigger_modes().test(vector);
            counts[0] += irr, counts[1] += isr, counts[2] += tmr;
            if (!irr && !isr) continue;
            const std::string title = vector_title(v);
            vectors.row({Cell::number(i), Cell(hex(v, 2)), title.empty() ? vector_name(v) : title,
                         Cell::yes(irr, "requested"), Cell::yes(isr, "in service"), Cell::yes(tmr, "level")});
        }
        apics.row({Cell::number(i), Cell::number(apic.id()), Cell(hex(apic.processor_priority(), 2)),
                   Cell::number(counts[0]), Cell::number(counts[1]), Cell::number(counts[2])});
    }
    vectors.why_empty = "no vector is requested or in service";
    view.sheets.push_back(std::move(vectors));
    Sheet& pins = view.add("io_apic", "I/O APIC pins",
                           {"Pin", "Vector", "Delivery", "Trigger", "Active", "Line", "State", "To"});
    static constexpr const char* Modes[] = {"fixed", "lowest priority", "SMI",   "reserved", "NMI",
                                            "INIT",  "reserved",        "ExtINT"};
    for (unsigned pin = 0; pin < 24; ++pin) {
        const u64 entry =
            board.io_apic().redirection(pin); // figure 11-5 of the data sheet: bits 0–16 and 56–63
        const bool masked = entry >> 16 & 1, waits = entry >> 14 & 1, level = entry >> 15 & 1,
                   high = board.io_apic().pin_level(pin);
        pins.row({Cell::number(pin),
                  Cell(hex(entry & 0xFF, 2)).in(masked ? Cell::Tone::Dim : Cell::Tone::Plain),
                  Cell(Modes[entry >> 8 & 7]).dim(), level ? "level" : "edge",
                  entry >> 13 & 1 ? "low" : "high", Cell(high ? "asserted" : "").in(Cell::Tone::Active),
                  Cell(masked  ? "masked"
                       : waits ? "waits for EOI"
                               : "open")
                      .in(masked  ? Cell::Tone::Dim
                          : waits ? Cell::Tone::Active
                                  : Cell::Tone::Plain),
                  fmt::format("{} {}", entry >> 11 & 1 ? "logical" : "APIC", entry >> 56)});
    }
    return view;
}

std::string to_text(const ControllersView& v) { return to_text(static_cast<const SheetsView&>(v)); }
nlohmann::json to_json(const ControllersView& v) {
    nlohmann::json out = to_json(static_cast<const SheetsView&>(v)), bits = nlohmann::json::array();
    for (const auto& apic : v.apics)
        bits.push_back(
            {{"irr", apic.requested}, {"isr", apic.in_service}, {"tmr", apic.level}, {"ppr", apic.priority}});
    out["registers"] = bits;
    return out;
}

} // namespace vitrine::emu::inspect
