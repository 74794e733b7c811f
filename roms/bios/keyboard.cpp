// The 8042, IRQ 1 and INT 16h: set-1 scan codes (translated by the 8042) → the ring at 40:1E, US layout.
//
// Inaccuracies: INT 15h/4Fh (keyboard intercept) is not called; Pause and Print Screen are dropped.
#include "roms/bios/bios.h"

namespace vitrine::bios {
namespace {

constexpr U8 Shift = 0x03, Control = 0x04, Alt = 0x08, ScrollLock = 0x10, NumLock = 0x20, CapsLock = 0x40;

// ASCII by scan code 00h–39h.
constexpr char Plain[] = "\0\x1b"
                         "1234567890-=\b\tqwertyuiop[]\r\0asdfghjkl;'`\0\\zxcvbnm,./\0*\0 ";
constexpr char Shifted[] = "\0\x1b"
                           "!@#$%^&*()_+\b\0QWERTYUIOP{}\r\0ASDFGHJKL:\"~\0|ZXCVBNM<>?\0*\0 ";
static_assert(sizeof Plain == 0x3a + 1 && sizeof Shifted == 0x3a + 1);
constexpr char KeypadDigits[] = "789-456+1230."; // scan codes 47h–53h

bool wait_input_empty() {
    for (U32 spin = 0; spin < 100000; ++spin)
        if (!(in8(0x64) & 2)) return true;
    return false;
}
/// A byte from the controller or keyboard; −1 when none comes.
int read_answer() {
    for (U32 spin = 0; spin < 100000; ++spin)
        if (in8(0x64) & 1) return in8(0x60);
    return -1;
}
void controller_command(U8 command) {
    wait_input_empty();
    out8(0x64, command);
}
void keyboard_byte(U8 byte) {
    wait_input_empty();
    out8(0x60, byte);
}

void store(U16 key) {
    const U16 tail = memory<U16>(bda::KeyboardTail);
    U16 next = static_cast<U16>(tail + 2);
    if (next >= memory<U16>(bda::KeyboardEnd)) next = memory<U16>(bda::KeyboardStart);
    if (next == memory<U16>(bda::KeyboardHead)) return; // full
    memory<U16>(0x400u + tail) = key;
    memory<U16>(bda::KeyboardTail) = next;
}

/// The modifiers; true when the scan code was one.
bool modifier(U8 code, bool released, bool extended) {
    volatile U8& flags = memory<U8>(bda::KeyboardFlags);
    const auto hold = [&](U8 bit) { flags = static_cast<U8>(released ? flags & ~bit : flags | bit); };
    const auto toggle = [&](U8 bit) {
        if (!released) flags = static_cast<U8>(flags ^ bit);
    };
    switch (code) {
    case 0x2a:
        if (!extended) hold(0x02);
        return true; // E0 2A: a fake shift around grey keys
    case 0x36:
        if (!extended) hold(0x01);
        return true;
    case 0x1d: hold(Control); return true;
    case 0x38: hold(Alt); return true;
    case 0x3a: toggle(CapsLock); return true;
    case 0x45: toggle(NumLock); return true;
    case 0x46: toggle(ScrollLock); return true;
    default: return false;
    }
}

U16 function_key(U8 code, U8 flags) {
    // F1–F10: 3B plain, 54 shift, 5E control, 68 alt; F11 and F12: 85, 87, 89, 8B.
    if (code >= 0x57)
        return static_cast<U16>((code - 0x57 +
                                 (flags & Alt       ? 0x8b
                                  : flags & Control ? 0x89
                                  : flags & Shift   ? 0x87
                                                    : 0x85))
                                << 8);
    const U8 base = flags & Alt ? 0x68 : flags & Control ? 0x5e : flags & Shift ? 0x54 : 0x3b;
    return static_cast<U16>((code - 0x3b + base) << 8);
}

U16 keypad_key(U8 code, U8 flags, bool extended) {
    constexpr U8 control[13] = {0x77, 0x8d, 0x84, 0x8e, 0x73, 0x8f, 0x74, 0x90, 0x75, 0x91, 0x76, 0x92, 0x93};
    const U8 index = static_cast<U8>(code - 0x47);
    const U8 mark = extended ? 0xe0 : 0;
    if (!extended && (code == 0x4a || code == 0x4e)) return static_cast<U16>(code << 8 | KeypadDigits[index]);
    if (flags & Control) return static_cast<U16>(control[index] << 8 | mark);
    if (flags & Alt) return extended ? static_cast<U16>((code + 0x50) << 8) : 0;
    if (!extended && ((flags & NumLock) != 0) != ((flags & Shift) != 0))
        return static_cast<U16>(code << 8 | KeypadDigits[index]);
    return static_cast<U16>(code << 8 | mark);
}

U16 translate(U8 code, U8 flags, bool extended) {
    if (extended && code == 0x1c)
        return flags & Alt ? 0xa600 : static_cast<U16>(0xe000 | (flags & Control ? 0x0a : 0x0d));
    if (extended && code == 0x35) return flags & Alt ? 0xa400 : flags & Control ? 0x9500 : 0xe02f;
    if ((code >= 0x3b && code <= 0x44) || code == 0x57 || code == 0x58) return function_key(code, flags);
    if (code >= 0x47 && code <= 0x53) return keypad_key(code, flags, extended);
    if (extended || code > 0x39) return 0;

    const char plain = Plain[code];
    const bool letter = plain >= 'a' && plain <= 'z';
    if (flags & Alt) {
        if (code >= 0x02 && code <= 0x0d) return static_cast<U16>((code + 0x76) << 8); // the digit row
        if (code == 0x39) return 0x3920;
        return static_cast<U16>(code << 8);
    }
    if (flags & Control) {
        if (letter) return static_cast<U16>(code << 8 | (plain & 0x1f));
        switch (code) {
        case 0x03: return 0x0300; // ^@
        case 0x07: return 0x071e;
        case 0x0c: return 0x0c1f;
        case 0x0e: return 0x0e7f;
        case 0x0f: return 0x9400;
        case 0x1a: return 0x1a1b;
        case 0x1b: return 0x1b1d;
        case 0x1c: return 0x1c0a;
        case 0x2b: return 0x2b1c;
        case 0x01:
        case 0x39: return static_cast<U16>(code << 8 | static_cast<U8>(plain));
        default: return 0;
        }
    }
    bool shifted = flags & Shift;
    if (letter && flags & CapsLock) shifted = !shifted;
    const U8 ascii = static_cast<U8>(shifted ? Shifted[code] : plain);
    if (code == 0x0f && shifted) return 0x0f00;
    return ascii ? static_cast<U16>(code << 8 | ascii) : 0;
}

} // namespace

void keyboard_init() {
    for (U32 i = 0; i < 16 && in8(0x64) & 1; ++i) (void)in8(0x60);
    controller_command(0xaa);
    if (read_answer() != 0x55) {
        debug("8042: self-test failed or no controller; no keyboard");
        return;
    }
    controller_command(0xae); // keyboard port on
    keyboard_byte(0xff);      // reset: FA, then AA when it is well
    if (read_answer() == 0xfa) (void)read_answer();
    keyboard_byte(0xf4); // scanning on
    (void)read_answer();
    controller_command(0x60); // command byte: translation, system flag, mouse clock off, keyboard interrupt
    keyboard_byte(0x65);
    wait_input_empty();
}

void keyboard_interrupt() {
    if (in8(0x64) & 1) {
        const U8 byte = in8(0x60);
        volatile U8& state = memory<U8>(bda::KeyboardFlags3);
        if (byte == 0xe0)
            state = state | 2;
        else if (byte == 0xe1)
            state = state | 1; // Pause: E1 1D 45 E1 9D C5, swallowed below
        else {
            const bool extended = state & 2, pause = state & 1;
            const U8 code = byte & 0x7f;
            if (!(pause && code == 0x1d)) state = static_cast<U8>(state & ~3);
            if (!pause && byte != 0xfa && byte != 0xfe && byte != 0xaa &&
                !modifier(code, byte & 0x80, extended) && !(byte & 0x80)) {
                const U8 flags = memory<U8>(bda::KeyboardFlags);
                if (code == 0x53 && (flags & (Control | Alt)) == (Control | Alt)) {
                    memory<U16>(bda::ResetFlag) = 0x1234; // warm start
                    out8(0xcf9, 0x06);
                }
                if (const U16 key = translate(code, flags, extended)) store(key);
            }
        }
    }
    out8(0x20, 0x20);
}

// INT 16h. AH=1x are the enhanced functions; the old ones hide grey keys' E0 mark.
Outcome keyboard_service(Frame& frame) {
    const bool enhanced = frame.a.h & 0x10;
    switch (frame.a.h) {
    case 0x00:
    case 0x10:
    case 0x01:
    case 0x11: {
        const bool wait = !(frame.a.h & 1);
        const U16 head = memory<U16>(bda::KeyboardHead);
        if (head == memory<U16>(bda::KeyboardTail)) {
            if (wait) return Outcome::WaitForInterrupt;
            frame.set_zero(true);
            break;
        }
        U16 key = memory<U16>(0x400u + head);
        if (!enhanced && (key & 0xff) == 0xe0) key &= 0xff00;
        if (!enhanced && (key >> 8) == 0xe0)
            key = static_cast<U16>((key & 0xff) | ((key & 0xff) == '/' ? 0x3500 : 0x1c00));
        frame.a.x = key;
        if (wait) {
            U16 next = static_cast<U16>(head + 2);
            if (next >= memory<U16>(bda::KeyboardEnd)) next = memory<U16>(bda::KeyboardStart);
            memory<U16>(bda::KeyboardHead) = next;
        } else
            frame.set_zero(false);
        break;
    }
    case 0x02: frame.a.l = memory<U8>(bda::KeyboardFlags); break;
    case 0x03: // typematic rate (BL) and delay (BH): keyboard command F3h, acknowledged twice
        if (frame.a.l != 0x05) {
            unsupported(frame);
            break;
        }
        keyboard_byte(0xf3);
        (void)read_answer();
        keyboard_byte(static_cast<U8>((frame.b.h & 3) << 5 | (frame.b.l & 0x1f)));
        (void)read_answer();
        break;
    case 0x12:
        frame.a.x = static_cast<U16>(memory<U8>(bda::KeyboardFlags) | memory<U8>(bda::KeyboardFlags2) << 8);
        break;
    case 0x05: {
        const U16 before = memory<U16>(bda::KeyboardTail);
        store(frame.c.x);
        frame.a.l = memory<U16>(bda::KeyboardTail) == before; // 1: the buffer is full
        break;
    }
    default: unsupported(frame);
    }
    return Outcome::Done;
}

bool keyboard_take(U16& key) {
    const U16 head = memory<U16>(bda::KeyboardHead);
    if (head == memory<U16>(bda::KeyboardTail)) return false;
    key = memory<U16>(0x400u + head);
    U16 next = static_cast<U16>(head + 2);
    if (next >= memory<U16>(bda::KeyboardEnd)) next = memory<U16>(bda::KeyboardStart);
    memory<U16>(bda::KeyboardHead) = next;
    return true;
}

} // namespace vitrine::bios
