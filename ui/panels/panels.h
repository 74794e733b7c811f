// The panels: each draws one thing into a rectangle (or into the tab that is open), from views alone.
#pragma once
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
    u64 top_ = 0;
    bool placed_ = false;
    u64 stops_ = 0, last_code_ = 0;
};

class MemoryPanel {
public:
    void draw(Context& context);

private:
    void paint(Context& context, const emu::inspect::MemoryMapView& map, float width, float height);
    Picture picture_;
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

void draw_processor(Context& context, const Rect& area);
void draw_strip(Context& context, const Rect& area);
// Tabs.
void draw_phases(Context& context);
void draw_page_tables(Context& context);
void draw_descriptors(Context& context);
void draw_run_queues(Context& context);
void draw_bytes(Context& context);
void draw_devices(Context& context);

} // namespace vitrine::ui
