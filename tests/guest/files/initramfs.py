#!/usr/bin/env python3
"""Initial RAM disks: plain, packed, several of them, made by cpio and by hand, and hostile ones. What /init prints is what was packed; a
damaged archive is said to be one, and the disk's root is mounted.

Usage: initramfs.py --binary VITRINE --bzimage FILE --disk FILE --busybox FILE
"""
import argparse
import gzip
import os
import shutil
import subprocess
import sys
import tempfile

TROUBLE = ("BUG:", "Oops", "Kernel panic", "WARNING:", "possible circular")


def entry(name, mode, data=b"", links=1, inode=0, size=None, namesize=None, magic=b"070701", rdev=(0, 0), owner=(0, 0)):
    """One entry of a newc archive."""
    name = name.encode("latin-1") + b"\0"
    fields = (inode, mode, *owner, links, 1700000000, len(data) if size is None else size, 0, 0, *rdev, len(name) if namesize is None else namesize, 0)
    text = magic + b"".join(b"%08x" % field for field in fields) + name
    text += b"\0" * (-len(text) % 4) + data
    return text + b"\0" * (-len(text) % 4)


TRAILER = entry("TRAILER!!!", 0)
INIT = """#!/bin/busybox sh
b=/bin/busybox
$b mount -t proc proc /proc
$b echo "root: $($b awk '$2 == "/" {print $3}' /proc/mounts)"
$b sh /check
$b poweroff -f
"""
CHECK = """b=/bin/busybox
cd /
$b stat -c '%n %a %u:%g %h %s %Y' folder folder/file folder/big two one
$b md5sum folder/big folder/file
$b readlink link
$b stat -c '%t:%T %a' null
$b cat one
"""


def folder_tree(busybox, big):
    """What the archives hold, in order, by hand."""
    with open(busybox, "rb") as file:
        program = file.read()
    return [entry("bin", 0o40755, links=2), entry("bin/busybox", 0o100755, program), entry("proc", 0o40555, links=2), entry("init", 0o100755, INIT.encode()),
            entry("check", 0o100644, CHECK.encode()), entry("folder", 0o41777, links=2), entry("folder/file", 0o104751, b"text\n", owner=(7, 9)),
            entry("folder/big", 0o100600, big), entry("link", 0o120777, b"folder/file"), entry("null", 0o20640, rdev=(1, 3)),
            entry("one", 0o100644, b"", links=2, inode=77), entry("two", 0o100644, b"linked\n", links=2, inode=77)]


def run(options, folder, archives, memory=256, append="", qemu=False):
    names = []
    for number, archive in enumerate(archives):
        names.append(os.path.join(folder, f"archive{number}"))
        with open(names[-1], "wb") as file:
            file.write(archive)
    line = f"console=ttyS0 root=/dev/sda1 lockdep {append}".strip()
    if qemu:
        whole = os.path.join(folder, "whole")
        with open(whole, "wb") as file:
            file.write(b"".join(archives))
        command = ["qemu-system-x86_64", "-machine", "q35", "-m", str(memory), "-nodefaults", "-display", "none", "-serial", "stdio", "-monitor", "none",
                   "-no-reboot", "-kernel", options.bzimage, "-initrd", whole, "-append", line]
    else:
        command = [options.binary, "--headless", "-m", f"{memory}M", "--kernel", options.bzimage, "--append", line, "--disk",
                   f"{options.disk},overlay={os.path.join(folder, 'overlay')}", "--limit-seconds", "300", "--type", "mount; poweroff -f\\n"]
        for name in names:
            command += ["--initrd", name]
    done = subprocess.run(command, capture_output=True, stdin=subprocess.DEVNULL, timeout=600)
    return done.stdout.decode("latin-1").replace("\r", ""), done.returncode


def main():
    parser = argparse.ArgumentParser()
    for name in ("binary", "bzimage", "disk", "busybox"):
        parser.add_argument("--" + name, required=True)
    options = parser.parse_args()
    big = bytes((i * i >> 8) & 0xff for i in range(300001))
    entries = folder_tree(options.busybox, big)
    plain = b"".join(entries) + TRAILER
    import hashlib
    wanted = ["root: rootfs", "folder 1777 0:0", "folder/file 4751 7:9 1 5 1700000000", "folder/big 600 0:0 1 300001 1700000000", "two 644 0:0 2 7", "one 644 0:0 2 7",
              hashlib.md5(big).hexdigest(), hashlib.md5(b"text\n").hexdigest(), "folder/file\n", "1:3 640", "linked"]
    half = len(entries) // 2
    packed_twice = [gzip.compress(b"".join(entries[:half]) + TRAILER, 9), b"".join(entries[half:]) + TRAILER]
    # The packer's three kinds of blocks: stored, fixed (what is short), dynamic.
    good = {"plain": [plain], "gzip": [gzip.compress(plain, 1)], "stored": [gzip.compress(plain, 0)], "a packed and a plain one": packed_twice,
            "padded, without a trailer": [b"\0" * 512 + b"".join(entries[:half]) + TRAILER + b"\0" * 1536 + gzip.compress(b"".join(entries[half:])) + b"\0" * 100]}
    with tempfile.TemporaryDirectory() as folder:  # by cpio
        tree = os.path.join(folder, "tree")
        for name in ("bin", "proc", "folder"):
            os.makedirs(os.path.join(tree, name))
        shutil.copy(options.busybox, os.path.join(tree, "bin/busybox"))
        for name, text in (("init", INIT.replace("$b sh /check", "$b cat /folder/text; $b ls /two -i | $b wc -l").encode()), ("folder/text", b"by cpio\n")):
            with open(os.path.join(tree, name), "wb") as file:
                file.write(text)
        os.chmod(os.path.join(tree, "init"), 0o755)
        os.link(os.path.join(tree, "folder/text"), os.path.join(tree, "two"))
        by_cpio = subprocess.run([options.busybox, "cpio", "-o", "-H", "newc"], cwd=tree, capture_output=True, check=True,
                                 input="\n".join(os.path.relpath(os.path.join(at, name), tree) for at, folders, names in os.walk(tree)
                                                 for name in sorted(folders + names)).encode()).stdout
    flipped = bytearray(gzip.compress(plain, 6))
    flipped[len(flipped) // 2] ^= 0x10
    empty = b"".join(entries[:1]) + TRAILER
    start = b"".join(entries[:2])
    # name: archives, what the kernel says, memory
    bad = {"flipped": ([bytes(flipped)], "Initramfs unpacking failed: ", 256), "cut": ([gzip.compress(plain)[:50000]], "Initramfs unpacking failed: the archive ends early", 256),
           "cut plain": ([plain[:50000]], "Initramfs unpacking failed: the archive ends early", 256),
           "wrong sum": ([gzip.compress(empty)[:-8] + b"12345678"], "Initramfs unpacking failed: the sum is wrong", 256),
           "old format": ([b"070707" + b"0" * 200], "Initramfs unpacking failed: incorrect cpio method used", 256),
           "no digits": ([b"070701" + b"zz" * 60], "Initramfs unpacking failed: a damaged header", 256),
           "nothing known": ([b"\x28\xb5\x2f\xfd" + b"x" * 100], "Initramfs unpacking failed: invalid magic", 256),
           "long name": ([entry("x", 0o100644, namesize=0xffffffff)], "Initramfs unpacking failed: a name of impossible length", 256),
           "no name": ([entry("x", 0o100644, namesize=0)], "Initramfs unpacking failed: a name of impossible length", 256),
           "long file": ([start + entry("large", 0o100644, b"few", size=0xfffffffe)], "Initramfs unpacking failed: the archive ends early", 256),
           "garbage behind it": ([empty + b"garbage" * 10], "Initramfs unpacking failed: ", 256),
           "without init": ([empty], "check access for rdinit=/init failed: ", 256),
           "more than memory": ([gzip.compress(entry("zeros", 0o100644, b"\0" * (100 << 20)) + TRAILER)], "Initramfs unpacking failed: a file cannot be written", 48),
           "names that lead out": ([b"".join([entry("../../../escape", 0o100644, b"x"), entry("/absolute", 0o100644, b"x"), entry("a/b/c", 0o100644, b"x"),
                                              entry("loop", 0o120777, b"loop"), entry("loop/file", 0o100644, b"x"), entry("..", 0o100644, b"x"), entry("", 0o100644, b"x"),
                                              entry("dev", 0o100644, b"x"), entry("dev/null", 0o20666), entry(".", 0o120777, b"/"), entry("long" * 1000, 0o100644, b"x"),
                                              entry("name" * 70, 0o100644, b"x"), entry("fifo", 0o10644), entry("socket", 0o140644), entry("odd", 0o170644),
                                              entry("link", 0o120777, b"y" * 5000), entry("again", 0o40755), entry("again", 0o100644, b"now a file")]) + TRAILER],
                                   "check access for rdinit=/init failed: ", 256)}
    faults = 0

    def check(name, text, status, expected, refused=()):
        nonlocal faults
        missing = [part for part in expected if part not in text] + [f"not {part!r}" for part in (*TROUBLE, *refused) if part in text]
        if status or missing:
            faults += 1
            print(text[-3000:])
            print(f"FAILED: {name}: status {status}, {missing}")

    def attempt(name, archives, expected, refused=(), **more):
        with tempfile.TemporaryDirectory() as folder:
            text, status = run(options, folder, archives, **more)
        check(name, text, status, expected, refused)

    for name, archives in good.items():
        attempt(name, archives, wanted, ("Initramfs unpacking failed",))
    attempt("by cpio", [by_cpio], ["root: rootfs", "by cpio\n"], ("Initramfs unpacking failed",))
    attempt("on QEMU", [gzip.compress(plain)], wanted, ("Initramfs unpacking failed",), qemu=True)
    attempt("rdinit", [gzip.compress(plain)], ["folder/file 4751"], append="rdinit=/check-is-no-program rdinit=/init")
    for name, (archives, message, memory) in bad.items():
        attempt(name, archives, [message, "/dev/sda1 on / type ext2"], memory=memory)
    print(f"initramfs: {len(good) + len(bad) + 3} archives, {faults} failed")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
