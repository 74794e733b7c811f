// The VGA's register sets for the modes that the firmware can make, its palettes, and the font in plane 2
// (IBM PS/2 Hardware Technical Reference, "Video Subsystem"; the register values are the standard ones).
#include "roms/bios/bios.h"

namespace vitrine::bios {
namespace {

struct ModeRegisters {
    U8 mode, miscellaneous;
    U8 sequencer[5], crtc[25], graphics[9], attribute[21];
};

constexpr ModeRegisters Modes[] = {
    {0x03,
     0x67,
     {0x03, 0x00, 0x03, 0x00, 0x02},
     {0x5f, 0x4f, 0x50, 0x82, 0x55, 0x81, 0xbf, 0x1f, 0x00, 0x4f, 0x0d, 0x0e, 0x00,
      0x00, 0x00, 0x00, 0x9c, 0x8e, 0x8f, 0x28, 0x1f, 0x96, 0xb9, 0xa3, 0xff},
     {0x00, 0x00, 0x00, 0x00, 0x00, 0x10, 0x0e, 0x00, 0xff},
     {0,    1,    2,    3,    4,    5,    0x14, 7,    0x38, 0x39, 0x3a,
      0x3b, 0x3c, 0x3d, 0x3e, 0x3f, 0x0c, 0x00, 0x0f, 0x08, 0x00}},
    {0x12,
     0xe3,
     {0x03, 0x01, 0x0f, 0x00, 0x06},
     {0x5f, 0x4f, 0x50, 0x82, 0x54, 0x80, 0x0b, 0x3e, 0x00, 0x40, 0x00, 0x00, 0x00,
      0x00, 0x00, 0x00, 0xea, 0x8c, 0xdf, 0x28, 0x00, 0xe7, 0x04, 0xe3, 0xff},
     {0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x05, 0x0f, 0xff},
     {0,    1,    2,    3,    4,    5,    0x14, 7,    0x38, 0x39, 0x3a,
      0x3b, 0x3c, 0x3d, 0x3e, 0x3f, 0x01, 0x00, 0x0f, 0x00, 0x00}},
    {0x13,
     0x63,
     {0x03, 0x01, 0x0f, 0x00, 0x0e},
     {0x5f, 0x4f, 0x50, 0x82, 0x54, 0x80, 0xbf, 0x1f, 0x00, 0x41, 0x00, 0x00, 0x00,
      0x00, 0x00, 0x00, 0x9c, 0x8e, 0x8f, 0x28, 0x40, 0x96, 0xb9, 0xa3, 0xff},
     {0x00, 0x00, 0x00, 0x00, 0x00, 0x40, 0x05, 0x0f, 0xff},
     {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 0x41, 0x00, 0x0f, 0x00, 0x00}},
};

void write_indexed(U16 port, U8 index, U8 value) { out16(port, static_cast<U16>(index | value << 8)); }

void load_registers(const ModeRegisters& mode) {
    out8(0x3c2, mode.miscellaneous);
    write_indexed(0x3c4, 0, 1); // hold the sequencer while its clock changes
    for (U8 i = 1; i < 5; ++i) write_indexed(0x3c4, i, mode.sequencer[i]);
    write_indexed(0x3c4, 0, mode.sequencer[0]);
    write_indexed(0x3d4, 0x11, 0x0e); // unlock CRTC 0–7
    for (U8 i = 0; i < 25; ++i) write_indexed(0x3d4, i, mode.crtc[i]);
    for (U8 i = 0; i < 9; ++i) write_indexed(0x3ce, i, mode.graphics[i]);
    (void)in8(0x3da); // attribute flip-flop to index
    for (U8 i = 0; i < 21; ++i) {
        out8(0x3c0, i);
        out8(0x3c0, mode.attribute[i]);
    }
    out8(0x3c0, 0x20); // palette in use: the screen is on
    out8(0x3c6, 0xff); // DAC mask
}

void dac(U32 red, U32 green, U32 blue) {
    out8(0x3c9, static_cast<U8>(red));
    out8(0x3c9, static_cast<U8>(green));
    out8(0x3c9, static_cast<U8>(blue));
}

/// An EGA colour "rgbRGB": capitals give two thirds, small letters one third of full intensity.
void ega_color(U32 color) {
    const auto level = [color](U32 high, U32 low) {
        return (color >> high & 1) * 0x2a + (color >> low & 1) * 0x15;
    };
    dac(level(2, 5), level(1, 4), level(0, 3));
}

/// Mode 13h: 16 colours, 16 greys, then 24 hues in 3 saturations and 3 intensities, and 8 black ones.
void load_palette_256() {
    constexpr U8 greys[16] = {0x00, 0x05, 0x08, 0x0b, 0x0e, 0x11, 0x14, 0x18,
                              0x1c, 0x20, 0x24, 0x28, 0x2d, 0x32, 0x38, 0x3f};
    constexpr U8 levels[9][5] = {
        {0x00, 0x10, 0x1f, 0x2f, 0x3f}, {0x1f, 0x27, 0x2f, 0x37, 0x3f}, {0x2d, 0x31, 0x36, 0x3a, 0x3f},
        {0x00, 0x07, 0x0e, 0x15, 0x1c}, {0x0e, 0x11, 0x15, 0x18, 0x1c}, {0x14, 0x16, 0x18, 0x1a, 0x1c},
        {0x00, 0x04, 0x08, 0x0c, 0x10}, {0x08, 0x0a, 0x0c, 0x0e, 0x10}, {0x0b, 0x0c, 0x0d, 0x0f, 0x10}};
    out8(0x3c8, 0);
    for (U32 color = 0; color < 16; ++color) ega_color(color == 6 ? 0x14 : color < 8 ? color : color + 0x30);
    for (const U8 grey : greys) dac(grey, grey, grey);
    for (const auto& level : levels)
        for (U32 hue = 0; hue < 24; ++hue) {
            // Round the wheel: blue, magenta, red, yellow, green, cyan, four steps each.
            const U32 step = hue & 3;
            const U8 full = level[4], none = level[0], up = level[step], down = level[4 - step];
            switch (hue >> 2) {
            case 0: dac(up, none, full); break;
            case 1: dac(full, none, down); break;
            case 2: dac(full, up, none); break;
            case 3: dac(down, full, none); break;
            case 4: dac(none, full, up); break;
            default: dac(none, down, full); break;
            }
        }
    for (U32 i = 0; i < 8; ++i) dac(0, 0, 0);
}

void load_palette_text() {
    out8(0x3c8, 0);
    for (U32 color = 0; color < 64; ++color) ega_color(color);
    for (U32 color = 64; color < 256; ++color) dac(0, 0, 0);
}

} // namespace

// Characters live in plane 2 at 32 bytes each; the window is opened flat over that plane, then put back for
// text.
void vga_load_font() {
    write_indexed(0x3c4, 2, 0x04);
    write_indexed(0x3c4, 4, 0x06);
    write_indexed(0x3ce, 4, 0x02);
    write_indexed(0x3ce, 5, 0x00);
    write_indexed(0x3ce, 6, 0x04);
    for (U32 character = 0; character < 256; ++character)
        copy_memory(0xa0000 + character * 32, address_of(font_8x16) + character * 16, 16);
    write_indexed(0x3c4, 2, 0x03);
    write_indexed(0x3c4, 4, 0x02);
    write_indexed(0x3ce, 4, 0x00);
    write_indexed(0x3ce, 5, 0x10);
    write_indexed(0x3ce, 6, 0x0e);
}

void vga_set_mode(U8 mode, bool keep_memory) {
    const ModeRegisters* registers = nullptr;
    for (const ModeRegisters& candidate : Modes)
        if (candidate.mode == mode) registers = &candidate;
    if (!registers) {
        debug("BIOS: video mode %02xh is not provided", mode);
        return;
    }
    vbe_leave();
    load_registers(*registers);
    if (mode == 0x13)
        load_palette_256();
    else
        load_palette_text();
    if (mode == 3) vga_load_font();
    if (!keep_memory) {
        if (mode == 3)
            for (U32 cell = 0; cell < 0x8000; cell += 4) memory<U32>(0xb8000 + cell) = 0x07200720;
        else
            fill_memory(0xa0000, 0, 0x10000); // in planar mode the map mask writes all four planes
    }

    memory<U8>(bda::VideoMode) = mode;
    memory<U16>(bda::VideoColumns) = mode == 0x13 ? 40 : 80;
    memory<U16>(bda::VideoPageSize) = mode == 3 ? 0x1000 : 0;
    memory<U16>(bda::VideoPageStart) = 0;
    memory<U8>(bda::VideoPage) = 0;
    for (U32 page = 0; page < 8; ++page) memory<U16>(bda::CursorPositions + page * 2) = 0;
    memory<U16>(bda::CursorShape) = 0x0607;
    memory<U16>(bda::CrtcPort) = 0x3d4;
    memory<U8>(bda::VideoRows) = mode == 0x12 ? 29 : 24;
    memory<U16>(bda::CharacterHeight) = mode == 0x13 ? 8 : 16;
    memory<U8>(bda::VideoControl) = 0x60;
    memory<U8>(bda::VideoSwitches) = 0xf9;
    if (mode == 3) vga_move_cursor(0);
}

} // namespace vitrine::bios
