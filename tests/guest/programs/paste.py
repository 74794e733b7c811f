#!/usr/bin/env python3
"""A paste into the serial line, faster than anybody reads: no byte is lost, in lines and in raw mode, whether the reader is quick or slow.

Usage: paste.py --binary VITRINE --bzimage FILE --disk FILE [--cpus N]
"""
import argparse
import subprocess
import sys
import zlib


def main():
    parser = argparse.ArgumentParser()
    for name in ("binary", "bzimage", "disk"):
        parser.add_argument("--" + name, required=True)
    parser.add_argument("--cpus", default="1")
    options = parser.parse_args()
    # (Less than the 64 KiB that wait in the port for the guest: behind those the sender has to wait.)
    lines = "".join(f"{i:05} the quick brown fox jumps over the lazy dog and back again\n" for i in range(900))
    crc = zlib.crc32(lines.encode())
    failed = 0
    for name, reader in {"lines": "cat", "slowly": "(sleep 1; cat)", "raw": f"stty -icanon; head -c {len(lines)}"}.items():
        # What comes while bash edits its line has the Enter key's carriage returns.
        end = "" if name == "raw" else "\\x04"
        typed = ["--type", f"stty -echo; {reader} > /tmp/f; stty sane; echo\\n" + lines.replace("\n", "\\n") + end,
                 "--type", r"tr '\\r' '\\n' < /tmp/f > /tmp/g; crc32 /tmp/g; wc -c < /tmp/f\n", "--type", "poweroff -f\\n"]
        done = subprocess.run([options.binary, "--headless", "--cpus", options.cpus, "--kernel", options.bzimage, "--disk", options.disk, "--append",
                               "console=ttyS0 root=/dev/sda1 lockdep", "--limit-seconds", "300", *typed],
                              capture_output=True, stdin=subprocess.DEVNULL, timeout=400)
        text = done.stdout.decode("latin-1").replace("\r", "")
        if done.returncode or f"{crc:08x}" not in text or f"\n{len(lines)}\n" not in text or "BUG" in text or "possible" in text:
            print(text[-1500:])
            print(f"FAILED: {name}: status {done.returncode}; {len(lines)} bytes with CRC {crc:08x} were pasted")
            failed = 1
        else:
            print(f"{name}: {len(lines)} bytes")
    return failed


if __name__ == "__main__":
    sys.exit(main())
