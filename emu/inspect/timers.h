// Timers of the bundled kernel: the wheels, the high-resolution queues, each processor's tick and its clock
// event device. What /proc/timer_list says of the same.
#pragma once
#include "emu/inspect/sheet.h"

namespace vitrine::emu::inspect {

/// Sheets: wheel (armed timers), hrtimers, ticks (who ticks, who sleeps without), clock_events.
SheetsView timers_view(const std::expected<GuestKernel, std::string>& kernel, const GuestSymbols* symbols);

} // namespace vitrine::emu::inspect
