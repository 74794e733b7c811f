// The timeline's branches — futures that an input in the past has cut off: each is a line from where it was
// left to where it is known, under the overview and on its axis. A click makes it the future again.
#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include "ui/model/format.h"
#include "ui/model/strip_scale.h"
#include "ui/panels/panels.h"
#include "ui/shell/widgets.h"

namespace vitrine::ui {

namespace {
constexpr float Row = 14;
constexpr std::size_t MostRows = 3; ///< the palette finds all of them
} // namespace

float TimelinePanel::branches_height(Context& context) const {
    const emu::Timeline* timeline = context.engine.timeline();
    return timeline ? context.px(Row) * static_cast<float>(std::min(timeline->branches().size(), MostRows))
                    : 0;
}

void TimelinePanel::branches(Context& context, const Rect& area) {
    const emu::Timeline* timeline = context.engine.timeline();
    if (!timeline || timeline->branches().empty()) return;
    ImDrawList* draw = ImGui::GetWindowDrawList();
    const ImFont* font = context.fonts.small;
    std::vector<u64> starts;
    for (const auto& row : context.views.known_phases().rows) starts.push_back(row.phase.step);
    if (starts.empty() || starts.front() > 0) starts.insert(starts.begin(), 0);
    const u64 end =
        std::max({context.engine.machine().steps(), context.engine.last_step(), starts.back() + 1});
    const StripScale scale(starts, end, area.x, area.width);
    const auto& all = timeline->branches();
    const std::size_t shown = std::min(all.size(), MostRows);
    const ImVec2 mouse = ImGui::GetMousePos();
    for (std::size_t i = 0; i < shown; ++i) {
        const emu::Timeline::Branch& branch = all[all.size() - 1 - i]; // the newest first
        const float top = area.y + static_cast<float>(i) * context.px(Row), bottom = top + context.px(Row);
        const float y = std::floor((top + bottom) / 2);
        const float x0 = scale.x_of(std::min(branch.forked_at, end));
        std::string label = branch.name;
        if (i + 1 == shown && all.size() > shown)
            label += fmt::format("  (and {} more: Ctrl+P)", all.size() - shown);
        const float width = font->CalcTextSizeA(font->FontSize, 1e9f, 0, label.c_str()).x;
        // It may be known further than the run of now: then its line ends at the edge, with an arrow.
        const float x1 = std::clamp(branch.last > end ? area.right() : scale.x_of(branch.last),
                                    x0 + context.px(12), area.right());
        // The words stand where there is room: on the line, or left of where it begins.
        const bool inside = area.right() - x0 > width + context.px(24);
        const float words = inside ? x0 + context.px(14) : std::max(area.x, x0 - width - context.px(8));
        const Rect row{std::min(x0, words) - context.px(2), top,
                       std::max(x1, words + width) - std::min(x0, words) + context.px(4), bottom - top};
        const bool hovered = ImGui::IsWindowHovered() && mouse.x >= row.x && mouse.x < row.right() &&
                             mouse.y >= top && mouse.y < bottom;
        const ImU32 c = hovered ? colour::Text : colour::Dim;
        draw->AddLine({x0, area.y - context.px(2)}, {x0, y}, c, context.px(1.5f));
        draw->AddLine({x0, y}, {x1, y}, c, context.px(1.5f));
        if (branch.last > end)
            draw->AddTriangleFilled({x1 - context.px(5), y - context.px(3)},
                                    {x1 - context.px(5), y + context.px(3)}, {x1, y}, c);
        else
            draw->AddCircleFilled({x1, y}, context.px(2.5f), c);
        draw->AddRectFilled({words - context.px(3), top}, {words + width + context.px(3), bottom},
                            colour::Panel);
        draw->AddText(font, font->FontSize, {words, std::floor(y - font->FontSize / 2)}, c, label.c_str());
        context.probe.places.push_back({branch.name, {words, top, width, bottom - top}});
        if (!hovered) continue;
        const auto to_come = std::ranges::count_if(
            branch.inputs, [&](const auto& input) { return input.step >= branch.forked_at; });
        tooltip_now(context,
                    fmt::format("{}: left at step {}, known to step {}, {} input{} to come\nClick: it is the "
                                "future again, and the one of now becomes a branch",
                                branch.name, grouped(branch.forked_at), grouped(branch.last), to_come,
                                to_come == 1 ? "" : "s"));
        if (ImGui::IsMouseClicked(0)) return context.engine.return_to_branch(branch.name);
    }
}

} // namespace vitrine::ui
