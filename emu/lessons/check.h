// check_lesson() — performs a lesson without a window on a machine of its own and holds every claim against
// it.
//
// Invariants: deterministic — its limits are steps; the first directive that fails ends it with "FILE:LINE:
// directive: found …, wanted …".
#pragma once
#include <functional>
#include "emu/lessons/lesson.h"

namespace vitrine::emu {

/// `tell` hears of each directive as it is done.
Expected<void> check_lesson(const Lesson& lesson, const std::function<void(const Directive&)>& tell = {});

} // namespace vitrine::emu
