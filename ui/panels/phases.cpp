// Boot phases — what the host saw the boot do: name, step, virtual time, duration. Newest at the end.
#include <algorithm>
#include <fmt/format.h>
#include "roms/post_codes.h"
#include "ui/model/format.h"
#include "ui/panels/panels.h"
#include "ui/shell/widgets.h"

namespace vitrine::ui {

namespace {

/// "kernel:" fades, what follows it counts. The colour at the left says who reported it.
void phase_name(Context& context, std::string_view name, ImU32 source, ImU32 colour) {
    ImDrawList* draw = ImGui::GetWindowDrawList();
    const ImVec2 at = ImGui::GetCursorScreenPos();
    draw->AddRectFilled({at.x, at.y + 2}, {at.x + context.px(4), at.y + ImGui::GetTextLineHeight() - 1},
                        source, 2);
    ImGui::SetCursorPosX(ImGui::GetCursorPosX() + context.px(11));
    const auto colon = name.find(':');
    if (colon != std::string_view::npos) {
        text(colour::Faint, name.substr(0, colon + 1));
        ImGui::SameLine(0, 0);
        name.remove_prefix(colon + 1);
    }
    text(colour, name);
}

/// At power-on: what firmware, loader and kernel set-up are able to report, in boot order.
void draw_ahead(Context& context) {
    section(context, "Ahead");
    ImGui::PushTextWrapPos(0);
    text(colour::Dim, "No phase has begun. These are the ones that the bundled firmware and loader can "
                      "report; the kernel adds its own. F12 runs to the next one.");
    ImGui::PopTextWrapPos();
    ImGui::Dummy({0, context.px(4)});
    if (!begin_table("ahead", 2, true, false)) return;
    ImGui::TableSetupColumn("phase");
    ImGui::TableSetupColumn("what", ImGuiTableColumnFlags_WidthStretch);
    for (const roms::PostCode& code : roms::PostCodes) {
        if (code.code >= roms::post::FatalFirmware) continue;
        ImGui::TableNextRow();
        ImGui::TableNextColumn();
        phase_name(context, code.name, colour::mix(colour::Panel, phase_colour("firmware"), 0.55f),
                   colour::Text);
        ImGui::TableNextColumn();
        ImGui::PushTextWrapPos(0);
        text(colour::Dim, code.description);
        ImGui::PopTextWrapPos();
    }
    ImGui::EndTable();
}

} // namespace

void draw_phases(Context& context) {
    const auto& view = context.views.phases();
    if (view.rows.empty()) return draw_ahead(context);
    const bool wide =
        ImGui::GetContentRegionAvail().x > context.px(430); // a narrow panel shows times as tooltips
    if (!begin_table("phases", wide ? 4 : 3, true, false)) return;
    ImGui::TableSetupScrollFreeze(0, 1);
    ImGui::TableSetupColumn("Phase", ImGuiTableColumnFlags_WidthStretch);
    ImGui::TableSetupColumn("Step");
    if (wide) ImGui::TableSetupColumn("Time");
    ImGui::TableSetupColumn("Took");
    ImGui::TableHeadersRow();
    // The list keeps to its end while phases are added; whoever scrolls up stays there.
    auto& navigation = context.navigation;
    const bool grown = view.rows.size() != navigation.phases_seen,
               at_end = ImGui::GetScrollY() >= ImGui::GetScrollMaxY() - context.px(24);
    for (std::size_t i = 0; i < view.rows.size(); ++i) {
        const auto& row = view.rows[i];
        ImGui::TableNextRow();
        ImGui::TableNextColumn();
        if (static_cast<int>(i) == navigation.phase)
            ImGui::TableSetBgColor(ImGuiTableBgTarget_RowBg1, colour::with_alpha(colour::Accent, 96));
        else if (i + 1 == view.rows.size())
            ImGui::TableSetBgColor(ImGuiTableBgTarget_RowBg1, colour::CurrentLine);
        if (static_cast<int>(i) == navigation.phase && navigation.phase_scroll) ImGui::SetScrollHereY(0.4f);
        const ImVec2 at = ImGui::GetCursorPos();
        ImGui::PushID(static_cast<int>(i));
        if (ImGui::Selectable("##row", false,
                              ImGuiSelectableFlags_SpanAllColumns | ImGuiSelectableFlags_AllowItemOverlap))
            context.show_code(row.phase.rip), navigation.phase = static_cast<int>(i);
        ImGui::PopID();
        if (ImGui::IsItemHovered())
            tooltip(context,
                    fmt::format("{}{}{}\nstep {} at {}, {} of host time\nat {:x} {}\nClick: the code there",
                                row.phase.source, row.phase.description.empty() ? "" : " — ",
                                row.phase.description, grouped(row.phase.step), duration_text(row.phase.time),
                                duration_text(static_cast<u64>(row.host_seconds * 1e9)), row.phase.rip,
                                row.symbol));
        ImGui::SetCursorPos(at);
        phase_name(context, row.phase.name, phase_colour(row.phase.source), colour::Text);
        ImGui::TableNextColumn();
        text_in(context.fonts.mono, colour::Text, grouped(row.phase.step));
        if (wide) {
            ImGui::TableNextColumn();
            text_in(context.fonts.mono, colour::Dim, duration_text(row.phase.time));
        }
        ImGui::TableNextColumn();
        text_in(context.fonts.mono, colour::Dim,
                (i + 1 < view.rows.size() ? duration_text(row.duration_time) : "now") + std::string("  "));
    }
    if (navigation.phase_scroll)
        navigation.phase_scroll = false;
    else if (grown && (at_end || navigation.phases_seen == 0 || view.rows.size() < navigation.phases_seen))
        ImGui::SetScrollHereY(1.0f), context.redraw = std::max(context.redraw, 2);
    navigation.phases_seen = view.rows.size();
    context.probe.phases_scroll = ImGui::GetScrollY(),
    context.probe.phases_scroll_max = ImGui::GetScrollMaxY();
    ImGui::EndTable();
}

} // namespace vitrine::ui
