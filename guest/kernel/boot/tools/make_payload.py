#!/usr/bin/env python3
"""vmlinux (linked with --emit-relocs) → the bytes that the decompressor unpacks.

Layout: PayloadHeader (compressed/decompressor.h), 64-bit relocations, 32-bit relocations (both U32 offsets from the link
base, sorted), padding to 4096, the stripped ELF. Only words that hold an address inside the kernel image move with the
slide; a PC-relative reference to something that does not move cannot be expressed and stops the build."""
import argparse
import struct

from elf64 import Elf, die

LINK_BASE = 0xffffffff81000000
LINK_PHYSICAL = 0x1000000
MAPPING_END = 0xffffffffc0000000
R_64, R_PC32, R_PLT32, R_32, R_32S, R_PC64 = 1, 2, 4, 10, 11, 24
R_NAMES = {9: "GOTPCREL", 41: "GOTPCRELX", 42: "REX_GOTPCRELX"}

parser = argparse.ArgumentParser()
for name in ("vmlinux", "stripped", "output", "info"):
    parser.add_argument(f"--{name}", required=True)
args = parser.parse_args()

elf = Elf(args.vmlinux)
if elf.type != 2 or elf.machine != 62:
    die(f"{args.vmlinux}: wanted a static x86-64 executable (ET_EXEC)")
loads = elf.loads()
if not loads:
    die(f"{args.vmlinux}: no loadable segment")
for s in loads:
    if s.vaddr - LINK_BASE != s.paddr - LINK_PHYSICAL or s.paddr < LINK_PHYSICAL or s.vaddr + s.memsz > MAPPING_END:
        die(f"{args.vmlinux}: segment at {s.vaddr:x}/{s.paddr:x}: wanted {LINK_BASE:x}/{LINK_PHYSICAL:x} and up, in step")
memory = max(s.vaddr + s.memsz for s in loads) - LINK_BASE
image_end = LINK_BASE + memory
if memory > 256 << 20:
    die(f"{args.vmlinux}: {memory >> 20} MiB of memory is more than a kernel image may take")

symbols = elf.symbols()
seen_relocations = False
words64, words32 = set(), set()
for section, offset, kind, index, addend in elf.relocations():
    if not section.flags & 2 or kind == 0:  # not SHF_ALLOC: debug information
        continue
    seen_relocations = True
    symbol = symbols[index]
    # _end may sit exactly at the end; absolute constants lie elsewhere.
    moves = LINK_BASE <= symbol.value <= image_end
    place = f"{args.vmlinux}: {section.name}+{offset - section.addr:x}"
    inside = LINK_BASE <= offset < image_end
    if kind in (R_64, R_32S, R_32):
        if not moves:
            continue
        if not inside:
            die(f"{place}: an address outside of the image would have to move")
        if kind == R_32:
            die(f"{place}: zero-extended 32-bit address of {symbol.name} cannot move")
        (words64 if kind == R_64 else words32).add(offset - LINK_BASE)
    elif kind in (R_PC32, R_PLT32, R_PC64):
        if not moves and inside:
            die(f"{place}: PC-relative reference to {symbol.name or 'a constant'} ({symbol.value:x}), which does not move")
    else:
        die(f"{place}: relocation type {R_NAMES.get(kind, kind)} is not supported; compile with -fno-pic -mcmodel=kernel")
if not seen_relocations:
    die(f"{args.vmlinux}: no relocations; link with --emit-relocs")

with open(args.stripped, "rb") as file:
    stripped = file.read()
list64 = b"".join(struct.pack("<I", w) for w in sorted(words64))
list32 = b"".join(struct.pack("<I", w) for w in sorted(words32))
offset64 = 32
offset32 = offset64 + len(list64)
elf_offset = (offset32 + len(list32) + 4095) & ~4095
header = struct.pack("<8sIIIIII", b"VPAYLD01", elf_offset, len(stripped), offset64, len(words64), offset32, len(words32))
payload = (header + list64 + list32).ljust(elf_offset, b"\0") + stripped
payload += b"\0" * (-len(payload) % 8)
with open(args.output, "wb") as file:
    file.write(payload)
with open(args.info, "w") as file:
    file.write(f"/* made by make_payload.py: {len(words64)} 64-bit and {len(words32)} 32-bit relocations */\n"
               f"#define PAYLOAD_SIZE {len(payload)}\n#define PAYLOAD_KERNEL_MEMORY {memory}\n")
