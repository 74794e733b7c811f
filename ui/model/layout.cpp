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

Rect Layout::area_of(Tab panel) const {
    for (const DockPlace& place : dock.places)
        if (place.front() == panel) return place.area;
    return {};
}

std::vector<Rect> Layout::parts() const {
    std::vector<Rect> out{toolbar, timeline, status};
    for (const DockPlace& place : dock.places) out.push_back(place.area);
    return out;
}

Layout compute_layout(float width, float height, float scale, const Splits& wanted, const Dock& dock,
                      float guest_width, float guest_height, bool story) {
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
    out.timeline_border = {body.x, body.bottom(), body.width, gap};
    // The guest's picture grows with the interface, in whole steps; where not even one pixel for one fits, it
    // gets two fifths.
    float natural = 0;
    for (float step = std::max(1.0f, std::floor(scale)); step >= 1; --step) {
        natural = guest_width * step + 2 * px(ScreenFrame);
        if (natural <= 0.42f * body.width) break;
    }
    DockWish wish;
    wish.column = natural <= 0.42f * body.width ? natural : std::round(0.40f * body.width);
    const float shown = (wish.column - 2 * px(ScreenFrame)) * guest_height / std::max(guest_width, 1.0f);
    wish.height_share = std::min((shown + px(HeaderHeight + ScreenFooter + ScreenFrame)) / body.height,
                                 story ? 0.36f : 0.68f);
    out.dock = dock.compute(body, scale, wish);
    return out;
}

} // namespace vitrine::ui
