#!/usr/bin/env python3
"""Makes an initramfs (cpio "newc", gzip): make_initrd.py OUTPUT NAME=FILE ... Every file is executable, owned by root, and dated 0,
so that the same inputs make the same bytes (Linux: Documentation/driver-api/early-userspace/buffer-format.rst)."""
import gzip
import sys


def entry(number, name, mode, data):
    fields = [number, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name) + 1, 0]
    head = b"070701" + b"".join(b"%08X" % f for f in fields) + name.encode() + b"\0"
    head += b"\0" * (-len(head) % 4)
    return head + data + b"\0" * (-len(data) % 4)


def main():
    out, files = sys.argv[1], [a.split("=", 1) for a in sys.argv[2:]]
    folders = ["bin", "dev", "proc", "sys", "tmp"]
    archive = b"".join(entry(i + 1, f, 0o040755, b"") for i, f in enumerate(folders))
    for i, (name, path) in enumerate(files):
        with open(path, "rb") as source:
            archive += entry(100 + i, name, 0o100755, source.read())
    archive += entry(0, "TRAILER!!!", 0, b"")
    with open(out, "wb") as target, gzip.GzipFile(fileobj=target, mode="wb", mtime=0, filename="") as packed:
        packed.write(archive)


main()
