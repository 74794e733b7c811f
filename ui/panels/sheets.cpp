// Sheets as tables, and the panels that are nothing else: files, block layer, locks, slabs, published
// structures. What the columns mean is said in emu/inspect; here they are drawn, with their links.
#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include "ui/model/format.h"
#include "ui/panels/panels.h"
#include "ui/shell/widgets.h"

namespace vitrine::ui {

namespace {
using emu::inspect::Cell;
using emu::inspect::Sheet;

ImU32 tone(const Cell& cell) {
    switch (cell.tone) {
    case Cell::Tone::Plain: return colour::Text;
    case Cell::Tone::Dim: return colour::Dim;
    case Cell::Tone::Active: return colour::Accent;
    case Cell::Tone::Warning: return colour::Bad;
    case Cell::Tone::Marked: return colour::Changed;
    }
    return colour::Text;
}

void draw_cell(Context& context, const Cell& cell) {
    ImGui::TableNextColumn();
    if (cell.leads == Cell::Leads::Nowhere) return text(tone(cell), cell.text);
    const bool digits = cell.text.starts_with("0x");
    address_link(context, cell.address,
                 cell.leads == Cell::Leads::Code       ? Leads::Code
                 : cell.leads == Cell::Leads::Physical ? Leads::Physical
                                                       : Leads::Data,
                 digits ? std::string_view() : std::string_view(cell.text));
}

void draw_sheet(Context& context, const Sheet& sheet, bool scrolls) {
    if (sheet.rows.empty()) {
        ImGui::PushTextWrapPos(0);
        text(colour::Dim, sheet.why_empty.empty() ? "none" : sheet.why_empty);
        ImGui::PopTextWrapPos();
        return;
    }
    // One below the other: each as high as it is, up to a page; sideways it scrolls by itself.
    constexpr float MostShown = 24;
    const float line = ImGui::GetTextLineHeight() + 2 * ImGui::GetStyle().CellPadding.y;
    const float height = scrolls ? 0
                                 : line * (1 + std::min(MostShown, static_cast<float>(sheet.rows.size()))) +
                                       ImGui::GetStyle().ScrollbarSize + context.px(4);
    if (!begin_table(sheet.name.c_str(), static_cast<int>(sheet.columns.size()), true, true, height)) return;
    ImGui::TableSetupScrollFreeze(1, 1);
    for (const std::string& column : sheet.columns) ImGui::TableSetupColumn(column.c_str());
    ImGui::TableHeadersRow();
    ImGuiListClipper clipper;
    clipper.Begin(static_cast<int>(sheet.rows.size()));
    while (clipper.Step())
        for (int i = clipper.DisplayStart; i < clipper.DisplayEnd; ++i) {
            ImGui::TableNextRow();
            ImGui::PushID(i);
            for (const Cell& cell : sheet.rows[static_cast<std::size_t>(i)]) draw_cell(context, cell);
            ImGui::PopID();
        }
    ImGui::EndTable();
}

/// The order graph: each class once, on a circle; a line leads from what was held to what was taken then.
void draw_lock_graph(Context& context, const emu::inspect::LockGraph& graph) {
    std::vector<std::size_t> shown;
    for (std::size_t i = 0; i < graph.classes.size(); ++i) {
        bool wanted = !graph.classes[i].after.empty();
        for (const auto& other : graph.classes)
            for (unsigned to : other.after) wanted |= to == i;
        if (wanted) shown.push_back(i);
    }
    if (shown.empty()) return text(colour::Dim, "no lock was taken while another one was held yet");
    const ImVec2 room = ImGui::GetContentRegionAvail(), at = ImGui::GetCursorScreenPos();
    const float height = std::max(context.px(220), room.y - context.px(4)),
                radius_y = height / 2 - context.px(24),
                radius_x = std::max(context.px(60), room.x / 2 - context.px(90));
    const ImVec2 middle{at.x + room.x / 2, at.y + height / 2};
    ImDrawList* draw = ImGui::GetWindowDrawList();
    const auto place = [&](std::size_t n) {
        const float angle = 6.2832f * static_cast<float>(n) / static_cast<float>(shown.size()) - 1.5708f;
        return ImVec2{middle.x + radius_x * std::cos(angle), middle.y + radius_y * std::sin(angle)};
    };
    const ImVec2 mouse = ImGui::GetMousePos();
    std::size_t near = shown.size();
    for (std::size_t n = 0; n < shown.size(); ++n) {
        const ImVec2 p = place(n);
        if (std::hypot(p.x - mouse.x, p.y - mouse.y) < context.px(14)) near = n;
    }
    constexpr unsigned MostLines = 2000; // a damaged graph may have a million
    unsigned lines = 0;
    for (std::size_t n = 0; n < shown.size(); ++n)
        for (unsigned to : graph.classes[shown[n]].after) {
            if (++lines > MostLines) break;
            const auto found = std::find(shown.begin(), shown.end(), to);
            if (found == shown.end()) continue;
            const std::size_t m = static_cast<std::size_t>(found - shown.begin());
            const bool lit = near == n || near == m;
            const ImVec2 a = place(n), b = place(m);
            draw->AddLine(
                a, b, lit ? colour::Accent : colour::with_alpha(colour::Line, near < shown.size() ? 60 : 140),
                lit ? context.px(1.8f) : 1);
            const float length = std::max(1.0f, std::hypot(b.x - a.x, b.y - a.y)); // the arrow's head
            const ImVec2 u{(b.x - a.x) / length, (b.y - a.y) / length},
                tip{b.x - u.x * context.px(6), b.y - u.y * context.px(6)};
            draw->AddTriangleFilled(tip,
                                    {tip.x - u.x * context.px(7) - u.y * context.px(3),
                                     tip.y - u.y * context.px(7) + u.x * context.px(3)},
                                    {tip.x - u.x * context.px(7) + u.y * context.px(3),
                                     tip.y - u.y * context.px(7) - u.x * context.px(3)},
                                    lit ? colour::Accent : colour::Line);
        }
    const ImFont* small = context.fonts.small;
    for (std::size_t n = 0; n < shown.size(); ++n) {
        const auto& cls = graph.classes[shown[n]];
        const ImVec2 p = place(n), size = small->CalcTextSizeA(small->FontSize, 1e9f, 0, cls.name.c_str());
        draw->AddCircleFilled(p, context.px(4), cls.contentions ? colour::Changed : colour::Accent, 12);
        const float x = p.x < middle.x ? p.x - size.x - context.px(7) : p.x + context.px(7);
        draw->AddText(small, small->FontSize, {std::clamp(x, at.x, at.x + room.x - size.x), p.y - size.y / 2},
                      n == near ? colour::Text : colour::Dim, cls.name.c_str());
    }
    ImGui::Dummy({room.x, height});
    if (near < shown.size()) {
        const auto& cls = graph.classes[shown[near]];
        tooltip_now(
            context,
            fmt::format("{}\ntaken {} times, {} of them had to wait\n{} classes were taken while it was held",
                        cls.name, grouped(cls.acquisitions), grouped(cls.contentions), cls.after.size()));
    }
}
} // namespace

void draw_sheets(Context& context, const emu::inspect::SheetsView& view, bool tabs) {
    if (!view.why_empty.empty()) return why_empty(context, view.why_empty);
    notes(context, view.notes);
    if (!tabs) {
        for (const Sheet& sheet : view.sheets)
            section(context, sheet.title.c_str(), sheet.remark), draw_sheet(context, sheet, false);
        return;
    }
    if (!ImGui::BeginTabBar("sheets", ImGuiTabBarFlags_FittingPolicyScroll)) return;
    for (const Sheet& sheet : view.sheets) {
        if (!ImGui::BeginTabItem(
                fmt::format("{}##{}", sheet.title.substr(0, sheet.title.find_first_of(",:")), sheet.name)
                    .c_str()))
            continue;
        if (!sheet.remark.empty()) text(colour::Dim, sheet.remark);
        draw_sheet(context, sheet, true);
        ImGui::EndTabItem();
    }
    ImGui::EndTabBar();
}

void draw_files(Context& context) { draw_sheets(context, context.views.files()); }

void draw_block(Context& context) { draw_sheets(context, context.views.block(), false); }

void draw_locks(Context& context) {
    const auto& view = context.views.locks();
    if (!view.why_empty.empty()) return why_empty(context, view.why_empty);
    if (!view.graph.classes.empty()) {
        if (!ImGui::BeginTabBar("locks")) return;
        if (ImGui::BeginTabItem("Tables")) {
            draw_sheets(context, view);
            ImGui::EndTabItem();
        }
        if (ImGui::BeginTabItem("Order graph")) {
            draw_lock_graph(context, view.graph);
            ImGui::EndTabItem();
        }
        ImGui::EndTabBar();
        return;
    }
    draw_sheets(context, view);
}

void draw_structures(Context& context) {
    static char wanted[128] = "Task@init_task"; // what a person has typed stays while the panel is away
    ImGui::SetNextItemWidth(-1);
    ImGui::InputTextWithHint("##object", "Type@root, Type@root[2] or Type@address", wanted, sizeof wanted);
    const ImVec2 a = ImGui::GetItemRectMin(), size = ImGui::GetItemRectSize();
    context.probe.places.push_back({"Object", {a.x, a.y, size.x, size.y}});
    if (!ImGui::BeginTabBar("structures")) return;
    if (ImGui::BeginTabItem("Object")) {
        draw_sheets(context, context.views.object(wanted), false);
        ImGui::EndTabItem();
    }
    if (ImGui::BeginTabItem("What is published")) {
        draw_sheets(context, context.views.structures());
        ImGui::EndTabItem();
    }
    ImGui::EndTabBar();
}

void draw_slabs(Context& context) {
    if (!ImGui::BeginTabBar("memory of the kernel")) return;
    if (ImGui::BeginTabItem("Slabs")) {
        const auto& view = context.views.slabs(context.slab_cache);
        notes(context, view.notes);
        if (!view.why_empty.empty()) {
            why_empty(context, view.why_empty);
        } else if (begin_table("caches", 7, true)) {
            ImGui::TableSetupScrollFreeze(1, 1);
            for (const char* column : {"Cache", "Objects", "Of", "Size", "Slabs", "Partial", "Used"})
                ImGui::TableSetupColumn(column);
            ImGui::TableHeadersRow();
            for (const auto& cache : view.caches) {
                ImGui::TableNextRow();
                ImGui::TableNextColumn();
                const bool open = context.slab_cache == cache.name;
                text(open ? colour::Accent : colour::Link, cache.name);
                if (ImGui::IsItemHovered()) tooltip(context, "Click: its slabs, object by object");
                if (ImGui::IsItemClicked()) context.slab_cache = open ? "" : cache.name;
                const auto mono = [&](const std::string& what, ImU32 c = colour::Dim) {
                    ImGui::TableNextColumn();
                    text_in(context.fonts.mono, c, what);
                };
                mono(fmt::format("{}", cache.active), cache.active ? colour::Text : colour::Faint),
                    mono(fmt::format("{}", cache.slabs * cache.per_slab)),
                    mono(fmt::format("{}", cache.size));
                mono(fmt::format("{}", cache.slabs)), mono(fmt::format("{}", cache.partial));
                ImGui::TableNextColumn();
                const float share =
                    cache.slabs ? static_cast<float>(cache.active) /
                                      static_cast<float>(std::max<u64>(1, cache.slabs * cache.per_slab))
                                : 0;
                const ImVec2 at = ImGui::GetCursorScreenPos();
                const float width = context.px(60), height = context.px(10);
                ImGui::GetWindowDrawList()->AddRectFilled({at.x, at.y + context.px(3)},
                                                          {at.x + width, at.y + context.px(3) + height},
                                                          colour::Inset);
                ImGui::GetWindowDrawList()->AddRectFilled(
                    {at.x, at.y + context.px(3)},
                    {at.x + width * std::min(share, 1.0f), at.y + context.px(3) + height},
                    page_type_colour(4));
                ImGui::Dummy({width, height});
                if (!open) continue;
                for (const auto& slab : cache.rows) { // one box an object: full or free
                    ImGui::TableNextRow();
                    ImGui::TableNextColumn();
                    address_link(context, slab.base, Leads::Data, fmt::format("  {}", slab.where));
                    ImGui::TableNextColumn();
                    text(colour::Dim, fmt::format("{}", slab.in_use));
                    ImGui::TableNextColumn();
                    text(colour::Dim, fmt::format("{}", slab.objects));
                    ImGui::TableNextColumn();
                    const ImVec2 from = ImGui::GetCursorScreenPos();
                    const float cell = context.px(7);
                    const unsigned columns = 32;
                    for (unsigned i = 0; i < slab.free.size(); ++i) {
                        const ImVec2 box{from.x + cell * static_cast<float>(i % columns),
                                         from.y + cell * static_cast<float>(i / columns)};
                        if (slab.free[i])
                            ImGui::GetWindowDrawList()->AddRect(box, {box.x + cell - 1, box.y + cell - 1},
                                                                colour::Line);
                        else
                            ImGui::GetWindowDrawList()->AddRectFilled(
                                box, {box.x + cell - 1, box.y + cell - 1}, page_type_colour(4));
                    }
                    ImGui::Dummy({cell * static_cast<float>(std::min<std::size_t>(columns, slab.free.size())),
                                  cell * static_cast<float>(slab.free.size() / columns + 1)});
                }
                if (cache.rows.empty()) {
                    ImGui::TableNextRow();
                    ImGui::TableNextColumn();
                    text(colour::Dim, "  every slab is full");
                }
            }
            ImGui::EndTable();
        }
        ImGui::EndTabItem();
    }
    if (ImGui::BeginTabItem("vmalloc")) {
        draw_sheets(context, context.views.vmalloc());
        ImGui::EndTabItem();
    }
    if (ImGui::BeginTabItem("Page cache, LRU")) {
        draw_sheets(context, context.views.page_cache());
        ImGui::EndTabItem();
    }
    ImGui::EndTabBar();
}

} // namespace vitrine::ui
