// Interrupt controllers: what each local APIC has requested, in service and as level-triggered, and the pins
// of the I/O APIC (Intel SDM 3A 11.8.4; 82093AA data sheet 3.2.4).
#pragma once
#include <array>
#include "emu/inspect/sheet.h"

namespace vitrine::emu {
class Machine;
}

namespace vitrine::emu::inspect {

struct ControllersView : SheetsView {
    struct Apic {
        std::array<u32, 8> requested{}, in_service{}, level{}; ///< IRR, ISR, TMR: bit v % 32 of word v / 32
        u8 priority = 0;                                       ///< PPR
    };
    std::vector<Apic> apics; ///< by processor
};
ControllersView controllers_view(const Machine& machine);
std::string to_text(const ControllersView& view);
nlohmann::json to_json(const ControllersView& view);

} // namespace vitrine::emu::inspect
