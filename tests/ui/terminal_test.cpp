// The serial terminal: ECMA-48 as shells and printk use it, and whatever else a hostile guest sends.
#include <gtest/gtest.h>
#include <random>
#include "ui/model/terminal.h"

namespace vitrine::ui {
namespace {

TEST(Terminal, LinesAndReturns) {
    Terminal t;
    t.feed("one\r\ntwo\r\nthr\bee\ttab");
    ASSERT_EQ(t.lines().size(), 3u);
    EXPECT_EQ(t.text(0), "one");
    EXPECT_EQ(t.text(1), "two");
    EXPECT_EQ(t.text(2), "thee    tab");
    t.feed("\rTHE");
    EXPECT_EQ(t.text(2), "THEe    tab");
}

TEST(Terminal, ColoursAndTheirEnd) {
    Terminal t;
    t.feed("\x1B[1;32mgo\x1B[0m \x1B[41mbad\x1B[m.");
    const TerminalLine& line = t.lines()[0];
    EXPECT_EQ(line[0].foreground, 10);
    EXPECT_EQ(line[2].foreground, 7);
    EXPECT_EQ(line[3].background, 1);
    EXPECT_EQ(line[6].background, 0);
    EXPECT_EQ(t.text(0), "go bad.");
}

TEST(Terminal, EraseAndMove) {
    Terminal t;
    t.feed("vitrine# lss\b\x1B[K");
    EXPECT_EQ(t.text(0), "vitrine# ls");
    t.feed("\x1B[3DX");
    EXPECT_EQ(t.text(0), "vitrine#Xls");
    t.feed("\x1B[2@ab\x1B[3D\x1B[P"); // ICH, DCH: ECMA-48 8.3.64, 8.3.26
    EXPECT_EQ(t.text(0), "vitrine#abls");
    t.feed("\x1B[2X\x1B[2d>"); // ECH, VPA: 8.3.38, 8.3.158
    EXPECT_EQ(t.text(0), "vitrine#  ls");
    EXPECT_EQ(t.text(1), "        >");
    t.feed("\x1B[2J\x1B[Htop\x1B[5;3Hlow");
    EXPECT_EQ(t.text(0), "top");
    EXPECT_EQ(t.text(4), "  low");
}

TEST(Terminal, SequencesThatArriveInPieces) {
    Terminal whole, pieces;
    const std::string text = "a\x1B[31mred\x1B]0;title\x07 caf\xC3\xA9 \xE2\x96\xB6\x1B[?25l end";
    whole.feed(text);
    for (char c : text) pieces.feed({&c, 1});
    EXPECT_EQ(whole.text(0), "ared caf\xC3\xA9 \xE2\x96\xB6 end");
    EXPECT_EQ(pieces.text(0), whole.text(0));
}

TEST(Terminal, BadUtf8BecomesTheReplacementCharacter) {
    Terminal t;
    t.feed("\xC3(\xFF");
    EXPECT_EQ(t.text(0), "\xEF\xBF\xBD(\xEF\xBF\xBD");
}

TEST(Terminal, IsBounded) {
    Terminal t;
    for (unsigned i = 0; i < 3 * Terminal::MostLines; ++i) t.feed("line\r\n");
    EXPECT_LE(t.lines().size(), Terminal::MostLines);
    t.feed(std::string(5000, 'x'));
    EXPECT_LE(t.lines().back().size(), Terminal::LongestLine);
    t.feed("\r\x1B[9999@\x1B[9999P\x1B[9999X");
    EXPECT_LE(t.lines().back().size(), Terminal::LongestLine);
    t.feed("\x1B[999999999999;99999999999H!");
    EXPECT_LE(t.cursor_column(), Terminal::LongestLine);
    EXPECT_LT(t.cursor_line(), t.lines().size());
}

TEST(Terminal, SurvivesNoise) {
    std::mt19937 random(7);
    Terminal t;
    static constexpr char Alphabet[] = "\x1B[];?0123456789mABCDGHJKfhlPXd@\r\n\b\t\x07xy\xC3\xA9\xFF";
    for (unsigned i = 0; i < 200'000; ++i) {
        const char c = Alphabet[random() % (sizeof Alphabet - 1)];
        t.feed({&c, 1});
        ASSERT_LT(t.cursor_line(), t.lines().size());
    }
    EXPECT_LE(t.lines().size(), Terminal::MostLines);
}

} // namespace
} // namespace vitrine::ui
