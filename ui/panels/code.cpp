// Code — disassembly around rip or around an address that was clicked, with symbols, source lines and
// breakpoints.
//
// A click in the gutter sets a breakpoint. The wheel leaves rip; the next stop or "Follow" returns to it.
// When the listing ends early behind a jump (as at the reset vector), the rest of the panel shows where the
// jump leads.
#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include "ui/model/format.h"
#include "ui/panels/panels.h"
#include "ui/shell/widgets.h"

namespace vitrine::ui {

namespace {
constexpr unsigned RowsBefore = 5;

ImU32 mnemonic_colour(const CodeRow& row) {
    if (row.mnemonic == "(bad)") return colour::Bad;
    if (row.call) return colour::Call;
    if (row.jump || row.always) return colour::Jump;
    return colour::Text;
}
} // namespace

void CodePanel::place(Context& context, unsigned rows) {
    const u64 rip = context.views.rip_linear();
    if (context.engine.stops() != stops_) stops_ = context.engine.stops(), context.navigation.follow = true;
    if (context.navigation.follow) {
        // As long as rip is in sight nothing moves, so that the eye keeps its place.
        if (placed_) {
            const CodeListing& now = context.views.code(top_, rows);
            const auto at = std::ranges::find(now.rows, rip, &CodeRow::address);
            if (at != now.rows.end() && static_cast<unsigned>(at - now.rows.begin()) + 2 < rows) return;
        }
        top_ = context.views.code_start(rip, RowsBefore);
        placed_ = true;
    } else if (context.navigation.code != last_code_) {
        top_ = context.views.code_start(context.navigation.code, RowsBefore / 2);
    }
    last_code_ = context.navigation.follow ? ~u64{0} : context.navigation.code;
}

void CodePanel::row(Context& context, const CodeRow& row, float width, u64 rip) {
    ImDrawList* draw = ImGui::GetWindowDrawList();
    const ImVec2 at = ImGui::GetCursorScreenPos();
    const float height = ImGui::GetTextLineHeight() + context.px(3), gutter = context.px(16);
    const bool current = row.address == rip, stop = context.engine.breakpoint_at(row.address);
    if (current) {
        draw->AddRectFilled({at.x - context.px(4), at.y - 1}, {at.x + width, at.y + height - 1},
                            colour::CurrentLine, 3);
        draw->AddRectFilled({at.x - context.px(4), at.y - 1}, {at.x - context.px(2), at.y + height - 1},
                            colour::Accent);
    }
    ImGui::PushID(static_cast<int>(row.address ^ row.address >> 32));
    if (ImGui::InvisibleButton("gutter", {gutter, height})) context.engine.toggle_breakpoint(row.address);
    const ImVec2 dot{at.x + context.px(6), at.y + height / 2 - 1};
    if (stop)
        draw->AddCircleFilled(dot, context.px(4.5f), colour::Record, 16);
    else if (ImGui::IsItemHovered())
        draw->AddCircle(dot, context.px(4.5f), colour::Line, 16),
            tooltip(context, "Click: a breakpoint here");
    ImGui::PopID();

    const unsigned digits = address_digits(context);
    const float cell = ImGui::CalcTextSize("0").x;
    float x = at.x + gutter;
    ImGui::SetCursorScreenPos({x, at.y});
    // Kernel addresses share their upper half: the lower half tells them apart, and the link has the whole.
    const bool wide = width > cell * 70, high = row.address >> 32 == 0xFFFF'FFFF;
    const std::string shown = digits == 16 && !wide && high ? "…" + hex_text(row.address & 0xFFFF'FFFF, 8)
                                                            : hex_text(row.address, wide ? digits
                                                                                    : row.address >> 32 ? 12
                                                                                                        : 8);
    address_link(context, row.address, Leads::Code, shown);
    x += cell * static_cast<float>(shown.starts_with("…") ? 9 : shown.size()) + context.px(10);
    if (width > cell * 56) {
        float byte_x = x;
        for (std::size_t i = 0; i < row.bytes.size() && i < 7; ++i, byte_x += cell * 2) {
            const bool lit = row.changed >> i & 1;
            context.probe.changed_code += lit;
            draw->AddText({byte_x, at.y}, lit ? colour::Changed : colour::Faint,
                          fmt::format("{:02x}", row.bytes[i]).c_str());
        }
        if (row.bytes.size() > 7)
            draw->AddText({byte_x, at.y}, row.changed >> 7 ? colour::Changed : colour::Faint, "…");
        x += cell * 15 + context.px(6);
    }
    draw->AddText({x, at.y}, mnemonic_colour(row), row.mnemonic.c_str());
    x += cell * std::max(7.0f, static_cast<float>(row.mnemonic.size() + 1));
    if (row.target) {
        ImGui::SetCursorScreenPos({x, at.y});
        const bool flow = row.jump || row.call || row.always;
        if (flow && !row.target_name.empty()) {
            address_link(context, *row.target, Leads::Code, row.target_name);
        } else {
            address_link(context, *row.target, flow ? Leads::Code : Leads::Data, row.operands);
            const float end = x + ImGui::CalcTextSize(row.operands.c_str()).x +
                              cell * static_cast<float>(row.target_name.size() + 1);
            if (!row.target_name.empty() && end < at.x + width)
                draw->AddText({x + ImGui::CalcTextSize(row.operands.c_str()).x + cell, at.y}, colour::Faint,
                              row.target_name.c_str());
        }
    } else {
        draw->AddText({x, at.y}, colour::Operand, row.operands.c_str());
    }
    ImGui::SetCursorScreenPos({at.x, at.y + height});
}

/// Ctrl+F: the next instruction whose text, symbol or source line holds what is written.
void CodePanel::search(Context& context) {
    constexpr unsigned RowsAFrame = 2000, MostFrames = 200;
    if (std::exchange(context.navigation.find_wanted, false)) finding_ = focus_ = true;
    if (!finding_) return;
    ImGui::SetNextItemWidth(std::max(context.px(80), ImGui::GetContentRegionAvail().x - context.px(120)));
    if (std::exchange(focus_, false)) ImGui::SetKeyboardFocusHere();
    const bool enter = ImGui::InputTextWithHint(
        "##find", "search from here: mov cr3, schedule, spin_lock(", find_, sizeof find_,
        ImGuiInputTextFlags_EnterReturnsTrue | ImGuiInputTextFlags_AutoSelectAll);
    context.probe.finding = ImGui::IsItemActive();
    ImGui::SameLine(0, context.px(6));
    const bool next = ImGui::Button("Next");
    ImGui::SameLine(0, context.px(6));
    if (ImGui::Button("×##find")) finding_ = false, find_at_.reset(), found_.clear();
    if (enter || next) focus_ = enter, context.redraw = std::max(context.redraw, 3);
    if ((enter || next) && find_[0]) {
        // Behind the instruction that was found last, when that is still what is looked at.
        const u64 from = found_at_ && !context.navigation.follow && context.navigation.code == *found_at_
                             ? *found_at_
                             : top_;
        find_at_ = from, find_frames_ = 0, found_ = "searching", skip_ = found_at_ && from == *found_at_;
    }
    if (find_at_) {
        const auto holds = [&](const CodeRow& row) {
            if (std::exchange(skip_, false)) return false; // it was found before
            const std::string all = row.mnemonic + " " + row.operands + " " + row.target_name + " " +
                                    row.symbol + " " + row.source + " " +
                                    context.sources.line(row.source_file, row.source_line);
            return all.contains(find_);
        };
        const auto result = context.views.search_code(*find_at_, RowsAFrame, holds);
        if (result.found) {
            context.show_code(result.at);
            found_at_ = result.at, found_ = "found at " + hex_text(result.at, 1), find_at_.reset();
        } else if (result.ended || ++find_frames_ >= MostFrames) {
            found_ = result.ended ? "not found before the code ends"
                                  : "not found in the next 400 000 instructions";
            find_at_.reset();
        } else {
            find_at_ = result.at, context.redraw = std::max(context.redraw, 2);
        }
    }
    context.probe.searched = found_;
    if (!found_.empty() && !found_.starts_with("found")) text(colour::Dim, found_);
}

void CodePanel::draw(Context& context, const Rect& area) {
    const auto& registers = context.views.registers();
    const u64 rip = context.views.rip_linear();
    const bool elsewhere = !context.navigation.follow;
    std::string right = elsewhere ? context.views.symbol_name(context.navigation.code) : registers.rip_symbol;
    if (elsewhere && right.empty()) right = hex_text(context.navigation.code, 1);
    if (!elsewhere && !registers.rip_line.empty())
        right += (right.empty() ? "" : " · ") + base_name(registers.rip_line);
    if (right.empty())
        right = context.views.code_base() || address_digits(context) != 16
                    ? fmt::format("{} · {:04x}:{:04x}", registers.mode,
                                  registers.segments[1].segment.selector, registers.rip)
                    : registers.mode;
    context.probe.code_title = right;
    begin_panel(context, "Code", area, right, colour::Border, false);
    context.probe.changed_code = 0;
    search(context);
    ImGui::PushFont(context.fonts.mono);
    const float width = ImGui::GetContentRegionAvail().x, line = ImGui::GetTextLineHeight() + context.px(3);
    const unsigned rows = static_cast<unsigned>(std::max(2.0f, ImGui::GetContentRegionAvail().y / line));
    ImDrawList* draw = ImGui::GetWindowDrawList();
    place(context, rows);
    if (ImGui::IsWindowHovered() && ImGui::GetIO().MouseWheel != 0) {
        context.navigation.follow = false;
        context.navigation.code = last_code_ = top_;
        for (int i = 0; i < 3; ++i) {
            const CodeListing& listing = context.views.code(top_, rows);
            top_ = ImGui::GetIO().MouseWheel > 0 ? context.views.code_before(top_)
                   : listing.rows.size() > 1     ? listing.rows[1].address
                                                 : top_;
        }
    }
    const CodeListing listing = context.views.code(top_, rows);
    ImGui::PushStyleVar(ImGuiStyleVar_ItemSpacing, {0, 0});
    unsigned used = 0;
    const auto mark = [&](const std::string& what, ImU32 c) {
        const ImVec2 at = ImGui::GetCursorScreenPos();
        draw->AddText(context.fonts.small, context.fonts.small->FontSize, {at.x + context.px(16), at.y + 1},
                      c, what.c_str());
        ImGui::SetCursorScreenPos({at.x, at.y + line});
        ++used;
    };
    const CodeRow* last_jump = nullptr;
    for (const CodeRow& r : listing.rows) {
        if (used + (r.symbol.empty() ? 0u : 1u) + (r.source.empty() ? 0u : 1u) >= rows)
            break; // its head and itself
        if (!r.symbol.empty()) mark(r.symbol + ":", colour::Accent);
        if (!r.source.empty()) {
            const std::string& text = context.sources.line(r.source_file, r.source_line);
            const auto first = text.find_first_not_of(' ');
            mark(base_name(r.source) + (first == std::string::npos ? "" : "   " + text.substr(first)),
                 first == std::string::npos ? colour::Faint : colour::Dim);
        }
        row(context, r, width, rip);
        ++used;
        if (r.always && r.target && !last_jump) last_jump = &r;
    }
    if (!listing.why_short.empty() && used + 2 < rows) {
        mark("— " + listing.why_short + " —", colour::Faint);
        if (last_jump && used + 3 < rows) {
            ++used, ImGui::Dummy({0, line});
            mark(fmt::format("where the jump at {:08x} leads:", last_jump->address), colour::Accent);
            const CodeListing& target = context.views.code_at_target(*last_jump->target, rows);
            for (const CodeRow& r : target.rows) {
                if (used >= rows) break;
                row(context, r, width, rip);
                ++used;
            }
            if (target.rows.empty()) mark(target.why_short, colour::Dim);
        }
    }
    ImGui::PopStyleVar();
    ImGui::PopFont();
    if (!context.navigation.follow) {
        ImGui::SetCursorPos({ImGui::GetWindowWidth() - context.px(86), context.px(6)});
        if (toggle(context, "Back to rip", true, "Shows the instruction that comes next"))
            context.navigation.follow = true, placed_ = false;
    }
    end_panel();
}

} // namespace vitrine::ui
