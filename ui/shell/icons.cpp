// Icons: see icons.h.
#include "ui/shell/icons.h"
#include <algorithm>
#include <cmath>
#include "ui/shell/theme.h"

namespace vitrine::ui {

void draw_icon(ImDrawList* draw, Icon icon, ImVec2 c, float s, ImU32 colour) {
    const float r = s * 0.5f, w = std::max(1.5f, s * 0.13f);
    switch (icon) {
    case Icon::Run:
        draw->AddTriangleFilled({c.x - r * 0.7f, c.y - r}, {c.x - r * 0.7f, c.y + r}, {c.x + r, c.y}, colour);
        break;
    case Icon::Pause:
        draw->AddRectFilled({c.x - r * 0.8f, c.y - r}, {c.x - r * 0.2f, c.y + r}, colour, 1);
        draw->AddRectFilled({c.x + r * 0.2f, c.y - r}, {c.x + r * 0.8f, c.y + r}, colour, 1);
        break;
    case Icon::Step: // an arrow down to a line
        draw->AddLine({c.x, c.y - r}, {c.x, c.y + r * 0.3f}, colour, w);
        draw->AddTriangleFilled({c.x - r * 0.6f, c.y - r * 0.1f}, {c.x + r * 0.6f, c.y - r * 0.1f},
                                {c.x, c.y + r * 0.6f}, colour);
        draw->AddLine({c.x - r * 0.8f, c.y + r}, {c.x + r * 0.8f, c.y + r}, colour, w);
        break;
    case Icon::StepOver: // an arrow over a dot
        draw->PathArcTo({c.x, c.y + r * 0.4f}, r, 3.3f, 6.0f, 14);
        draw->PathStroke(colour, 0, w);
        draw->AddTriangleFilled({c.x + r * 0.45f, c.y + r * 0.15f}, {c.x + r * 1.35f, c.y - r * 0.15f},
                                {c.x + r * 1.0f, c.y + r * 0.75f}, colour);
        draw->AddCircleFilled({c.x, c.y + r * 0.7f}, r * 0.3f, colour, 10);
        break;
    case Icon::Phase:
        draw->AddTriangleFilled({c.x - r, c.y - r}, {c.x - r, c.y + r}, {c.x + r * 0.3f, c.y}, colour);
        draw->AddRectFilled({c.x + r * 0.5f, c.y - r}, {c.x + r * 0.9f, c.y + r}, colour, 1);
        break;
    case Icon::Target:
        draw->AddCircle(c, r, colour, 20, w);
        draw->AddCircleFilled(c, r * 0.4f, colour, 12);
        break;
    case Icon::Record: draw->AddCircleFilled(c, r * 0.85f, colour::Record, 20); break;
    case Icon::Stop: // the recording's dot, ringed while it runs
        draw->AddCircleFilled(c, r * 0.5f, colour::Record, 16);
        draw->AddCircle(c, r, colour::Record, 20, w);
        break;
    case Icon::Replay: // a tape's frame around the arrow that runs it
        draw->AddRect({c.x - r * 1.1f, c.y - r * 0.9f}, {c.x + r * 1.1f, c.y + r * 0.9f}, colour, 2, 0, w);
        draw->AddTriangleFilled({c.x - r * 0.4f, c.y - r * 0.5f}, {c.x - r * 0.4f, c.y + r * 0.5f},
                                {c.x + r * 0.55f, c.y}, colour);
        break;
    case Icon::Fast:
        draw->AddTriangleFilled({c.x - r, c.y - r * 0.8f}, {c.x - r, c.y + r * 0.8f}, {c.x, c.y}, colour);
        draw->AddTriangleFilled({c.x, c.y - r * 0.8f}, {c.x, c.y + r * 0.8f}, {c.x + r, c.y}, colour);
        break;
    case Icon::Clock:
        draw->AddCircle(c, r, colour, 20, w);
        draw->AddLine(c, {c.x, c.y - r * 0.65f}, colour, w);
        draw->AddLine(c, {c.x + r * 0.5f, c.y + r * 0.2f}, colour, w);
        break;
    case Icon::Book: // an open book
        draw->AddRect({c.x - r * 1.1f, c.y - r * 0.8f}, {c.x, c.y + r * 0.8f}, colour, 1, 0, w);
        draw->AddRect({c.x, c.y - r * 0.8f}, {c.x + r * 1.1f, c.y + r * 0.8f}, colour, 1, 0, w);
        break;
    case Icon::Panels: // a window of three parts
        draw->AddRect({c.x - r * 1.1f, c.y - r * 0.9f}, {c.x + r * 1.1f, c.y + r * 0.9f}, colour, 1, 0, w);
        draw->AddLine({c.x, c.y - r * 0.9f}, {c.x, c.y + r * 0.9f}, colour, w);
        draw->AddLine({c.x, c.y}, {c.x + r * 1.1f, c.y}, colour, w);
        break;
    case Icon::Help: // a key
        draw->AddRect({c.x - r, c.y - r}, {c.x + r, c.y + r}, colour, 2, 0, w);
        draw->AddLine({c.x - r * 0.5f, c.y + r * 0.4f}, {c.x + r * 0.5f, c.y + r * 0.4f}, colour, w);
        break;
    case Icon::Restart:
        draw->PathArcTo(c, r * 0.9f, -0.9f, 4.2f, 20);
        draw->PathStroke(colour, 0, w);
        draw->AddTriangleFilled({c.x + r * 0.1f, c.y - r * 1.0f}, {c.x + r * 1.1f, c.y - r * 1.1f},
                                {c.x + r * 0.9f, c.y - r * 0.1f}, colour);
        break;
    }
}

/// Without room for every label the icons say it alone; the hints still have the words.

} // namespace vitrine::ui
