// Toolbar and status line: see toolbar.h.
#include "ui/shell/toolbar.h"
#include <cmath>
#include <fmt/format.h>
#include <utility>
#include "ui/model/format.h"
#include "ui/shell/icons.h"
#include "ui/shell/widgets.h"

namespace vitrine::ui {

namespace {

bool compact(Context& context) { return context.layout.toolbar.width < context.px(1060); }

bool button(Context& context, Icon icon, const char* label, const char* hint, bool primary = false,
            bool enabled = true) {
    if (compact(context)) label = "";
    const ImVec2 at = ImGui::GetCursorScreenPos();
    const ImVec2 size = context.fonts.text->CalcTextSizeA(context.fonts.text->FontSize, 1e9f, 0, label);
    const float height = context.px(28), icon_size = context.px(11), pad = context.px(9);
    const float width = pad * 2 + icon_size + (label[0] ? context.px(7) + size.x : 0);
    ImGui::PushID(label[0] ? label : hint);
    const bool clicked = ImGui::InvisibleButton("button", {width, height}) && enabled;
    ImGui::PopID();
    context.probe.places.push_back({std::string(hint).substr(0, 12), {at.x, at.y, width, height}});
    context.probe.icons.emplace_back(std::string(hint).substr(0, 12), static_cast<int>(icon));
    const bool hovered = ImGui::IsItemHovered(), held = ImGui::IsItemActive();
    ImDrawList* draw = ImGui::GetWindowDrawList();
    ImU32 back = primary ? colour::Primary : colour::Button;
    if (hovered && enabled) back = colour::mix(back, colour::Lift, held ? 0.18f : 0.10f);
    draw->AddRectFilled(at, {at.x + width, at.y + height}, back, context.px(5));
    const ImU32 ink = enabled ? primary ? colour::OnPrimary : colour::Text : colour::Faint;
    draw_icon(draw, icon, {at.x + pad + icon_size / 2, at.y + height / 2}, icon_size, ink);
    if (label[0])
        draw->AddText({at.x + pad + icon_size + context.px(7), std::floor(at.y + (height - size.y) / 2)}, ink,
                      label);
    if (hovered) tooltip(context, hint);
    ImGui::SameLine(0, context.px(6));
    return clicked;
}

void gap(Context& context) {
    const ImVec2 at = ImGui::GetCursorScreenPos();
    ImGui::GetWindowDrawList()->AddLine({at.x + context.px(4), at.y + context.px(5)},
                                        {at.x + context.px(4), at.y + context.px(23)}, colour::Border);
    ImGui::Dummy({context.px(9), context.px(28)});
    ImGui::SameLine(0, context.px(6));
}

} // namespace

void report(Context& context, const Expected<void>& result) {
    if (result) return;
    context.engine.say(result.error().message, true);
}

void toggle_run(Context& context) {
    if (context.engine.running())
        context.engine.pause();
    else
        context.engine.run();
}

void step_over(Context& context) {
    const CodeListing listing = context.views.code(context.views.rip_linear(), 1);
    if (listing.rows.empty()) return context.engine.step();
    const CodeRow& row = listing.rows.front();
    context.engine.step_over(row.address + row.bytes.size(), row.call);
}

/// The instruction before rip, when it is a call: what stands behind it has come back from there.
void step_back_over(Context& context) {
    const u64 here = context.views.rip_linear(), before = context.views.code_before(here);
    std::optional<u64> call;
    if (before != here) {
        const CodeListing listing = context.views.code(before, 1);
        if (!listing.rows.empty() && listing.rows[0].mnemonic.starts_with("call") &&
            before + listing.rows[0].bytes.size() == here)
            call = before;
    }
    context.engine.step_back_over(call);
}

void ask_restart(Context& context) {
    if (context.engine.machine().steps() > 0 && !context.engine.replaying())
        return context.open_dialog(Dialog::Restart);
    report(context, context.engine.restart());
}

void toggle_recording(Context& context) {
    if (context.engine.recording())
        report(context, context.engine.stop_recording());
    else
        context.open_dialog(Dialog::Record);
}

namespace {
void panels_menu(Context& context) {
    if (!ImGui::BeginPopup("panels")) return;
    context.probe.menu = true;
    if (std::exchange(context.menu_closing, false)) ImGui::CloseCurrentPopup();
    const auto item = [&](const char* name, bool on) {
        const bool chosen = ImGui::MenuItem(name, nullptr, on);
        const ImVec2 a = ImGui::GetItemRectMin(), size = ImGui::GetItemRectSize();
        context.probe.places.push_back({fmt::format("Panels: {}", name), {a.x, a.y, size.x, size.y}});
        return chosen;
    };
    text(colour::Dim, "Panels for");
    for (unsigned i = 0; i < DockPresets; ++i) {
        const auto preset = static_cast<DockPreset>(i);
        if (item(preset_name(preset), context.dock.preset() == preset && !context.dock.arranged()))
            context.arrange(preset);
    }
    ImGui::Separator();
    text(colour::Dim, "Look");
    if (item("Light", current_theme() == Theme::Light)) context.theme_wanted = true;
    if (item("Large text", false)) context.text_wanted = 1.5f;
    if (item("Usual text", false)) context.text_wanted = 1;
    if (item("Reduced motion", context.calm)) context.calm = !context.calm;
    ImGui::EndPopup();
}
} // namespace

void draw_toolbar(Context& context) {
    const Rect& area = context.layout.toolbar;
    ImGui::PushStyleColor(ImGuiCol_WindowBg, ImGui::ColorConvertU32ToFloat4(colour::Window));
    begin_frame(context, "toolbar", area, 0);
    ImGui::PopStyleColor();
    Engine& engine = context.engine;
    const bool running = engine.running(), alive = engine.state() != Engine::State::Ended;
    ImGui::SetCursorPos({context.px(14), context.px(8)});
    const ImVec2 brand = ImGui::GetCursorScreenPos();
    // The mark: a glass case with something alive in it.
    ImDrawList* draw = ImGui::GetWindowDrawList();
    draw->AddRect({brand.x, brand.y + context.px(4)}, {brand.x + context.px(20), brand.y + context.px(23)},
                  colour::Accent, context.px(4), 0, context.px(1.6f));
    draw->AddRectFilled({brand.x + context.px(6), brand.y + context.px(10)},
                        {brand.x + context.px(14), brand.y + context.px(17)},
                        running ? colour::Good : colour::Changed, context.px(2));
    draw->AddText(context.fonts.bold, context.fonts.bold->FontSize,
                  {brand.x + context.px(28), brand.y + context.px(6)}, colour::Text, "Vitrine");
    ImGui::SetCursorPos({context.px(108), context.px(8)});
    if (running ? button(context, Icon::Pause, "Pause", "Stops at the next instruction boundary (F5, Space)",
                         true)
                : button(context, Icon::Run, "Run", "Runs until something stops it (F5, Space)", true, alive))
        toggle_run(context);
    if (button(context, Icon::Step, "Step", "One instruction, or one delivery of an interrupt (F11)", false,
               alive))
        engine.step();
    if (button(context, Icon::StepOver, "Over",
               "Step over: runs a call, REP or INT to the instruction after it (F10)", false, alive))
        step_over(context);
    if (button(context, Icon::Phase, "Next phase", "Runs to the next boot phase (F12)", false, alive))
        engine.next_phase();
    if (button(context, Icon::Target, "Run to…", "Runs to an address, symbol, phase or step (Ctrl+G)", false,
               alive))
        context.open_dialog(Dialog::RunTo);
    gap(context);
    if (engine.recording()
            ? button(context, Icon::Stop, "End recording", "Ends the recording; the machine goes on")
            : button(context, Icon::Record, "Record",
                     "Records the run from power-on: its input is all it takes"))
        toggle_recording(context);
    if (button(context, Icon::Replay, "Replay…", "Runs a recording again, bit by bit the same"))
        context.open_dialog(Dialog::Replay);
    if (button(context, Icon::Restart, "Restart", "Back to power-on, with the same configuration (Ctrl+R)"))
        ask_restart(context);

    const auto width_of = [&](const char* label) {
        return compact(context)
                   ? context.px(35)
                   : context.fonts.text->CalcTextSizeA(context.fonts.text->FontSize, 1e9f, 0, label).x +
                         context.px(36);
    };
    const char* pace = engine.real_time ? "Real time" : "Flat out";
    ImGui::SetCursorPos({area.width - context.px(24) - width_of("Keys") - width_of(pace) -
                             width_of("Lessons") - width_of("Panels"),
                         context.px(8)});
    if (button(context, Icon::Panels, "Panels", "Arrangements of the panels; the look"))
        ImGui::OpenPopup("panels");
    panels_menu(context);
    if (button(context, Icon::Book, "Lessons", "Pages of a book about kernels that run here"))
        context.open_dialog(Dialog::Lessons);
    if (button(context, engine.real_time ? Icon::Clock : Icon::Fast, pace,
               engine.real_time ? "Once booted, virtual time keeps to real time. Click: as fast as possible"
                                : "As fast as possible: an idle guest races ahead. Click: real time"))
        engine.real_time = !engine.real_time;
    if (button(context, Icon::Help, "Keys", "All keys (?)")) context.open_dialog(Dialog::Keys);
    end_frame();
}

const char* light_name(Engine::Light light) {
    switch (light) {
    case Engine::Light::Paused: return "paused";
    case Engine::Light::Running: return "running";
    case Engine::Light::Idle: return "idle";
    case Engine::Light::Halted: return "halted for good";
    case Engine::Light::Panicked: return "panicked";
    case Engine::Light::PoweredOff: return "powered off";
    case Engine::Light::Ended: return "ended";
    case Engine::Light::Fault: return "triple fault";
    }
    return "?";
}

/// What a person gets: steps in a second on the wall, and how fast the guest's clock goes beside it.
static std::string speed_text(const Engine& engine) {
    if (engine.steps_per_second() <= 0 && engine.times_real() <= 0) return "–";
    return fmt::format("{} steps/s · {} real time", short_count(static_cast<u64>(engine.steps_per_second())),
                       engine.times_real() >= 9.95 ? fmt::format("{:.0f}×", engine.times_real())
                                                   : fmt::format("{:.2f}×", engine.times_real()));
}

void draw_status(Context& context) {
    const Rect& area = context.layout.status;
    begin_frame(context, "status", area, 0);
    Engine& engine = context.engine;
    ImDrawList* draw = ImGui::GetWindowDrawList();
    draw->AddRectFilled({area.x, area.y}, {area.right(), area.bottom()}, colour::Header);
    const float y = std::floor(area.y + (area.height - context.fonts.text->FontSize) / 2);
    float x = area.x + context.px(14);
    const Engine::Light light = engine.light();
    const std::string state = engine.travelling()
                                  ? fmt::format("travelling {:.0f} %", 100 * engine.journey_share())
                              : engine.in_the_past() && light == Engine::Light::Paused ? "in the past"
                                                                                       : light_name(light);
    // Not by colour alone: what stands still is a square, what waits a ring, what is off an empty ring.
    const ImVec2 lamp{x + context.px(4), area.y + area.height / 2};
    const float radius = context.px(4.5f);
    switch (light) {
    case Engine::Light::Running: draw->AddCircleFilled(lamp, radius, colour::Good, 16); break;
    case Engine::Light::Idle: draw->AddCircle(lamp, radius, colour::Good, 16, context.px(2)); break;
    case Engine::Light::Paused:
        draw->AddRectFilled({lamp.x - radius, lamp.y - radius}, {lamp.x + radius, lamp.y + radius},
                            colour::Changed, 1);
        break;
    case Engine::Light::PoweredOff:
    case Engine::Light::Ended: draw->AddCircle(lamp, radius, colour::Dim, 16, context.px(1.5f)); break;
    case Engine::Light::Halted:
    case Engine::Light::Panicked:
    case Engine::Light::Fault:
        draw->AddTriangleFilled({lamp.x - radius, lamp.y + radius}, {lamp.x + radius, lamp.y + radius},
                                {lamp.x, lamp.y - radius}, colour::Bad);
        break;
    }
    x += context.px(16);
    const auto put = [&](ImFont* font, ImU32 c, const std::string& what, float least = 0) {
        draw->AddText(font, font->FontSize, {x, y}, c, what.c_str());
        x += std::max(font->CalcTextSizeA(font->FontSize, 1e9f, 0, what.c_str()).x + context.px(18), least);
    };
    put(context.fonts.bold, colour::Text, state, context.px(74));
    const std::string& message = engine.message();
    const std::string first_line = message.substr(0, message.find('\n'));
    draw->PushClipRect({x, area.y}, {area.right() - context.px(660), area.bottom()}, true);
    put(context.fonts.text, engine.message_is_error() ? colour::Bad : colour::Dim,
        first_line == state ? "" : first_line);
    draw->PopClipRect();

    const auto& view = context.views.registers();
    x = area.right() - context.px(14);
    const auto put_right = [&](ImFont* font, ImU32 c, const std::string& what, float least = 0) {
        const float width = font->CalcTextSizeA(font->FontSize, 1e9f, 0, what.c_str()).x;
        draw->AddText(font, font->FontSize, {x - width, y}, c, what.c_str());
        x -= std::max(width + context.px(18), least);
    };
    if (engine.recording())
        put_right(context.fonts.bold, colour::Record, "● recording");
    else if (engine.replaying())
        put_right(context.fonts.bold, colour::Accent,
                  fmt::format("replay of {} steps", short_count(engine.replay_end())));
    put_right(context.fonts.text, colour::Dim, fmt::format("CPL {}", view.cpl));
    put_right(context.fonts.text, colour::Text, view.mode);
    put_right(context.fonts.text, colour::Dim, speed_text(engine), context.px(150));
    put_right(context.fonts.text, colour::Dim, duration_text(view.time), context.px(96));
    put_right(context.fonts.text, colour::Text,
              engine.in_the_past()
                  ? fmt::format("step {} of {}", grouped(view.step), grouped(engine.last_step()))
                  : "step " + grouped(view.step));
    end_frame();
}

} // namespace vitrine::ui
