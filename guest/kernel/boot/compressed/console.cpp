// Messages of the decompressor: COM1 (as the firmware left it) and the POST port. Fatal ones also on the text
// screen.
#include "guest/kernel/boot/compressed/decompressor.h"
#include "roms/post_codes.h"

namespace vitrine::boot {

U8 port_in8(U16 port) {
    U8 value;
    asm volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
    return value;
}

void port_out8(U16 port, U8 value) { asm volatile("outb %0, %1" : : "a"(value), "Nd"(port)); }

void post_code(U8 code) { port_out8(0x80, code); }

static void put(char c) {
    // Bounded: a machine without COM1 reads FFh (ready) or never gets ready.
    for (unsigned spin = 0; spin < 100000 && !(port_in8(0x3fd) & 0x20); ++spin) {
    }
    port_out8(0x3f8, static_cast<U8>(c));
}

void print(const char* text) {
    for (; *text; ++text) {
        if (*text == '\n') put('\r');
        put(*text);
    }
}

void print_hex(U64 value) {
    char digits[17];
    unsigned at = 16;
    digits[at] = 0;
    do {
        digits[--at] = "0123456789abcdef"[value & 15];
        value >>= 4;
    } while (value);
    print(digits + at);
}

void fail(const char* why) {
    post_code(vitrine::roms::post::FatalDecompressor);
    print("Decompressor: ");
    print(why);
    print(". Halted.\n");
    volatile U16* cell = reinterpret_cast<volatile U16*>(0xb8000ul);
    const auto draw = [&](const char* part) {
        for (; *part; ++part) *cell++ = static_cast<U16>(0x4f00 | static_cast<U8>(*part)); // white on red
    };
    draw("Decompressor: ");
    draw(why);
    draw(". Halted.");
    for (;;) asm volatile("cli; hlt");
}

} // namespace vitrine::boot
