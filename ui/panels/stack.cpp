// The stack — words from the stack pointer on, with what may be return addresses; each word can be asked who
// wrote it.
#include "ui/model/format.h"
#include "ui/panels/panels.h"
#include "ui/shell/widgets.h"

namespace vitrine::ui {

void draw_stack(Context& context) {
    const auto& view = context.views.stack();
    section(context, "Stack", "from rsp up · bold: behind a call, rather a return address");
    notes(context, view.notes);
    if (view.words.empty()) return why_empty(context, "Nothing can be read where the stack pointer leads.");
    if (!begin_table("stack", 3, true, false)) return;
    ImGui::TableSetupColumn("At");
    ImGui::TableSetupColumn("Word");
    ImGui::TableSetupColumn("What", ImGuiTableColumnFlags_WidthStretch);
    ImGuiListClipper clipper;
    clipper.Begin(static_cast<int>(view.words.size()));
    while (clipper.Step())
        for (int i = clipper.DisplayStart; i < clipper.DisplayEnd; ++i) {
            const auto& word = view.words[static_cast<std::size_t>(i)];
            ImGui::TableNextRow();
            ImGui::TableNextColumn();
            address_link(context, word.address, Leads::Data, {}, address_digits(context));
            if (ImGui::IsItemHovered()) tooltip(context, "Right click: who wrote this word?");
            ImGui::TableNextColumn();
            if (word.symbol.empty())
                hex_value(context, word.value, view.size * 2);
            else
                address_link(context, word.value, Leads::Code, {}, view.size * 2);
            ImGui::TableNextColumn();
            if (!word.symbol.empty())
                text_in(word.call ? context.fonts.bold : context.fonts.text,
                        word.call ? colour::Text : colour::Dim, readable_symbol(word.symbol));
            if (word.frame) text(colour::Accent, "rbp");
        }
    ImGui::EndTable();
}

} // namespace vitrine::ui
