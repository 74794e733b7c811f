#!/usr/bin/env python3
"""Runs commands in the guest's shell, in Vitrine or on QEMU, powers off, and lets e2fsck judge the disk.

Usage: run_files.py --machine vitrine|qemu --binary VITRINE --dump DISK_DUMP --bzimage FILE --disk FILE [--memory MIB] [--cpus N]
       [--append TEXT] [--expect TEXT]… [--refuse TEXT]… [--twin FILE] [--seconds S] [--end COMMAND] COMMAND…
--twin: the last command's output must be what the program FILE prints on this machine's Linux. Nothing is retried.
"""
import argparse
import difflib
import os
import re
import select
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "programs"))
import run_both  # noqa: E402

PROMPT = "vitrine# "
TROUBLE = re.compile(r"BUG:|Oops|Kernel panic|possible circular|inconsistent lock|possible recursive|double fault|WARNING:|EXT2-fs error|I/O error")


def second_disk(options, folder):
    """An empty one, of nothing but a size."""
    path = os.path.join(folder, "second.img")
    with open(path, "wb") as file:
        file.truncate(options.second_disk << 20)
    return path


def in_vitrine(options, folder):
    overlay = os.path.join(folder, "overlay")
    command = [options.binary, "--headless", "-m", f"{options.memory}M", "--kernel", options.bzimage,
               "--disk", f"{options.disk},overlay={overlay}", "--append", f"console=ttyS0 root=/dev/sda1 {options.append}".strip(),
               "--limit-seconds", str(options.seconds)]
    if options.second_disk:
        command += ["--disk", second_disk(options, folder)]
    if options.cpus > 1:
        command += ["--cpus", str(options.cpus)]
    for line in options.commands + [options.end]:
        command += ["--type", line.replace("\\", "\\\\") + "\\n"]
    done = subprocess.run(command, capture_output=True, stdin=subprocess.DEVNULL, timeout=options.seconds + 300)
    image = os.path.join(folder, "disk.img")
    if done.returncode == 0:
        subprocess.run([options.dump, options.disk, overlay, image], check=True)
    return done.stdout.decode("latin-1") + done.stderr.decode("latin-1"), done.returncode, image


def on_qemu(options, folder):
    image = os.path.join(folder, "disk.img")
    subprocess.run(["cp", "--sparse=always", options.disk, image], check=True)
    command = ["qemu-system-x86_64", "-machine", "q35", "-m", str(options.memory), "-nodefaults", "-display", "none", "-serial", "stdio",
               "-monitor", "none", "-no-reboot", "-smp", str(options.cpus), "-kernel", options.bzimage, "-append",
               f"console=ttyS0 root=/dev/sda1 {options.append}".strip(), "-drive", f"if=none,id=d,file={f'blkdebug:{options.blkdebug}:' if options.blkdebug else ''}{image},format=raw",
               "-device", "ide-hd,drive=d,bus=ide.0"]
    if options.second_disk:
        command += ["-drive", f"if=none,id=e,file={second_disk(options, folder)},format=raw", "-device", "ide-hd,drive=e,bus=ide.1"]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    text, sent, deadline = "", 0, time.time() + options.seconds
    lines = options.commands + [options.end]
    while time.time() < deadline:
        ready, _, _ = select.select([process.stdout], [], [], 0.5)
        if ready:
            data = os.read(process.stdout.fileno(), 65536)
            if not data:
                break
            text += data.decode("latin-1")
        if sent < len(lines) and text.count(PROMPT) > sent:
            process.stdin.write(lines[sent].encode() + b"\r")
            process.stdin.flush()
            sent += 1
    else:
        process.kill()
        process.wait()
        return text, 75, image
    return text, process.wait(), image


def file_system_faults(image, folder):
    """The first partition starts at the LBA that the MBR gives."""
    part = os.path.join(folder, "part.img")
    with open(image, "rb") as source, open(part, "wb") as target:
        entry = source.read(512)[446:462]
        start, count = int.from_bytes(entry[8:12], "little"), int.from_bytes(entry[12:16], "little")
        source.seek(start * 512)
        left = count * 512
        while left:
            chunk = source.read(min(left, 1 << 20))
            left -= len(chunk)
            if any(chunk):
                target.write(chunk)
            else:
                target.seek(len(chunk), 1)
        target.truncate(count * 512)
    result = subprocess.run(["/sbin/e2fsck", "-fn", part], capture_output=True, text=True)
    if result.returncode == 0 and "not cleanly unmounted" in result.stdout + result.stderr:
        return "not cleanly unmounted"
    return "" if result.returncode == 0 else f"e2fsck: status {result.returncode}\n{result.stdout}{result.stderr}"


def output_of(text, line):
    begin = text.index(line + "\n", text.index(PROMPT)) + len(line) + 1
    got = text[begin:text.index(PROMPT, begin)]
    return "".join(part + "\n" for part in got.splitlines() if not re.match(r"\[ *\d+\.\d{6}\]", part))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--machine", choices=["vitrine", "qemu"], default="vitrine")
    parser.add_argument("--binary")
    parser.add_argument("--dump")
    parser.add_argument("--bzimage", required=True)
    parser.add_argument("--disk", required=True)
    parser.add_argument("--memory", type=int, default=512)
    parser.add_argument("--cpus", type=int, default=1)
    parser.add_argument("--append", default="")
    parser.add_argument("--expect", action="append", default=[])
    parser.add_argument("--refuse", action="append", default=[])
    parser.add_argument("--twin")
    parser.add_argument("--seconds", type=int, default=300)
    parser.add_argument("--blkdebug", help="QEMU: a blkdebug rule file for the drive")
    parser.add_argument("--second-disk", type=int, help="an empty disk of this many MiB: /dev/sdb")
    parser.add_argument("--end", default="poweroff -f", help="the last command, which turns the machine off")
    parser.add_argument("--verbose", action="store_true")
    parser.add_argument("commands", nargs="+")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        text, status, image = (in_vitrine if options.machine == "vitrine" else on_qemu)(options, folder)
        text = text.replace("\r", "")
        faults = []
        if status != 0:
            faults.append(f"the machine ended with status {status}")
        if TROUBLE.search(text):
            faults.append(f"the kernel said {TROUBLE.search(text).group(0)!r}")
        faults += [f"{wanted!r} was not printed" for wanted in options.expect if not re.search(wanted, text)]
        faults += [f"{unwanted!r} was printed" for unwanted in options.refuse if re.search(unwanted, text)]
        if options.twin and status == 0:
            wanted = subprocess.run([options.twin], capture_output=True, text=True, timeout=120, preexec_fn=run_both.plain_process).stdout
            got = output_of(text, options.commands[-1])
            if got != wanted:
                sys.stdout.writelines(difflib.unified_diff(wanted.splitlines(True), got.splitlines(True), "Linux", "guest", n=1))
                faults.append("the outputs differ")
        if status == 0 and (fault := file_system_faults(image, folder)):
            faults.append(fault)
    if faults or options.verbose:
        print(text[-12000:])
    for fault in faults:
        print(f"FAILED: {fault}")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
