// The timeline's overview — the whole run in one line: boot phases as bands in the colour of who reported
// them, on an axis on which short phases stay visible (StripScale), with the window that the lanes show.
// Click or drag: the machine goes there.
#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include "ui/model/format.h"
#include "ui/model/strip_scale.h"
#include "ui/panels/panels.h"
#include "ui/shell/widgets.h"

namespace vitrine::ui {

namespace {

/// A press on the overview, and every move while the button is down, is a wish to be there.
void scrub(Context& context, const StripScale& scale, bool hovered, float x, const Rect& bands) {
    auto& navigation = context.navigation;
    Engine& engine = context.engine;
    if (hovered && ImGui::IsMouseClicked(0) && engine.timeline())
        navigation.scrubbing = true, navigation.scrubbed_x = -1;
    if (!ImGui::IsMouseDown(0)) navigation.scrubbing = false;
    if (!navigation.scrubbing || x == navigation.scrubbed_x) return;
    navigation.scrubbed_x = x;
    const float place = std::clamp(x, bands.x, bands.right());
    engine.seek(place >= bands.right() - 1 ? engine.last_step() : scale.step_at(place));
}

} // namespace

void TimelinePanel::overview(Context& context, const Rect& area) {
    context.probe.strip = area;
    ImDrawList* draw = ImGui::GetWindowDrawList();
    const ImFont* font = context.fonts.small;
    const emu::inspect::PhasesView& view = context.views.known_phases();
    Engine& engine = context.engine;
    const float left = area.x, right = area.right(), top = area.y, bottom = area.bottom();
    const u64 now = engine.machine().steps();
    std::vector<u64> starts;
    for (const auto& row : view.rows) starts.push_back(row.phase.step);
    if (starts.empty() || starts.front() > 0) starts.insert(starts.begin(), 0);
    const u64 end = std::max({now, engine.last_step(), starts.back() + 1});
    const StripScale scale(starts, end, left, right - left);

    draw->AddRectFilled({left, top}, {right, bottom}, colour::Inset, context.px(3));
    if (view.rows.empty()) {
        const char* why = "No phase yet. From the reset vector to the first program: every phase of the boot "
                          "becomes a band here.";
        draw->AddText(font, font->FontSize,
                      {left + context.px(8), std::floor((top + bottom - font->FontSize) / 2)}, colour::Dim,
                      why);
    }
    const ImVec2 mouse = ImGui::GetMousePos();
    const bool hovered =
        ImGui::IsWindowHovered() && mouse.x >= left && mouse.x < right && mouse.y >= top && mouse.y < bottom;
    int pointed = -1;
    float label_end = left;
    for (std::size_t i = 0; i < view.rows.size(); ++i) {
        const auto& row = view.rows[i];
        const float x0 = scale.x_of(row.phase.step),
                    x1 = i + 1 < view.rows.size() ? scale.x_of(view.rows[i + 1].phase.step) : right;
        if (x1 - x0 < 0.5f) continue; // two reports at one step: the later one names the band
        const bool here = hovered && mouse.x >= x0 && mouse.x < x1;
        if (here) pointed = static_cast<int>(i);
        const ImU32 c = phase_colour(row.phase.source);
        draw->AddRectFilled({x0 + 0.5f, top}, {x1 - 0.5f, bottom},
                            colour::mix(colour::Panel, c,
                                        here    ? 0.60f
                                        : i % 2 ? 0.30f
                                                : 0.38f),
                            2);
        draw->AddRectFilled({x0 + 0.5f, top}, {x1 - 0.5f, top + context.px(2)}, c, 1);
        // The part behind the colon says it; only where it fits.
        const std::string label = row.phase.name.substr(row.phase.name.rfind(':') + 1);
        const float width = font->CalcTextSizeA(font->FontSize, 1e9f, 0, label.c_str()).x;
        if (x0 + context.px(4) < label_end || width + context.px(8) > x1 - x0) continue;
        label_end = x0 + context.px(4) + width;
        draw->AddText(font, font->FontSize,
                      {x0 + context.px(4), std::floor((top + context.px(2) + bottom - font->FontSize) / 2)},
                      here ? colour::LaneLabel : colour::BandLabel, label.c_str());
    }
    // What is known and lies ahead is dimmed.
    const float at = now == 0 ? left : std::min(scale.x_of(now), right - 1);
    if (end > now && engine.in_the_past())
        draw->AddRectFilled({at, top}, {right, bottom}, colour::with_alpha(colour::Panel, 165));
    // The window of the lanes.
    if (!axis_.whole()) {
        const u64 from = step_of(context, axis_.from()), to = step_of(context, axis_.to());
        const float x0 = std::floor(scale.x_of(from)), x1 = std::max(scale.x_of(to), x0 + 3);
        draw->AddRect({x0 - 1, top - 1}, {x1 + 1, bottom + 1}, colour::Accent, 2, 0, context.px(1.5f));
    }
    for (const Engine::Mark& mark : engine.marks()) {
        const float x = scale.x_of(mark.step);
        draw->AddTriangleFilled({x - context.px(3), bottom}, {x + context.px(3), bottom},
                                {x, bottom - context.px(5)}, colour::Changed);
    }
    draw->AddLine({at, top - context.px(2)}, {at, bottom + context.px(1)}, colour::Text, context.px(2));
    if (hovered && !context.navigation.scrubbing) {
        const u64 step = scale.step_at(mouse.x);
        std::string what = fmt::format("step {}", grouped(step));
        if (pointed >= 0) {
            const auto& row = view.rows[static_cast<std::size_t>(pointed)];
            what =
                fmt::format("{}\n{}{}from step {}, {} after power-on\n{} steps in {} of virtual time\n",
                            row.phase.name, row.phase.description, row.phase.description.empty() ? "" : "\n",
                            grouped(row.phase.step), duration_text(row.phase.time),
                            grouped(row.duration_steps), duration_text(row.duration_time)) +
                what;
        }
        if (engine.timeline() && step >= engine.first_step() && step <= end)
            what += engine.in_the_past() || step < now ? "\nClick or drag: the machine goes there" : "";
        tooltip_now(context, what);
    }
    if (pointed >= 0 && ImGui::IsMouseClicked(0)) context.show_phase(pointed);
    scrub(context, scale, hovered, mouse.x, area);
}

} // namespace vitrine::ui
