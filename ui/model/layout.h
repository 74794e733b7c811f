// Layout — where every part of the window lies, computed from its size alone. No ImGui here: tests check it
// directly.
//
//   ┌ toolbar ───────────────────────────────────────────┐
//   │ screen      │ code            │ structures (tabs)  │
//   ├─────────────┼─────────────────┤                    │
//   │ terminal    │ processor       │                    │
//   ├─────────────┴─────────────────┴────────────────────┤
//   │ timeline                                           │
//   └ status ────────────────────────────────────────────┘
//
// Invariants: parts never overlap and lie inside the window; splitters lie in the gaps between them. A window
// too small for the minimum sizes gets those sizes and is clipped.
#pragma once
#include <array>

namespace vitrine::ui {

struct Rect {
    float x = 0, y = 0, width = 0, height = 0;
    float right() const { return x + width; }
    float bottom() const { return y + height; }
};

/// What dragging splitters changes: fractions of the body. Negative: the default for this window.
struct Splits {
    float left = -1;   ///< width of screen and terminal
    float centre = -1; ///< width of code and processor
    float screen = -1; ///< height of the screen in the left column
    float code = -1;   ///< height of the code in the centre column
    float strip = -1;  ///< height of the timeline, of the window
};

struct Splitter {
    Rect area;
    bool vertical = false; ///< a vertical bar, dragged sideways
    float Splits::* value = nullptr;
    float extent = 1; ///< pixels that stand for the fraction 1
};

struct Layout {
    Rect toolbar, screen, terminal, code, processor, structures, timeline, status;
    std::array<Splitter, 5> splitters;
    Splits splits; ///< as used, after defaults and bounds
    std::array<Rect, 8> parts() const {
        return {toolbar, screen, terminal, code, processor, structures, timeline, status};
    }
};

/// The smallest window in which every part has its least size, in pixels.
Rect least_window(float scale);

/// `scale`: pixels per design unit. `guest_width`/`guest_height`: the picture that the screen wants to show.
Layout compute_layout(float width, float height, float scale, const Splits& wanted, float guest_width = 720,
                      float guest_height = 400);

} // namespace vitrine::ui
