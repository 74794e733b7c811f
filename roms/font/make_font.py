#!/usr/bin/env python3
"""The VGA's text fonts in code page 437 order, 256 characters of 8x16, 8x14 or 8x8, taken from Terminus (Debian's fonts-terminus-otb,
OFL 1.1): make_font.py FONT OUTPUT HEIGHT.

Reads the bitmap strike of that many pixels from an OpenType bitmap font: `cmap` maps Unicode to glyphs, `EBLC` finds a glyph's
bits in `EBDT` (OpenType specification, "EBLC", "EBDT" and "cmap"; index formats 1, 2 and 3, image formats 1, 2 and 5).
A glyph that the font lacks stops the build: no blank takes its place unseen."""
import struct
import sys

# Code page 437's first 32 codes and 127 as the IBM PC's character generator drew them; the rest comes from Python's codec.
LOW = " ☺☻♥♦♣♠•◘○◙♂♀♪♫☼►◄↕‼¶§▬↨↑↓→←∟↔▲▼"
TABLE = [ord(c) for c in LOW] + list(range(32, 127)) + [0x2302] + [ord(bytes([i]).decode("cp437")) for i in range(128, 256)]
# Where the font draws a character under its twin's code point.
TWINS = {0x2022: (0x2219, 0x00b7), 0x00b5: (0x03bc,), 0x2229: (), 0x00df: (0x03b2,), 0x03c6: (0x0278, 0x00f8), 0x2126: (0x03a9,),
         0x03a9: (0x2126,), 0x03b4: (0x00f0,), 0x03b5: (0x2208,), 0x20a7: (), 0x2310: (), 0x266a: (), 0x266b: ()}


def read(path):
    with open(path, "rb") as file:
        data = file.read()
    count = struct.unpack_from(">H", data, 4)[0]
    tables = {}
    for i in range(count):
        tag, _, offset, length = struct.unpack_from(">4sIII", data, 12 + 16 * i)
        tables[tag.decode()] = data[offset:offset + length]
    return tables


def character_map(cmap):
    for i in range(struct.unpack_from(">H", cmap, 2)[0]):
        platform, _, offset = struct.unpack_from(">HHI", cmap, 4 + 8 * i)
        if struct.unpack_from(">H", cmap, offset)[0] != 4:
            continue
        segments = struct.unpack_from(">H", cmap, offset + 6)[0] // 2
        at = lambda part, n: struct.unpack_from(">H", cmap, offset + 14 + part * 2 * segments + (2 if part else 0) + 2 * n)[0]
        result = {}
        for n in range(segments):
            end, start, delta, ranged = at(0, n), at(1, n), at(2, n), at(3, n)
            for code in range(start, min(end, 0xfffe) + 1):
                if ranged:
                    place = offset + 16 + 6 * segments + 2 * n + ranged + 2 * (code - start)
                    glyph = struct.unpack_from(">H", cmap, place)[0]
                    glyph = (glyph + delta) & 0xffff if glyph else 0
                else:
                    glyph = (code + delta) & 0xffff
                if glyph:
                    result[code] = glyph
        return result
    sys.exit("make_font.py: the font has no format 4 character map")


def strike_glyphs(eblc, ebdt, height):
    """glyph → (rows of bits, left bearing, top bearing) of the strike with that line height."""
    for i in range(struct.unpack_from(">I", eblc, 4)[0]):
        base = 8 + 48 * i
        array, _, tables, _ = struct.unpack_from(">IIII", eblc, base)
        ascender, descender = struct.unpack_from(">bb", eblc, base + 16)
        if ascender - descender != height or eblc[base + 46] != 1:
            continue
        glyphs = {}
        for t in range(tables):
            first, last, extra = struct.unpack_from(">HHI", eblc, array + 8 * t)
            index, image, data_offset = struct.unpack_from(">HHI", eblc, array + extra)
            body = array + extra + 8
            metrics = None
            if index in (1, 3):
                code = ">%d%s" % (last - first + 2, "I" if index == 1 else "H")
                offsets = struct.unpack_from(code, eblc, body)
            elif index == 2:
                size = struct.unpack_from(">I", eblc, body)[0]
                metrics = struct.unpack_from(">BBbbB", eblc, body + 4)
                offsets = [n * size for n in range(last - first + 2)]
            else:
                sys.exit(f"make_font.py: index format {index} is not read")
            for n in range(last - first + 1):
                place, end = data_offset + offsets[n], data_offset + offsets[n + 1]
                if place == end:
                    continue
                m = metrics
                if image in (1, 2):
                    m = struct.unpack_from(">BBbbB", ebdt, place)
                    place += 5
                elif image != 5:
                    sys.exit(f"make_font.py: image format {image} is not read")
                rows, width, left, top, _ = m
                bits = ebdt[place:end]
                lines = []
                for row in range(rows):
                    line = 0
                    for column in range(width):
                        bit = row * ((width + 7) // 8 * 8) + column if image == 1 else row * width + column
                        line = line << 1 | bits[bit // 8] >> (7 - bit % 8) & 1
                    lines.append((line << (8 - width)) & 0xff if width <= 8 else line >> (width - 8))
                glyphs[first + n] = (lines, left, ascender - top)
        return glyphs
    sys.exit(f"make_font.py: the font has no {height} pixel strike")


def cells(tables, codes, height):
    glyphs = strike_glyphs(tables["EBLC"], tables["EBDT"], height)
    font, missing = [], []
    for position, code in enumerate(TABLE):
        cell = bytearray(height)
        if code not in (0x20, 0xa0):
            found = next((c for c in (code, *TWINS.get(code, ())) if c in codes and codes[c] in glyphs), None)
            if found is None:
                missing.append(f"{position:02X}h U+{code:04X}")
            else:
                lines, left, top = glyphs[codes[found]]
                for row, line in enumerate(lines):
                    if 0 <= top + row < height:
                        cell[top + row] = line >> left if left >= 0 else (line << -left) & 0xff
        font.append(cell)
    if missing:
        sys.exit(f"make_font.py: the font of {height} pixels lacks " + ", ".join(missing))
    return font


# 16 rows to 8 with one baseline: capitals stand in rows 2 to 11, small letters in 5 to 11, descenders below.
FOLDED = ((0, 1, 2), (3, 4), (5,), (6, 7), (8,), (9, 10), (11,), (12, 13, 14, 15))


def folded(cell):
    """Rows laid over one another; of two that differ much the second alone, or round letters would become boxes."""
    rows = []
    for group in FOLDED:
        row = 0
        for index in group:
            row = cell[index] if len(group) == 2 and row and bin(row ^ cell[index]).count("1") > 4 else row | cell[index]
        rows.append(row)
    return bytes(rows)


def main():
    path, output, height = sys.argv[1], sys.argv[2], int(sys.argv[3])
    tables = read(path)
    codes = character_map(tables["cmap"])
    font = cells(tables, codes, 16 if height == 8 else height)
    if height == 8: # the font has no strike of 8 pixels
        font = [cell[::2] if 0xb0 <= n <= 0xdf else folded(cell) for n, cell in enumerate(font)]
    with open(output, "wb") as file:
        file.write(b"".join(map(bytes, font)))


main()
