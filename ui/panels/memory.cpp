// Memory — the buddy allocator's free lists (zones × orders), and all of RAM painted by what its pages are.
#include <algorithm>
#include <array>
#include <cmath>
#include <fmt/format.h>
#include <imgui_internal.h>
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

/// How a request of 2^order pages would fare: the share of free memory that lies in smaller blocks (Gorman,
/// "unusable free space index").
float unusable(const emu::inspect::ZoneRow& zone, std::size_t order) {
    u64 free = 0, usable = 0;
    for (std::size_t i = 0; i < zone.orders.size(); ++i) {
        const u64 pages = zone.orders[i].counted << i;
        free += pages;
        if (i >= order) usable += pages;
    }
    return free ? static_cast<float>(free - usable) / static_cast<float>(free) : 0;
}

/// Free memory of each zone beside its watermarks, and its fragmentation.
void draw_levels(Context& context, const emu::inspect::BuddyView& view) {
    for (const auto& zone : view.zones) {
        if (!zone.managed) continue;
        const ImVec2 at = ImGui::GetCursorScreenPos();
        const float left = context.px(56),
                    width = std::max(context.px(80), ImGui::GetContentRegionAvail().x - left - context.px(4)),
                    height = context.px(12), y = at.y + context.px(2);
        ImDrawList* draw = ImGui::GetWindowDrawList();
        draw->AddText(context.fonts.small, context.fonts.small->FontSize, at, colour::Dim, zone.name.c_str());
        const auto x = [&](u64 pages) {
            return at.x + left +
                   width * static_cast<float>(std::min(pages, zone.managed)) /
                       static_cast<float>(zone.managed);
        };
        draw->AddRectFilled({at.x + left, y}, {at.x + left + width, y + height}, colour::Inset);
        draw->AddRectFilled({at.x + left, y}, {x(zone.free), y + height},
                            zone.free < zone.watermarks[1] ? colour::Bad
                                                           : colour::mix(colour::Panel, colour::Good, 0.55f));
        for (u64 mark : zone.watermarks)
            draw->AddLine({x(mark), y - 1}, {x(mark), y + height + 1}, colour::Changed, context.px(1.5f));
        ImGui::Dummy({left + width, context.px(16)});
        if (ImGui::IsItemHovered()) {
            std::string what = fmt::format("{}: {} of {} free; watermarks min {}, low {}, high {} "
                                           "pages\nfree memory that a block of this order could not use:",
                                           zone.name, bytes_text(zone.free * PageBytes),
                                           bytes_text(zone.managed * PageBytes), zone.watermarks[0],
                                           zone.watermarks[1], zone.watermarks[2]);
            for (std::size_t order = 1; order < zone.orders.size(); ++order)
                what += fmt::format("\norder {:2}: {:3.0f} %", order, unusable(zone, order) * 100);
            tooltip_now(context, what);
        }
    }
}

/// Blocks of each order over the guest's time, as far as this panel has looked: a line an order, the number
/// of blocks on a scale of doublings, so that one block and a thousand can both be read.
void draw_history(Context& context) {
    const auto& history = context.views.buddy_history();
    section(context, "Orders over time",
            history.size() < 2 ? "let it run while this is open"
                               : fmt::format("{} to {}", duration_text(history.front().time),
                                             duration_text(history.back().time)));
    if (history.size() < 2) return;
    const ImVec2 at = ImGui::GetCursorScreenPos();
    const float width = ImGui::GetContentRegionAvail().x, height = context.px(74), gutter = context.px(26);
    ImDrawList* draw = ImGui::GetWindowDrawList();
    draw->AddRectFilled(at, {at.x + width, at.y + height}, colour::Inset);
    const u64 from = history.front().time, to = std::max(history.back().time, from + 1);
    u64 most = 1;
    for (const auto& sample : history)
        for (u64 n : sample.blocks) most = std::max(most, n);
    const auto x = [&](u64 time) {
        return at.x + (width - gutter) * static_cast<float>(time - from) / static_cast<float>(to - from);
    };
    const auto y = [&](u64 n) {
        return at.y + height - 2 -
               (height - 6) * std::log2(1 + static_cast<float>(n)) / std::log2(1 + static_cast<float>(most));
    };
    const ImFont* small = context.fonts.small;
    for (unsigned order = 0; order < 11; ++order) {
        const ImU32 c = tone_colour(order % 8);
        for (std::size_t i = 1; i < history.size(); ++i) {
            const auto &a = history[i - 1], &b = history[i];
            if (x(b.time) - x(a.time) < 0.5f && i % 4) continue;
            draw->AddLine({x(a.time), y(a.blocks[order])}, {x(b.time), y(a.blocks[order])}, c);
            draw->AddLine({x(b.time), y(a.blocks[order])}, {x(b.time), y(b.blocks[order])}, c);
        }
        draw->AddText(small, small->FontSize * 0.85f,
                      {at.x + width - gutter + context.px(4) + (order % 2 ? context.px(11) : 0),
                       std::clamp(y(history.back().blocks[order]) - context.px(6), at.y,
                                  at.y + height - context.px(12))},
                      colour::Text, std::to_string(order).c_str());
    }
    ImGui::Dummy({width, height});
    if (!ImGui::IsItemHovered()) return;
    const float share =
        std::clamp((ImGui::GetMousePos().x - at.x) / std::max(1.0f, width - gutter), 0.0f, 1.0f);
    const u64 time = from + static_cast<u64>(share * static_cast<float>(to - from));
    auto sample = std::ranges::lower_bound(history, time, {}, &Views::BuddySample::time);
    if (sample == history.end()) --sample;
    std::string what =
        fmt::format("at {}: {} free", duration_text(sample->time), bytes_text(sample->free * PageBytes));
    for (unsigned order = 0; order < 11; ++order) {
        what += fmt::format("\norder {:2}: {}", order, sample->blocks[order]);
        if (sample != history.begin())
            if (const i64 change = static_cast<i64>(sample->blocks[order]) -
                                   static_cast<i64>(std::prev(sample)->blocks[order]))
                what += fmt::format(" ({:+})", change);
    }
    tooltip_now(context, what);
}

/// What the allocator did between two looks at its lists, the newest first.
void draw_changes(Context& context) {
    const auto& list = context.views.buddy_notes();
    context.probe.buddy_notes = list.size();
    section(context, "Splits and merges",
            list.empty() ? "step, or let it run while this is open" : "newest first; a click goes there");
    if (list.empty()) return;
    using Kind = BuddyChange::Kind;
    const float line = ImGui::GetTextLineHeight() + 2 * ImGui::GetStyle().CellPadding.y;
    if (!begin_table("changes", 3, true, true,
                     line * std::min(6.0f, static_cast<float>(list.size())) + context.px(14)))
        return;
    ImGuiListClipper clipper;
    clipper.Begin(static_cast<int>(list.size()));
    while (clipper.Step())
        for (int i = clipper.DisplayStart; i < clipper.DisplayEnd; ++i) {
            const auto& each = list[list.size() - 1 - static_cast<std::size_t>(i)];
            ImGui::TableNextRow();
            ImGui::TableNextColumn();
            text_in(context.fonts.small, colour::Link, duration_text(each.time));
            if (ImGui::IsItemClicked()) context.engine.seek(each.step);
            if (ImGui::IsItemHovered())
                tooltip(context, fmt::format("seen at step {}. Click: go there", grouped(each.step)));
            ImGui::TableNextColumn();
            static constexpr const char* Names[] = {"split", "taken", "merged", "back"};
            const Kind kind = each.change.kind;
            text(kind == Kind::Split    ? colour::Changed
                 : kind == Kind::Merged ? colour::Good
                                        : colour::Dim,
                 Names[static_cast<unsigned>(kind) & 3]);
            ImGui::TableNextColumn();
            address_link(context, each.change.block.frame * PageBytes, Leads::Physical, each.change.text());
        }
    ImGui::EndTable();
}

void draw_legend(Context& context, const MemoryMapView& map) {
    const auto& names = emu::inspect::page_type_names();
    bool first = true;
    for (std::size_t i = 0; i < names.size() && i < map.totals.size(); ++i) {
        if (map.totals[i] == 0) continue;
        const std::string label =
            fmt::format("{} {} {}", page_type_letter(i), names[i], bytes_text(map.totals[i] * PageBytes));
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
    if (shown_ == 0 || shown_ > map.frames) first_ = 0, shown_ = map.frames;
    first_ = std::min(first_, map.frames - std::min(map.frames, shown_));
    while (shown_ > frames_per_cell * cells(cell)) frames_per_cell *= 2;
    while (cell < static_cast<int>(context.px(16)) && shown_ <= frames_per_cell * cells(cell + 1)) ++cell;
    const u64 begin = first_ / frames_per_cell * frames_per_cell, end = std::min(begin + shown_, map.frames);
    const int columns = std::max(1, static_cast<int>(width) / cell),
              needed = static_cast<int>(((end - begin) / frames_per_cell + static_cast<u64>(columns)) /
                                        static_cast<u64>(columns));
    const int rows = std::min(std::max(1, static_cast<int>(height) / cell), needed);
    if (picture_.id() && painted_ == context.views.memory_map_version() && columns == columns_ &&
        rows == rows_ && cell == cell_ && painted_first_ == begin && painted_shown_ == shown_ &&
        light_ == (current_theme() == Theme::Light))
        return;
    painted_first_ = begin, painted_shown_ = shown_, light_ = current_theme() == Theme::Light;
    painted_ = context.views.memory_map_version(), columns_ = columns, rows_ = rows, cell_ = cell,
    frames_per_cell_ = frames_per_cell;
    const int picture_width = columns * cell, picture_height = rows * cell;
    std::vector<u32> pixels(
        static_cast<std::size_t>(picture_width) * static_cast<std::size_t>(picture_height), colour::Inset);
    for (u64 first = begin, index = 0; first < end; first += frames_per_cell, ++index) {
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

/// Blocks of the buddy allocator, once single frames can be seen: an edge around each.
void MemoryPanel::borders(Context& context, const emu::inspect::BuddyView& buddy, ImVec2 at) {
    if (frames_per_cell_ != 1 || cell_ < static_cast<int>(context.px(6))) return;
    ImDrawList* draw = ImGui::GetWindowDrawList();
    const u64 columns = static_cast<u64>(columns_), end = painted_first_ + shown_;
    const auto edge = [&](u64 first, u64 count) {
        // Row by row: from where the block begins to where the row or the block ends.
        const u64 from = std::max(first, painted_first_), to = std::min(first + count, end);
        for (u64 f = from; f < to;) {
            const u64 index = f - painted_first_, row = index / columns, column = index % columns,
                      last = std::min(to, painted_first_ + (row + 1) * columns);
            const float cell = static_cast<float>(cell_), x0 = at.x + cell * static_cast<float>(column),
                        y0 = at.y + cell * static_cast<float>(row),
                        x1 = x0 + cell * static_cast<float>(last - f) - 1;
            draw->AddRect({x0, y0}, {x1, y0 + cell - 1}, colour::Line);
            f = last;
        }
    };
    for (const auto& zone : buddy.zones)
        for (std::size_t order = 1; order < zone.orders.size(); ++order)
            for (u64 first : zone.orders[order].frames)
                if (first < end && first + (u64{1} << order) > painted_first_) edge(first, u64{1} << order);
}

/// What the pointer does: the wheel zooms where it points, a drag pans, hover says what is there and whose it
/// is, a click keeps that below.
void MemoryPanel::point(Context& context, const MemoryMapView& map, ImVec2 at) {
    const ImVec2 mouse = ImGui::GetMousePos();
    const u64 column = std::min(static_cast<u64>(columns_ - 1),
                                static_cast<u64>(std::max(0.0f, mouse.x - at.x)) / static_cast<u64>(cell_)),
              row = static_cast<u64>(std::max(0.0f, mouse.y - at.y)) / static_cast<u64>(cell_);
    const u64 first = painted_first_ + (row * static_cast<u64>(columns_) + column) * frames_per_cell_;
    if (const float wheel = ImGui::GetIO().MouseWheel; wheel != 0) {
        constexpr u64 Least = 256;
        const double share = static_cast<double>(first - std::min(first, first_)) /
                             static_cast<double>(std::max<u64>(1, shown_));
        shown_ = std::clamp(wheel > 0 ? shown_ / 2 : shown_ * 2, std::min(Least, map.frames), map.frames);
        const u64 before = static_cast<u64>(share * static_cast<double>(shown_));
        first_ = std::min(first - std::min(first, before), map.frames - shown_);
    }
    if (ImGui::IsMouseDragging(0, context.px(4)) && shown_ < map.frames) {
        dragged_ += ImGui::GetIO().MouseDelta.y;
        const i64 rows = static_cast<i64>(dragged_ / static_cast<float>(cell_));
        dragged_ -= static_cast<float>(rows * cell_);
        const i64 moved = static_cast<i64>(first_) - rows * columns_ * static_cast<i64>(frames_per_cell_);
        first_ = static_cast<u64>(std::clamp<i64>(moved, 0, static_cast<i64>(map.frames - shown_)));
    }
    if (first >= map.frames) return;
    std::string what =
        fmt::format("physical {:x}, {}", first * PageBytes,
                    frames_per_cell_ == 1 ? fmt::format("frame {}", first)
                                          : fmt::format("{} pages from frame {}", frames_per_cell_, first));
    std::array<u64, 256> counts{};
    for (u64 f = first; f < std::min(first + frames_per_cell_, map.frames); ++f) ++counts[map.types[f]];
    for (std::size_t i = 0; i < emu::inspect::page_type_names().size(); ++i)
        if (counts[i]) what += fmt::format("\n{} × {}", counts[i], emu::inspect::page_type_names()[i]);
    if (frames_per_cell_ == 1)
        if (const auto owner = context.views.page_owner(first)) what += "\n" + owner->owner;
    tooltip_now(context, what + "\nClick: whose it is. The wheel zooms, a drag pans");
    if (ImGui::IsMouseReleased(0) && ImGui::GetIO().MouseDragMaxDistanceSqr[0] < 16) chosen_ = first;
}

void MemoryPanel::draw_map(Context& context, const MemoryMapView& map, const emu::inspect::BuddyView& buddy) {
    const ImVec2 room = ImGui::GetContentRegionAvail();
    paint(context, map, room.x, std::max(room.y - context.px(44), context.px(60)));
    if (!picture_.id()) return;
    const ImVec2 at = ImGui::GetCursorScreenPos();
    const ImVec2 size{static_cast<float>(picture_.width()), static_cast<float>(picture_.height())};
    ImGui::GetWindowDrawList()->AddImage(picture_.id(), at, {at.x + size.x, at.y + size.y});
    ImGui::InvisibleButton("map", size);
    context.probe.places.push_back({"Map of RAM", {at.x, at.y, size.x, size.y}});
    const bool hovered = ImGui::IsItemHovered();
    if (hovered) ImGui::SetItemUsingMouseWheel(); // not the panel scrolls
    borders(context, buddy, at);
    if (hovered) point(context, map, at);
    text_in(context.fonts.small, colour::Faint,
            shown_ < map.frames
                ? fmt::format("a cell is {}; frames {} to {}", bytes_text(frames_per_cell_ * PageBytes),
                              painted_first_, painted_first_ + shown_ - 1)
                : fmt::format("a cell is {}", bytes_text(frames_per_cell_ * PageBytes)));
    if (shown_ < map.frames) {
        ImGui::SameLine();
        if (toggle(context, "all of it", false, "Zoom out to all of RAM")) first_ = 0, shown_ = map.frames;
    }
    if (chosen_ >= map.frames) return;
    address_link(context, chosen_ * PageBytes, Leads::Physical, fmt::format("frame {}", chosen_));
    ImGui::SameLine();
    text(colour::Text, context.views.owner(chosen_));
}

void MemoryPanel::draw(Context& context) {
    const auto& buddy = context.views.buddy();
    if (!buddy.why_empty.empty()) return why_empty(context, buddy.why_empty);
    draw_zones(context, buddy);
    draw_levels(context, buddy);
    draw_history(context);
    draw_changes(context);
    const auto& map = context.views.memory_map();
    if (!map.why_empty.empty()) return why_empty(context, map.why_empty);
    section(context, "All of RAM",
            fmt::format("{} in {} frames", bytes_text(map.frames * PageBytes), grouped(map.frames)));
    notes(context, map.notes);
    if (map.types.size() < map.frames) return why_empty(context, "the page array cannot be read whole");
    draw_legend(context, map);
    draw_map(context, map, buddy);
}

} // namespace vitrine::ui
