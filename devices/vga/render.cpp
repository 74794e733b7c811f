// vga render — what the monitor would show, as pixels or as text. Pure functions of registers, memory and
// virtual time.
#include <algorithm>
#include "devices/vga/fields.h"
#include "devices/vga/vga.h"

namespace vitrine::devices {

using namespace vga;

namespace {

constexpr u64 FrameTime = 14'268'000;                                        // ns at 70 Hz
constexpr u64 CursorBlink = 16 * FrameTime, CharacterBlink = 32 * FrameTime; // half on, half off
constexpr u32 Opaque = 0xFF000000;

u32 pack(u32 red, u32 green, u32 blue) { return Opaque | blue << 16 | green << 8 | red; }
u32 widen(u32 value, unsigned bits) { return value << (8 - bits) | value >> (2 * bits - 8); }

char ascii(u8 code) {
    if (code >= 0x20 && code <= 0x7E) return static_cast<char>(code);
    if (code == 0 || code == 0xFF) return ' ';
    if (code == 0xB3 || code == 0xBA) return '|';
    if (code == 0xC4 || code == 0xCD) return '-';
    if (code >= 0xB0 && code <= 0xDA) return '+'; // corners and crossings
    if (code >= 0xDB && code <= 0xDF) return '#';
    return '?';
}

} // namespace

Vga::Geometry Vga::geometry() const {
    Geometry g;
    const u8 overflow = crtc_[CrtcOverflow], scan = crtc_[CrtcMaximumScan];
    g.columns = crtc_[CrtcDisplayEnd] + 1u;
    g.lines = (crtc_[CrtcVerticalEnd] | (overflow & 2u) << 7 | (overflow & 0x40u) << 3) + 1;
    g.cell_height = (scan & 0x1Fu) + 1;
    g.double_scan = (scan & 0x80) != 0;
    g.start = u32{crtc_[CrtcStartHigh]} << 8 | crtc_[CrtcStartLow];
    g.pitch = crtc_[CrtcOffset] * 2u;
    return g;
}

/// From address counter to plane offset: byte, word and doubleword modes.
u32 Vga::fetch_address(u32 counter) const {
    if ((crtc_[CrtcUnderline] & 0x40) != 0) return (counter << 2 | (counter >> 14 & 3)) & 0xFFFF;
    if ((crtc_[CrtcModeControl] & 0x40) == 0)
        return (counter << 1 | (counter >> ((crtc_[CrtcModeControl] & 0x20) != 0 ? 15 : 13) & 1)) & 0xFFFF;
    return counter & 0xFFFF;
}

u8 Vga::dac_component(u32 index) const {
    const u8 value = dac_.palette[index];
    return (dispi_.enable & EightBitDac) != 0 ? value : static_cast<u8>(widen(value & 0x3F, 6));
}

u32 Vga::colour(u32 dac_index) const {
    const u32 i = (dac_index & dac_.mask) * 3;
    return pack(dac_component(i), dac_component(i + 1), dac_component(i + 2));
}

/// Attribute controller: palette register, then the colour select register's upper bits.
u32 Vga::palette(u32 attribute) const {
    const u8 entry = attribute_.registers[attribute & attribute_.registers[AttrPlaneEnable] & 15];
    const u8 select = attribute_.registers[AttrColourSelect];
    if (Palette54Select::test(attribute_.registers[AttrMode]))
        return colour((entry & 0x0Fu) | (select & 0x0Fu) << 4);
    return colour((entry & 0x3Fu) | (select & 0x0Cu) << 4);
}

bool Vga::text_mode() const { return !dispi_enabled() && !GraphicsMode::test(graphics_[GfxMisc]); }

Vga::Cursor Vga::cursor() const {
    const Geometry g = geometry();
    const u32 at = (u32{crtc_[CrtcCursorHigh]} << 8 | crtc_[CrtcCursorLow]) - g.start;
    Cursor out;
    if (!text_mode() || g.pitch == 0) return out;
    out.column = (at & 0xFFFF) % g.pitch;
    out.row = (at & 0xFFFF) / g.pitch;
    out.visible = (crtc_[CrtcCursorStart] & 0x20) == 0 &&
                  (crtc_[CrtcCursorStart] & 0x1F) <= (crtc_[CrtcCursorEnd] & 0x1F) &&
                  out.column < g.columns && out.row < g.lines / g.cell_height;
    return out;
}

std::vector<std::string> Vga::text_screen() const {
    std::vector<std::string> out;
    if (!text_mode()) return out;
    const Geometry g = geometry();
    for (u32 row = 0; row < g.lines / g.cell_height; ++row) {
        std::string line;
        for (u32 column = 0; column < g.columns; ++column)
            line += ascii(plane_byte(0, fetch_address(g.start + row * g.pitch + column)));
        line.erase(line.find_last_not_of(' ') + 1);
        out.push_back(std::move(line));
    }
    return out;
}

void Vga::render(FrameBuffer& out) const {
    if (dispi_enabled()) return render_dispi(out);
    if (text_mode())
        render_text(out);
    else if (Shift256::test(graphics_[GfxMode]))
        render_256(out);
    else
        render_planar(out);
    const bool dark = !PaletteOn::test(attribute_.index) || ScreenOff::test(sequencer_[SeqClocking]);
    if (dark) std::ranges::fill(out.pixels, Opaque);
}

void Vga::render_text(FrameBuffer& out) const {
    const Geometry g = geometry();
    const u32 dots = EightDots::test(sequencer_[SeqClocking]) ? 8 : 9, rows = g.lines / g.cell_height;
    out.width = g.columns * dots;
    out.height = rows * g.cell_height;
    out.pixels.assign(std::size_t{out.width} * out.height, Opaque);
    const u8 map = sequencer_[SeqCharacterMap], mode = attribute_.registers[AttrMode];
    const auto font_base = [](u32 n) { return (n & 3) * 0x4000 + (n >> 2) * 0x2000; };
    const u32 font_b = font_base((map & 3u) | (map >> 2 & 4u)),
              font_a = font_base((map >> 2 & 3u) | (map >> 3 & 4u));
    std::array<u32, 16> colours{};
    for (u32 i = 0; i < 16; ++i) colours[i] = palette(i);
    const bool characters_off = events_.now() % CharacterBlink >= CharacterBlink / 2;
    const bool cursor_on = events_.now() % CursorBlink < CursorBlink / 2;
    const Cursor where = cursor();

    for (u32 row = 0; row < rows; ++row) {
        for (u32 column = 0; column < g.columns; ++column) {
            const u32 at = fetch_address(g.start + row * g.pitch + column);
            const u8 code = plane_byte(0, at);
            u8 attribute = plane_byte(1, at);
            const u32 font = (attribute & 8) != 0 ? font_a : font_b;
            bool hidden = false;
            if (BlinkEnable::test(mode)) {
                hidden = (attribute & 0x80) != 0 && characters_off;
                attribute &= 0x7F;
            }
            const u32 back = colours[attribute >> 4], front = hidden ? back : colours[attribute & 15];
            const bool cursor_here = where.visible && cursor_on && where.row == row && where.column == column;
            for (u32 line = 0; line < g.cell_height; ++line) {
                u32 bits = u32{plane_byte(2, font + code * 32u + line)} << 1;
                // The ninth dot repeats the eighth for line graphics, C0h–DFh.
                if (LineGraphics::test(mode) && code >= 0xC0 && code <= 0xDF) bits |= bits >> 1 & 1;
                if (cursor_here && line >= (crtc_[CrtcCursorStart] & 0x1Fu) &&
                    line <= (crtc_[CrtcCursorEnd] & 0x1Fu))
                    bits = 0x1FF;
                u32* pixel = &out.pixels[std::size_t{row * g.cell_height + line} * out.width + column * dots];
                for (u32 dot = 0; dot < dots; ++dot) pixel[dot] = (bits >> (8 - dot) & 1) != 0 ? front : back;
            }
        }
    }
}

/// 16 colours from four planes, or CGA's 4 colours from interleaved pairs of bits.
void Vga::render_planar(FrameBuffer& out) const {
    const Geometry g = geometry();
    const bool cga_rows = (crtc_[CrtcModeControl] & 1) == 0; // row scan bit 0 replaces address bit 13
    const u32 collapse = (g.double_scan ? 2 : 1) * (cga_rows ? 1 : g.cell_height);
    out.width = g.columns * 8;
    out.height = std::max(g.lines / collapse, 1u);
    out.pixels.assign(std::size_t{out.width} * out.height, Opaque);
    std::array<u32, 16> colours{};
    for (u32 i = 0; i < 16; ++i) colours[i] = palette(i);
    for (u32 y = 0; y < out.height; ++y) {
        const u32 row = cga_rows ? y / g.cell_height : y;
        u32* pixel = &out.pixels[std::size_t{y} * out.width];
        for (u32 column = 0; column < g.columns; ++column, pixel += 8) {
            u32 at = fetch_address(g.start + row * g.pitch + column);
            if (cga_rows) at = (at & ~0x2000u) | (y % g.cell_height & 1) << 13;
            std::array<u8, 4> planes{};
            for (unsigned p = 0; p < 4; ++p) planes[p] = plane_byte(p, at);
            for (u32 dot = 0; dot < 8; ++dot) {
                u32 index = 0;
                if (ShiftInterleave::test(graphics_[GfxMode])) {
                    const unsigned pair = dot / 4, shift = 6 - 2 * (dot % 4);
                    index = (planes[pair] >> shift & 3u) | (planes[pair + 2] >> shift & 3u) << 2;
                } else {
                    for (unsigned p = 0; p < 4; ++p) index |= (planes[p] >> (7 - dot) & 1u) << p;
                }
                pixel[dot] = colours[index];
            }
        }
    }
}

/// 256 colours: four pixels an address, one from each plane (mode 13h and its unchained relatives).
void Vga::render_256(FrameBuffer& out) const {
    const Geometry g = geometry();
    const u32 collapse = (g.double_scan ? 2 : 1) * g.cell_height;
    out.width = g.columns * 4;
    out.height = std::max(g.lines / collapse, 1u);
    out.pixels.resize(std::size_t{out.width} * out.height);
    std::array<u32, 256> colours{};
    for (u32 i = 0; i < 256; ++i) colours[i] = colour(i);
    for (u32 y = 0; y < out.height; ++y)
        for (u32 x = 0; x < out.width; ++x)
            out.pixels[std::size_t{y} * out.width + x] =
                colours[plane_byte(x & 3, fetch_address(g.start + y * g.pitch + x / 4))];
}

void Vga::render_dispi(FrameBuffer& out) const {
    out.width = dispi_.width;
    out.height = dispi_.height;
    out.pixels.assign(std::size_t{out.width} * out.height, Opaque);
    const u64 pitch = dispi_pitch(), bytes = dispi_.depth == 4 ? 1 : (dispi_.depth + 7u) / 8;
    if (dispi_.depth == 4) { // planar, eight pixels a plane byte
        const u64 row_bytes = dispi_.virtual_width / 8u;
        for (u32 y = 0; y < out.height; ++y)
            for (u32 x = 0; x < out.width; ++x) {
                const u64 at = (u64{y} + dispi_.y_offset) * row_bytes + (x + dispi_.x_offset) / 8u;
                if (at >= MemorySize / 4) continue;
                u32 index = 0;
                for (unsigned p = 0; p < 4; ++p)
                    index |= (memory_[at * 4 + p] >> (7 - ((x + dispi_.x_offset) & 7)) & 1u) << p;
                out.pixels[std::size_t{y} * out.width + x] = palette(index);
            }
        return;
    }
    std::array<u32, 256> colours{};
    for (u32 i = 0; i < 256; ++i) colours[i] = colour(i);
    for (u32 y = 0; y < out.height; ++y) {
        u64 at = (u64{y} + dispi_.y_offset) * pitch + u64{dispi_.x_offset} * bytes;
        u32* pixel = &out.pixels[std::size_t{y} * out.width];
        for (u32 x = 0; x < out.width; ++x, at += bytes, ++pixel) {
            if (at + bytes > MemorySize) break;
            const u8* p = &memory_[at];
            const u32 half = bytes >= 2 ? u32{p[0]} | u32{p[1]} << 8 : 0;
            switch (dispi_.depth) {
            case 8: *pixel = colours[p[0]]; break;
            case 15:
                *pixel = pack(widen(half >> 10 & 31, 5), widen(half >> 5 & 31, 5), widen(half & 31, 5));
                break;
            case 16:
                *pixel = pack(widen(half >> 11 & 31, 5), widen(half >> 5 & 63, 6), widen(half & 31, 5));
                break;
            default: *pixel = pack(p[2], p[1], p[0]); break; // 24 and 32: blue, green, red
            }
        }
    }
}

} // namespace vitrine::devices
