// Descriptors — GDT, LDT, TSS and IDT, decoded.
#include <fmt/format.h>
#include "ui/model/format.h"
#include "ui/panels/panels.h"
#include "ui/shell/widgets.h"

namespace vitrine::ui {

namespace {

void draw_table(Context& context, const emu::inspect::DescriptorTableView& view) {
    text(colour::Dim, view.name + " at");
    ImGui::SameLine();
    address_link(context, view.base, Leads::Data);
    ImGui::SameLine();
    text(colour::Dim, fmt::format("limit {:04x}, {} entries", view.limit, view.rows.size()));
    notes(context, view.notes);
    if (view.rows.empty())
        return why_empty(
            context,
            context.views.registers().mode == "real"
                ? fmt::format("The {} holds no descriptors. In real mode segments are 16 × selector and "
                              "no table is used.",
                              view.name)
            : view.name == "LDT"
                ? "There is no local table: LDTR holds the null selector. Segments come from the GDT "
                  "alone, as in every modern kernel."
                : fmt::format("The {} holds no descriptors that can be read.", view.name));
    if (!begin_table("descriptors", 13)) return;
    ImGui::TableSetupScrollFreeze(0, 1);
    for (const char* column :
         {"Sel", "In", "Kind", "Base", "Limit", "DPL", "P", "S", "Type", "L", "D/B", "G", "Raw"})
        ImGui::TableSetupColumn(column);
    ImGui::TableHeadersRow();
    for (const auto& row : view.rows) {
        ImGui::TableNextRow();
        ImGui::TableNextColumn();
        text_in(context.fonts.mono, row.used_by.empty() ? colour::Dim : colour::Accent,
                fmt::format("{:04x}", row.selector));
        if (ImGui::IsItemHovered())
            tooltip(context, row.wide ? fmt::format("{:016x} {:016x}", row.raw_high, row.raw)
                                      : fmt::format("{:016x}", row.raw));
        ImGui::TableNextColumn();
        text(colour::Accent, row.used_by);
        ImGui::TableNextColumn();
        text(row.null || !row.present ? colour::Faint : colour::Text, row.null ? "null" : row.kind);
        ImGui::TableNextColumn();
        if (!row.null) address_link(context, row.base, Leads::Data);
        ImGui::TableNextColumn();
        if (!row.null) text_in(context.fonts.mono, colour::Dim, fmt::format("{:08x}", row.limit));
        if (row.null) continue;
        const auto field = [&](unsigned value) {
            ImGui::TableNextColumn();
            text_in(context.fonts.mono, value ? colour::Text : colour::Faint, fmt::format("{:x}", value));
        };
        field(row.dpl), field(row.present), field(row.code_or_data), field(row.type), field(row.long_code),
            field(row.big), field(row.granular);
        ImGui::TableNextColumn();
        text_in(context.fonts.mono, colour::Dim,
                row.wide ? fmt::format("{:016x} {:016x}", row.raw_high, row.raw)
                         : fmt::format("{:016x}", row.raw));
    }
    ImGui::EndTable();
}

void draw_tss(Context& context) {
    const auto& view = context.views.tss();
    if (view.rows.empty()) {
        notes(context, view.notes);
        return why_empty(context, "The task register is not loaded: there is no TSS yet. The kernel needs "
                                  "one for the stack of ring 0 and for IST stacks.");
    }
    text(colour::Dim, fmt::format("selector {:04x}, {}-bit, at", view.selector, view.wide ? 64 : 32));
    ImGui::SameLine();
    address_link(context, view.base, Leads::Data);
    notes(context, view.notes);
    if (!begin_table("tss", 3)) return;
    for (const auto& row : view.rows) {
        ImGui::TableNextRow();
        ImGui::TableNextColumn();
        text(colour::Text, row.name);
        ImGui::TableNextColumn();
        if (row.name == "io map base") // an offset from the TSS, no address
            text_in(context.fonts.mono, colour::Dim, fmt::format("{:04x}", row.value));
        else
            address_link(context, row.value, Leads::Data, {}, view.wide ? 16 : 8);
        const ImVec2 at = ImGui::GetItemRectMin(), size = ImGui::GetItemRectSize();
        if (ImGui::IsItemVisible()) context.probe.places.push_back({row.name, {at.x, at.y, size.x, size.y}});
        ImGui::TableNextColumn();
        text(colour::Dim, readable_symbol(row.meaning));
    }
    ImGui::EndTable();
}

void draw_idt(Context& context) {
    const auto& view = context.views.idt();
    text(colour::Dim, view.entry_size == 4 ? "real-mode vectors at" : "IDT at");
    ImGui::SameLine();
    address_link(context, view.base, Leads::Data);
    ImGui::SameLine();
    text(colour::Dim, fmt::format("limit {:04x}, {} gates", view.limit, view.gates.size()));
    notes(context, view.notes);
    if (view.gates.empty())
        return why_empty(
            context,
            "The interrupt descriptor table is empty: an exception now would shut the processor down.");
    if (!begin_table("gates", 6)) return;
    ImGui::TableSetupScrollFreeze(0, 1);
    for (const char* column : {"#", "Handler", "Vector", "Kind", "DPL", "IST"})
        ImGui::TableSetupColumn(column);
    ImGui::TableHeadersRow();
    ImGuiListClipper clipper;
    clipper.Begin(static_cast<int>(view.gates.size()));
    while (clipper.Step())
        for (int i = clipper.DisplayStart; i < clipper.DisplayEnd; ++i) {
            const auto& gate = view.gates[static_cast<std::size_t>(i)];
            ImGui::TableNextRow();
            ImGui::TableNextColumn();
            text_in(context.fonts.mono, colour::Dim, fmt::format("{:02x}", gate.vector));
            ImGui::TableNextColumn();
            if (!gate.present)
                text(colour::Faint, "not present");
            else if (view.entry_size == 4)
                address_link(context, u64{gate.selector} * 16 + gate.offset, Leads::Code,
                             fmt::format("{:04x}:{:04x}", gate.selector, gate.offset));
            else
                address_link(context, gate.handler ? gate.handler : gate.offset, Leads::Code,
                             gate.handler_name.empty() ? readable_symbol(gate.symbol) : gate.handler_name);
            if (gate.present && gate.handler && ImGui::IsItemHovered())
                tooltip(context,
                        fmt::format("the gate leads to {}, which calls it", readable_symbol(gate.symbol)));
            ImGui::TableNextColumn();
            text(colour::Text, gate.name);
            ImGui::TableNextColumn();
            text(colour::Dim, gate.kind);
            ImGui::TableNextColumn();
            if (gate.present && view.entry_size != 4)
                text_in(context.fonts.mono, colour::Dim, fmt::format("{}", gate.dpl));
            ImGui::TableNextColumn();
            if (gate.present && gate.ist)
                text_in(context.fonts.mono, colour::Accent, fmt::format("{}", gate.ist));
        }
    ImGui::EndTable();
}

} // namespace

void draw_descriptors(Context& context) {
    if (!ImGui::BeginTabBar("tables")) return;
    const auto tab = [&](const char* name, auto body) {
        const bool open = ImGui::BeginTabItem(name);
        const ImVec2 at = ImGui::GetItemRectMin(), size = ImGui::GetItemRectSize();
        context.probe.places.push_back({name, {at.x, at.y, size.x, size.y}});
        if (!open) return;
        body();
        ImGui::EndTabItem();
    };
    tab("GDT", [&] { draw_table(context, context.views.gdt()); });
    tab("IDT", [&] { draw_idt(context); });
    tab("TSS", [&] { draw_tss(context); });
    tab("LDT", [&] { draw_table(context, context.views.ldt()); });
    ImGui::EndTabBar();
}

} // namespace vitrine::ui
