// The page walk of one linear address, step by step, and the map of a whole address space (Intel SDM 3A ch.
// 4).
//
// Both use the processor's own walker (cpu/mmu/walk.h). Invariants: no side effects — accessed and dirty bits
// are not set; the address-space walk reads a bounded number of tables, so that a table that points at itself
// ends in a note.
#pragma once
#include <nlohmann/json.hpp>
#include <string>
#include <vector>
#include "cpu/mmu/walk.h"
#include "emu/inspect/reader.h"

namespace vitrine::emu {
class GuestSymbols;
}

namespace vitrine::emu::inspect {

struct WalkRow {
    std::string level; ///< "PML4", "PDPT", "PD", "PT"
    unsigned index = 0;
    u64 address = 0, entry = 0;
    std::string flags; ///< "P W U A D PS G NX"
};
struct WalkView {
    u64 linear = 0;
    std::string symbol, paging; ///< "4-level paging", "paging is off"
    std::vector<WalkRow> rows;
    bool present = false;
    u64 physical = 0, page_size = 0;
    std::string rights;  ///< "user, writable, no-execute"
    std::string verdict; ///< one line: where it leads, or why it does not
};
WalkView walk_view(const cpu::Registers& registers, const GuestReader& memory, u64 linear,
                   const GuestSymbols* symbols);

/// One run of pages with the same rights.
struct MappedRange {
    u64 first = 0, last = 0; ///< inclusive
    u64 physical = 0;        ///< of the first byte
    bool contiguous = true;  ///< physically
    u64 page_size = 0;       ///< 0: mixed
    bool writable = false, user = false, no_execute = false, global = false;
    std::string region; ///< "direct map", "kernel text": by address, for 64-bit kernels
};
struct AddressSpaceView {
    u64 cr3 = 0;
    std::string paging;
    std::vector<MappedRange> ranges;
    u64 tables = 0, mapped_bytes = 0;
    Notes notes;
};
AddressSpaceView address_space_view(const cpu::Registers& registers, const GuestReader& memory,
                                    const GuestSymbols* symbols);

std::string to_text(const WalkView& view);
nlohmann::json to_json(const WalkView& view);
std::string to_text(const AddressSpaceView& view);
nlohmann::json to_json(const AddressSpaceView& view);

} // namespace vitrine::emu::inspect
