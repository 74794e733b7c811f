#!/usr/bin/env python3
"""Turns `nm` output of the first link into an assembler file with the kernel's text symbols (lib/kallsyms.cpp reads it).

Usage: kallsyms.py NM VMLINUX OUTPUT.S — offsets are relative to _text, so the table needs no relocation. Text is linked
first and the table last in rodata: adding it moves no text address, which is why one extra link pass is enough.
"""
import subprocess
import sys

import plain_names


def readable(mangled: str, demangled: str) -> str:
    """As plain_names.py names it; what stays mangled (lambdas, templates) loses its argument list and namespaces."""
    name = plain_names.plain(mangled, demangled)
    if not name.startswith("_Z"):
        return name[:80]
    depth, out = 0, []
    for index, char in enumerate(demangled):
        if char == "<":
            depth += 1
        elif char == ">":
            depth -= 1
        elif char == "(" and depth == 0 and not demangled.startswith("(anonymous", index):
            break
        out.append(char)
    return "".join(out).replace("(anonymous namespace)::", "").replace("kernel::", "")[:80]


def main() -> int:
    nm, vmlinux, output = sys.argv[1:4]
    def lines(*options):
        return subprocess.run([nm, "--defined-only", "--no-sort", *options, vmlinux], check=True, capture_output=True,
                              text=True).stdout.splitlines()

    symbols = {}
    base = end = None
    for line, demangled in zip(lines(), lines("--demangle")):
        address, kind, name = line.split(" ", 2)
        if name == "_text":
            base = int(address, 16)
        elif name == "_etext":
            end = int(address, 16)
        elif kind in "tTwW" and not name.startswith((".L", "$")):
            symbols.setdefault(int(address, 16), readable(name, demangled.split(" ", 2)[2]))
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
