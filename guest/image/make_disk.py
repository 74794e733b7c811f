#!/usr/bin/env python3
"""MBR + second stage + one ext2 partition → a disk image whose bytes depend on nothing but the inputs.

mke2fs makes the empty file system (fixed UUID, hash seed and time), debugfs fills it in sorted order, and the inodes are
normalised afterwards: owner root, all times FIXED_TIME, because both tools copy the build machine's."""
import argparse
import os
import stat
import struct
import subprocess
import sys

FIXED_TIME = 1795132800  # 2026-11-20 00:00:00 UTC
UUID = "56495452-494e-4500-8000-000000000001"
HASH_SEED = "56495452-494e-4500-8000-000000000002"
PARTITION_START, STAGE2_SECTORS, SECTOR, BLOCK = 2048, 64, 512, 4096
DIRECTORIES = ["/bin", "/boot", "/dev", "/etc", "/home", "/home/guest", "/mnt", "/proc", "/root", "/run", "/sbin", "/sys", "/tmp", "/usr", "/usr/bin", "/usr/sbin",
               "/var", "/var/log", "/var/tmp"]
MODES = {"/tmp": 0o1777, "/var/tmp": 0o1777, "/root": 0o700, "/etc/shadow": 0o600}
OWNERS = {"/home/guest": (1000, 1000)}
DEVICES = [("/dev/console", 5, 1, 0o600), ("/dev/null", 1, 3, 0o666), ("/dev/tty", 5, 0, 0o666)]


def die(message):
    sys.exit(f"make_disk.py: {message}")


def run(command, **more):
    environment = dict(os.environ, E2FSPROGS_FAKE_TIME=str(FIXED_TIME), TZ="UTC", LC_ALL="C", MKE2FS_CONFIG="/dev/null",
                       PATH=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    done = subprocess.run(command, env=environment, text=True, capture_output=True, **more)
    if done.returncode != 0:
        die(f"{' '.join(command)}: {done.stdout}{done.stderr}")
    return done.stdout + done.stderr


def applet_links(busybox):
    """Where busybox wants to be found: path → relative link to /bin/busybox. Debian's /bin and /usr/bin are one; here the short one."""
    links = {}
    for line in run([busybox, "--list-full"]).split():
        path = "/" + line.removeprefix("usr/")
        if path not in ("/bin/busybox", "/linuxrc"):
            links[path] = "busybox" if path.startswith("/bin/") else "../bin/busybox"
    return links


def normalise(path):
    """Owner 0:0 (what OWNERS names is set after this) and FIXED_TIME in every used inode (ext2 superblock, group descriptors, inode bitmap and table)."""
    with open(path, "r+b") as image:
        image.seek(1024)
        sb = image.read(1024)
        inodes, = struct.unpack_from("<I", sb, 0)
        per_group, = struct.unpack_from("<I", sb, 40)
        size, = struct.unpack_from("<H", sb, 88)
        first_data, = struct.unpack_from("<I", sb, 20)
        for group in range((inodes + per_group - 1) // per_group):
            image.seek((first_data + 1) * BLOCK + group * 32)
            _, bitmap, table = struct.unpack("<III", image.read(12))
            image.seek(bitmap * BLOCK)
            bits = image.read(BLOCK)
            for index in range(per_group):
                if not bits[index // 8] >> index % 8 & 1:
                    continue
                image.seek(table * BLOCK + index * size)
                inode = bytearray(image.read(size))
                mode, = struct.unpack_from("<H", inode, 0)
                if mode == 0:
                    continue
                struct.pack_into("<H", inode, 2, 0)
                struct.pack_into("<H", inode, 24, 0)
                struct.pack_into("<III", inode, 8, FIXED_TIME, FIXED_TIME, FIXED_TIME)
                struct.pack_into("<HH", inode, 120, 0, 0)  # owner's high halves
                image.seek(table * BLOCK + index * size)
                image.write(inode)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--mbr", required=True)
    parser.add_argument("--stage2", required=True)
    parser.add_argument("--size-mib", type=int, default=64)
    parser.add_argument("--tree", help="a folder copied as it is")
    parser.add_argument("--busybox", help="put this busybox at /bin/busybox, with a link for each applet")
    parser.add_argument("--file", action="append", default=[], help="source:target:octal mode; repeatable")
    parser.add_argument("--output", required=True)
    args = parser.parse_args()

    total = args.size_mib * 2048
    files = {}
    if args.tree:
        for folder, _, names in os.walk(args.tree):
            for name in names:
                source = os.path.join(folder, name)
                executable = os.stat(source).st_mode & 0o100
                files["/" + os.path.relpath(source, args.tree)] = (source, MODES.get("/" + os.path.relpath(source, args.tree), 0o755 if executable else 0o644))
    links = {}
    if args.busybox:
        links = applet_links(args.busybox)
        files["/bin/busybox"] = (args.busybox, 0o755)
    for item in args.file:
        source, target, mode = item.rsplit(":", 2)
        files[target] = (source, int(mode, 8))

    work = args.output + ".ext2"
    with open(work, "wb") as image:
        image.truncate((total - PARTITION_START) * SECTOR)
    run(["mke2fs", "-q", "-F", "-t", "ext2", "-b", str(BLOCK), "-I", "128", "-O", "none,filetype,sparse_super", "-m", "0",
         "-N", "4096", "-L", "vitrine", "-U", UUID, "-E", f"hash_seed={HASH_SEED},root_owner=0:0,lazy_itable_init=0", work])

    script = []
    folders = set(DIRECTORIES)
    for target in files:
        parent = os.path.dirname(target)
        while parent != "/":
            folders.add(parent)
            parent = os.path.dirname(parent)
    for folder in sorted(folders):
        mode = MODES.get(folder, 0o755)
        script += [f"mkdir {folder}", f"sif {folder} mode 0{stat.S_IFDIR | mode:o}"]
    for target, (source, mode) in sorted(files.items()):
        if not os.path.isfile(source):
            die(f"{source} (for {target}) does not exist")
        script += [f"write {os.path.abspath(source)} {target}", f"sif {target} mode 0{stat.S_IFREG | mode:o}"]
    for link, destination in sorted(links.items()):
        if link not in files:
            parent, name = os.path.split(link)
            script += [f"cd {parent}", f"symlink {name} {destination}", "cd /"]
    for target, major, minor, mode in DEVICES:
        parent, name = os.path.split(target)
        script += [f"cd {parent}", f"mknod {name} c {major} {minor}", "cd /", f"sif {target} mode 0{stat.S_IFCHR | mode:o}"]
    script_path = args.output + ".debugfs"
    with open(script_path, "w") as file:
        file.write("\n".join(script) + "\n")
    said = run(["debugfs", "-w", "-f", script_path, work])
    # debugfs reports a failed command on its output and goes on; the echo of commands starts with "debugfs:".
    complaints = [line for line in said.splitlines()
                  if line and not line.startswith(("debugfs", "Allocated inode", "Default"))]
    if complaints:
        die("debugfs: " + "; ".join(complaints))
    normalise(work)
    for folder, (user, group) in OWNERS.items():
        if folder in folders:
            run(["debugfs", "-w", "-R", f"sif {folder} uid {user}", work])
            run(["debugfs", "-w", "-R", f"sif {folder} gid {group}", work])
    run(["e2fsck", "-fn", work])

    with open(args.mbr, "rb") as file:
        mbr = bytearray(file.read())
    with open(args.stage2, "rb") as file:
        stage2 = file.read()
    if len(mbr) != SECTOR or mbr[510:] != b"\x55\xaa" or len(stage2) > STAGE2_SECTORS * SECTOR or stage2[4:8] != b"VTR2":
        die("the boot loader's parts are not what they should be")
    struct.pack_into("<I", mbr, 0x1b8, 0x52544956)  # disk signature "VITR"
    # Active, type 83h; CHS fields say "beyond 1024 cylinders", LBA counts.
    struct.pack_into("<B3sB3sII", mbr, 0x1be, 0x80, b"\xfe\xff\xff", 0x83, b"\xfe\xff\xff", PARTITION_START,
                     total - PARTITION_START)
    temporary = args.output + ".part"
    with open(temporary, "wb") as disk:
        disk.write(mbr)
        disk.write(stage2)
        disk.truncate(total * SECTOR)
        with open(work, "rb") as image:
            position = PARTITION_START * SECTOR
            while chunk := image.read(1 << 20):
                if any(chunk):  # leave holes where there is nothing
                    disk.seek(position)
                    disk.write(chunk)
                position += len(chunk)
    os.replace(temporary, args.output)
    os.remove(work)
    os.remove(script_path)


main()
