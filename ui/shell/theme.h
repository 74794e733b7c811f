// Theme — every colour, size and font of the app, in one place.
//
// Everything that is read has a contrast of at least 4.5 : 1 (WCAG 2.1, 1.4.3) on every ground that it stands
// on: tests/ui/theme_test.cpp. The palette: neutral blue-greys; one accent for what can be clicked or is
// active; amber for what has changed. Phase and mode colours are from Okabe and Ito's set, which stays apart
// for colour-blind people.
#pragma once
#include <imgui.h>
#include <string_view>
#include "cpu/base/types.h"
#include "cpu/bus.h"

namespace vitrine::ui {

namespace colour {
inline constexpr ImU32 rgb(unsigned hex, unsigned alpha = 255) {
    return (alpha << 24) | ((hex & 0xFF) << 16) | (hex & 0xFF00) | (hex >> 16 & 0xFF);
}
// Variables, not constants: use_theme() sets them all.
inline ImU32 Window, Panel, Header, Inset, Border;
inline ImU32 Text, Dim, Faint;
/// For lines and marks alone: as text it could not be read.
inline ImU32 Line;
inline ImU32 Accent, AccentSoft, Link;
inline ImU32 ChangedZeros; ///< the leading zeros of what has changed
inline ImU32 Changed, Good, Bad, Record;
inline ImU32 CurrentLine, Hover, Stripe;
inline ImU32 TabOn;                      ///< the tab in front
inline ImU32 Button, Primary, OnPrimary; ///< grounds of buttons, and the text on the main one
inline ImU32 KeyCap, KeyEdge;
inline ImU32 Call, Jump, Operand;   ///< in disassembly
inline ImU32 BandLabel;             ///< on the bands of the timeline's overview
inline ImU32 LaneLabel, EventLabel; ///< on tasks and modes; on events
inline ImU32 Mixed, MixedEvent, IdleLane;
inline ImU32 NodeBlack, NodeRed; ///< of the run queue's tree
inline ImU32 Shade;              ///< around the guest's picture
inline ImU32 Lift;               ///< what is pointed at is mixed with it
ImU32 with_alpha(ImU32 c, unsigned alpha);
ImU32 mix(ImU32 a, ImU32 b, float part);
} // namespace colour

enum class Theme : u8 { Dark, Light };
void use_theme(Theme theme);
Theme current_theme();

ImU32 phase_colour(std::string_view source); ///< "firmware", "processor", "kernel"
ImU32 mode_colour(cpu::Mode mode);
ImU32 page_type_colour(std::size_t type); ///< index into inspect::page_type_names()
char page_type_letter(std::size_t type);  ///< for those who cannot tell colours apart
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
