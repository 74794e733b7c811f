// The names that boot phases have: what a misspelled one is held against.
#pragma once
#include <string>
#include <string_view>
#include <vector>

namespace vitrine::emu {

class Machine;

/// Every phase that the firmware, the processor and the bundled guest can enter, by its full name.
std::vector<std::string> known_phase_names();
/// Nothing, or why a machine can never enter this phase: none has the name. Guests that we do not know name
/// their phases as they like.
std::string phase_problem(const Machine& machine, std::string_view wanted);

} // namespace vitrine::emu
