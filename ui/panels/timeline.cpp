// The timeline — head, ruler, and what the pointer does: the wheel zooms where it points, a drag pans, Shift
// and a drag (or a drag on the ruler) measures, a click goes there. See lanes.h for what the lanes hold.
#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include "emu/events/explain.h"
#include "ui/model/format.h"
#include "ui/panels/panels.h"
#include "ui/shell/widgets.h"

namespace vitrine::ui {

namespace {
constexpr float Head = 24, Overview = 22, Ruler = 17, Names = 84, Pad = 8, Cell = 2;

std::string place_text(const Axis& axis, u64 place) {
    return axis.by_time() ? duration_text(place) : "step " + grouped(place);
}
} // namespace

u64 TimelinePanel::step_of(Context& context, u64 place) const {
    if (!axis_.by_time()) return place;
    const Engine& engine = context.engine;
    if (place >= engine.last_time()) return engine.last_step();
    return std::clamp(engine.events().step_at(place), engine.first_step(), engine.last_step());
}

u64 TimelinePanel::now(Context& context) const {
    const emu::Machine& machine = context.engine.machine();
    return axis_.by_time() ? machine.time() : machine.steps();
}

void TimelinePanel::change_unit(Context& context) {
    const Engine& engine = context.engine;
    const emu::EventStore& events = engine.events();
    measured_.reset();
    if (axis_.by_time())
        axis_.change_unit(emu::EventAxis::Step, step_of(context, axis_.from()), step_of(context, axis_.to()),
                          0, engine.last_step());
    else
        axis_.change_unit(emu::EventAxis::Time, events.time_at(axis_.from()), events.time_at(axis_.to()), 0,
                          engine.last_time());
}

void TimelinePanel::head(Context& context, const Rect& area) {
    ImDrawList* draw = ImGui::GetWindowDrawList();
    const ImFont *bold = context.fonts.bold, *font = context.fonts.small;
    draw->AddText(bold, bold->FontSize, {area.x, area.y + context.px(3)}, colour::Text, "Timeline");
    ImGui::SetCursorScreenPos({area.x + context.px(Names), area.y + context.px(1)});
    const auto place = [&](const char* name) {
        const ImVec2 a = ImGui::GetItemRectMin(), size = ImGui::GetItemRectSize();
        context.probe.places.push_back({name, {a.x, a.y, size.x, size.y}});
        ImGui::SameLine(0, context.px(4));
    };
    if (toggle(context, "steps", !axis_.by_time(), "The axis counts steps: what the processor did") &&
        axis_.by_time())
        change_unit(context);
    place("axis steps");
    if (toggle(context, "time", axis_.by_time(),
               "The axis is virtual time: how long it took, waiting included") &&
        !axis_.by_time())
        change_unit(context);
    place("axis time");
    if (toggle(context, "whole run", axis_.whole(), "All of the run, and what is to come"))
        axis_.show_whole();
    place("whole run");
    if (toggle(context, "–", false, "Zoom out (the wheel does, too)")) axis_.zoom(0.5, 2);
    place("zoom out");
    if (toggle(context, "+", false, "Zoom in (the wheel does, too)")) axis_.zoom(0.5, 0.5);
    place("zoom in");
    float x = ImGui::GetCursorScreenPos().x + context.px(10);
    const float y = area.y + context.px(5);
    const auto entry = [&](ImU32 c, const char* label) {
        draw->AddRectFilled({x, y + context.px(2)}, {x + context.px(8), y + context.px(10)}, c, 2);
        draw->AddText(font, font->FontSize, {x + context.px(12), y}, colour::Dim, label);
        x += context.px(24) + font->CalcTextSizeA(font->FontSize, 1e9f, 0, label).x;
    };
    for (const char* source : {"firmware", "processor", "kernel"}) entry(phase_colour(source), source);
    // What was measured, or what the window shows.
    const u64 known = axis_.by_time() ? context.engine.last_time() : context.engine.last_step();
    const auto length = [&](u64 of) { return axis_.by_time() ? duration_text(of) : short_count(of); };
    std::string right = known ? fmt::format("shown: {} of {}{}", length(std::min(axis_.length(), known)),
                                            length(known), axis_.by_time() ? "" : " steps")
                              : "";
    if (measured_) {
        const u64 a = std::min(measured_->first, measured_->second),
                  b = std::max(measured_->first, measured_->second);
        const emu::EventStore& events = context.engine.events();
        const u64 step_a = step_of(context, a), step_b = step_of(context, b);
        const u64 time_a = axis_.by_time() ? a : events.time_at(a),
                  time_b = axis_.by_time() ? b : events.time_at(b);
        right =
            fmt::format("measured: {} steps, {}", grouped(step_b - step_a), duration_text(time_b - time_a));
        for (const auto& [kind, name] : {std::pair{emu::EventKind::Interrupt, "interrupts"},
                                         std::pair{emu::EventKind::SystemCall, "system calls"},
                                         std::pair{emu::EventKind::PageFault, "page faults"},
                                         std::pair{emu::EventKind::TaskSwitch, "switches"}}) {
            const u64 edges[] = {a, b};
            if (const u64 n = events.density(kind, edges, axis_.unit())[0])
                right += fmt::format(" · {} {}", grouped(n), name);
        }
        context.probe.measured = right;
    }
    const float width = font->CalcTextSizeA(font->FontSize, 1e9f, 0, right.c_str()).x;
    if (area.right() - width > x + context.px(10))
        draw->AddText(font, font->FontSize, {area.right() - width, y},
                      measured_ ? colour::Accent : colour::Dim, right.c_str());
}

void TimelinePanel::ruler(Context& context, const Rect& area) {
    context.probe.ruler = area;
    ImDrawList* draw = ImGui::GetWindowDrawList();
    const ImFont* font = context.fonts.small;
    const u64 here = now(context);
    const std::string now_text = place_text(axis_, here);
    const float now_width = font->CalcTextSizeA(font->FontSize, 1e9f, 0, now_text.c_str()).x;
    const float at = axis_.x_of(here, area.x, area.width);
    const bool inside = here >= axis_.from() && here <= axis_.to();
    const float now_left = std::clamp(at - now_width / 2, area.x, area.right() - now_width);
    const float y = area.y + context.px(2);
    for (const auto& tick : axis_.ticks(static_cast<unsigned>(area.width / context.px(110)))) {
        const float x = axis_.x_of(tick.place, area.x, area.width);
        draw->AddLine({x, area.bottom() - context.px(3)}, {x, area.bottom()}, colour::Line);
        const float width = font->CalcTextSizeA(font->FontSize, 1e9f, 0, tick.label.c_str()).x;
        if (x + width > area.right() ||
            (inside && x < now_left + now_width + context.px(8) && x + width + context.px(8) > now_left))
            continue;
        context.probe.tick_labels.push_back({x + context.px(3), y, width, font->FontSize});
        draw->AddText(font, font->FontSize, {x + context.px(3), y}, colour::Faint, tick.label.c_str());
    }
    if (measured_) {
        const float x0 = axis_.x_of(std::min(measured_->first, measured_->second), area.x, area.width),
                    x1 = axis_.x_of(std::max(measured_->first, measured_->second), area.x, area.width);
        draw->AddRectFilled({std::max(x0, area.x), area.y}, {std::min(x1, area.right()), area.bottom()},
                            colour::AccentSoft);
    }
    if (!inside) return;
    draw->AddRectFilled({now_left - context.px(3), area.y},
                        {now_left + now_width + context.px(3), area.bottom() - 1}, colour::Header,
                        context.px(3));
    context.probe.tick_labels.push_back({now_left, y, now_width, font->FontSize});
    draw->AddText(font, font->FontSize, {now_left, y}, colour::Text, now_text.c_str());
}

/// The lanes are made again when something has changed, and while the machine runs as often as views are
/// read.
void TimelinePanel::update(Context& context, float left, float width) {
    Engine& engine = context.engine;
    if (generation_ != engine.generation()) {
        generation_ = engine.generation(), measured_.reset();
        axis_.show_whole(), made_for_ = {};
    }
    const Key same_version{
        context.views.version(), engine.generation(), axis_.from(), axis_.to(), left, width, axis_.unit()};
    // The run's end moves all the time: the window follows it when the lanes are made.
    if (made_for_.version == context.views.version() && made_for_ == same_version && !lanes_.empty()) return;
    axis_.bounds(0, axis_.by_time() ? engine.last_time() : engine.last_step());
    if (stops_ != engine.stops()) {
        stops_ = engine.stops();
        if (!axis_.whole() && press_ == Press::None) axis_.bring_into_sight(now(context));
    }
    switches_.update(engine.events(), engine.machine().processor_count());
    lanes_ = make_lanes(engine.events(), switches_,
                        {axis_, left, width, context.px(Cell), engine.machine().processor_count(),
                         engine.known_phases(), engine.known_modes()});
    made_for_ = {
        context.views.version(), engine.generation(), axis_.from(), axis_.to(), left, width, axis_.unit()};
}

void TimelinePanel::pointer(Context& context, const Rect& ruler, const Rect& area) {
    Engine& engine = context.engine;
    const ImGuiIO& io = ImGui::GetIO();
    const float x = io.MousePos.x, y = io.MousePos.y;
    const bool across = ImGui::IsWindowHovered() && x >= area.x && x < area.right();
    const bool on_ruler = across && y >= ruler.y && y < ruler.bottom(),
               on_lanes = across && y >= area.y && y < area.bottom();
    const auto place = [&](float at) { return axis_.place_at(at, area.x, area.width); };
    if ((on_ruler || on_lanes) && io.MouseWheel != 0) {
        const double share = std::clamp(static_cast<double>((x - area.x) / area.width), 0.0, 1.0);
        if (io.KeyShift)
            axis_.pan(-0.15 * static_cast<double>(io.MouseWheel));
        else
            axis_.zoom(share, std::pow(0.72, static_cast<double>(io.MouseWheel)));
        context.redraw = std::max(context.redraw, 2);
    }
    if ((on_ruler || on_lanes) && ImGui::IsMouseClicked(0)) {
        press_ = on_ruler || io.KeyShift ? Press::Measure : Press::Lanes;
        press_x_ = last_x_ = x, moved_ = false;
    }
    if (press_ == Press::None) return;
    constexpr float Slack = 3;
    moved_ |= std::abs(x - press_x_) > Slack;
    if (press_ == Press::Measure) {
        if (moved_) measured_ = {place(press_x_), place(x)};
    } else if (moved_ && x != last_x_) {
        axis_.pan(static_cast<double>((last_x_ - x) / area.width));
        context.redraw = std::max(context.redraw, 2);
    }
    last_x_ = x;
    if (ImGui::IsMouseDown(0)) return;
    const Press what = std::exchange(press_, Press::None);
    if (moved_) return;
    if (what == Press::Measure) return measured_.reset();
    // A click: to the event that is pointed at, or to that place.
    u64 step = step_of(context, place(x));
    if (pointed_ && pointed_lane_ && pointed_->index != LaneSpan::None) {
        if (pointed_lane_->kind == Lane::Kind::Phases)
            step = engine.known_phases()[pointed_->index].step,
            context.show_phase(static_cast<int>(pointed_->index));
        else if (pointed_lane_->kind == Lane::Kind::Events)
            step = engine.events().at(pointed_lane_->event, pointed_->index).step;
    }
    for (const Engine::Mark& mark : engine.marks())
        if (std::abs(axis_.x_of(axis_.by_time() ? mark.time : mark.step, area.x, area.width) - x) <
                Slack + 1 &&
            !pointed_)
            step = mark.step;
    engine.seek(step);
}

void TimelinePanel::draw(Context& context, const Rect& area) {
    begin_frame(context, "timeline", area);
    const float pad = context.px(Pad), width = area.width - 2 * pad, left = area.x + pad;
    const float forks = branches_height(context);
    const Rect names{left, area.y + context.px(Head + Overview + Ruler + 4) + forks, context.px(Names), 0};
    Rect body{left + context.px(Names), names.y, width - context.px(Names), 0};
    body.height = std::max(context.px(8), area.bottom() - context.px(4) - body.y);
    const Rect axis{body.x, body.y - context.px(Ruler), body.width, context.px(Ruler)};
    update(context, body.x, body.width);
    head(context, {left, area.y + context.px(2), width, context.px(Head)});
    overview(context, {left, area.y + context.px(Head + 2), width, context.px(Overview)});
    branches(context, {left, area.y + context.px(Head + Overview + 3), width, forks});
    ruler(context, axis);
    lanes(context, {names.x, body.y, names.width, body.height}, body);
    pointer(context, axis, body);
    context.probe.lanes = body;
    context.probe.by_time = axis_.by_time(), context.probe.axis_from = axis_.from(),
    context.probe.axis_to = axis_.to();
    end_frame();
}

} // namespace vitrine::ui
