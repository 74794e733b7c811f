// EventQueue — the machine's one list of things that will happen, ordered by (virtual time, sequence number).
//
// Interface: a chip registers each kind of event once, at construction (the order is fixed by the board, so
// it is the same in every run), and then schedules or cancels it. An event has at most one pending
// occurrence. Invariants: callbacks run at the first instruction boundary with now >= time, in order of
// (time, sequence). Times are virtual nanoseconds; one processor cycle is one nanosecond. The queue
// serializes completely.
#pragma once
#include <functional>
#include <string>
#include <vector>
#include "cpu/base/archive.h"
#include "cpu/base/types.h"

namespace vitrine::devices {

/// Where `now` comes from: exact even in the middle of an instruction's device access.
class Clock {
public:
    virtual ~Clock() = default;
    virtual u64 now() const = 0; ///< virtual nanoseconds since power-on
};

using EventId = u32;
inline constexpr u64 Never = ~u64{0};

class EventQueue final : public Clock {
public:
    /// `time_source` is asked for now(); the board sets it to the processor's cycle count.
    explicit EventQueue(std::function<u64()> time_source) : time_source_(std::move(time_source)) {}

    u64 now() const override { return time_source_(); }
    EventId add(std::string name, std::function<void()> callback);
    void schedule(EventId id, u64 when);
    void schedule_after(EventId id, u64 delay) { schedule(id, now() + delay); }
    void cancel(EventId id);
    bool pending(EventId id) const { return slots_[id].when != Never; }
    u64 due(EventId id) const { return slots_[id].when; }

    /// Time of the earliest pending event, or Never.
    u64 next() const { return next_; }
    /// Runs everything due at or before `time`. Callbacks may schedule further events.
    void run_due(u64 time);

    struct Pending {
        std::string name;
        u64 when;
        u64 sequence;
    };
    /// Pending events in order of delivery, for inspection.
    std::vector<Pending> list() const;
    void serialize(Archive& archive);

private:
    struct Slot {
        std::string name;
        std::function<void()> callback;
        u64 when = Never;
        u64 sequence = 0;
    };
    void find_next();
    std::function<u64()> time_source_;
    std::vector<Slot> slots_;
    u64 next_ = Never;
    EventId next_id_ = 0;
    u64 sequence_ = 0;
};

} // namespace vitrine::devices
