// Widgets: see widgets.h.
#include "ui/shell/widgets.h"
#include <algorithm>
#include <bit>
#include <fmt/format.h>
#include <utility>
#include "ui/model/format.h"

namespace vitrine::ui {

namespace {
constexpr ImGuiWindowFlags Fixed = ImGuiWindowFlags_NoDecoration | ImGuiWindowFlags_NoMove |
                                   ImGuiWindowFlags_NoSavedSettings | ImGuiWindowFlags_NoBringToFrontOnFocus |
                                   ImGuiWindowFlags_NoScrollWithMouse | ImGuiWindowFlags_NoNav;
constexpr float HeaderHeight = 28;

ImVec4 vec(ImU32 c) { return ImGui::ColorConvertU32ToFloat4(c); }
} // namespace

// ---- frames -----------------------------------------------------------------------------------------------

void begin_frame(Context& context, const char* name, const Rect& area, ImU32 border) {
    ImGui::SetNextWindowPos({area.x, area.y});
    ImGui::SetNextWindowSize({area.width, area.height});
    ImGui::PushStyleColor(ImGuiCol_Border, border);
    ImGui::PushStyleVar(ImGuiStyleVar_WindowPadding, {0, 0});
    ImGui::Begin(name, nullptr, Fixed);
    ImGui::PopStyleVar();
    ImGui::PopStyleColor();
    (void)context;
}
void end_frame() { ImGui::End(); }

void begin_panel(Context& context, const char* title, const Rect& area, std::string_view right, ImU32 border,
                 bool scrolls) {
    begin_frame(context, title, area, border);
    ImDrawList* draw = ImGui::GetWindowDrawList();
    const float height = context.px(HeaderHeight), pad = context.px(10);
    draw->AddRectFilled({area.x + 1, area.y + 1}, {area.right() - 1, area.y + height}, colour::Header,
                        ImGui::GetStyle().WindowRounding, ImDrawFlags_RoundCornersTop);
    draw->AddLine({area.x + 1, area.y + height}, {area.right() - 1, area.y + height}, colour::Border);
    const ImFont* bold = context.fonts.bold;
    const ImVec2 title_size = bold->CalcTextSizeA(bold->FontSize, 1e9f, 0, title);
    const float y = area.y + std::floor((height - bold->FontSize) / 2);
    draw->AddText(bold, bold->FontSize, {area.x + pad, y}, colour::Text, title);
    if (!right.empty()) {
        const ImFont* font = context.fonts.text;
        const float room = area.width - title_size.x - 3 * pad;
        std::string shown(right);
        ImVec2 size = font->CalcTextSizeA(font->FontSize, 1e9f, 0, shown.c_str());
        while (size.x > room && shown.size() > 4) { // the end matters least
            shown.resize(shown.size() - 4);
            while (!shown.empty() && (static_cast<u8>(shown.back()) & 0xC0) == 0x80) shown.pop_back();
            shown += "…";
            size = font->CalcTextSizeA(font->FontSize, 1e9f, 0, shown.c_str());
        }
        draw->AddText(font, font->FontSize, {area.right() - pad - size.x, y}, colour::Dim, shown.c_str());
    }
    ImGui::SetCursorPos({0, height + 1});
    ImGui::PushStyleVar(ImGuiStyleVar_WindowPadding, {context.px(10), context.px(7)});
    ImGui::BeginChild("content", {0, -1}, false,
                      ImGuiWindowFlags_AlwaysUseWindowPadding |
                          (scrolls ? 0 : ImGuiWindowFlags_NoScrollbar | ImGuiWindowFlags_NoScrollWithMouse));
    ImGui::PopStyleVar();
}
void end_panel() {
    ImGui::EndChild();
    end_frame();
}

// ---- text -------------------------------------------------------------------------------------------------

void text(ImU32 c, std::string_view what) {
    ImGui::PushStyleColor(ImGuiCol_Text, c);
    ImGui::TextUnformatted(what.data(), what.data() + what.size());
    ImGui::PopStyleColor();
}
void text_in(ImFont* font, ImU32 c, std::string_view what) {
    ImGui::PushFont(font);
    text(c, what);
    ImGui::PopFont();
}

void why_empty(Context& context, std::string_view why) {
    context.probe.why_empty = why;
    const ImVec2 room = ImGui::GetContentRegionAvail();
    const float width = std::min(room.x, context.px(320)),
                left = ImGui::GetCursorPosX() + (room.x - width) / 2;
    const ImVec2 size = ImGui::CalcTextSize(why.data(), why.data() + why.size(), false, width);
    ImGui::SetCursorPosY(ImGui::GetCursorPosY() +
                         std::max(context.px(12), std::min(room.y * 0.38f, context.px(150)) - size.y / 2));
    ImGui::SetCursorPosX(left + (width - size.x) / 2);
    ImGui::PushTextWrapPos(left + width);
    text(colour::Dim, why);
    ImGui::PopTextWrapPos();
}

void notes(Context& context, const emu::inspect::Notes& list) {
    for (const std::string& note : list.list()) {
        text(colour::Changed, "▲");
        ImGui::SameLine();
        ImGui::PushTextWrapPos(0);
        text(colour::Dim, note);
        ImGui::PopTextWrapPos();
    }
    (void)context;
}

void section(Context& context, const char* title, std::string_view right) {
    ImGui::Dummy({0, context.px(2)});
    text_in(context.fonts.bold, colour::Text, title);
    if (!right.empty()) {
        ImGui::SameLine();
        text(colour::Dim, right);
    }
}

// ---- addresses --------------------------------------------------------------------------------------------

unsigned address_digits(Context& context) {
    switch (context.views.processor().mode()) {
    case cpu::Mode::Long64: return 16;
    default: return 8;
    }
}

void address_link(Context& context, u64 address, Leads leads, std::string_view label, unsigned digits) {
    const std::string shown = label.empty() ? hex_text(address, digits          ? digits
                                                                : address >> 32 ? 16
                                                                                : 8)
                                            : std::string(label);
    if (label.empty()) ImGui::PushFont(context.fonts.mono);
    text(colour::Link, shown);
    if (label.empty()) ImGui::PopFont();
    if (!ImGui::IsItemHovered()) return;
    const ImVec2 a = ImGui::GetItemRectMin(), b = ImGui::GetItemRectMax();
    ImGui::GetWindowDrawList()->AddLine({a.x, b.y - 1}, {b.x, b.y - 1}, colour::Accent);
    ImGui::SetMouseCursor(ImGuiMouseCursor_Hand);
    if (ImGui::IsMouseClicked(0)) {
        if (leads == Leads::Code)
            context.show_code(address);
        else
            context.show_bytes(address, leads == Leads::Physical);
    }
    if (ImGui::IsMouseClicked(1)) context.open_menu(address, leads == Leads::Physical, 8);
    const std::string symbol =
        leads == Leads::Physical ? "physical address" : context.views.symbol_name(address);
    if (!symbol.empty() && symbol != shown) tooltip(context, symbol);
}

void address_menu(Context& context) {
    if (context.menu_opening) ImGui::OpenPopup("address");
    context.menu_opening = false;
    context.probe.menu = false;
    if (!ImGui::BeginPopup("address")) return;
    context.probe.menu = true;
    if (std::exchange(context.menu_closing, false)) ImGui::CloseCurrentPopup();
    const u64 address = context.menu_address;
    text_in(context.fonts.mono, colour::Text, hex_text(address, address >> 32 ? 16 : 8));
    if (const std::string symbol = context.menu_physical ? "physical" : context.views.symbol_name(address);
        !symbol.empty()) {
        ImGui::SameLine();
        text(colour::Dim, symbol);
    }
    ImGui::Separator();
    if (!context.menu_physical && ImGui::MenuItem("Disassembly")) context.show_code(address);
    if (ImGui::MenuItem("Memory bytes")) context.show_bytes(address, context.menu_physical);
    if (!context.menu_physical && ImGui::MenuItem("Page walk")) context.show_walk(address);
    if (context.menu_size >= 8 && !context.menu_physical && ImGui::MenuItem("Run to here")) {
        emu::BreakSpec there;
        there.address = address;
        context.engine.run_to(std::move(there), hex_text(address, address >> 32 ? 16 : 8));
    }
    ImGui::Separator();
    const auto ask = [&](const char* label, bool write) {
        const bool chosen = ImGui::MenuItem(label);
        const ImVec2 a = ImGui::GetItemRectMin(), size = ImGui::GetItemRectSize();
        context.probe.places.push_back({label, {a.x, a.y, size.x, size.y}});
        if (!chosen) return;
        emu::Target target;
        target.kind = context.menu_physical ? emu::Target::Kind::Physical : emu::Target::Kind::Linear;
        target.address = address, target.size = context.menu_size;
        const std::string symbol = context.menu_physical ? std::string() : context.views.symbol_name(address);
        target.text =
            fmt::format("{} at {}{}{}",
                        context.menu_size == 1 ? "the byte" : fmt::format("the {} bytes", context.menu_size),
                        context.menu_physical ? "physical " : "", hex_text(address, 1),
                        symbol.empty() ? "" : fmt::format(" ({})", symbol));
        context.engine.ask_author(std::move(target), write);
    };
    ask("Who wrote this?", true);
    ask("Who read this?", false);
    ImGui::Separator();
    if (ImGui::MenuItem("Copy")) ImGui::SetClipboardText(("0x" + hex_text(address, 1)).c_str());
    ImGui::EndPopup();
}

void hex_value(Context& context, u64 value, unsigned digits, bool changed) {
    const std::string all = hex_text(value, digits);
    const std::size_t zeros = std::min(all.find_first_not_of('0'), all.size() - 1);
    ImGui::PushFont(context.fonts.mono);
    ImGui::PushStyleVar(ImGuiStyleVar_ItemSpacing, {0, ImGui::GetStyle().ItemSpacing.y});
    if (zeros) {
        text(changed ? colour::ChangedZeros : colour::Faint, std::string_view(all).substr(0, zeros));
        ImGui::SameLine();
    }
    text(changed ? colour::Changed : colour::Text, std::string_view(all).substr(zeros));
    ImGui::PopStyleVar();
    ImGui::PopFont();
}

/// The answer to "who wrote this?": a card above the timeline, until it is closed.
void answer_card(Context& context) {
    Engine& engine = context.engine;
    const auto& answer = engine.answer();
    context.probe.answer = answer ? answer->sentence : "";
    if (!answer) return;
    const Rect& below = context.layout.timeline;
    const float width = std::min(context.px(560), below.width - context.px(24));
    ImGui::SetNextWindowPos({below.right() - context.px(12), below.y - context.px(8)}, ImGuiCond_Always,
                            {1, 1});
    ImGui::SetNextWindowSize({width, 0});
    ImGui::PushStyleColor(ImGuiCol_WindowBg, vec(colour::Header));
    ImGui::PushStyleColor(ImGuiCol_Border, vec(colour::Accent));
    ImGui::PushStyleVar(ImGuiStyleVar_WindowPadding, {context.px(14), context.px(10)});
    ImGui::Begin("answer", nullptr,
                 ImGuiWindowFlags_NoDecoration | ImGuiWindowFlags_NoMove | ImGuiWindowFlags_NoSavedSettings |
                     ImGuiWindowFlags_AlwaysAutoResize | ImGuiWindowFlags_NoFocusOnAppearing |
                     ImGuiWindowFlags_NoNav);
    text_in(context.fonts.bold, colour::Text, answer->question);
    ImGui::PushTextWrapPos(0);
    text(answer->found ? colour::Text : colour::Changed, answer->sentence);
    ImGui::PopTextWrapPos();
    const auto button = [&](const char* label, const char* hint) {
        const bool pressed = ImGui::Button(label);
        const ImVec2 a = ImGui::GetItemRectMin(), size = ImGui::GetItemRectSize();
        context.probe.places.push_back({label, {a.x, a.y, size.x, size.y}});
        if (ImGui::IsItemHovered()) tooltip(context, hint);
        ImGui::SameLine();
        return pressed;
    };
    const u64 step = answer->step;
    const bool found = answer->found;
    if (found && button("Go there", "The machine goes to right before it")) engine.seek(step);
    if (found && button("And before that?", "Goes there and asks again")) engine.ask_author_before();
    if (button("Close", "Closes the answer")) engine.dismiss_answer();
    ImGui::End();
    ImGui::PopStyleVar();
    ImGui::PopStyleColor(2);
    context.settle |= context.probe.answer != context.answer_laid_out;
    context.answer_laid_out = context.probe.answer;
}

// ---- small things -----------------------------------------------------------------------------------------

bool begin_table(const char* name, int columns, bool scrolls, bool sideways, float height) {
    return ImGui::BeginTable(name, columns,
                             ImGuiTableFlags_RowBg | ImGuiTableFlags_SizingFixedFit |
                                 ImGuiTableFlags_NoSavedSettings | ImGuiTableFlags_NoPadOuterX |
                                 (scrolls ? ImGuiTableFlags_ScrollY : 0) |
                                 (scrolls && sideways ? ImGuiTableFlags_ScrollX : 0),
                             {0, height});
}

/// Hints wait until the pointer rests, so that they do not cover what it is on its way to.
void tooltip(Context& context, std::string_view what) {
    constexpr double Rest = 0.45;
    const double now = ImGui::GetTime();
    context.hint_seen = true;
    if (context.hint != what) context.hint = what, context.hint_since = now;
    if (now - context.hint_since >= Rest) return tooltip_now(context, what);
    context.redraw = std::max(context.redraw, 1);
}

void tooltip_now(Context& context, std::string_view what) {
    context.probe.tooltip = what;
    ImGui::PushStyleVar(ImGuiStyleVar_WindowPadding, {context.px(8), context.px(6)});
    ImGui::BeginTooltip();
    ImGui::PushTextWrapPos(context.px(420));
    text(colour::Text, what);
    ImGui::PopTextWrapPos();
    ImGui::EndTooltip();
    ImGui::PopStyleVar();
}

void key_cap(Context& context, const char* key) {
    ImFont* font = context.fonts.small;
    const ImVec2 size = font->CalcTextSizeA(font->FontSize, 1e9f, 0, key);
    const ImVec2 at = ImGui::GetCursorScreenPos();
    const float pad = context.px(6), height = font->FontSize + context.px(6);
    const ImVec2 end{at.x + std::max(size.x + 2 * pad, height), at.y + height};
    ImDrawList* draw = ImGui::GetWindowDrawList();
    draw->AddRectFilled(at, {end.x, end.y + context.px(1.5f)}, colour::KeyEdge, context.px(4));
    draw->AddRectFilled(at, end, colour::KeyCap, context.px(4));
    draw->AddText(font, font->FontSize,
                  {std::floor(at.x + (end.x - at.x - size.x) / 2), std::floor(at.y + context.px(3))},
                  colour::Text, key);
    ImGui::Dummy({end.x - at.x, height + context.px(2)});
}

bool toggle(Context& context, const char* label, bool on, const char* hint) {
    ImGui::PushStyleColor(ImGuiCol_Text, vec(on ? colour::Accent : colour::Dim));
    ImGui::PushStyleColor(ImGuiCol_Button, vec(on ? colour::AccentSoft : colour::Button));
    ImGui::PushFont(context.fonts.small);
    const bool clicked = ImGui::SmallButton(label);
    ImGui::PopFont();
    ImGui::PopStyleColor(2);
    if (hint && ImGui::IsItemHovered()) tooltip(context, hint);
    return clicked;
}

} // namespace vitrine::ui
