#!/usr/bin/env python3
"""set-up + decompressor → bzImage: pads, and fills the header fields that only the finished image knows."""
import argparse
import re
import struct

from elf64 import Elf, die

parser = argparse.ArgumentParser()
for name in ("setup", "compressed", "compressed-elf", "payload-info", "output"):
    parser.add_argument(f"--{name}", required=True)
args = parser.parse_args()

with open(args.setup, "rb") as file:
    setup = bytearray(file.read())
with open(args.compressed, "rb") as file:
    system = bytearray(file.read())
if setup[0x202:0x206] != b"HdrS" or struct.unpack_from("<H", setup, 0x206)[0] != 0x20f:
    die(f"{args.setup}: no protocol 2.15 header")
setup += b"\0" * (-len(setup) % 512)
sectors = len(setup) // 512 - 1
if not 4 <= sectors <= 63:
    # Fewer than four would do, but old loaders take 0 to mean 4: be plain.
    setup += b"\0" * (512 * max(0, 4 - sectors))
    sectors = max(4, sectors)
    if sectors > 63:
        die(f"{args.setup}: {sectors} sectors are too many")
system += b"\0" * (-len(system) % 16)

names = {s.name: s.value for s in Elf(args.compressed_elf).symbols()}
info = dict(re.findall(r"#define (\w+) (\d+)", open(args.payload_info).read()))
image_memory = (names["_image_end"] + 4095) & ~4095
slot = (int(info["PAYLOAD_KERNEL_MEMORY"]) + 4095 & ~4095) + int(info["PAYLOAD_SIZE"]) + 4096
# A loader that obeys init_size gives us room for the image and for the slot behind it.
init_size = (image_memory + slot + (2 << 20) + 4095) & ~4095

setup[0x1f1] = sectors
struct.pack_into("<I", setup, 0x1f4, len(system) // 16)
struct.pack_into("<II", setup, 0x248, names["_payload"], names["_payload_end"] - names["_payload"])
struct.pack_into("<I", setup, 0x260, init_size)
with open(args.output, "wb") as file:
    file.write(setup + system)
