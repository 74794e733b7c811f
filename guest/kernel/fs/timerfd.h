// Timers as descriptors (timerfd.cpp).
#pragma once

namespace kernel {

/// The wall clock was set: who asked for it (TFD_TIMER_CANCEL_ON_SET) reads ECANCELED.
void timerfd_clock_was_set();

} // namespace kernel
