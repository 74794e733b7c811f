#!/usr/bin/env python3
"""Boot loaders and a memory tester that others wrote, on our firmware: GRUB 2 and ISOLINUX from a CD that their own tools
made, memtest86+ on one and four processors. Limits are steps: what runs here is deterministic.

usage: loaders.py VITRINE BZIMAGE DISK FOLDER CASE"""
import re
import shutil
import struct
import subprocess
import sys
import zlib
from pathlib import Path

VITRINE, BZIMAGE, DISK = sys.argv[1:4]
FOLDER = Path(sys.argv[4]) / sys.argv[5]
MENU = "linux /boot/bzImage console=ttyS0 console=tty0 root=/dev/sda1 init=/sbin/init"
SERIAL = "serial --unit=0 --speed=115200\nterminal_input serial console\nterminal_output serial console\n"


def run(*command, status=0):
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, errors="replace", stdin=subprocess.DEVNULL)
    if done.returncode != status:
        sys.exit(f"{' '.join(map(str, command))}: status {done.returncode}, not {status}\n{done.stdout[-3000:]}\n{done.stderr[-2000:]}")
    return done.stdout


def check(holds, what):
    if not holds:
        sys.exit(f"loaders.py: {what}")


def boots(*machine):
    """To the bundled kernel's prompt and to power-off, by the loader."""
    console = run(VITRINE, "--headless", "--cpus", "1", "--no-reboot", *machine, "--type", r"poweroff\n", "--limit-steps", "8000000000")
    check("Power down" in console, f"no prompt:\n{console[-2000:]}")
    return console


def bundled_disk():
    return f"{DISK},overlay={FOLDER / 'overlay'}"


def grub_tree(configuration, fonts=()):
    tree = FOLDER / "tree"
    (tree / "boot/grub/fonts").mkdir(parents=True)
    shutil.copy(BZIMAGE, tree / "boot/bzImage")
    for font in fonts:
        shutil.copy(font, tree / "boot/grub/fonts")
    (tree / "boot/grub/grub.cfg").write_text(configuration)
    return tree


def case_grub_cd():
    iso = FOLDER / "grub.iso"
    run("grub-mkrescue", "-o", iso, grub_tree(f'{SERIAL}set timeout=0\nmenuentry "Vitrine" {{ {MENU} }}\n'))
    console = boots("--cdrom", iso, "--boot", "cdrom", "--disk", bundled_disk())
    check("BOOT_IMAGE=/boot/bzImage" in console, "the kernel was not started by GRUB")


def pixels(path):
    """An 8-bit PNG as rows of (r, g, b)."""
    data, at, idat = path.read_bytes(), 8, b""
    while at < len(data):
        length, kind = struct.unpack(">I4s", data[at:at + 8])
        body = data[at + 8:at + 8 + length]
        if kind == b"IHDR":
            width, height, depth, colour = struct.unpack(">IIBB", body[:10])
        elif kind == b"IDAT":
            idat += body
        at += 12 + length
    check(depth == 8 and colour in (2, 6), f"a PNG of depth {depth}, colour type {colour}")
    size = 3 if colour == 2 else 4
    raw, rows, above = zlib.decompress(idat), [], bytearray(width * size)
    for y in range(height):
        filter_, line = raw[y * (width * size + 1)], bytearray(raw[y * (width * size + 1) + 1:(y + 1) * (width * size + 1)])
        for i in range(len(line)):
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
        rows.append([tuple(line[x * size:x * size + 3]) for x in range(width)])
        above = line
    return rows


def case_grub_graphics():
    """gfxterm: VBE finds a mode, the menu is drawn with GRUB's font, the chosen line is a bar across it."""
    iso, picture = FOLDER / "grub.iso", FOLDER / "menu.png"
    configuration = "insmod all_video\nloadfont /boot/grub/fonts/unicode.pf2\nset gfxmode=800x600\nterminal_output gfxterm\nset timeout=-1\n"
    entries = "".join(f'menuentry "Line {n}" {{ {MENU} }}\n' for n in range(3))
    run("grub-mkrescue", "-o", iso, grub_tree(configuration + entries, ["/usr/share/grub/unicode.pf2"]))
    run(VITRINE, "--headless", "--serial", "null", "--cpus", "1", "--cdrom", iso, "--boot", "cdrom", "--limit-steps", "1600000000",
        "--screenshot", picture, status=75)
    rows = pixels(picture)
    check((len(rows[0]), len(rows)) == (800, 600), f"the picture is {len(rows[0])}x{len(rows)}")
    bright = [sum(min(pixel) > 128 for pixel in row) for row in rows]
    bars = [y for y, count in enumerate(bright) if 600 < count < 760 and min(bright[y - 2:y + 3]) > 100] # no frame's line
    check(8 <= len(bars) <= 24 and bars == list(range(bars[0], bars[0] + len(bars))), f"no bar of one line's height: rows {bars}")
    check(sum(bright) > 15000, f"{sum(bright)} bright points: no text")


def case_isolinux():
    tree, iso = FOLDER / "tree", FOLDER / "isolinux.iso"
    (tree / "isolinux").mkdir(parents=True)
    shutil.copy("/usr/lib/ISOLINUX/isolinux.bin", tree / "isolinux")
    shutil.copy("/usr/lib/syslinux/modules/bios/ldlinux.c32", tree / "isolinux")
    shutil.copy(BZIMAGE, tree / "linux")
    (tree / "isolinux/isolinux.cfg").write_text("SERIAL 0 115200\nDEFAULT vitrine\nPROMPT 1\nTIMEOUT 5\nLABEL vitrine\n  KERNEL /linux\n"
                                                "  APPEND console=ttyS0 console=tty0 root=/dev/sda1 init=/sbin/init\n")
    run("xorriso", "-as", "mkisofs", "-quiet", "-o", iso, "-b", "isolinux/isolinux.bin", "-c", "isolinux/boot.cat", "-no-emul-boot",
        "-boot-load-size", "4", "-boot-info-table", tree)
    console = boots("--cdrom", iso, "--boot", "cdrom", "--disk", bundled_disk())
    check("ISOLINUX" in console and "BOOT_IMAGE=/linux" in console, "the kernel was not started by ISOLINUX")


def case_grub_floppy():
    """A floppy that El Torito emulates: GRUB boots from it as drive 00h, knows its size and reads its last sector; then the same disc
    through IDE, chosen in the boot menu, and behind a disk that cannot be booted."""
    tree, iso, core, early = FOLDER / "tree", FOLDER / "floppy.iso", FOLDER / "core.img", FOLDER / "early.cfg"
    tree.mkdir(parents=True)
    early.write_text(f"{SERIAL}ls\ncat (fd0)2879+1\nhalt\n")
    run("grub-mkimage", "-O", "i386-pc", "-o", core, "-p", "(fd0)/", "-c", early, "biosdisk", "serial", "terminal", "ls", "cat", "halt", "normal")
    floppy = bytearray(2880 * 512)
    boot, image = Path("/usr/lib/grub/i386-pc/boot.img").read_bytes(), core.read_bytes()
    check(512 + len(image) < 2879 * 512, f"GRUB's core of {len(image)} bytes does not fit on a floppy")
    floppy[:512], floppy[512:512 + len(image)] = boot, image
    floppy[2879 * 512:] = b"test: the floppy's last sector\n".ljust(512, b"\n")
    (tree / "floppy.img").write_bytes(floppy)
    run("xorriso", "-as", "mkisofs", "-quiet", "-o", iso, "-b", "floppy.img", "-c", "boot.cat", tree)
    blank = FOLDER / "blank.img"
    blank.write_bytes(bytes(1 << 20))
    menu = ["--boot", "menu=on", "--type", r"\e@serial:boot menu", "--type", "2@serial:usual order: "]
    for machine in (["--boot", "cdrom"], ["--storage", "ide", "--disk", blank, *menu], ["--disk", blank, "--boot", "order=cd"]):
        console = run(VITRINE, "--headless", "--cpus", "1", "--no-reboot", "--cdrom", iso, *machine, "--limit-steps", "3000000000",
                      "--until", "serial:last sector")
        check("(fd0)" in console and "test: the floppy's last sector" in console, f"{machine}: no floppy:\n{console[-2000:]}")
    check("hard disk 0 has no boot signature" in console, f"the blank disk was not tried first:\n{console[-2000:]}")


def memtest(processors, program, steps):
    """The first tests of a pass; a whole pass over 32 MB takes some 50 thousand million steps."""
    screen = run(VITRINE, "--headless", "--serial", "null", "--cpus", processors, "-m", "32M", "--kernel", f"/boot/memtest86+{program}.bin",
                 "--limit-steps", steps, "--inspect", "screen", status=75)
    check("Memtest86+" in screen, f"it does not run:\n{screen}")
    check(re.search(rf"CPU: {processors} Cores {processors} Threads", screen), f"it does not see {processors} processors:\n{screen}")
    check(re.search(r"Errors: 0\s*$", screen, re.M), f"it finds errors:\n{screen}")
    check(not re.search(r"Test #0", screen) and re.search(r"Test #\d", screen), f"it has not come to its second test:\n{screen}")


def case_memtest():
    memtest(1, "x64", 2_000_000_000)


def case_memtest_smp():
    memtest(4, "x64", 4_000_000_000)


def case_memtest_ia32():
    memtest(1, "ia32", 2_000_000_000)


def main():
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    globals()[f"case_{sys.argv[5]}"]()


main()
