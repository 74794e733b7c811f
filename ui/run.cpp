// The app's two doors for the `vitrine` program: see emu/cli/app.h.
#include <SDL.h>
#include <cstdlib>
#include "emu/cli/headless.h"
#include "ui/shell/app.h"

namespace vitrine::ui {

bool display_available(std::string& why) {
    const auto set = [](const char* name) {
        const char* value = std::getenv(name);
        return value && *value;
    };
    // Without a display server SDL would try the bare graphics card, which is not what a person at a terminal
    // wants.
    if (!set("DISPLAY") && !set("WAYLAND_DISPLAY") && !set("SDL_VIDEODRIVER")) {
        why = "neither DISPLAY nor WAYLAND_DISPLAY is set";
        return false;
    }
    SDL_SetHint(SDL_HINT_NO_SIGNAL_HANDLERS, "0");
    if (SDL_Init(SDL_INIT_VIDEO) != 0) {
        why = SDL_GetError();
        return false;
    }
    // Where no display server answers, SDL falls to drivers that draw into nothing: an app that nobody sees.
    const std::string driver = SDL_GetCurrentVideoDriver() ? SDL_GetCurrentVideoDriver() : "";
    if (!set("SDL_VIDEODRIVER") &&
        (driver == "offscreen" || driver == "dummy" || driver == "evdev" || driver == "KMSDRM")) {
        SDL_Quit();
        const char* display = std::getenv(set("DISPLAY") ? "DISPLAY" : "WAYLAND_DISPLAY");
        why = std::string("the display ") + (display ? display : "?") +
              " does not answer (as root, xauth may be missing)";
        return false;
    }
    return true;
}

int run(const AppOptions& options) {
    auto app = App::open(options);
    if (!app) {
        emu::cli::report_error(app.error());
        return static_cast<int>(app.error().status);
    }
    return (*app)->run();
}

} // namespace vitrine::ui
