// Layout — where every part of the window lies: the toolbar, the docked panels (dock.h), the timeline, the
// status line.
//
//   ┌ toolbar ───────────────────────────────────────────┐
//   │ columns and rows of panels, as the dock says:      │
//   │ screen      │ code            │ structures (tabs)  │
//   │ terminal    │ processor       │                    │
//   ├─────────────┴─────────────────┴────────────────────┤
//   │ timeline                                           │
//   └ status ────────────────────────────────────────────┘
//
// Invariants: parts never overlap and lie inside the window; borders lie in the gaps between them. A window
// too small for the minimum sizes gets those sizes and is clipped.
#pragma once
#include "ui/model/dock.h"

namespace vitrine::ui {

/// What dragging the timeline's border changes. Negative: the default for this window.
struct Splits {
    float strip = -1; ///< height of the timeline, of the window
};

struct Layout {
    Rect toolbar, timeline, status;
    Rect timeline_border;
    DockLayout dock;
    Splits splits; ///< as used, after defaults and bounds
    /// Where a panel is; nothing when another one is in front of it.
    Rect area_of(Tab panel) const;
    std::vector<Rect> parts() const;
};

/// The smallest window in which every part of three columns has its least size, in pixels.
Rect least_window(float scale);

/// `scale`: pixels per design unit. `guest_width`/`guest_height`: the picture that the screen wants to show.
/// `story`: a lesson is open below it, which wants room.
Layout compute_layout(float width, float height, float scale, const Splits& wanted, const Dock& dock,
                      float guest_width = 720, float guest_height = 400, bool story = false);

} // namespace vitrine::ui
