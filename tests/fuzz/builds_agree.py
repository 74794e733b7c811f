#!/usr/bin/env python3
"""builds_agree.py FUZZ_PROCESSOR FUZZ_PROCESSOR… FOLDER: the same guests in several builds (release, debug, sanitized, another
compiler's) must end in the same states: what differs is undefined behaviour of the host's code that reaches a guest. Inputs that hold
a transcendental x87 instruction (D9 F0 to FF) are left out when --other-hosts says that the builds ran on different processors."""
import subprocess
import sys
from pathlib import Path

programs, folder = [a for a in sys.argv[1:-1] if not a.startswith("--")], Path(sys.argv[-1])
files = sorted(folder.iterdir())
if "--other-hosts" in sys.argv:
    files = [f for f in files if not any(a == 0xD9 and b >= 0xF0 for a, b in zip(f.read_bytes(), f.read_bytes()[1:]))]
if not programs or not files:
    sys.exit("nothing to compare")


def digest(program, some):
    run = subprocess.run([program, "--digest", "-rss_limit_mb=0", *some], capture_output=True, text=True, errors="replace")
    lines = [line for line in run.stdout.splitlines() if line.startswith("digest ")]
    if run.returncode or len(lines) != 1:
        sys.exit(f"{program} ended with status {run.returncode}:\n{run.stderr[-2000:]}")
    return lines[0]


def differing(some):
    """The first file of `some` over which the builds differ, found by halving."""
    while len(some) > 1:
        half = some[:len(some) // 2]
        some = half if len({digest(p, half) for p in programs}) > 1 else some[len(some) // 2:]
    return some[0]


found = {digest(program, files) for program in programs}
if len(found) > 1:
    sys.exit(f"FAILED: the builds differ, first over {differing(files)}")
print(f"{len(programs)} builds, {len(files)} guests: {found.pop()}")
