"""Makes a disc image with an El Torito boot record: ECMA-119 descriptors in blocks 16 to 18, the boot catalog in 19, the
boot image (four blocks, "DONE" at their end) from 20 on.

    make_disc.py BOOT-IMAGE OUTPUT"""
import struct
import sys

BLOCK, IMAGE_BLOCK, IMAGE_BLOCKS = 2048, 20, 4


def block(data: bytes) -> bytes:
    assert len(data) <= BLOCK
    return data.ljust(BLOCK, b"\0")


def main() -> None:
    boot = open(sys.argv[1], "rb").read()
    assert len(boot) <= IMAGE_BLOCKS * BLOCK - 4
    image = boot.ljust(IMAGE_BLOCKS * BLOCK - 4, b"\0") + b"DONE"
    blocks = 32
    both = lambda value: struct.pack("<I", value) + struct.pack(">I", value)
    primary = b"\1CD001\1\0" + b" " * 32 + b"VITRINE TEST".ljust(32) + b"\0" * 8 + both(blocks)
    record = b"\0CD001\1" + b"EL TORITO SPECIFICATION".ljust(32, b"\0") + b"\0" * 32 + struct.pack("<I", 19)
    validation = bytearray(b"\1\0\0\0" + b"VITRINE".ljust(24, b"\0") + b"\0\0\x55\xaa")
    total = sum(struct.unpack("<16H", validation)) & 0xFFFF
    struct.pack_into("<H", validation, 28, -total & 0xFFFF)
    entry = struct.pack("<BBHBBHI", 0x88, 0, 0, 0, 0, IMAGE_BLOCKS * 4, IMAGE_BLOCK).ljust(32, b"\0")
    disc = b"\0" * (16 * BLOCK) + block(primary) + block(record) + block(b"\xffCD001\1") + block(bytes(validation) + entry)
    disc += image
    with open(sys.argv[2], "wb") as out:
        out.write(disc.ljust(blocks * BLOCK, b"\0"))


main()
