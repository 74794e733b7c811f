// Characters and points in graphics modes, for INT 10h (IBM PS/2 and PC BIOS Interface Technical Reference,
// INT 10h/06h–0Eh).
//
// Invariants: nothing outside the mode's picture is touched; the graphics controller is left in write mode 0
// with its reset values. Bit 7 of a colour exclusive-ORs, but for 256 colours.
#include "roms/bios/bios.h"

namespace vitrine::bios {
namespace {

void graphics(U8 index, U8 value) { out16(0x3ce, static_cast<U16>(index | value << 8)); }

/// Write mode 2 (a byte is a colour) under a bit mask; put back at its end.
struct PlanarWrite {
    PlanarWrite(bool exclusive, U8 mask) {
        out16(0x3c4, 0x0f02);
        graphics(5, 2);
        graphics(3, exclusive ? 0x18 : 0);
        graphics(8, mask);
    }
    ~PlanarWrite() {
        graphics(5, 0);
        graphics(3, 0);
        graphics(8, 0xff);
    }
};

U32 width(const VideoShape& shape) { return shape.columns * 8u; }
U32 height(const VideoShape& shape) { return shape.rows * static_cast<U32>(shape.height); }

U32 line_address(const VideoShape& shape, U8 page, U32 y) {
    switch (shape.kind) {
    case VideoKind::Cga:
    case VideoKind::CgaFine: return 0xb8000 + (y & 1) * 0x2000 + (y >> 1) * shape.pitch;
    case VideoKind::Planar: {
        const U32 start = 0xa0000 + page * static_cast<U32>(shape.page);
        return (start >= 0xb0000 ? 0xa0000 : start) + y * shape.pitch;
    }
    default: return 0xa0000 + y * shape.pitch;
    }
}

/// Eight points of one character's line.
void draw_line(const VideoShape& shape, U8 page, U32 x, U32 y, U8 bits, U8 color) {
    const U32 line = line_address(shape, page, y);
    const bool exclusive = color & 0x80;
    switch (shape.kind) {
    case VideoKind::Linear:
        for (U32 i = 0; i < 8; ++i) memory<U8>(line + x + i) = static_cast<U8>(bits & 0x80u >> i ? color : 0);
        return;
    case VideoKind::CgaFine: {
        volatile U8& byte = memory<U8>(line + x / 8);
        const U8 value = color & 1 ? bits : 0;
        byte = static_cast<U8>(exclusive ? byte ^ value : value);
        return;
    }
    case VideoKind::Cga: {
        U32 pairs = 0;
        for (U32 i = 0; i < 8; ++i) pairs = pairs << 2 | (bits & 0x80u >> i ? color & 3u : 0);
        for (U32 i = 0; i < 2; ++i) {
            volatile U8& byte = memory<U8>(line + x / 4 + i);
            const U8 value = static_cast<U8>(pairs >> (8 - 8 * i));
            byte = static_cast<U8>(exclusive ? byte ^ value : value);
        }
        return;
    }
    default: {
        volatile U8& byte = memory<U8>(line + x / 8);
        if (!exclusive) {
            const PlanarWrite write(false, 0xff);
            byte = 0;
        }
        const PlanarWrite write(exclusive, bits);
        (void)byte; // into the latches
        byte = color & 15;
    }
    }
}

} // namespace

void graphics_character(U8 page, U8 character, U8 color, U32 row, U32 column) {
    const VideoShape& shape = video_shape();
    if (column >= shape.columns || row >= shape.rows) return;
    // INT 43h points at the font; the upper half of 8x8 fonts of CGA modes at INT 1Fh, which is the same here
    // unless set otherwise.
    const U32 vector = memory<U32>(0x43 * 4);
    const U32 glyph = linear(static_cast<U16>(vector >> 16), static_cast<U16>(vector)) +
                      character * static_cast<U32>(shape.height);
    for (U32 line = 0; line < shape.height; ++line)
        draw_line(shape, page, column * 8, row * shape.height + line, memory<U8>(glyph + line), color);
}

void graphics_scroll(U32 lines, U8 color, U32 top, U32 left, U32 bottom, U32 right, bool down) {
    const VideoShape& shape = video_shape();
    const U8 page = memory<U8>(bda::VideoPage);
    const U32 rows = (bottom - top + 1) * shape.height, moved = lines * shape.height;
    const U32 unit = shape.kind == VideoKind::Linear ? 8
                     : shape.kind == VideoKind::Cga  ? 2
                                                     : 1; // bytes a column
    const U32 bytes = (right - left + 1) * unit;
    const bool planar = shape.kind == VideoKind::Planar;
    for (U32 i = 0; i < rows; ++i) {
        const U32 y = down ? (bottom + 1) * shape.height - 1 - i : top * shape.height + i;
        const U32 target = line_address(shape, page, y) + left * unit;
        if (i + moved < rows) {
            const U32 source = line_address(shape, page, down ? y - moved : y + moved) + left * unit;
            if (planar) { // the latches carry all planes, a byte at a time
                out16(0x3c4, 0x0f02);
                graphics(5, 1);
                for (U32 k = 0; k < bytes; ++k) memory<U8>(target + k) = memory<U8>(source + k);
                graphics(5, 0);
            } else
                copy_memory(target, source, bytes);
        } else if (planar) {
            const PlanarWrite write(false, 0xff);
            for (U32 k = 0; k < bytes; ++k) memory<U8>(target + k) = color & 15;
        } else
            fill_memory(target, color, bytes);
    }
}

void graphics_set_point(U8 page, U32 x, U32 y, U8 color) {
    const VideoShape& shape = video_shape();
    if (shape.kind == VideoKind::Text || x >= width(shape) || y >= height(shape)) return;
    const U32 line = line_address(shape, page, y);
    const bool exclusive = color & 0x80;
    if (shape.kind == VideoKind::Linear) {
        memory<U8>(line + x) = color;
    } else if (shape.kind == VideoKind::Planar) {
        volatile U8& byte = memory<U8>(line + x / 8);
        const PlanarWrite write(exclusive, static_cast<U8>(0x80 >> (x & 7)));
        (void)byte;
        byte = color & 15;
    } else {
        const U32 bits = shape.kind == VideoKind::Cga ? 2 : 1, per_byte = 8 / bits;
        volatile U8& byte = memory<U8>(line + x / per_byte);
        const U32 shift = 8 - bits - x % per_byte * bits, mask = (1u << bits) - 1;
        const U8 value = static_cast<U8>((color & mask) << shift);
        byte = static_cast<U8>(exclusive ? byte ^ value : (byte & ~(mask << shift)) | value);
    }
}

U8 graphics_point(U8 page, U32 x, U32 y) {
    const VideoShape& shape = video_shape();
    if (shape.kind == VideoKind::Text || x >= width(shape) || y >= height(shape)) return 0;
    const U32 line = line_address(shape, page, y);
    if (shape.kind == VideoKind::Linear) return memory<U8>(line + x);
    if (shape.kind == VideoKind::Planar) {
        U8 color = 0;
        for (U8 plane = 0; plane < 4; ++plane) {
            graphics(4, plane);
            color = static_cast<U8>(color | (memory<U8>(line + x / 8) >> (7 - (x & 7)) & 1) << plane);
        }
        graphics(4, 0);
        return color;
    }
    const U32 bits = shape.kind == VideoKind::Cga ? 2 : 1, per_byte = 8 / bits;
    return static_cast<U8>(memory<U8>(line + x / per_byte) >> (8 - bits - x % per_byte * bits) &
                           ((1u << bits) - 1));
}

} // namespace vitrine::bios
