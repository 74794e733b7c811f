// Watches — expressions and structures that are worked out wherever the machine stands, in the past too. What
// differs from the stop before is amber. The notation is emu/inspect/evaluate.h's.
#include <cstring>
#include <fmt/format.h>
#include "ui/panels/panels.h"
#include "ui/shell/widgets.h"

namespace vitrine::ui {

namespace {

struct Example {
    const char *label, *text;
};
constexpr Example Examples[] = {
    {"who runs", "task.pid"}, {"a word on the stack", "u64[rsp]"},    {"a variable", "u64[jiffies]:d"},
    {"a task", "Task@task"},  {"its vruntime", "Task.vruntime@task"}, {"memory", "Zone@zones[1]"},
};

/// What a watch shows in words: compared with what it showed at the stop before.
std::vector<std::pair<std::string, std::string>> words(const emu::inspect::Evaluation& value) {
    std::vector<std::pair<std::string, std::string>> out{{"", value.value ? value.shown : value.why}};
    for (const auto& sheet : value.fields.sheets)
        for (const auto& row : sheet.rows)
            if (row.size() >= 5) out.emplace_back(row[1].text, row[3].text + " " + row[4].text);
    return out;
}

} // namespace

void WatchesPanel::add(Context& context) {
    const float button = context.px(58);
    ImGui::SetNextItemWidth(ImGui::GetContentRegionAvail().x - button - context.px(8));
    ImGui::PushFont(context.fonts.mono);
    const bool enter = ImGui::InputTextWithHint("##watch", "u64[rsp]:x   Task@task", text_, sizeof text_,
                                                ImGuiInputTextFlags_EnterReturnsTrue);
    if (ImGui::IsItemEdited()) refused_.clear();
    const ImVec2 from = ImGui::GetItemRectMin(), size = ImGui::GetItemRectSize();
    context.probe.places.push_back({"Watch", {from.x, from.y, size.x, size.y}});
    ImGui::PopFont();
    ImGui::SameLine(0, context.px(8));
    if ((ImGui::Button("Add##watch", {button, 0}) || enter) && text_[0]) {
        refused_ = emu::inspect::spelling_mistake(text_);
        if (refused_.empty() && context.watches.size() >= Settings::MostWatches)
            refused_ = fmt::format("there are {} watches already", Settings::MostWatches);
        if (refused_.empty()) context.watches.emplace_back(text_), text_[0] = 0;
        if (enter) ImGui::SetKeyboardFocusHere(-1);
    }
    if (!refused_.empty()) {
        context.probe.refused = refused_;
        ImGui::PushStyleColor(ImGuiCol_Text, colour::Bad);
        ImGui::TextWrapped("%s", refused_.c_str());
        ImGui::PopStyleColor();
    }
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

/// Reads what is shown anew when the views are, and keeps what the stop before had.
void WatchesPanel::update(Context& context) {
    if (rows_.size() == context.watches.size() && version_ == context.views.version() &&
        generation_ == context.engine.generation() &&
        std::equal(rows_.begin(), rows_.end(), context.watches.begin(),
                   [](const Row& row, const std::string& text) { return row.value.expression == text; }))
        return;
    const bool another_stop = stops_ != context.engine.stops();
    version_ = context.views.version(), stops_ = context.engine.stops(),
    generation_ = context.engine.generation();
    std::vector<Row> old = std::move(rows_);
    rows_.clear();
    for (const std::string& text : context.watches) {
        Row row;
        row.value = context.views.evaluate(text);
        row.words = words(row.value);
        for (Row& before : old)
            if (before.value.expression == text)
                row.before = another_stop ? std::move(before.words) : std::move(before.before);
        rows_.push_back(std::move(row));
    }
}

bool WatchesPanel::changed(const Row& row, std::size_t word) {
    return word < row.words.size() && word < row.before.size() && row.words[word] != row.before[word];
}

void WatchesPanel::draw(Context& context) {
    add(context);
    update(context);
    section(context, "Watches",
            context.watches.empty() ? "none yet" : "amber: other than at the stop before");
    context.probe.watched.clear();
    if (context.watches.empty()) {
        ImGui::PushTextWrapPos(0);
        text(colour::Dim,
             "An expression is worked out wherever the machine stands, in the past too: registers, "
             "memory (u64[rsp + 8]), symbols, the task. TYPE@EXPRESSION shows a structure.");
        ImGui::PopTextWrapPos();
        return;
    }
    if (!begin_table("watches", 3, true, false)) return;
    ImGui::TableSetupColumn("Expression");
    ImGui::TableSetupColumn("Value", ImGuiTableColumnFlags_WidthStretch);
    ImGui::TableSetupColumn("");
    std::size_t removed = rows_.size();
    for (std::size_t i = 0; i < rows_.size(); ++i) {
        const Row& row = rows_[i];
        ImGui::PushID(static_cast<int>(i));
        ImGui::TableNextRow();
        ImGui::TableNextColumn();
        text_in(context.fonts.mono, colour::Text, row.value.expression);
        ImGui::TableNextColumn();
        context.probe.watched.push_back(row.words[0].second);
        if (!row.value.value) {
            ImGui::PushTextWrapPos(0);
            text(colour::Dim, row.value.why);
            ImGui::PopTextWrapPos();
        } else if (!row.value.fields.sheets.empty()) {
            address_link(context, *row.value.value, Leads::Data, row.value.shown);
        } else {
            text_in(context.fonts.mono, changed(row, 0) ? colour::Changed : colour::Text, row.value.shown);
        }
        ImGui::TableNextColumn();
        if (ImGui::SmallButton("×")) removed = i;
        if (ImGui::IsItemHovered()) tooltip(context, "Removes it");
        std::size_t word = 1;
        for (const auto& sheet : row.value.fields.sheets)
            for (const auto& cells : sheet.rows) {
                if (cells.size() < 5) continue;
                const bool amber = changed(row, word++);
                ImGui::TableNextRow();
                ImGui::TableNextColumn();
                text(colour::Dim, "   " + cells[1].text);
                ImGui::TableNextColumn();
                if (cells[3].leads != emu::inspect::Cell::Leads::Nowhere)
                    address_link(context, cells[3].address, Leads::Data);
                else
                    text_in(context.fonts.mono, amber ? colour::Changed : colour::Text, cells[3].text);
                if (!cells[4].text.empty()) {
                    ImGui::SameLine(0, context.px(8));
                    text(amber ? colour::Changed : colour::Dim, cells[4].text);
                }
                ImGui::TableNextColumn();
            }
        ImGui::PopID();
    }
    ImGui::EndTable();
    if (removed < context.watches.size())
        context.watches.erase(context.watches.begin() + static_cast<std::ptrdiff_t>(removed));
}

} // namespace vitrine::ui
