// Screen — the guest's VGA picture, resampled to the space there is, and the welcome before the first
// instruction.
//
// The picture comes from the VGA chip's own renderer. A click gives the keyboard to the guest; Ctrl+Alt takes
// it back.
#include <algorithm>
#include <cmath>
#include "devices/vga/vga.h"
#include "emu/board/board.h"
#include "ui/model/format.h"
#include "ui/model/resample.h"
#include "ui/panels/panels.h"
#include "ui/shell/widgets.h"

namespace vitrine::ui {

namespace {

constexpr float FooterHeight = 26;
constexpr u32 LeastWidth = 320, LeastHeight = 200;

struct Hint {
    const char* key;
    const char* meaning;
};
constexpr Hint Hints[] = {
    {"F5", "boot: firmware, loader, kernel, first program"},
    {"F12", "walk through the boot, phase by phase"},
    {"F11", "execute one instruction"},
    {"?", "all keys"},
};

/// A card in the middle of the dark screen, for whoever opens the app for the first time.
void welcome(Context& context, ImVec2 from, ImVec2 to) {
    ImDrawList* draw = ImGui::GetWindowDrawList();
    const float scale = context.scale, line = context.px(25),
                width = std::min(context.px(420), to.x - from.x - context.px(16));
    const float height = context.px(94) + line * static_cast<float>(std::size(Hints));
    if (height > to.y - from.y) return; // half a card says nothing
    const ImVec2 at{std::floor((from.x + to.x - width) / 2), std::floor((from.y + to.y - height) / 2)};
    const ImFont *title = context.fonts.title, *body = context.fonts.text, *small = context.fonts.small;
    const float pad = 20 * scale;
    float y = at.y + 12 * scale;
    draw->AddText(title, title->FontSize, {at.x + pad, y}, colour::Text, "This is a PC at its reset vector");
    y += title->FontSize + 8 * scale;
    const std::string what =
        "Nothing has run yet. The processor stands at FFFFFFF0, 16 bytes below 4 GiB, in real mode.";
    draw->AddText(body, body->FontSize, {at.x + pad, y}, colour::Dim, what.c_str(), nullptr, width - 2 * pad);
    y += body->CalcTextSizeA(body->FontSize, 1e9f, width - 2 * pad, what.c_str()).y + 12 * scale;
    for (const Hint& hint : Hints) {
        const float cap = 34 * scale, cap_height = small->FontSize + 7 * scale;
        draw->AddRectFilled({at.x + pad, y}, {at.x + pad + cap, y + cap_height}, colour::KeyCap, 4 * scale);
        const float key_width = small->CalcTextSizeA(small->FontSize, 1e9f, 0, hint.key).x;
        draw->AddText(small, small->FontSize,
                      {std::floor(at.x + pad + (cap - key_width) / 2), std::floor(y + 3 * scale)},
                      colour::Accent, hint.key);
        draw->AddText(body, body->FontSize,
                      {at.x + pad + cap + 12 * scale, std::floor(y + (cap_height - body->FontSize) / 2)},
                      colour::Text, hint.meaning);
        y += line;
    }
}

} // namespace

void ScreenPanel::draw(Context& context, const Rect& area) {
    devices::FrameBuffer frame;
    context.engine.machine().board().vga().render(frame);
    const bool on = frame.width >= LeastWidth && frame.height >= LeastHeight;
    const bool captured = context.capture == Capture::Screen;
    const bool fresh = context.engine.machine().steps() == 0 && !context.engine.running();
    std::string right = on ? std::to_string(frame.width) + "×" + std::to_string(frame.height) : "display off";
    if (on && context.engine.machine().board().vga().text_mode()) right += " text";
    begin_panel(context, "Screen", area, fresh ? "power-on" : right,
                captured ? colour::Accent : colour::Border, false);

    const ImVec2 origin = ImGui::GetWindowPos(), size = ImGui::GetWindowSize();
    const bool low =
        area.height < context.px(150); // large text in a small window: the picture needs the room
    const float pad = context.px(7), footer = low ? pad : context.px(FooterHeight);
    const ImVec2 from{origin.x + pad, origin.y + pad},
        to{origin.x + size.x - pad, origin.y + size.y - footer};
    ImDrawList* draw = ImGui::GetWindowDrawList();
    draw->AddRectFilled(from, to, colour::Shade, context.px(3));

    // A mode that is only half set up (a few lines high) does not shape the layout.
    if (on && frame.width >= LeastWidth && frame.height >= LeastHeight)
        width_ = frame.width, height_ = frame.height;
    const float room_x = std::max(16.0f, to.x - from.x), room_y = std::max(16.0f, to.y - from.y);
    float factor = std::min(room_x / static_cast<float>(width_), room_y / static_cast<float>(height_));
    if (factor >= 1) factor = std::floor(factor); // a pixel of the guest is a square of whole pixels
    const u32 shown_x = static_cast<u32>(std::floor(static_cast<float>(width_) * factor)),
              shown_y = static_cast<u32>(std::floor(static_cast<float>(height_) * factor));
    const ImVec2 at{std::floor(from.x + (room_x - static_cast<float>(shown_x)) / 2),
                    std::floor(from.y + (room_y - static_cast<float>(shown_y)) / 2)};
    context.probe.picture = {at.x, at.y, static_cast<float>(shown_x), static_cast<float>(shown_y)};
    if (on && !fresh) {
        if (frame.pixels != last_ || shown_x != shown_width_ || shown_y != shown_height_ ||
            picture_.id() == nullptr) {
            picture_.update(context.renderer.sdl(), static_cast<int>(shown_x), static_cast<int>(shown_y),
                            resample(frame.pixels, frame.width, frame.height, shown_x, shown_y));
            last_ = std::move(frame.pixels);
            shown_width_ = shown_x, shown_height_ = shown_y;
        }
        if (picture_.id())
            draw->AddImage(picture_.id(), at,
                           {at.x + static_cast<float>(shown_x), at.y + static_cast<float>(shown_y)});
    } else if (fresh) {
        welcome(context, from, to);
    } else {
        const char* off = "The display is off: no video mode has been set yet";
        const ImVec2 text_size = ImGui::CalcTextSize(off);
        draw->AddText({(from.x + to.x - text_size.x) / 2, (from.y + to.y - text_size.y) / 2}, colour::Faint,
                      off);
    }

    ImGui::SetCursorScreenPos(from);
    if (ImGui::InvisibleButton("screen", {room_x, room_y}))
        context.ask_for_keys(captured ? Capture::None : Capture::Screen);
    if (ImGui::IsItemHovered()) ImGui::SetMouseCursor(ImGuiMouseCursor_Hand);
    if (captured)
        draw->AddRect({from.x - 2, from.y - 2}, {to.x + 2, to.y + 2}, colour::Accent, context.px(4), 0,
                      context.px(2));

    if (low) return end_panel();
    ImGui::SetCursorScreenPos({origin.x + context.px(10), to.y + context.px(5)});
    if (captured)
        text(colour::Accent, "Keys go to the guest · Ctrl+Alt releases them");
    else if (context.engine.running())
        text(colour::Dim, "Click to type · Ctrl+Alt to release");
    else
        text(colour::Dim, "The machine stands still: it hears no keys");
    end_panel();
}

} // namespace vitrine::ui
