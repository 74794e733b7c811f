// Terminal — COM1 as text: scrollback, colours, the cursor. Typed text goes to COM1 while the panel has the
// keys.
#include <algorithm>
#include <cmath>
#include "ui/panels/panels.h"
#include "ui/shell/widgets.h"

namespace vitrine::ui {

namespace {
void append_utf8(std::string& out, char32_t c) {
    char buffer[4];
    int n = 0;
    if (c < 0x80)
        buffer[n++] = static_cast<char>(c);
    else if (c < 0x800)
        buffer[n++] = static_cast<char>(0xC0 | c >> 6), buffer[n++] = static_cast<char>(0x80 | (c & 63));
    else
        buffer[n++] = static_cast<char>(0xE0 | c >> 12),
        buffer[n++] = static_cast<char>(0x80 | (c >> 6 & 63)),
        buffer[n++] = static_cast<char>(0x80 | (c & 63));
    out.append(buffer, static_cast<std::size_t>(n));
}
} // namespace

void TerminalPanel::wrap(const Terminal& terminal, std::size_t columns) {
    if (terminal.changes() == changes_ && columns == columns_) return;
    changes_ = terminal.changes(), columns_ = columns;
    rows_.clear();
    for (std::size_t i = 0; i < terminal.lines().size(); ++i) {
        const std::size_t length = std::max(terminal.lines()[i].size(),
                                            i == terminal.cursor_line() ? terminal.cursor_column() + 1 : 0);
        std::size_t at = 0;
        do {
            rows_.push_back({i, at, std::min(at + columns, std::max(length, at))});
            at += columns;
        } while (at < length);
    }
}

void TerminalPanel::draw(Context& context, const Rect& area) {
    const Terminal& terminal = context.terminal;
    const bool captured = context.capture == Capture::Terminal;
    begin_panel(context, "Serial terminal", area, "COM1", captured ? colour::Accent : colour::Border, false);
    const float footer = context.px(20);
    ImFont* font = area.width < context.px(560) ? context.fonts.mono_small : context.fonts.mono;
    ImGui::PushStyleColor(ImGuiCol_ChildBg, ImGui::ColorConvertU32ToFloat4(colour::Inset));
    ImGui::PushStyleVar(ImGuiStyleVar_WindowPadding, {context.px(8), context.px(6)});
    ImGui::BeginChild("lines", {0, -footer}, false, ImGuiWindowFlags_AlwaysUseWindowPadding);
    ImGui::PopStyleVar();
    ImGui::PopStyleColor();
    if (terminal.lines().size() == 1 && terminal.lines().front().empty()) {
        why_empty(context, "COM1 has sent nothing yet");
    } else {
        ImGui::PushFont(font);
        const float cell = font->CalcTextSizeA(font->FontSize, 1e9f, 0, "0").x,
                    height = std::round(font->FontSize * 1.22f);
        wrap(terminal, static_cast<std::size_t>(std::max(20.0f, ImGui::GetContentRegionAvail().x / cell)));
        ImDrawList* draw = ImGui::GetWindowDrawList();
        const ImVec2 origin = ImGui::GetCursorScreenPos();
        const float top = ImGui::GetScrollY(), visible = ImGui::GetWindowHeight();
        const std::size_t first = static_cast<std::size_t>(std::max(0.0f, top / height - 1));
        const std::size_t last =
            std::min(rows_.size(), first + static_cast<std::size_t>(visible / height) + 3);
        std::string run;
        for (std::size_t r = first; r < last; ++r) {
            const Row& row = rows_[r];
            const TerminalLine& line = terminal.lines()[row.line];
            const float y = origin.y + static_cast<float>(r) * height;
            for (std::size_t c = row.first; c < row.last && c < line.size();) {
                const TerminalCell style = line[c];
                const std::size_t from = c;
                run.clear();
                for (; c < row.last && c < line.size() && line[c].foreground == style.foreground &&
                       line[c].background == style.background;
                     ++c)
                    append_utf8(run, line[c].character);
                const float x = origin.x + static_cast<float>(from - row.first) * cell;
                if (style.background)
                    draw->AddRectFilled({x, y}, {x + static_cast<float>(c - from) * cell, y + height},
                                        terminal_colour(style.background));
                draw->AddText({x, y},
                              style.foreground == 0 && style.background == 0
                                  ? colour::Faint
                                  : terminal_colour(style.foreground),
                              run.data(), run.data() + run.size());
            }
            const std::size_t column = terminal.cursor_column();
            if (row.line == terminal.cursor_line() && column >= row.first && column < row.first + columns_) {
                const float x = origin.x + static_cast<float>(column - row.first) * cell;
                if (captured)
                    draw->AddRectFilled({x, y}, {x + cell, y + height - 1},
                                        colour::with_alpha(colour::Accent, 190));
                else
                    draw->AddRect({x, y}, {x + cell, y + height - 1}, colour::Line);
            }
        }
        ImGui::Dummy({1, static_cast<float>(rows_.size()) * height});
        ImGui::PopFont();
        // It stays at the end until somebody scrolls up.
        const float most = ImGui::GetScrollMaxY();
        if (ImGui::IsWindowHovered() && ImGui::GetIO().MouseWheel > 0)
            at_end_ = false;
        else if (top >= most - 2)
            at_end_ = true;
        if (at_end_) ImGui::SetScrollHereY(1.0f);
    }
    if (ImGui::IsWindowHovered() && ImGui::IsMouseReleased(0) && !ImGui::IsMouseDragging(0))
        context.ask_for_keys(captured ? Capture::None : Capture::Terminal);
    ImGui::EndChild();
    ImGui::SetCursorPosY(ImGui::GetWindowHeight() - footer - context.px(1));
    if (captured)
        text(colour::Accent, "Keys go to COM1 · Ctrl+Alt releases them");
    else if (context.engine.running())
        text(colour::Dim, "Click to type on COM1");
    else
        text(colour::Dim, "The machine stands still: it hears no keys");
    end_panel();
}

} // namespace vitrine::ui
