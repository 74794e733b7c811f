#!/usr/bin/env python3
"""What a display mode shows, here and on QEMU: compare.py VITRINE PROGRAM FOLDER. The program says "SHOW name" on COM1 and waits for
a byte; then both pictures must be equal in their six bits a colour (QEMU makes eight of six in another way).

QEMU 7.2 draws no panning and no split in text: those are held against the manual in vga_test.cpp."""
import shutil
import socket
import struct
import subprocess
import sys
import time
import zlib
from pathlib import Path

VITRINE, PROGRAM, FOLDER = sys.argv[1], sys.argv[2], Path(sys.argv[3])
DEADLINE = 120


def png(path):
    """An 8-bit RGBA PNG: width, height, rows of bytes."""
    data, at, idat = path.read_bytes(), 8, b""
    while at < len(data):
        length, kind = struct.unpack(">I4s", data[at:at + 8])
        body = data[at + 8:at + 8 + length]
        if kind == b"IHDR":
            width, height, depth, colour = struct.unpack(">IIBB", body[:10])
        elif kind == b"IDAT":
            idat += body
        at += 12 + length
    assert depth == 8 and colour in (2, 6), f"a PNG of depth {depth}, colour type {colour}"
    size = 3 if colour == 2 else 4
    raw, rows, above = zlib.decompress(idat), [], bytearray(width * size)
    for y in range(height):
        filter_, line = raw[y * (width * size + 1)], bytearray(raw[y * (width * size + 1) + 1:(y + 1) * (width * size + 1)])
        for i in range(len(line)) if filter_ else ():
            left, up, corner = line[i - size] if i >= size else 0, above[i], above[i - size] if i >= size else 0
            if filter_ == 1:
                line[i] = (line[i] + left) & 255
            elif filter_ == 2:
                line[i] = (line[i] + up) & 255
            elif filter_ == 3:
                line[i] = (line[i] + (left + up) // 2) & 255
            elif filter_ == 4:
                guess = left + up - corner
                line[i] = (line[i] + min((left, up, corner), key=lambda v: abs(guess - v))) & 255
        rows.append(bytes(line) if size == 3 else bytes(b for i, b in enumerate(line) if i % 4 != 3))
        above = line
    return width, height, rows


def ppm(path):
    kind, size, most, pixels = path.read_bytes().split(b"\n", 3)
    width, height = map(int, size.split())
    assert kind == b"P6" and most == b"255", "not a PPM of bytes"
    return width, height, [pixels[y * width * 3:(y + 1) * width * 3] for y in range(height)]


class Peer:
    """QEMU with COM1 and its monitor on sockets that it connects to."""

    def __init__(self):
        serial, monitor = self.listener(), self.listener()
        self.process = subprocess.Popen(
            ["qemu-system-x86_64", "-accel", "tcg", "-machine", "q35", "-m", "64", "-display", "none", "-nodefaults", "-vga", "std", "-bios",
             PROGRAM, "-no-reboot", "-device", "isa-debug-exit,iobase=0xf4,iosize=4", "-chardev",
             f"socket,id=s,host=127.0.0.1,port={serial.getsockname()[1]}", "-serial", "chardev:s", "-chardev",
             f"socket,id=m,host=127.0.0.1,port={monitor.getsockname()[1]}", "-mon", "chardev=m,mode=readline"],
            stdin=subprocess.DEVNULL)
        self.serial, self.monitor = serial.accept()[0], monitor.accept()[0]
        for connection in (self.serial, self.monitor):
            connection.settimeout(DEADLINE)
        self.until(self.monitor, b"(qemu) ")
        self.said = b""

    @staticmethod
    def listener():
        listener = socket.create_server(("127.0.0.1", 0))
        listener.settimeout(DEADLINE)
        return listener

    @staticmethod
    def until(connection, text):
        got = b""
        while not got.endswith(text):
            part = connection.recv(4096)
            if not part:
                sys.exit(f"QEMU has gone; it said {got[-300:]!r}")
            got += part
        return got

    def next(self, path):
        """The picture at the next stop and its name."""
        line = self.until(self.serial, b"\n").decode().strip()
        assert line.startswith("SHOW "), line
        self.monitor.sendall(f"screendump {path}\n".encode())
        self.until(self.monitor, b"(qemu) ")
        self.serial.sendall(b"x")
        return line[5:]

    def end(self):
        self.process.kill()
        self.process.wait()


def ours(name, before, path):
    typing = [part for text in before for part in ("--type", f"x@serial:SHOW {text}\\x0a")]
    done = subprocess.run([VITRINE, "--headless", "-m", "64M", "--bios", PROGRAM, "--serial", "null", "--no-reboot", *typing, "--until",
                           f"serial:SHOW {name}\\x0a", "--limit-steps", "4000000000", "--screenshot", path], capture_output=True, text=True,
                          stdin=subprocess.DEVNULL)
    if done.returncode != 0:
        sys.exit(f"{name}: status {done.returncode}\n{done.stderr}")
    return png(path)


def main():
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    peer, names, wrong = Peer(), [], []
    try:
        while (name := peer.next(FOLDER / f"{len(names)}.ppm")) != "end":
            names.append(name)
    finally:
        peer.end()
    if len(names) < 18:
        sys.exit(f"only {len(names)} pictures: {names}")
    for number, name in enumerate(names):
        wanted, got = ppm(FOLDER / f"{number}.ppm"), ours(name, names[:number], FOLDER / f"{number}.png")
        colours = {wanted[2][y][x:x + 3] for y in range(0, wanted[1], 7) for x in range(0, wanted[0] * 3, 3)}
        bad = []
        if wanted[:2] == got[:2]:
            for y in range(wanted[1]):
                a, b = wanted[2][y], got[2][y]
                bad += [(x // 3, y, a[x:x + 3].hex(), b[x:x + 3].hex()) for x in range(0, len(a), 3)
                        if any(a[x + i] >> 2 != b[x + i] >> 2 for i in range(3))]
        same = wanted[:2] == got[:2] and not bad
        print(f"{'equal    ' if same else 'DIFFERENT'} {name}: {got[0]}x{got[1]}, {len(colours)} colours"
              + ("" if same else f"; QEMU {wanted[0]}x{wanted[1]}; {len(bad)} points, the first (x, y, QEMU, here): {bad[:3]}"), flush=True)
        if not same or len(colours) < 2:
            wrong.append(name)
    if wrong:
        sys.exit(f"{len(wrong)} of {len(names)} pictures differ, or are empty")


main()
