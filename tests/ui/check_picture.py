#!/usr/bin/env python3
"""Runs the app under Xvfb, lets it write its window, and checks the picture: size, that every part of the layout shows
something, and that there are many colours. Reads PNG by itself (RFC 2083: 8-bit RGB, no interlace)."""
import argparse, os, struct, subprocess, sys, zlib


def read_png(path):
    data = open(path, "rb").read()
    if data[:8] != b"\x89PNG\r\n\x1a\n":
        sys.exit(f"{path} is no PNG")
    at, body = 8, b""
    while at < len(data):
        length, kind = struct.unpack(">I4s", data[at:at + 8])
        chunk = data[at + 8:at + 8 + length]
        if kind == b"IHDR":
            width, height, depth, colour, _, _, interlace = struct.unpack(">IIBBBBB", chunk)
            if (depth, colour, interlace) != (8, 2, 0):
                sys.exit(f"{path}: not 8-bit RGB")
        if kind == b"IDAT":
            body += chunk
        at += 12 + length
    raw, stride, rows, before = zlib.decompress(body), width * 3, [], bytes(width * 3)
    for y in range(height):
        kind, line = raw[y * (stride + 1)], bytearray(raw[y * (stride + 1) + 1:(y + 1) * (stride + 1)])
        for i in range(stride) if kind else ():
            a = line[i - 3] if i >= 3 else 0
            b, c = before[i], before[i - 3] if i >= 3 else 0
            if kind == 1: line[i] = (line[i] + a) & 255
            elif kind == 2: line[i] = (line[i] + b) & 255
            elif kind == 3: line[i] = (line[i] + (a + b) // 2) & 255
            else:
                p = a + b - c
                pa, pb, pc = abs(p - a), abs(p - b), abs(p - c)
                line[i] = (line[i] + (a if pa <= pb and pa <= pc else b if pb <= pc else c)) & 255
        before = bytes(line)
        rows.append(before)
    return width, height, rows


def colours(rows, x0, y0, x1, y1):
    return len({rows[y][x * 3:x * 3 + 3] for y in range(y0, y1) for x in range(x0, x1)})


parser = argparse.ArgumentParser()
parser.add_argument("--size", required=True)
parser.add_argument("--output", required=True)
parser.add_argument("command", nargs="+")
options = parser.parse_args()
width, height = map(int, options.size.split("x"))
if os.path.exists(options.output):
    os.remove(options.output)
# Leaks: libX11 keeps about a kilobyte until exit; ui_tests and ui_engine_tests look for leaks of our own.
environment = dict(os.environ, SDL_RENDER_DRIVER="software", SDL_VIDEODRIVER="x11", ASAN_OPTIONS="detect_leaks=0")
environment.pop("WAYLAND_DISPLAY", None)
command = [sys.executable, os.path.join(os.path.dirname(os.path.abspath(__file__)), "with_display.py"), options.size, options.command[0], "--window", options.size,
           "--ui-screenshot", options.output, "--limit-seconds", "120"] + options.command[1:]
result = subprocess.run(command, env=environment, timeout=170)
if result.returncode != 0:
    sys.exit(f"the app ended with status {result.returncode}")
actual_width, actual_height, rows = read_png(options.output)
if (actual_width, actual_height) != (width, height):
    sys.exit(f"the picture is {actual_width}x{actual_height}, not {options.size}")
# Toolbar, left column, centre, right column, strip and status line: none of them may be blank.
parts = {"toolbar": (0, 0, width, 44), "screen": (0, 60, width * 2 // 5, height // 2), "code": (width * 45 // 100, 60, width * 65 // 100, height // 3),
         "structures": (width * 72 // 100, 60, width, height * 3 // 4), "strip": (0, height - 130, width, height - 30), "status": (0, height - 26, width, height)}
for name, part in parts.items():
    found = colours(rows, *part)
    print(f"{name}: {found} colours")
    if found < 12:
        sys.exit(f"the {name} is blank: {found} colours")
size = os.path.getsize(options.output)
print(f"{options.output}: {size} bytes")
if size > 500_000 * max(1, width * height / (1920 * 1080)):
    sys.exit(f"the picture has {size} bytes, more than the docs want")
