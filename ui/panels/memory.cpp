// Memory — the buddy allocator's free lists (zones × orders), and all of RAM painted by what its pages are.
#include <algorithm>
#include <array>
#include <cmath>
#include <fmt/format.h>
#include "ui/model/format.h"
#include "ui/panels/panels.h"
#include "ui/shell/widgets.h"

namespace vitrine::ui {

namespace {

constexpr u64 PageBytes = 4096;
using emu::inspect::MemoryMapView;

void draw_zones(Context& context, const emu::inspect::BuddyView& view) {
    section(context, "Buddy lists", "free blocks by order: 4 KiB × 2ⁿ");
    notes(context, view.notes);
    std::size_t orders = 0;
    for (const auto& zone : view.zones) orders = std::max(orders, zone.orders.size());
    if (orders == 0 || !begin_table("zones", static_cast<int>(orders) + 2, false)) return;
    ImGui::TableSetupColumn("Zone");
    for (std::size_t i = 0; i < orders; ++i) ImGui::TableSetupColumn(std::to_string(i).c_str());
    ImGui::TableSetupColumn("Free");
    ImGui::TableHeadersRow();
    for (const auto& zone : view.zones) {
        ImGui::TableNextRow();
        ImGui::TableNextColumn();
        text(zone.spanned ? colour::Text : colour::Faint, zone.name);
        if (ImGui::IsItemHovered())
            tooltip(context, fmt::format("frames {:x}–{:x}, {} managed\nwatermarks: min {}, low {}, high {}",
                                         zone.start_frame, zone.start_frame + zone.spanned,
                                         bytes_text(zone.managed * PageBytes), zone.watermarks[0],
                                         zone.watermarks[1], zone.watermarks[2]));
        for (std::size_t i = 0; i < orders; ++i) {
            ImGui::TableNextColumn();
            if (i >= zone.orders.size()) continue;
            const auto& order = zone.orders[i];
            text_in(context.fonts.mono,
                    order.counted == 0                     ? colour::Faint
                    : order.counted == order.frames.size() ? colour::Text
                                                           : colour::Changed,
                    std::to_string(order.counted));
            if (ImGui::IsItemHovered())
                tooltip(context, fmt::format("{}: {} blocks of {}, {} on the list", zone.name, order.counted,
                                             bytes_text(PageBytes << i), order.frames.size()));
        }
        ImGui::TableNextColumn();
        text_in(context.fonts.mono, colour::Dim, bytes_text(zone.free * PageBytes));
    }
    ImGui::EndTable();
}

void draw_legend(Context& context, const MemoryMapView& map) {
    const auto& names = emu::inspect::page_type_names();
    bool first = true;
    for (std::size_t i = 0; i < names.size() && i < map.totals.size(); ++i) {
        if (map.totals[i] == 0) continue;
        const std::string label = fmt::format("{} {}", names[i], bytes_text(map.totals[i] * PageBytes));
        const float width = ImGui::CalcTextSize(label.c_str()).x + context.px(16);
        if (!first) ImGui::SameLine(0, context.px(12));
        if (ImGui::GetContentRegionAvail().x < width) ImGui::NewLine();
        first = false;
        const ImVec2 at = ImGui::GetCursorScreenPos();
        ImGui::GetWindowDrawList()->AddRectFilled({at.x, at.y + context.px(3)},
                                                  {at.x + context.px(10), at.y + context.px(13)},
                                                  page_type_colour(i), 2);
        ImGui::SetCursorPosX(ImGui::GetCursorPosX() + context.px(15));
        text(colour::Dim, label);
    }
}

} // namespace

/// One cell is a block of frames; it has the colour of the type that most of its frames have, free last on a
/// tie.
void MemoryPanel::paint(Context& context, const MemoryMapView& map, float width, float height) {
    // Cells are blocks of 2^n frames: as fine as fits, then as large as the space allows.
    const auto cells = [&](int size) {
        return static_cast<u64>(std::max(1, static_cast<int>(width) / size)) *
               static_cast<u64>(std::max(1, static_cast<int>(height) / size));
    };
    int cell = std::max(3, static_cast<int>(context.px(4)));
    u64 frames_per_cell = 1;
    while (map.frames > frames_per_cell * cells(cell)) frames_per_cell *= 2;
    while (cell < static_cast<int>(context.px(14)) && map.frames <= frames_per_cell * cells(cell + 1)) ++cell;
    const int columns = std::max(1, static_cast<int>(width) / cell),
              needed = static_cast<int>((map.frames / frames_per_cell + static_cast<u64>(columns)) /
                                        static_cast<u64>(columns));
    const int rows = std::min(std::max(1, static_cast<int>(height) / cell), needed);
    if (picture_.id() && painted_ == context.views.memory_map_version() && columns == columns_ &&
        rows == rows_ && cell == cell_)
        return;
    painted_ = context.views.memory_map_version(), columns_ = columns, rows_ = rows, cell_ = cell,
    frames_per_cell_ = frames_per_cell;
    const int picture_width = columns * cell, picture_height = rows * cell;
    std::vector<u32> pixels(
        static_cast<std::size_t>(picture_width) * static_cast<std::size_t>(picture_height), colour::Inset);
    for (u64 first = 0, index = 0; first < map.frames; first += frames_per_cell, ++index) {
        std::array<u64, 256> counts{};
        for (u64 f = first; f < std::min(first + frames_per_cell, map.frames); ++f) ++counts[map.types[f]];
        const u64 free = std::exchange(counts[0], 0);
        const auto most = std::ranges::max_element(counts);
        const std::size_t type =
            *most > 0 && *most >= free ? static_cast<std::size_t>(most - counts.begin()) : 0;
        // A mixed cell that is mostly free is tinted, so that no allocation disappears.
        ImU32 c = page_type_colour(type);
        if (type == 0 && *most > 0)
            c = colour::mix(c, page_type_colour(static_cast<std::size_t>(most - counts.begin())), 0.45f);
        const int x0 = static_cast<int>(index) % columns * cell,
                  y0 = static_cast<int>(index) / columns * cell;
        for (int y = y0; y < y0 + cell - 1 && y < picture_height; ++y)
            for (int x = x0; x < x0 + cell - 1; ++x)
                pixels[static_cast<std::size_t>(y * picture_width + x)] = c;
    }
    picture_.update(context.renderer.sdl(), picture_width, picture_height, pixels);
}

void MemoryPanel::draw(Context& context) {
    const auto& buddy = context.views.buddy();
    if (!buddy.why_empty.empty()) return why_empty(context, buddy.why_empty);
    draw_zones(context, buddy);
    const auto& map = context.views.memory_map();
    if (!map.why_empty.empty()) return why_empty(context, map.why_empty);
    section(context, "All of RAM",
            fmt::format("{} in {} frames", bytes_text(map.frames * PageBytes), grouped(map.frames)));
    notes(context, map.notes);
    if (map.types.size() < map.frames) return why_empty(context, "the page array cannot be read whole");
    draw_legend(context, map);
    const ImVec2 room = ImGui::GetContentRegionAvail();
    paint(context, map, room.x, std::max(room.y - context.px(22), context.px(60)));
    if (!picture_.id()) return;
    const ImVec2 at = ImGui::GetCursorScreenPos();
    ImGui::Image(picture_.id(),
                 {static_cast<float>(picture_.width()), static_cast<float>(picture_.height())});
    if (ImGui::IsItemHovered()) {
        const ImVec2 mouse = ImGui::GetMousePos();
        const u64 column = static_cast<u64>(std::max(0.0f, mouse.x - at.x)) / static_cast<u64>(cell_),
                  row = static_cast<u64>(std::max(0.0f, mouse.y - at.y)) / static_cast<u64>(cell_);
        const u64 first = (row * static_cast<u64>(columns_) + column) * frames_per_cell_;
        if (first < map.frames) {
            std::string what = fmt::format("physical {:x}, {} pages:", first * PageBytes, frames_per_cell_);
            std::array<u64, 256> counts{};
            for (u64 f = first; f < std::min(first + frames_per_cell_, map.frames); ++f)
                ++counts[map.types[f]];
            for (std::size_t i = 0; i < emu::inspect::page_type_names().size(); ++i)
                if (counts[i])
                    what += fmt::format("\n{} × {}", counts[i], emu::inspect::page_type_names()[i]);
            tooltip_now(context, what + "\nClick: its bytes");
            if (ImGui::IsMouseClicked(0)) context.show_bytes(first * PageBytes, true);
        }
    }
    text_in(context.fonts.small, colour::Faint,
            fmt::format("a cell is {}", bytes_text(frames_per_cell_ * PageBytes)));
}

} // namespace vitrine::ui
