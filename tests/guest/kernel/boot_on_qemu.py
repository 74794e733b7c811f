#!/usr/bin/env python3
"""Boots the product's kernel and disk on QEMU's q35 and talks to the shell over the serial port.

Usage: boot_on_qemu.py CASE --bzimage FILE --disk FILE. Exit status 0 when everything expected was seen; otherwise the whole
transcript is printed. Nothing is retried: a boot that fails once has failed.
"""
import argparse
import os
import select
import shutil
import subprocess
import sys
import tempfile
import time

PROMPT = "vitrine# "


class Failure(Exception):
    pass


class Machine:
    def __init__(self, bzimage, disk, append="", extra=(), memory="512", writable=False, seconds=100):
        drive = f"if=none,id=d,file={disk},format=raw" + ("" if writable else ",snapshot=on")
        command = ["qemu-system-x86_64", "-machine", "q35", "-m", memory, "-nodefaults", "-display", "none", "-vga", "std", "-serial", "stdio",
                   "-monitor", "none", "-no-reboot", "-kernel", bzimage, "-append", f"console=ttyS0 root=/dev/sda1 {append}".strip(),
                   "-drive", drive, "-device", "ide-hd,drive=d,bus=ide.0", *extra]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.deadline = time.time() + seconds
        self.text = ""
        self.mark = 0

    def expect(self, wanted):
        """Waits until `wanted` shows behind what was expected before; returns the text in between."""
        while wanted not in self.text[self.mark:]:
            if time.time() > self.deadline:
                raise Failure(f"timeout waiting for {wanted!r}")
            ready, _, _ = select.select([self.process.stdout], [], [], 0.5)
            if not ready:
                continue
            data = os.read(self.process.stdout.fileno(), 65536)
            if not data:
                raise Failure(f"the machine stopped before {wanted!r}")
            self.text += data.decode("latin-1")
        end = self.text.index(wanted, self.mark)
        between = self.text[self.mark:end]
        self.mark = end + len(wanted)
        return between

    def command(self, line):
        """Types a line; returns what it printed before the next prompt."""
        self.process.stdin.write(line.encode() + b"\r")
        self.process.stdin.flush()
        self.expect(line)
        return self.expect(PROMPT)

    def power_off(self):
        self.process.stdin.write(b"poweroff\r")
        self.process.stdin.flush()
        self.expect("Power down")
        try:
            status = self.process.wait(timeout=max(1, self.deadline - time.time()))
        except subprocess.TimeoutExpired:
            raise Failure("QEMU did not exit after poweroff") from None
        if status != 0:
            raise Failure(f"QEMU exit status {status}")

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()


def check(condition, what):
    if not condition:
        raise Failure(what)


def shell(options, start):
    machine = start()
    boot = machine.expect(PROMPT)
    for line in ("Memory:", "Checked W+X mappings: passed", "VFS: Mounted root (ext2"):
        check(line in boot, f"the boot log has no {line!r}")
    check("Welcome" in boot, "/etc/motd was not shown")
    check("poweroff" in machine.command("help"), "help does not list poweroff")
    check("Hello from PID" in machine.command("hello one two"), "hello did not run")
    check("not found" in machine.command("no-such-program"), "a missing program is not reported")
    tasks = machine.command("ps")
    check("init" in tasks and "kthreadd" in tasks, "ps shows neither init nor kthreadd")
    for zone in ("DMA", "DMA32"):
        check(zone in machine.command("cat /proc/buddyinfo"), f"/proc/buddyinfo has no zone {zone}")
    spin = machine.command("spin 2 2")
    times = [float(line.rsplit(":", 1)[1].split()[0]) for line in spin.splitlines() if "sum_exec_runtime" in line]
    # Nice 0 and nice 5: weights 1024 and 335.
    check(len(times) == 2 and 2.4 < times[0] / times[1] < 3.8, f"nice 0 to nice 5 got {times}, expected about 3.06 : 1")
    series(machine, 64)
    machine.power_off()
    return machine


def series(machine, slack):
    """Every page and every task comes back: the second series of forks and execs costs what the shell remembers of it, no more. A
    leaked stack would be 16 KiB a time. A task that just died gives its stack back after an RCU grace period, so that a first reading
    may be too low by some tasks: the highest of three counts."""
    free = []
    for count in (10, 40):
        machine.command(f"for i in $(seq {count}); do hello; done | tail -1")
        readings = [machine.command("sleep 0.1; cat /proc/meminfo") for _ in range(3)]
        free.append(max(int(next(line for line in text.splitlines() if line.startswith("MemFree")).split()[1]) for text in readings))
    check(free[0] - free[1] < slack, f"memory leaks: {free[0]} KiB were free, then {free[1]}")


def crash(options, start):
    machine = start()
    machine.expect(PROMPT)
    out = machine.command("crash")
    check("segfault at 8" in out and "Segmentation fault" in out, f"the fault is not reported: {out!r}")
    check("Hello" in machine.command("hello"), "the shell is not well after the crash")
    machine.power_off()
    return machine


def panic(options, start):
    machine = start()
    machine.expect(PROMPT)
    machine.process.stdin.write(b"panic\r")
    machine.process.stdin.flush()
    report = machine.expect("---[ end Kernel panic")
    for part in ("BUG: kernel NULL pointer dereference", "RIP: 0010:", "Call Trace:", "SysrqFile::write+0x", "not syncing: Fatal exception"):
        check(part in report, f"the report lacks {part!r}")
    machine.close()
    return machine


def disk(options, start):
    with tempfile.TemporaryDirectory() as folder:
        image = os.path.join(folder, "disk.img")
        shutil.copyfile(options.disk, image)
        machine = start(disk=image, writable=True)
        machine.expect(PROMPT)
        machine.command("mkdir /tmp/a")
        machine.command("mkdir /tmp/a/b")
        for i in range(60):  # more than one directory block of 1 KiB
            machine.command(f"echo this is file number {i} > /tmp/a/some-rather-long-name-{i}")
        machine.command("echo appended >> /tmp/a/some-rather-long-name-7")
        machine.command("rm /tmp/a/some-rather-long-name-3")
        check("No such file" in machine.command("cat /tmp/a/some-rather-long-name-3"), "a removed file can still be read")
        machine.power_off()
        check_file_system(image, folder)
        again = start(disk=image, writable=True)
        again.expect(PROMPT)
        check("this is file number 7" in again.command("cat /tmp/a/some-rather-long-name-7"), "contents are lost")
        check("appended" in again.command("cat /tmp/a/some-rather-long-name-7"), "the appended line is lost")
        check("/tmp/a/b/" in again.command("ls -d /tmp/a/b/"), "the directory is lost")
        again.power_off()
        check_file_system(image, folder)
        return again


def check_file_system(image, folder):
    """The first partition starts at the LBA that the MBR gives."""
    with open(image, "rb") as source:
        entry = source.read(512)[446:462]
        start, count = int.from_bytes(entry[8:12], "little"), int.from_bytes(entry[12:16], "little")
        source.seek(start * 512)
        part = os.path.join(folder, "part.img")
        with open(part, "wb") as target:
            target.write(source.read(count * 512))
    result = subprocess.run(["/sbin/e2fsck", "-fn", part], capture_output=True, text=True)
    check(result.returncode == 0, f"e2fsck: status {result.returncode}\n{result.stdout}")


def quick(options, start, **machine_options):
    machine = start(**machine_options)
    machine.expect(PROMPT)
    check("Hello from PID" in machine.command("hello"), "hello did not run")
    machine.power_off()
    return machine


def smp(options, start):
    """Four processors: all of them run, and what processes and stacks took comes back."""
    machine = start(extra=("-smp", "4"))
    boot = machine.expect(PROMPT)
    check("Brought up 1 node, 4 CPUs" in boot, "not all four CPUs came up")
    machine.command("spin 6 2")
    local = next(line for line in machine.command("cat /proc/interrupts").splitlines() if line.startswith("LOC:"))
    ticks = [int(word) for word in local.split()[1:5]]
    check(len(ticks) == 4 and min(ticks) > 0 and ticks[1] > 20, f"not every CPU has timer interrupts, or the busy one has no ticks: {local}")
    series(machine, 256)  # stacks wait in a cache of two a CPU, slabs are a CPU's own
    machine.power_off()
    return machine


def processors(options, start):
    """Without and with NX, SMEP, SMAP, XSAVE."""
    for model in ("qemu64,-nx", "Nehalem", "max"):
        machine = quick(options, start, extra=("-cpu", model))
    return machine


CASES = {
    "shell": shell,
    "disk": disk,
    "crash": crash,
    "panic": panic,
    "8259": lambda options, start: quick(options, start, extra=("-cpu", "qemu64,-apic")),
    "small_memory": lambda options, start: quick(options, start, memory="64"),
    "processors": processors,
    "smp": smp,
}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("case", choices=CASES)
    parser.add_argument("--bzimage", required=True)
    parser.add_argument("--disk", required=True)
    options = parser.parse_args()
    machines = []

    def start(**overrides):
        machine = Machine(options.bzimage, overrides.pop("disk", options.disk), **overrides)
        machines.append(machine)
        return machine

    try:
        CASES[options.case](options, start)
    except Failure as failure:
        for machine in machines:
            print(machine.text)
        print(f"FAILED: {failure}")
        return 1
    finally:
        for machine in machines:
            machine.close()
    print(f"{options.case}: passed")
    return 0


if __name__ == "__main__":
    sys.exit(main())
