// What a run leaves behind: statistics, a picture of the screen, saved states.
#pragma once
#include <string>
#include "emu/machine.h"

namespace vitrine::emu::cli {

/// Steps, cycles, host seconds, MIPS, engine counters, and per phase: step, virtual time, durations.
Expected<void> write_stats(Machine& machine, const RunReport& report, const std::string& path);
/// The guest's VGA screen as PNG.
Expected<void> write_screenshot(Machine& machine, const std::string& path);
Expected<void> write_state(Machine& machine, const std::string& path);
Expected<void> read_state(Machine& machine, const std::string& path);

} // namespace vitrine::emu::cli
