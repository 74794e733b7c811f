// Boot phases — what the host saw the boot do: name, step, virtual time, duration. Newest at the end.
#include <fmt/format.h>
#include "ui/model/format.h"
#include "ui/panels/panels.h"
#include "ui/shell/widgets.h"

namespace vitrine::ui {

void draw_phases(Context& context) {
    const auto& view = context.views.phases();
    if (view.rows.empty())
        return why_empty(context, "The machine is at power-on: no phase has begun. F12 runs to the first one; each phase gets a line here with its step, its virtual time and how long it took.");
    if (!begin_table("phases", 4)) return;
    ImGui::TableSetupScrollFreeze(0, 1);
    ImGui::TableSetupColumn("Phase", ImGuiTableColumnFlags_WidthStretch);
    ImGui::TableSetupColumn("Step");
    ImGui::TableSetupColumn("Time");
    ImGui::TableSetupColumn("Took");
    ImGui::TableHeadersRow();
    for (std::size_t i = 0; i < view.rows.size(); ++i) {
        const auto& row = view.rows[i];
        ImGui::TableNextRow();
        ImGui::TableNextColumn();
        const ImVec2 at = ImGui::GetCursorScreenPos();
        const float height = ImGui::GetTextLineHeight();
        const ImU32 c = phase_colour(row.phase.source);
        ImGui::GetWindowDrawList()->AddRectFilled({at.x, at.y + 2}, {at.x + context.px(4), at.y + height - 1}, c, 2);
        if (static_cast<int>(i) == context.navigation.phase || i + 1 == view.rows.size()) ImGui::TableSetBgColor(ImGuiTableBgTarget_RowBg1, colour::CurrentLine);
        ImGui::SetCursorPosX(ImGui::GetCursorPosX() + context.px(11));
        ImGui::PushID(static_cast<int>(i));
        if (ImGui::Selectable(row.phase.name.c_str(), false, ImGuiSelectableFlags_SpanAllColumns)) context.show_code(row.phase.rip);
        ImGui::PopID();
        if (ImGui::IsItemHovered())
            tooltip(context, fmt::format("{}{}{}\nstep {}, {} of host time\nat {:x} {}\nClick: the code there", row.phase.source, row.phase.description.empty() ? "" : " — ",
                                         row.phase.description, grouped(row.phase.step), duration_text(static_cast<u64>(row.host_seconds * 1e9)), row.phase.rip, row.symbol));
        ImGui::TableNextColumn();
        text_in(context.fonts.mono, colour::Text, grouped(row.phase.step));
        ImGui::TableNextColumn();
        text_in(context.fonts.mono, colour::Dim, duration_text(row.phase.time));
        ImGui::TableNextColumn();
        text_in(context.fonts.mono, colour::Dim, duration_text(row.duration_time));
    }
    if (context.navigation.phase >= 0) {
        ImGui::SetScrollY(static_cast<float>(context.navigation.phase) * ImGui::GetTextLineHeightWithSpacing() - context.px(60));
        context.navigation.phase = -1;
    } else if (context.engine.running() || context.redraw > 0) {
        ImGui::SetScrollHereY(1.0f);
    }
    ImGui::EndTable();
}

} // namespace vitrine::ui
