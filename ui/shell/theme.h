// Theme — every colour, size and font of the app, in one place.
//
// Everything that is read has a contrast of at least 4.5 : 1 (WCAG 2.1, 1.4.3) on every ground that it stands
// on: tests/ui/theme_test.cpp. The palette: neutral blue-greys; one accent for what can be clicked or is
// active; amber for what has changed. Phase and mode colours are from Okabe and Ito's set, which stays apart
// for colour-blind people.
#pragma once
#include <imgui.h>
#include <string_view>
#include "cpu/bus.h"

namespace vitrine::ui {

namespace colour {
inline constexpr ImU32 rgb(unsigned hex, unsigned alpha = 255) {
    return (alpha << 24) | ((hex & 0xFF) << 16) | (hex & 0xFF00) | (hex >> 16 & 0xFF);
}
inline constexpr ImU32 Window = rgb(0x0E1116), Panel = rgb(0x161B22), Header = rgb(0x1C222B),
                       Inset = rgb(0x0A0D11), Border = rgb(0x2B3340);
inline constexpr ImU32 Text = rgb(0xDCE3EC), Dim = rgb(0xA3AFBF), Faint = rgb(0x8A96A7);
/// For lines and marks alone: as text it could not be read.
inline constexpr ImU32 Line = rgb(0x5C6878);
inline constexpr ImU32 Accent = rgb(0x6CB6FF), AccentSoft = rgb(0x6CB6FF, 40), Link = rgb(0x9CC8F5);
inline constexpr ImU32 Changed = rgb(0xFFC65C), Good = rgb(0x4CC38A), Bad = rgb(0xFF7B72),
                       Record = rgb(0xFF5C5C);
inline constexpr ImU32 CurrentLine = rgb(0x6CB6FF, 46), Hover = rgb(0xFFFFFF, 14), Stripe = rgb(0xFFFFFF, 6);
ImU32 with_alpha(ImU32 c, unsigned alpha);
ImU32 mix(ImU32 a, ImU32 b, float part);
} // namespace colour

ImU32 phase_colour(std::string_view source); ///< "firmware", "processor", "kernel"
ImU32 mode_colour(cpu::Mode mode);
ImU32 page_type_colour(std::size_t type); ///< index into inspect::page_type_names()
/// One of a few colours that stay apart, for things that have none of their own: vectors, tasks, numbers.
ImU32 tone_colour(u32 tone);
ImU32 terminal_colour(unsigned index); ///< the 16 of ECMA-48 SGR

struct Fonts {
    ImFont *text = nullptr, *bold = nullptr, *mono = nullptr, *mono_small = nullptr, *small = nullptr,
           *title = nullptr;
    bool fallback = false; ///< DejaVu is not installed: ImGui's built-in font everywhere
};
/// Builds the font atlas at a scale. The renderer must upload it again afterwards.
/// `software`: glyphs pixel for pixel and square panels, which a software renderer draws many times faster.
Fonts load_fonts(float scale, bool software);
void apply_style(float scale, bool software);

} // namespace vitrine::ui
