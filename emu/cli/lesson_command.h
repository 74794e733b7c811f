// `vitrine --lessons` and `vitrine --lesson NAME --check`.
#pragma once
#include "emu/cli/options.h"

namespace vitrine::emu::cli {

/// The lessons, one a line: name, title, summary. Its exit status.
int list_lessons();
/// Performs a lesson: 0 when all of it is true, 66 when it cannot be read, 75 when a claim does not hold or a
/// limit is reached.
int check_lesson_command(const Options& options);

} // namespace vitrine::emu::cli
