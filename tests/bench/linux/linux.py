#!/usr/bin/env python3
"""Times a Linux boot and a shell workload in Vitrine, in QEMU's TCG and in Bochs, part by part, in turn.

The guest says on its serial console when each part begins (linux/init); at each such line the emulator's processor time is
read (all its threads), so that each row is what the emulator spent on that part, whatever else the machine does. Medians
over --repeat rounds. Bochs has no -kernel: it boots the same kernel and initrd from a CD by GRUB (--bochs; grub-pc-bin, xorriso).
"""
import argparse
import glob
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time

PARTS = ["boot", "fork", "pipe", "sha256", "gzip", "shell"]
APPEND = "console=ttyS0 quiet nokaslr mitigations=off"


def processor_seconds(pid):
    total = 0
    for path in glob.glob(f"/proc/{pid}/task/*/schedstat"):
        try:
            total += int(open(path).read().split()[0])
        except (OSError, IndexError):
            pass  # the thread has ended
    return total / 1e9


def watch(command, lines, environment=None, console=None):
    """Runs `command`, whose console is its output or grows in the file `console`; the processor seconds at each part's line."""
    seen, text = {}, b""
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environment)
    timer = threading.Timer(1500, process.kill)
    timer.start()
    if console:
        threading.Thread(target=process.stdout.read, daemon=True).start()
        stream = open(console, "rb")
    try:
        while True:
            piece = stream.read() if console else os.read(process.stdout.fileno(), 65536)
            if not piece and not (console and process.poll() is None):
                break
            if not piece:
                time.sleep(0.005)
            text += piece
            for part in lines:
                if part not in seen and f"bench: {part}".encode() in text:
                    seen[part] = processor_seconds(process.pid)
            if "done" in seen:
                break
    finally:
        timer.cancel()
        process.kill()
        process.wait()
    missing = [part for part in lines if part not in seen]
    if missing:
        sys.exit(f"bench: {command[0]} never said 'bench: {missing[0]}'; its console ended with\n{text[-1500:].decode(errors='replace')}")
    return seen


def rows(seen):
    marks = [0.0] + [seen[part] for part in PARTS[1:]] + [seen["done"]]
    return {part: marks[i + 1] - marks[i] for i, part in enumerate(PARTS)}


def bochs(options, folder):
    iso = os.path.join(folder, "linux.iso")
    if not os.path.exists(iso):
        tree = os.path.join(folder, "tree", "boot", "grub")
        os.makedirs(tree)
        shutil.copy(options.kernel, os.path.join(folder, "tree/boot/linux"))
        shutil.copy(options.initrd, os.path.join(folder, "tree/boot/initrd"))
        with open(os.path.join(tree, "grub.cfg"), "w") as config:
            config.write(f"set timeout=0\nmenuentry x {{ linux /boot/linux {APPEND}\ninitrd /boot/initrd }}\n")
        subprocess.run(["grub-mkrescue", "-o", iso, os.path.join(folder, "tree")], check=True, capture_output=True)
    console = os.path.join(folder, "console")
    open(console, "w").close()
    rc = os.path.join(folder, "bochsrc")
    with open(rc, "w") as out:
        out.write(f"""megs: 512
romimage: file=/usr/share/bochs/BIOS-bochs-latest
vgaromimage: file=/usr/share/bochs/VGABIOS-lgpl-latest
cpu: model=corei7_haswell_4770, count=1, ips=50000000
clock: sync=none
ata0-master: type=cdrom, path={iso}, status=inserted
boot: cdrom
com1: enabled=1, mode=file, dev={console}
display_library: sdl2
sound: driver=dummy
log: {folder}/bochs.log
speaker: enabled=0
""")
    with open(os.path.join(folder, "go"), "w") as go:
        go.write("continue\nquit\n")
    return watch(["bochs", "-q", "-f", rc, "-rc", os.path.join(folder, "go")], PARTS[1:] + ["done"], {**os.environ, "SDL_VIDEODRIVER": "dummy"}, console)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--vitrine", required=True)
    parser.add_argument("--kernel", required=True, help="a Linux bzImage")
    parser.add_argument("--initrd", required=True, help="bench_linux.gz of the build folder (ninja bench_initrd)")
    parser.add_argument("--bochs", action="store_true")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--json")
    options = parser.parse_args()
    times = {}
    with tempfile.TemporaryDirectory() as folder:
        lines = PARTS[1:] + ["done"]
        for round_ in range(options.repeat):
            seen = {"vitrine": watch([options.vitrine, "--headless", "--serial", "stdio", "--cpus", "1", "-m", "512M", "--history", "off", "--kernel",
                                      options.kernel, "--initrd", options.initrd, "--append", APPEND], lines),
                    "qemu": watch(["qemu-system-x86_64", "-accel", "tcg", "-cpu", "max", "-machine", "q35", "-m", "512", "-display", "none", "-serial",
                                   "stdio", "-monitor", "none", "-no-reboot", "-kernel", options.kernel, "-initrd", options.initrd, "-append", APPEND],
                                  lines)}
            if options.bochs and round_ == 0:
                seen["bochs"] = bochs(options, folder)
            for kind, marks in seen.items():
                for part, value in rows(marks).items():
                    times.setdefault(kind, {}).setdefault(part, []).append(value)
            print(f"round {round_ + 1} of {options.repeat}: " + ", ".join(f"{kind} {marks['done']:.1f} s" for kind, marks in seen.items()), flush=True)
    medians = {kind: {part: statistics.median(values) for part, values in parts.items()} for kind, parts in times.items()}
    for parts in medians.values():
        parts["total"] = sum(parts.values())
    print(f"{'part':10}" + "".join(f"{kind + ' s':>12}" for kind in medians) + "".join(f"{'of ' + kind:>12}" for kind in medians if kind != "vitrine"))
    for part in PARTS + ["total"]:
        print(f"{part:10}" + "".join(f"{medians[kind][part]:12.2f}" for kind in medians) +
              "".join(f"{medians['vitrine'][part] / medians[kind][part]:12.2f}" for kind in medians if kind != "vitrine"))
    if options.json:
        with open(options.json, "w") as out:
            json.dump(medians, out, indent=1)
            out.write("\n")


if __name__ == "__main__":
    main()
