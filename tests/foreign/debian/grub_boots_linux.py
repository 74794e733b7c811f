#!/usr/bin/env python3
"""GRUB 2 on a hard disk boots Debian's kernel: firmware → boot sector → core image → ext4 → kernel and initrd → userland.

usage: grub_boots_linux.py VITRINE KERNEL INITRD FOLDER. What runs here is deterministic: the limit is steps."""
import re
import shutil
import subprocess
import sys
from pathlib import Path

import grub_disk

VITRINE, KERNEL, INITRD, FOLDER = sys.argv[1:]
CONFIGURATION = """serial --unit=0 --speed=115200
terminal_input serial console
terminal_output serial console
echo test: grub reads ($root)
linux /boot/vmlinuz console=ttyS0 panic=-1
initrd /boot/initrd.gz
boot
"""


def main():
    folder = Path(FOLDER)
    shutil.rmtree(folder, ignore_errors=True)
    tree = folder / "tree"
    (tree / "boot/grub").mkdir(parents=True)
    shutil.copy(KERNEL, tree / "boot/vmlinuz")
    shutil.copy(INITRD, tree / "boot/initrd.gz")
    (tree / "boot/grub/grub.cfg").write_text(CONFIGURATION)
    grub_disk.make(folder / "disk.img", tree, 32)
    run = subprocess.run([VITRINE, "--headless", "--cpus", "2", "--disk", folder / "disk.img", "--no-reboot", "--limit-steps",
                          "12000000000"], stdin=subprocess.DEVNULL, capture_output=True)
    text = run.stdout.decode(errors="replace")
    print(text, run.stderr.decode(errors="replace"), sep="\n")
    wanted = {"GRUB": r"test: grub reads \(hd0,msdos1\)", "command line": r"Kernel command line: BOOT_IMAGE=/boot/vmlinuz",
              "processors": r"test: processors 2", "complaints": r"test: complaints 0\r?$", "end": r"test: done"}
    problems = [f"{name}: the console lacks {pattern!r}" for name, pattern in wanted.items() if not re.search(pattern, text, re.M)]
    if run.returncode != 0:
        problems.append(f"status {run.returncode}")
    for problem in problems:
        print("FAILED:", problem)
    sys.exit(bool(problems))


main()
