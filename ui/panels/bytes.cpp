// Memory bytes — hexadecimal and characters, linear or physical.
#include <algorithm>
#include <fmt/format.h>
#include "ui/model/format.h"
#include "ui/panels/panels.h"
#include "ui/shell/widgets.h"

namespace vitrine::ui {

void draw_bytes(Context& context) {
    auto& navigation = context.navigation;
    if (navigation.bytes_follow)
        navigation.bytes = context.views.rip_linear(), navigation.bytes_physical = false;
    if (toggle(context, "linear", !navigation.bytes_physical,
               "Through the page tables, as the processor sees it"))
        navigation.bytes_physical = false;
    ImGui::SameLine();
    if (toggle(context, "physical", navigation.bytes_physical,
               "RAM, ROM and devices as the bus sees them; devices are not read"))
        navigation.bytes_physical = true, navigation.bytes_follow = false;
    ImGui::SameLine();
    if (toggle(context, "rip", navigation.bytes_follow, "The bytes of the next instruction"))
        navigation.bytes_follow = true;
    ImGui::SameLine();
    if (toggle(context, "rsp", false, "The stack")) {
        const auto& registers = context.views.processor().registers();
        context.show_bytes(
            registers.gpr[cpu::RSP] +
            (address_digits(context) == 16 ? 0 : registers.seg[static_cast<unsigned>(cpu::Seg::SS)].base));
    }
    const ImVec2 rsp = ImGui::GetItemRectMin(), rsp_size = ImGui::GetItemRectSize();
    context.probe.places.push_back({"rsp", {rsp.x, rsp.y, rsp_size.x, rsp_size.y}});
    ImGui::SameLine();
    if (toggle(context, "other…", false, "Ctrl+G, then \"Bytes\"")) context.open_dialog(Dialog::GoTo);
    if (const std::string symbol =
            navigation.bytes_physical ? std::string() : context.views.symbol_name(navigation.bytes);
        !symbol.empty()) {
        ImGui::SameLine();
        text(colour::Dim, symbol);
    }
    ImGui::PushFont(context.fonts.mono);
    const float cell = ImGui::CalcTextSize("0").x, line = ImGui::GetTextLineHeight() + context.px(3);
    const float room = ImGui::GetContentRegionAvail().x / cell;
    const unsigned digits = navigation.bytes >> 32 || address_digits(context) == 16 ? 16 : 8;
    const unsigned columns = room > static_cast<float>(digits) + 2 + 16 * 4 + 2 ? 16 : 8;
    const unsigned rows =
        static_cast<unsigned>(std::max(1.0f, (ImGui::GetContentRegionAvail().y - 2) / line));
    if (ImGui::IsWindowHovered() && ImGui::GetIO().MouseWheel != 0) {
        const u64 move = u64{columns} * 4;
        navigation.bytes_follow = false;
        navigation.bytes = ImGui::GetIO().MouseWheel > 0 ? navigation.bytes - std::min(navigation.bytes, move)
                                                         : navigation.bytes + move;
    }
    const u64 begin = navigation.bytes - navigation.bytes % columns;
    const auto& bytes = context.views.bytes(begin, std::size_t{rows} * columns, navigation.bytes_physical);
    ImDrawList* draw = ImGui::GetWindowDrawList();
    ImGui::PushStyleVar(ImGuiStyleVar_ItemSpacing, {0, 0});
    for (unsigned r = 0; r < rows; ++r) {
        const ImVec2 at = ImGui::GetCursorScreenPos();
        address_link(context, begin + u64{r} * columns,
                     navigation.bytes_physical ? Leads::Physical : Leads::Code, {}, digits);
        float x = at.x + cell * (static_cast<float>(digits) + 1.5f);
        std::string characters;
        for (unsigned c = 0; c < columns; ++c) {
            const std::size_t i = std::size_t{r} * columns + c;
            const bool readable = bytes.readable[i], wanted = begin + i == navigation.bytes;
            const u8 value = bytes.data[i];
            const std::string shown = readable ? hex_text(value, 2) : "··";
            if (wanted)
                draw->AddRectFilled({x - 2, at.y}, {x + 2 * cell + 2, at.y + line - 2}, colour::CurrentLine,
                                    2);
            const ImVec2 a{x - 1, at.y}, b{x + 2 * cell + 1, at.y + line};
            if (readable && ImGui::IsWindowHovered() && ImGui::IsMouseHoveringRect(a, b)) {
                const u64 address = begin + i;
                draw->AddRectFilled(a, b, colour::Hover, 2);
                if (ImGui::IsMouseClicked(1)) context.open_menu(address, navigation.bytes_physical, 1);
                tooltip(context, fmt::format("{}{}: {} = {:02x}h{}\nRight click: who wrote it?",
                                             navigation.bytes_physical ? "physical " : "",
                                             hex_text(address, 1), value, value,
                                             value >= 0x20 && value < 0x7F
                                                 ? fmt::format(" '{}'", static_cast<char>(value))
                                                 : ""));
            }
            if (c == 0 && r == 0)
                context.probe.places.push_back({"first byte", {a.x, a.y, b.x - a.x, b.y - a.y}});
            const bool changed = bytes.changed[i];
            if (changed && readable) context.probe.changed_bytes += 1;
            draw->AddText({x, at.y},
                          changed                   ? colour::Changed
                          : !readable || value == 0 ? colour::Faint
                                                    : colour::Text,
                          shown.c_str());
            x += cell * (c % 8 == 7 ? 3.5f : 2.6f);
            characters += readable && value >= 0x20 && value < 0x7F ? static_cast<char>(value)
                          : readable                                ? '.'
                                                                    : ' ';
        }
        draw->AddText({x, at.y}, colour::Dim, characters.c_str());
        ImGui::SetCursorScreenPos({at.x, at.y + line});
    }
    ImGui::PopStyleVar();
    ImGui::PopFont();
}

} // namespace vitrine::ui
