// check_lesson() — performs a lesson without a window on a machine of its own and holds every claim against
// it.
//
// Invariants: deterministic — its own limits are steps and virtual time; the first directive that fails ends
// it with "FILE:LINE: directive: found …, wanted …".
#pragma once
#include <functional>
#include "emu/lessons/lesson.h"

namespace vitrine::emu {

/// Where it gives up with Exit::LimitReached: steps and virtual nanoseconds of the whole lesson, and the
/// host's seconds.
struct LessonLimits {
    u64 steps = ~u64{0}, time = 600'000'000'000;
    double host_seconds = 1e18;
};

/// `tell` hears of each directive as it is done.
Expected<void> check_lesson(const Lesson& lesson, const std::function<void(const Directive&)>& tell = {},
                            const LessonLimits& limits = {});

} // namespace vitrine::emu
