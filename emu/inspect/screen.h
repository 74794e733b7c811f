// The screen's text, as a person reads it. A graphics mode has none: its size is told, `--screenshot` draws
// it.
#pragma once
#include <nlohmann/json.hpp>
#include <string>
#include <vector>
#include "devices/vga/vga.h"
#include "emu/machine.h"

namespace vitrine::emu::inspect {

struct ScreenView {
    bool text = false;
    u32 width = 0, height = 0;      ///< pixels
    std::vector<std::string> lines; ///< trailing blanks are cut
    devices::Vga::Cursor cursor;
};
ScreenView screen_view(const Machine& machine);
std::string to_text(const ScreenView& view);
nlohmann::json to_json(const ScreenView& view);

} // namespace vitrine::emu::inspect
