#!/usr/bin/env python3
"""Boots an image that reports what its loader told it: run.py VITRINE IMAGE [--qemu]. The report must be the right one, and,
with --qemu, the one that QEMU's own loader gives (but for the command line and names, where QEMU puts the file's path first)."""
import os, subprocess, sys, tempfile

COMMON = ["bss is clear: 1", "protection: 1", "paging: 0", "interrupts: 0", "line 20: 1"]
MAP = ["map: RAM below 640 KiB, at least 600 KiB: 1", "map: MiB from 1 MiB, at least 100: 1", "map: something is reserved: 1"]
CONTENTS = [b"first module", bytes(range(256)) * 40]


def module_lines(names):
    lines = []
    for name, content in zip(names, CONTENTS):
        value = 0
        for byte in content:
            value = (value * 31 + byte) & 0xFFFFFFFF
        lines += [f"module [{name}]", f" bytes {len(content):x}", f" sum {value:x}", " page-aligned 1"]
    return lines


def expected(kind, line, names):
    if kind == "multiboot1":
        return COMMON + ["Multiboot", "memory fields: 1", "lower KiB, at least 600: 1", f"command line [{line}]", "modules: 2",
                         *module_lines(names), *MAP, "symbols in memory: 1", "framebuffer type: 2"]
    if kind == "multiboot1_flat":
        return [l for l in expected("multiboot1", line, names) if not l.startswith("symbols")]
    if kind == "multiboot2":
        return COMMON + ["Multiboot 2", "aligned: 1", f"command line [{line}]", *module_lines(names), "section headers, at least 4: 1",
                         "framebuffer type 1", " width 320", " height 258", " depth 20", " pitch c80", " red at 10", *MAP,
                         "ends where it says: 1", "RSDPs: 2"]
    return COMMON + ["PVH", "version, at least 1: 1", f"command line [{line}]", "modules: 2", *module_lines(names), *MAP, "RSDP: 1"]


def main():
    vitrine, image = sys.argv[1], sys.argv[2]
    kind = os.path.basename(image).split(".")[0]
    with tempfile.TemporaryDirectory() as folder:
        names = []
        for i, content in enumerate(CONTENTS):
            path = os.path.join(folder, f"module{i}")
            open(path, "wb").write(content)
            names.append(path)
        names[1] += " with arguments"
        # On QEMU a PVH image has one module at most.
        if "--qemu" in sys.argv and kind == "pvh":
            names = names[:1]
        refused = subprocess.run([vitrine, "--headless", "--kernel", image, "--bios", "/usr/share/seabios/bios-256k.bin"], capture_output=True,
                                 timeout=60, stdin=subprocess.DEVNULL, text=True)
        if refused.returncode != 66 or "bundled firmware" not in refused.stderr:
            sys.exit(f"with a firmware that cannot start it: status {refused.returncode}, {refused.stderr}")
        picture = os.path.join(folder, "screen.png")
        done = subprocess.run([vitrine, "--headless", "--kernel", image, "--initrd", ",".join(names), "--append", "a=1 b", "-m", "256M",
                               "--limit-seconds", "60", "--screenshot", picture], capture_output=True, timeout=100, stdin=subprocess.DEVNULL)
        text = done.stdout.decode("latin-1").replace("\r", "")
        if "--qemu" not in sys.argv:
            got = [l for l in text.split("\n") if l][-len(expected(kind, "", names)):]
            wanted = expected(kind, "a=1 b", names)
        else:
            ran = subprocess.run(["qemu-system-x86_64", "-machine", "q35", "-m", "256", "-display", "none", "-nodefaults", "-serial", "stdio", "-no-reboot",
                                  "-kernel", image, "-initrd", ",".join(names), "-append", "a=1 b", "-device",
                                  "isa-debug-exit,iobase=0xf4,iosize=4"], capture_output=True, timeout=100, stdin=subprocess.DEVNULL)
            # Optional parts that QEMU leaves out or names otherwise.
            def comparable(text):
                lines = text[text.index("bss is"):].strip().split("\n")
                return [l for l in lines if not l.startswith(("command line", "module [", "symbols", "framebuffer"))]
            got, wanted = comparable(text), comparable(ran.stdout.decode("latin-1").replace("\r", ""))
        if got != wanted or done.returncode != 33:
            print("\n".join(f"{'  ' if a == b else '! '}{a:60} {b}" for a, b in zip(got + [""] * 40, wanted + [""] * 40) if a or b))
            sys.exit(f"status {done.returncode}: the report (left) is not the one that is wanted (right)\n{text[-2000:]}{done.stderr.decode()}")


main()
