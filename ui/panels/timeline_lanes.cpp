// The timeline's lanes: how spans look, and what one says under the pointer.
#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include "emu/events/explain.h"
#include "emu/symbols/guest_symbols.h"
#include "ui/model/format.h"
#include "ui/panels/panels.h"
#include "ui/shell/widgets.h"

namespace vitrine::ui {

namespace {

constexpr float LeastRow = 9, MostRow = 22;
constexpr u32 IdleTask = 0;

ImU32 span_colour(const Lane& lane, const LaneSpan& span) {
    static constexpr const char* Sources[] = {"firmware", "processor", "kernel"};
    switch (lane.kind) {
    case Lane::Kind::Phases:
        return colour::mix(colour::Panel, phase_colour(Sources[std::min(span.tone, 2u)]), 0.40f);
    case Lane::Kind::Mode:
        return colour::mix(colour::Panel, mode_colour(static_cast<cpu::Mode>(span.tone)), 0.42f);
    case Lane::Kind::Task:
        if (span.mixed) return colour::Mixed;
        return span.tone == IdleTask ? colour::IdleLane
                                     : colour::mix(colour::Panel, tone_colour(span.tone), 0.42f);
    default: break;
    }
    return span.mixed ? colour::MixedEvent : tone_colour(span.tone);
}

/// Bars with dark grounds carry light text, bright ones dark text (4.5 : 1 at least: theme_test.cpp).
ImU32 ink(const Lane& lane) {
    return lane.kind == Lane::Kind::Events ? colour::EventLabel : colour::LaneLabel;
}

std::string label_of(const Lane& lane, const LaneSpan& span) {
    if (lane.kind == Lane::Kind::Mode) return emu::mode_short_name(static_cast<cpu::Mode>(span.tone));
    if (lane.kind == Lane::Kind::Task && span.tone == IdleTask && !span.mixed) return "idle";
    return span.label;
}

} // namespace

void TimelinePanel::draw_lane(Context& context, const Lane& lane, const Rect& area) {
    ImDrawList* draw = ImGui::GetWindowDrawList();
    ImFont* font = context.fonts.small;
    const float size = std::min(font->FontSize, area.height - 1);
    const bool texts = area.height >= context.px(9);
    for (const LaneSpan& span : lane.spans) {
        const bool cell = lane.kind == Lane::Kind::Events && !lane.each;
        const float height =
            cell ? std::max(2.0f, std::round(area.height * (0.25f + 0.75f * span.height))) : area.height;
        ImU32 c = span_colour(lane, span);
        // What is like the thing that is pointed at lights up.
        if (pointed_ && pointed_lane_ && pointed_lane_->kind == lane.kind &&
            pointed_lane_->event == lane.event && !span.mixed && !pointed_->mixed &&
            pointed_->tone == span.tone && lane.kind != Lane::Kind::Phases)
            c = colour::mix(c, colour::Lift, 0.30f);
        const float x1 = std::max(span.x1 - (span.x1 - span.x0 > 4 ? 1.0f : 0.0f), span.x0 + 1);
        draw->AddRectFilled({span.x0, area.bottom() - height}, {x1, area.bottom()}, c);
        const std::string label =
            texts && span.x1 - span.x0 > context.px(20) ? label_of(lane, span) : std::string();
        if (label.empty()) continue;
        const ImVec4 clip{span.x0, area.y, span.x1 - 2, area.bottom()};
        draw->AddText(font, size, {span.x0 + context.px(3), std::floor(area.y + (area.height - size) / 2)},
                      ink(lane), label.c_str(), nullptr, 0, &clip);
    }
    // Events by themselves that are thin: their words stand beside them.
    if (lane.kind != Lane::Kind::Events || !lane.each || !texts) return;
    for (std::size_t i = 0; i < lane.spans.size(); ++i) {
        const LaneSpan& span = lane.spans[i];
        if (span.label.empty() || span.x1 - span.x0 > context.px(20)) continue;
        const float end = i + 1 < lane.spans.size() ? lane.spans[i + 1].x0 - 2 : area.right();
        const ImVec4 clip{span.x1, area.y, end, area.bottom()};
        draw->AddText(font, size, {span.x1 + context.px(3), std::floor(area.y + (area.height - size) / 2)},
                      colour::Dim, span.label.c_str(), nullptr, 0, &clip);
    }
}

void TimelinePanel::explain(Context& context, const Lane& lane, const LaneSpan& span) {
    const Engine& engine = context.engine;
    const emu::EventStore& events = engine.events();
    const emu::GuestSymbols* symbols = engine.machine().symbols();
    std::string what;
    switch (lane.kind) {
    case Lane::Kind::Phases: {
        const emu::Phase& phase = engine.known_phases()[span.index];
        what = fmt::format("{} ({}){}{}", phase.name, phase.source, phase.description.empty() ? "" : ": ",
                           phase.description);
        break;
    }
    case Lane::Kind::Mode:
        what = fmt::format("{} mode", cpu::mode_name(static_cast<cpu::Mode>(span.tone)));
        break;
    default:
        if (span.index == LaneSpan::None) {
            what = fmt::format("{} {}: their details are no longer held", grouped(span.count),
                               emu::event_kind_name(lane.event));
            break;
        }
        if (span.count > 1)
            what = fmt::format("{} {} events lie here; the first: ", grouped(span.count),
                               emu::event_kind_name(lane.event));
        what += emu::explain(events, events.at(lane.event, span.index), symbols);
    }
    context.probe.pointed = what;
    tooltip_now(context, what + "\nClick: go there");
}

void TimelinePanel::lanes(Context& context, const Rect& names, const Rect& area) {
    ImDrawList* draw = ImGui::GetWindowDrawList();
    ImFont* font = context.fonts.small;
    draw->AddRectFilled({area.x, area.y}, {area.right(), area.bottom()}, colour::Inset, 2);
    const float least = context.px(LeastRow) + 1;
    const std::size_t shown =
        std::clamp<std::size_t>(static_cast<std::size_t>(area.height / least), 1, lanes_.size());
    const float row = std::floor(std::min(area.height / static_cast<float>(shown), context.px(MostRow)));
    const ImVec2 mouse = ImGui::GetMousePos();
    const bool hovered =
        ImGui::IsWindowHovered() && mouse.x >= area.x && mouse.x < area.right() && mouse.y >= area.y;
    // What is pointed at, before anything is drawn.
    pointed_ = nullptr, pointed_lane_ = nullptr;
    for (std::size_t i = 0; i < shown && hovered; ++i) {
        const float y = area.y + static_cast<float>(i) * row;
        if (mouse.y < y || mouse.y >= y + row) continue;
        pointed_lane_ = &lanes_[i];
        pointed_ = span_at(lanes_[i], mouse.x, context.px(3));
    }
    for (std::size_t i = 0; i < shown; ++i) {
        const float y = area.y + static_cast<float>(i) * row;
        const Rect here{area.x, y + 1, area.width, row - 1};
        context.probe.lane_rows.push_back({lanes_[i].name, here});
        if (i % 2) draw->AddRectFilled({area.x, y}, {area.right(), y + row}, colour::Stripe);
        draw->AddText(font, font->FontSize, {names.x, std::floor(y + (row - font->FontSize) / 2)},
                      colour::Dim, lanes_[i].name.c_str());
        draw_lane(context, lanes_[i], here);
    }
    const float bottom = area.y + static_cast<float>(shown) * row;
    if (measured_) {
        const float x0 = axis_.x_of(std::min(measured_->first, measured_->second), area.x, area.width),
                    x1 = axis_.x_of(std::max(measured_->first, measured_->second), area.x, area.width);
        if (x1 > area.x && x0 < area.right())
            draw->AddRectFilled({std::max(x0, area.x), area.y}, {std::min(x1, area.right()), bottom},
                                colour::AccentSoft);
    }
    for (const Engine::Mark& mark : context.engine.marks()) {
        const u64 place = axis_.by_time() ? mark.time : mark.step;
        if (place < axis_.from() || place > axis_.to()) continue;
        const float x = axis_.x_of(place, area.x, area.width);
        draw->AddLine({x, area.y}, {x, bottom}, colour::Changed);
        draw->AddText(font, font->FontSize, {x + context.px(3), area.y}, colour::Changed, mark.text.c_str());
    }
    // Where the machine stands; what is known and lies ahead is dimmed.
    const u64 place = now(context);
    const float x = axis_.x_of(place, area.x, area.width);
    if (context.engine.in_the_past() && x < area.right())
        draw->AddRectFilled({std::max(x, area.x), area.y}, {area.right(), bottom},
                            colour::with_alpha(colour::Panel, 150));
    if (place >= axis_.from() && place <= axis_.to())
        draw->AddLine({std::min(x, area.right() - 1), area.y - context.px(2)},
                      {std::min(x, area.right() - 1), bottom}, colour::Text, context.px(1.5f));
    if (shown < lanes_.size()) {
        const std::string more = fmt::format("{} more: make it taller", lanes_.size() - shown);
        const float width = font->CalcTextSizeA(font->FontSize, 1e9f, 0, more.c_str()).x;
        draw->AddText(font, font->FontSize, {area.right() - width - 2, bottom - font->FontSize},
                      colour::Faint, more.c_str());
    }
    if (!hovered || press_ != Press::None) return;
    draw->AddLine({mouse.x, area.y}, {mouse.x, bottom}, colour::with_alpha(colour::Text, 110));
    if (pointed_) return explain(context, *pointed_lane_, *pointed_);
    const u64 at = axis_.place_at(mouse.x, area.x, area.width);
    const Engine& engine = context.engine;
    const std::string task = emu::task_at(engine.events(), 0, step_of(context, at));
    context.probe.pointed.clear();
    tooltip_now(context, fmt::format("{}{}", axis_.by_time() ? duration_text(at) : "step " + grouped(at),
                                     task.empty() ? std::string() : fmt::format(" · CPU 0 ran {}", task)));
}

} // namespace vitrine::ui
