#!/usr/bin/env python3
"""Power cuts: a write load runs in the guest, the machine stops at a random step, and what is then on the disk is judged.

Usage: cuts.py --binary VITRINE --dump DISK_DUMP --bzimage FILE --disk FILE --cuts N [--seed S] [--cpus N] [--rounds N] [--memory MIB] [--report FILE]

The disk after a cut is what the drive had been given, or, on every second cut, less: a drive with a cache may lose any of the sectors
that were written since the last FLUSH. Then `e2fsck -fy` must repair it (its second run finds nothing), and each file must be what the
last fsync confirmed, or on its way to what was begun after that. A cut is its seed and its number: the same run every time.
"""
import argparse
import os
import random
import re
import subprocess
import sys
import tempfile

LINE, SECTOR, PAGE = 64, 512, 4096
TROUBLE = re.compile(r"BUG:|Oops|Kernel panic|possible circular|inconsistent lock|possible recursive|double fault|WARNING:|EXT2-fs error|I/O error|: No space|: Input/output")
EVENT = re.compile(r"^\s*(\d+)\s.* FLUSH CACHE")
SAID = re.compile(r"^(?:B (\d+) (\w) (\d+) (\d+) (\d+) (\d+)|E (\d+)) #$", re.M)


def run(options, seed, folder, more):
    """The load on a fresh disk, up to `more`; its overlay is `folder`/overlay."""
    overlay = os.path.join(folder, "overlay")
    if os.path.exists(overlay):
        os.unlink(overlay)
    done = subprocess.run([options.binary, "--headless", "-m", f"{options.memory}M", "--cpus", str(options.cpus), "--kernel", options.bzimage, "--disk",
                           f"{options.disk},overlay={overlay}", "--append", "console=ttyS0 root=/dev/sda1 lockdep", "--limit-steps", "4000000000",
                           "--type", f"/test/load {seed} 3 {options.rounds} /cut\\n"] + more, capture_output=True, stdin=subprocess.DEVNULL)
    text = (done.stdout + done.stderr).decode("latin-1").replace("\r", "")
    if done.returncode != 0 or (TROUBLE.search(text) and not options.verbose):
        sys.exit(f"{text[-3000:]}\nFAILED: seed {seed}: status {done.returncode}, {TROUBLE.search(text)}")
    return text


def image_at(options, seed, folder, step, name):
    """The disk at a step, as a file, and what the console had said."""
    text = run(options, seed, folder, ["--until", f"step:{step}"])
    path = os.path.join(folder, name)
    subprocess.run([options.dump, options.disk, os.path.join(folder, "overlay"), path], check=True)
    return path, text


def lose_sectors(path, flushed, chance):
    """Any sector that has changed since the flush may still be the old one."""
    with open(path, "r+b") as now, open(flushed, "rb") as before:
        while True:
            at, new, old = now.tell(), now.read(1 << 20), before.read(1 << 20)
            if not new:
                return
            if new == old:
                continue
            for sector in range(0, len(new), SECTOR):
                if new[sector:sector + SECTOR] != old[sector:sector + SECTOR] and chance.random() < 0.5:
                    now.seek(at + sector)
                    now.write(old[sector:sector + SECTOR])
            now.seek(at + len(new))


def partition(path, folder):
    part = os.path.join(folder, "part.img")
    with open(path, "rb") as source, open(part, "wb") as target:
        entry = source.read(512)[446:462]
        start, left = int.from_bytes(entry[8:12], "little") * SECTOR, int.from_bytes(entry[12:16], "little") * SECTOR
        source.seek(start)
        while left:
            chunk = source.read(min(left, 1 << 20))
            left -= len(chunk)
            target.seek(len(chunk), 1) if not any(chunk) else target.write(chunk)
        target.truncate()
    return part


def text_of(worker, file, versions):
    return b"".join(f"{worker} {file} {version} {i}".encode().ljust(LINE - 1) + b"\n" for i, version in enumerate(versions))


def expectations(said):
    """(worker, file) → (versions of its lines as confirmed, or None for no file; what is on its way, or None)."""
    files, going = {}, {}
    for match in SAID.finditer(said):
        if match[7] is not None:
            worker = int(match[7])
            operation, file, version, first, count = going.pop(worker)
            lines = files.get((worker, file)) or []
            if operation in "CR":
                lines = [version] * count
            elif operation == "A":
                lines = lines + [version] * count
            elif operation == "O":
                lines = lines[:first] + [version] * count + lines[first + count:]
            elif operation == "T":
                lines = lines[:first]
            files[worker, file] = lines if operation != "D" and lines else None
        else:
            worker = int(match[1])
            going[worker] = (match[2], *map(int, match.group(3, 4, 5, 6)))
    return files, {(worker, what[1]): what for worker, what in going.items()}


def judge(worker, file, lines, going, found):
    """What is wrong with a file's contents (None: it is not there), or nothing."""
    wanted = text_of(worker, file, lines) if lines is not None else None
    if going is None:
        if lines is None:
            return ""  # the removal of an empty file is not told
        return "" if found == wanted else "is not what fsync confirmed"
    operation, _, version, first, count = going
    if operation in "CD":
        return ""  # made from nothing, or given up: there is no promise before the fsync
    if operation == "R":
        return "" if found in (wanted, text_of(worker, file, [version] * count)) else "is neither the old nor the new one"
    if found is None:
        return "is gone"
    if operation == "A":
        return "" if found[:len(wanted)] == wanted else "has lost what was confirmed before it grew"
    if operation == "T":
        return "" if found[:first * LINE] == wanted[:first * LINE] else "has lost what was confirmed before it shrank"
    new = text_of(worker, file, lines[:first] + [version] * count + lines[first + count:])
    if len(found) != len(wanted):
        return "has another size"
    for at in range(0, len(wanted), LINE):
        if found[at:at + LINE] not in (wanted[at:at + LINE], new[at:at + LINE]):
            return f"has a line that is neither old nor new at {at}"
    return ""


def check(part, said, folder):
    faults = []
    first = subprocess.run(["/sbin/e2fsck", "-fy", part], capture_output=True, text=True)
    if first.returncode & ~3:
        faults.append(f"e2fsck -fy: status {first.returncode}\n{first.stdout}{first.stderr}")
    second = subprocess.run(["/sbin/e2fsck", "-fn", part], capture_output=True, text=True)
    if second.returncode:
        faults.append(f"e2fsck -fn behind it: status {second.returncode}\n{second.stdout}{second.stderr}")
    out = os.path.join(folder, "files")
    subprocess.run(["rm", "-rf", out], check=True)
    os.mkdir(out)
    subprocess.run(["/sbin/debugfs", "-R", f"rdump /cut {out}", part], capture_output=True)
    files, going = expectations(said)
    for key in sorted(set(files) | set(going)):
        try:
            with open(os.path.join(out, "cut", str(key[0]), f"f{key[1]}"), "rb") as file:
                found = file.read()
        except FileNotFoundError:
            found = None
        if fault := judge(*key, files.get(key), going.get(key), found):
            size = "missing" if found is None else f"{len(found)} bytes"
            faults.append(f"worker {key[0]} file {key[1]} {fault} ({size}; confirmed {len(files.get(key) or [])} lines; on its way {going.get(key)})")
    if faults:
        faults.append(first.stdout)
    return faults, len(files)


def main():
    parser = argparse.ArgumentParser()
    for name in ("binary", "dump", "bzimage", "disk"):
        parser.add_argument("--" + name, required=True)
    parser.add_argument("--cuts", type=int, required=True)
    parser.add_argument("--first", type=int, default=0, help="number of the first cut")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--cpus", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--memory", type=int, default=128)
    parser.add_argument("--cuts-per-load", type=int, default=20)
    parser.add_argument("--report", help="append a line a cut to this file")
    parser.add_argument("--verbose", action="store_true")
    options = parser.parse_args()
    failed = confirmed = 0
    with tempfile.TemporaryDirectory() as folder:
        flushes, begin, last, seed = [], 0, 0, None
        for number in range(options.first, options.first + options.cuts):
            if seed != (wanted := options.seed + number // options.cuts_per_load):
                seed = wanted
                text = run(options, seed, folder, ["--events", "disk", "--until", "serial:load: 0 failed"])
                if "load: 0 failed" not in text:
                    sys.exit(f"{text[-2000:]}\nFAILED: the load itself")
                steps = [int(m[1]) for m in re.finditer(r"^\s*(\d+)\s+[\d.]+ us .*port 0", text, re.M)]
                flushes = [int(m[1]) for line in text.splitlines() if (m := EVENT.match(line))]
                begin, last = flushes[2], steps[-1]  # mounting has flushed; the load's folders come next
            chance = random.Random(f"{seed} {number}")
            step = chance.randrange(begin, last)
            lossy = number % 2
            path, said = image_at(options, seed, folder, step, "cut.img")
            if lossy:
                flush = max(f for f in flushes if f <= step)
                lose_sectors(path, image_at(options, seed, folder, flush, "flushed.img")[0], chance)
            faults, files = check(partition(path, folder), said, folder)
            confirmed += files
            verdict = "; ".join(faults).split("\n")[0] or "clean"
            line = f"cut {number} seed {seed} cpus {options.cpus} step {step}{' lossy' if lossy else ''}: {files} files, {verdict}"
            if options.report:
                with open(options.report, "a") as report:
                    report.write(line + "\n")
            if faults:
                failed += 1
                print(line, *faults, sep="\n", flush=True)
    print(f"{options.cuts} cuts, {confirmed} files looked at, {failed} cuts failed")
    return 1 if failed or not confirmed else 0


if __name__ == "__main__":
    sys.exit(main())
