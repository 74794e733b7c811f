// System calls — the last ones before here, newest first, with arguments, results and how long they took. A
// click goes there.
#include <cstring>
#include <fmt/format.h>
#include "emu/events/explain.h"
#include "emu/symbols/guest_symbols.h"
#include "ui/model/format.h"
#include "ui/panels/panels.h"
#include "ui/shell/widgets.h"

namespace vitrine::ui {

void draw_system_calls(Context& context) {
    constexpr auto Kind = emu::EventKind::SystemCall;
    Engine& engine = context.engine;
    const emu::EventStore& events = engine.events();
    const u64 now = engine.machine().steps();
    const u64 end = events.lower(Kind, now + 1, emu::EventAxis::Step), first = events.first(Kind);
    if (end == first)
        return why_empty(context, events.count(Kind)
                                      ? "No program has made a system call before here."
                                      : "No system call yet: the first comes from PID 1, behind phase init.");
    section(context, "System calls", fmt::format("{} before here, newest first", grouped(end)));
    if (!begin_table("calls", 4, true, false)) return;
    ImGui::TableSetupScrollFreeze(0, 1);
    ImGui::TableSetupColumn("Step");
    ImGui::TableSetupColumn("Task");
    ImGui::TableSetupColumn("Call", ImGuiTableColumnFlags_WidthStretch);
    ImGui::TableSetupColumn("Took");
    ImGui::TableHeadersRow();
    ImGuiListClipper clipper;
    constexpr u64 Most = 1'000'000; // ImGui's scroll bar counts in floats
    clipper.Begin(static_cast<int>(std::min(end - first, Most)));
    while (clipper.Step())
        for (int i = clipper.DisplayStart; i < clipper.DisplayEnd; ++i) {
            const emu::Event event = events.at(Kind, end - 1 - static_cast<u64>(i));
            ImGui::TableNextRow();
            ImGui::TableNextColumn();
            text(colour::Link, grouped(event.step));
            if (ImGui::IsItemHovered()) tooltip(context, "Click: go there");
            if (ImGui::IsItemClicked()) engine.seek(event.step);
            ImGui::TableNextColumn();
            const std::string task = emu::task_at(events, event.processor, event.step);
            text(colour::Dim, task.substr(0, task.find(" (")));
            ImGui::TableNextColumn();
            const i64 result = static_cast<i64>(event.result);
            const bool failed = event.end != emu::Event::Open && result < 0 && result > -4096;
            const char* name = failed ? ::strerrorname_np(static_cast<int>(-result)) : nullptr;
            text_in(context.fonts.mono_small, failed ? colour::Changed : colour::Text,
                    events.describe(event) + (name ? fmt::format(" {}", name) : std::string()));
            if (ImGui::IsItemHovered())
                tooltip(context, emu::explain(events, event, engine.machine().symbols()));
            ImGui::TableNextColumn();
            text(colour::Dim, event.end == emu::Event::Open ? "" : duration_text(event.end - event.time));
        }
    ImGui::EndTable();
}

} // namespace vitrine::ui
