// VGA text console; see the header. CRTC registers: IBM VGA technical reference; escape sequences: ECMA-48.
//
// Scrolling moves the display's start address through the 32 KiB window, so that a line costs 80 cells and
// not 2000; at the window's end the screen is copied back to its start from the shadow copy (video memory is
// never read).
#include "drivers/vga_console.h"

#include "arch/x86_64/cpu.h"
#include "lib/log.h"
#include "lib/string.h"
#include "mm/layout.h"

namespace kernel {
namespace {

constexpr unsigned Columns = 80, Rows = 25, Cells = Columns * Rows, WindowCells = 32 * KiB / 2;

struct Screen {
    u16 shadow[Cells];
    unsigned origin = 0; ///< cell where the display starts
    unsigned row = 0, column = 0;
    u8 attribute = 0x07;
    bool reverse = false, bold = false;
    // Escape sequence parser.
    enum class State : u8 { Text, Escape, Parameters, Designate } state = State::Text;
    unsigned parameters[8] = {};
    unsigned parameter_count = 0;
    bool private_sequence = false;
    unsigned saved_row = 0, saved_column = 0;
    unsigned top = 0, bottom = Rows; ///< lines [top, bottom) scroll (DECSTBM)
};
constinit Screen screen = {};

u16* window() { return physical_to<u16>(0xb8000); }

void crtc(u8 index, u8 value) {
    out8(0x3d4, index);
    out8(0x3d5, value);
}

void set_cell(unsigned row, unsigned column, u16 cell) {
    screen.shadow[row * Columns + column] = cell;
    reinterpret_cast<volatile u16*>(window())[screen.origin + row * Columns + column] = cell;
}

u16 blank() { return static_cast<u16>(screen.attribute << 8 | ' '); }

void fill(unsigned from, unsigned count) {
    for (unsigned i = from; i < from + count && i < Cells; i++) set_cell(i / Columns, i % Columns, blank());
}

void show_cursor() {
    unsigned at = screen.origin + screen.row * Columns + screen.column;
    crtc(0x0e, static_cast<u8>(at >> 8));
    crtc(0x0f, static_cast<u8>(at));
}

void show_origin() {
    crtc(0x0c, static_cast<u8>(screen.origin >> 8));
    crtc(0x0d, static_cast<u8>(screen.origin));
}

void scroll() {
    memmove(screen.shadow, screen.shadow + Columns, (Cells - Columns) * 2);
    if (screen.origin + Columns + Cells > WindowCells) {
        screen.origin = 0;
        memcpy(window(), screen.shadow, (Cells - Columns) * 2);
    } else {
        screen.origin += Columns;
    }
    fill(Cells - Columns, Columns);
    show_origin();
}

/// `count` lines from `row` on move down within the scrolling region, blank ones come in (IL); up: DL.
void shift_lines(unsigned row, unsigned count, bool down) {
    count = min(count, screen.bottom - row);
    unsigned kept = screen.bottom - row - count;
    u16* from = screen.shadow + (row + (down ? 0 : count)) * Columns;
    memmove(screen.shadow + (row + (down ? count : 0)) * Columns, from, usize{kept} * Columns * 2);
    for (unsigned i = 0; i < kept * Columns; i++) {
        unsigned cell = (row + (down ? count : 0)) * Columns + i;
        set_cell(cell / Columns, cell % Columns, screen.shadow[cell]);
    }
    fill((down ? row : row + kept) * Columns, count * Columns);
}

/// The rest of the line moves right, blanks come in (ICH); left: DCH.
void shift_cells(unsigned count, bool right) {
    unsigned begin = screen.row * Columns + screen.column, end = (screen.row + 1) * Columns;
    count = min(count, end - begin);
    unsigned kept = end - begin - count, to = begin + (right ? count : 0);
    memmove(screen.shadow + to, screen.shadow + begin + (right ? 0 : count), usize{kept} * 2);
    for (unsigned cell = to; cell < to + kept; cell++)
        set_cell(cell / Columns, cell % Columns, screen.shadow[cell]);
    fill(right ? begin : begin + kept, count);
}

void line_feed() {
    if (screen.row + 1 == screen.bottom) {
        if (screen.top == 0 && screen.bottom == Rows)
            scroll();
        else
            shift_lines(screen.top, 1, false);
    } else if (screen.row + 1 < Rows) {
        screen.row++;
    }
}

void reverse_line_feed() {
    if (screen.row == screen.top)
        shift_lines(screen.top, 1, true);
    else if (screen.row)
        screen.row--;
}

/// CSI … m: the eight colours in VGA's order, bold as intensity, reverse video.
void set_attribute() {
    static constexpr u8 colours[] = {0, 4, 2, 6, 1, 5, 3, 7};
    static constinit u8 foreground = 7, background = 0;
    unsigned count = max(screen.parameter_count, 1U);
    for (unsigned i = 0; i < count; i++) {
        unsigned p = screen.parameters[i];
        if (p == 0)
            foreground = 7, background = 0, screen.bold = screen.reverse = false;
        else if (p == 1)
            screen.bold = true;
        else if (p == 7)
            screen.reverse = true;
        else if (p == 22)
            screen.bold = false;
        else if (p == 27)
            screen.reverse = false;
        else if (p >= 30 && p <= 37)
            foreground = colours[p - 30];
        else if (p == 39)
            foreground = 7;
        else if (p >= 40 && p <= 47)
            background = colours[p - 40];
        else if (p == 49)
            background = 0;
        else if (p >= 90 && p <= 97)
            foreground = colours[p - 90] | 8;
    }
    u8 front = static_cast<u8>(foreground | (screen.bold ? 8 : 0));
    screen.attribute = screen.reverse ? static_cast<u8>((front & 7) << 4 | background)
                                      : static_cast<u8>(background << 4 | front);
}

void control_sequence(char final) {
    unsigned first = screen.parameters[0], n = max(first, 1U);
    screen.column = min(screen.column, Columns - 1); // behind the last cell only text waits
    unsigned here = screen.row * Columns + screen.column;
    switch (final) {
    case 'A': screen.row -= min(n, screen.row); break;
    case 'B': screen.row = min(screen.row + n, Rows - 1); break;
    case 'C': screen.column = min(screen.column + n, Columns - 1); break;
    case 'D': screen.column -= min(n, screen.column); break;
    case 'G': screen.column = min(n, Columns) - 1; break;
    case 'H':
    case 'f':
        screen.row = min(n, Rows) - 1;
        screen.column = min(max(screen.parameters[1], 1U), Columns) - 1;
        break;
    case 'J':
        if (first == 0)
            fill(here, Cells - here);
        else if (first == 1)
            fill(0, here + 1);
        else
            fill(0, Cells);
        break;
    case 'K':
        if (first == 0)
            fill(here, Columns - screen.column);
        else if (first == 1)
            fill(screen.row * Columns, screen.column + 1);
        else
            fill(screen.row * Columns, Columns);
        break;
    case 'E': screen.row = min(screen.row + n, Rows - 1), screen.column = 0; break;
    case 'F': screen.row -= min(n, screen.row), screen.column = 0; break;
    case '`': screen.column = min(n, Columns) - 1; break;
    case 'd': screen.row = min(n, Rows) - 1; break;
    case '@': shift_cells(n, true); break;
    case 'P': shift_cells(n, false); break;
    case 'X': fill(here, min(n, Columns - screen.column)); break;
    case 'L':
    case 'M':
        if (screen.row >= screen.top && screen.row < screen.bottom) shift_lines(screen.row, n, final == 'L');
        break;
    case 'S': shift_lines(screen.top, n, false); break;
    case 'T': shift_lines(screen.top, n, true); break;
    case 'r': {
        unsigned bottom = screen.parameters[1] ? min(screen.parameters[1], Rows) : Rows;
        if (n >= bottom) break; // a region has two lines at least
        screen.top = n - 1, screen.bottom = bottom;
        screen.row = screen.column = 0;
        break;
    }
    case 'm': set_attribute(); break;
    case 's': screen.saved_row = screen.row, screen.saved_column = screen.column; break;
    case 'u': screen.row = screen.saved_row, screen.column = screen.saved_column; break;
    default: break; // the rest has no effect on a text screen
    }
}

void put(char c) {
    switch (screen.state) {
    case Screen::State::Escape:
        screen.state = Screen::State::Text;
        switch (c) {
        case '7': screen.saved_row = screen.row, screen.saved_column = screen.column; break;
        case '8': screen.row = screen.saved_row, screen.column = screen.saved_column; break;
        case 'D': line_feed(); break;
        case 'E': screen.column = 0, line_feed(); break;
        case 'M': reverse_line_feed(); break;
        case '(':
        case ')': screen.state = Screen::State::Designate; break;
        default: break;
        }
        if (c == '[') {
            screen.state = Screen::State::Parameters;
            memset(screen.parameters, 0, sizeof screen.parameters);
            screen.parameter_count = 0;
            screen.private_sequence = false;
        }
        return;
    case Screen::State::Parameters:
        if (c >= '0' && c <= '9') {
            if (!screen.parameter_count) screen.parameter_count = 1;
            unsigned& value = screen.parameters[screen.parameter_count - 1];
            value = min(value * 10 + static_cast<unsigned>(c - '0'), 9999U);
        } else if (c == ';') {
            if (!screen.parameter_count) screen.parameter_count = 1;
            if (screen.parameter_count < array_size(screen.parameters)) screen.parameter_count++;
        } else if (c == '?') {
            screen.private_sequence = true;
        } else {
            screen.state = Screen::State::Text;
            if (!screen.private_sequence) control_sequence(c);
        }
        return;
    case Screen::State::Designate:
        screen.state = Screen::State::Text;
        return; // a character set: there is one
    case Screen::State::Text: break;
    }
    switch (c) {
    case '\n': line_feed(); break;
    case '\r': screen.column = 0; break;
    case '\b':
        screen.column = min(screen.column, Columns - 1);
        screen.column -= screen.column > 0;
        break;
    case '\t': screen.column = min((screen.column + 8) & ~7U, Columns - 1); break;
    case '\a': break;
    case '\033': screen.state = Screen::State::Escape; break;
    default:
        if (static_cast<u8>(c) < 32) break;
        if (screen.column == Columns) {
            screen.column = 0;
            line_feed();
        }
        set_cell(screen.row, screen.column, static_cast<u16>(screen.attribute << 8 | static_cast<u8>(c)));
        screen.column++;
    }
}

void write(const char* text, usize size) {
    for (usize i = 0; i < size; i++) {
        if (text[i] == '\n' && (i == 0 || text[i - 1] != '\r')) put('\r');
        put(text[i]);
    }
    show_cursor();
}

constinit struct console vga_console{"tty0", write};

} // namespace

void con_init() {
    screen.origin = 0;
    show_origin();
    crtc(0x0a, 13); // an underline cursor
    crtc(0x0b, 14);
    fill(0, Cells);
    register_console(vga_console, true);
}

} // namespace kernel
