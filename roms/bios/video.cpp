// INT 10h: text output, cursor, scrolling, modes, palette, font (IBM PS/2 and PC BIOS Interface Technical
// Reference).
//
// Text functions work on mode 3. In mode 13h characters are drawn from the 8x16 font, two rows folded into
// one. Inaccuracies: modes 3, 12h and 13h only (0–2 and 7 become 3); no light pen, no 8x8 or user fonts, no
// state save.
#include "roms/bios/bios.h"

namespace vitrine::bios {
namespace {

constexpr U32 TextMemory = 0xb8000;

U32 columns() { return memory<U16>(bda::VideoColumns); }
U32 rows() { return memory<U8>(bda::VideoRows) + 1u; }
bool text_mode() { return memory<U8>(bda::VideoMode) == 3; }
volatile U16& cursor(U8 page) { return memory<U16>(bda::CursorPositions + (page & 7) * 2u); }
U32 cell_address(U8 page, U32 row, U32 column) {
    return TextMemory + (page & 7) * memory<U16>(bda::VideoPageSize) + (row * columns() + column) * 2;
}

void draw_13h(U8 character, U8 color, U32 row, U32 column) {
    if (column >= 40 || row >= 25) return;
    const U8* glyph = font_8x16 + character * 16;
    for (U32 y = 0; y < 8; ++y) {
        const U32 bits = glyph[y * 2] | glyph[y * 2 + 1];
        for (U32 x = 0; x < 8; ++x) {
            const U32 pixel = 0xa0000 + (row * 8 + y) * 320 + column * 8 + x;
            memory<U8>(pixel) = static_cast<U8>(bits & 0x80u >> x ? color : 0);
        }
    }
}

void scroll(U8 page, U32 lines, U8 attribute, U32 top, U32 left, U32 bottom, U32 right, bool down) {
    if (bottom >= rows()) bottom = rows() - 1;
    if (right >= columns()) right = columns() - 1;
    if (top > bottom || left > right) return;
    const U32 height = bottom - top + 1, width = right - left + 1;
    if (lines == 0 || lines > height) lines = height;
    if (!text_mode()) {
        if (memory<U8>(bda::VideoMode) != 0x13) return;
        for (U32 i = 0; i < height * 8; ++i) { // pixel rows; a character is 8 high
            const U32 target = down ? bottom * 8 + 7 - i : top * 8 + i;
            const U32 address = 0xa0000 + target * 320 + left * 8;
            if (i < (height - lines) * 8)
                copy_memory(address, down ? address - lines * 8 * 320 : address + lines * 8 * 320, width * 8);
            else
                fill_memory(address, attribute, width * 8);
        }
        return;
    }
    for (U32 i = 0; i < height; ++i) {
        const U32 row = down ? bottom - i : top + i;
        const U32 target = cell_address(page, row, left);
        if (i < height - lines)
            copy_memory(target, cell_address(page, down ? row - lines : row + lines, left), width * 2);
        else
            for (U32 column = 0; column < width; ++column)
                memory<U16>(target + column * 2) = static_cast<U16>(' ' | attribute << 8);
    }
}

void put_character(U8 page, U8 character, U8 attribute, U32 count, bool keep_attribute) {
    U32 row = cursor(page) >> 8, column = cursor(page) & 0xff;
    for (; count != 0 && row < rows(); --count) {
        if (text_mode()) {
            const U32 address = cell_address(page, row, column);
            memory<U8>(address) = character;
            if (!keep_attribute) memory<U8>(address + 1) = attribute;
        } else if (memory<U8>(bda::VideoMode) == 0x13)
            draw_13h(character, attribute, row, column);
        if (++column == columns()) column = 0, ++row;
    }
}

/// Writes at the cursor and moves it; scrolls at the bottom. A null attribute keeps what is there.
void teletype_cell(U8 character, const U8* attribute, U8 page) {
    U32 row = cursor(page) >> 8, column = cursor(page) & 0xff;
    switch (character) {
    case 7: return; // the bell: the speaker stays silent
    case 8: column -= column != 0; break;
    case 10: ++row; break;
    case 13: column = 0; break;
    default:
        put_character(page, character, attribute ? *attribute : 7, 1, attribute == nullptr && text_mode());
        if (++column >= columns()) column = 0, ++row;
    }
    if (row >= rows()) {
        row = rows() - 1;
        const U8 fill =
            text_mode() ? memory<U8>(cell_address(page, row, column < columns() ? column : 0) + 1) : 0;
        scroll(page, 1, fill, 0, 0, rows() - 1, columns() - 1, false);
    }
    cursor(page) = static_cast<U16>(row << 8 | column);
    if (page == memory<U8>(bda::VideoPage) && text_mode()) vga_move_cursor(page);
}

void write_string(Frame& frame) {
    const U8 mode = frame.a.l, page = frame.b.h;
    const U16 saved = cursor(page);
    cursor(page) = frame.d.x;
    U32 text = linear(frame.es, frame.bp.x);
    for (U32 i = 0; i < frame.c.x; ++i) {
        const U8 character = memory<U8>(text++);
        const U8 attribute = mode & 2 ? memory<U8>(text++) : frame.b.l;
        teletype_cell(character, &attribute, page);
    }
    if (!(mode & 1)) {
        cursor(page) = saved;
        if (page == memory<U8>(bda::VideoPage) && text_mode()) vga_move_cursor(page);
    }
}

void write_attribute_register(U8 index, U8 value) {
    (void)in8(0x3da);
    out8(0x3c0, index);
    out8(0x3c0, value);
    out8(0x3c0, 0x20);
}

U8 read_attribute_register(U8 index) {
    (void)in8(0x3da);
    out8(0x3c0, index);
    const U8 value = in8(0x3c1);
    (void)in8(0x3da);
    out8(0x3c0, 0x20);
    return value;
}

void palette(Frame& frame) {
    switch (frame.a.l) {
    case 0x00: write_attribute_register(frame.b.l & 0x1f, frame.b.h); break;
    case 0x01: write_attribute_register(0x11, frame.b.h); break;
    case 0x02:
        for (U8 i = 0; i < 16; ++i) write_attribute_register(i, memory<U8>(linear(frame.es, frame.d.x) + i));
        write_attribute_register(0x11, memory<U8>(linear(frame.es, frame.d.x) + 16));
        break;
    case 0x03: // blinking or bright backgrounds: attribute mode control, bit 3
        write_attribute_register(
            0x10, static_cast<U8>((read_attribute_register(0x10) & ~8) | (frame.b.l & 1) << 3));
        break;
    case 0x07: frame.b.h = read_attribute_register(frame.b.l & 0x1f); break;
    case 0x08: frame.b.h = read_attribute_register(0x11); break;
    case 0x10:
        out8(0x3c8, frame.b.l);
        out8(0x3c9, frame.d.h);
        out8(0x3c9, frame.c.h);
        out8(0x3c9, frame.c.l);
        break;
    case 0x12:
        out8(0x3c8, frame.b.l);
        for (U32 i = 0; i < frame.c.x * 3u && i < 768; ++i)
            out8(0x3c9, memory<U8>(linear(frame.es, frame.d.x) + i));
        break;
    case 0x15:
        out8(0x3c7, frame.b.l);
        frame.d.h = in8(0x3c9);
        frame.c.h = in8(0x3c9);
        frame.c.l = in8(0x3c9);
        break;
    case 0x17:
        out8(0x3c7, frame.b.l);
        for (U32 i = 0; i < frame.c.x * 3u && i < 768; ++i)
            memory<U8>(linear(frame.es, frame.d.x) + i) = in8(0x3c9);
        break;
    case 0x18: out8(0x3c6, frame.b.l); break;
    case 0x19: frame.b.l = in8(0x3c6); break;
    default: unsupported(frame);
    }
}

void font(Frame& frame) {
    switch (frame.a.l) {
    case 0x04:
    case 0x14: vga_load_font(); break;
    case 0x30: // information: ES:BP = font, CX = height, DL = rows − 1
        frame.es = 0xf000;
        frame.bp.x = static_cast<U16>(address_of(font_8x16));
        frame.c.x = 16;
        frame.d.l = memory<U8>(bda::VideoRows);
        break;
    default: unsupported(frame);
    }
}

} // namespace

void vga_move_cursor(U8 page) {
    const U32 position =
        memory<U16>(bda::VideoPageStart) / 2u + (cursor(page) >> 8) * columns() + (cursor(page) & 0xff);
    out16(0x3d4, static_cast<U16>(0x0e | (position & 0xff00)));
    out16(0x3d4, static_cast<U16>(0x0f | position << 8));
}

void teletype(U8 character, U8 attribute, U8 page) { teletype_cell(character, &attribute, page); }

void video_init() {
    vbe_init();
    vga_set_mode(3, false);
}

Outcome video_service(Frame& frame) {
    const U8 page = frame.b.h;
    switch (frame.a.h) {
    case 0x00: {
        const U8 mode = frame.a.l & 0x7f;
        vga_set_mode(mode <= 3 || mode == 7 ? 3 : mode, frame.a.l & 0x80);
        frame.a.l = mode <= 3 || mode == 7 ? 0x30 : 0x20; // what AMI-style firmware leaves
        break;
    }
    case 0x01:
        memory<U16>(bda::CursorShape) = frame.c.x;
        out16(0x3d4,
              static_cast<U16>(
                  0x0a | (frame.c.h & 0x20 ? 0x20 : (frame.c.h & 0x1f) << 1 | (frame.c.h & 0x1f ? 1 : 0))
                             << 8));
        out16(0x3d4,
              static_cast<U16>(0x0b | ((frame.c.l & 0x1f) << 1 | 1) << 8)); // given for 8 lines, shown on 16
        break;
    case 0x02:
        cursor(page) = frame.d.x;
        if ((page & 7) == memory<U8>(bda::VideoPage) && text_mode()) vga_move_cursor(page);
        break;
    case 0x03:
        frame.d.x = cursor(page);
        frame.c.x = memory<U16>(bda::CursorShape);
        break;
    case 0x05:
        if (!text_mode()) break;
        memory<U8>(bda::VideoPage) = frame.a.l & 7;
        memory<U16>(bda::VideoPageStart) = static_cast<U16>((frame.a.l & 7) * 0x1000);
        out16(0x3d4, static_cast<U16>(0x0c | (((frame.a.l & 7) * 0x800) & 0xff00)));
        out16(0x3d4, 0x0d);
        vga_move_cursor(frame.a.l & 7);
        break;
    case 0x06:
    case 0x07:
        scroll(memory<U8>(bda::VideoPage), frame.a.l, frame.b.h, frame.c.h, frame.c.l, frame.d.h, frame.d.l,
               frame.a.h == 7);
        break;
    case 0x08:
        frame.a.x = text_mode() ? memory<U16>(cell_address(page, cursor(page) >> 8, cursor(page) & 0xff)) : 0;
        break;
    case 0x09: put_character(page, frame.a.l, frame.b.l, frame.c.x, false); break;
    case 0x0a: put_character(page, frame.a.l, frame.b.l, frame.c.x, text_mode()); break;
    case 0x0b:
        if (frame.b.h == 0) write_attribute_register(0x11, frame.b.l & 0x1f); // border
        break;
    case 0x0c:
        if (memory<U8>(bda::VideoMode) == 0x13 && frame.d.x < 200 && frame.c.x < 320)
            memory<U8>(0xa0000 + frame.d.x * 320u + frame.c.x) = frame.a.l;
        break;
    case 0x0d:
        frame.a.l = memory<U8>(bda::VideoMode) == 0x13 && frame.d.x < 200 && frame.c.x < 320
                        ? memory<U8>(0xa0000 + frame.d.x * 320u + frame.c.x)
                        : 0;
        break;
    case 0x0e: {
        const U8 page_shown = memory<U8>(bda::VideoPage);
        teletype_cell(frame.a.l, text_mode() ? nullptr : &frame.b.l, page_shown);
        break;
    }
    case 0x0f:
        frame.a.x = static_cast<U16>(memory<U8>(bda::VideoMode) | columns() << 8);
        frame.b.h = memory<U8>(bda::VideoPage);
        break;
    case 0x10: palette(frame); break;
    case 0x11: font(frame); break;
    case 0x12:
        if (frame.b.l == 0x10) { // colour, 256 KiB, switches
            frame.b.x = 0x0003;
            frame.c.x = 0x0009;
        } else
            unsupported(frame);
        break;
    case 0x13: write_string(frame); break;
    case 0x1a:
        if (frame.a.l == 0) frame.b.x = 0x0008; // VGA with a colour display
        frame.a.l = 0x1a;
        break;
    case 0x4f: vbe_service(frame); break;
    default: unsupported(frame);
    }
    return Outcome::Done;
}

} // namespace vitrine::bios
