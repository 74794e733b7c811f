// Keyboard input (IBM PS/2 technical reference: keyboard controller; scan code set 1).
#include "drivers/keyboard.h"

#include "arch/x86_64/cpu.h"
#include "drivers/tty.h"
#include "irq/irq.h"
#include "lib/log.h"

namespace kernel {
namespace {

constexpr char Plain[] = "\0\0331234567890-=\177\tqwertyuiop[]\n\0asdfghjkl;'`\0\\zxcvbnm,./\0*\0 ";
constexpr char Shifted[] = "\0\033!@#$%^&*()_+\177\tQWERTYUIOP{}\n\0ASDFGHJKL:\"~\0|ZXCVBNM<>?\0*\0 ";
constexpr u8 LeftShift = 0x2a, RightShift = 0x36, Control = 0x1d, Alt = 0x38, CapsLock = 0x3a;

constinit bool shift = false, control = false, alt = false, caps = false, extended = false;

void send(const char* text) {
    while (*text) tty_insert_flip_char(console_terminal, *text++);
    tty_flip_buffer_push(console_terminal);
}

void extended_key(u8 code) {
    switch (code) {
    case 0x48: send("\033[A"); break;
    case 0x50: send("\033[B"); break;
    case 0x4d: send("\033[C"); break;
    case 0x4b: send("\033[D"); break;
    case 0x47: send("\033[H"); break;
    case 0x4f: send("\033[F"); break;
    case 0x53: send("\033[3~"); break;
    case 0x49: send("\033[5~"); break;
    case 0x51: send("\033[6~"); break;
    case 0x1c: send("\n"); break;
    case 0x35: send("/"); break;
    default: break;
    }
}

void handle(u8 code) {
    if (code == 0xe0) {
        extended = true;
        return;
    }
    bool released = code & 0x80, was_extended = extended;
    extended = false;
    code &= 0x7f;
    if (code == Control)
        control = !released;
    else if (code == Alt)
        alt = !released;
    else if ((code == LeftShift || code == RightShift) && !was_extended)
        shift = !released;
    else if (code == CapsLock && !released)
        caps = !caps;
    else if (released)
        return;
    else if (was_extended)
        extended_key(code);
    else if (code < sizeof Plain - 1) {
        char c = Plain[code];
        bool letter = c >= 'a' && c <= 'z';
        if (shift != (caps && letter)) c = Shifted[code];
        if (!c) return;
        if (control && c >= 'A' - 1 && c <= 'z') c = static_cast<char>(c & 31);
        if (alt) tty_insert_flip_char(console_terminal, '\033');
        tty_insert_flip_char(console_terminal, c);
        tty_flip_buffer_push(console_terminal);
    }
}

void keyboard_interrupt(void*) {
    for (unsigned i = 0; i < 16; i++) {
        u8 status = in8(0x64);
        if (!(status & 1)) return;
        u8 byte = in8(0x60);
        if (!(status & 0x20)) handle(byte); // bit 5: it is the mouse's
    }
}

bool wait_input_empty() {
    for (unsigned tries = 0; tries < 100'000; tries++)
        if (!(in8(0x64) & 2)) return true;
    return false;
}

} // namespace

void i8042_init() {
    if (in8(0x64) == 0xff) {
        pr_info("i8042: no controller\n");
        return;
    }
    for (unsigned i = 0; i < 16 && (in8(0x64) & 1); i++) (void)in8(0x60);
    if (!request_irq(1, keyboard_interrupt, nullptr, "i8042").ok()) return;
    // Configuration byte: keyboard interrupt on, translation to set 1 on, keyboard clock on.
    if (!wait_input_empty()) return;
    out8(0x64, 0x20);
    for (unsigned tries = 0; tries < 100'000 && !(in8(0x64) & 1); tries++) cpu_relax();
    u8 configuration = in8(0x60);
    configuration = static_cast<u8>((configuration | 0x41) & ~0x10);
    if (!wait_input_empty()) return;
    out8(0x64, 0x60);
    if (!wait_input_empty()) return;
    out8(0x60, configuration);
    if (!wait_input_empty()) return;
    out8(0x64, 0xae);
    pr_info("i8042: keyboard on IRQ 1\n");
}

} // namespace kernel
