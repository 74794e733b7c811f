#!/usr/bin/env python3
"""What history and recording cost: processor time of the same run with and without them, in pairs.

cost.py --vitrine FILE [--kernel BZIMAGE --initrd FILE --rounds N] [--pairs N] [--callgrind] [--bar RATIO]

Two workloads: the bundled guest's boot to its prompt and, where a kernel and an initrd (history/init) are given, a boot of that Linux
with a shell workload. Each pair is a run without and a run with; which goes first alternates, and the median of the pairs' ratios
counts, so that the machine's other load matters little. --callgrind counts instructions instead: one pair, no load matters at all.
Status 1 when a ratio is above the bar."""
import argparse
import os
import re
import resource
import statistics
import subprocess
import sys
import tempfile


def seconds(command):
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    if done.returncode != 0:
        sys.exit(f"cost: {' '.join(command)} ended with status {done.returncode}: {done.stderr.decode(errors='replace').strip()}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def instructions(command, folder):
    done = subprocess.run(["valgrind", "--tool=callgrind", f"--callgrind-out-file={folder}/out", *command], stdin=subprocess.DEVNULL,
                          stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    found = re.search(r"Collected : (\d+)", done.stderr)
    if done.returncode != 0 or not found:
        sys.exit(f"cost: valgrind ended with status {done.returncode}: {done.stderr.strip()}")
    return int(found[1])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--vitrine", required=True)
    parser.add_argument("--kernel")
    parser.add_argument("--initrd")
    parser.add_argument("--rounds", type=int, default=4, help="of the shell workload")
    parser.add_argument("--pairs", type=int, default=7)
    parser.add_argument("--only", choices=["boot", "linux"])
    parser.add_argument("--callgrind", action="store_true")
    parser.add_argument("--bar", type=float, default=1.05)
    options = parser.parse_args()
    workloads = {"boot": ("the bundled guest's boot", ["--until", "serial:vitrine# "])}
    if options.kernel:
        workloads["linux"] = (f"Linux and {options.rounds} rounds of a shell workload",
                              ["-m", "512M", "--kernel", options.kernel, "--initrd", options.initrd, "--append",
                               f"console=ttyS0 panic=-1 rounds={options.rounds}", "--no-reboot"])
    failed = False
    with tempfile.TemporaryDirectory() as folder:
        ways = (("--history 1G", ["--history", "1G"]), ("--record", ["--record", f"{folder}/run.vrec"]),
                ("--history 1G --record", ["--history", "1G", "--record", f"{folder}/run.vrec"]))
        for name, (title, what) in workloads.items():
            if options.only and options.only != name:
                continue
            plain = [options.vitrine, "--headless", "--serial", "null", *what]
            for way, more in ways:
                ratios, ours, theirs = [], [], []
                for pair in range(1 if options.callgrind else options.pairs):
                    got = {}
                    for with_it in ((False, True) if pair % 2 == 0 else (True, False)):
                        command = plain + (more if with_it else [])
                        got[with_it] = instructions(command, folder) if options.callgrind else seconds(command)
                    ratios.append(got[True] / got[False]), ours.append(got[True]), theirs.append(got[False])
                ratio = statistics.median(ratios)
                failed |= ratio > options.bar
                unit, scale = ("M instructions", 1e-6) if options.callgrind else ("s", 1)
                size = f", {os.path.getsize(f'{folder}/run.vrec')} bytes" if "record" in way else ""
                print(f"{title}, {way}: {statistics.median(theirs) * scale:.3f} → {statistics.median(ours) * scale:.3f} {unit}, ratio "
                      f"{ratio:.4f} (median of {len(ratios)}: {', '.join(f'{r:.3f}' for r in sorted(ratios))}){size}: "
                      f"{'ok' if ratio <= options.bar else 'MISSED'}", flush=True)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
