// The panels: each draws one thing into a rectangle (or into the tab that is open), from views alone.
#pragma once
#include <optional>
#include "ui/model/axis.h"
#include "ui/model/lanes.h"
#include "ui/shell/context.h"

namespace vitrine::ui {

/// Parts of panels that live longer than a frame: textures and what they were made from.
class ScreenPanel {
public:
    void draw(Context& context, const Rect& area);
    u32 guest_width() const { return width_; }
    u32 guest_height() const { return height_; }

private:
    Picture picture_;
    std::vector<u32> last_;
    u32 width_ = 720, height_ = 400, shown_width_ = 0, shown_height_ = 0;
};

class TerminalPanel {
public:
    void draw(Context& context, const Rect& area);

private:
    struct Row {
        std::size_t line, first, last;
    };
    void wrap(const Terminal& terminal, std::size_t columns);
    std::vector<Row> rows_;
    u64 changes_ = ~u64{0};
    std::size_t columns_ = 0;
    bool at_end_ = true;
};

class CodePanel {
public:
    void draw(Context& context, const Rect& area);

private:
    void place(Context& context, unsigned rows);
    void row(Context& context, const CodeRow& row, float width, u64 rip);
    void search(Context& context);
    bool finding_ = false, focus_ = false, skip_ = false;
    char find_[128] = "";
    std::optional<u64> find_at_, found_at_; ///< where the search goes on; what it found last
    unsigned find_frames_ = 0;
    std::string found_;
    u64 top_ = 0;
    bool placed_ = false;
    u64 stops_ = 0, last_code_ = 0;
};

class MemoryPanel {
public:
    void draw(Context& context);

private:
    void paint(Context& context, const emu::inspect::MemoryMapView& map, float width, float height);
    void draw_map(Context& context, const emu::inspect::MemoryMapView& map,
                  const emu::inspect::BuddyView& buddy);
    void point(Context& context, const emu::inspect::MemoryMapView& map, ImVec2 at);
    void borders(Context& context, const emu::inspect::BuddyView& buddy, ImVec2 at);
    Picture picture_;
    u64 first_ = 0, shown_ = 0; ///< the frames that the map shows; none: all
    u64 painted_first_ = 0, painted_shown_ = 0, chosen_ = ~u64{0}; ///< the frame that was clicked
    bool light_ = false;
    float dragged_ = 0;
    u64 painted_ = 0;
    int columns_ = 0, rows_ = 0, cell_ = 0;
    u64 frames_per_cell_ = 1;
};

class BreakpointsPanel {
public:
    void draw(Context& context);

private:
    void add(Context& context);
    void list(Context& context);
    char text_[512] = "";
    std::string refused_;
};

class WatchesPanel {
public:
    void draw(Context& context);

private:
    struct Row {
        emu::inspect::Evaluation value;
        std::vector<std::pair<std::string, std::string>> words,
            before; ///< of fields by name; the value's first
    };
    void add(Context& context);
    void update(Context& context);
    static bool changed(const Row& row, std::size_t word);
    char text_[512] = "";
    std::string refused_;
    std::vector<Row> rows_;
    u64 version_ = 0, stops_ = 0, generation_ = 0;
};

/// The run over steps or virtual time: an overview of all of it, and lanes of what happened in a window on
/// it.
class TimelinePanel {
public:
    void draw(Context& context, const Rect& area);
    void zoom(double factor) { axis_.zoom(0.5, factor); }
    void show_whole() { axis_.show_whole(); }

private:
    void head(Context& context, const Rect& area);
    void overview(Context& context, const Rect& area);
    void branches(Context& context, const Rect& area);
    float branches_height(Context& context) const;
    void ruler(Context& context, const Rect& area);
    void lanes(Context& context, const Rect& names, const Rect& area);
    void draw_lane(Context& context, const Lane& lane, const Rect& area);
    void explain(Context& context, const Lane& lane, const LaneSpan& span);
    void pointer(Context& context, const Rect& ruler, const Rect& area);
    void update(Context& context, float left, float width);
    void change_unit(Context& context);
    u64 step_of(Context& context, u64 place) const;
    u64 now(Context& context) const;

    Axis axis_;
    SwitchIndex switches_;
    std::vector<Lane> lanes_;
    struct Key { ///< what the lanes were made for
        u64 version = 0, generation = 0, from = 0, to = 0;
        float left = 0, width = 0;
        emu::EventAxis unit{};
        bool operator==(const Key&) const = default;
    } made_for_;
    u64 stops_ = 0, generation_ = 0;
    enum class Press : u8 { None, Lanes, Measure } press_ = Press::None;
    float press_x_ = 0, last_x_ = 0;
    bool moved_ = false;
    std::optional<std::pair<u64, u64>> measured_; ///< places on the axis
    const LaneSpan* pointed_ = nullptr;           ///< into lanes_, in this frame
    const Lane* pointed_lane_ = nullptr;
};

class LessonPanel {
public:
    void draw(Context& context, const Rect& area);

private:
    std::string opened_;
    std::size_t shown_part_ = ~std::size_t{0};
};

void draw_processor(Context& context, const Rect& area);
// Tabs.
void draw_phases(Context& context);
void draw_page_tables(Context& context);
void draw_descriptors(Context& context);
void draw_run_queues(Context& context);
void draw_scheduler_curves(Context& context);
void draw_bytes(Context& context);
void draw_devices(Context& context);
void draw_interrupts(Context& context);
void draw_system_calls(Context& context);
void draw_stack(Context& context);
void draw_address_space(Context& context);
void draw_slabs(Context& context);
void draw_files(Context& context);
void draw_block(Context& context);
void draw_locks(Context& context);
void draw_structures(Context& context);
/// The sheets of a view as tables, one below the other; `tabs`: as tabs.
void draw_sheets(Context& context, const emu::inspect::SheetsView& view, bool tabs = true);

} // namespace vitrine::ui
