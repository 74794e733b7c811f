#!/usr/bin/env python3
"""Gives the kernel's symbols the names that their sources have: `schedule`, not `_ZN6kernel8scheduleEv`.

Usage: plain_names.py NM VMLINUX OUTPUT — writes a table for `objcopy --redefine-syms`. A free function or variable of
namespace kernel (or of a namespace inside it) gets its bare name. Members keep theirs as Class::member. Overloads and
functions of one name in several files share the name, as static functions do in Linux's kallsyms. What C++ made itself
(vtables, guards, templates, lambdas) stays mangled.
"""
import re
import subprocess
import sys


def plain(name: str, demangled: str) -> str:
    """The name that a reader of the source types, or the mangled one."""
    if not name.startswith("_Z") or name.startswith(("_ZTV", "_ZTI", "_ZTS", "_ZGV", "_ZTh", "_ZTc")):
        return name
    if any(mark in demangled for mark in ("'lambda", "{lambda", "<", "operator", "$_")):
        return name
    text = demangled.replace("(anonymous namespace)::", "")
    text = text.split("(", 1)[0]
    while re.match(r"(kernel|ext2)::", text):
        text = text.split("::", 1)[1]
    return name if not re.fullmatch(r"[A-Za-z_~][\w~:]*", text) else text


def table(nm: str, vmlinux: str) -> dict:
    """Mangled name to plain name, for every defined symbol that changes."""
    def names(*options):
        out = subprocess.run([nm, "--defined-only", "--no-sort", *options, vmlinux], check=True, capture_output=True,
                             text=True).stdout
        return [line.split(" ", 2)[2] for line in out.splitlines()]

    changed = {}
    for name, demangled in zip(names(), names("--demangle")):
        new = plain(name, demangled)
        if new != name:
            changed[name] = new
    return changed


def main() -> int:
    nm, vmlinux, output = sys.argv[1:4]
    with open(output, "w", encoding="ascii") as out:
        for name, new in sorted(table(nm, vmlinux).items()):
            out.write(f"{name} {new}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
