#!/usr/bin/env python3
"""Times two bare-metal loops in Vitrine and in QEMU's TCG, in turn, and holds them against the bars.

Each figure is processor time: the difference between a long and a short run of the same kernel, so that start-up, firmware and
decompression cancel out. The best round counts, since other load on the machine only ever adds time; after the bars are
met no further rounds are made, and --rounds is the most.
"""
import argparse
import json
import resource
import subprocess
import sys
import tempfile


def seconds(command):
    """Processor seconds (user and system) of one run: what else the machine does is not counted."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, timeout=120)
    if done.returncode != 1:  # port F4h with value 0
        sys.exit(f"bench: {command[0]} ended with status {done.returncode}: {done.stderr.decode(errors='replace').strip()}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--vitrine", required=True)
    parser.add_argument("--kernel", required=True)
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--most-times-qemu", type=float, default=4.0)
    parser.add_argument("--least-mips", type=float, default=400.0)
    options = parser.parse_args()
    short, long = 1_000_000, 101_000_000
    failed = False
    for loop, name in (("a", "integer with branches"), ("b", "loads and stores")):
        ours, theirs, steps = [], [], 0
        for _ in range(options.rounds):
            stats = {}
            timed = {}
            for count in (short, long):
                with tempfile.NamedTemporaryFile(suffix=".json") as out:
                    timed[count] = seconds([options.vitrine, "--headless", "--serial", "null", "-m", "128M", "--kernel", options.kernel,
                                            "--append", f"{loop} {count} nokaslr", "--stats", out.name])
                    stats[count] = json.load(open(out.name))["steps"]
            steps = stats[long] - stats[short]
            ours.append(timed[long] - timed[short])
            qemu = {count: seconds(["qemu-system-x86_64", "-accel", "tcg", "-machine", "q35", "-m", "128", "-display", "none", "-serial", "none",
                                    "-monitor", "none", "-no-reboot", "-device", "isa-debug-exit,iobase=0xf4,iosize=4", "-kernel", options.kernel,
                                    "-append", f"{loop} {count} nokaslr"]) for count in (short, long)}
            theirs.append(qemu[long] - qemu[short])
            if min(ours) <= options.most_times_qemu * min(theirs) and steps / min(ours) / 1e6 >= options.least_mips:
                break
        mips, peer, ratio = steps / min(ours) / 1e6, steps / min(theirs) / 1e6, min(ours) / min(theirs)
        good = ratio <= options.most_times_qemu and mips >= options.least_mips
        failed |= not good
        print(f"loop {loop} ({name}): {steps} instructions; Vitrine {min(ours):.3f} s = {mips:.0f} M/s; QEMU TCG {min(theirs):.3f} s = {peer:.0f} M/s; "
              f"ratio {ratio:.2f} (bar {options.most_times_qemu:.1f}, {options.least_mips:.0f} M/s): {'ok' if good else 'MISSED'}")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
