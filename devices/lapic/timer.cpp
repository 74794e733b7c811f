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
    if (ticks < timer_left_) return static_cast<u32>(timer_left_ - ticks);
    return timer_mode() == Periodic && timer_initial_ != 0
               ? static_cast<u32>(timer_initial_ - (ticks - timer_left_) % timer_initial_)
               : 0;
}

void LocalApic::timer_stop() {
    events_.cancel(timer_event_);
    timer_running_ = false;
    deadline_ = 0;
}

void LocalApic::timer_start(u32 initial) {
    if (timer_mode() == Deadline) return; // 11.5.4.1: writes to the initial count are ignored
    timer_initial_ = timer_left_ = initial;
    timer_start_time_ = events_.now();
    timer_running_ = initial != 0;
    timer_schedule();
}

void LocalApic::timer_schedule() {
    if (!timer_running_) return events_.cancel(timer_event_);
    events_.schedule(timer_event_, timer_start_time_ + (u64{timer_left_} << timer_shift()));
}

/// The divider changes while counting: what is left counts on at the new rate.
void LocalApic::timer_divide(u32 configuration) {
    if (configuration == timer_divide_) return;
    if (timer_running_ && events_.due(timer_event_) <= events_.now()) timer_expired(); // it had come to zero
    const u32 left = timer_current();
    timer_divide_ = configuration;
    if (!timer_running_ || timer_mode() == Deadline) return;
    timer_left_ = left;
    timer_start_time_ = events_.now();
    timer_schedule();
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
        timer_start_time_ += u64{timer_left_} << timer_shift(); // the first may have been a part of one
        if (now > timer_start_time_) timer_start_time_ += (now - timer_start_time_) / period * period;
        timer_left_ = timer_initial_;
        timer_schedule();
    } else {
        timer_running_ = false;
    }
    fire_local(LvtTimer);
}

void LocalApic::write_deadline(u64 value) {
    if (timer_mode() != Deadline) return;
    deadline_ = value;
    deadline_schedule();
}

void LocalApic::tsc_offset_changed() {
    if (timer_mode() == Deadline && deadline_ != 0) deadline_schedule();
}

/// In the guest's TSC: a deadline at or below now is in the past and fires at once.
void LocalApic::deadline_schedule() {
    events_.cancel(timer_event_);
    if (deadline_ == 0) return;
    const u64 now = events_.now(), tsc = now + (links_.tsc_offset ? links_.tsc_offset() : 0);
    if (deadline_ <= tsc) {
        deadline_ = 0;
        return fire_local(LvtTimer);
    }
    const u64 wait = deadline_ - tsc;
    if (wait < Never - now) events_.schedule(timer_event_, now + wait);
}

} // namespace vitrine::devices
