// --ui-state FILE: what the window shows, as JSON, for tests that act as a person does and must see what a
// person sees. Written anew whenever it changes; nothing is computed for it.
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include "emu/load/files.h"
#include "ui/shell/app.h"
#include "ui/shell/toolbar.h"

namespace vitrine::ui {

namespace {
nlohmann::json rect(const Rect& r) { return {r.x, r.y, r.width, r.height}; }
} // namespace

void App::write_state_file() {
    if (options_.ui_state.empty()) return;
    const Context& context = *context_;
    const Probe& probe = context.probe;
    static constexpr const char* Captures[] = {"none", "screen", "terminal"};
    static constexpr const char* Dialogs[] = {"none",    "go-to",   "run-to", "record",  "save",
                                              "replay",  "open",    "start",  "restart", "keys",
                                              "message", "lessons", "palette"};
    nlohmann::json places = nlohmann::json::object();
    for (const auto& [name, area] : probe.places) places[name] = rect(area);
    const Layout& layout = context.layout;
    nlohmann::json lanes = nlohmann::json::object(), events = nlohmann::json::object();
    unsigned lesson_failed = 0;
    for (const auto& part : context.lessons.outcomes())
        for (const auto& outcome : part) lesson_failed += !outcome.good;
    for (const auto& [name, area] : probe.lane_rows) lanes[name] = rect(area);
    for (unsigned kind = 0; kind < emu::EventKinds; ++kind)
        events[emu::event_kind_name(static_cast<emu::EventKind>(kind))] =
            engine_->events().count(static_cast<emu::EventKind>(kind));
    nlohmann::json dock = nlohmann::json::object();
    for (const DockPlace& place : layout.dock.places)
        for (Tab panel : place.panels)
            dock[TabNames[static_cast<unsigned>(panel)]] = {{"area", rect(place.area)},
                                                            {"front", panel == place.front()}};
    nlohmann::json tick_labels = nlohmann::json::array();
    for (const Rect& area : probe.tick_labels) tick_labels.push_back(rect(area));
    const nlohmann::json now = {
        {"dock", dock},
        {"changed_bytes", probe.changed_bytes},
        {"walk", context.navigation.walk},
        {"preset", preset_name(context.dock.preset())},
        {"maximised",
         context.dock.maximised() ? TabNames[static_cast<unsigned>(*context.dock.maximised())] : ""},
        {"light", light_name(engine_->light())},
        {"message", engine_->message()},
        {"error", engine_->message_is_error()},
        {"step", views_->registers().step},
        {"capture", Captures[static_cast<unsigned>(context.capture)]},
        {"dialog", Dialogs[static_cast<unsigned>(context.dialog)]},
        {"dialog_text", probe.dialog_text},
        {"dialog_area", rect(probe.dialog)},
        {"matches", probe.matches},
        {"match", probe.match},
        {"menu", probe.menu},
        {"tab", static_cast<unsigned>(context.navigation.tab)},
        {"phase", context.navigation.phase},
        {"phases", context.navigation.phases_seen},
        {"phases_scroll", probe.phases_scroll},
        {"phases_scroll_max", probe.phases_scroll_max},
        {"picture", rect(probe.picture)},
        {"code_title", probe.code_title},
        {"tooltip", probe.tooltip},
        {"scale", context.scale},
        {"first", engine_->first_step()},
        {"last", engine_->last_step()},
        {"past", engine_->in_the_past()},
        {"travelling", engine_->travelling()},
        {"terminal_lines", context.terminal.lines().size()},
        {"branches", engine_->timeline() ? engine_->timeline()->branches().size() : 0},
        {"refused", probe.refused},
        {"breakpoints", engine_->breakpoints().size()},
        {"hits", engine_->breakpoints().empty() ? 0 : engine_->breakpoints().back().hits},
        {"rip", views_->registers().rip},
        {"processor", views_->shown_processor()},
        {"steps_per_second", engine_->steps_per_second()},
        {"times_real", engine_->times_real()},
        {"places", places},
        {"axis", {{"time", probe.by_time}, {"from", probe.axis_from}, {"to", probe.axis_to}}},
        {"ruler", rect(probe.ruler)},
        {"lanes", rect(probe.lanes)},
        {"lesson", context.lessons.lesson() ? context.lessons.lesson()->name : ""},
        {"lesson_part", context.lessons.part()},
        {"lesson_working", context.lessons.working()},
        {"lesson_finished", context.lessons.finished()},
        {"lesson_failed", lesson_failed},
        {"pointed_part", context.pointed_part},
        {"watched", probe.watched},
        {"icons", probe.icons},
        {"tick_labels", tick_labels},
        {"why_empty", probe.why_empty},
        {"scheduler_samples", probe.scheduler_samples},
        {"buddy_notes", probe.buddy_notes},
        {"calls", probe.calls},
        {"changed_code", probe.changed_code},
        {"searched", probe.searched},
        {"finding", probe.finding},
        {"code_top", context.navigation.code},
        {"answer", probe.answer},
        {"measured", probe.measured},
        {"pointed", probe.pointed},
        {"lane_rows", lanes},
        {"events", events},
        {"marks", engine_->marks().size()},
        {"parts",
         {{"screen", rect(layout.area_of(Tab::Screen))},
          {"terminal", rect(layout.area_of(Tab::Terminal))},
          {"code", rect(layout.area_of(Tab::Code))},
          {"processor", rect(layout.area_of(Tab::Processor))},
          {"structures", rect(layout.area_of(context.navigation.tab))},
          {"timeline", rect(layout.timeline)},
          {"strip", rect(probe.strip)},
          {"status", rect(layout.status)}}},
    };
    std::string text = now.dump(1, ' ', false, nlohmann::json::error_handler_t::replace);
    if (text == state_written_) return;
    state_written_ = std::move(text);
    if (auto ok = emu::write_file(
            options_.ui_state, {reinterpret_cast<const u8*>(state_written_.data()), state_written_.size()});
        !ok)
        engine_->say(ok.error().message, true);
}

} // namespace vitrine::ui
