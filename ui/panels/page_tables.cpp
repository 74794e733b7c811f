// Page tables — the walk of one address, level by level, and the map of the whole address space.
#include <cstring>
#include <fmt/format.h>
#include "emu/symbols/guest_symbols.h"
#include "ui/model/format.h"
#include "ui/panels/panels.h"
#include "ui/shell/widgets.h"

namespace vitrine::ui {

namespace {

void draw_walk(Context& context) {
    auto& navigation = context.navigation;
    const u64 linear = navigation.walk_follow ? context.views.rip_linear() : navigation.walk;
    const auto& walk = context.views.walk(linear);
    section(context, "Walk of");
    ImGui::SameLine();
    address_link(context, linear, Leads::Code, {}, address_digits(context));
    ImGui::SameLine();
    if (navigation.walk_follow)
        text(colour::Dim, "rip");
    else if (toggle(context, "rip", false, "Walk the address of the next instruction"))
        navigation.walk_follow = true;
    ImGui::SameLine();
    if (toggle(context, "other…", false, "Walk another address: Ctrl+G, then \"Walk\""))
        context.open_dialog(Dialog::GoTo);
    if (!walk.symbol.empty()) text(colour::Dim, readable_symbol(walk.symbol));
    if (!walk.rows.empty() && begin_table("walk", 4, false)) {
        for (const char* column : {"Level", "Index", "Entry at", "Entry"}) ImGui::TableSetupColumn(column);
        ImGui::TableHeadersRow();
        for (const auto& row : walk.rows) {
            ImGui::TableNextRow();
            ImGui::TableNextColumn();
            text(colour::Text, row.level);
            ImGui::TableNextColumn();
            text_in(context.fonts.mono, colour::Dim, fmt::format("{:3}", row.index));
            ImGui::TableNextColumn();
            address_link(context, row.address, Leads::Physical);
            ImGui::TableNextColumn();
            hex_value(context, row.entry);
            if (ImGui::IsItemHovered()) {
                tooltip(context, "Right click: who wrote this entry?");
                if (ImGui::IsMouseClicked(1)) context.open_menu(row.address, true, 8);
            }
            text_in(context.fonts.small, colour::Dim, row.flags);
        }
        ImGui::EndTable();
    }
    ImGui::PushTextWrapPos(0);
    text(walk.present ? colour::Good : colour::Changed, walk.verdict);
    ImGui::PopTextWrapPos();
    if (walk.present) {
        text(colour::Dim, "physical");
        ImGui::SameLine();
        address_link(context, walk.physical, Leads::Physical);
    }
}

} // namespace

void draw_page_tables(Context& context) {
    draw_walk(context);
    ImGui::Dummy({0, context.px(4)});
    const auto& map = context.views.maps();
    section(context, "Address space", fmt::format("cr3 {:x} · {}", map.cr3, map.paging));
    if (map.ranges.empty()) {
        notes(context, map.notes);
        return why_empty(context, "No table maps anything: " + map.paging +
                                      ". Linear addresses are physical addresses.");
    }
    text(colour::Dim, fmt::format("{} in {} ranges through {} tables", bytes_text(map.mapped_bytes),
                                  map.ranges.size(), map.tables));
    notes(context, map.notes);
    if (!begin_table("map", 5)) return;
    ImGui::TableSetupScrollFreeze(0, 1);
    for (const char* column : {"From", "Size", "Rights", "Physical", "Region"})
        ImGui::TableSetupColumn(column);
    ImGui::TableHeadersRow();
    ImGuiListClipper clipper;
    clipper.Begin(static_cast<int>(map.ranges.size()));
    while (clipper.Step())
        for (int i = clipper.DisplayStart; i < clipper.DisplayEnd; ++i) {
            const auto& range = map.ranges[static_cast<std::size_t>(i)];
            ImGui::TableNextRow();
            ImGui::TableNextColumn();
            address_link(context, range.first, Leads::Data, {}, 16);
            ImGui::TableNextColumn();
            text_in(context.fonts.mono, colour::Text, bytes_text(range.last - range.first + 1));
            if (ImGui::IsItemHovered())
                tooltip(context, range.page_size ? fmt::format("pages of {}", bytes_text(range.page_size))
                                                 : "pages of several sizes");
            ImGui::TableNextColumn();
            text_in(context.fonts.mono, range.writable && !range.no_execute ? colour::Changed : colour::Dim,
                    fmt::format("{}{}{}{}", range.user ? 'u' : 's', range.writable ? 'w' : '-',
                                range.no_execute ? '-' : 'x', range.global ? 'g' : '-'));
            if (ImGui::IsItemHovered())
                tooltip(context, "u user, s supervisor · w writable · x executable · g global. Amber: "
                                 "writable and executable at once");
            ImGui::TableNextColumn();
            address_link(context, range.physical, Leads::Physical);
            ImGui::TableNextColumn();
            text(colour::Dim, range.region);
        }
    ImGui::EndTable();
}

} // namespace vitrine::ui
