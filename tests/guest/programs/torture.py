#!/usr/bin/env python3
"""The kernel's own test of its locks (torture=SECONDS), on Vitrine or QEMU, with the lock-order validator on.

Usage: torture.py vitrine|qemu CPUS SECONDS --binary FILE --bzimage FILE --disk FILE
"""
import argparse
import re
import subprocess
import sys


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("machine", choices=["vitrine", "qemu"])
    parser.add_argument("cpus", type=int)
    parser.add_argument("seconds", type=int)
    parser.add_argument("--binary", required=True)
    parser.add_argument("--bzimage", required=True)
    parser.add_argument("--disk", required=True)
    options = parser.parse_args()
    append = f"console=ttyS0 root=/dev/sda1 lockdep init=/none torture={options.seconds}"
    if options.machine == "vitrine":
        command = [options.binary, "--headless", "--cpus", str(options.cpus), "--kernel", options.bzimage, "--disk", options.disk,
                   "--append", append, "--until", "serial:Requested init", "--limit-seconds", str(10 * options.seconds + 250)]
    else:
        command = ["qemu-system-x86_64", "-machine", "q35", "-m", "256", "-nodefaults", "-display", "none", "-serial", "stdio",
                   "-monitor", "none", "-no-reboot", "-smp", str(options.cpus), "-kernel", options.bzimage, "-append", append,
                   "-drive", f"if=none,id=d,file={options.disk},format=raw,snapshot=on", "-device", "ide-hd,drive=d,bus=ide.0"]
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    text = ""
    for raw in process.stdout:
        text += raw.decode("latin-1")
        if "torture: " in text and "CPUs:" in text or "end Kernel panic" in text:
            break
    process.kill()
    process.wait()
    found = re.search(r"torture: .* on (\d+) CPUs: (\d+) operations.*no error", text)
    if not found or int(found[1]) != options.cpus or int(found[2]) < 1000 or re.search("WARNING|BUG:", text):
        print(text[-5000:])
        return 1
    print(found[0])
    return 0


if __name__ == "__main__":
    sys.exit(main())
