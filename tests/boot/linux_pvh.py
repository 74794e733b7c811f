#!/usr/bin/env python3
"""Debian's Linux, unpacked to its ELF file, booted through its PVH entry: linux_pvh.py VITRINE VMLINUZ. The kernel must name
the protocol, take the command line and the memory map, and come as far as looking for its root."""
import lzma, os, struct, subprocess, sys, tempfile

vitrine, bzimage = sys.argv[1], sys.argv[2]
packed = open(bzimage, "rb").read()
# boot.rst: payload_offset and payload_length, from the end of the set-up sectors; the last four bytes are the size.
start = (packed[0x1F1] + 1) * 512 + struct.unpack_from("<I", packed, 0x248)[0]
payload = packed[start:start + struct.unpack_from("<I", packed, 0x24C)[0] - 4]
if payload[:4] == b"\x02\x21\x4c\x18":
    kernel = subprocess.run(["lz4", "-dc"], input=payload, capture_output=True, check=True).stdout
elif payload[:6] == b"\xfd7zXZ\0":
    kernel = lzma.decompress(payload)
else:
    sys.exit(f"{bzimage}: unknown compression {payload[:8].hex()}")
if kernel[:4] != b"\x7fELF":
    sys.exit(f"{bzimage}: the payload is no ELF file")
with tempfile.TemporaryDirectory() as folder:
    path = os.path.join(folder, "vmlinux")
    open(path, "wb").write(kernel)
    done = subprocess.run([vitrine, "--headless", "--kernel", path, "--append", "console=ttyS0 earlyprintk=ttyS0 panic=-1 nokaslr", "--no-reboot",
                           "--until", "serial:Unable to mount root fs", "--limit-seconds", "120"], capture_output=True, timeout=180, stdin=subprocess.DEVNULL)
text = done.stdout.decode("latin-1")
for wanted in ("Command line: console=ttyS0 earlyprintk", "BIOS-e820: [mem 0x0000000000100000-", "ACPI: RSDP", "Unable to mount root fs"):
    if wanted not in text:
        sys.exit(f"{text[-3000:]}{done.stderr.decode()}\nstatus {done.returncode}; in vain: {wanted}")
