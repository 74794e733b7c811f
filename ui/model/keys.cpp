// Key tables: see keys.h. Usages: USB HID Usage Tables, keyboard page 07h. Codes: IBM PS/2 Technical
// Reference, set 1.
#include "ui/model/keys.h"
#include <array>

namespace vitrine::ui {

namespace {

constexpr u8 Extended = 0x80; ///< in the table: the code follows an E0 prefix

/// Index: usage; value: set 1 make code (bit 7: E0 first); 0: none.
constexpr std::array<u8, 256> make_table() {
    std::array<u8, 256> t{};
    constexpr u8 letters[26] = {0x1E, 0x30, 0x2E, 0x20, 0x12, 0x21, 0x22, 0x23, 0x17, 0x24, 0x25, 0x26, 0x32,
                                0x31, 0x18, 0x19, 0x10, 0x13, 0x1F, 0x14, 0x16, 0x2F, 0x11, 0x2D, 0x15, 0x2C};
    for (unsigned i = 0; i < 26; ++i) t[0x04 + i] = letters[i];
    for (unsigned i = 0; i < 10; ++i) t[0x1E + i] = static_cast<u8>(0x02 + i); // 1 … 9, 0
    // Enter, Esc, Backspace, Tab, Space, - = [ ] backslash, (non-US #), ; ' ` , . / CapsLock
    constexpr u8 middle[] = {0x1C, 0x01, 0x0E, 0x0F, 0x39, 0x0C, 0x0D, 0x1A, 0x1B,
                             0x2B, 0x2B, 0x27, 0x28, 0x29, 0x33, 0x34, 0x35, 0x3A};
    for (unsigned i = 0; i < sizeof middle; ++i) t[0x28 + i] = middle[i];
    for (unsigned i = 0; i < 10; ++i) t[0x3A + i] = static_cast<u8>(0x3B + i); // F1 … F10
    t[0x44] = 0x57, t[0x45] = 0x58;                                            // F11, F12
    t[0x47] = 0x46;                                                            // Scroll Lock
    // Insert Home PageUp Delete End PageDown Right Left Down Up
    constexpr u8 navigation[] = {0x52, 0x47, 0x49, 0x53, 0x4F, 0x51, 0x4D, 0x4B, 0x50, 0x48};
    for (unsigned i = 0; i < sizeof navigation; ++i) t[0x49 + i] = navigation[i] | Extended;
    t[0x53] = 0x45;            // Num Lock
    t[0x54] = 0x35 | Extended; // keypad / * - + Enter, 1 … 9, 0, .
    t[0x55] = 0x37, t[0x56] = 0x4A, t[0x57] = 0x4E;
    t[0x58] = 0x1C | Extended;
    constexpr u8 keypad[] = {0x4F, 0x50, 0x51, 0x4B, 0x4C, 0x4D, 0x47, 0x48, 0x49, 0x52, 0x53};
    for (unsigned i = 0; i < sizeof keypad; ++i) t[0x59 + i] = keypad[i];
    t[0x64] = 0x56;            // the key left of Z on ISO keyboards
    t[0x65] = 0x5D | Extended; // Menu
    // Control, Shift, Alt, GUI: left, then right
    t[0xE0] = 0x1D, t[0xE1] = 0x2A, t[0xE2] = 0x38, t[0xE3] = 0x5B | Extended;
    t[0xE4] = 0x1D | Extended, t[0xE5] = 0x36, t[0xE6] = 0x38 | Extended, t[0xE7] = 0x5C | Extended;
    return t;
}
constexpr std::array<u8, 256> Table = make_table();

} // namespace

std::vector<u8> set1_scancodes(unsigned usb_usage, bool down) {
    if (usb_usage >= Table.size() || Table[usb_usage] == 0) return {};
    const u8 entry = Table[usb_usage];
    const u8 code = static_cast<u8>((entry & 0x7F) | (down ? 0 : 0x80));
    if (entry & Extended) return {0xE0, code};
    return {code};
}

std::string terminal_bytes(unsigned usb_usage, bool control) {
    if (control && usb_usage >= 0x04 && usb_usage < 0x04 + 26)
        return std::string(1, static_cast<char>(usb_usage - 0x04 + 1));
    switch (usb_usage) {
    case 0x28:
    case 0x58: return "\r";
    case 0x29: return "\x1B";
    case 0x2A: return "\x7F";
    case 0x2B: return "\t";
    case 0x49: return "\x1B[2~";
    case 0x4A: return "\x1B[H";
    case 0x4B: return "\x1B[5~";
    case 0x4C: return "\x1B[3~";
    case 0x4D: return "\x1B[F";
    case 0x4E: return "\x1B[6~";
    case 0x4F: return "\x1B[C";
    case 0x50: return "\x1B[D";
    case 0x51: return "\x1B[B";
    case 0x52: return "\x1B[A";
    default: return {};
    }
}

} // namespace vitrine::ui
