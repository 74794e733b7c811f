// What a run leaves behind: statistics, a picture of the screen, saved states.
#pragma once
#include <string>
#include <utility>
#include <vector>
#include "emu/machine.h"

namespace vitrine::emu::cli {

/// Steps, cycles, host seconds, MIPS, engine counters, and per phase: step, virtual time, durations.
/// `more`: what only the caller knows, beside the machine's own figures.
using MoreStats = std::vector<std::pair<std::string, double>>;
Expected<void> write_stats(Machine& machine, const RunReport& report, const std::string& path,
                           const MoreStats& more = {});
/// The guest's VGA screen as PNG.
Expected<void> write_screenshot(Machine& machine, const std::string& path);
Expected<void> write_state(Machine& machine, const std::string& path);
Expected<void> read_state(Machine& machine, const std::string& path);

} // namespace vitrine::emu::cli
