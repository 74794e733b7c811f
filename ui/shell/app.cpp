// Window and loop: see app.h. Keys are in app_keys.cpp, what a frame draws in app_draw.cpp.
#include "ui/shell/app.h"
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <fmt/format.h>
#include <imgui_impl_sdl.h>
#include <spdlog/spdlog.h>
#include "emu/cli/same_files.h"
#include "emu/cli/headless.h"
#include "ui/model/format.h"

namespace vitrine::ui {

namespace {
constexpr int MostUnseen = 64;
constexpr double SoftwareFrame = 1.0 / 34, AcceleratedFrame = 1.0 / 60, QuietFrame = 0.1, CalmFrame = 0.5;
constexpr double KeyLook = 0.004; ///< how long a key for the guest may lie

double seconds_now() {
    return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

/// True when the OpenGL in use is Mesa's, drawn by the processor.
bool opengl_is_software() {
    using GetString = const unsigned char* (*)(unsigned);
    constexpr unsigned GlRenderer = 0x1F01;
    if (!SDL_GL_GetCurrentContext()) return false;
    const auto get_string = reinterpret_cast<GetString>(SDL_GL_GetProcAddress("glGetString"));
    const unsigned char* name = get_string ? get_string(GlRenderer) : nullptr;
    if (!name) return false;
    const std::string_view text(reinterpret_cast<const char*>(name));
    return text.contains("llvmpipe") || text.contains("softpipe") || text.contains("swrast") ||
           text.contains("Software Rasterizer");
}
} // namespace

// ---- opening ----------------------------------------------------------------------------------------------

Expected<std::unique_ptr<App>> App::open(const AppOptions& options) {
    if (auto ok = emu::cli::check_outputs(options, options.machine); !ok) return std::unexpected(ok.error());
    std::unique_ptr<App> app(new App(options));
    auto engine = Engine::create(options);
    if (!engine) return std::unexpected(engine.error());
    app->engine_ = std::move(*engine);
    app->views_ = std::make_unique<Views>(*app->engine_);
    if (auto ok = app->open_window(); !ok) return std::unexpected(ok.error());
    return app;
}

float App::scale_of_display() const {
    if (options_.ui_scale > 0) return static_cast<float>(std::clamp(options_.ui_scale, 0.5, 4.0));
    float dpi = 96;
    const int display = std::max(0, SDL_GetWindowDisplayIndex(window_));
    if (SDL_GetDisplayDPI(display, nullptr, &dpi, nullptr) != 0 || dpi < 48 || dpi > 600) dpi = 96;
    // Quarter steps: text stays crisp, and a monitor of 100 dpi is not a special case.
    return std::clamp(std::round(dpi / 96 * 4 - 0.3f) / 4, 1.0f, 3.0f);
}

Expected<void> App::open_window() {
    const auto failed = [](const char* what) {
        return std::unexpected(Error{Exit::Internal, fmt::format("{}: {}", what, SDL_GetError())});
    };
    SDL_SetHint(SDL_HINT_VIDEO_X11_NET_WM_BYPASS_COMPOSITOR, "0");
    SDL_SetHint(SDL_HINT_FRAMEBUFFER_ACCELERATION,
                "0"); // a picture drawn by the processor needs no OpenGL to be shown
    int width = 1280, height = 800;
    LoadedSettings loaded;
    if (options_.ui_screenshot.empty())
        settings_path_ = settings_path(), loaded = load_settings(settings_path_);
    const Settings& remembered = loaded.settings;
    SDL_Rect usable{};
    const bool bounded = SDL_GetDisplayUsableBounds(0, &usable) == 0;
    if (remembered.width && remembered.height && bounded)
        width = std::min(remembered.width, usable.w), height = std::min(remembered.height, usable.h);
    else if (bounded && usable.w > 1400)
        width = std::min(usable.w * 88 / 100, 1920), height = std::min(usable.h * 88 / 100, 1200);
    if (!options_.window.empty() && (std::sscanf(options_.window.c_str(), "%dx%d", &width, &height) != 2 ||
                                     width < 640 || height < 480 || width > 16384 || height > 16384))
        return usage_error(
            fmt::format("--window {}: a size like 1280x800, at least 640x480", options_.window));
    window_ = SDL_CreateWindow("Vitrine", SDL_WINDOWPOS_CENTERED, SDL_WINDOWPOS_CENTERED, width, height,
                               SDL_WINDOW_RESIZABLE | SDL_WINDOW_ALLOW_HIGHDPI);
    if (!window_) return failed("the window cannot be opened");
    sdl_renderer_ = SDL_CreateRenderer(window_, -1, SDL_RENDERER_PRESENTVSYNC);
    if (!sdl_renderer_) sdl_renderer_ = SDL_CreateRenderer(window_, -1, SDL_RENDERER_SOFTWARE);
    if (!sdl_renderer_) return failed("no renderer");
    SDL_RendererInfo info{};
    SDL_GetRendererInfo(sdl_renderer_, &info);
    software_ = (info.flags & SDL_RENDERER_SOFTWARE) != 0;
    if (!software_ && opengl_is_software()) {
        // OpenGL by the processor draws every point of every frame; SDL's own way draws what has changed.
        SDL_DestroyRenderer(sdl_renderer_);
        sdl_renderer_ = SDL_CreateRenderer(window_, -1, SDL_RENDERER_SOFTWARE);
        if (!sdl_renderer_) return failed("no renderer");
        SDL_GetRendererInfo(sdl_renderer_, &info);
        software_ = true;
    }
    spdlog::info("window {}×{}, renderer {}", width, height, info.name ? info.name : "?");

    IMGUI_CHECKVERSION();
    ImGui::CreateContext();
    imgui_ = true;
    ImGuiIO& io = ImGui::GetIO();
    io.BackendFlags |= ImGuiBackendFlags_RendererHasVtxOffset; // more than 65536 corners: a map with an edge
                                                               // around every block
    io.IniFilename = nullptr;                                  // what the app remembers is in Settings
    ImGui_ImplSDL2_InitForSDLRenderer(window_);
    renderer_ = std::make_unique<Renderer>(sdl_renderer_, software_);
    context_.reset(new Context(*engine_, *views_, *renderer_));
    screen_ = std::make_unique<ScreenPanel>();
    memory_ = std::make_unique<MemoryPanel>();
    breakpoints_ = std::make_unique<BreakpointsPanel>();
    if (!options_.breaks.empty() && options_.ui_tab.empty()) options_.ui_tab = "breakpoints";
    if (const auto tab = tab_of(remembered.tab); tab && options_.ui_tab.empty()) context_->show_tab(*tab);
    if (!options_.ui_tab.empty()) {
        const auto tab = tab_of(options_.ui_tab);
        if (!tab) {
            std::string names;
            for (const char* name : TabNames) names += (names.empty() ? "" : ", ") + std::string(name);
            return usage_error(fmt::format("--ui-tab {}: one of {}", options_.ui_tab, names));
        }
        context_->show_tab(*tab);
    }
    int output_width = 0, window_width = 0;
    SDL_GetRendererOutputSize(sdl_renderer_, &output_width, nullptr);
    SDL_GetWindowSize(window_, &window_width, nullptr);
    pixels_per_point_ =
        window_width > 0 ? static_cast<float>(output_width) / static_cast<float>(window_width) : 1;
    first_scale_ = wanted_scale_ = scale_of_display() * pixels_per_point_;
    if (options_.ui_scale == 0) wanted_scale_ = std::clamp(first_scale_ * remembered.text_size, 0.5f, 4.0f);
    use_theme(remembered.light || options_.ui_show.contains("light") ? Theme::Light : Theme::Dark);
    context_->calm = remembered.calm;
    context_->recent = remembered.recent;
    context_->watches = remembered.watches;
    splits_ = remembered.splits;
    int shown_width = 0;
    SDL_GetRendererOutputSize(sdl_renderer_, &shown_width, nullptr);
    context_->dock = Dock(DockPreset::Standard, static_cast<float>(shown_width) / wanted_scale_);
    if (remembered.dock) context_->dock = *remembered.dock;
    if (options_.ui_show.starts_with("layout:")) context_->navigation.tab_wanted = !options_.ui_tab.empty();
    if (options_.ui_show.starts_with("layout:"))
        for (unsigned i = 0; i < DockPresets; ++i)
            if (options_.ui_show.substr(7) == preset_name(static_cast<DockPreset>(i)))
                context_->dock =
                    Dock(static_cast<DockPreset>(i), static_cast<float>(shown_width) / wanted_scale_);
    engine_->real_time = remembered.real_time;
    set_scale(wanted_scale_);
    if (!loaded.remark.empty()) engine_->say(loaded.remark, true);
    if (!options_.lesson.empty())
        if (auto ok = context_->lessons.open(options_.lesson); !ok) return ok;
    if (options_.start_screen) context_->open_dialog(Dialog::Start);
    if (options_.ui_show == "lessons") context_->open_dialog(Dialog::Lessons);
    SDL_StartTextInput();
    return {};
}

void App::set_scale(float scale) {
    context_->scale = wanted_scale_ = scale;
    context_->fonts = load_fonts(scale, software_);
    apply_style(scale, software_);
    renderer_->upload_fonts();
    // A window that is smaller than its parts hides some of them; one larger than the monitor all the more.
    const Rect least = least_window(scale / pixels_per_point_);
    SDL_Rect usable{0, 0, 640, 480};
    SDL_GetDisplayUsableBounds(std::max(0, SDL_GetWindowDisplayIndex(window_)), &usable);
    SDL_SetWindowMinimumSize(window_, std::min(static_cast<int>(least.width), usable.w),
                             std::min(static_cast<int>(least.height), usable.h));
    if (context_->fonts.fallback)
        engine_->say("the DejaVu fonts are missing (package fonts-dejavu-core): a built-in font is used");
    context_->redraw = 3;
}

App::~App() {
    thread_.reset();
    memory_.reset(), screen_.reset(), context_.reset(), renderer_.reset();
    if (imgui_) {
        ImGui_ImplSDL2_Shutdown();
        ImGui::DestroyContext();
    }
    if (sdl_renderer_) SDL_DestroyRenderer(sdl_renderer_);
    if (window_) SDL_DestroyWindow(window_);
    SDL_Quit();
}

// ---- the loop ---------------------------------------------------------------------------------------------

void App::wait_for_something() {
    if (wait_ms_ > 0) SDL_WaitEventTimeout(nullptr, wait_ms_);
    // Events may come faster than pictures can be drawn or seen; what draws slowly leaves time to others.
    const bool calm = context_->calm && context_->redraw == 0; // reduced motion: numbers change now and then
    const double due = std::max(frame_began_ + (calm        ? CalmFrame
                                                : software_ ? SoftwareFrame
                                                            : AcceleratedFrame),
                                drawn_at_ + (drawn_at_ - frame_began_) / 4);
    for (double left; (left = due - seconds_now()) > 0;) {
        // The guest need not wait for a picture to get its keys.
        SDL_PumpEvents();
        if (calm && SDL_HasEvents(SDL_FIRSTEVENT, SDL_USEREVENT - 1)) break;
        if (context_->capture != Capture::None && SDL_HasEvents(SDL_KEYDOWN, SDL_TEXTINPUT)) {
            MachineThread::Turn turn(*thread_);
            take_events();
        }
        SDL_Delay(static_cast<Uint32>(std::ceil(std::min(left, KeyLook) * 1000)));
    }
}

/// Everything that has come is taken in before one picture is drawn, however slow drawing is. ImGui sees keys
/// once a frame: where one frame would lose or reorder them, a frame without a picture lies between.
void App::take_events() {
    SDL_Event event;
    for (int frames = 0; SDL_PollEvent(&event);) {
        if (waits_for_frame(event) && ++frames < MostUnseen) lay_out();
        handle(event);
    }
}

/// True when `event` must not share a frame with what came before it: a key's release with its press, text
/// with a key like Backspace, a drag with the press that begins it. Notes the event for those that follow.
bool App::waits_for_frame(const SDL_Event& event) {
    const auto plain = [&] { // makes text, or nothing that ImGui looks at
        const SDL_Keymod mods = static_cast<SDL_Keymod>(event.key.keysym.mod);
        return !(mods & (KMOD_CTRL | KMOD_ALT)) && event.key.keysym.sym >= SDLK_SPACE &&
               event.key.keysym.sym < SDLK_DELETE;
    };
    const bool keys = context_->capture == Capture::None; // else they are the guest's, not ImGui's
    Unseen& u = unseen_;
    bool wait = false, Unseen::*now = nullptr;
    switch (event.type) {
    case SDL_TEXTINPUT:
        if (keys) wait = u.key, now = &Unseen::characters;
        break;
    case SDL_KEYDOWN:
        if (keys && !plain()) wait = u.characters || u.key || u.released, now = &Unseen::key;
        break;
    case SDL_KEYUP:
        if (keys && !plain()) wait = u.key, now = &Unseen::released;
        break;
    case SDL_MOUSEBUTTONDOWN: wait = u.characters || u.key || u.pressed, now = &Unseen::pressed; break;
    case SDL_MOUSEMOTION: wait = u.pressed, now = &Unseen::moved; break;
    case SDL_MOUSEBUTTONUP: wait = u.pressed || u.moved; break; // a drag goes as far as the pointer went
    default: break;
    }
    if (wait) u = {};
    if (now) u.*now = true;
    return wait;
}

void App::feed_terminal() {
    auto& machine = engine_->machine();
    if (fed_generation_ != engine_->generation())
        fed_generation_ = engine_->generation(), fed_ = 0, context_->terminal.clear();
    const u64 total = machine.serial_total();
    // In the past the console is what it was: nothing that is said later, or in another future.
    if (total < fed_ || (machine.steps() < fed_step_ && total != fed_)) fed_ = 0, context_->terminal.clear();
    fed_step_ = machine.steps();
    if (total == fed_) return;
    const std::string& kept = machine.serial_output();
    const u64 fresh = std::min<u64>(total - std::min(fed_, total), kept.size());
    context_->terminal.feed(std::string_view(kept).substr(kept.size() - static_cast<std::size_t>(fresh)));
    fed_ = total;
}

int App::run() {
    const double started = seconds_now();
    if (!options_.ui_screenshot.empty()) return screenshot();
    int status = 0;
    thread_ = std::make_unique<MachineThread>(*engine_, [] {
        SDL_Event wake{};
        wake.type = SDL_USEREVENT;
        SDL_PushEvent(&wake);
    });
    while (!context_->quit) {
        wait_for_something();
        if (options_.limit_seconds < 1e17 && seconds_now() - started > options_.limit_seconds) {
            std::fprintf(stderr, "vitrine: --limit-seconds %g is over\n", options_.limit_seconds);
            status = static_cast<int>(Exit::LimitReached);
            break;
        }
        if (monkey()) break;
        const double began = seconds_now();
        if (!build()) continue;
        present();
        frame_began_ = began;
        drawn_at_ = seconds_now();
        note_echo();
    }
    thread_.reset();
    remember();
    if (auto ok = engine_->finish(stats()); !ok) {
        emu::cli::report_error(ok.error());
        return static_cast<int>(ok.error().status);
    }
    return status;
}

namespace {
double thread_seconds() {
    timespec t{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) / 1e9;
}
} // namespace

/// One turn: what the person did, and what there is to draw. False when nothing is.
bool App::build() {
    MachineThread::Turn turn(*thread_);
    take_events();
    const double began = thread_seconds();
    const bool working = engine_->running() && !engine_->resting();
    if (!engine_->running() && context_->capture != Capture::None) give_keys_back();
    // A guest that waits for a key is looked at often and drawn seldom.
    const bool quiet = engine_->running() && engine_->resting() && context_->redraw == 0 &&
                       engine_->machine().serial_total() == fed_;
    const bool drawn = !quiet || seconds_now() - drawn_at_ >= QuietFrame;
    if (drawn) {
        prepare();
        write_state_file();
        counts_ = working, drawn_console_ = fed_;
        if (working) turn_seconds_ += thread_seconds() - began, ++turns_;
    }
    wait_ms_ = context_->redraw > 0 || working || engine_->travelling() ? 0 : engine_->running() ? 40 : 1000;
    return drawn;
}

void App::remember() {
    Settings now;
    now.splits = splits_;
    now.light = current_theme() == Theme::Light, now.calm = context_->calm;
    context_->dock.maximise(std::nullopt); // it is for a look, not for good
    if (context_->dock.arranged() || context_->dock.preset() != DockPreset::Standard)
        now.dock = context_->dock;
    now.text_size = wanted_scale_ / first_scale_;
    SDL_GetWindowSize(window_, &now.width, &now.height);
    now.tab = TabNames[static_cast<unsigned>(context_->navigation.tab)];
    now.real_time = engine_->real_time;
    now.recent = context_->recent;
    now.watches = context_->watches;
    if (auto ok = save_settings(settings_path_, now); !ok) emu::cli::report_error(ok.error());
}

/// From a key that went to the guest to the picture that shows what the guest said to it.
void App::note_echo() {
    // Frames count while the machine works; a resting one is drawn seldom on purpose.
    if (counts_) {
        if (frames_from_ > 0) ++frames_, frames_seconds_ += drawn_at_ - frames_from_;
        frames_from_ = drawn_at_;
    } else {
        frames_from_ = 0;
    }
    if (echo_from_ == 0 || drawn_console_ == echo_console_) return;
    if (echoes_.size() < 10'000) echoes_.push_back((drawn_at_ - echo_from_) * 1e3);
    echo_from_ = 0;
}

/// A key went to the guest; it was pressed at `event_ticks` of SDL's clock.
void App::await_echo(unsigned event_ticks) {
    if (echo_from_ != 0) return;
    echo_from_ = seconds_now() - static_cast<double>(SDL_GetTicks() - event_ticks) / 1e3;
    echo_console_ = engine_->machine().serial_total();
}

emu::cli::MoreStats App::stats() const {
    emu::cli::MoreStats out{{"steps_per_second", engine_->steps_per_second()},
                            {"times_real", engine_->times_real()}};
    if (frames_seconds_ > 0)
        out.emplace_back("frames_per_second", static_cast<double>(frames_) / frames_seconds_);
    // The machine waits for this long in each picture, in time of the processor that draws.
    if (turns_ > 0) out.emplace_back("turn_ms", turn_seconds_ / static_cast<double>(turns_) * 1e3);
    if (!echoes_.empty()) {
        std::vector<double> sorted = echoes_;
        std::ranges::nth_element(sorted, sorted.begin() + static_cast<std::ptrdiff_t>(sorted.size() / 2));
        out.emplace_back("echo_ms", sorted[sorted.size() / 2]);
    }
    return out;
}

/// For tests and for the docs: run to where --until says, draw until the layout has settled, write the
/// picture.
int App::screenshot() {
    const double started = seconds_now();
    SDL_Event event;
    while (engine_->running()) {
        while (SDL_PollEvent(&event)) handle(event);
        engine_->frame(0.1);
        if (engine_->running() && engine_->resting() && !engine_->booted()) break; // it waits for ever
        if (seconds_now() - started > std::min(options_.limit_seconds, 600.0)) break;
    }
    const bool met = !options_.until_break || engine_->state() == Engine::State::Paused;
    for (int i = 0; i < 6; ++i) {
        while (SDL_PollEvent(&event)) handle(event);
        if (options_.ui_show == "keys" && i == 1) context_->open_dialog(Dialog::Keys);
        if (options_.ui_show == "palette" && i == 1) context_->open_dialog(Dialog::Palette);
        if (options_.ui_show == "open" && i == 1) context_->open_dialog(Dialog::Open);
        prepare();
        present();
    }
    if (auto ok = write_window_png(sdl_renderer_, options_.ui_screenshot); !ok) {
        emu::cli::report_error(ok.error());
        return static_cast<int>(ok.error().status);
    }
    if (auto ok = engine_->finish(); !ok) {
        emu::cli::report_error(ok.error());
        return static_cast<int>(ok.error().status);
    }
    if (met) return 0;
    std::fprintf(stderr, "vitrine: %s at step %llu, before --until %s was reached\n",
                 engine_->message().c_str(), static_cast<unsigned long long>(engine_->machine().steps()),
                 options_.until_text.c_str());
    return static_cast<int>(Exit::LimitReached);
}

} // namespace vitrine::ui
