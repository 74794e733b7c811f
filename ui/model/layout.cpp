// The window's layout: see layout.h. All lengths below are design units; `scale` makes pixels of them.
#include "ui/model/layout.h"
#include <algorithm>
#include <cmath>

namespace vitrine::ui {

namespace {
constexpr float ToolbarHeight = 44, StatusHeight = 26, TimelineHeight = 196, Gap = 6, Margin = 8;
constexpr float HeaderHeight = 30, ScreenFrame = 8,
                ScreenFooter = 26; // around the guest's picture, inside its panel
constexpr float MostTimeline = 0.245f, LeastTimelineShare = 0.15f; ///< of a low window, by default
constexpr float LowWindow = 400, HighWindow = 760;                 ///< between them, more and more
constexpr float LeastColumn = 200, LeastRow = 90, LeastTimeline = 76;

float fraction(float wanted, float otherwise, float least, float most) {
    return std::clamp(wanted < 0 ? otherwise : wanted, std::min(least, most), most);
}
} // namespace

Rect least_window(float scale) {
    return {0, 0, std::ceil((3 * LeastColumn + 2 * Gap + 2 * Margin) * scale),
            std::ceil((ToolbarHeight + StatusHeight + LeastTimeline + 2 * LeastRow + 3 * Gap) * scale)};
}

Layout compute_layout(float width, float height, float scale, const Splits& wanted, float guest_width,
                      float guest_height) {
    Layout out;
    const auto px = [scale](float units) { return std::round(units * scale); };
    const float gap = px(Gap), margin = px(Margin);
    width = std::max(width, px(3 * LeastColumn + 2 * Gap + 2 * Margin));
    height = std::max(height, px(ToolbarHeight + StatusHeight + LeastTimeline + 2 * LeastRow + 3 * Gap));

    out.toolbar = {0, 0, width, px(ToolbarHeight)};
    out.status = {0, height - px(StatusHeight), width, px(StatusHeight)};
    const float between = out.status.y - out.toolbar.bottom() - 2 * gap;
    const float grown = std::clamp((height / scale - LowWindow) / (HighWindow - LowWindow), 0.0f, 1.0f);
    const float most_timeline = LeastTimelineShare + (MostTimeline - LeastTimelineShare) * grown;
    out.splits.strip = fraction(wanted.strip, std::min(px(TimelineHeight) / height, most_timeline),
                                px(LeastTimeline) / height, (between - px(2 * LeastRow) - gap) / height);
    const float timeline_height = std::round(out.splits.strip * height);
    out.timeline = {margin, out.status.y - gap - timeline_height, width - 2 * margin, timeline_height};

    const Rect body{margin, out.toolbar.bottom(), width - 2 * margin,
                    out.timeline.y - gap - out.toolbar.bottom()};
    // The guest's picture grows with the interface, in whole steps; where not even one pixel for one fits, it
    // gets two fifths.
    float natural = 0;
    for (float step = std::max(1.0f, std::floor(scale)); step >= 1; --step) {
        natural = guest_width * step + 2 * px(ScreenFrame);
        if (natural <= 0.42f * body.width) break;
    }
    const float left_default = natural <= 0.42f * body.width ? natural / body.width : 0.40f;
    const float least = px(LeastColumn) / body.width;
    out.splits.left =
        fraction(wanted.left, left_default, least, 1 - 2 * (px(LeastColumn) + gap) / body.width);
    const float left_width = std::round(out.splits.left * body.width);
    const float rest = body.width - left_width - 2 * gap;
    out.splits.centre =
        fraction(wanted.centre, 0.49f * rest / body.width, least, (rest - px(LeastColumn)) / body.width);
    const float centre_width = std::round(out.splits.centre * body.width);

    const float shown = (left_width - 2 * px(ScreenFrame)) * guest_height / std::max(guest_width, 1.0f);
    const float screen_default = (shown + px(HeaderHeight + ScreenFooter + ScreenFrame)) / body.height;
    const float least_row = px(LeastRow) / body.height,
                most_row = (body.height - gap - px(LeastRow)) / body.height;
    out.splits.screen = fraction(wanted.screen, std::min(screen_default, 0.68f), least_row, most_row);
    out.splits.code = fraction(wanted.code, 0.47f, least_row, most_row);

    const auto column = [&](float x, float column_width, float share, Rect& top, Rect& bottom) {
        const float top_height = std::round(share * body.height);
        top = {x, body.y, column_width, top_height};
        bottom = {x, top.bottom() + gap, column_width, body.height - top_height - gap};
    };
    column(body.x, left_width, out.splits.screen, out.screen, out.terminal);
    column(out.screen.right() + gap, centre_width, out.splits.code, out.code, out.processor);
    const float structures_x = out.code.right() + gap;
    out.structures = {structures_x, body.y, body.right() - structures_x, body.height};

    out.splitters = {{
        {{out.screen.right(), body.y, gap, body.height}, true, &Splits::left, body.width},
        {{out.code.right(), body.y, gap, body.height}, true, &Splits::centre, body.width},
        {{out.screen.x, out.screen.bottom(), out.screen.width, gap}, false, &Splits::screen, body.height},
        {{out.code.x, out.code.bottom(), out.code.width, gap}, false, &Splits::code, body.height},
        {{body.x, body.bottom(), body.width, gap},
         false,
         &Splits::strip,
         -height}, // dragging down makes the timeline smaller
    }};
    return out;
}

} // namespace vitrine::ui
