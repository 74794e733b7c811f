#!/usr/bin/env python3
"""Boots Debian's Linux in Vitrine and holds what its init prints (init) against what must be so.

run.py VITRINE KERNEL INITRD PROCESSORS MEMORY [ROUNDS | --vectors PROGRAM]. PROGRAM runs on this computer too: its answer is what
the guest's must be. The whole console goes to stdout, so that a failure shows it."""
import re
import subprocess
import sys
import tempfile

vitrine, kernel, initrd, processors, memory = sys.argv[1:6]
vectors = sys.argv[7] if len(sys.argv) > 7 and sys.argv[6] == "--vectors" else None
rounds = sys.argv[6] if len(sys.argv) == 7 else None
nodes = 2 if int(processors) >= 4 else 1
second = tempfile.NamedTemporaryFile(suffix=".com2")
command = [vitrine, "--headless", "--cpus", processors, "-m", memory, "--kernel", kernel, "--initrd", initrd, "--append",
           "console=ttyS0 panic=-1" + (f" rounds={rounds} transparent_hugepage=always" if rounds else "") +
           (" vectors=1" if vectors else ""), *(["--cpu", "v3"] if vectors else []), "--no-reboot",
           "--limit-seconds", "900", "--serial2", f"file:{second.name}", *(["--numa", str(nodes)] if nodes > 1 else [])]
run = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True)
text = run.stdout.decode(errors="replace")
print(text, run.stderr.decode(errors="replace"), sep="\n")
said = dict(line.split(" ", 1) for line in re.findall(r"^test: (\S+ .*?)\r?$", text, re.M))
wanted = {"processors": processors, "complaints": "0", "clocksource": "tsc", "sums": "1"}
problems = [f"{k}: wanted {v}, got {said.get(k)}" for k, v in wanted.items() if said.get(k) != v]
# What --numa promises, as Linux reads it from SRAT and SLIT: processors and memory in equal parts.
words = said.get("nodes", "").split()
share = int(processors) // nodes
cpulists = [f"{i * share}-{(i + 1) * share - 1}" if share > 1 else str(i) for i in range(nodes)]
memories = [int(word) for word in words[nodes:] if word.isdigit()]
if words[:nodes] != cpulists or len(memories) != nodes:
    problems.append(f"nodes: {words}, wanted {cpulists} and as many sizes")
elif nodes > 1 and min(memories) * nodes < (int(memory[:-1]) << 10) * 0.7: # the kernel itself lies in one of them
    problems.append(f"the nodes' memories are no equal parts: {memories}")
distances = [10 if i % (nodes + 1) == 0 else 20 for i in range(nodes * nodes)]
if [int(word) for word in said.get("distances", "").split()] != distances:
    problems.append(f"distances: {said.get('distances')}")
if open(second.name, "rb").read() != b"through the second port\r\n":
    problems.append(f"COM2 said {open(second.name, 'rb').read()!r}")
if said.get("slept") not in ("10", "11"):
    problems.append(f"sleep 10 took {said.get('slept')} s")
if rounds:
    found = re.match(r"(\d+) rounds, (\d+) pages wrong, (\d+) huge pages", said.get("large-pages:", ""))
    if not found or found[1] != rounds or found[2] != "0":
        problems.append(f"large pages: {said.get('large-pages:')}")
    elif int(found[3]) < int(rounds):
        problems.append(f"only {found[3]} huge pages in {rounds} rounds: the test did not test")
if vectors:
    here = subprocess.run([vectors], capture_output=True, check=True).stdout.decode().split()
    there = said.get("vectors", "").split()
    if there[:1] != here[1:2]:
        problems.append(f"vectors: wanted {here[1]}, got {there[:1]}")
    if there[2:3] != ["4"]:
        problems.append(f"vectors: only {there[2:3]} of 4 processes were interrupted: the test did not test")
    if said.get("processors-with-each-flag") != processors:
        problems.append(f"flags in /proc/cpuinfo: on {said.get('processors-with-each-flag')} processors")
if run.returncode != 0:
    problems.append(f"status {run.returncode}")
for problem in problems:
    print("FAILED:", problem)
sys.exit(bool(problems))
