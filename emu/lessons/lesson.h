// Lesson — one page of the book about the kernel (docs/lessons/*.md): prose, and between it directives that
// run the machine, open a panel, and hold what the prose says against inspection. docs/lessons/README.md has
// the notation.
//
// parse_lesson() touches no machine; an unknown directive is an error that names file, line, what was found
// and what is known. Perform a lesson with LessonRun (check.h) or in the app; both use expect.h for its
// claims.
#pragma once
#include <string>
#include <string_view>
#include <vector>
#include "emu/debugger/break_spec.h"

namespace vitrine::emu {

struct Directive {
    enum class Kind : u8 {
        RunTo,  ///< `place`: on to there
        Step,   ///< `count` steps
        Type,   ///< `text` arrives on COM1; Enter is CR
        Show,   ///< the app opens panel `text`, at `argument` if there is one
        Mark,   ///< the place where the machine stands is called `text`
        Back,   ///< to the mark `text`, or with `place` back to where that happened last
        Expect, ///< `text` (expect.h)
    } kind{};
    unsigned line = 0;  ///< of the file, from 1
    std::string source; ///< as it stands there
    std::string text, argument;
    u64 count = 0;
    bool has_place = false;
    BreakSpec place;
};

/// What is told, then what is done: in the app, one click.
struct LessonPart {
    std::string prose; ///< Markdown
    std::vector<Directive> directives;
};

struct Lesson {
    std::string path, name; ///< name: of the file, without ".md"
    std::string title, summary;
    std::vector<std::string> machine; ///< options of the command line: "--memory", "64M"
    std::vector<LessonPart> parts;    ///< the last one may be prose alone
};

/// The panels that `show` knows.
const std::vector<std::string_view>& lesson_panels();
Expected<Lesson> parse_lesson(std::string_view text, const std::string& path);
Expected<Lesson> load_lesson(const std::string& name_or_path);
/// All bundled lessons that can be read, by name; errors are told to `trouble`.
std::vector<Lesson> bundled_lessons(std::vector<std::string>* trouble = nullptr);

} // namespace vitrine::emu
