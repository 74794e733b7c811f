// lapic timer — one-shot, periodic and TSC-deadline, SDM 3A 11.5.4. Its input clock is 1 GHz: one tick a
// nanosecond.
#include "devices/lapic/fields.h"
#include "devices/lapic/lapic.h"

namespace vitrine::devices {
namespace {
enum TimerMode : unsigned { OneShot, Periodic, Deadline };
static_assert(LocalApic::TimerFrequency == 1'000'000'000, "ticks are counted in nanoseconds");
} // namespace

unsigned LocalApic::timer_mode() const { return LvtTimerMode::get(lvt_[LvtTimer]); }

/// Divide configuration: bits 3, 1, 0 give 2, 4 … 128, and 7 means 1.
unsigned LocalApic::timer_shift() const { return (((timer_divide_ & 8) >> 1 | (timer_divide_ & 3)) + 1) & 7; }

u32 LocalApic::timer_current() const {
    if (!timer_running_ || timer_mode() == Deadline) return 0;
    const u64 now = events_.now();
    const u64 ticks = now > timer_start_time_ ? (now - timer_start_time_) >> timer_shift() : 0;
    if (ticks < timer_initial_) return static_cast<u32>(timer_initial_ - ticks);
    return timer_mode() == Periodic && timer_initial_ != 0
               ? static_cast<u32>(timer_initial_ - ticks % timer_initial_)
               : 0;
}

void LocalApic::timer_stop() {
    events_.cancel(timer_event_);
    timer_running_ = false;
    deadline_ = 0;
}

void LocalApic::timer_start(u32 initial) {
    if (timer_mode() == Deadline) return; // 11.5.4.1: writes to the initial count are ignored
    timer_initial_ = initial;
    timer_start_time_ = events_.now();
    timer_running_ = initial != 0;
    if (!timer_running_) return events_.cancel(timer_event_);
    events_.schedule(timer_event_, timer_start_time_ + (u64{initial} << timer_shift()));
}

/// The divider changed while counting: what is left counts on at the new rate.
void LocalApic::timer_rearm() {
    if (timer_running_ && timer_mode() != Deadline) timer_start(timer_initial_);
}

void LocalApic::timer_expired() {
    if (timer_mode() == Deadline) {
        deadline_ = 0;
        return fire_local(LvtTimer);
    }
    if (!timer_running_) return;
    if (timer_mode() == Periodic && timer_initial_ != 0) {
        // Periods that passed within one instruction count as one interrupt.
        const u64 period = u64{timer_initial_} << timer_shift(), now = events_.now();
        const u64 passed = now > timer_start_time_ ? (now - timer_start_time_) / period : 0;
        timer_start_time_ += (passed == 0 ? 1 : passed) * period;
        events_.schedule(timer_event_, timer_start_time_ + period);
    } else {
        timer_running_ = false;
    }
    fire_local(LvtTimer);
}

void LocalApic::write_deadline(u64 value) {
    if (timer_mode() != Deadline) return;
    deadline_ = value;
    events_.cancel(timer_event_);
    if (value == 0) return;
    const u64 offset = links_.tsc_offset ? links_.tsc_offset() : 0, now = events_.now();
    // In the guest's TSC: a deadline at or below now is in the past and fires at once.
    if (value <= now + offset) {
        deadline_ = 0;
        return fire_local(LvtTimer);
    }
    const u64 wait = value - (now + offset);
    if (wait < Never - now) events_.schedule(timer_event_, now + wait);
}

} // namespace vitrine::devices
