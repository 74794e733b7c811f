// See screen.h.
#include "emu/inspect/screen.h"
#include <fmt/format.h>
#include "emu/board/board.h"

namespace vitrine::emu::inspect {

ScreenView screen_view(const Machine& machine) {
    const devices::Vga& vga = machine.board().vga();
    devices::FrameBuffer picture;
    vga.render(picture);
    return {vga.text_mode(), picture.width, picture.height, vga.text_screen(), vga.cursor()};
}

std::string to_text(const ScreenView& v) {
    if (!v.text)
        return fmt::format("a graphics mode of {} x {} pixels: --screenshot FILE draws it\n", v.width,
                           v.height);
    std::string out;
    std::size_t used = v.lines.size();
    while (used && v.lines[used - 1].empty()) --used;
    for (std::size_t i = 0; i < used; ++i) out += v.lines[i] + "\n";
    if (v.cursor.visible) out += fmt::format("cursor: column {}, row {}\n", v.cursor.column, v.cursor.row);
    return used ? out : "the screen is empty\n" + out;
}

nlohmann::json to_json(const ScreenView& v) {
    nlohmann::json out{{"text_mode", v.text}, {"width", v.width}, {"height", v.height}};
    if (!v.text) return out;
    out["lines"] = v.lines;
    out["cursor"] = {{"column", v.cursor.column}, {"row", v.cursor.row}, {"visible", v.cursor.visible}};
    return out;
}

} // namespace vitrine::emu::inspect
