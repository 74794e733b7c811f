// Breakpoints — where the run stops, forwards and backwards: a line to write one, those that there are, and
// what was met last. The notation is docs/debugger.md's; the model is emu/debugger's.
#include <cstring>
#include <fmt/format.h>
#include "ui/model/format.h"
#include "ui/panels/panels.h"
#include "ui/shell/widgets.h"

namespace vitrine::ui {

namespace {

struct Example {
    const char *label, *text;
};
constexpr Example Examples[] = {
    {"a function", "schedule"},          {"a write", "write:jiffies"},
    {"a page fault", "page-fault"},      {"a task switch", "switch"},
    {"a system call", "syscall:openat"}, {"a disk request", "disk"},
    {"an interrupt", "interrupt"},       {"a port", "out:0x80"},
    {"console text", "serial:\"# \""},   {"a condition", "syscall:write if task.pid == 1"},
};

} // namespace

void BreakpointsPanel::add(Context& context) {
    const float button = context.px(58);
    ImGui::SetNextItemWidth(ImGui::GetContentRegionAvail().x - button - context.px(8));
    ImGui::PushFont(context.fonts.mono);
    const bool enter = ImGui::InputTextWithHint("##spec", "write:jiffies if task.pid == 1", text_,
                                                sizeof text_, ImGuiInputTextFlags_EnterReturnsTrue);
    if (ImGui::IsItemEdited()) refused_.clear();
    const ImVec2 from = ImGui::GetItemRectMin(), size = ImGui::GetItemRectSize();
    context.probe.places.push_back({"Breakpoint", {from.x, from.y, size.x, size.y}});
    ImGui::PopFont();
    ImGui::SameLine(0, context.px(8));
    if ((ImGui::Button("Add", {button, 0}) || enter) && text_[0]) {
        if (auto ok = context.engine.add_breakpoint(text_); !ok)
            refused_ = ok.error().message;
        else
            text_[0] = 0, refused_.clear();
        if (enter) ImGui::SetKeyboardFocusHere(-1);
    }
    context.probe.refused = refused_;
    if (!refused_.empty()) {
        ImGui::PushStyleColor(ImGuiCol_Text, colour::Bad);
        ImGui::TextWrapped("%s", refused_.c_str());
        ImGui::PopStyleColor();
    }
    text(colour::Dim, "Stops before an instruction, behind an access:");
    const float end = ImGui::GetCursorScreenPos().x + ImGui::GetContentRegionAvail().x;
    for (const Example& each : Examples) {
        if (&each != Examples) {
            ImGui::SameLine(0, context.px(6));
            if (ImGui::GetCursorScreenPos().x + ImGui::CalcTextSize(each.label).x + context.px(14) > end)
                ImGui::NewLine();
        }
        if (ImGui::SmallButton(each.label)) std::strcpy(text_, each.text), refused_.clear();
        if (ImGui::IsItemHovered()) tooltip(context, each.text);
    }
}

void BreakpointsPanel::list(Context& context) {
    Engine& engine = context.engine;
    section(context, "Breakpoints", engine.breakpoints().empty() ? "none yet" : "Shift+F5 runs back to one");
    if (engine.breakpoints().empty() || !begin_table("breakpoints", 3, false)) return;
    u32 removed = 0;
    for (const emu::Breakpoint& each : engine.breakpoints()) {
        ImGui::PushID(static_cast<int>(each.id));
        ImGui::TableNextRow();
        ImGui::TableNextColumn();
        bool on = each.enabled;
        if (ImGui::Checkbox(fmt::format("{}", each.id).c_str(), &on)) engine.enable_breakpoint(each.id, on);
        ImGui::TableNextColumn();
        text_in(context.fonts.mono, each.enabled ? colour::Text : colour::Faint, emu::to_text(each.spec));
        if (!each.trouble.empty()) text(colour::Dim, each.trouble);
        if (each.hits) {
            text(colour::Link,
                 fmt::format("met {}×, last at step {}", grouped(each.hits), grouped(each.last_step)));
            if (ImGui::IsItemClicked()) engine.seek(each.last_step);
            if (ImGui::IsItemHovered()) tooltip(context, "Click: go there");
        } else {
            text(colour::Dim, "not met yet");
        }
        ImGui::TableNextColumn();
        if (ImGui::SmallButton("×")) removed = each.id;
        if (ImGui::IsItemHovered()) tooltip(context, "Removes it");
        ImGui::PopID();
    }
    ImGui::EndTable();
    if (removed) engine.remove_breakpoint(removed);
}

void BreakpointsPanel::draw(Context& context) {
    add(context);
    list(context);
    if (const auto& hit = context.engine.last_hit()) {
        section(context, "Met last", fmt::format("step {}", grouped(hit->step)));
        ImGui::TextWrapped("%s", hit->what.c_str());
        if (!hit->device) {
            text(colour::Dim, "by the instruction at");
            ImGui::SameLine();
            address_link(context, hit->rip, Leads::Code);
        }
    }
    const auto& lines = context.engine.log_lines();
    if (lines.empty()) return;
    section(context, "Log points", fmt::format("{} lines", lines.size()));
    ImGui::BeginChild("log");
    for (const std::string& line : lines) text_in(context.fonts.mono, colour::Text, line);
    if (ImGui::GetScrollY() >= ImGui::GetScrollMaxY()) ImGui::SetScrollHereY(1);
    ImGui::EndChild();
}

} // namespace vitrine::ui
