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
    g.line_compare = crtc_[CrtcLineCompare] | (overflow & 0x10u) << 4 | (scan & 0x40u) << 3;
    return g;
}

/// The CRT controller's way down the screen: calls line(y, counter, row_scan, place) for every scan line.
/// `counter` is the address of its first character, `row_scan` the line inside the character. PS/2 Technical
/// Reference: preset row scan, line compare, double scan, attribute mode control bit 5.
template <class Line> void Vga::scan(const Geometry& g, Line&& line) const {
    const u32 byte_panning = crtc_[CrtcPresetRow] >> 5 & 3u;
    u32 row_scan = crtc_[CrtcPresetRow] & 0x1Fu, row = g.start + byte_panning;
    Place place{.begins = true, .panned = true};
    bool second = false;
    for (u32 y = 0; y < g.lines; ++y) {
        line(y, row, row_scan, place);
        place.begins = y == g.line_compare;
        if (y == g.line_compare) { // the next line is the first of the lower part, which begins at address 0
            place.panned = !PanningCompatible::test(attribute_.registers[AttrMode]);
            row = place.panned ? byte_panning : 0;
            row_scan = 0;
            second = false;
            continue;
        }
        if (g.double_scan && !std::exchange(second, !second)) continue;
        row_scan = (row_scan + 1) & 0x1F; // a counter of five bits: a preset beyond the height runs through
        if (row_scan != (g.cell_height & 0x1F)) continue;
        row_scan = 0;
        row += g.pitch;
        place.begins = true;
    }
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
    u32 begin = 0;
    scan(g, [&](u32 y, u32 row, u32, Place place) {
        if (!place.begins) return;
        begin = y;
        std::string line;
        for (u32 column = 0; column < g.columns; ++column)
            line += ascii(plane_byte(0, fetch_address(row + column)));
        line.erase(line.find_last_not_of(' ') + 1);
        out.push_back(std::move(line));
    });
    if (g.lines - begin < g.cell_height) out.pop_back(); // cut off at the bottom
    return out;
}

void Vga::render(FrameBuffer& out) const {
    if (dispi_enabled()) return render_dispi(out);
    const Geometry g = geometry();
    const Painter painter = text_mode()                          ? &Vga::paint_text
                            : Shift256::test(graphics_[GfxMode]) ? &Vga::paint_256
                                                                 : &Vga::paint_planar;
    const u32 character = text_mode() && !EightDots::test(sequencer_[SeqClocking]) ? 9 : 8;
    const u32 dot = HalfDotClock::test(sequencer_[SeqClocking]) ? 2 : 1; // scan points a dot
    out.width = g.columns * character * dot;
    out.height = g.lines;
    out.pixels.assign(std::size_t{out.width} * out.height, Opaque);
    const bool dark = !PaletteOn::test(attribute_.index) || ScreenOff::test(sequencer_[SeqClocking]);
    if (dark) return;
    Colours colours{};
    const bool direct = painter == &Vga::paint_256;
    for (u32 i = 0; i < (direct ? 256u : 16u); ++i) colours[i] = direct ? colour(i) : palette(i);
    // One character more than the screen is wide, for panning to shift in.
    std::vector<u32> dots(std::size_t{g.columns + 1} * character);
    scan(g, [&](u32 y, u32 row, u32 row_scan, Place place) {
        (this->*painter)(dots, {.row = row, .row_scan = row_scan, .columns = g.columns + 1}, colours);
        const u32 pan = place.panned ? panning(character) : 0;
        u32* pixel = &out.pixels[std::size_t{y} * out.width];
        for (u32 x = 0; x < out.width; ++x) pixel[x] = dots[x / dot + pan];
    });
}

/// Horizontal pixel panning, PS/2 Technical Reference: with nine dots 8 means none and n means n + 1; with
/// 256 colours a pixel is two dots.
u32 Vga::panning(u32 character) const {
    const u32 value = attribute_.registers[AttrPanning] & 15u;
    if (character == 9) return value >= 8 ? 0 : value + 1;
    if (Shift256::test(graphics_[GfxMode]) && !text_mode()) return value & 6;
    return value & 7;
}

void Vga::paint_text(std::span<u32> dots, const ScanLine& line, const Colours& colours) const {
    const u32 width = static_cast<u32>(dots.size() / line.columns);
    const u8 map = sequencer_[SeqCharacterMap], mode = attribute_.registers[AttrMode];
    const auto font_base = [](u32 n) { return (n & 3) * 0x4000 + (n >> 2) * 0x2000; };
    const u32 font_b = font_base((map & 3u) | (map >> 2 & 4u)),
              font_a = font_base((map >> 2 & 3u) | (map >> 3 & 4u));
    const bool characters_off = events_.now() % CharacterBlink >= CharacterBlink / 2;
    const u32 cursor_at = u32{crtc_[CrtcCursorHigh]} << 8 | crtc_[CrtcCursorLow];
    const bool cursor_line =
        (crtc_[CrtcCursorStart] & 0x20) == 0 && line.row_scan >= (crtc_[CrtcCursorStart] & 0x1Fu) &&
        line.row_scan <= (crtc_[CrtcCursorEnd] & 0x1Fu) && events_.now() % CursorBlink < CursorBlink / 2;
    u32* pixel = dots.data();
    for (u32 column = 0; column < line.columns; ++column, pixel += width) {
        const u32 counter = line.row + column, at = fetch_address(counter);
        const u8 code = plane_byte(0, at);
        u8 attribute = plane_byte(1, at);
        const u32 font = (attribute & 8) != 0 ? font_a : font_b;
        bool hidden = false;
        if (BlinkEnable::test(mode)) {
            hidden = (attribute & 0x80) != 0 && characters_off;
            attribute &= 0x7F;
        }
        const u32 back = colours[attribute >> 4], front = hidden ? back : colours[attribute & 15];
        u32 bits = u32{plane_byte(2, font + code * 32u + line.row_scan)} << 1;
        // The ninth dot repeats the eighth for line graphics, C0h–DFh.
        if (LineGraphics::test(mode) && code >= 0xC0 && code <= 0xDF) bits |= bits >> 1 & 1;
        if (cursor_line && (counter & 0xFFFF) == cursor_at) bits = 0x1FF;
        for (u32 dot = 0; dot < width; ++dot) pixel[dot] = (bits >> (8 - dot) & 1) != 0 ? front : back;
    }
}

/// Where a graphics mode's line finds a character's eight dots: the CRT controller can put row scan bits in
/// the place of address bits 13 and 14 (CGA's and Hercules' interleaved lines).
u32 Vga::graphics_address(u32 counter, u32 row_scan) const {
    u32 at = fetch_address(counter);
    if ((crtc_[CrtcModeControl] & 1) == 0) at = (at & ~0x2000u) | (row_scan & 1) << 13;
    if ((crtc_[CrtcModeControl] & 2) == 0) at = (at & ~0x4000u) | (row_scan & 2) << 13;
    return at;
}

/// 16 colours from four planes, or CGA's 4 colours from interleaved pairs of bits, two dots each.
void Vga::paint_planar(std::span<u32> dots, const ScanLine& line, const Colours& colours) const {
    const bool interleaved = ShiftInterleave::test(graphics_[GfxMode]);
    u32* pixel = dots.data();
    for (u32 column = 0; column < line.columns; ++column, pixel += 8) {
        const u32 at = graphics_address(line.row + column, line.row_scan);
        std::array<u8, 4> planes{};
        for (unsigned p = 0; p < 4; ++p) planes[p] = plane_byte(p, at);
        for (u32 dot = 0; dot < 8; ++dot) {
            u32 index = 0;
            if (interleaved) {
                const unsigned pair = dot / 4, shift = 6 - 2 * (dot % 4);
                index = (planes[pair] >> shift & 3u) | (planes[pair + 2] >> shift & 3u) << 2;
            } else {
                for (unsigned p = 0; p < 4; ++p) index |= (planes[p] >> (7 - dot) & 1u) << p;
            }
            pixel[dot] = colours[index];
        }
    }
}

/// 256 colours: four pixels an address, one from each plane, two dots wide (mode 13h and its unchained
/// relatives).
void Vga::paint_256(std::span<u32> dots, const ScanLine& line, const Colours& colours) const {
    u32* pixel = dots.data();
    for (u32 column = 0; column < line.columns; ++column, pixel += 8) {
        const u32 at = graphics_address(line.row + column, line.row_scan);
        for (unsigned p = 0; p < 4; ++p) pixel[2 * p] = pixel[2 * p + 1] = colours[plane_byte(p, at)];
    }
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
