// `vitrine recording FILE info|verify|trim|export` and `vitrine compare A B`: what can be done with
// recordings besides replaying them.
#pragma once
#include <span>
#include <string>

namespace vitrine::emu::cli {

/// Whether the first argument names one of these commands.
bool is_command(std::string_view first);
/// Runs it; the exit status of design.md §10. `arguments` begin with the command's name.
int run_command(std::span<const std::string> arguments);

} // namespace vitrine::emu::cli
