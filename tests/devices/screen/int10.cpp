// Asks INT 10h for each display mode, draws in it by the same door, and waits for a byte on COM1: what the
// screen shows and what the services said is compared with other firmware's (compare.py --int10). Real mode;
// int10_boot.S loads it.
//
// Fonts differ, so that characters are the full block (DBh) and blanks; modes as in the IBM PS/2 and PC BIOS
// Interface Technical Reference.
#include <stdint.h>

namespace {
using u8 = uint8_t;
using u16 = uint16_t;
using u32 = uint32_t;

struct Registers {
    u16 ax, bx = 0, cx = 0, dx = 0, es = 0, bp = 0;
};
extern "C" void int10(Registers* registers);
Registers call(Registers registers) {
    int10(&registers);
    return registers;
}

void out8(u16 port, u8 value) { asm volatile("outb %0, %1" : : "a"(value), "Nd"(port)); }
u8 in8(u16 port) {
    u8 value;
    asm volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
    return value;
}
void put(char c) {
    while (!(in8(0x3FD) & 0x20)) {
    }
    out8(0x3F8, static_cast<u8>(c));
}
void text(const char* text) {
    while (*text) put(*text++);
}
void hex(u32 value, u32 digits) {
    while (digits-- != 0) put("0123456789abcdef"[value >> (4 * digits) & 15]);
}
void show(const char* name) {
    text("SHOW "), text(name), put('\n');
    while (!(in8(0x3FD) & 1)) {
    }
    in8(0x3F8);
}
u8 bda(u32 offset) { return *reinterpret_cast<volatile u8*>(0x400 + offset); }

/// What software finds in the data area: mode, columns, rows, height of a character.
void facts(const char* name) {
    text("FACT "), text(name), put(' ');
    hex(bda(0x49), 2), put(' '), hex(bda(0x4A), 2), put(' '), hex(bda(0x84), 2), put(' '), hex(bda(0x85), 2),
        put(' ');
    const Registers now = call({0x0F00});
    hex(now.ax, 4), put(' '), hex(now.bx >> 8, 2), put('\n');
}

void blocks(u16 page, u8 row, u8 column, u8 attribute, u16 count) {
    call({0x0200, page, 0, static_cast<u16>(row << 8 | column)});
    call({0x09DB, static_cast<u16>(page | attribute), count, 0});
}

void text_mode(u16 mode, const char* name, u16 font) {
    call({mode});
    if (font != 0) call({font});
    call({0x0100, 0, 0x2000}); // no cursor
    call({0x1003, 0});         // bright backgrounds, nothing blinks
    const u8 columns = bda(0x4A), rows = bda(0x84);
    for (u8 row = 0; row <= rows; ++row)
        blocks(0, row, static_cast<u8>(row % 20), static_cast<u8>(row * 7 + 1),
               static_cast<u16>(columns - 20));
    call({0x0602, 0x5000, 0x0305, 0x0A15}); // up by two in a window
    call({0x0701, 0x2000, 0x0C02, 0x1214}); // down by one in another
    facts(name);
    call({0x0200, 0, 0, 0x0503});
    text("FACT cell "), hex(call({0x0800}).ax, 4), put('\n');
    show(name);
}

void graphics_mode(u16 mode, const char* name, u16 width, u16 height, u8 colors) {
    call({mode});
    u32 sum = 0;
    for (u16 y = 0; y < height; y = static_cast<u16>(y + 3))
        for (u16 x = static_cast<u16>(y % 4); x < width; x = static_cast<u16>(x + 4))
            call({static_cast<u16>(0x0C00 | ((x / 4 + y / 3) & (colors - 1))), 0, x, y});
    for (u16 i = 0; i < 60; ++i) // exclusive-or twice over a part
        for (u16 k = 0; k < 20; ++k)
            call({static_cast<u16>(0x0C00 | (0x83)), 0, static_cast<u16>(100 + i), static_cast<u16>(50 + k)});
    for (u16 i = 0; i < 200; ++i)
        sum = sum * 31 + (call({0x0D00, 0, static_cast<u16>(i * 3 % width), static_cast<u16>(i)}).ax & 0xFF);
    text("FACT points "), hex(sum, 8), put('\n');
    blocks(0, 2, 3, 2, 5), blocks(0, 3, 4, 1, 2), blocks(0, 3, 5, 0x83, 1);
    call({0x0602, 0, 0x0808, 0x0C14});
    call({0x0701, 0x0000, 0x0E08, 0x1214});
    facts(name);
    show(name);
}

} // namespace

extern "C" void program() {
    out8(0x3F9, 0), out8(0x3FB, 3), out8(0x3FA, 0);
    text_mode(0x01, "40x25 text", 0);
    text_mode(0x03, "80x25 text", 0);
    text_mode(0x03, "80x50 text", 0x1112);
    text_mode(0x03, "80x28 text", 0x1111);
    graphics_mode(0x04, "04h", 320, 200, 4);
    graphics_mode(0x06, "06h", 640, 200, 2);
    graphics_mode(0x0D, "0Dh", 320, 200, 16);
    graphics_mode(0x0E, "0Eh", 640, 200, 16);
    graphics_mode(0x10, "10h", 640, 350, 16);
    graphics_mode(0x11, "11h", 640, 480, 16);
    graphics_mode(0x12, "12h", 640, 480, 16);
    graphics_mode(0x13, "13h", 320, 200, 128);
    show("end");
    for (;;) asm volatile("hlt");
}
extern "C" void* memset(void* to, int value, unsigned count) {
    for (unsigned i = 0; i < count; ++i) static_cast<volatile u8*>(to)[i] = static_cast<u8>(value);
    return to;
}
extern "C" void* memcpy(void* to, const void* from, unsigned count) {
    for (unsigned i = 0; i < count; ++i) static_cast<volatile u8*>(to)[i] = static_cast<const u8*>(from)[i];
    return to;
}
