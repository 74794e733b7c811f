// Host events: who gets a key — the guest's keyboard, COM1, a text field, or the app's shortcuts. See app.h.
#include <algorithm>
#include <fmt/format.h>
#include <imgui_impl_sdl.h>
#include "ui/model/dropped.h"
#include "ui/model/keys.h"
#include "ui/shell/app.h"
#include "ui/shell/toolbar.h"

namespace vitrine::ui {

namespace {
constexpr Uint16 Control = KMOD_CTRL, Alt = KMOD_ALT;
bool inside(const Rect& r, float x, float y) {
    return x >= r.x && x < r.right() && y >= r.y && y < r.bottom();
}
} // namespace

void App::handle(const SDL_Event& event) {
    context_->redraw = std::max(context_->redraw, 3);
    if (event.type == SDL_MOUSEMOTION) mouse_x_ = event.motion.x, mouse_y_ = event.motion.y;
    if (event.type == SDL_MOUSEBUTTONDOWN || event.type == SDL_MOUSEBUTTONUP)
        mouse_x_ = event.button.x, mouse_y_ = event.button.y;
    if (event.type == SDL_MOUSEBUTTONDOWN) mouse_buttons_ |= SDL_BUTTON(event.button.button);
    if (event.type == SDL_MOUSEBUTTONUP) mouse_buttons_ &= ~SDL_BUTTON(event.button.button);
    switch (event.type) {
    case SDL_QUIT: context_->quit = true; return;
    case SDL_DROPFILE: {
        const std::string path = event.drop.file ? event.drop.file : "";
        SDL_free(event.drop.file);
        return dropped(path);
    }
    case SDL_RENDER_TARGETS_RESET:
    case SDL_RENDER_DEVICE_RESET: renderer_->forget(); break;
    case SDL_WINDOWEVENT:
        if (event.window.event == SDL_WINDOWEVENT_SIZE_CHANGED ||
            event.window.event == SDL_WINDOWEVENT_EXPOSED || event.window.event == SDL_WINDOWEVENT_SHOWN)
            renderer_->forget();
        if (event.window.event == SDL_WINDOWEVENT_CLOSE) context_->quit = true;
        if (event.window.event == SDL_WINDOWEVENT_FOCUS_LOST) release_guest_keys();
        break;
    case SDL_MOUSEBUTTONDOWN:
        if (context_->capture != Capture::None) {
            const Rect keeps =
                context_->layout.area_of(context_->capture == Capture::Screen ? Tab::Screen : Tab::Terminal);
            const float x = static_cast<float>(event.button.x) * pixels_per_point_,
                        y = static_cast<float>(event.button.y) * pixels_per_point_;
            if (!inside(keeps, x, y)) give_keys_back();
        }
        break;
    case SDL_KEYDOWN:
    case SDL_KEYUP:
        if (guest_key(event.key)) return;
        break;
    case SDL_TEXTINPUT:
        if (context_->capture == Capture::Screen) return; // the scan codes say it all
        if (context_->capture == Capture::Terminal) {
            await_echo(event.text.timestamp);
            return engine_->input(emu::SerialInput{event.text.text});
        }
        if (!ImGui::GetIO().WantTextInput && context_->dialog == Dialog::None && event.text.text[0] == '?')
            return context_->open_dialog(Dialog::Keys);
        break;
    default: break;
    }
    ImGui_ImplSDL2_ProcessEvent(&event);
    if (event.type == SDL_KEYDOWN || event.type == SDL_KEYUP) {
        // The modifiers of this event, not of the moment at which a slow window gets to it.
        ImGuiIO& io = ImGui::GetIO();
        io.KeyCtrl = (event.key.keysym.mod & KMOD_CTRL) != 0,
        io.KeyShift = (event.key.keysym.mod & KMOD_SHIFT) != 0;
        io.KeyAlt = (event.key.keysym.mod & KMOD_ALT) != 0;
    }
    if (event.type == SDL_KEYDOWN) key(event.key);
}

/// True when the key was the guest's (or took the keys back from it).
bool App::guest_key(const SDL_KeyboardEvent& event) {
    if (context_->capture == Capture::None) return false;
    const bool down = event.type == SDL_KEYDOWN;
    if (down && (event.keysym.mod & Control) && (event.keysym.mod & Alt)) {
        give_keys_back();
        return true;
    }
    const unsigned usage = static_cast<unsigned>(event.keysym.scancode);
    if (context_->capture == Capture::Screen) {
        const auto codes = set1_scancodes(usage, down);
        if (codes.empty()) return true;
        if (down)
            keys_down_.insert(usage);
        else if (!keys_down_.erase(usage))
            return true; // it went down before the guest had the keys
        if (down && codes.size() == 1) await_echo(event.timestamp);
        engine_->input(emu::KeyInput{codes});
        return true;
    }
    // The terminal leaves the app its function keys.
    if (event.keysym.sym >= SDLK_F1 && event.keysym.sym <= SDLK_F12) return false;
    if (!down) return true;
    const std::string bytes = terminal_bytes(usage, (event.keysym.mod & Control) != 0);
    if (!bytes.empty()) engine_->input(emu::SerialInput{bytes});
    return true;
}

/// A file on the window: it says what it is and becomes a machine; where a run would be lost, the second
/// time.
void App::dropped(const std::string& path) {
    const Dropped found = recognise_file(path);
    if (found.kind == Dropped::Kind::Other) return engine_->say(found.what, true);
    // A disc goes into the drive of a machine that runs; one that has none, or has not begun, is made anew
    // for it.
    if (found.kind == Dropped::Kind::Cdrom && engine_->has_cd_drive() && engine_->machine().steps() > 0) {
        context_->open_file(path, true);
        return;
    }
    if (engine_->machine().steps() > 0 && std::exchange(asked_about_, path) != path)
        return engine_->say(fmt::format("{}: {}. Drop it once more to leave this run for it",
                                        path.substr(path.rfind('/') + 1), found.what));
    asked_about_.clear();
    give_keys_back();
    if (found.kind == Dropped::Kind::Recording) {
        if (auto ok = engine_->replay(path); !ok) return engine_->say(ok.error().message, true);
    } else if (auto ok = engine_->new_machine(found.options); !ok) {
        return engine_->say(ok.error().message, true);
    }
    context_->used(path);
    engine_->say(path.substr(path.rfind('/') + 1) + ": " + found.what);
}

void App::give_keys_back() {
    release_guest_keys();
    context_->capture = Capture::None;
    context_->redraw = std::max(context_->redraw, 3);
}

void App::release_guest_keys() {
    for (unsigned usage : keys_down_)
        if (engine_->state() != Engine::State::Ended && !engine_->replaying())
            engine_->input(emu::KeyInput{set1_scancodes(usage, false)});
    keys_down_.clear();
}

void App::key(const SDL_KeyboardEvent& event) {
    const bool control = (event.keysym.mod & Control) != 0;
    if (event.keysym.sym == SDLK_ESCAPE && context_->probe.menu) {
        context_->menu_closing = true;
        return;
    }
    if (event.keysym.sym == SDLK_ESCAPE && engine_->travelling()) return engine_->cancel_journey();
    if (event.keysym.sym == SDLK_ESCAPE && context_->dialog != Dialog::None) {
        context_->dialog = Dialog::None;
        return;
    }
    if ((event.keysym.mod & Alt) && context_->dialog == Dialog::None && event.keysym.sym == SDLK_LEFT)
        return context_->look_back();
    if ((event.keysym.mod & Alt) && context_->dialog == Dialog::None && event.keysym.sym == SDLK_RIGHT)
        return context_->look_forth();
    const bool function = event.keysym.sym >= SDLK_F1 && event.keysym.sym <= SDLK_F12;
    if (context_->dialog != Dialog::None && !(control || function)) return;
    if (ImGui::GetIO().WantTextInput && !control && !function) return;
    shortcut(event.keysym.sym, control, (event.keysym.mod & KMOD_SHIFT) != 0);
}

bool App::shortcut(SDL_Keycode key, bool control, bool shift) {
    if (control) {
        switch (key) {
        case SDLK_p: context_->open_dialog(Dialog::Palette); return true;
        case SDLK_g: context_->open_dialog(Dialog::GoTo); return true;
        case SDLK_f:
            context_->dock.show(Tab::Code);
            context_->navigation.find_wanted = true;
            return true;
        case SDLK_o: context_->open_dialog(Dialog::Open); return true;
        case SDLK_r: ask_restart(*context_); return true;
        case SDLK_l:
            splits_ = {};
            context_->arrange(DockPreset::Standard);
            engine_->say("every panel is back at its place");
            return true;
        case SDLK_q: context_->quit = true; return true;
        case SDLK_PLUS:
        case SDLK_EQUALS:
        case SDLK_KP_PLUS: wanted_scale_ = std::min(wanted_scale_ + 0.125f * first_scale_, 4.0f); return true;
        case SDLK_MINUS:
        case SDLK_KP_MINUS:
            wanted_scale_ = std::max(wanted_scale_ - 0.125f * first_scale_, 0.5f);
            return true;
        case SDLK_0:
        case SDLK_KP_0: wanted_scale_ = first_scale_; return true;
        default: return false;
        }
    }
    switch (key) {
    case SDLK_m: engine_->mark(fmt::format("mark {}", engine_->marks().size() + 1)); return true;
    case SDLK_F1: context_->open_dialog(Dialog::Keys); return true;
    case SDLK_F5:
        if (shift) return engine_->run_back(), true;
        [[fallthrough]];
    case SDLK_SPACE: toggle_run(*context_); return true;
    case SDLK_F10: shift ? step_back_over(*context_) : step_over(*context_); return true;
    case SDLK_F11: shift ? engine_->step_back() : engine_->step(); return true;
    case SDLK_F12: shift ? engine_->previous_phase() : engine_->next_phase(); return true;
    default: return false;
    }
}

} // namespace vitrine::ui
