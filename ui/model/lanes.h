// Lanes — what the timeline draws: for each kind of event, spans in pixels, made from the event store with
// the cost of the pixels and not of the events.
//
// No ImGui here. A lane with few events in the window shows each (an index to ask about); one with many shows
// cells of CellWidth pixels: how many, and what a few of them are. Invariants: spans are in order and inside
// the window; reading the store changes nothing.
#pragma once
#include <optional>
#include <string>
#include <vector>
#include "emu/events/events.h"
#include "emu/machine.h"
#include "ui/model/axis.h"

namespace vitrine::ui {

/// The switches of each processor as indices into the store's column, kept up as the store grows.
class SwitchIndex {
public:
    void update(const emu::EventStore& events, unsigned processors);
    const std::vector<u32>& of(unsigned processor) const { return by_processor_[processor]; }
    u64 bytes() const;

private:
    std::vector<std::vector<u32>> by_processor_;
    u64 seen_ = 0, cuts_ = 0;
    const emu::EventStore* of_ = nullptr;
};

struct LaneSpan {
    static constexpr u64 None = ~u64{0};
    float x0 = 0, x1 = 0;
    u32 tone = 0;       ///< what it is: vector, number, PID, cpu::Mode …; equal things have equal tones
    float height = 1;   ///< of a cell: how many, 0 to 1
    bool mixed = false; ///< more than one thing lies here
    u64 index = None;   ///< the event; of a cell: its first held one
    u64 count = 1;      ///< events in it
    std::string label;
};

struct Lane {
    enum class Kind : u8 { Phases, Mode, Task, Events, Marks } kind = Kind::Events;
    emu::EventKind event = emu::EventKind::Interrupt;
    unsigned processor = 0;
    std::string name;
    std::vector<LaneSpan> spans;
    bool each = false; ///< every event by itself
    u64 lost = 0;      ///< events whose details are no longer held
};

struct LaneRequest {
    const Axis& axis;
    float left = 0, width = 0, cell = 2;
    unsigned processors = 1;
    const std::vector<emu::Phase>& phases;
    const std::vector<emu::ModeChange>& modes;
};
std::vector<Lane> make_lanes(const emu::EventStore& events, const SwitchIndex& switches,
                             const LaneRequest& request);
/// What an event is to its lane: the vector of an interrupt, the number of a system call …
u32 event_tone(const emu::Event& event);
/// The span under x (the nearest within `reach`); null when there is none.
const LaneSpan* span_at(const Lane& lane, float x, float reach);

} // namespace vitrine::ui
