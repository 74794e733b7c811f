// One frame: layout, panels, splitters, dialogs. See app.h.
#include <algorithm>
#include <array>
#include <cmath>
#include <imgui_impl_sdl.h>
#include "emu/cli/options.h"
#include "emu/symbols/guest_symbols.h"
#include "ui/shell/app.h"
#include "ui/shell/toolbar.h"
#include "ui/shell/widgets.h"

namespace vitrine::ui {

void App::prepare() {
    if (context_->redraw > 0) --context_->redraw;
    if (std::exchange(context_->theme_wanted, false)) {
        use_theme(current_theme() == Theme::Light ? Theme::Dark : Theme::Light);
        apply_style(context_->scale, software_);
        renderer_->forget();
    }
    if (const float text = std::exchange(context_->text_wanted, 0.0f); text > 0)
        wanted_scale_ = first_scale_ * text;
    if (wanted_scale_ != context_->scale) set_scale(wanted_scale_);
    unseen_ = {};
    feed_terminal();
    follow_lesson();
    views_->refresh();
    // What changes its size is laid out again before anybody sees it.
    for (int pass = 0; pass < 3; ++pass) {
        context_->settle = false;
        lay_out();
        if (!context_->settle) break;
    }
}

/// Draws what prepare() laid out. No turn is needed: the machine runs meanwhile.
void App::present() {
    renderer_->draw(*ImGui::GetDrawData(), colour::Window);
    if (options_.ui_screenshot.empty()) SDL_RenderPresent(sdl_renderer_);
}

/// One frame of ImGui, from its input to its draw lists.
void App::lay_out() {
    ImGui_ImplSDL2_NewFrame();
    // Everything is laid out in pixels of the output, whatever the window system calls a point.
    ImGuiIO& io = ImGui::GetIO();
    int width = 0, height = 0;
    SDL_GetRendererOutputSize(sdl_renderer_, &width, &height);
    io.DisplaySize = {static_cast<float>(width), static_cast<float>(height)};
    io.DisplayFramebufferScale = {1, 1};
    // Position and buttons after the last event that was handled: the server-wide ones that the backend asks
    // for lag behind on some servers, and SDL's own run ahead to events that wait for the next frame.
    io.MouseDown[0] = (mouse_buttons_ & SDL_BUTTON_LMASK) != 0;
    io.MouseDown[1] = (mouse_buttons_ & SDL_BUTTON_RMASK) != 0;
    io.MouseDown[2] = (mouse_buttons_ & SDL_BUTTON_MMASK) != 0;
    if (SDL_GetMouseFocus() == window_)
        io.MousePos = {static_cast<float>(mouse_x_), static_cast<float>(mouse_y_)};
    if (pixels_per_point_ != 1 && io.MousePos.x > -1e6f)
        io.MousePos = {io.MousePos.x * pixels_per_point_, io.MousePos.y * pixels_per_point_};
    ImGui::NewFrame();
    if (Context& context = *context_; !context.dock.arranged() && !context.dock.maximised()) {
        // Until somebody arranges the panels they follow the window's width.
        const Dock fitting(context.dock.preset(), io.DisplaySize.x / context.scale);
        if (fitting.root().parts.size() != context.dock.root().parts.size())
            context.dock = fitting, context.navigation.tab_wanted = true;
    }
    if (std::exchange(context_->navigation.tab_wanted, false)) context_->dock.show(context_->navigation.tab);
    context_->layout =
        compute_layout(io.DisplaySize.x, io.DisplaySize.y, context_->scale, splits_, context_->dock,
                       static_cast<float>(screen_->guest_width()),
                       static_cast<float>(screen_->guest_height()), context_->lessons.lesson() != nullptr);
    context_->probe = {};
    context_->hint_seen = false;
    draw_parts();
    if (!context_->hint_seen) context_->hint.clear();
    ImGui::Render();
}

void App::draw_parts() {
    Context& context = *context_;
    draw_toolbar(context);
    draw_places();
    timeline_.draw(context, context.layout.timeline);
    draw_status(context);
    draw_borders(); // last: ImGui puts a window that never comes to the front behind those made before it
    point_at_part();
    answer_card(context);
    address_menu(context);
    dialogs_.draw(context);
    if (context.dialog == Dialog::None && context.palette_then)
        std::exchange(context.palette_then, {})(context);
}

/// What a lesson wants to be seen: opened, and framed until its next part.
void App::follow_lesson() {
    Context& context = *context_;
    context.lessons.update();
    if (context.lessons.working()) context.redraw = std::max(context.redraw, 1);
    for (const auto& [panel, argument] : context.lessons.take_shows()) {
        context.pointed_part = panel;
        if (const auto tab = tab_of(panel)) {
            if (static_cast<unsigned>(*tab) < TabCount)
                context.show_tab(*tab), context.pointed_part = "structures";
            else
                context.dock.show(*tab);
        }
        if (panel == "code") context.navigation.follow = true;
        if (panel == "page-tables") context.navigation.walk_follow = true;
        std::optional<u64> place;
        if (!argument.empty()) {
            if (auto number = emu::cli::parse_number(argument)) place = *number;
            if (const auto* symbols = engine_->machine().symbols(); !place && symbols)
                place = symbols->find(argument);
        }
        if (!place) continue;
        if (panel == "code") context.show_code(*place);
        if (panel == "bytes") context.show_bytes(*place);
        if (panel == "page-tables") context.show_walk(*place);
    }
}

void App::point_at_part() {
    const Layout& layout = context_->layout;
    const std::pair<const char*, Rect> parts[] = {{"screen", layout.area_of(Tab::Screen)},
                                                  {"terminal", layout.area_of(Tab::Terminal)},
                                                  {"code", layout.area_of(Tab::Code)},
                                                  {"processor", layout.area_of(Tab::Processor)},
                                                  {"structures", layout.area_of(context_->navigation.tab)},
                                                  {"timeline", layout.timeline}};
    for (const auto& [name, area] : parts)
        if (context_->pointed_part == name && context_->lessons.lesson())
            ImGui::GetForegroundDrawList()->AddRect({area.x - 1, area.y - 1},
                                                    {area.right() + 1, area.bottom() + 1}, colour::Changed,
                                                    context_->px(5), 0, context_->px(2));
}

} // namespace vitrine::ui
