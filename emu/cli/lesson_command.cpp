// Lessons on the command line: see lesson_command.h.
#include "emu/cli/lesson_command.h"
#include <cstdio>
#include <fmt/format.h>
#include "emu/cli/headless.h"
#include "emu/inspect/render.h"
#include "emu/lessons/check.h"
#include "emu/load/files.h"

namespace vitrine::emu::cli {

int list_lessons() {
    std::vector<std::string> trouble;
    const std::vector<Lesson> lessons = bundled_lessons(&trouble);
    if (lessons.empty() && trouble.empty()) {
        report_error(Error{Exit::BadInput, fmt::format("no lessons are installed: they belong into {}",
                                                       bundled_path("lessons"))});
        return static_cast<int>(Exit::BadInput);
    }
    inspect::Table table({"lesson", "title", "about"});
    for (const Lesson& lesson : lessons) table.row({lesson.name, lesson.title, lesson.summary});
    std::fputs(table.text().c_str(), stdout);
    for (const std::string& line : trouble) report_error(Error{Exit::BadInput, line});
    return trouble.empty() ? 0 : static_cast<int>(Exit::BadInput);
}

int check_lesson_command(const Options& options) {
    auto lesson = load_lesson(options.lesson);
    if (!lesson) {
        report_error(lesson.error());
        return static_cast<int>(lesson.error().status);
    }
    unsigned claims = 0, directives = 0;
    LessonLimits limits;
    limits.steps = options.limit_steps, limits.host_seconds = options.limit_seconds;
    auto ok = check_lesson(
        *lesson,
        [&](const Directive& directive) {
            ++directives;
            claims += directive.kind == Directive::Kind::Expect;
        },
        limits);
    if (!ok) {
        report_error(ok.error());
        return static_cast<int>(ok.error().status);
    }
    std::printf("%s: %u directives, %u claims hold\n", lesson->name.c_str(), directives, claims);
    return 0;
}

} // namespace vitrine::emu::cli
