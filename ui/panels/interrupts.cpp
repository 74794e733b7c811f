// Interrupts — vector, where it comes from, where its gate leads, how often and when it came last. A click
// breaks on it.
#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include "emu/events/explain.h"
#include "ui/model/format.h"
#include "ui/panels/panels.h"
#include "ui/shell/toolbar.h"
#include "ui/shell/widgets.h"

namespace vitrine::ui {

namespace {

/// The last delivery of a vector before here, among the last few thousand.
std::optional<emu::Event> last_of(const emu::EventStore& events, u64 vector, u64 step) {
    constexpr u64 Most = 4096;
    constexpr auto Kind = emu::EventKind::Interrupt;
    u64 index = events.lower(Kind, step + 1, emu::EventAxis::Step);
    for (u64 looked = 0; index > events.first(Kind) && looked < Most; ++looked) {
        const emu::Event event = events.at(Kind, --index);
        if (event.a == vector) return event;
    }
    return std::nullopt;
}

} // namespace

namespace {
/// The three 256-bit registers of every local APIC, a cell a vector.
void draw_bits(Context& context) {
    const auto& view = context.views.controllers();
    for (std::size_t i = 0; i < view.apics.size(); ++i) {
        const auto& apic = view.apics[i];
        section(context, fmt::format("CPU {}", i).c_str(),
                fmt::format("processor priority {:02X}h", apic.priority));
        const std::pair<const char*, const std::array<u32, 8>*> rows[] = {
            {"IRR", &apic.requested}, {"ISR", &apic.in_service}, {"TMR", &apic.level}};
        for (const auto& [name, words] : rows) {
            text_in(context.fonts.mono, colour::Dim, name);
            ImGui::SameLine();
            const ImVec2 at = ImGui::GetCursorScreenPos();
            const float cell =
                std::floor(std::clamp(ImGui::GetContentRegionAvail().x / 128, 2.0f, context.px(8)));
            ImDrawList* draw = ImGui::GetWindowDrawList();
            for (unsigned v = 0; v < 256; ++v) {
                const bool set = (*words)[v / 32] >> (v % 32) & 1;
                const ImVec2 box{at.x + cell * static_cast<float>(v % 128),
                                 at.y + (cell + 1) * static_cast<float>(v / 128)};
                draw->AddRectFilled(box, {box.x + cell - 1, box.y + cell},
                                    set          ? colour::Accent
                                    : v % 16 < 8 ? colour::Inset
                                                 : colour::Border);
            }
            ImGui::Dummy({cell * 128, 2 * cell + 2});
            if (ImGui::IsItemHovered()) {
                const ImVec2 mouse = ImGui::GetMousePos();
                const unsigned v =
                    std::min(127u, static_cast<unsigned>(std::max(0.0f, mouse.x - at.x) / cell)) +
                    (mouse.y > at.y + cell + 1 ? 128 : 0);
                tooltip_now(context, fmt::format("vector {:02X}h {}: {}", v, emu::vector_title(v),
                                                 (*words)[v / 32] >> (v % 32) & 1 ? "set" : "clear"));
            }
        }
    }
    draw_sheets(context, view, false);
}

void draw_lines(Context& context);
} // namespace

void draw_interrupts(Context& context) {
    if (!ImGui::BeginTabBar("interrupt views")) return;
    const auto tab = [&](const char* name, auto body) {
        if (!ImGui::BeginTabItem(name)) return;
        ImGui::BeginChild(name);
        body();
        ImGui::EndChild();
        ImGui::EndTabItem();
    };
    tab("Vectors", [&] { draw_lines(context); });
    tab("Controllers", [&] { draw_bits(context); });
    tab("Softirqs", [&] { draw_sheets(context, context.views.deferred(), false); });
    tab("Timers", [&] { draw_sheets(context, context.views.timers(), false); });
    ImGui::EndTabBar();
}

namespace {
void draw_lines(Context& context) {
    const auto& view = context.views.interrupt_lines();
    if (!view.why_empty.empty()) return why_empty(context, view.why_empty);
    section(context, "Interrupts", "as the kernel serves them; a click on a vector breaks on it");
    notes(context, view.notes);
    if (!begin_table("interrupts", 5, true, false)) return;
    Engine& engine = context.engine;
    ImGui::TableSetupScrollFreeze(0, 1);
    ImGui::TableSetupColumn("Vector");
    ImGui::TableSetupColumn("Source");
    ImGui::TableSetupColumn("Count");
    ImGui::TableSetupColumn("Last");
    ImGui::TableSetupColumn("Gate", ImGuiTableColumnFlags_WidthStretch);
    ImGui::TableHeadersRow();
    const u64 now = engine.machine().steps();
    for (const auto& row : view.rows) {
        ImGui::TableNextRow();
        ImGui::TableNextColumn();
        text_in(context.fonts.mono, colour::Link, fmt::format("{:02X}h", row.vector));
        if (ImGui::IsItemHovered()) tooltip(context, "Click: a breakpoint on its delivery");
        if (ImGui::IsItemClicked()) {
            report(context, engine.add_breakpoint(fmt::format("interrupt:{:#x}", row.vector)));
            context.show_tab(Tab::Breakpoints);
        }
        ImGui::TableNextColumn();
        text(colour::Text, row.source);
        if (ImGui::IsItemHovered() && !row.counts.empty())
            tooltip(context, row.level ? "level triggered" : "edge triggered");
        ImGui::TableNextColumn();
        u64 sum = 0;
        std::string each;
        for (std::size_t i = 0; i < row.counts.size(); ++i)
            sum += row.counts[i],
                each += fmt::format("{}CPU {}: {}", i ? "\n" : "", i, grouped(row.counts[i]));
        text(sum ? colour::Text : colour::Dim, row.counts.empty() ? "" : grouped(sum));
        if (ImGui::IsItemHovered() && !each.empty()) tooltip(context, each);
        ImGui::TableNextColumn();
        if (const auto last = last_of(engine.events(), row.vector, now)) {
            text(colour::Link,
                 duration_text(engine.machine().time() - std::min(engine.machine().time(), last->time)) +
                     " ago");
            if (ImGui::IsItemHovered())
                tooltip(context, fmt::format("step {}. Click: go there", grouped(last->step)));
            if (ImGui::IsItemClicked()) engine.seek(last->step);
        } else {
            text(colour::Dim, "not lately");
        }
        ImGui::TableNextColumn();
        if (row.gate)
            address_link(context, row.handler_address ? row.handler_address : row.gate, Leads::Code,
                         row.handler);
    }
    ImGui::EndTable();
}
} // namespace

} // namespace vitrine::ui
