// Dock — which panel is where: a tree of columns and rows whose leaves are places, each with one or more
// panels as tabs.
//
//   interface: preset() makes a tree, compute() lays it out, show() brings a panel to the front, move() takes
//   it elsewhere, drag() moves a border, maximise() lets one panel have everything; JSON keeps it.
//
// Invariants: every panel is in exactly one place, whatever was moved or read from a file; no place is empty;
// a split has at least two parts. Borders lie in the gaps; parts never overlap. No ImGui here: tests check it
// directly.
#pragma once
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>
#include "cpu/base/types.h"

namespace vitrine::ui {

struct Rect {
    float x = 0, y = 0, width = 0, height = 0;
    float right() const { return x + width; }
    float bottom() const { return y + height; }
    bool contains(float at_x, float at_y) const {
        return at_x >= x && at_x < right() && at_y >= y && at_y < bottom();
    }
};

enum class Tab : u8 {
    Phases,
    PageTables,
    Descriptors,
    RunQueues,
    Memory,
    Bytes,
    Devices,
    Breakpoints,
    Interrupts,
    SystemCalls,
    Stack,
    AddressSpace,
    Slabs,
    Files,
    Block,
    Locks,
    Structures,
    Watches,
    Screen,
    Terminal,
    Code,
    Processor // the parts that always show something
};
inline constexpr unsigned TabCount = 18, PanelCount = 22;
/// As --ui-tab, lessons and settings name them.
inline constexpr const char* TabNames[PanelCount] = {
    "phases",  "page-tables", "descriptors", "run-queues",   "memory",     "bytes",
    "devices", "breakpoints", "interrupts",  "system-calls", "stack",      "address-space",
    "slabs",   "files",       "block",       "locks",        "structures", "watches",
    "screen",  "terminal",    "code",        "processor"};
std::optional<Tab> tab_of(std::string_view name);

struct DockNode {
    bool columns = false;        ///< the parts lie side by side; else one above the other
    std::vector<DockNode> parts; ///< none: a place
    std::vector<float> shares;   ///< of the parts; negative: automatic
    std::vector<Tab> panels;     ///< of a place
    unsigned active = 0;         ///< which of them is in front
    bool place() const { return parts.empty(); }
};

enum class DockPreset : u8 { Standard, Boot, Scheduler, Memory, Interrupts, Disk, Debug, Lesson };
inline constexpr unsigned DockPresets = 8;
const char* preset_name(DockPreset preset);

enum class DockSide : u8 { Tab, Left, Right, Above, Below };

struct DockPlace {
    Rect area;
    std::vector<Tab> panels;
    unsigned active = 0;
    Tab front() const { return panels[active]; }
};
struct DockBorder {
    Rect area;
    bool vertical = false;      ///< a vertical bar, dragged sideways
    std::vector<unsigned> path; ///< to the split
    unsigned before = 0;        ///< between parts `before` and `before` + 1
    float extent = 1;           ///< pixels that stand for the share 1
    float share_before = 0, share_behind = 0;
};
struct DockLayout {
    std::vector<DockPlace> places;
    std::vector<DockBorder> borders;
};
/// What the screen's place would like, in pixels: the width of its column and the share of its column's
/// height.
struct DockWish {
    float column = 0, height_share = 0;
};

class Dock {
public:
    Dock() : Dock(DockPreset::Standard, 1280) {}
    /// `width`: of the window in design units; wide ones get a second column of structures.
    Dock(DockPreset preset, float width);
    DockLayout compute(const Rect& body, float scale, const DockWish& wish) const;

    void show(Tab panel);
    bool visible(Tab panel) const;
    Tab front_beside(Tab panel) const; ///< what is in front in its place
    /// Takes `panel` to the place that `beside` is in: as a tab, or to a new place at one side of it.
    void move(Tab panel, Tab beside, DockSide side);
    void drag(const DockBorder& border, float pixels);
    void forget_border(const DockBorder& border); ///< back to the automatic sizes
    void maximise(std::optional<Tab> panel) { maximised_ = panel; }
    std::optional<Tab> maximised() const { return maximised_; }
    /// A person has arranged it: it no longer follows the window's width.
    bool arranged() const { return arranged_; }
    DockPreset preset() const { return preset_; }

    const DockNode& root() const { return root_; }
    nlohmann::json to_json() const;
    /// Only what makes sense is taken: unknown names and doublets are dropped, missing panels added.
    static std::optional<Dock> from_json(const nlohmann::json& json);

private:
    void complete();
    DockNode root_;
    DockPreset preset_ = DockPreset::Standard;
    bool arranged_ = false;
    std::optional<Tab> maximised_;
};

} // namespace vitrine::ui
