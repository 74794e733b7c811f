// Interrupts — vector, where it comes from, where its gate leads, how often and when it came last. A click
// breaks on it.
#include <fmt/format.h>
#include "ui/model/format.h"
#include "ui/panels/panels.h"
#include "ui/shell/toolbar.h"
#include "ui/shell/widgets.h"

namespace vitrine::ui {

namespace {

/// The last delivery of a vector before here, among the last few thousand.
std::optional<emu::Event> last_of(const emu::EventStore& events, u64 vector, u64 step) {
    constexpr u64 Most = 4096;
    constexpr auto Kind = emu::EventKind::Interrupt;
    u64 index = events.lower(Kind, step + 1, emu::EventAxis::Step);
    for (u64 looked = 0; index > events.first(Kind) && looked < Most; ++looked) {
        const emu::Event event = events.at(Kind, --index);
        if (event.a == vector) return event;
    }
    return std::nullopt;
}

} // namespace

void draw_interrupts(Context& context) {
    const auto& view = context.views.interrupt_lines();
    if (!view.why_empty.empty()) return why_empty(context, view.why_empty);
    section(context, "Interrupts", "as the kernel serves them; a click on a vector breaks on it");
    notes(context, view.notes);
    if (!begin_table("interrupts", 5, true, false)) return;
    Engine& engine = context.engine;
    ImGui::TableSetupScrollFreeze(0, 1);
    ImGui::TableSetupColumn("Vector");
    ImGui::TableSetupColumn("Source");
    ImGui::TableSetupColumn("Count");
    ImGui::TableSetupColumn("Last");
    ImGui::TableSetupColumn("Gate", ImGuiTableColumnFlags_WidthStretch);
    ImGui::TableHeadersRow();
    const u64 now = engine.machine().steps();
    for (const auto& row : view.rows) {
        ImGui::TableNextRow();
        ImGui::TableNextColumn();
        text_in(context.fonts.mono, colour::Link, fmt::format("{:02X}h", row.vector));
        if (ImGui::IsItemHovered()) tooltip(context, "Click: a breakpoint on its delivery");
        if (ImGui::IsItemClicked()) {
            report(context, engine.add_breakpoint(fmt::format("interrupt:{:#x}", row.vector)));
            context.show_tab(Tab::Breakpoints);
        }
        ImGui::TableNextColumn();
        text(colour::Text, row.source);
        if (ImGui::IsItemHovered() && !row.counts.empty())
            tooltip(context, row.level ? "level triggered" : "edge triggered");
        ImGui::TableNextColumn();
        u64 sum = 0;
        std::string each;
        for (std::size_t i = 0; i < row.counts.size(); ++i)
            sum += row.counts[i],
                each += fmt::format("{}CPU {}: {}", i ? "\n" : "", i, grouped(row.counts[i]));
        text(sum ? colour::Text : colour::Dim, row.counts.empty() ? "" : grouped(sum));
        if (ImGui::IsItemHovered() && !each.empty()) tooltip(context, each);
        ImGui::TableNextColumn();
        if (const auto last = last_of(engine.events(), row.vector, now)) {
            text(colour::Link,
                 duration_text(engine.machine().time() - std::min(engine.machine().time(), last->time)) +
                     " ago");
            if (ImGui::IsItemHovered())
                tooltip(context, fmt::format("step {}. Click: go there", grouped(last->step)));
            if (ImGui::IsItemClicked()) engine.seek(last->step);
        } else {
            text(colour::Dim, "not lately");
        }
        ImGui::TableNextColumn();
        if (row.gate) address_link(context, row.gate, Leads::Code, readable_symbol(row.handler));
    }
    ImGui::EndTable();
}

} // namespace vitrine::ui
