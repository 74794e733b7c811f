// An interrupt cause that waits for more of its kind: RDTR with RADV, TIDV with TADV (SDM 13.4.30, 13.4.31,
// 13.4.44, 13.4.45). Each event restarts the packet timer; the absolute timer runs from the first one and
// ends the wait. Both count units of 1.024 µs.
#pragma once
#include "devices/event_queue.h"

namespace vitrine::devices {

class DelayedCause {
public:
    DelayedCause(EventQueue& events, const char* name, std::function<void()> raise)
        : events_(events), event_(events.add(name, std::move(raise))) {}

    /// `packet_timer` must not be 0: then there is nothing to wait for.
    void restart() {
        const u64 now = events_.now();
        if (!events_.pending(event_)) first_ = now;
        u64 due = now + u64{packet_timer & 0xFFFF} * Unit;
        if (absolute_timer & 0xFFFF) due = std::min(due, first_ + u64{absolute_timer & 0xFFFF} * Unit);
        events_.schedule(event_, std::max(due, now));
    }
    void cancel() { events_.cancel(event_); }
    void reset() {
        cancel();
        packet_timer = absolute_timer = 0, first_ = 0;
    }
    void serialize(Archive& archive) { archive(packet_timer, absolute_timer, first_); }

    u32 packet_timer = 0, absolute_timer = 0; ///< the registers

private:
    static constexpr u64 Unit = 1024; ///< ns
    EventQueue& events_;
    EventId event_;
    u64 first_ = 0;
};

} // namespace vitrine::devices
