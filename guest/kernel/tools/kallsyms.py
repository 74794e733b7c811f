#!/usr/bin/env python3
"""Turns `nm` output of the first link into an assembler file with the kernel's text symbols (lib/kallsyms.cpp reads it).

Usage: kallsyms.py NM VMLINUX OUTPUT.S — offsets are relative to _text, so the table needs no relocation. Text is linked
first and the table last in rodata: adding it moves no text address, which is why one extra link pass is enough.
"""
import subprocess
import sys


def demangled_short(name: str) -> str:
    """Argument lists are noise in a backtrace: keep the qualified name without the namespaces."""
    depth, out = 0, []
    for index, char in enumerate(name):
        if char == "<":
            depth += 1
        elif char == ">":
            depth -= 1
        elif char == "(" and depth == 0 and not name.startswith("(anonymous", index):
            break
        out.append(char)
    return "".join(out).replace("(anonymous namespace)::", "").replace("kernel::", "")[:80]


def main() -> int:
    nm, vmlinux, output = sys.argv[1:4]
    lines = subprocess.run([nm, "--demangle", "--defined-only", "--no-sort", vmlinux], check=True, capture_output=True,
                           text=True).stdout.splitlines()
    symbols = {}
    base = end = None
    for line in lines:
        address, kind, name = line.split(" ", 2)
        if name == "_text":
            base = int(address, 16)
        elif name == "_etext":
            end = int(address, 16)
        elif kind in "tTwW" and not name.startswith((".L", "$")):
            symbols.setdefault(int(address, 16), demangled_short(name))
    if base is None or end is None:
        print("kallsyms: no _text or _etext", file=sys.stderr)
        return 1
    rows = sorted((address - base, name) for address, name in symbols.items() if base <= address < end)
    with open(output, "w", encoding="ascii") as out:
        out.write('.section .kallsyms, "a"\n')
        out.write(f".globl kallsyms_count\n.balign 4\nkallsyms_count: .long {len(rows)}\n")
        out.write(".globl kallsyms_offsets\nkallsyms_offsets:\n")
        for offset, _ in rows:
            out.write(f".long {offset}\n")
        out.write(".globl kallsyms_name_offsets\nkallsyms_name_offsets:\n")
        at = 0
        for _, name in rows:
            out.write(f".long {at}\n")
            at += len(name) + 1
        out.write(".globl kallsyms_names\nkallsyms_names:\n")
        for _, name in rows:
            escaped = name.replace("\\", "\\\\").replace('"', '\\"')
            out.write(f'.asciz "{escaped}"\n')
    return 0


if __name__ == "__main__":
    sys.exit(main())
