// Random clicks, keys and resizes, for tests: --ui-show monkey:SEED:COUNT. The same seed does the same
// things. It presses everything but Ctrl+Q and Ctrl+Alt; whatever it does, the app must neither end nor fall.
// See app.h.
#include <array>
#include <cstdio>
#include "ui/shell/app.h"

namespace vitrine::ui {

namespace {
u64 next(u64& state) { // xorshift64
    state ^= state << 13, state ^= state >> 7, state ^= state << 17;
    return state;
}
void push_key(SDL_Keycode key, Uint16 mods) {
    for (const Uint32 type : {SDL_KEYDOWN, SDL_KEYUP}) {
        SDL_Event event{};
        event.type = type;
        event.key.keysym.sym = key, event.key.keysym.mod = mods,
        event.key.keysym.scancode = SDL_GetScancodeFromKey(key);
        event.key.state = type == SDL_KEYDOWN ? SDL_PRESSED : SDL_RELEASED;
        SDL_PushEvent(&event);
    }
}
void push_button(bool down, u8 button, int x, int y) {
    SDL_Event event{};
    event.type = down ? SDL_MOUSEBUTTONDOWN : SDL_MOUSEBUTTONUP;
    event.button.button = button, event.button.x = x, event.button.y = y,
    event.button.state = down ? SDL_PRESSED : SDL_RELEASED;
    SDL_PushEvent(&event);
}
void push_motion(int x, int y) {
    SDL_Event event{};
    event.type = SDL_MOUSEMOTION, event.motion.x = x, event.motion.y = y;
    SDL_PushEvent(&event);
}
} // namespace

/// One of the monkey's deeds; true when it has done all of them.
bool App::monkey() {
    if (options_.ui_show.starts_with("monkey:") && monkey_left_ < 0) {
        unsigned long long seed = 1;
        long count = 1000;
        std::sscanf(options_.ui_show.c_str(), "monkey:%llu:%ld", &seed, &count);
        monkey_ = seed * 0x9E3779B97F4A7C15 | 1, monkey_left_ = count;
    }
    if (monkey_left_ < 0) return false;
    if (monkey_left_-- == 0) return true;
    const auto any = [&](u64 n) { return static_cast<int>(next(monkey_) % n); };
    int width = 0, height = 0;
    SDL_GetWindowSize(window_, &width, &height);
    const int x = any(static_cast<u64>(std::max(width, 1))), y = any(static_cast<u64>(std::max(height, 1)));
    static constexpr std::array Keys = {SDLK_F5,     SDLK_F10,    SDLK_F11,       SDLK_F12, SDLK_SPACE,
                                        SDLK_ESCAPE, SDLK_RETURN, SDLK_TAB,       SDLK_UP,  SDLK_DOWN,
                                        SDLK_LEFT,   SDLK_RIGHT,  SDLK_BACKSPACE, SDLK_m,   SDLK_g,
                                        SDLK_p,      SDLK_l,      SDLK_r,         SDLK_0,   SDLK_PLUS,
                                        SDLK_MINUS,  SDLK_HOME,   SDLK_END,       SDLK_a,   SDLK_DELETE};
    switch (any(12)) {
    case 0:
    case 1:
    case 2:
    case 3: { // a click, now and then with the right button or twice
        const u8 button = any(5) ? SDL_BUTTON_LEFT : SDL_BUTTON_RIGHT;
        push_motion(x, y), push_button(true, button, x, y), push_button(false, button, x, y);
        if (any(6) == 0) push_button(true, button, x, y), push_button(false, button, x, y);
        break;
    }
    case 4: // a drag
        push_motion(x, y), push_button(true, SDL_BUTTON_LEFT, x, y);
        for (int i = 1; i <= 4; ++i) push_motion(x + any(200) - 100, y + any(200) - 100);
        push_button(false, SDL_BUTTON_LEFT, any(static_cast<u64>(width)), any(static_cast<u64>(height)));
        break;
    case 5: {
        push_motion(x, y);
        SDL_Event event{};
        event.type = SDL_MOUSEWHEEL, event.wheel.y = any(2) ? 1 : -1;
        SDL_PushEvent(&event);
        break;
    }
    case 6:
    case 7:
    case 8:
        push_key(Keys[static_cast<std::size_t>(any(Keys.size()))], static_cast<Uint16>(any(4)   ? 0
                                                                                       : any(2) ? KMOD_LCTRL
                                                                                       : any(2) ? KMOD_LSHIFT
                                                                                                : KMOD_LALT));
        break;
    case 9: { // some text
        SDL_Event event{};
        event.type = SDL_TEXTINPUT;
        for (int i = 0; i < 3; ++i) event.text.text[i] = static_cast<char>(' ' + any(95));
        SDL_PushEvent(&event);
        break;
    }
    case 10:
        if (any(8) == 0) SDL_SetWindowSize(window_, 640 + any(1300), 480 + any(700));
        break;
    default: push_motion(x, y);
    }
    // A machine that was stopped goes on, so that there is something to see; what would end the watch is
    // undone.
    if (any(40) == 0 && !engine_->running()) push_key(SDLK_F5, 0);
    context_->quit = false;
    return false;
}

} // namespace vitrine::ui
