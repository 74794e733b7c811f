#!/usr/bin/env python3
"""A static glibc program asks for the time 2,000 times and for its processor 500 times: the kernel's own log of system calls (strace on its
command line) shows none of them.

Usage: vdso_calls.py --binary VITRINE --bzimage FILE --disk FILE [--cpus N]
"""
import argparse
import re
import subprocess
import sys


def main():
    parser = argparse.ArgumentParser()
    for name in ("binary", "bzimage", "disk"):
        parser.add_argument("--" + name, required=True)
    parser.add_argument("--cpus", default="1")
    options = parser.parse_args()
    command = [options.binary, "--headless", "--kernel", options.bzimage, "--disk", options.disk, "--append", "console=ttyS0 root=/dev/sda1 strace",
               "--cpus", options.cpus, "--until", "serial:quiet: exit", "--limit-seconds", "200", "--type", "/test/vdso quiet\\n"]
    done = subprocess.run(command, capture_output=True, stdin=subprocess.DEVNULL, timeout=600)
    text = done.stdout.decode("latin-1").replace("\r", "")
    begin, end = text.find("quiet begins\n"), text.find("quiet ends\n")
    if begin < 0 or end < begin:
        print(text[-3000:], "\nFAILED: the program did not run")
        return 1
    pid = re.search(r"\[(\d+)\] write\(1, 0x[0-9a-f]+, 13\)", text[begin:])
    if not pid:
        print(text[begin:][:2000], "\nFAILED: no line of its first write")
        return 1
    calls = re.findall(rf"\[{pid.group(1)}\] (\w+)\(", text[begin:end])
    print(f"between its two lines the program made {len(calls)} system calls: {calls[:10]}")
    return 0 if calls == ["write"] else 1  # the log's line of the first write


if __name__ == "__main__":
    sys.exit(main())
