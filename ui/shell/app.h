// App — the window, its loop and its keys.
//
// The machine runs in a thread of its own (ui/model/machine_thread.h). Each round of the loop: sleep in SDL's
// event queue; take a turn for host events and for laying out what they and the machine have changed; give
// the turn back, then draw. Invariant: what touches the engine, views or context happens in a turn.
#pragma once
#include <memory>
#include <set>
#include "emu/cli/app.h"
#include "ui/model/machine_thread.h"
#include "ui/model/settings.h"
#include "ui/panels/panels.h"
#include "ui/shell/context.h"
#include "ui/shell/dialogs.h"

namespace vitrine::ui {

class App {
public:
    /// Opens the window; an error says why it cannot.
    static Expected<std::unique_ptr<App>> open(const AppOptions& options);
    ~App();
    /// Until it is closed; the exit status.
    int run();

private:
    explicit App(const AppOptions& options) : options_(options) {}
    Expected<void> open_window();
    void set_scale(float scale);
    float scale_of_display() const;
    // events
    void handle(const SDL_Event& event);
    void key(const SDL_KeyboardEvent& event);
    bool guest_key(const SDL_KeyboardEvent& event);
    bool shortcut(SDL_Keycode key, bool control, bool shift);
    bool waits_for_frame(const SDL_Event& event);
    void give_keys_back();
    void release_guest_keys();
    // frame
    void wait_for_something();
    void take_events();
    bool build();
    void present();
    void feed_terminal();
    void prepare();
    void lay_out();
    void draw_parts();
    void follow_lesson();
    void point_at_part();
    void write_state_file();
    void remember();
    void note_echo();
    void await_echo(unsigned event_ticks);
    emu::cli::MoreStats stats() const;
    // docking (app_dock.cpp)
    void draw_places();
    void draw_place(const DockPlace& place, unsigned index);
    void draw_tabs(const DockPlace& place, unsigned index, const Rect& strip);
    void draw_panel(Tab panel, const Rect& area);
    void draw_borders();
    void drag_panels();
    int screenshot();
    bool monkey();
    void dropped(const std::string& path);

    AppOptions options_;
    u64 monkey_ = 1;
    long monkey_left_ = -1; ///< negative: there is none
    std::unique_ptr<Engine> engine_;
    std::unique_ptr<Views> views_;
    SDL_Window* window_ = nullptr;
    SDL_Renderer* sdl_renderer_ = nullptr;
    bool imgui_ = false, software_ = false;
    std::unique_ptr<Renderer> renderer_;
    std::unique_ptr<Context> context_;
    std::unique_ptr<ScreenPanel> screen_;
    std::unique_ptr<MemoryPanel> memory_;
    std::unique_ptr<BreakpointsPanel> breakpoints_;
    TerminalPanel terminal_;
    WatchesPanel watches_;
    TimelinePanel timeline_;
    LessonPanel lesson_;
    bool made_ = false; ///< the lesson's window has its place among the others
    CodePanel code_;
    Dialogs dialogs_;
    Splits splits_;
    struct Drag { ///< of a panel by its tab or its head
        std::optional<Tab> panel;
        float x = 0, y = 0; ///< of the press
        bool moving = false;
    };
    Drag drag_;
    std::string asked_about_;                  ///< a dropped file that would end a run
    std::optional<DockBorder> dragged_border_; ///< as it was when the button went down
    float border_from_ = 0;
    float wanted_scale_ = 1, first_scale_ = 1, pixels_per_point_ = 1;
    u64 fed_ = 0, fed_step_ = 0, fed_generation_ = 0;
    std::set<unsigned> keys_down_;          ///< usages that the guest believes are down
    std::unique_ptr<MachineThread> thread_; ///< refers to the engine
    double frame_began_ = 0, drawn_at_ = 0; ///< of the last frame
    int wait_ms_ = 0;       ///< how long nothing may happen before the next look; decided in a turn
    bool counts_ = false;   ///< the frame shows a machine at work
    u64 drawn_console_ = 0; ///< what COM1 had sent when the frame was built
    /// What came since ImGui's last frame: see waits_for_frame().
    struct Unseen {
        bool characters = false, key = false, released = false, pressed = false, moved = false;
    };
    Unseen unseen_;
    int mouse_x_ = 0, mouse_y_ = 0; ///< of the last event that was handled
    u32 mouse_buttons_ = 0;         ///< down after it: SDL_BUTTON masks
    std::string settings_path_, state_written_;
    // Figures for --stats.
    u64 frames_ = 0;
    double frames_from_ = 0, frames_seconds_ = 0;
    double turn_seconds_ = 0;
    u64 turns_ = 0;
    double echo_from_ = 0; ///< a key went to the guest then; 0: none is awaited
    u64 echo_console_ = 0;
    std::vector<double> echoes_;
};

/// PNG from the window's pixels, as they were drawn last.
Expected<void> write_window_png(SDL_Renderer* renderer, const std::string& path);

} // namespace vitrine::ui
