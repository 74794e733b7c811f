// One frame: layout, panels, splitters, dialogs. See app.h.
#include <algorithm>
#include <array>
#include <cmath>
#include <imgui_impl_sdl.h>
#include "emu/cli/options.h"
#include "emu/symbols/guest_symbols.h"
#include "ui/shell/app.h"
#include "ui/shell/toolbar.h"
#include "ui/shell/widgets.h"

namespace vitrine::ui {

void App::prepare() {
    if (context_->redraw > 0) --context_->redraw;
    if (wanted_scale_ != context_->scale) set_scale(wanted_scale_);
    unseen_ = {};
    feed_terminal();
    follow_lesson();
    views_->refresh();
    // What changes its size is laid out again before anybody sees it.
    for (int pass = 0; pass < 3; ++pass) {
        context_->settle = false;
        lay_out();
        if (!context_->settle) break;
    }
}

/// Draws what prepare() laid out. No turn is needed: the machine runs meanwhile.
void App::present() {
    renderer_->draw(*ImGui::GetDrawData(), colour::Window);
    if (options_.ui_screenshot.empty()) SDL_RenderPresent(sdl_renderer_);
}

/// One frame of ImGui, from its input to its draw lists.
void App::lay_out() {
    ImGui_ImplSDL2_NewFrame();
    // Everything is laid out in pixels of the output, whatever the window system calls a point.
    ImGuiIO& io = ImGui::GetIO();
    int width = 0, height = 0;
    SDL_GetRendererOutputSize(sdl_renderer_, &width, &height);
    io.DisplaySize = {static_cast<float>(width), static_cast<float>(height)};
    io.DisplayFramebufferScale = {1, 1};
    // Position and buttons after the last event that was handled: the server-wide ones that the backend asks
    // for lag behind on some servers, and SDL's own run ahead to events that wait for the next frame.
    io.MouseDown[0] = (mouse_buttons_ & SDL_BUTTON_LMASK) != 0;
    io.MouseDown[1] = (mouse_buttons_ & SDL_BUTTON_RMASK) != 0;
    io.MouseDown[2] = (mouse_buttons_ & SDL_BUTTON_MMASK) != 0;
    if (SDL_GetMouseFocus() == window_)
        io.MousePos = {static_cast<float>(mouse_x_), static_cast<float>(mouse_y_)};
    if (pixels_per_point_ != 1 && io.MousePos.x > -1e6f)
        io.MousePos = {io.MousePos.x * pixels_per_point_, io.MousePos.y * pixels_per_point_};
    ImGui::NewFrame();
    context_->layout = compute_layout(io.DisplaySize.x, io.DisplaySize.y, context_->scale, splits_,
                                      static_cast<float>(screen_->guest_width()),
                                      static_cast<float>(screen_->guest_height()));
    context_->probe = {};
    if (context_->lessons.lesson() && splits_.screen < 0) {
        Splits reading = splits_; // a story wants room
        reading.screen = 0.36f;
        context_->layout = compute_layout(io.DisplaySize.x, io.DisplaySize.y, context_->scale, reading,
                                          static_cast<float>(screen_->guest_width()),
                                          static_cast<float>(screen_->guest_height()));
    }
    context_->hint_seen = false;
    draw_parts();
    if (!context_->hint_seen) context_->hint.clear();
    ImGui::Render();
}

void App::draw_parts() {
    Context& context = *context_;
    draw_toolbar(context);
    screen_->draw(context, context.layout.screen);
    if (context.lessons.lesson())
        lesson_.draw(context, context.layout.terminal); // the screen shows what the terminal would
    else
        terminal_.draw(context, context.layout.terminal);
    if (!std::exchange(made_, true)) {
        // A window that is made after the splitters' would lie behind them.
        begin_frame(context, "Lesson", {-64, -64, 32, 32});
        end_frame();
    }
    code_.draw(context, context.layout.code);
    draw_processor(context, context.layout.processor);
    draw_structures();
    timeline_.draw(context, context.layout.timeline);
    draw_status(context);
    draw_splitters(); // last: ImGui puts a window that never comes to the front behind those made before it
    point_at_part();
    answer_card(context);
    address_menu(context);
    dialogs_.draw(context);
    if (context.dialog == Dialog::None && context.palette_then)
        std::exchange(context.palette_then, {})(context);
}

/// What a lesson wants to be seen: opened, and framed until its next part.
void App::follow_lesson() {
    Context& context = *context_;
    context.lessons.update();
    if (context.lessons.working()) context.redraw = std::max(context.redraw, 1);
    for (const auto& [panel, argument] : context.lessons.take_shows()) {
        context.pointed_part = panel;
        for (unsigned i = 0; i < TabCount; ++i)
            if (panel == TabNames[i])
                context.show_tab(static_cast<Tab>(i)), context.pointed_part = "structures";
        if (panel == "code") context.navigation.follow = true;
        if (panel == "page-tables") context.navigation.walk_follow = true;
        std::optional<u64> place;
        if (!argument.empty()) {
            if (auto number = emu::cli::parse_number(argument)) place = *number;
            if (const auto* symbols = engine_->machine().symbols(); !place && symbols)
                place = symbols->find(argument);
        }
        if (!place) continue;
        if (panel == "code") context.show_code(*place);
        if (panel == "bytes") context.show_bytes(*place);
        if (panel == "page-tables") context.show_walk(*place);
    }
}

void App::point_at_part() {
    const Layout& layout = context_->layout;
    const std::pair<const char*, Rect> parts[] = {
        {"screen", layout.screen},       {"terminal", layout.terminal},     {"code", layout.code},
        {"processor", layout.processor}, {"structures", layout.structures}, {"timeline", layout.timeline}};
    for (const auto& [name, area] : parts)
        if (context_->pointed_part == name && context_->lessons.lesson())
            ImGui::GetForegroundDrawList()->AddRect({area.x - 1, area.y - 1},
                                                    {area.right() + 1, area.bottom() + 1}, colour::Changed,
                                                    context_->px(5), 0, context_->px(2));
}

void App::draw_splitters() {
    const ImVec2 all = ImGui::GetIO().DisplaySize;
    ImGui::PushStyleColor(ImGuiCol_WindowBg, 0);
    begin_frame(*context_, "splitters", {0, 0, all.x, all.y}, 0);
    ImGui::PopStyleColor();
    int id = 0;
    for (const Splitter& splitter : context_->layout.splitters) {
        ImGui::SetCursorScreenPos({splitter.area.x, splitter.area.y});
        ImGui::PushID(id++);
        ImGui::InvisibleButton("splitter", {splitter.area.width, splitter.area.height});
        ImGui::PopID();
        const bool active = ImGui::IsItemActive();
        if (ImGui::IsItemHovered() && ImGui::IsMouseDoubleClicked(0)) splits_.*splitter.value = -1;
        if (active || ImGui::IsItemHovered()) {
            ImGui::SetMouseCursor(splitter.vertical ? ImGuiMouseCursor_ResizeEW : ImGuiMouseCursor_ResizeNS);
            const float inset =
                std::floor((splitter.vertical ? splitter.area.width : splitter.area.height) / 3);
            const ImVec2 a{splitter.area.x + (splitter.vertical ? inset : 0),
                           splitter.area.y + (splitter.vertical ? 0 : inset)};
            const ImVec2 b{splitter.area.right() - (splitter.vertical ? inset : 0),
                           splitter.area.bottom() - (splitter.vertical ? 0 : inset)};
            ImGui::GetWindowDrawList()->AddRectFilled(a, b, active ? colour::Accent : colour::Line, 2);
        }
        if (active) {
            const ImVec2 moved = ImGui::GetIO().MouseDelta;
            const float by = (splitter.vertical ? moved.x : moved.y) / splitter.extent;
            if (by != 0) splits_.*splitter.value = context_->layout.splits.*splitter.value + by;
        }
    }
    end_frame();
}

/// The right column: tabs in one row when they fit, in two when they do not.
void App::draw_structures() {
    struct Entry {
        Tab tab;
        const char *label, *brief, *hint;
    };
    static constexpr std::array<Entry, TabCount> Entries = {{
        {Tab::Phases, "Phases", "Phases", "What the boot did, step by step"},
        {Tab::PageTables, "Page tables", "Pages", "The walk of an address and the map of the address space"},
        {Tab::Descriptors, "Descriptors", "Tables", "GDT, LDT, TSS and IDT"},
        {Tab::RunQueues, "Run queues", "Queues", "Who runs and who waits, by vruntime; all tasks"},
        {Tab::Memory, "Memory", "Memory", "Buddy lists, and all of RAM by page type"},
        {Tab::Bytes, "Memory bytes", "Bytes", "Memory as bytes; a right click asks who wrote one"},
        {Tab::Devices, "Devices", "Devices", "Chips' registers and pending events"},
        {Tab::Breakpoints, "Breakpoints", "Breaks",
         "Where the run stops: places, memory, ports, events, conditions"},
        {Tab::Interrupts, "Interrupts", "Interrupts", "Vector, pin, handler, how often and when last"},
        {Tab::SystemCalls, "System calls", "Calls", "The last system calls with arguments and results"},
        {Tab::Stack, "Stack", "Stack", "The stack's words, with what may be return addresses"},
    }};
    Context& context = *context_;
    const Rect& area = context.layout.structures;
    begin_frame(context, "structures", area);
    const ImFont* font = context.fonts.text;
    const auto fits = [&](unsigned tried, const char* Entry::* label) { // rows differ, so each is measured
        for (unsigned first = 0; first < TabCount; first += tried) {
            float needed = context.px(8);
            for (unsigned i = first; i < std::min(first + tried, TabCount); ++i)
                needed += font->CalcTextSizeA(font->FontSize, 1e9f, 0, Entries[i].*label).x + context.px(12);
            if (needed > area.width) return false;
        }
        return true;
    };
    // Whole names in at most two rows; else brief ones, as many as fit.
    const char* Entry::* label_of = &Entry::label;
    unsigned per_row = fits(TabCount, label_of)             ? TabCount
                       : fits((TabCount + 1) / 2, label_of) ? (TabCount + 1) / 2
                                                            : 0;
    if (!per_row) {
        label_of = &Entry::brief;
        for (per_row = (TabCount + 1) / 2; per_row > 2 && !fits(per_row, label_of);) --per_row;
    }
    const unsigned rows = (TabCount + per_row - 1) / per_row;
    const float height = context.px(27), inner = area.width - context.px(8);
    ImDrawList* draw = ImGui::GetWindowDrawList();
    draw->AddRectFilled({area.x + 1, area.y + 1},
                        {area.right() - 1, area.y + height * static_cast<float>(rows) + context.px(6)},
                        colour::Header, ImGui::GetStyle().WindowRounding, ImDrawFlags_RoundCornersTop);
    for (unsigned row = 0; row < rows; ++row) {
        const unsigned first = row * per_row, last = std::min(first + per_row, TabCount);
        float labels = 0;
        for (unsigned i = first; i < last; ++i)
            labels += font->CalcTextSizeA(font->FontSize, 1e9f, 0, Entries[i].*label_of).x;
        const float spare = std::min((inner - labels) / static_cast<float>(last - first), context.px(34));
        float x = area.x + context.px(4);
        const float y = area.y + context.px(3) + static_cast<float>(row) * height;
        for (unsigned i = first; i < last; ++i) {
            const Entry& entry = Entries[i];
            const float label = font->CalcTextSizeA(font->FontSize, 1e9f, 0, entry.*label_of).x,
                        width = label + spare;
            ImGui::SetCursorScreenPos({x, y});
            if (ImGui::InvisibleButton(entry.label, {width, height})) context.show_tab(entry.tab);
            context.probe.places.push_back({entry.label, {x, y, width, height}});
            const bool on = context.navigation.tab == entry.tab, hovered = ImGui::IsItemHovered();
            if (on || hovered)
                draw->AddRectFilled({x + 1, y + 1}, {x + width - 1, y + height - 1},
                                    on ? colour::rgb(0x2B3747) : colour::Hover, context.px(4));
            draw->AddText({x + spare / 2, std::floor(y + (height - font->FontSize) / 2)},
                          on        ? colour::Accent
                          : hovered ? colour::Text
                                    : colour::Dim,
                          entry.*label_of);
            if (hovered) tooltip(context, entry.hint);
            x += width;
        }
    }
    const float head = height * static_cast<float>(rows) + context.px(6);
    draw->AddLine({area.x + 1, area.y + head}, {area.right() - 1, area.y + head}, colour::Border);
    ImGui::SetCursorPos({0, head + 1});
    ImGui::PushStyleVar(ImGuiStyleVar_WindowPadding, {context.px(10), context.px(8)});
    ImGui::PushID(static_cast<int>(context.navigation.tab));
    ImGui::BeginChild("tab", {0, -1}, false, ImGuiWindowFlags_AlwaysUseWindowPadding);
    ImGui::PopStyleVar();
    switch (context.navigation.tab) {
    case Tab::Phases: draw_phases(context); break;
    case Tab::PageTables: draw_page_tables(context); break;
    case Tab::Descriptors: draw_descriptors(context); break;
    case Tab::RunQueues: draw_run_queues(context); break;
    case Tab::Memory: memory_->draw(context); break;
    case Tab::Bytes: draw_bytes(context); break;
    case Tab::Devices: draw_devices(context); break;
    case Tab::Breakpoints: breakpoints_->draw(context); break;
    case Tab::Interrupts: draw_interrupts(context); break;
    case Tab::SystemCalls: draw_system_calls(context); break;
    case Tab::Stack: draw_stack(context); break;
    }
    ImGui::EndChild();
    ImGui::PopID();
    end_frame();
}

} // namespace vitrine::ui
