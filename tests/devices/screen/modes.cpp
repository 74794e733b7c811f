// Draws one picture a display mode, by VGA registers alone, and waits for a byte on COM1 after each: what
// both screens show is compared by compare.py. Runs as firmware (tests/privileged/reset.S copies it to
// 100000h, 32-bit, flat).
//
// Modes are the standard ones of the IBM PS/2 Technical Reference (video subsystem); "mode X" is 320x240
// unchained.
#include <stdint.h>

namespace {
using u8 = uint8_t;
using u16 = uint16_t;
using u32 = uint32_t;

void out8(u16 port, u8 value) { asm volatile("outb %0, %1" : : "a"(value), "Nd"(port)); }
void out16(u16 port, u16 value) { asm volatile("outw %0, %1" : : "a"(value), "Nd"(port)); }
u8 in8(u16 port) {
    u8 value;
    asm volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
    return value;
}
volatile u8& window(u32 offset) { return *reinterpret_cast<volatile u8*>(0xA0000 + offset); }

void put(char c) {
    while (!(in8(0x3FD) & 0x20)) {
    }
    out8(0x3F8, static_cast<u8>(c));
}
void show(const char* name) {
    for (const char* text = "SHOW "; *text;) put(*text++);
    while (*name) put(*name++);
    put('\n');
    while (!(in8(0x3FD) & 1)) {
    }
    in8(0x3F8);
}

void sequencer(u8 index, u8 value) { out16(0x3C4, static_cast<u16>(index | value << 8)); }
void graphics(u8 index, u8 value) { out16(0x3CE, static_cast<u16>(index | value << 8)); }
void crtc(u8 index, u8 value) { out16(0x3D4, static_cast<u16>(index | value << 8)); }
void attribute(u8 index, u8 value) {
    in8(0x3DA);
    out8(0x3C0, index);
    out8(0x3C0, value);
    in8(0x3DA);
    out8(0x3C0, 0x20);
}

struct Mode {
    u8 miscellaneous, sequencer[4], crtc[25], graphics[9], attribute_mode, columns_pan;
};
constexpr Mode Text80{0x67,
                      {0x00, 0x03, 0x00, 0x02},
                      {0x5F, 0x4F, 0x50, 0x82, 0x55, 0x81, 0xBF, 0x1F, 0x00, 0x4F, 0x20, 0x00, 0x00,
                       0x00, 0x00, 0x00, 0x9C, 0x8E, 0x8F, 0x28, 0x1F, 0x96, 0xB9, 0xA3, 0xFF},
                      {0, 0, 0, 0, 0, 0x10, 0x0E, 0, 0xFF},
                      0x04,
                      0x08};
constexpr Mode Planar480{0xE3,
                         {0x01, 0x0F, 0x00, 0x06},
                         {0x5F, 0x4F, 0x50, 0x82, 0x54, 0x80, 0x0B, 0x3E, 0x00, 0x40, 0x00, 0x00, 0x00,
                          0x00, 0x00, 0x00, 0xEA, 0x8C, 0xDF, 0x28, 0x00, 0xE7, 0x04, 0xE3, 0xFF},
                         {0, 0, 0, 0, 0, 0x00, 0x05, 0x0F, 0xFF},
                         0x01,
                         0x00};
constexpr Mode Chained{0x63,
                       {0x01, 0x0F, 0x00, 0x0E},
                       {0x5F, 0x4F, 0x50, 0x82, 0x54, 0x80, 0xBF, 0x1F, 0x00, 0x41, 0x00, 0x00, 0x00,
                        0x00, 0x00, 0x00, 0x9C, 0x8E, 0x8F, 0x28, 0x40, 0x96, 0xB9, 0xA3, 0xFF},
                       {0, 0, 0, 0, 0, 0x40, 0x05, 0x0F, 0xFF},
                       0x41,
                       0x00};

void set(const Mode& mode) {
    out8(0x3C2, mode.miscellaneous);
    sequencer(0, 1);
    for (u8 i = 0; i < 4; ++i) sequencer(static_cast<u8>(i + 1), mode.sequencer[i]);
    sequencer(0, 3);
    crtc(0x11, 0x0E);
    for (u8 i = 0; i < 25; ++i) crtc(i, mode.crtc[i]);
    crtc(0x11, mode.crtc[0x11] & 0x7F); // pictures change timing registers one by one
    for (u8 i = 0; i < 9; ++i) graphics(i, mode.graphics[i]);
    for (u8 i = 0; i < 16; ++i) {
        in8(0x3DA);
        out8(0x3C0, i); // the palette is written while the screen is off
        out8(0x3C0, i);
    }
    attribute(0x10, mode.attribute_mode);
    attribute(0x11, 0);
    attribute(0x12, 0x0F);
    attribute(0x13, mode.columns_pan);
    attribute(0x14, 0);
    out8(0x3C6, 0xFF);
    out8(0x3C8, 0);
    for (u32 i = 0; i < 256; ++i) { // no two alike
        out8(0x3C9, static_cast<u8>(i & 63));
        out8(0x3C9, static_cast<u8>((i * 5 + (i >> 6)) & 63));
        out8(0x3C9, static_cast<u8>((63 - i * 3) & 63));
    }
}

/// All planes of the 64 KiB window.
void clear() {
    sequencer(2, 0x0F);
    graphics(1, 0), graphics(3, 0), graphics(5, 0), graphics(6, 5), graphics(8, 0xFF);
    sequencer(4, 6);
    for (u32 i = 0; i < 0x10000; ++i) window(i) = 0;
}

/// A font of `height` lines with its own picture for each character.
void font(u32 height) {
    sequencer(2, 4), sequencer(4, 6), graphics(4, 2), graphics(5, 0), graphics(6, 5);
    for (u32 c = 0; c < 256; ++c)
        for (u32 y = 0; y < 32; ++y)
            window(c * 32 + y) = static_cast<u8>(y >= height ? 0xFF : (c * 0x35 + y * (c | 1)) ^ c >> 3);
    sequencer(2, 3), sequencer(4, 2), graphics(4, 0), graphics(5, 0x10), graphics(6, 0x0E);
}
/// Without B0h–BFh: the card leaves their ninth dot blank, QEMU draws it as for line graphics (C0h–DFh).
u32 character(u32 code) { return code >> 4 == 0xB ? code ^ 0x40 : code; }
void text(u32 columns, u32 rows) {
    auto* cells = reinterpret_cast<volatile u16*>(0xB8000);
    for (u32 i = 0; i < columns * (rows + 4); ++i)
        cells[i] = static_cast<u16>((i * 7 + i / columns) << 8 | character(i & 0xFF));
}

void draw_text() {
    set(Text80), clear(), set(Text80), font(16), text(80, 25);
    show("text 80x25, nine dots");
    crtc(0x0D, 160), crtc(0x13, 0x2A);
    show("text, from row 2, of a wider page");
    set(Text80), text(80, 50), font(8);
    crtc(9, 0x47);
    show("text 80x50");
    set(Text80), font(14);
    crtc(9, 0x4D), crtc(0x12, 0x5D); // 350 lines
    show("text 80x25, 350 lines");
    set(Text80), font(16);
    sequencer(1, 0x09);
    crtc(0, 0x2D), crtc(1, 0x27), crtc(0x13, 0x14), text(40, 25);
    show("text 40x25, eight dots");
    sequencer(3, 0x10 | 0x04); // two fonts, chosen by attribute bit 3
    show("text of two fonts");
}

/// What the graphics controller can do with a byte, column by column.
void planes(u32 pitch, u32 lines) {
    for (u32 y = 0; y < lines; ++y) {
        const u32 row = y * pitch;
        graphics(5, 0), graphics(1, 0), graphics(3, 0), graphics(8, 0xFF);
        for (u32 p = 0; p < 4; ++p) { // write mode 0, one plane after the other
            sequencer(2, static_cast<u8>(1 << p));
            for (u32 x = 0; x < pitch / 2; ++x)
                window(row + x) = static_cast<u8>(y * (p + 1) + x * 17 * (p + 3));
        }
        sequencer(2, 0x0F);
        for (u32 x = pitch / 2; x < pitch; ++x) {
            const u8 value = static_cast<u8>(x * 29 + y);
            switch (x % 8) {
            case 0: // set/reset in some planes, the rest from the processor, rotated
                graphics(0, static_cast<u8>(y & 15)), graphics(1, 0x05), graphics(3, static_cast<u8>(y & 7));
                window(row + x) = value;
                graphics(1, 0), graphics(3, 0);
                break;
            case 1:
            case 2:
            case 3: // AND, OR, XOR with the latches of another place, under a bit mask
                graphics(3, static_cast<u8>((x % 8) << 3 | (y >> 2 & 7))),
                    graphics(8, static_cast<u8>(0x3C ^ y));
                window(row + x - pitch / 2);
                window(row + x) = value;
                graphics(3, 0), graphics(8, 0xFF);
                break;
            case 4: // write mode 1 copies
                window(row + x - pitch / 2 + 1);
                graphics(5, 1);
                window(row + x) = value;
                graphics(5, 0);
                break;
            case 5: // write mode 2: a colour
                graphics(5, 2), graphics(8, static_cast<u8>(0xF0 >> (y & 7)));
                window(row + x - 1);
                window(row + x) = static_cast<u8>(y >> 3);
                graphics(5, 0), graphics(8, 0xFF);
                break;
            case 6: // write mode 3: the byte is a mask, set/reset the colour
                graphics(5, 3), graphics(0, static_cast<u8>(y >> 2 & 15)),
                    graphics(3, static_cast<u8>(y & 3));
                window(row + x - 1);
                window(row + x) = value;
                graphics(5, 0), graphics(3, 0);
                break;
            default: { // read modes: plane `y`, then the compare; a map mask for the write
                graphics(4, static_cast<u8>(y & 3));
                const u8 plane = window(row + x - pitch / 2);
                graphics(5, 8), graphics(2, static_cast<u8>(y & 15)), graphics(7, static_cast<u8>(x & 15));
                const u8 equal = window(row + x - pitch / 2);
                graphics(5, 0), graphics(4, 0);
                sequencer(2, 0x03);
                window(row + x) = plane;
                sequencer(2, 0x0C);
                window(row + x) = equal;
                sequencer(2, 0x0F);
            }
            }
        }
    }
}

void draw_planar() {
    set(Planar480), clear(), set(Planar480), planes(80, 480);
    show("planar 640x480 (12h)");
    attribute(0x12, 0x0B);
    show("planar, without plane 2");
    attribute(0x12, 0x0F), attribute(0x14, 0x0C);
    show("planar, colour select 6 and 7");
    attribute(0x10, 0x81), attribute(0x14, 0x05);
    show("planar, colour select 4 to 7");
    set(Planar480);
    crtc(0x0C, 0x10), crtc(0x0D, 0x07), crtc(0x18, 0x2F), crtc(7, 0x3E), crtc(9, 0x00);
    show("planar, split behind line 303, scrolled");
    set(Planar480);
    out8(0x3C2, 0xA3);
    crtc(0x12, 0x5D), crtc(0x10, 0x83), crtc(0x11, 0x85), crtc(7, 0x1F);
    show("planar 640x350 (10h)");
    set(Planar480), clear(), set(Planar480), planes(40, 400);
    out8(0x3C2, 0x63);
    sequencer(1, 0x09);
    crtc(0, 0x2D), crtc(1, 0x27), crtc(0x13, 0x14), crtc(9, 0xC0), crtc(0x12, 0x8F), crtc(7, 0x1F);
    show("planar 320x200 (0Dh)");
}

void draw_256() {
    set(Chained), clear(), set(Chained);
    for (u32 y = 0; y < 200; ++y)
        for (u32 x = 0; x < 320; ++x) window(y * 320 + x) = static_cast<u8>(x * y + (x ^ y));
    show("320x200, 256 colours (13h)");
    crtc(0x18, 0x63), crtc(7, 0x0F), crtc(9, 0x01), crtc(0x0D, 0x50); // split behind line 99
    show("13h, split and scrolled");
    set(Chained), clear(), set(Chained);
    // Mode X: unchained, byte addresses, 240 lines, two pages.
    sequencer(4, 0x06), out8(0x3C2, 0xE3);
    crtc(0x14, 0x00), crtc(0x17, 0xE3), crtc(0x06, 0x0D), crtc(0x07, 0x3E), crtc(0x10, 0xEA),
        crtc(0x11, 0xAC);
    crtc(0x12, 0xDF), crtc(0x15, 0xE7), crtc(0x16, 0x06);
    for (u32 p = 0; p < 4; ++p) {
        sequencer(2, static_cast<u8>(1 << p));
        for (u32 y = 0; y < 480; ++y)
            for (u32 x = 0; x < 80; ++x) window(y * 80 + x) = static_cast<u8>((x * 4 + p) * 3 + y * (y >> 3));
    }
    show("mode X, 320x240");
    crtc(0x0C, 0x4B); // the second page
    show("mode X, second page");
    sequencer(2, 0x0F), graphics(5, 0x41); // the latches copy four pixels at once
    for (u32 y = 0; y < 100; ++y)
        for (u32 x = 0; x < 40; ++x) {
            window(y * 80 + x);
            window(0x4B00 + (y + 70) * 80 + x + 20) = 0;
        }
    show("mode X, a block copied by the latches");
}

void draw_cga() {
    set(Chained), clear(), set(Chained);
    out8(0x3C2, 0x63);
    sequencer(1, 0x09), sequencer(4, 0x02), sequencer(2, 0x03);
    crtc(0, 0x2D), crtc(1, 0x27), crtc(9, 0xC1), crtc(0x13, 0x14), crtc(0x14, 0), crtc(0x17, 0xA2);
    graphics(5, 0x30), graphics(6, 0x0F), attribute(0x10, 0x01), attribute(0x12, 0x03);
    for (u32 i = 0; i < 0x4000; ++i) window(0x18000 + i) = static_cast<u8>(i * 13 + (i >> 7));
    show("320x200, 4 colours (04h)");
    sequencer(1, 0x01), sequencer(4, 0x06), sequencer(2, 0x01);
    crtc(0, 0x5F), crtc(1, 0x4F), crtc(0x13, 0x28), crtc(0x17, 0xC2);
    graphics(5, 0x00), graphics(6, 0x0D), attribute(0x12, 0x01);
    for (u32 i = 0; i < 0x4000; ++i) window(0x18000 + i) = static_cast<u8>(i * 11 + (i >> 5));
    show("640x200, 2 colours (06h)");
}

} // namespace

extern "C" {
[[noreturn, gnu::section(".start")]] void start() {
    out8(0x3F9, 0), out8(0x3FB, 3), out8(0x3FA, 0);
    draw_text();
    draw_planar();
    draw_256();
    draw_cga();
    show("end");
    out8(0xF4, 0x10);
    for (;;) asm volatile("hlt");
}
void* memset(void* to, int value, unsigned count) {
    void* const start = to;
    asm volatile("rep stosb" : "+D"(to), "+c"(count) : "a"(value) : "memory");
    return start;
}
void* memcpy(void* to, const void* from, unsigned count) {
    void* const start = to;
    asm volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(count) : : "memory");
    return start;
}
}
