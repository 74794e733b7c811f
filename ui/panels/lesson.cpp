// The lesson — the story, part by part: what was done with what came of it, the next part with its button,
// and what lies ahead dimmed. Markdown as far as lessons use it: paragraphs, headings, lists, bold, code.
#include <fmt/format.h>
#include "ui/panels/panels.h"
#include "ui/shell/toolbar.h"
#include "ui/shell/widgets.h"

namespace vitrine::ui {

namespace {

struct Style {
    bool bold = false, code = false;
};

/// Words one behind the other, each in its style, wrapped at the panel's edge.
class Flow {
public:
    explicit Flow(Context& context, ImU32 ink) : context_(context), ink_(ink), left_(ImGui::GetCursorPosX()) {
        right_ = left_ + ImGui::GetContentRegionAvail().x;
    }
    void paragraph(std::string_view text, bool heading) {
        Style style{heading, false};
        std::string word;
        x_ = left_;
        bool joined = false; // to the word before: no space between
        const auto flush = [&] {
            if (!word.empty()) put(word, style, joined), joined = true;
            word.clear();
        };
        for (std::size_t i = 0; i < text.size(); ++i) {
            const char c = text[i];
            if (c == '`') {
                flush(), style.code = !style.code;
            } else if (!style.code && c == '*') {
                flush();
                if (i + 1 < text.size() && text[i + 1] == '*') ++i;
                style.bold = !style.bold;
            } else if (c == ' ' || c == '\n') {
                flush(), joined = false;
            } else {
                word += c;
            }
        }
        flush();
        ImGui::NewLine();
        ImGui::Dummy({0, context_.px(3)});
    }

private:
    void put(const std::string& word, Style style, bool joined) {
        ImFont* font = style.code   ? context_.fonts.mono
                       : style.bold ? context_.fonts.bold
                                    : context_.fonts.text;
        const float width = font->CalcTextSizeA(font->FontSize, 1e9f, 0, word.c_str()).x,
                    space = joined ? 0 : context_.px(4);
        if (x_ > left_ && x_ + space + width > right_)
            x_ = left_;
        else if (x_ > left_)
            ImGui::SameLine(0, 0), x_ += space;
        ImGui::SetCursorPosX(x_);
        text_in(font, style.code ? colour::Link : ink_, word);
        x_ += width;
    }
    Context& context_;
    ImU32 ink_;
    float left_, right_, x_ = 0;
};

void prose(Context& context, std::string_view markdown, ImU32 ink) {
    Flow flow(context, ink);
    std::string paragraph;
    bool heading = false;
    const auto flush = [&] {
        if (!paragraph.empty()) flow.paragraph(paragraph, heading);
        paragraph.clear(), heading = false;
    };
    while (!markdown.empty()) {
        const auto end = markdown.find('\n');
        std::string_view line = markdown.substr(0, end);
        markdown = end == std::string_view::npos ? std::string_view{} : markdown.substr(end + 1);
        if (line.empty()) {
            flush();
            continue;
        }
        if (line.starts_with("#") || line.starts_with("- ") || line.starts_with("* ")) flush();
        if (line.starts_with("#")) {
            heading = true;
            while (line.starts_with("#") || line.starts_with(" ")) line.remove_prefix(1);
        }
        paragraph += line.starts_with("- ") || line.starts_with("* ") ? "• " + std::string(line.substr(2))
                                                                      : std::string(line);
        paragraph += ' ';
        if (heading) flush();
    }
    flush();
}

bool button(Context& context, const char* label) {
    const bool pressed = ImGui::Button(label);
    const ImVec2 a = ImGui::GetItemRectMin(), size = ImGui::GetItemRectSize();
    context.probe.places.push_back({label, {a.x, a.y, size.x, size.y}});
    return pressed;
}

} // namespace

void LessonPanel::draw(Context& context, const Rect& area) {
    LessonPlayer& player = context.lessons;
    const emu::Lesson& lesson = *player.lesson();
    const std::size_t parts = lesson.parts.size();
    begin_panel(context, "Lesson", area,
                fmt::format("{} · part {} of {}", lesson.title, std::min(player.part() + 1, parts), parts));
    if (opened_ != lesson.path) opened_ = lesson.path, shown_part_ = ~std::size_t{0};
    // The story scrolls, the buttons stay.
    ImGui::BeginChild("story", {0, -context.px(32)});
    prose(context, "**" + lesson.title + "**", colour::Text);
    prose(context, lesson.summary, colour::Dim);
    for (std::size_t i = 0; i < parts; ++i) {
        const bool next = i == player.part() && !player.finished(), ahead = i > player.part();
        if (next && shown_part_ != i) {
            ImGui::SetScrollHereY(0.1f);
            shown_part_ = i, context.redraw = std::max(context.redraw, 2);
        }
        prose(context, lesson.parts[i].prose, ahead && !player.finished() ? colour::Faint : colour::Text);
        if (i < player.outcomes().size())
            for (const auto& outcome : player.outcomes()[i]) {
                text(outcome.good ? colour::Good : colour::Bad, outcome.good ? "✓" : "×");
                ImGui::SameLine(0, context.px(6));
                text_in(context.fonts.mono_small, outcome.good ? colour::Dim : colour::Bad,
                        outcome.directive->source);
                if (!outcome.text.empty()) {
                    ImGui::PushTextWrapPos(0);
                    text(colour::Bad, outcome.text);
                    ImGui::PopTextWrapPos();
                }
            }
        if (next && !lesson.parts[i].directives.empty()) {
            const std::size_t begun =
                player.working() && i < player.outcomes().size() ? player.outcomes()[i].size() : 0;
            for (std::size_t k = begun; k < lesson.parts[i].directives.size(); ++k) {
                text(colour::Faint, "·");
                ImGui::SameLine(0, context.px(8));
                text_in(context.fonts.mono_small, colour::Faint, lesson.parts[i].directives[k].source);
            }
        }
        ImGui::Dummy({0, context.px(6)});
    }
    if (player.finished()) text_in(context.fonts.bold, colour::Good, "The end of this lesson.");
    ImGui::EndChild();
    if (!player.finished()) {
        if (context.engine.running() || context.engine.travelling())
            text(colour::Dim, "under way …");
        else if (button(context, player.working() ? "Go on" : "Do it"))
            player.go_on();
        ImGui::SameLine();
    }
    if (button(context, "From the beginning")) report(context, player.again());
    ImGui::SameLine();
    if (button(context, "All lessons")) context.open_dialog(Dialog::Lessons);
    ImGui::SameLine();
    if (button(context, "Leave")) player.close(), context.pointed_part.clear();
    end_panel();
}

} // namespace vitrine::ui
