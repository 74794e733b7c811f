#!/usr/bin/env python3
"""A whole Debian 12 from a disk that GRUB boots: systemd, four processors, the login prompt, a login, the shell. By hand, because
debootstrap needs the network and minutes; run as root, or files belong to whoever runs it:

    debootstrap --include=linux-image-amd64,systemd-sysv,e2fsprogs bookworm ROOT
    chroot ROOT sh -c 'echo root:glass | chpasswd'
    boot_debian.py VITRINE ROOT FOLDER [QEMU]

Copies ROOT (which stays as it is), makes FOLDER/disk.img, boots it, logs in as root, asks questions and powers off. Prints
processor time; with QEMU (qemu-system-x86_64) also that one's, to the same prompt on the same image. Bar: three times QEMU's."""
import os
import re
import resource
import shutil
import subprocess
import sys
import time
from pathlib import Path

import grub_disk

PASSWORD = "glass"
PROMPT = "login: "
QUESTIONS = ["systemctl is-system-running --wait", "nproc", "systemctl --failed --no-legend | wc -l", "uname -r",
             "dmesg | grep -ciE 'BUG:|WARNING|Call Trace|unstable|firmware bug|ACPI Error|Oops'", "dmesg -l err,crit,alert,emerg",
             "mount | grep ' / '", "cat /sys/devices/system/clocksource/clocksource0/current_clocksource"]


def make(root, folder):
    tree = folder / "root"
    shutil.rmtree(tree, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run(["cp", "-a", root, tree], check=True)
    release = sorted(path.name.removeprefix("vmlinuz-") for path in (tree / "boot").glob("vmlinuz-*"))[-1]
    (tree / "boot/grub").mkdir(parents=True, exist_ok=True)
    (tree / "boot/grub/grub.cfg").write_text(
        "serial --unit=0 --speed=115200\nterminal_input serial console\nterminal_output serial console\n"
        f"linux /boot/vmlinuz-{release} root=/dev/sda1 ro console=tty0 console=ttyS0,115200\ninitrd /boot/initrd.img-{release}\nboot\n")
    (tree / "etc/fstab").write_text("/dev/sda1 / ext4 errors=remount-ro 0 1\n")
    grub_disk.make(folder / "disk.img", tree, 1400, "debian")
    shutil.rmtree(tree)


def children():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def vitrine(program, folder, *more):
    before = children()
    run = subprocess.run([program, "--headless", "--cpus", "4", "-m", "1G", "--disk", f"{folder / 'disk.img'}", "--no-reboot",
                          "--limit-steps", "200000000000", "--stats", folder / "stats.json", *more],
                         stdin=subprocess.DEVNULL, capture_output=True)
    return run, run.stdout.decode(errors="replace"), children() - before


def qemu(program, folder):
    """To the prompt, then killed: processor time."""
    console = folder / "qemu.console"
    console.unlink(missing_ok=True)
    process = subprocess.Popen([program, "-machine", "q35", "-accel", "tcg", "-smp", "4", "-m", "1G", "-display", "none", "-monitor",
                                "none", "-serial", f"file:{console}", "-drive",
                                f"file={folder / 'disk.img'},format=raw,if=none,id=d,snapshot=on", "-device", "ide-hd,drive=d,bus=ide.0"])
    before, deadline = children(), time.monotonic() + 900
    try:
        while not console.exists() or PROMPT.encode() not in console.read_bytes():
            if process.poll() is not None or time.monotonic() > deadline:
                sys.exit("QEMU does not come to the prompt")
            time.sleep(0.2)
    finally:
        process.kill()
        process.wait()
    return children() - before


def main():
    program, root, folder = sys.argv[1], sys.argv[2], Path(sys.argv[3])
    if not (folder / "disk.img").exists():
        make(root, folder)
    run, text, seconds = vitrine(program, folder, "--until", f"serial:{PROMPT}")
    (folder / "vitrine.console").write_text(text)
    if run.returncode != 0:
        sys.exit(f"no prompt: status {run.returncode}\n{text[-2000:]}\n{run.stderr.decode(errors='replace')}")
    print(f"Vitrine to the login prompt: {seconds:.0f} s of processor time", flush=True)
    if len(sys.argv) > 4:
        peer = qemu(sys.argv[4], folder)
        print(f"QEMU TCG:                    {peer:.0f} s; {seconds / peer:.2f} times", flush=True)
    typing = [f"root\\n@serial:{PROMPT}", f"{PASSWORD}\\n@serial:Password: "]
    for number, question in enumerate(QUESTIONS):
        when = "serial:~# " if number == 0 else f"serial:end-{number - 1}-here"
        typing.append(f"{question}; echo end-{number}\"\"-here\\n@{when}")
    typing.append(f"poweroff\\n@serial:end-{len(QUESTIONS) - 1}-here")
    run, text, _ = vitrine(program, folder, *[part for text in typing for part in ("--type", text)])
    (folder / "login.console").write_text(text)
    for number, question in enumerate(QUESTIONS):
        answer = re.search(rf"end-{number}\"\"-here\r?\n(.*?)end-{number}-here", text, re.S)
        print(f"{question}\n    {answer[1].split(chr(27) + "[?2004l")[-1].strip() if answer else '(no answer)'}")
    complaints = re.search(r"end-4\"\"-here.*?\n(?:\x1b\[\?2004l)?(\d+)\r?\nend-4-here", text, re.S)
    if not complaints or complaints[1] != "0":
        sys.exit(f"dmesg holds {complaints[1] if complaints else 'unknown'} complaints")
    print(f"status {run.returncode}; {'Power down' in text and 'powered down' or 'did not power down'}")
    sys.exit(run.returncode != 0 or "Power down" not in text)


if __name__ == "__main__":
    os.umask(0o022)
    main()
