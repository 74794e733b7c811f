// Context — what every panel gets: the engine, the views, fonts, and where the person is looking.
//
// Panels draw and ask; they compute nothing about the machine. All navigation goes through the functions
// here, so that an address behaves the same wherever it is shown.
#pragma once
#include <functional>
#include <string>
#include <vector>
#include "ui/model/engine.h"
#include "ui/model/layout.h"
#include "ui/model/lesson_player.h"
#include "ui/model/settings.h"
#include "ui/model/source_text.h"
#include "ui/model/terminal.h"
#include "ui/model/views.h"
#include "ui/shell/renderer.h"
#include "ui/shell/theme.h"

namespace vitrine::ui {

enum class Capture : u8 { None, Screen, Terminal }; ///< who gets the keys
enum class Dialog : u8 {
    None,
    GoTo,
    RunTo,
    Record,
    Save,
    Replay,
    Open,
    Start,
    Restart,
    Keys,
    Message,
    Lessons,
    Palette
};

struct Navigation {
    u64 code = 0;
    bool follow = true;       ///< the code panel stays with rip
    bool find_wanted = false; ///< Ctrl+F: the code panel's search
    u64 bytes = 0;
    bool bytes_physical = false;
    bool bytes_follow = true; ///< the bytes at rip
    u64 walk = 0;
    bool walk_follow = true; ///< the page walk shows rip
    Tab tab = Tab::Phases;
    struct Looking { ///< where the panels look
        u64 code, bytes, walk;
        bool follow, bytes_physical, bytes_follow, walk_follow;
        Tab tab;
        bool operator==(const Looking&) const = default;
    };
    Looking looking() const {
        return {code, bytes, walk, follow, bytes_physical, bytes_follow, walk_follow, tab};
    }
    bool tab_wanted = true;    ///< select `tab` at the next frame
    int phase = -1;            ///< the marked row of the phase list
    bool phase_scroll = false; ///< bring it into sight
    std::size_t phases_seen = 0;
    bool scrubbing = false; ///< the overview's button is down
    float scrubbed_x = -1;
};

/// What the window shows, for tests (--ui-state): numbers and words that are drawn anyway.
struct Probe {
    float phases_scroll = 0, phases_scroll_max = 0;
    Rect picture; ///< the guest's screen, in pixels of the window
    std::string code_title, tooltip, dialog_text, refused, dragged;
    std::vector<std::string> matches;
    int match = -1;
    unsigned changed_bytes = 0; ///< that the panel of bytes lights
    Rect dialog;
    bool menu = false;
    std::vector<std::pair<std::string, Rect>> places; ///< buttons and tabs by name
    Rect strip, ruler, lanes;                         ///< of the timeline
    bool by_time = false;
    u64 axis_from = 0, axis_to = 0;
    std::vector<std::string> watched, calls;
    std::vector<std::pair<std::string, int>> icons; ///< of the toolbar's buttons
    std::vector<Rect> tick_labels;                  ///< along the ruler
    std::string why_empty;                          ///< what a panel without contents says
    std::size_t scheduler_samples = 0, buddy_notes = 0;
    unsigned changed_code = 0;     ///< bytes of the listing that are lit
    bool finding = false;          ///< the field of the search in the code has the keys
    std::string searched;          ///< what the search in the code found or says
    std::string answer;            ///< to "who wrote this?"
    std::string measured, pointed; ///< what was measured; the sentence under the pointer
    std::vector<std::pair<std::string, Rect>> lane_rows;
};

struct Context {
    Context(Engine& its_engine, Views& its_views, Renderer& its_renderer)
        : engine(its_engine), views(its_views), renderer(its_renderer), lessons(its_engine) {}
    Engine& engine;
    Views& views;
    Renderer& renderer;
    LessonPlayer lessons;
    std::function<void(Context&)> palette_then; ///< what opens another dialog, when the palette has closed
    std::string pointed_part;                   ///< the panel that a lesson points at
    Fonts fonts;
    float scale = 1;
    Layout layout;
    Dock dock;
    Navigation navigation;
    i64 space_pid = -1;                   ///< whose address space is shown; negative: whose turn it is
    std::string slab_cache;               ///< whose slabs are shown
    u64 scheduler_window = 1'000'000'000; ///< nanoseconds that the scheduler's curves show
    std::vector<std::string> watches;
    Capture capture = Capture::None;
    Terminal terminal;
    SourceText sources;
    Dialog dialog = Dialog::None;
    bool dialog_opening = false;
    u64 menu_address = 0;
    u64 menu_size = 8; ///< bytes of what the menu is about
    bool menu_physical = false, menu_opening = false;
    bool quit = false;
    bool calm = false;           ///< reduced motion
    float text_wanted = 0;       ///< times the display's own size; 0: as it is
    bool theme_wanted = false;   ///< the other theme, at the next frame
    int redraw = 3;              ///< frames to draw although nothing happens
    std::string answer_laid_out; ///< for which the card has its size
    std::vector<Navigation::Looking> past_views, future_views;
    bool menu_closing = false;
    bool settle = false; ///< what was drawn changed size: lay out once more before it is shown
    bool splits_reset = false;
    std::string hint; ///< what the pointer rests on, and since when
    double hint_since = 0;
    bool hint_seen = false;
    Probe probe;

    float px(float units) const { return units * scale; }
    void show_code(u64 address) {
        remember();
        navigation.code = address, navigation.follow = false;
    }
    /// What is looked at, before something else is: Alt+Left comes back to it.
    void remember() {
        if (!past_views.empty() && past_views.back() == navigation.looking()) return;
        past_views.push_back(navigation.looking());
        if (past_views.size() > 200) past_views.erase(past_views.begin());
        future_views.clear();
    }
    void look_back() {
        if (past_views.empty()) return engine.say("nothing was looked at before this");
        future_views.push_back(navigation.looking());
        look(past_views.back());
        past_views.pop_back();
    }
    void look_forth() {
        if (future_views.empty()) return engine.say("this is what was looked at last");
        past_views.push_back(navigation.looking());
        look(future_views.back());
        future_views.pop_back();
    }
    void look(const Navigation::Looking& at) {
        navigation.code = at.code, navigation.follow = at.follow;
        navigation.bytes = at.bytes, navigation.bytes_physical = at.bytes_physical,
        navigation.bytes_follow = at.bytes_follow;
        navigation.walk = at.walk, navigation.walk_follow = at.walk_follow;
        navigation.tab = at.tab, navigation.tab_wanted = true;
    }
    void show_bytes(u64 address, bool physical = false) {
        remember();
        navigation.bytes = address, navigation.bytes_physical = physical, navigation.bytes_follow = false;
        show_tab(Tab::Bytes);
    }
    void show_walk(u64 address) {
        remember();
        navigation.walk = address, navigation.walk_follow = false;
        show_tab(Tab::PageTables);
    }
    /// The page tables on the way to an address, in the panel of address spaces.
    void show_space(u64 address) {
        remember();
        navigation.walk = address, navigation.walk_follow = false;
        show_tab(Tab::AddressSpace);
    }
    void show_phase(int row) {
        navigation.phase = row, navigation.phase_scroll = true;
        show_tab(Tab::Phases);
    }
    void show_tab(Tab tab) {
        if (tab != navigation.tab) remember();
        navigation.tab = tab, navigation.tab_wanted = true;
    }
    /// A chosen arrangement of the panels; panels that somebody moved go back.
    void arrange(DockPreset preset) {
        dock = Dock(preset, layout.toolbar.width / scale);
        navigation.tab_wanted = false;
        for (const DockPlace& place : dock.compute({0, 0, 1200, 800}, 1, {}).places)
            if (static_cast<unsigned>(place.front()) < TabCount) navigation.tab = place.front();
        settle = true;
        engine.say(std::string("panels: ") + preset_name(preset));
    }
    /// A machine that stands still hears nothing, and keys are wanted for stepping then.
    void ask_for_keys(Capture who) {
        if (who != Capture::None && !engine.running())
            return engine.say("the machine stands still: F5 lets it run, then it hears keys");
        capture = who;
    }
    /// The menu of an address: where to look at it, and who wrote it.
    void open_menu(u64 address, bool physical, u64 size) {
        menu_address = address, menu_physical = physical, menu_size = size, menu_opening = true;
    }
    /// A file became a machine, or a recording: it is offered again.
    void used(const std::string& path);
    std::vector<std::string> recent; ///< the last one first
    /// Makes a file the machine; where that would end a run, `sure` must be set. False: asked, or refused.
    bool open_file(const std::string& path, bool sure);
    void open_dialog(Dialog which) { dialog = which, dialog_opening = true; }
};

} // namespace vitrine::ui
