#!/usr/bin/env python3
"""The multi-process programs under the schedule fuzzer (vitrine --preempt-fuzz SEED), with lockdep, and e2fsck behind every run.

Usage: schedule_fuzz.py --binary VITRINE --dump DISK_DUMP --bzimage FILE --programs-disk FILE --files-disk FILE --seeds FIRST:LAST
       [--cpus 1,4] [--only NAME]… [--report FILE] [--recordings FOLDER]
A seed is a schedule: the same seed is the same run, to the last instruction. A failure prints its command and what the guest said;
with --recordings the seed is run once more, as a recording that `vitrine --replay FILE` plays and that can be travelled through.
A long series: nice -n 10 schedule_fuzz.py … --seeds 1:1000 --report runs.txt --recordings failed
"""
import argparse
import difflib
import os
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "files"))
import run_files  # noqa: E402

# name: (disk, memory in MiB, command, whether Linux prints the same, what must be printed)
CASES = {
    "mx": ("programs", 512, "/test/mx", True, []),
    "forkproc": ("programs", 512, "/test/forkproc", True, []),
    "threads": ("programs", 512, "/test/threads", True, []),
    "signals": ("programs", 512, "/test/signals", True, []),
    "stops": ("programs", 512, "/test/stops", True, []),
    "sockets": ("programs", 512, "/test/sockets", True, []),
    "passing": ("programs", 512, "/test/passing", True, []),
    "smp": ("programs", 512, "/test/smp", True, []),
    "ptys": ("programs", 512, "/test/ptys", True, []),
    "edges": ("programs", 512, "/test/edges", True, []),
    "soak": ("programs", 512, "/test/soak", True, []),
    "calls": ("files", 512, "/test/calls", True, []),
    "memory": ("files", 512, "/test/memory", True, []),
    "waits": ("files", 512, "/test/waits", True, []),
    "attributes": ("files", 512, "/test/attributes", True, []),
    "mounts": ("files", 512, "/test/mounts", False, ["mounts: 0 wrong"]),
    "excl": ("files", 512, "/test/names excl 4 20", False, ["excl: 0 names too many"]),
    "churn": ("files", 512, "/test/names churn 4 300", False, ["churn: 0 processes failed"]),
    "random": ("programs", 256, "/test/random_calls {seed}", False, ["random: done"]),
    "leaks": ("programs", 512, "/test/leaks 4 /test/mx /test/forkproc /test/threads /test/stops /test/sockets /test/passing /test/ptys",
              False, ["leaks: 0 found"]),
    "swap": ("files", 40, "dd if=/dev/zero of=/swapfile bs=1M count=40 2>/dev/null && mkswap /swapfile && swapon /swapfile && "
             "/test/swap race 24 /swapfile && /test/swap mixed 20 && /test/swap fork 4", False,
             ["swap: race: 0 wrong", "swap: mixed: 0 wrong", "swap: fork: 0 wrong"]),
    "pressure": ("files", 48, "/test/pressure both 50 16", False, ["both: file all there, memory all there"]),
}


def on_linux(options, name):
    folder = os.path.dirname(options.programs_disk if CASES[name][0] == "programs" else options.files_disk)
    with tempfile.TemporaryDirectory() as work:
        return subprocess.run([os.path.join(folder, name)], capture_output=True, text=True, timeout=600, cwd=work,
                              preexec_fn=run_files.run_both.plain_process).stdout


def equals_linux(options, name, output, twins):
    """Linux runs on this machine, on which a busy hour makes a wait too long: it may say it again before the guest is wrong."""
    for attempt in range(4):
        if attempt or name not in twins:
            twins[name] = on_linux(options, name)
        if output == twins[name]:
            return True
    sys.stdout.writelines(difflib.unified_diff(twins[name].splitlines(True), output.splitlines(True), "Linux", "guest"))
    return False


def run(options, name, seed, cpus, twins):
    disk, memory, command, twin, expected = CASES[name]
    command = command.format(seed=seed)
    with tempfile.TemporaryDirectory() as folder:
        overlay = os.path.join(folder, "overlay")
        base = options.programs_disk if disk == "programs" else options.files_disk
        line = [options.binary, "--headless", "-m", f"{memory}M", "--kernel", options.bzimage, "--disk", f"{base},overlay={overlay}", "--append",
                "console=ttyS0 root=/dev/sda1 lockdep", "--preempt-fuzz", str(seed), "--cpus", str(cpus), "--limit-seconds",
                str(options.limit_seconds), "--type", command + "\\n", "--type", "poweroff -f\\n"]
        done = subprocess.run(line, capture_output=True, stdin=subprocess.DEVNULL, timeout=3600)
        text = (done.stdout + done.stderr).decode("latin-1").replace("\r", "")
        faults = []
        if done.returncode != 0:
            faults.append(f"status {done.returncode}")
        if trouble := run_files.TROUBLE.search(text):
            faults.append(f"the kernel said {trouble.group(0)!r}")
        faults += [f"{wanted!r} was not printed" for wanted in expected if wanted not in text]
        if done.returncode == 0:
            if twin and not equals_linux(options, name, run_files.output_of(text, command), twins):
                faults.append("the output is not Linux's")
            image = os.path.join(folder, "disk.img")
            subprocess.run([options.dump, base, overlay, image], check=True)
            if fault := run_files.file_system_faults(image, folder):
                faults.append(fault)
        return faults, text, line


def record(options, name, seed, cpus, line):
    """The same seed is the same run: as a recording. The guest cannot tell that its disk's writes go nowhere this time."""
    os.makedirs(options.recordings, exist_ok=True)
    file = os.path.join(options.recordings, f"{name}-{cpus}-{seed}.vrec")
    line = [part.split(",overlay=")[0] for part in line]
    subprocess.run(line + ["--record", file], capture_output=True, stdin=subprocess.DEVNULL, timeout=3600)
    return file


def main():
    parser = argparse.ArgumentParser()
    for name in ("binary", "dump", "bzimage", "programs-disk", "files-disk", "seeds"):
        parser.add_argument("--" + name, required=True)
    parser.add_argument("--cpus", default="1,4")
    parser.add_argument("--only", action="append", choices=CASES)
    parser.add_argument("--report", help="append a line a run to this file")
    parser.add_argument("--recordings", help="a folder: each failed seed as a recording")
    parser.add_argument("--limit-seconds", type=int, default=900, help="of host time; what needs more hangs")
    options = parser.parse_args()
    first, _, last = options.seeds.partition(":")
    names = options.only or list(CASES)
    twins = {}
    runs = failed = 0
    for seed in range(int(first), int(last or first) + 1):
        for cpus in (int(n) for n in options.cpus.split(",")):
            for name in names:
                begin = time.time()
                faults, text, line = run(options, name, seed, cpus, twins)
                runs += 1
                failed += bool(faults)
                if options.report:
                    with open(options.report, "a") as report:
                        report.write(f"{name} seed {seed} cpus {cpus}: {'; '.join(faults) or 'clean'} ({time.time() - begin:.1f} s)\n")
                if faults:
                    print(text[-6000:])
                    print("FAILED:", " ".join(line), "\n  ", "\n   ".join(faults), flush=True)
                    if options.recordings:
                        file = record(options, name, seed, cpus, line)
                        print(f"REPLAY: {options.binary} --headless --replay {file}", flush=True)
    print(f"{runs} runs, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
