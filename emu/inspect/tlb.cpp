// Translation caches: see tlb.h.
#include "emu/inspect/tlb.h"
#include <algorithm>
#include <fmt/format.h>
#include "cpu/mmu/walk.h"
#include "emu/inspect/render.h"

namespace vitrine::emu::inspect {

SheetsView tlb_view(const cpu::Cpu& processor, const GuestReader& memory) {
    SheetsView view;
    const cpu::PagingState state = cpu::paging_state(processor.registers());
    auto entries = processor.translations();
    std::ranges::sort(entries, {}, [](const cpu::Translation& t) {
        return std::tuple(t.code, t.linear, t.pcid, t.global);
    });
    for (const bool code : {false, true}) {
        Sheet& sheet = view.add(code ? "instruction" : "data", code ? "Instruction TLB" : "Data TLB",
                                {"Linear", "Physical", "Page", "Rights", "Dirty", "Space", "Tables now"});
        for (const cpu::Translation& t : entries) {
            if (t.code != code) continue;
            std::string now = "another address space's";
            if (t.current && state.mode != cpu::PagingMode::None) {
                const auto walk = cpu::walk(
                    [&](u64 address, unsigned size, u64& entry) {
                        return entry = 0, memory.physical(address, {reinterpret_cast<u8*>(&entry), size});
                    },
                    state, t.linear);
                now = !walk.present                                        ? "stale: not present any more"
                      : walk.physical != t.physical                        ? "stale: " + hex(walk.physical)
                      : walk.writable != t.writable || walk.user != t.user ? "stale: other rights"
                                                                           : "the same";
            }
            const bool stale = now.starts_with("stale");
            sheet.row(
                {Cell::at(t.linear), Cell::at(t.physical, Cell::Leads::Physical), Cell::size(t.size),
                 fmt::format("{}{}{}", t.user ? 'u' : 's', t.writable ? 'w' : '-', t.no_execute ? '-' : 'x'),
                 Cell::yes(t.dirty, "D"), t.global ? std::string("global") : fmt::format("PCID {}", t.pcid),
                 Cell(now).in(stale       ? Cell::Tone::Warning
                              : t.current ? Cell::Tone::Plain
                                          : Cell::Tone::Dim)});
        }
        sheet.remark = fmt::format("{} entries", sheet.rows.size());
        sheet.why_empty = state.mode == cpu::PagingMode::None ? "paging is off: nothing is translated"
                                                              : "empty: it was flushed a moment ago";
    }
    return view;
}

} // namespace vitrine::emu::inspect
