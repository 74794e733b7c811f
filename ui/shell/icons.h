// Icons — small pictures on buttons and cards. They are drawn, not glyphs: no font has them all.
#pragma once
#include <imgui.h>
#include "cpu/base/types.h"

namespace vitrine::ui {

enum class Icon : u8 {
    Run,
    Pause,
    Step,
    StepOver,
    Phase,
    Target,
    Record,
    Stop,
    Replay,
    Restart,
    Clock,
    Fast,
    Help,
    Book,
    Panels
};
inline constexpr unsigned Icons = static_cast<unsigned>(Icon::Panels) + 1;

/// In a square of side `size` around `middle`.
void draw_icon(ImDrawList* draw, Icon icon, ImVec2 middle, float size, ImU32 colour);

} // namespace vitrine::ui
