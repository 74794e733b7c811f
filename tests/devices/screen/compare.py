#!/usr/bin/env python3
"""What a display mode shows, here and on QEMU: compare.py VITRINE PROGRAM FOLDER [--int10 BIOS]. The program says "SHOW name" on COM1
and waits for a byte; then both pictures must be equal in their six bits a colour (QEMU makes eight of six in another way), and so must
lines that begin with FACT. With --int10 PROGRAM is a boot disk, and the judge SeaBIOS with its SeaVGABIOS on QEMU.

QEMU 7.2 draws no panning and no split in text: those are held against the manual in vga_test.cpp."""
import shutil
import socket
import struct
import subprocess
import sys
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

    def __init__(self, *machine):
        serial, monitor = self.listener(), self.listener()
        self.process = subprocess.Popen(
            ["qemu-system-x86_64", "-accel", "tcg", "-machine", "q35", "-m", "64", "-display", "none", "-nodefaults", "-vga", "std", "-no-reboot",
             *machine, "-chardev", f"socket,id=s,host=127.0.0.1,port={serial.getsockname()[1]}", "-serial", "chardev:s", "-chardev",
             f"socket,id=m,host=127.0.0.1,port={monitor.getsockname()[1]}", "-mon", "chardev=m,mode=readline"],
            stdin=subprocess.DEVNULL)
        self.serial, self.monitor = serial.accept()[0], monitor.accept()[0]
        for connection in (self.serial, self.monitor):
            connection.settimeout(DEADLINE)
        self.until(self.monitor, b"(qemu) ")

    @staticmethod
    def listener():
        listener = socket.create_server(("127.0.0.1", 0))
        listener.settimeout(DEADLINE)
        return listener

    @staticmethod
    def until(connection, text):
        got = b""
        while not got.endswith(text):
            part = connection.recv(1 if text == b"\n" else 4096)
            if not part:
                sys.exit(f"QEMU has gone; it said {got[-300:]!r}")
            got += part
        return got

    def next(self, path):
        """The picture at the next stop, its name, and the facts that came before."""
        facts = []
        while not (line := self.until(self.serial, b"\n").decode(errors="replace").strip()).startswith("SHOW "):
            if line.startswith("FACT "):
                facts.append(line)
        self.monitor.sendall(f"screendump {path}\n".encode())
        self.until(self.monitor, b"(qemu) ")
        self.serial.sendall(b"x")
        return line[5:], facts

    def end(self):
        self.process.kill()
        self.process.wait()


def walk(folder, *machine):
    """All pictures on QEMU: name → (picture, facts), in order."""
    folder.mkdir(parents=True)
    peer, out = Peer(*machine), {}
    try:
        while (step := peer.next(folder / f"{len(out)}.ppm"))[0] != "end":
            out[step[0]] = (ppm(folder / f"{len(out)}.ppm"), step[1])
    finally:
        peer.end()
    return out


def ours(folder, names, *machine):
    folder.mkdir(parents=True)
    out, said = {}, []
    for number, name in enumerate(names):
        typing = [part for text in names[:number] for part in ("--type", f"x@serial:SHOW {text}\\x0a")]
        picture, console = folder / f"{number}.png", folder / f"{number}.console"
        done = subprocess.run([VITRINE, "--headless", "-m", "64M", *machine, "--serial", f"file:{console}", "--no-reboot", *typing, "--until",
                               f"serial:SHOW {name}\\x0a", "--limit-steps", "8000000000", "--screenshot", picture], capture_output=True,
                              text=True, stdin=subprocess.DEVNULL)
        if done.returncode != 0:
            sys.exit(f"{name}: status {done.returncode}\n{done.stderr}\n{console.read_bytes()[-500:] if console.exists() else ''}")
        text = console.read_text(errors="replace").replace("\r", "")
        start = text.rfind("SHOW ", 0, text.rfind("SHOW "))
        out[name] = (png(picture), [line for line in text[max(start, 0):].split("\n") if line.startswith("FACT ")])
    return out


def compare(who, wanted, got):
    """How many of the pictures or facts differ."""
    wrong = 0
    for name, ((width, height, rows), facts) in wanted.items():
        (our_width, our_height, our_rows), our_facts = got.get(name, ((0, 0, []), []))
        colours = {rows[y][x:x + 3] for y in range(0, height, 7) for x in range(0, width * 3, 3)}
        if name == "40x25 text" and our_width == 720:
            # Nine dots of two points each are 18 points a character; QEMU draws 16 and leaves the ninth dot out.
            our_width, our_rows = 640, [b"".join(row[c * 54:c * 54 + 48] for c in range(40)) for row in our_rows]
        bad = []
        if (width, height) == (our_width, our_height):
            for y, (a, b) in enumerate(zip(rows, our_rows)):
                if a != b:
                    bad += [(x // 3, y, a[x:x + 3].hex(), b[x:x + 3].hex()) for x in range(0, len(a), 3)
                            if any(a[x + i] >> 2 != b[x + i] >> 2 for i in range(3))]
        same = (width, height) == (our_width, our_height) and not bad and facts == our_facts and len(colours) > 1
        wrong += not same
        print(f"{'equal    ' if same else 'DIFFERENT'} {who}: {name}: {our_width}x{our_height}, {len(colours)} colours"
              + ("" if same else f"; wanted {width}x{height}; {len(bad)} points, the first (x, y, wanted, here): {bad[:3]}; "
                 f"facts {[pair for pair in zip(facts, our_facts) if pair[0] != pair[1]] or (len(facts), len(our_facts))}"), flush=True)
    return wrong


def main():
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    if "--int10" in sys.argv:
        bios = sys.argv[sys.argv.index("--int10") + 1]
        disk = FOLDER / "disk.img" # of a size for which firmware finds a geometry
        disk.write_bytes(Path(PROGRAM).read_bytes().ljust(4 << 20, b"\0"))
        drive = ["-drive", f"file={disk},format=raw,if=none,id=d,snapshot=on", "-device", "ide-hd,drive=d,bus=ide.0"]
        wanted = walk(FOLDER / "seabios", *drive)
        runs = {"our firmware on QEMU": walk(FOLDER / "peer", "-bios", bios, *drive),
                "here": ours(FOLDER / "here", list(wanted), "--bios", bios, "--disk", f"{disk},readonly")}
        least = 12
    else:
        wanted = walk(FOLDER / "qemu", "-bios", PROGRAM)
        disk = FOLDER / "disk.img" # nobody reads it
        disk.write_bytes(bytes(510) + b"\x55\xaa")
        runs = {"here": ours(FOLDER / "here", list(wanted), "--bios", PROGRAM, "--disk", f"{disk},readonly")}
        least = 19
    if len(wanted) < least:
        sys.exit(f"only {len(wanted)} pictures: {list(wanted)}")
    wrong = sum(compare(who, wanted, got) for who, got in runs.items())
    if wrong:
        sys.exit(f"{wrong} pictures differ, or are empty")


if __name__ == "__main__":
    main()
