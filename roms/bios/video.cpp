// INT 10h: text output, cursor, scrolling, modes, palette, font (IBM PS/2 and PC BIOS Interface Technical
// Reference).
//
// Modes 0–6, 0Dh, 0Eh and 10h–13h (vga_modes.cpp); graphics.cpp draws where there is no text. Inaccuracies:
// mode 7 becomes 3, 0Fh is not provided; text has 400 scan lines whatever INT 10h/12h/30h asks for; no light
// pen, no state save.
#include "roms/bios/bios.h"

namespace vitrine::bios {
namespace {

constexpr U32 TextMemory = 0xb8000;

U32 columns() { return memory<U16>(bda::VideoColumns); }
U32 rows() { return memory<U8>(bda::VideoRows) + 1u; }
bool text_mode() { return video_shape().kind == VideoKind::Text; }
volatile U16& cursor(U8 page) { return memory<U16>(bda::CursorPositions + (page & 7) * 2u); }
U32 cell_address(U8 page, U32 row, U32 column) {
    return TextMemory + (page & 7) * memory<U16>(bda::VideoPageSize) + (row * columns() + column) * 2;
}

void scroll(U8 page, U32 lines, U8 attribute, U32 top, U32 left, U32 bottom, U32 right, bool down) {
    if (bottom >= rows()) bottom = rows() - 1;
    if (right >= columns()) right = columns() - 1;
    if (top > bottom || left > right) return;
    const U32 height = bottom - top + 1, width = right - left + 1;
    if (lines == 0 || lines > height) lines = height;
    if (!text_mode()) return graphics_scroll(lines, attribute, top, left, bottom, right, down);
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
        } else
            graphics_character(page, character, attribute, row, column);
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

/// The shape is given for 8 lines a character; taller characters get it at their foot.
void set_cursor_shape(U16 shape) {
    memory<U16>(bda::CursorShape) = shape;
    const U32 height = memory<U16>(bda::CharacterHeight);
    U32 start = shape >> 8 & 0x3f, end = shape & 0x1f;
    if (height > 8 && end < 8 && start < 0x20) {
        const U32 scaled = (end + 1) * height / 8 - 1;
        start =
            end == start + 1 ? scaled - 1 : (start + 1) * height / 8 - 1 - (start == 0 ? height / 8 - 1 : 0);
        end = scaled;
        if (end + 1 == height && height >= 14) --start, --end; // a line of air below
    }
    out16(0x3d4, static_cast<U16>(0x0a | start << 8));
    out16(0x3d4, static_cast<U16>(0x0b | end << 8));
}

void show_page(U8 page) {
    const VideoShape& shape = video_shape();
    const U32 size = memory<U16>(bda::VideoPageSize), start = page * size;
    if (shape.kind == VideoKind::Linear || shape.kind == VideoKind::Cga || shape.kind == VideoKind::CgaFine)
        return;
    if (start + size > (shape.kind == VideoKind::Text ? 0x8000u : 0x10000u)) return;
    memory<U8>(bda::VideoPage) = page;
    memory<U16>(bda::VideoPageStart) = static_cast<U16>(start);
    const U32 counter = shape.kind == VideoKind::Text ? start / 2 : start;
    out16(0x3d4, static_cast<U16>(0x0c | (counter & 0xff00)));
    out16(0x3d4, static_cast<U16>(0x0d | counter << 8));
    if (shape.kind == VideoKind::Text) vga_move_cursor(page);
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

/// AH = 11h, the character generator: AL 00h–04h load a font for text, 10h–14h also fit the rows to it,
/// 20h–24h choose the font of graphics modes, 30h tells where fonts are.
void font(Frame& frame) {
    const auto graphics_font = [&](U32 vector, U32 height) {
        memory<U32>(0x43 * 4) = vector;
        memory<U16>(bda::CharacterHeight) = static_cast<U16>(height);
        constexpr U8 rows[] = {0, 14, 25, 43};
        const U8 chosen = frame.b.l == 0 ? frame.d.l : rows[frame.b.l & 3];
        if (chosen != 0) memory<U8>(bda::VideoRows) = static_cast<U8>(chosen - 1);
    };
    const auto in_rom = [](const U8* data) { return 0xf0000000 | (address_of(data) & 0xffff); };
    const U8 function = frame.a.l & 0x0f;
    switch (frame.a.l) {
    case 0x00:
    case 0x10:
        if (frame.b.h == 0 || frame.b.h > 32) return;
        vga_load_font(linear(frame.es, frame.bp.x), frame.b.h, frame.d.x, frame.c.x, frame.b.l);
        if (frame.a.l == 0x10) vga_set_character_height(frame.b.h);
        break;
    case 0x01:
    case 0x02:
    case 0x04:
    case 0x11:
    case 0x12:
    case 0x14: {
        const U8* data = function == 1 ? font_8x14 : function == 2 ? font_8x8 : font_8x16;
        const U32 height = function == 1 ? 14 : function == 2 ? 8 : 16;
        vga_load_font(address_of(data), height, 0, 256, frame.b.l);
        if (frame.a.l & 0x10) vga_set_character_height(height);
        break;
    }
    case 0x03:
        out16(0x3c4, static_cast<U16>(0x03 | frame.b.l << 8));
        break; // which two fonts attribute bit 3 chooses between
    case 0x20: memory<U32>(0x1f * 4) = static_cast<U32>(frame.es) << 16 | frame.bp.x; break;
    case 0x21: graphics_font(static_cast<U32>(frame.es) << 16 | frame.bp.x, frame.c.x); break;
    case 0x22: graphics_font(in_rom(font_8x14), 14); break;
    case 0x23: graphics_font(in_rom(font_8x8), 8); break;
    case 0x24: graphics_font(in_rom(font_8x16), 16); break;
    case 0x30: { // ES:BP = font, CX = height of the one in use, DL = rows − 1
        U32 at = in_rom(font_8x16);
        switch (frame.b.h) {
        case 0: at = memory<U32>(0x1f * 4); break;
        case 1: at = memory<U32>(0x43 * 4); break;
        case 2:
        case 5: at = in_rom(font_8x14); break;
        case 3: at = in_rom(font_8x8); break;
        case 4: at = in_rom(font_8x8 + 128 * 8); break;
        default: break;
        }
        frame.es = static_cast<U16>(at >> 16);
        frame.bp.x = static_cast<U16>(at);
        frame.c.x = memory<U16>(bda::CharacterHeight);
        frame.d.l = memory<U8>(bda::VideoRows);
        break;
    }
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
        vga_set_mode(mode == 7 ? 3 : mode, frame.a.l & 0x80);
        frame.a.l = mode <= 7 && mode != 6 ? 0x30 : mode == 6 ? 0x3f : 0x20; // what AMI-style firmware leaves
        break;
    }
    case 0x01: set_cursor_shape(frame.c.x); break;
    case 0x02:
        cursor(page) = frame.d.x;
        if ((page & 7) == memory<U8>(bda::VideoPage) && text_mode()) vga_move_cursor(page);
        break;
    case 0x03:
        frame.d.x = cursor(page);
        frame.c.x = memory<U16>(bda::CursorShape);
        break;
    case 0x05: show_page(frame.a.l & 7); break;
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
    case 0x0c: graphics_set_point(page, frame.c.x, frame.d.x, frame.a.l); break;
    case 0x0d: frame.a.l = graphics_point(page, frame.c.x, frame.d.x); break;
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
