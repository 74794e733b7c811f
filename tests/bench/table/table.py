#!/usr/bin/env python3
"""Times the bench image's workloads in Vitrine, in QEMU's TCG and in Bochs, in turn, and prints the ratios.

Each figure is processor time: the difference between a run of many rounds and one of none (the median of those that are made
first), so that start-up and firmware cancel out; the median over --repeat runs, made in turn, so that other load meets all alike. Vitrine's count of instructions
(--stats) makes rates of it. With --against FILE a row that needs more than 15 % (--slack) more of TCG's time than the
stored table says is measured again up to --retries times, and then fails.
"""
import argparse
import json
import os
import resource
import shutil
import statistics
import struct
import subprocess
import sys
import tempfile

# name: (number in the image, rounds for Vitrine and QEMU). Bochs, which takes many times as long, runs a part of them.
WORKLOADS = {
    "integer": (32, 60_000_000), "branches": (33, 20_000_000), "calls": (34, 3_000_000), "indirect calls": (35, 20_000_000),
    "sequential memory": (36, 40_000_000), "scattered memory": (37, 20_000_000), "scattered 4 KiB pages": (38, 10_000_000),
    "copy 2 MiB apart": (39, 20_000_000), "strings": (40, 300_000), "SSE": (41, 10_000_000), "AVX2": (42, 10_000_000),
    "x87": (43, 2_000_000), "system calls": (44, 10_000_000), "page faults": (45, 20_000), "CR3 switches": (46, 1_500_000),
    "interrupts": (47, 1_000_000), "self-modifying": (48, 100_000), "LOCK": (49, 40_000_000), "per-processor data": (50, 60_000_000),
    "software interrupts": (51, 4_000_000), "integer 32-bit": (16, 60_000_000), "calls 32-bit": (17, 6_000_000),
    "memory 32-bit": (18, 40_000_000), "integer real-mode": (0, 40_000_000), "INT real-mode": (1, 4_000_000),
    "strings real-mode": (2, 2_000_000),
}
BOCHS_PART = 10
CYLINDER = 16 * 63 * 512


def image_with(base, folder, number, rounds):
    path = os.path.join(folder, "bench.img")
    image = bytearray(open(base, "rb").read())
    at = image.index(b"VITRINE BENCH\0\0\0") + 16
    image[at:at + 16] = struct.pack("<IIQ", number, 0, rounds)
    with open(path, "wb") as out:
        out.write(image.ljust(-(-len(image) // CYLINDER) * CYLINDER, b"\0"))
    return path


def processor_time(command, statuses, folder, environment=None):
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, timeout=300, cwd=folder, env=environment)
    except subprocess.TimeoutExpired:
        sys.exit(f"bench: {command[0]} did not end in 300 s")
    if done.returncode not in statuses:
        sys.exit(f"bench: {command[0]} ended with status {done.returncode}: {done.stderr.decode(errors='replace').strip()[-500:]}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


class Vitrine:
    def __init__(self, options, folder):
        self.binary, self.folder, self.steps = os.path.abspath(options.vitrine), folder, 0

    def run(self, image):
        stats = os.path.join(self.folder, "stats.json")
        time = processor_time([self.binary, "--headless", "--serial", "null", "--cpus", "1", "-m", "128M", "--history", "off", "--disk", image,
                               "--stats", stats], [1], self.folder)
        self.steps = json.load(open(stats))["steps"]
        return time


class Qemu:
    def __init__(self, options, folder):
        self.folder, self.steps = folder, 0

    def run(self, image):
        return processor_time(["qemu-system-x86_64", "-accel", "tcg", "-cpu", "max", "-machine", "q35", "-m", "128", "-display", "none", "-serial",
                               "none", "-monitor", "none", "-no-reboot", "-device", "isa-debug-exit,iobase=0xf4,iosize=4",
                               "-drive", f"format=raw,file={image}"], [1], self.folder)


class Bochs:
    def __init__(self, options, folder):
        self.folder, self.steps = folder, 0
        with open(os.path.join(folder, "go"), "w") as commands:
            commands.write("continue\nquit\n")

    def run(self, image):
        with open(os.path.join(self.folder, "bochsrc"), "w") as rc:
            rc.write(f"""megs: 128
romimage: file={self.rom('BIOS-bochs-latest')}
vgaromimage: file={self.rom('VGABIOS-lgpl-latest')}
cpu: model=corei7_haswell_4770, count=1, ips=50000000
ata0-master: type=disk, mode=flat, path={image}
boot: disk
display_library: sdl2
sound: driver=dummy
log: {self.folder}/bochs.log
speaker: enabled=0
""")
        log = os.path.join(self.folder, "bochs.log")
        time = processor_time(["bochs", "-q", "-f", os.path.join(self.folder, "bochsrc"), "-rc", os.path.join(self.folder, "go")], [0, 1], self.folder,
                              {**os.environ, "SDL_VIDEODRIVER": "dummy"})
        if "quit_sim called with exit code 1" not in open(log, errors="replace").read():
            sys.exit("bench: bochs did not reach the end of the workload")
        return time

    @staticmethod
    def rom(name):
        for folder in ("/usr/share/bochs", "/usr/share/vgabios", "/usr/share/bochsbios"):
            if os.path.exists(os.path.join(folder, name)):
                return os.path.join(folder, name)
        sys.exit(f"bench: {name} is not installed (Debian: bochs, bochs-sdl, bochsbios, vgabios)")


def idle_runs(emulators, options, folder):
    """Per emulator: the processor seconds of a run without rounds. Its count of steps stays with Vitrine."""
    times = {kind: [] for kind in emulators}
    for _ in range(max(3, options.repeat)):
        for kind, emulator in emulators.items():
            times[kind].append(emulator.run(image_with(options.image, folder, 32, 0)))
            emulator.idle_steps = emulator.steps
    return {kind: statistics.median(values) for kind, values in times.items()}


def measure(name, emulators, idle, options, folder):
    number, rounds = WORKLOADS[name]
    rounds = max(1, int(rounds * options.scale))
    times = {kind: [] for kind in emulators}
    for _ in range(options.repeat):
        for kind, emulator in emulators.items():
            part = BOCHS_PART if kind == "bochs" else 1
            busy = emulator.run(image_with(options.image, folder, number, max(1, rounds // part)))
            times[kind].append(max(busy - idle[kind], 1e-4) * part)
    vitrine = emulators["vitrine"]
    return {kind: statistics.median(values) for kind, values in times.items()}, vitrine.steps - vitrine.idle_steps


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--vitrine", required=True)
    parser.add_argument("--image", required=True, help="tests/bench/table/bench.img of the build folder")
    parser.add_argument("--bochs", action="store_true", help="beside Debian's bochs, too (a debugger build)")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--scale", type=float, default=1.0, help="of the number of rounds")
    parser.add_argument("--only", help="names, separated by commas")
    parser.add_argument("--json", help="writes the table there")
    parser.add_argument("--against", help="a table that --json wrote")
    parser.add_argument("--slack", type=float, default=0.15)
    parser.add_argument("--retries", type=int, default=3)
    options = parser.parse_args()
    names = [name.strip() for name in options.only.split(",")] if options.only else list(WORKLOADS)
    unknown = [name for name in names if name not in WORKLOADS]
    if unknown:
        sys.exit(f"bench: no workload '{unknown[0]}': {', '.join(WORKLOADS)}")
    if options.bochs and not shutil.which("bochs"):
        sys.exit("bench: bochs is not installed (Debian: bochs, bochs-sdl, bochsbios, vgabios)")
    stored = json.load(open(options.against)) if options.against else {}
    table, slower = {}, []
    with tempfile.TemporaryDirectory() as folder:
        emulators = {"vitrine": Vitrine(options, folder), "qemu": Qemu(options, folder)}
        if options.bochs:
            emulators["bochs"] = Bochs(options, folder)
        print(f"{'workload':24} {'M instr':>8} {'Vitrine s':>10} {'M/s':>6} {'TCG s':>8} {'of TCG':>7}" + (f" {'Bochs s':>9} {'of Bochs':>9}" if options.bochs else ""), flush=True)
        idle = idle_runs(emulators, options, folder)
        for name in names:
            most = stored[name]["of_tcg"] * (1 + options.slack) if name in stored else None
            for attempt in range(options.retries + 1):
                times, steps = measure(name, emulators, idle, options, folder)
                ratio = times["vitrine"] / times["qemu"]
                if most is None or ratio <= most:
                    break
            row = {"instructions": steps, "vitrine": round(times["vitrine"], 4), "qemu": round(times["qemu"], 4), "of_tcg": round(ratio, 3)}
            line = f"{name:24} {steps / 1e6:8.1f} {times['vitrine']:10.3f} {steps / times['vitrine'] / 1e6:6.0f} {times['qemu']:8.3f} {ratio:7.2f}"
            if options.bochs:
                row["bochs"] = round(times["bochs"], 4)
                row["of_bochs"] = round(times["vitrine"] / times["bochs"], 4)
                line += f" {times['bochs']:9.3f} {row['of_bochs']:9.3f}"
            if most is not None and ratio > most:
                slower.append(name)
                line += f"   SLOWER: at most {most:.2f} by the stored table"
            table[name] = row
            print(line, flush=True)
    if options.json:
        with open(options.json, "w") as out:
            json.dump(table, out, indent=1)
            out.write("\n")
    sys.exit(f"bench: slower than the stored table: {', '.join(slower)}" if slower else 0)


if __name__ == "__main__":
    main()
