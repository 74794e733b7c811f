"""A disk that GRUB 2 boots by itself, from files: ext4 made by `mke2fs -d`, one MBR partition, GRUB's boot sector, its core image in
the gap behind it. No mount, no loop device and no root needed (a root makes the owners right).

GRUB's ext2 driver knows neither metadata_csum_seed nor orphan_file, which mke2fs 1.47 puts in: both are off here."""
import struct
import subprocess
from pathlib import Path

SECTOR, FIRST = 512, 2048
GRUB = Path("/usr/lib/grub/i386-pc")
MODULES = "biosdisk part_msdos ext2 normal linux serial terminal echo gzio".split()


def make(image, tree, mebibytes, label="vitrine"):
    image = Path(image)
    partition, core = image.with_suffix(".partition"), image.with_suffix(".core")
    partition.unlink(missing_ok=True)
    with open(partition, "wb") as file:
        file.truncate(mebibytes << 20)
    subprocess.run(["mke2fs", "-q", "-t", "ext4", "-O", "^metadata_csum_seed,^orphan_file", "-L", label, "-d", tree, partition], check=True)
    subprocess.run(["grub-mkimage", "-O", "i386-pc", "-o", core, "-p", "(hd0,msdos1)/boot/grub", *MODULES], check=True)
    kernel = core.read_bytes()
    assert len(kernel) <= (FIRST - 1) * SECTOR, "GRUB's core does not fit before the partition"
    # boot.img loads sector 1; the first sector of the core (diskboot.img) holds the list of the others, from sector 2.
    entry = struct.pack("<B3sB3sII", 0x80, b"\xfe\xff\xff", 0x83, b"\xfe\xff\xff", FIRST, (mebibytes << 20) // SECTOR)
    boot = (GRUB / "boot.img").read_bytes()[:446] + entry + bytes(48) + b"\x55\xaa"
    image.unlink(missing_ok=True)
    with open(image, "wb") as disk, open(partition, "rb") as part:
        disk.write(boot + kernel)
        for block in range(mebibytes):
            data = part.read(1 << 20)
            if data.strip(b"\0"):
                disk.seek(FIRST * SECTOR + (block << 20))
                disk.write(data)
        disk.truncate(FIRST * SECTOR + (mebibytes << 20))
    partition.unlink()
    core.unlink()
