// The stack — who called the code that runs, through interrupts and across the system call; below, its words
// from the stack pointer on, each of which can be asked who wrote it.
#include "ui/model/format.h"
#include "ui/panels/panels.h"
#include "ui/shell/widgets.h"

namespace vitrine::ui {

namespace {
void draw_calls(Context& context) {
    using How = emu::inspect::CallFrame::How;
    const auto& view = context.views.calls();
    section(context, "Call stack", "innermost first · grey: perhaps");
    notes(context, view.notes);
    context.probe.calls.clear();
    const float line = ImGui::GetTextLineHeight() + 2 * ImGui::GetStyle().CellPadding.y,
                most = ImGui::GetContentRegionAvail().y * 0.55f;
    std::size_t rows = view.frames.size();
    for (const auto& frame : view.frames) rows += !frame.through.empty();
    if (!begin_table("calls", 2, true, true,
                     std::min(most, line * static_cast<float>(rows) + ImGui::GetStyle().ScrollbarSize)))
        return;
    int id = 0;
    for (const auto& frame : view.frames) {
        ImGui::PushID(id++);
        if (!frame.through.empty()) {
            ImGui::TableNextRow();
            ImGui::TableNextColumn();
            text_in(context.fonts.bold, colour::Accent, frame.through);
            ImGui::TableNextColumn();
            text(colour::Dim, frame.user ? "made by the program:" : "broke into:");
        }
        ImGui::TableNextRow();
        ImGui::TableNextColumn();
        const std::string name = frame.name.empty() ? hex_text(frame.address, 1) : frame.name;
        context.probe.calls.push_back(name);
        if (frame.how == How::Perhaps) ImGui::PushStyleVar(ImGuiStyleVar_Alpha, 0.75f);
        address_link(context, frame.address, Leads::Code, name);
        if (frame.how == How::Perhaps) ImGui::PopStyleVar();
        if (ImGui::IsItemHovered() && frame.how == How::Perhaps)
            tooltip(context, "A word of the stack behind which a call ends: it may be older than it looks");
        ImGui::TableNextColumn();
        text(colour::Dim,
             frame.how == How::Here ? "here  " + base_name(frame.source) : base_name(frame.source));
        ImGui::PopID();
    }
    ImGui::EndTable();
    if (view.frames.empty() || !view.frames.back().user) return;
    if (const std::string why = context.views.names().why_nameless(view.frames.back().address);
        !why.empty()) {
        ImGui::PushTextWrapPos(0);
        text(colour::Dim, why);
        ImGui::PopTextWrapPos();
    }
}
} // namespace

void draw_stack(Context& context) {
    draw_calls(context);
    const auto& view = context.views.stack();
    section(context, "Words", "from rsp up · bold: behind a call, rather a return address");
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
                        word.call ? colour::Text : colour::Dim, word.symbol);
            if (word.frame) text(colour::Accent, "rbp");
        }
    ImGui::EndTable();
}

} // namespace vitrine::ui
