// EventQueue: a scan over a few dozen slots; the board has tens of events, so a scan beats a heap and cannot
// depend on insertion order.
#include "devices/event_queue.h"
#include <algorithm>

namespace vitrine::devices {

EventId EventQueue::add(std::string name, std::function<void()> callback) {
    slots_.push_back({std::move(name), std::move(callback), Never, 0});
    return static_cast<EventId>(slots_.size() - 1);
}

void EventQueue::schedule(EventId id, u64 when) {
    slots_[id].when = when;
    slots_[id].sequence = sequence_++;
    find_next();
}

void EventQueue::cancel(EventId id) {
    if (slots_[id].when == Never) return;
    slots_[id].when = Never;
    find_next();
}

void EventQueue::find_next() {
    next_ = Never;
    for (EventId id = 0; id < slots_.size(); ++id) {
        const Slot& slot = slots_[id];
        if (slot.when == Never) continue;
        if (slot.when < next_ || (slot.when == next_ && slot.sequence < slots_[next_id_].sequence)) {
            next_ = slot.when;
            next_id_ = id;
        }
    }
}

void EventQueue::run_due(u64 time) {
    while (next_ <= time && next_ != Never) {
        Slot& slot = slots_[next_id_];
        slot.when = Never;
        find_next();
        slot.callback();
    }
}

std::vector<EventQueue::Pending> EventQueue::list() const {
    std::vector<Pending> out;
    for (const Slot& slot : slots_)
        if (slot.when != Never) out.push_back({slot.name, slot.when, slot.sequence});
    std::ranges::sort(out, [](const Pending& a, const Pending& b) {
        return a.when != b.when ? a.when < b.when : a.sequence < b.sequence;
    });
    return out;
}

void EventQueue::serialize(Archive& archive) {
    archive.section("event-queue", 1);
    u32 count = static_cast<u32>(slots_.size());
    archive(count, sequence_);
    if (archive.loading() && count != slots_.size()) return archive.fail("the machine has other events");
    for (Slot& slot : slots_) archive(slot.when, slot.sequence);
    if (archive.loading()) find_next();
}

} // namespace vitrine::devices
