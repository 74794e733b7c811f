// The headless run: makes the machine that the options ask for, runs it on the terminal, and leaves the
// results.
#pragma once
#include "emu/cli/options.h"

namespace vitrine::emu::cli {

/// The exit status of design.md §10. Errors have been reported on stderr, one line each.
int run_headless(const Options& options);
void report_error(const Error& error);

} // namespace vitrine::emu::cli
