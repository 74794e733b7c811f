// The serial console: see terminal.h. Sequences by their ECMA-48 names (SGR 8.3.117, CUP 8.3.21, ED 8.3.39,
// EL 8.3.41).
#include "ui/model/terminal.h"
#include <algorithm>

namespace vitrine::ui {

namespace {
constexpr std::size_t TabStop = 8, MostParameters = 16;
constexpr unsigned LargestParameter = 9999;
constexpr u8 DefaultForeground = 7, DefaultBackground = 0;

void append_utf8(std::string& out, char32_t c) {
    if (c < 0x80) {
        out += static_cast<char>(c);
    } else if (c < 0x800) {
        out += static_cast<char>(0xC0 | (c >> 6));
        out += static_cast<char>(0x80 | (c & 0x3F));
    } else {
        out += static_cast<char>(0xE0 | (c >> 12));
        out += static_cast<char>(0x80 | ((c >> 6) & 0x3F));
        out += static_cast<char>(0x80 | (c & 0x3F));
    }
}
} // namespace

void Terminal::feed(std::string_view bytes) {
    for (char c : bytes) byte(static_cast<u8>(c));
    if (!bytes.empty()) ++changes_;
}

void Terminal::clear() {
    const u64 changes = changes_;
    *this = Terminal{};
    changes_ = changes + 1;
}

std::string Terminal::text(std::size_t line) const {
    std::string out;
    for (const TerminalCell& cell : lines_[line]) append_utf8(out, cell.character);
    while (out.ends_with(' ')) out.pop_back();
    return out;
}

void Terminal::byte(u8 b) {
    switch (state_) {
    case State::Text:
        if (missing_) {
            if ((b & 0xC0) == 0x80) {
                partial_ = (partial_ << 6) | (b & 0x3F);
                if (--missing_ == 0) put(partial_ <= 0xFFFF ? partial_ : U'\uFFFD');
                return;
            }
            missing_ = 0;
            put(U'\uFFFD');
        }
        if (b < 0x20 || b == 0x7F)
            control(b);
        else if (b < 0x80)
            put(b);
        else if ((b & 0xE0) == 0xC0)
            partial_ = b & 0x1F, missing_ = 1;
        else if ((b & 0xF0) == 0xE0)
            partial_ = b & 0x0F, missing_ = 2;
        else if ((b & 0xF8) == 0xF0)
            partial_ = b & 0x07, missing_ = 3;
        else
            put(U'\uFFFD');
        return;
    case State::Escape:
        if (b == '[')
            state_ = State::Sequence, parameters_.assign(1, 0), private_ = false;
        else if (b == ']' || b == 'P')
            state_ = State::String; // OSC, DCS: titles and the like
        else
            state_ = State::Text;
        return;
    case State::Sequence:
        if (b >= '0' && b <= '9')
            parameters_.back() = std::min(parameters_.back() * 10 + (b - '0'), LargestParameter);
        else if (b == ';' && parameters_.size() < MostParameters)
            parameters_.push_back(0);
        else if (b >= 0x3C && b <= 0x3F)
            private_ = true;
        else if (b >= 0x40 && b <= 0x7E)
            state_ = State::Text, finish_sequence(b);
        else if (b == 0x1B)
            state_ = State::Escape;
        else if (b < 0x20)
            control(b);
        return;
    case State::String:
        if (b == 0x07)
            state_ = State::Text;
        else if (b == 0x1B)
            state_ = State::Escape;
        return;
    }
}

void Terminal::control(u8 b) {
    switch (b) {
    case '\r': column_ = 0; break;
    case '\n':
    case 0x0B:
    case 0x0C: new_line(); break;
    case '\b': column_ -= column_ > 0; break;
    case '\t': column_ = std::min((column_ / TabStop + 1) * TabStop, LongestLine - 1); break;
    case 0x1B: state_ = State::Escape; break;
    default: break; // BEL and the rest show nothing
    }
}

void Terminal::put(char32_t character) {
    if (column_ >= LongestLine) new_line(), column_ = 0;
    TerminalLine& line = lines_[line_];
    if (line.size() <= column_) line.resize(column_ + 1);
    TerminalCell cell{character, foreground_, background_};
    if (bold_ && cell.foreground < 8) cell.foreground = static_cast<u8>(cell.foreground + 8);
    if (reverse_) std::swap(cell.foreground, cell.background);
    line[column_++] = cell;
}

void Terminal::new_line() {
    if (++line_ < lines_.size()) return;
    lines_.emplace_back();
    if (lines_.size() > MostLines) lines_.pop_front();
    line_ = lines_.size() - 1;
}

unsigned Terminal::parameter(std::size_t index, unsigned otherwise) const {
    return index < parameters_.size() && parameters_[index] ? parameters_[index] : otherwise;
}

void Terminal::move_to(std::size_t row, std::size_t column) {
    const std::size_t first = top();
    const std::size_t wanted = first + std::min(row, Rows - 1);
    while (lines_.size() <= wanted) lines_.emplace_back();
    line_ = wanted;
    column_ = std::min(column, LongestLine - 1);
}

void Terminal::finish_sequence(u8 final_byte) {
    if (private_) return; // modes: the cursor is always drawn, the rest does not matter here
    const std::size_t first = top(), row = line_ >= first ? line_ - first : 0;
    const unsigned count = parameter(0, 1);
    switch (final_byte) {
    case 'm': select_graphics(); break;
    case 'A': move_to(row > count ? row - count : 0, column_); break;
    case 'B': move_to(row + count, column_); break;
    case 'C': column_ = std::min<std::size_t>(column_ + count, LongestLine - 1); break;
    case 'D': column_ = column_ > count ? column_ - count : 0; break;
    case 'G': column_ = std::min<std::size_t>(count - 1, LongestLine - 1); break;
    case 'H':
    case 'f': move_to(parameter(0, 1) - 1, parameter(1, 1) - 1); break;
    case 'd': move_to(count - 1, column_); break;
    case '@':
        if (auto& line = lines_[line_]; column_ < line.size())
            line.insert(line.begin() + static_cast<std::ptrdiff_t>(column_),
                        std::min<std::size_t>(count, LongestLine), TerminalCell{}),
                line.resize(std::min(line.size(), LongestLine));
        break;
    case 'P':
        if (auto& line = lines_[line_]; column_ < line.size())
            line.erase(line.begin() + static_cast<std::ptrdiff_t>(column_),
                       line.begin() + static_cast<std::ptrdiff_t>(std::min(column_ + count, line.size())));
        break;
    case 'X':
        if (auto& line = lines_[line_]; column_ < line.size())
            std::fill_n(line.begin() + static_cast<std::ptrdiff_t>(column_),
                        std::min<std::size_t>(count, line.size() - column_), TerminalCell{});
        break;
    case 'J': erase_display(parameters_[0]); break;
    case 'K': erase_line(parameters_[0]); break;
    default: break;
    }
}

void Terminal::select_graphics() {
    for (std::size_t i = 0; i < parameters_.size(); ++i) {
        const unsigned p = parameters_[i];
        if (p == 0)
            bold_ = reverse_ = false, foreground_ = DefaultForeground, background_ = DefaultBackground;
        else if (p == 1)
            bold_ = true;
        else if (p == 22)
            bold_ = false;
        else if (p == 7)
            reverse_ = true;
        else if (p == 27)
            reverse_ = false;
        else if (p >= 30 && p <= 37)
            foreground_ = static_cast<u8>(p - 30);
        else if (p == 39)
            foreground_ = DefaultForeground;
        else if (p >= 40 && p <= 47)
            background_ = static_cast<u8>(p - 40);
        else if (p == 49)
            background_ = DefaultBackground;
        else if (p >= 90 && p <= 97)
            foreground_ = static_cast<u8>(p - 90 + 8);
        else if (p >= 100 && p <= 107)
            background_ = static_cast<u8>(p - 100 + 8);
        else if (p == 38 || p == 48)
            return; // 256 colours: their parameters are not colours of ours
    }
}

void Terminal::erase_line(unsigned how) {
    TerminalLine& line = lines_[line_];
    if (how == 0)
        line.resize(std::min(line.size(), column_));
    else if (how == 1)
        std::fill_n(line.begin(), std::min(line.size(), column_ + 1), TerminalCell{});
    else if (how == 2)
        line.clear();
}

void Terminal::erase_display(unsigned how) {
    if (how == 0) {
        erase_line(0);
        for (std::size_t i = line_ + 1; i < lines_.size(); ++i) lines_[i].clear();
    } else if (how == 2) {
        for (std::size_t i = top(); i < lines_.size(); ++i) lines_[i].clear();
    } else if (how == 1) {
        erase_line(1);
        for (std::size_t i = top(); i < line_; ++i) lines_[i].clear();
    }
}

} // namespace vitrine::ui
