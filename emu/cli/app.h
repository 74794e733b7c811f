// The door between the program and the app: ui/ implements these two functions, `vitrine` calls them when it
// is linked with the app (VITRINE_HAS_UI). Without it, the program runs headless.
#pragma once
#include <string>
#include "emu/cli/options.h"

namespace vitrine::ui {

using AppOptions = emu::cli::Options;

/// Whether a window can be opened; `why` says what is missing otherwise.
bool display_available(std::string& why);
/// Runs the app until it is closed; the exit status of design.md §10.
int run(const AppOptions& options);

} // namespace vitrine::ui
