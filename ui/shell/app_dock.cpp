// The docked panels: tabs, what is drawn in a place, borders that are dragged, panels that are taken
// elsewhere. See app.h.
//
// A panel is dragged by its tab or by its head: dropped in the middle of a place it becomes a tab there, near
// a side it gets a place of its own. A double click lets it have everything, another one gives that back.
#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include "ui/shell/app.h"
#include "ui/shell/widgets.h"

namespace vitrine::ui {

namespace {
struct Title {
    const char *label, *brief, *hint;
};
constexpr Title Titles[PanelCount] = {
    {"Phases", "Phases", "What the boot did, step by step"},
    {"Page tables", "Pages", "The walk of an address and the map of the address space"},
    {"Descriptors", "Tables", "GDT, LDT, TSS and IDT"},
    {"Run queues", "Queues", "Who runs and who waits, by vruntime; all tasks; the process tree"},
    {"Memory", "Memory", "Buddy lists over time, and all of RAM by page type with its owners"},
    {"Memory bytes", "Bytes", "Memory as bytes; a right click asks who wrote one"},
    {"Devices", "Devices", "Chips' registers and pending events"},
    {"Breakpoints", "Breaks", "Where the run stops: places, memory, ports, events, conditions"},
    {"Interrupts", "Interrupts",
     "Vector, pin, handler, how often and when last; controllers' bits; softirqs, timers and ticks"},
    {"System calls", "Calls", "The last system calls with arguments and results"},
    {"Stack", "Stack", "Who called the code that runs, across the system call; the stack's words"},
    {"Address space", "Space", "A task's areas, page tables as grids, frames; the TLBs; what changed"},
    {"Slabs", "Slabs", "Slab caches with their objects, vmalloc areas, page cache and LRU lists"},
    {"Files", "Files", "Open files, mounts, inodes and dentries"},
    {"Block", "Block", "Disks, request queues, requests in flight and their latencies"},
    {"Locks", "Locks", "Who holds and who waits, contention, the order graph"},
    {"Structures", "Types", "Every structure that the kernel publishes, field by field"},
    {"Watches", "Watch", "Expressions and structures, worked out wherever the machine stands"},
    {"Screen", "Screen", "The guest's picture"},
    {"Serial terminal", "Serial", "COM1"},
    {"Code", "Code", "Disassembly and source lines"},
    {"Processor", "CPU", "Registers"},
};
constexpr float DragFrom = 6, TabHeight = 27;
constexpr unsigned MostRows = 2;
} // namespace

const char* panel_title(Tab panel) { return Titles[static_cast<unsigned>(panel)].label; }
const char* panel_brief(Tab panel) { return Titles[static_cast<unsigned>(panel)].brief; }
const char* panel_hint(Tab panel) { return Titles[static_cast<unsigned>(panel)].hint; }

void App::draw_places() {
    Context& context = *context_;
    if (!std::exchange(made_, true)) {
        context.settle = true; // windows that are made small keep that size in this frame
        // A window that is made after the borders' would lie behind them.
        for (unsigned i = 0; i < PanelCount; ++i)
            begin_frame(context, fmt::format("place {}", i).c_str(), {-64, -64, 32, 32}), end_frame();
        for (const char* name : {"Screen", "Serial terminal", "Lesson", "Code", "Processor"})
            begin_frame(context, name, {-64, -64, 32, 32}), end_frame();
    }
    const DockLayout layout = context.layout.dock; // a click may change the dock
    for (unsigned i = 0; i < layout.places.size(); ++i) draw_place(layout.places[i], i);
    if (context.capture != Capture::None &&
        context.layout.area_of(context.capture == Capture::Screen ? Tab::Screen : Tab::Terminal).width == 0)
        give_keys_back();
    drag_panels();
}

void App::draw_place(const DockPlace& place, unsigned index) {
    const bool structure = static_cast<unsigned>(place.front()) < TabCount;
    if (!structure && place.panels.size() == 1) return draw_panel(place.front(), place.area);
    Context& context = *context_;
    const Rect& area = place.area;
    begin_frame(context, fmt::format("place {}", index).c_str(), area);
    draw_tabs(place, index, area);
    const float head = ImGui::GetCursorPosY();
    if (!structure) {
        end_frame();
        return draw_panel(place.front(), {area.x, area.y + head, area.width, area.height - head});
    }
    ImGui::PushStyleVar(ImGuiStyleVar_WindowPadding, {context.px(10), context.px(8)});
    ImGui::PushID(static_cast<int>(place.front()));
    ImGui::BeginChild("tab", {0, -1}, false, ImGuiWindowFlags_AlwaysUseWindowPadding);
    ImGui::PopStyleVar();
    draw_panel(place.front(), area);
    ImGui::EndChild();
    ImGui::PopID();
    end_frame();
}

/// Whole names in one row, brief ones in at most two; what has no room is behind "more".
void App::draw_tabs(const DockPlace& place, unsigned index, const Rect& area) {
    Context& context = *context_;
    const ImFont* font = context.fonts.text;
    const auto measure = [&](const char* text) {
        return font->CalcTextSizeA(font->FontSize, 1e9f, 0, text).x + context.px(12);
    };
    const float inner = area.width - context.px(8), more_width = measure("more ▾");
    std::vector<std::vector<Tab>> rows;
    std::vector<Tab> hidden;
    bool brief = false;
    const auto fill = [&](const char* (*name)(Tab), unsigned most) {
        rows.assign(1, {}), hidden.clear();
        float x = 0;
        for (Tab panel : place.panels) {
            const float width = measure(name(panel)), room = rows.size() == most ? inner - more_width : inner;
            if (x + width > room && !rows.back().empty()) {
                if (rows.size() == most) {
                    hidden.push_back(panel);
                    continue;
                }
                rows.emplace_back(), x = 0;
            }
            if (!hidden.empty()) {
                hidden.push_back(panel);
                continue;
            }
            rows.back().push_back(panel), x += width;
        }
    };
    fill(panel_title, 1);
    if (!hidden.empty()) fill(panel_title, MostRows);
    if (!hidden.empty()) brief = true, fill(panel_brief, MostRows);
    // What is in front is seen, whatever else is not.
    if (const auto front = std::ranges::find(hidden, place.front()); front != hidden.end())
        std::swap(*front, rows.back().back());

    const float height = context.px(TabHeight),
                head = height * static_cast<float>(rows.size()) + context.px(6);
    ImDrawList* draw = ImGui::GetWindowDrawList();
    draw->AddRectFilled({area.x + 1, area.y + 1}, {area.right() - 1, area.y + head}, colour::Header,
                        ImGui::GetStyle().WindowRounding, ImDrawFlags_RoundCornersTop);
    for (std::size_t row = 0; row < rows.size(); ++row) {
        float labels = 0;
        const bool last = row + 1 == rows.size();
        for (Tab panel : rows[row])
            labels += measure(brief ? panel_brief(panel) : panel_title(panel)) - context.px(12);
        const float room = inner - (last && !hidden.empty() ? more_width : 0);
        const float spare =
            std::clamp((room - labels) / static_cast<float>(rows[row].size()), 0.0f, context.px(34));
        float x = area.x + context.px(4);
        const float y = area.y + context.px(3) + static_cast<float>(row) * height;
        for (Tab panel : rows[row]) {
            const char* label = brief ? panel_brief(panel) : panel_title(panel);
            const float width = measure(label) - context.px(12) + spare;
            ImGui::SetCursorScreenPos({x, y});
            ImGui::PushID(static_cast<int>(panel));
            const bool clicked = ImGui::InvisibleButton("head", {width, height});
            ImGui::PopID();
            context.probe.places.push_back({panel_title(panel), {x, y, width, height}});
            const bool on = place.front() == panel, hovered = ImGui::IsItemHovered();
            if (clicked && !drag_.moving) {
                if (static_cast<unsigned>(panel) < TabCount)
                    context.show_tab(panel);
                else
                    context.dock.show(panel);
            }
            if (ImGui::IsItemActivated())
                drag_ = {panel, ImGui::GetMousePos().x, ImGui::GetMousePos().y, false};
            if (hovered && ImGui::IsMouseDoubleClicked(0))
                context.dock.maximise(context.dock.maximised() ? std::nullopt : std::optional(panel));
            if (on || hovered)
                draw->AddRectFilled({x + 1, y + 1}, {x + width - 1, y + height - 1},
                                    on ? colour::TabOn : colour::Hover, context.px(4));
            if (on && panel == context.navigation.tab)
                draw->AddRectFilled({x + context.px(4), y + height - context.px(3)},
                                    {x + width - context.px(4), y + height - context.px(1.5f)},
                                    colour::Accent);
            draw->AddText({x + spare / 2, std::floor(y + (height - font->FontSize) / 2)},
                          on        ? colour::Accent
                          : hovered ? colour::Text
                                    : colour::Dim,
                          label);
            if (hovered && !drag_.moving) tooltip(context, panel_hint(panel));
            x += width;
        }
        if (!last || hidden.empty()) continue;
        ImGui::SetCursorScreenPos({area.right() - more_width - context.px(2), y});
        const std::string popup = fmt::format("more {}", index);
        if (ImGui::InvisibleButton("more", {more_width, height})) ImGui::OpenPopup(popup.c_str());
        context.probe.places.push_back(
            {"more", {area.right() - more_width - context.px(2), y, more_width, height}});
        draw->AddText(
            {area.right() - more_width + context.px(4), std::floor(y + (height - font->FontSize) / 2)},
            ImGui::IsItemHovered() ? colour::Text : colour::Dim, "more ▾");
        if (ImGui::BeginPopup(popup.c_str())) {
            context.probe.menu = true;
            if (context.menu_closing) context.menu_closing = false, ImGui::CloseCurrentPopup();
            for (Tab panel : hidden) {
                if (ImGui::MenuItem(panel_title(panel))) {
                    if (static_cast<unsigned>(panel) < TabCount)
                        context.show_tab(panel);
                    else
                        context.dock.show(panel);
                }
                const ImVec2 a = ImGui::GetItemRectMin(), size = ImGui::GetItemRectSize();
                context.probe.places.push_back({panel_title(panel), {a.x, a.y, size.x, size.y}});
            }
            ImGui::EndPopup();
        }
    }
    draw->AddLine({area.x + 1, area.y + head}, {area.right() - 1, area.y + head}, colour::Border);
    ImGui::SetCursorPos({0, head + 1});
}

void App::draw_panel(Tab panel, const Rect& area) {
    Context& context = *context_;
    switch (panel) {
    case Tab::Screen: screen_->draw(context, area); break;
    case Tab::Terminal:
        if (context.lessons.lesson())
            lesson_.draw(context, area); // the screen shows what the terminal would
        else
            terminal_.draw(context, area);
        break;
    case Tab::Code: code_.draw(context, area); break;
    case Tab::Processor: draw_processor(context, area); break;
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
    case Tab::AddressSpace: draw_address_space(context); break;
    case Tab::Slabs: draw_slabs(context); break;
    case Tab::Files: draw_files(context); break;
    case Tab::Block: draw_block(context); break;
    case Tab::Locks: draw_locks(context); break;
    case Tab::Structures: draw_structures(context); break;
    case Tab::Watches: watches_.draw(context); break;
    }
}

/// Follows the pointer with a panel in hand, shows where it would go, and takes it there.
void App::drag_panels() {
    Context& context = *context_;
    const ImVec2 mouse = ImGui::GetMousePos();
    if (ImGui::IsMouseClicked(0) && !drag_.panel && context.dialog == Dialog::None &&
        !ImGui::IsAnyItemHovered())
        for (const DockPlace& place : context.layout.dock.places) // the heads of those without tabs
            if (place.panels.size() == 1 && static_cast<unsigned>(place.front()) >= TabCount &&
                Rect{place.area.x, place.area.y, place.area.width, context.px(28)}.contains(mouse.x,
                                                                                            mouse.y)) {
                if (ImGui::IsMouseDoubleClicked(0))
                    context.dock.maximise(context.dock.maximised() ? std::nullopt
                                                                   : std::optional(place.front()));
                else
                    drag_ = {place.front(), mouse.x, mouse.y, false};
            }
    if (!drag_.panel) return;
    if (std::abs(mouse.x - drag_.x) + std::abs(mouse.y - drag_.y) > context.px(DragFrom)) drag_.moving = true;
    const bool released = !ImGui::IsMouseDown(0);
    if (drag_.moving && !context.dock.maximised()) {
        context.probe.dragged = TabNames[static_cast<unsigned>(*drag_.panel)];
        ImDrawList* draw = ImGui::GetForegroundDrawList();
        for (const DockPlace& place : context.layout.dock.places) {
            const Rect& a = place.area;
            if (!a.contains(mouse.x, mouse.y)) continue;
            const float dx = (mouse.x - a.x) / a.width, dy = (mouse.y - a.y) / a.height,
                        near = std::min({dx, 1 - dx, dy, 1 - dy});
            const DockSide side = near > 0.25f || mouse.y < a.y + context.px(28) ? DockSide::Tab
                                  : near == dx                                   ? DockSide::Left
                                  : near == 1 - dx                               ? DockSide::Right
                                  : near == dy                                   ? DockSide::Above
                                                                                 : DockSide::Below;
            Rect there = a;
            if (side == DockSide::Left || side == DockSide::Right) there.width /= 2;
            if (side == DockSide::Above || side == DockSide::Below) there.height /= 2;
            if (side == DockSide::Right) there.x += there.width;
            if (side == DockSide::Below) there.y += there.height;
            draw->AddRectFilled({there.x, there.y}, {there.right(), there.bottom()}, colour::AccentSoft,
                                context.px(4));
            draw->AddRect({there.x, there.y}, {there.right(), there.bottom()}, colour::Accent, context.px(4),
                          0, context.px(2));
            if (released) {
                const Tab beside = place.front() == *drag_.panel && place.panels.size() > 1
                                       ? place.panels[place.active ? 0 : 1]
                                       : place.front();
                context.dock.move(*drag_.panel, beside, side);
                if (static_cast<unsigned>(*drag_.panel) < TabCount) context.show_tab(*drag_.panel);
                context.settle = true;
            }
        }
        const char* title = panel_title(*drag_.panel);
        const ImVec2 size = ImGui::CalcTextSize(title);
        draw->AddRectFilled({mouse.x + context.px(12), mouse.y},
                            {mouse.x + context.px(24) + size.x, mouse.y + size.y + context.px(6)},
                            colour::TabOn, context.px(4));
        draw->AddText({mouse.x + context.px(18), mouse.y + context.px(3)}, colour::Text, title);
    }
    if (released) drag_ = {};
}

void App::draw_borders() {
    Context& context = *context_;
    const ImVec2 all = ImGui::GetIO().DisplaySize;
    ImGui::PushStyleColor(ImGuiCol_WindowBg, 0);
    begin_frame(context, "splitters", {0, 0, all.x, all.y}, 0);
    ImGui::PopStyleColor();
    int id = 0;
    bool held = false;
    const auto bar = [&](const Rect& area, bool vertical, auto drag, auto forget) {
        ImGui::SetCursorScreenPos({area.x, area.y});
        ImGui::PushID(id++);
        ImGui::InvisibleButton("border", {std::max(area.width, 1.0f), std::max(area.height, 1.0f)});
        ImGui::PopID();
        const bool active = ImGui::IsItemActive();
        if (ImGui::IsItemHovered() && ImGui::IsMouseDoubleClicked(0)) forget();
        if (active || ImGui::IsItemHovered()) {
            ImGui::SetMouseCursor(vertical ? ImGuiMouseCursor_ResizeEW : ImGuiMouseCursor_ResizeNS);
            const float inset = std::floor((vertical ? area.width : area.height) / 3);
            ImGui::GetWindowDrawList()->AddRectFilled(
                {area.x + (vertical ? inset : 0), area.y + (vertical ? 0 : inset)},
                {area.right() - (vertical ? inset : 0), area.bottom() - (vertical ? 0 : inset)},
                active ? colour::Accent : colour::Line, 2);
        }
        if (active) held = true, drag(ImGui::IsItemActivated());
    };
    const ImVec2 mouse = ImGui::GetMousePos();
    for (const DockBorder& border : context.layout.dock.borders)
        bar(
            border.area, border.vertical,
            [&](bool begins) {
                // From where the button went down: what is dragged beyond its least size comes back as it
                // went.
                if (begins || !dragged_border_)
                    dragged_border_ = border,
                    border_from_ = (border.vertical ? mouse.x - ImGui::GetIO().MouseDelta.x
                                                    : mouse.y - ImGui::GetIO().MouseDelta.y);
                if (begins)
                    border_from_ = border.vertical ? ImGui::GetIO().MouseClickedPos[0].x
                                                   : ImGui::GetIO().MouseClickedPos[0].y;
                const float by = (border.vertical ? mouse.x : mouse.y) - border_from_;
                if (by != 0) context.dock.drag(*dragged_border_, by);
            },
            [&] { context.dock.forget_border(border); });
    bar(
        context.layout.timeline_border, false,
        [&](bool) {
            if (const float by = ImGui::GetIO().MouseDelta.y; by != 0)
                splits_.strip = context.layout.splits.strip - by / std::max(all.y, 1.0f);
        },
        [&] { splits_.strip = -1; });
    if (!held) dragged_border_.reset();
    end_frame();
}

} // namespace vitrine::ui
