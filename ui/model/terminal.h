// Terminal — the serial console as a person sees it: bytes with ANSI sequences in, styled lines out.
//
// Implements the part of ECMA-48 that shells and printk use: CR LF BS TAB BEL, SGR colours, cursor movement,
// erase in line and display. Lines are logical: long ones are wrapped where they are drawn, not here. Cursor
// addressing counts from the top of the last `Rows` lines. UTF-8 is decoded; a malformed byte becomes U+FFFD.
// Invariants: the bytes are the guest's: lines, line length and parameters are bounded, unknown sequences are
// swallowed.
#pragma once
#include <cstddef>
#include <deque>
#include <string>
#include <string_view>
#include <vector>
#include "cpu/base/types.h"

namespace vitrine::ui {

struct TerminalCell {
    char32_t character = U' ';
    u8 foreground = 7; ///< 0–15; 7 is the default
    u8 background = 0; ///< 0 is the default
};
using TerminalLine = std::vector<TerminalCell>;

class Terminal {
public:
    static constexpr std::size_t MostLines = 10'000, LongestLine = 512, Rows = 24;

    void feed(std::string_view bytes);
    void clear();
    const std::deque<TerminalLine>& lines() const { return lines_; }
    std::size_t cursor_line() const { return line_; }
    std::size_t cursor_column() const { return column_; }
    /// Plain text of one line, for tests and copying.
    std::string text(std::size_t line) const;
    u64 changes() const { return changes_; }

private:
    void byte(u8 b);
    void control(u8 b);
    void put(char32_t character);
    void new_line();
    void finish_sequence(u8 final_byte);
    void select_graphics();
    void erase_line(unsigned how);
    void erase_display(unsigned how);
    void move_to(std::size_t row, std::size_t column);
    std::size_t top() const { return lines_.size() > Rows ? lines_.size() - Rows : 0; }
    unsigned parameter(std::size_t index, unsigned otherwise) const;

    enum class State : u8 { Text, Escape, Sequence, String } state_ = State::Text;
    std::deque<TerminalLine> lines_{1};
    std::size_t line_ = 0, column_ = 0;
    std::vector<unsigned> parameters_;
    bool private_ = false, bold_ = false, reverse_ = false;
    u8 foreground_ = 7, background_ = 0;
    char32_t partial_ = 0;
    unsigned missing_ = 0; ///< UTF-8 continuation bytes still to come
    u64 changes_ = 0;
};

} // namespace vitrine::ui
