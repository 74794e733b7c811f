// Lessons: each mistake is told with file, line, found and wanted; what a block holds is what was written.
#include <gtest/gtest.h>
#include "emu/lessons/expect.h"
#include "emu/lessons/lesson.h"

namespace vitrine::emu {
namespace {

constexpr const char* Head =
    "# Title\n> About.\n\nProse.\n\n```vitrine\n"; // the block's first line is line 7

std::string mistake(const std::string& text) {
    const auto lesson = parse_lesson(text, "docs/lessons/x.md");
    return lesson ? "no mistake" : lesson.error().message;
}
std::string line_mistake(const std::string& directive) {
    return mistake(std::string(Head) + "step\n" + directive + "\n```\n");
}

TEST(Lesson, MistakesNameFileLineFoundAndWanted) {
    const struct {
        const char *directive, *found, *wanted;
    } Cases[] = {
        {"rnu to phase:init", "found rnu to phase:init", "wanted one of run to, step"},
        {"run to phse:init", "run to phse:init", "phase"},
        {"run to schedule if", "run to schedule if", ""},
        {"step many", "found step many", "wanted a number"},
        {"step 0", "found step 0", "wanted a number"},
        {"type hello", "found hello", "wanted a text in quotation marks"},
        {"type \"a\\qb\"", "a\\qb", "wanted \\n"},
        {"show run-queue", "found show run-queue", "did you mean run-queues"},
        {"mark", "found mark", "wanted a name"},
        {"back to nowhere:at all", "back to nowhere", ""},
        {"expect", "found nothing", "wanted a claim"},
        {"expect task has \"x\"", "found task", "wanted a view"},
        {"expect tasks has x", "found has x", "wanted has \"TEXT\""},
        {"expect buddy /zones/0/free => 3", "found =>", "wanted one of =="},
        {"expect buddy /zones/0/free >", "found nothing behind >", "wanted a value"},
        {"expect count tasks comm >= 3", "found comm", "wanted KEY=VALUE"},
        {"expect events interupt > 3", "interupt", "did you mean interrupt"},
        {"machine --memory 64M", "machine must be the first", ""},
        {"expect cpl ==", "expect cpl ==", "a value is missing"},
        {"expect task.comn == \"x\"", "task.comn", "no field"},
        {"run to write:jiffies count", "run to write:jiffies count", "never stop"},
        {"run to write:jiffies log x", "run to write:jiffies log x", "never stop"},
        {"back to nosuchmark:x", "back to nosuchmark", "marks so far: none"},
    };
    for (const auto& each : Cases) {
        const std::string told = line_mistake(each.directive);
        EXPECT_TRUE(told.starts_with("docs/lessons/x.md:8: ")) << told;
        EXPECT_TRUE(told.contains(each.found)) << each.directive << ": " << told;
        EXPECT_TRUE(told.contains(each.wanted)) << each.directive << ": " << told;
        EXPECT_FALSE(told.contains('\n')) << told;
    }
    EXPECT_TRUE(mistake("").contains("x.md:1: found nothing, wanted a title"));
    EXPECT_TRUE(mistake("# T\n> S\n```vitrine\nmachine --cpus 1\nmachine --cpus 2\nstep\n```\n")
                    .contains("x.md:5: machine is there twice"));
    EXPECT_EQ(mistake("\xEF\xBB\xBF# T\n> S\n```vitrine\nstep\n```\n"), "no mistake") << "a byte order mark";
    EXPECT_TRUE(mistake("Hello\n").contains("x.md:1: found Hello, wanted a title"));
    EXPECT_TRUE(mistake("# T\nProse\n```vitrine\nstep\n```\n").contains("wanted a line \"> …\""));
    EXPECT_TRUE(mistake("# T\n> S\nProse\n").contains("found no directive"));
    EXPECT_TRUE(mistake(std::string(Head) + "step\n").contains("opens in line 6 is not closed"));
    EXPECT_TRUE(mistake("# T\n> S\n```vitrine\nmachine --memory 7X\n```\n").contains("x.md:4: "));
}

TEST(Lesson, IsReadAsItWasWritten) {
    const auto lesson =
        parse_lesson("# T\n> S\n\n```vitrine\nmachine --memory 64M --cpus 2\n```\n\nOne **two**.\n\n"
                     "```vitrine\n# a remark\nrun to write:jiffies if value % 2 == 0\ntype \"ls "
                     "\\\"a\\\"\\n\"\nmark m\nback to m\n"
                     "show walk\n```\n",
                     "x.md");
    ASSERT_FALSE(lesson);
    EXPECT_TRUE(lesson.error().message.contains("x.md:16: found show walk")) << lesson.error().message;
    const auto good =
        parse_lesson("# T\n> S\n\n```vitrine\nmachine --memory 64M --cpus 2\n```\n\nOne **two**.\n\n"
                     "```vitrine\n# a remark\nrun to write:jiffies if value % 2 == 0\ntype \"ls "
                     "\\\"a\\\"\\n\"\nmark m\nback to m\n"
                     "back to serial:\"# \"\nshow page-tables schedule\nexpect cpl == 0\nstep "
                     "12\n```\nEnd.\n\n```c\nint x;\n```\n",
                     "folder/07-x.md");
    ASSERT_TRUE(good) << good.error().message;
    EXPECT_EQ(good->name, "07-x");
    EXPECT_EQ(good->machine, (std::vector<std::string>{"--memory", "64M", "--cpus", "2"}));
    ASSERT_EQ(good->parts.size(), 2u);
    const auto& d = good->parts[0].directives;
    ASSERT_EQ(d.size(), 8u);
    EXPECT_EQ(d[0].place.kind, BreakKind::Data);
    EXPECT_EQ(d[0].place.condition, "value % 2 == 0");
    EXPECT_EQ(d[1].text, "ls \"a\"\r");
    EXPECT_FALSE(d[3].has_place);
    EXPECT_TRUE(d[4].has_place);
    EXPECT_EQ(d[5].argument, "schedule");
    EXPECT_EQ(d[7].count, 12u);
    EXPECT_TRUE(good->parts[1].prose.contains("int x;")) << "a fence of another language is prose";
}

TEST(Lesson, NoRandomTextCrashesTheParser) {
    u64 seed = 1;
    const std::string_view Words[] = {"```vitrine\n",
                                      "```\n",
                                      "# ",
                                      "> ",
                                      "expect ",
                                      "count ",
                                      "tasks ",
                                      "\"",
                                      "\\",
                                      " has ",
                                      "/",
                                      "run to ",
                                      "\n",
                                      "step ",
                                      "99999999999999999999",
                                      "machine ",
                                      "--memory ",
                                      "type ",
                                      "events ",
                                      "==",
                                      "=",
                                      ",",
                                      "\0x",
                                      "ö"};
    for (int round = 0; round < 3000; ++round) {
        std::string text = round % 2 ? Head : "";
        for (int i = 0; i < 12; ++i) {
            seed = seed * 6364136223846793005 + 1442695040888963407;
            text += Words[(seed >> 33) % std::size(Words)];
        }
        const auto lesson = parse_lesson(text, "x.md");
        if (!lesson) EXPECT_TRUE(lesson.error().message.starts_with("x.md:")) << lesson.error().message;
    }
}

} // namespace
} // namespace vitrine::emu
