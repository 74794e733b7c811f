// Axis — the part of a run that the timeline shows: over steps or over virtual time, zoomed and panned.
//
// No ImGui here. Invariants: from < to; the window stays inside [first, last] of the run and is never
// narrower than `Least`; a window that shows the whole run, or touches its end, goes with the run's end while
// that grows.
#pragma once
#include <string>
#include <vector>
#include "emu/events/events.h"

namespace vitrine::ui {

class Axis {
public:
    static constexpr u64 Least = 16; ///< steps or nanoseconds

    emu::EventAxis unit() const { return unit_; }
    bool by_time() const { return unit_ == emu::EventAxis::Time; }
    u64 from() const { return from_; }
    u64 to() const { return to_; }
    u64 length() const { return to_ - from_; }
    bool whole() const { return follow_ == Follow::Whole; }

    /// The run's ends on this axis; called before each frame.
    void bounds(u64 first, u64 last);
    void show_whole();
    void show(u64 from, u64 to);
    /// `factor` below 1 zooms in; what is at `share` (0 to 1) of the window stays there.
    void zoom(double share, double factor);
    /// By a share of the window; positive: towards the end.
    void pan(double share);
    /// Moves the window so that `place` is inside.
    void bring_into_sight(u64 place);
    /// The same window on the other axis.
    void change_unit(emu::EventAxis unit, u64 from, u64 to, u64 first, u64 last);

    float x_of(u64 place, float left, float width) const;
    /// Any place that a pixel stands for: rounded down.
    u64 place_at(float x, float left, float width) const;

    struct Tick {
        u64 place;
        std::string label;
    };
    /// At round numbers, at most `most` of them, labelled so that neighbours differ.
    std::vector<Tick> ticks(unsigned most) const;

private:
    void clamp();
    enum class Follow : u8 { Whole, End, Nothing };
    emu::EventAxis unit_ = emu::EventAxis::Step;
    Follow follow_ = Follow::Whole;
    u64 first_ = 0, last_ = Least, from_ = 0, to_ = Least;
};

} // namespace vitrine::ui
