#!/usr/bin/env python3
"""side_by_side.py TRACE PROGRAM MODEL INSTRUCTIONS NM: the same bare-metal program on this engine (trace.cpp) and on QEMU's TCG, state
by state from two logs: millions of instructions by hand, where lockstep.py's two gdb ports take a switch of tasks for each. A row of
the program in which the two differ is counted and left: both go on at the next one (restore_state). The rows that may differ are those
of tests/privileged/peer_differences.txt; the report names the first instruction of each that does."""
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from lockstep import ARITHMETIC, RF, instruction, justified, undefined_flags

NAMES = ["rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi", *(f"r{i}" for i in range(8, 16)), "rip", "eflags",
         "es", "cs", "ss", "ds", "fs", "gs"]
FIELD = re.compile(r"\b([RE][A-Z0-9]{1,2}|R\d\d?|RFL|EFL) ?=([0-9a-f]{8,16})\b")
SELECTOR = re.compile(r"^([C-GS]S) =([0-9a-f]{4}) ", re.M)


row_names = ["the start"]


def ours(pipe):
    for line in pipe:
        if line[0] == "#":
            row_names.append(line[2:].strip())
            continue
        words = line.split()
        yield words[0], dict(zip(NAMES, (int(w, 16) for w in words[1:25]))), words[25] == "1"


def peers(log):
    """One state for each dump of the log: what is shown of it in the mode that it is in."""
    dump = []
    for line in log:
        if line[1:4] in ("AX=",) and dump:
            yield state("".join(dump))
            dump = []
        dump.append(line)


def state(text):
    found = {}
    for name, value in FIELD.findall(text):
        name = name.lower()
        if name in ("rfl", "efl"):
            name = "eflags"
        elif name[0] == "e":
            name = "r" + name[1:]
        found.setdefault(name, int(value, 16))
    for name, value in SELECTOR.findall(text):
        found[name.lower()] = int(value, 16)
    return {name: found[name] for name in NAMES if name in found}


def main():
    trace, program, model, wanted, nm = sys.argv[1:3] + [sys.argv[3], int(sys.argv[4]), sys.argv[5]]
    elf = str(Path(program).with_suffix(".elf"))
    symbols = subprocess.run([nm, "-n", elf], capture_output=True, text=True, check=True).stdout
    begin = next(int(line.split()[0], 16) for line in symbols.splitlines() if line.endswith("restore_stateEv"))
    with tempfile.TemporaryDirectory() as folder:
        fifo = os.path.join(folder, "log")
        os.mkfifo(fifo)
        levels = "" if model == "max" else ",la57=off"
        peer = subprocess.Popen(["qemu-system-x86_64", "-accel", "tcg", "-machine", "q35", "-cpu", f"max,vendor=GenuineIntel{levels}", "-m", "128", "-display",
                                 "none", "-nodefaults", "-no-reboot", "-serial", "null", "-device", "isa-debug-exit,iobase=0xf4,iosize=4", "-singlestep", "-d",
                                 "cpu,nochain", "-D", fifo, "-bios", program], stdin=subprocess.DEVNULL)
        engine = subprocess.Popen([trace, program, model], stdout=subprocess.PIPE, text=True, stdin=subprocess.DEVNULL)
        try:
            with open(fifo, errors="replace") as log:
                compare(ours(engine.stdout), peers(log), wanted, begin)
        finally:
            for process in (peer, engine):
                process.kill()
                process.wait()


def differing(a, b, unknown, flags):
    return [n for n in b if a[n] != b[n] and n not in unknown and not (n == "eflags" and not (a[n] ^ b[n]) & ~(flags | RF))]


def compare(left, right, wanted, begin):
    done = rows = 0
    left_rows = {}
    unknown, flags = {"rdx"}, 0  # what may differ for now: registers whose value is another computer's, flags left open
    code, a, long64 = next(left)
    b = next(right)
    try:
        while done < wanted:
            opcode, modrm = instruction(bytes.fromhex(code), long64)
            flags |= undefined_flags(opcode, modrm)
            if justified(opcode, modrm):
                unknown |= {"rax", "rbx", "rcx", "rdx"}
            if unknown - {"rdx"}:
                flags |= ARITHMETIC
            before = a["rip"]
            code, a, long64 = next(left)
            b = next(right)
            done += 1
            # A repeated instruction takes a step an iteration, and here the delivery of a trap takes one, too.
            for _ in range(70000):
                if a["rip"] == b["rip"] or before not in (a["rip"], b["rip"]):
                    break
                if a["rip"] == before:
                    code, a, long64 = next(left)
                else:
                    b = next(right)
            if a["rip"] == begin:
                rows += 1
            found = differing(a, b, unknown, flags)
            if found:
                code2, a2, long2 = next(left)
                if not differing(a2, b, unknown, flags):
                    code, a, long64, found = code2, a2, long2, None
            if found:
                left_rows.setdefault(row_names[-1], (before, found, {n: (a[n], b[n]) for n in found}))
                code, a, long64 = code2, a2, long2
                while a["rip"] != begin:
                    code, a, long64 = next(left)
                while b["rip"] != begin:
                    b = next(right)
                rows += 1
                unknown, flags = {n for n in b if a[n] != b[n] and n not in ("rip", "eflags")}, ARITHMETIC
                continue
            unknown = {n for n in unknown if a[n] != b.get(n)}
            flags &= a["eflags"] ^ b["eflags"]
    except StopIteration:
        print("the program ended")
    listed = (Path(__file__).parent.parent / "privileged/peer_differences.txt").read_text()
    may = {line.split(": ", 1)[1] for line in listed.splitlines() if line.startswith("  ")}
    for name, (at, names, values) in left_rows.items():
        print(f"{'as listed' if name in may else 'FAILED'}: {name}, behind {at:x}: " + ", ".join(f"{n} {values[n][0]:x}, peer {values[n][1]:x}" for n in names))
    print(f"{done} instructions side by side in {rows} rows; {len(left_rows)} rows were left at a difference")
    if left_rows.keys() - may:
        sys.exit(1)


if __name__ == "__main__":
    main()
