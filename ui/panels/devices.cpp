// Devices — every chip's registers as the chip describes them, and the events that are due next.
#include <fmt/format.h>
#include "ui/model/format.h"
#include "ui/panels/panels.h"
#include "ui/shell/widgets.h"

namespace vitrine::ui {

void draw_devices(Context& context) {
    const auto& events = context.views.events();
    section(context, "Next events", events.pending.empty() ? "none is pending" : "in virtual time");
    if (!events.pending.empty() && begin_table("events", 3, false)) {
        constexpr std::size_t Shown = 6;
        for (std::size_t i = 0; i < std::min(events.pending.size(), Shown); ++i) {
            const auto& event = events.pending[i];
            ImGui::TableNextRow();
            ImGui::TableNextColumn();
            text(colour::Text, event.name);
            ImGui::TableNextColumn();
            text_in(context.fonts.mono, colour::Accent,
                    event.when > events.now ? "in " + duration_text(event.when - events.now) : "now");
            ImGui::TableNextColumn();
            text_in(context.fonts.mono, colour::Dim, "at " + duration_text(event.when));
        }
        ImGui::EndTable();
    }
    section(context, "Chips");
    ImGui::BeginChild("chips");
    for (const auto& chip : context.views.devices().chips) {
        ImGui::PushID(chip.name.c_str());
        const bool open = ImGui::CollapsingHeader(
            chip.name.c_str(), chip.fields.size() <= 8 ? ImGuiTreeNodeFlags_DefaultOpen : 0);
        if (open && chip.fields.empty()) text(colour::Dim, "has no state to show");
        if (open && !chip.fields.empty() && begin_table("fields", 3, false)) {
            for (const auto& field : chip.fields) {
                ImGui::TableNextRow();
                ImGui::TableNextColumn();
                text(colour::Dim, field.name);
                ImGui::TableNextColumn();
                text_in(context.fonts.mono, field.value ? colour::Text : colour::Faint,
                        fmt::format("{:x}", field.value));
                ImGui::TableNextColumn();
                text(colour::Dim, field.meaning);
            }
            ImGui::EndTable();
        }
        ImGui::PopID();
    }
    ImGui::EndChild();
}

} // namespace vitrine::ui
