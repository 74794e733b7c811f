#!/usr/bin/env python3
"""Every claim of a lesson can fail: each is turned into its opposite, and --check must tell its line. lesson_claims.py VITRINE LESSON.md"""
import os, re, subprocess, sys, tempfile

vitrine, path = sys.argv[1:]
lines = open(path).read().split("\n")
SWAP = {"==": "!=", "!=": "==", "<": ">=", ">=": "<", ">": "<=", "<=": ">"}
tried = 0
with tempfile.TemporaryDirectory() as folder:
    for i, line in enumerate(lines):
        if not line.startswith("expect ") or "||" in line or "&&" in line:
            continue
        if " has " in line or " lacks " in line:
            false = line.replace(" has ", " LACKS ").replace(" lacks ", " has ").replace(" LACKS ", " lacks ")
        else:
            where = [m for m in re.finditer(r" (==|!=|<=|>=|<|>) ", line)][-1]
            false = line[: where.start(1)] + SWAP[where.group(1)] + line[where.end(1):]
        broken = os.path.join(folder, "broken.md")
        open(broken, "w").write("\n".join(lines[:i] + [false] + lines[i + 1:]))
        done = subprocess.run([vitrine, "--lesson", broken, "--check"], capture_output=True, text=True, timeout=300)
        if done.returncode != 75 or f"broken.md:{i + 1}: {false}: found" not in done.stderr:
            sys.exit(f"{false!r} in line {i + 1}: status {done.returncode}, {done.stderr!r}")
        tried += 1
if tried < 5:
    sys.exit("too few claims were tried")
print(f"{tried} claims, each seen failing")
