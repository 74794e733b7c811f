// Processor — general registers, flags by name, segments, control registers. Amber: changed since the last
// stop.
#include <algorithm>
#include <fmt/format.h>
#include "ui/model/format.h"
#include "ui/panels/panels.h"
#include "ui/shell/widgets.h"

namespace vitrine::ui {

namespace {

struct Flag {
    u64 bit;
    const char *name, *meaning;
};
constexpr Flag Flags[] = {
    {cpu::CF, "CF", "carry"},
    {cpu::PF, "PF", "parity"},
    {cpu::AF, "AF", "auxiliary carry"},
    {cpu::ZF, "ZF", "zero"},
    {cpu::SF, "SF", "sign"},
    {cpu::OF, "OF", "overflow"},
    {cpu::DF, "DF", "direction: strings run downwards"},
    {cpu::IF, "IF", "interrupts are accepted"},
    {cpu::TF, "TF", "trap after each instruction"},
    {cpu::NT, "NT", "nested task"},
    {cpu::AC, "AC", "alignment check; SMAP override"},
    {cpu::VM, "VM", "virtual-8086 mode"},
};

/// A flag that is clear is written small, so that the colour is not alone in saying it.
std::string lower(std::string_view name) {
    std::string out(name);
    for (char& c : out) c = static_cast<char>(c | 0x20);
    return out;
}

void draw_flags(Context& context, u64 now, std::optional<u64> before) {
    const float wide = ImGui::CalcTextSize("WWW").x;
    bool first = true;
    for (const Flag& flag : Flags) {
        const bool on = now & flag.bit, changed = before && ((*before ^ now) & flag.bit);
        if (!first) ImGui::SameLine(0, context.px(5));
        if (ImGui::GetContentRegionAvail().x < wide) ImGui::NewLine();
        first = false;
        ImGui::PushFont(context.fonts.mono);
        text(changed ? colour::Changed
             : on    ? colour::Text
                     : colour::Faint,
             on ? flag.name : lower(flag.name));
        ImGui::PopFont();
        if (ImGui::IsItemHovered())
            tooltip(context, fmt::format("{} = {}: {}", flag.name, on ? 1 : 0, flag.meaning));
    }
    ImGui::SameLine(0, context.px(8));
    text(colour::Dim, fmt::format("IOPL {}", now >> 12 & 3));
}

} // namespace

void draw_processor(Context& context, const Rect& area) {
    const auto& view = context.views.registers();
    const auto& before = context.views.registers_before();
    const unsigned processors = context.engine.machine().processor_count(),
                   current = context.engine.machine().current_processor();
    begin_panel(
        context, "Processor", area,
        (processors > 1 ? fmt::format("CPU {} of {} · ", context.views.shown_processor(), processors) : "") +
            fmt::format("{} · CPL {}{}", view.mode, view.cpl, view.halted ? " · halted" : ""));
    ImGui::PushStyleVar(ImGuiStyleVar_ItemSpacing, {context.px(6), context.px(2)});
    if (processors > 1) {
        if (toggle(context, "whose turn it is", !context.views.processor_chosen(),
                   "Follows the processors as they take turns"))
            context.views.choose_processor(std::nullopt);
        for (unsigned i = 0; i < processors; ++i) {
            ImGui::SameLine();
            const std::string label = fmt::format("CPU {}{}", i, i == current ? " ●" : "");
            const auto& each = context.engine.machine().processor(i);
            if (toggle(context, label.c_str(),
                       context.views.processor_chosen() && context.views.shown_processor() == i,
                       each.halted()  ? "halted"
                       : i == current ? "its turn"
                                      : "waits for its turn"))
                context.views.choose_processor(i);
            const ImVec2 at = ImGui::GetItemRectMin(), to = ImGui::GetItemRectMax();
            context.probe.places.push_back(
                {fmt::format("CPU {}", i), {at.x, at.y, to.x - at.x, to.y - at.y}});
        }
    }
    const unsigned digits = address_digits(context);
    const float cell = context.fonts.mono->CalcTextSizeA(context.fonts.mono->FontSize, 1e9f, 0, "0").x;
    const auto name = [&](std::string_view what, float cells = 4.2f) {
        const float x = ImGui::GetCursorPosX();
        text_in(context.fonts.mono, colour::Dim, what);
        ImGui::SameLine(x + cell * cells, 0);
    };
    const auto right_click = [&](u64 value) { // every register may hold an address
        if (ImGui::IsItemHovered() && ImGui::IsMouseClicked(1))
            context.menu_address = value, context.menu_physical = false, context.menu_opening = true;
    };

    const float width = ImGui::GetContentRegionAvail().x, left = ImGui::GetCursorPosX();
    const bool wide_registers = width > cell * 46;
    const float second = left + (wide_registers || digits == 8 ? std::max(width / 2, cell * 22) : width / 2);
    const std::size_t columns = width < cell * 41 ? 1 : 2; // large text in a small window
    for (std::size_t i = 0; i < 16 / columns; ++i)
        for (std::size_t half = 0; half < columns; ++half) {
            const std::size_t index = i + half * 8;
            const auto& [label, value] = view.general[index];
            if (half) ImGui::SameLine(second, 0);
            name(label);
            hex_value(context, value, 16, before && before->general[index].second != value);
            right_click(value);
        }
    ImGui::Dummy({0, context.px(3)});
    name("rip");
    ImGui::PushFont(context.fonts.mono);
    address_link(context, context.views.rip_linear(), Leads::Code, hex_text(view.rip, 16));
    ImGui::PopFont();
    if (!view.rip_symbol.empty()) {
        ImGui::SameLine();
        text(colour::Dim, view.rip_symbol);
    }
    name("flags");
    ImGui::SameLine(left + cell * 6, 0);
    draw_flags(context, view.rflags, before ? std::optional(before->rflags) : std::nullopt);

    section(context, "Control");
    const auto controls = [&](const auto& list, const auto* old, std::string_view which) {
        for (std::size_t i = 0; i < list.size(); ++i) {
            const auto& c = list[i];
            if (!c.name.starts_with(which)) continue;
            const float x = ImGui::GetCursorPosX();
            text_in(context.fonts.mono, colour::Dim, c.name);
            ImGui::SameLine(x + cell * (c.name.size() > 5 ? static_cast<float>(c.name.size()) + 1 : 6), 0);
            hex_value(context, c.value, 16, old && i < old->size() && (*old)[i].value != c.value);
            right_click(c.value);
            if (!c.bits.empty()) {
                ImGui::SameLine();
                text(colour::Dim, c.bits);
                if (ImGui::IsItemHovered()) tooltip(context, c.bits);
            }
        }
    };
    controls(view.control, before ? &before->control : nullptr, "cr");
    section(context, "Segments");
    for (const auto& row : view.segments) {
        if (!row.segment.usable && row.segment.selector == 0 && (row.name == "ldtr" || row.name == "tr"))
            continue;
        name(row.name, 5.2f);
        hex_value(
            context, row.segment.selector, 4, before && [&] {
                for (const auto& old : before->segments)
                    if (old.name == row.name) return old.segment.selector != row.segment.selector;
                return false;
            }());
        ImGui::SameLine();
        address_link(context, row.segment.base, Leads::Data);
        ImGui::SameLine();
        text(colour::Dim, row.meaning);
        if (ImGui::IsItemHovered())
            tooltip(context, fmt::format("{}: base {:x}, limit {:x}, {}", row.name, row.segment.base,
                                         row.segment.limit, row.meaning));
    }
    const auto table = [&](const char* label, const cpu::DescriptorTable& t) {
        const float x = ImGui::GetCursorPosX();
        text_in(context.fonts.mono, colour::Dim, label);
        ImGui::SameLine(x + cell * 6, 0);
        address_link(context, t.base, Leads::Data, {}, digits);
        ImGui::SameLine();
        text(colour::Dim, fmt::format("limit {:04x}", t.limit));
    };
    table("gdtr", view.gdtr), table("idtr", view.idtr);
    if (ImGui::CollapsingHeader("Debug registers"))
        controls(view.control, before ? &before->control : nullptr, "dr");
    if (ImGui::CollapsingHeader("Model-specific registers"))
        controls(view.msrs, before ? &before->msrs : nullptr, "");
    if (ImGui::CollapsingHeader("XMM"))
        for (const auto& [label, value] : view.vectors) {
            name(label);
            text_in(context.fonts.mono, colour::Text, fmt::format(" {:016x} {:016x}", value.hi, value.lo));
        }
    ImGui::PopStyleVar();
    end_panel();
}

} // namespace vitrine::ui
