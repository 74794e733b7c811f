// The strip — the whole run over steps: boot phases as bands in the colour of who reported them, a lane of
// processor modes below, and where the machine stands. The axis is StripScale's: short phases stay visible.
#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include "ui/model/format.h"
#include "ui/model/strip_scale.h"
#include "ui/panels/panels.h"
#include "ui/shell/widgets.h"

namespace vitrine::ui {

namespace {

constexpr float BandTop = 28, LaneHeight = 10, AxisHeight = 17;

void legend_entry(ImDrawList* draw, Context& context, float& x, float y, ImU32 c, const char* label) {
    const ImFont* font = context.fonts.small;
    draw->AddRectFilled({x, y + context.px(2)}, {x + context.px(9), y + context.px(11)}, c, 2);
    draw->AddText(font, font->FontSize, {x + context.px(14), y}, colour::Dim, label);
    x += context.px(26) + font->CalcTextSizeA(font->FontSize, 1e9f, 0, label).x;
}

void draw_legend(Context& context, const Rect& area) {
    ImDrawList* draw = ImGui::GetWindowDrawList();
    const float y = area.y + context.px(7);
    float x = area.x + context.px(104);
    for (const char* source : {"firmware", "processor", "kernel"})
        legend_entry(draw, context, x, y, phase_colour(source), source);
    x += context.px(8);
    const ImFont* font = context.fonts.small;
    draw->AddText(font, font->FontSize, {x, y}, colour::Faint, "mode:");
    x += font->CalcTextSizeA(font->FontSize, 1e9f, 0, "mode: ").x + context.px(4);
    constexpr struct {
        cpu::Mode mode;
        const char* label;
    } Modes[] = {{cpu::Mode::Real, "real"},
                 {cpu::Mode::Protected16, "protected 16"},
                 {cpu::Mode::Protected32, "protected 32"},
                 {cpu::Mode::Compat32, "compatibility"},
                 {cpu::Mode::Long64, "64-bit"}};
    for (const auto& entry : Modes) legend_entry(draw, context, x, y, mode_colour(entry.mode), entry.label);
}

/// Colours the lane from each change to the next; changes that share a pixel are drawn once.
void draw_modes(Context& context, const StripScale& scale, float top, float bottom) {
    const auto& changes = context.engine.known_modes();
    ImDrawList* draw = ImGui::GetWindowDrawList();
    cpu::Mode mode = changes.empty() ? context.engine.machine().processor().mode()
                                     : cpu::Mode::Real; // reset begins in real mode
    float x = scale.bands().front().x0;
    for (const auto& change : changes) {
        const float next = scale.x_of(change.step);
        if (next >= x + 1) {
            draw->AddRectFilled({x, top}, {next, bottom}, mode_colour(mode));
            x = next;
        }
        mode = change.mode;
    }
    draw->AddRectFilled({x, top}, {scale.bands().back().x1, bottom}, mode_colour(mode));
}

cpu::Mode mode_at(Context& context, u64 step) {
    const auto& changes = context.engine.known_modes();
    auto after = std::ranges::upper_bound(changes, step, {}, &emu::ModeChange::step);
    return after == changes.begin() ? cpu::Mode::Real : std::prev(after)->mode;
}

/// A press on the strip, and every move while the button is down, is a wish to be there.
void scrub(Context& context, const StripScale& scale, bool hovered, float x, const Rect& lanes) {
    auto& navigation = context.navigation;
    Engine& engine = context.engine;
    if (hovered && ImGui::IsMouseClicked(0) && engine.timeline())
        navigation.scrubbing = true, navigation.scrubbed_x = -1;
    if (!ImGui::IsMouseDown(0)) navigation.scrubbing = false;
    if (!navigation.scrubbing || x == navigation.scrubbed_x) return;
    navigation.scrubbed_x = x;
    const float place = std::clamp(x, lanes.x, lanes.right());
    engine.seek(place >= lanes.right() - 1 ? engine.last_step() : scale.step_at(place));
}

} // namespace

void draw_strip(Context& context, const Rect& area) {
    begin_frame(context, "strip", area);
    ImDrawList* draw = ImGui::GetWindowDrawList();
    const ImFont *bold = context.fonts.bold, *font = context.fonts.small;
    draw->AddText(bold, bold->FontSize, {area.x + context.px(10), area.y + context.px(6)}, colour::Text,
                  "Boot");
    draw_legend(context, area);

    const emu::inspect::PhasesView view = context.views.known_phases();
    Engine& engine = context.engine;
    const float left = area.x + context.px(10), right = area.right() - context.px(10);
    const float top = area.y + context.px(BandTop), lane = context.px(LaneHeight);
    const float lane_bottom = area.bottom() - context.px(AxisHeight), lane_top = lane_bottom - lane,
                bottom = lane_top - context.px(2);
    const u64 now = context.engine.machine().steps();
    std::vector<u64> starts;
    for (const auto& row : view.rows) starts.push_back(row.phase.step);
    if (starts.empty() || starts.front() > 0) starts.insert(starts.begin(), 0);
    const u64 end = std::max({now, engine.last_step(), starts.back() + 1});
    const StripScale scale(starts, end, left, right - left);

    draw->AddRectFilled({left, top}, {right, bottom}, colour::Inset, context.px(3));
    if (view.rows.empty()) {
        const char* why = "No phase yet. From the reset vector to the first program: every phase of the boot "
                          "becomes a band here.";
        const ImVec2 size = context.fonts.text->CalcTextSizeA(context.fonts.text->FontSize, 1e9f, 0, why);
        draw->AddText(context.fonts.text, context.fonts.text->FontSize,
                      {left + context.px(12), std::floor((top + bottom - size.y) / 2)}, colour::Dim, why);
    }
    const ImVec2 mouse = ImGui::GetMousePos();
    const bool hovered = ImGui::IsWindowHovered() && mouse.x >= left && mouse.x < right && mouse.y >= top &&
                         mouse.y <= lane_bottom;
    int pointed = -1;
    float last_tick = left - 1000;
    const float at = now == 0 ? left : std::min(scale.x_of(now), right - 1);
    const std::string now_text = fmt::format("step {}", grouped(now));
    const float now_width = font->CalcTextSizeA(font->FontSize, 1e9f, 0, now_text.c_str()).x,
                now_left = std::clamp(at - now_width / 2, left, right - now_width);
    struct Label {
        ImVec2 at;
        std::string text;
        bool strong;
    };
    std::vector<Label> labels; // drawn after the bands, which they may overlap
    const float line_height = font->FontSize + context.px(2);
    std::vector<float> line_ends(
        static_cast<std::size_t>(std::max(1.0f, (bottom - top - context.px(6)) / line_height)), left);
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
        draw->AddRectFilled({x0 + 0.5f, top}, {x1 - 0.5f, top + context.px(3)}, c, 2);
        // The part behind the colon says it. A label may run over its neighbours on a line where nobody else
        // is.
        const std::string label = row.phase.name.substr(row.phase.name.rfind(':') + 1);
        const float width = font->CalcTextSizeA(font->FontSize, 1e9f, 0, label.c_str()).x,
                    begin = std::min(x0 + context.px(4), right - width - context.px(4));
        const auto line = std::ranges::find_if(
            line_ends, [&](float end) { return end + context.px(6) < begin || end == left; });
        if (line != line_ends.end()) {
            *line = begin + width;
            labels.push_back({{begin, std::floor(top + context.px(6) +
                                                 static_cast<float>(line - line_ends.begin()) * line_height)},
                              label,
                              here});
        }
        const std::string tick = short_count(row.phase.step);
        const float tick_width = font->CalcTextSizeA(font->FontSize, 1e9f, 0, tick.c_str()).x;
        const bool under_now =
            x0 < now_left + now_width + context.px(10) && x0 + tick_width + context.px(10) > now_left;
        if (x0 > last_tick + context.px(14) && x0 + tick_width < right && !under_now) {
            draw->AddLine({x0 + 0.5f, lane_bottom}, {x0 + 0.5f, lane_bottom + context.px(3)}, colour::Line);
            draw->AddText(font, font->FontSize, {x0, lane_bottom + context.px(2)}, colour::Faint,
                          tick.c_str());
            last_tick = x0 + tick_width;
        }
    }
    for (const Label& label : labels)
        draw->AddText(font, font->FontSize, label.at,
                      label.strong ? colour::rgb(0xFFFFFF) : colour::rgb(0xC9D3DF), label.text.c_str());
    draw_modes(context, scale, lane_top, lane_bottom);

    // What is known and lies ahead is dimmed.
    if (end > now && engine.in_the_past())
        draw->AddRectFilled({at, top}, {right, lane_bottom}, colour::with_alpha(colour::Panel, 165));
    draw->AddLine({at, top - context.px(3)}, {at, lane_bottom + context.px(2)}, colour::Text, context.px(2));
    draw->AddTriangleFilled({at - context.px(5), top - context.px(7)},
                            {at + context.px(5), top - context.px(7)}, {at, top - context.px(1)},
                            colour::Text);
    draw->AddText(font, font->FontSize, {now_left, lane_bottom + context.px(2)}, colour::Text,
                  now_text.c_str());

    if (hovered) {
        const u64 step = scale.step_at(mouse.x);
        draw->AddLine({mouse.x, top}, {mouse.x, lane_bottom}, colour::with_alpha(colour::Text, 110));
        std::string what = fmt::format("step {} · {}", grouped(step), cpu::mode_name(mode_at(context, step)));
        if (pointed >= 0) {
            const auto& row = view.rows[static_cast<std::size_t>(pointed)];
            what =
                fmt::format("{}\n{}{}from step {}, {} after power-on\n{} steps in {} of virtual time\n",
                            row.phase.name, row.phase.description, row.phase.description.empty() ? "" : "\n",
                            grouped(row.phase.step), duration_text(row.phase.time),
                            grouped(row.duration_steps), duration_text(row.duration_time)) +
                what;
            if (ImGui::IsMouseClicked(0)) context.show_phase(pointed);
        }
        if (engine.timeline() && step >= engine.first_step() && step <= end)
            what += engine.in_the_past() || step < now ? "\nClick or drag: the machine goes there" : "";
        tooltip_now(context, what);
    }
    scrub(context, scale, hovered, mouse.x, {left, top, right - left, lane_bottom - top});
    end_frame();
}

} // namespace vitrine::ui
