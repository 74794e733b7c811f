// Address space — of a task that is chosen: its areas, the page tables as grids to descend, what they lead
// to; the TLBs of the processor; what changed since the last stop, and where two tasks differ.
//
// In the grids a letter and a colour say the same, so that neither is needed to read them.
#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include "ui/model/format.h"
#include "ui/panels/panels.h"
#include "ui/shell/widgets.h"

namespace vitrine::ui {

namespace {
using emu::inspect::EntryState;
constexpr const char* LevelNames[] = {"", "PT", "PD", "PDPT", "PML4"};

ImU32 entry_colour(EntryState state) {
    switch (state) {
    case EntryState::Empty: return colour::Inset;
    case EntryState::Absent: return colour::MixedEvent;
    case EntryState::Table: return page_type_colour(5);
    case EntryState::Clean: return page_type_colour(7);
    case EntryState::Fresh: return page_type_colour(9);
    case EntryState::Dirty: return page_type_colour(2);
    case EntryState::CopyOnWrite: return page_type_colour(8);
    case EntryState::Outside: return colour::Bad;
    }
    return colour::Inset;
}

/// Which task: a list of those with an address space, and whoever runs.
void choose_task(Context& context) {
    const auto& tasks = context.views.tasks();
    std::string shown = "whose turn it is";
    for (const auto& task : tasks.rows)
        if (task.pid == context.space_pid) shown = fmt::format("{} ({})", task.comm, task.pid);
    ImGui::SetNextItemWidth(context.px(190));
    if (ImGui::BeginCombo("##task", shown.c_str())) {
        if (ImGui::Selectable("whose turn it is", context.space_pid < 0)) context.space_pid = -1;
        for (const auto& task : tasks.rows)
            if (!task.kernel_thread && task.pid == task.tgid &&
                ImGui::Selectable(fmt::format("{} ({})", task.comm, task.pid).c_str(),
                                  context.space_pid == task.pid))
                context.space_pid = task.pid;
        ImGui::EndCombo();
    }
    const ImVec2 a = ImGui::GetItemRectMin(), size = ImGui::GetItemRectSize();
    context.probe.places.push_back({"Choose a task", {a.x, a.y, size.x, size.y}});
}

/// The address in its parts, each above what it indexes (figure 4-8).
void bit_fields(Context& context, u64 linear) {
    static constexpr struct {
        const char* name;
        unsigned low, bits;
    } Fields[] = {{"sign", 48, 16}, {"PML4", 39, 9}, {"PDPT", 30, 9},
                  {"PD", 21, 9},    {"PT", 12, 9},   {"offset", 0, 12}};
    if (!begin_table("bits", 6, false, false)) return;
    ImGui::TableNextRow();
    for (const auto& field : Fields) {
        const u64 value = linear >> field.low & ((u64{1} << field.bits) - 1);
        ImGui::TableNextColumn();
        text_in(context.fonts.small, colour::Dim,
                fmt::format("{} {}–{}", field.name, field.low + field.bits - 1, field.low));
        text_in(context.fonts.mono, colour::Text,
                field.bits == 9 ? fmt::format("{}", value) : fmt::format("{:x}", value));
        if (ImGui::IsItemHovered())
            tooltip(context, fmt::format("bits {} to {}: {:0{}b}", field.low + field.bits - 1, field.low,
                                         value, field.bits));
    }
    ImGui::EndTable();
}

/// One table as 512 cells in rows of 64 (32 where there is little room). A click descends.
void draw_grid(Context& context, const emu::inspect::TableView& grid, u64 linear) {
    const unsigned chosen = static_cast<unsigned>(grid.chosen);
    section(context, fmt::format("{}", LevelNames[grid.level]).c_str(),
            fmt::format("at {:x}, entry {} is {:x}", grid.address, chosen, grid.entries[chosen]));
    if (ImGui::IsItemHovered()) tooltip(context, emu::inspect::entry_meaning(grid.states[chosen]));
    if (!grid.readable) return text(colour::Bad, "this table lies outside memory");
    const float room = ImGui::GetContentRegionAvail().x;
    const unsigned columns = room >= context.px(64 * 7) ? 64 : 32;
    const float cell = std::floor(std::clamp(room / static_cast<float>(columns), 4.0f, context.px(13)));
    const ImVec2 at = ImGui::GetCursorScreenPos();
    ImDrawList* draw = ImGui::GetWindowDrawList();
    const ImFont* small = context.fonts.small;
    const bool letters = cell >= context.px(9);
    const unsigned rows = 512 / columns;
    draw->AddRectFilled(at,
                        {at.x + cell * static_cast<float>(columns), at.y + cell * static_cast<float>(rows)},
                        colour::Border);
    for (unsigned i = 0; i < 512; ++i) {
        const ImVec2 box{at.x + cell * static_cast<float>(i % columns),
                         at.y + cell * static_cast<float>(i / columns)};
        draw->AddRectFilled(box, {box.x + cell - 1, box.y + cell - 1}, entry_colour(grid.states[i]));
        if (letters && grid.states[i] != EntryState::Empty) {
            const char letter[2] = {emu::inspect::entry_letter(grid.states[i]), 0};
            const ImVec2 size = small->CalcTextSizeA(cell * 0.95f, 1e9f, 0, letter);
            draw->AddText(small, cell * 0.95f, {box.x + (cell - size.x) / 2, box.y + (cell - size.y) / 2 - 1},
                          colour::rgb(0x0A0D11), letter);
        }
    }
    const ImVec2 box{at.x + cell * static_cast<float>(chosen % columns),
                     at.y + cell * static_cast<float>(chosen / columns)};
    draw->AddRect({box.x - 1, box.y - 1}, {box.x + cell, box.y + cell}, colour::Accent, 0, 0,
                  std::max(1.5f, context.px(1.5f)));
    ImGui::PushID(static_cast<int>(grid.level));
    ImGui::InvisibleButton("grid", {cell * static_cast<float>(columns), cell * static_cast<float>(rows)});
    ImGui::PopID();
    context.probe.places.push_back(
        {fmt::format("grid {}", LevelNames[grid.level]),
         {at.x, at.y, cell * static_cast<float>(columns), cell * static_cast<float>(rows)}});
    if (!ImGui::IsItemHovered()) return;
    const ImVec2 mouse = ImGui::GetMousePos();
    const unsigned column =
                       std::min(columns - 1, static_cast<unsigned>(std::max(0.0f, mouse.x - at.x) / cell)),
                   row = std::min(rows - 1, static_cast<unsigned>(std::max(0.0f, mouse.y - at.y) / cell));
    const unsigned entry = row * columns + column;
    const unsigned shift = 12 + 9 * (grid.level - 1);
    u64 there = grid.first + (u64{entry} << shift);
    if (grid.level == 4 && entry >= 256) there |= 0xFFFF'0000'0000'0000;
    tooltip_now(context,
                fmt::format("entry {}: {:x}\n{}\nfrom {:x}, {}\nClick: descend. Right click: who wrote it?",
                            entry, grid.entries[entry], emu::inspect::entry_meaning(grid.states[entry]),
                            there, bytes_text(u64{1} << shift)));
    // Below, the way goes on as it did, so that a click on the entry that is chosen changes nothing.
    if (ImGui::IsMouseClicked(0)) context.show_space(entry == chosen ? linear : there);
    if (ImGui::IsMouseClicked(1)) context.open_menu(grid.address + u64{entry} * 8, true, 8);
}

void draw_legend(Context& context) {
    bool first = true;
    for (unsigned i = 1; i < emu::inspect::EntryStates; ++i) {
        const auto state = static_cast<EntryState>(i);
        if (state == EntryState::Outside) continue;
        static constexpr const char* Words[] = {"",          "not present", "table",         "accessed",
                                                "untouched", "dirty",       "copy-on-write", ""};
        const std::string label = fmt::format("{} {}", emu::inspect::entry_letter(state), Words[i]);
        const float width = ImGui::CalcTextSize(label.c_str()).x + context.px(16);
        if (!first) ImGui::SameLine(0, context.px(10));
        if (ImGui::GetContentRegionAvail().x < width) ImGui::NewLine();
        first = false;
        const ImVec2 at = ImGui::GetCursorScreenPos();
        ImGui::GetWindowDrawList()->AddRectFilled({at.x, at.y + context.px(3)},
                                                  {at.x + context.px(10), at.y + context.px(13)},
                                                  entry_colour(state), 2);
        ImGui::SetCursorPosX(ImGui::GetCursorPosX() + context.px(15));
        text(colour::Dim, label);
    }
}

void draw_tables(Context& context, const emu::inspect::SpaceView& space) {
    const u64 linear = context.navigation.walk_follow ? context.views.rip_linear() : context.navigation.walk;
    text(colour::Dim, "linear");
    ImGui::SameLine();
    address_link(context, linear, Leads::Data, {}, 16);
    ImGui::SameLine();
    if (toggle(context, "rip", context.navigation.walk_follow, "Follow the next instruction"))
        context.navigation.walk_follow = true;
    if (!context.views.four_levels())
        return why_empty(context, "The grids are those of 4-level paging, which is not on yet. The tab Page "
                                  "tables shows the other kinds.");
    bit_fields(context, linear);
    const auto& tables = context.views.tables(space.pgd, linear);
    for (const auto& grid : tables.levels) draw_grid(context, grid, linear);
    if (!tables.levels.empty() && tables.levels.back().readable) {
        const auto& last = tables.levels.back();
        const u64 entry = last.entries[static_cast<unsigned>(last.chosen)];
        const auto state = last.states[static_cast<unsigned>(last.chosen)];
        if (entry & 1 && state != EntryState::Table && state != EntryState::Outside) {
            const u64 mask = (u64{1} << (12 + 9 * (last.level - 1))) - 1,
                      physical = (entry & 0xFF'FFFF'F000 & ~mask) | (linear & mask);
            text(colour::Dim, "frame");
            ImGui::SameLine();
            address_link(context, physical, Leads::Physical);
            if (const std::string owner = context.views.owner(physical >> 12); !owner.empty()) {
                ImGui::PushTextWrapPos(0);
                text(colour::Text, owner);
                ImGui::PopTextWrapPos();
            }
        } else {
            text(colour::Changed, emu::inspect::entry_meaning(state));
        }
    }
    draw_legend(context);
    notes(context, tables.notes);
}

void draw_areas(Context& context, const emu::inspect::SpaceView& space) {
    if (!space.why_empty.empty()) return why_empty(context, space.why_empty);
    text(colour::Dim, fmt::format("{} mapped · {} in memory, {} of it anonymous · {} of tables",
                                  bytes_text(space.total * 4096), bytes_text(space.resident * 4096),
                                  bytes_text(space.anonymous * 4096), bytes_text(space.table_bytes)));
    notes(context, space.notes);
    if (!begin_table("areas", 7)) return;
    ImGui::TableSetupScrollFreeze(1, 1);
    for (const char* column : {"From", "Size", "Rights", "In memory", "Dirty", "Copy-on-write", "What"})
        ImGui::TableSetupColumn(column);
    ImGui::TableHeadersRow();
    const u64 linear = context.navigation.walk_follow ? context.views.rip_linear() : context.navigation.walk;
    for (const auto& area : space.areas) {
        ImGui::TableNextRow();
        ImGui::TableNextColumn();
        const bool here = linear >= area.start && linear < area.end;
        text_in(context.fonts.mono, here ? colour::Accent : colour::Link, hex_text(area.start, 12));
        if (ImGui::IsItemHovered())
            tooltip(context, fmt::format("to {:x}. Click: its page tables. Right click: more", area.end));
        if (ImGui::IsItemClicked()) context.show_space(area.start);
        if (ImGui::IsItemHovered() && ImGui::IsMouseClicked(1)) context.open_menu(area.start, false, 8);
        ImGui::TableNextColumn();
        text_in(context.fonts.mono, colour::Text, bytes_text(area.end - area.start));
        ImGui::TableNextColumn();
        text_in(context.fonts.mono, area.flags & 2 && area.flags & 4 ? colour::Changed : colour::Dim,
                area.rights);
        ImGui::TableNextColumn();
        // A bar of the area's pages: how many are there, how many of them were written.
        const u64 pages = std::max<u64>(1, (area.end - area.start) / 4096);
        const ImVec2 at = ImGui::GetCursorScreenPos();
        const float width = context.px(70), y = at.y + context.px(3), height = context.px(10);
        ImDrawList* draw = ImGui::GetWindowDrawList();
        const auto part = [&](u64 n) {
            return at.x + width * static_cast<float>(std::min(n, pages)) / static_cast<float>(pages);
        };
        draw->AddRectFilled({at.x, y}, {at.x + width, y + height}, colour::Inset);
        draw->AddRectFilled({at.x, y}, {part(area.present), y + height}, entry_colour(EntryState::Clean));
        draw->AddRectFilled({at.x, y}, {part(area.dirty), y + height}, entry_colour(EntryState::Dirty));
        draw->AddRectFilled({part(area.dirty), y}, {part(area.dirty + area.copy_on_write), y + height},
                            entry_colour(EntryState::CopyOnWrite));
        ImGui::Dummy({width, context.px(14)});
        if (ImGui::IsItemHovered())
            tooltip(context, fmt::format("{} of {} pages are in memory", area.present, pages));
        const auto count = [&](u64 n) {
            ImGui::TableNextColumn();
            text_in(context.fonts.mono, n ? colour::Text : colour::Faint, std::to_string(n));
        };
        count(area.dirty), count(area.copy_on_write);
        ImGui::TableNextColumn();
        text(area.name.empty() ? colour::Dim : colour::Text, area.name.empty() ? "anonymous" : area.name);
        if (!area.frames.empty() && ImGui::IsItemHovered())
            tooltip(context, fmt::format("first frame in memory: {}", area.frames.front()));
    }
    ImGui::EndTable();
}

void draw_difference(Context& context, const emu::inspect::SpaceDifference& view, const char* nothing) {
    if (view.rows.empty()) return text(colour::Dim, nothing);
    text(colour::Dim,
         fmt::format("{} entries{}", view.rows.size() + view.more,
                     view.more ? fmt::format(", the first {} are shown", view.rows.size()) : ""));
    if (!begin_table("difference", 4)) return;
    ImGui::TableSetupScrollFreeze(1, 1);
    for (const char* column : {"Linear", "What", "Before", "Now"}) ImGui::TableSetupColumn(column);
    ImGui::TableHeadersRow();
    for (const auto& row : view.rows) {
        ImGui::TableNextRow();
        ImGui::TableNextColumn();
        text_in(context.fonts.mono, colour::Link, hex_text(row.linear, 12));
        if (ImGui::IsItemClicked()) context.show_space(row.linear);
        ImGui::TableNextColumn();
        text(colour::Changed, row.what);
        ImGui::TableNextColumn();
        hex_value(context, row.before);
        ImGui::TableNextColumn();
        hex_value(context, row.now);
    }
    ImGui::EndTable();
}
} // namespace

void draw_address_space(Context& context) {
    choose_task(context);
    const auto& space = context.views.space(context.space_pid);
    if (!space.comm.empty()) {
        ImGui::SameLine();
        text(colour::Dim,
             fmt::format("{} · tables at {:x}{}", space.executable.empty() ? space.comm : space.executable,
                         space.pgd, space.loaded ? ", loaded" : ""));
    }
    if (!ImGui::BeginTabBar("space")) return;
    const auto tab = [&](const char* name, auto body) {
        const bool open = ImGui::BeginTabItem(name);
        const ImVec2 a = ImGui::GetItemRectMin(), size = ImGui::GetItemRectSize();
        context.probe.places.push_back({name, {a.x, a.y, size.x, size.y}});
        if (!open) return;
        ImGui::BeginChild(name);
        body();
        ImGui::EndChild();
        ImGui::EndTabItem();
    };
    tab("Areas", [&] { draw_areas(context, space); });
    tab("Tables", [&] { draw_tables(context, space); });
    tab("TLBs", [&] { draw_sheets(context, context.views.tlb()); });
    tab("Changed", [&] {
        draw_difference(context, context.views.space_changes(space.pgd),
                        "no entry has changed since the last stop");
    });
    tab("Beside", [&] {
        static i64 other = 1; // which task a person compared with last
        ImGui::SetNextItemWidth(context.px(190));
        const auto& tasks = context.views.tasks();
        std::string shown = "another task";
        for (const auto& task : tasks.rows)
            if (task.pid == other) shown = fmt::format("{} ({})", task.comm, task.pid);
        if (ImGui::BeginCombo("##other", shown.c_str())) {
            for (const auto& task : tasks.rows)
                if (!task.kernel_thread && task.pid == task.tgid &&
                    ImGui::Selectable(fmt::format("{} ({})", task.comm, task.pid).c_str(), other == task.pid))
                    other = task.pid;
            ImGui::EndCombo();
        }
        draw_difference(context, context.views.space_beside(space.pgd, other),
                        "the two address spaces are the same, entry by entry");
    });
    ImGui::EndTabBar();
}

} // namespace vitrine::ui
