"""A small reader of 64-bit little-endian ELF files for the image builders (ELF-64 object file format 1.5)."""
import struct
import sys
from collections import namedtuple

Section = namedtuple("Section", "name type flags addr offset size link info entsize")
Segment = namedtuple("Segment", "type flags offset vaddr paddr filesz memsz align")
Symbol = namedtuple("Symbol", "name info shndx value size")


def die(message):
    sys.exit(f"{sys.argv[0].rsplit('/', 1)[-1]}: {message}")


class Elf:
    def __init__(self, path):
        self.path = path
        with open(path, "rb") as file:
            self.data = file.read()
        if self.data[:6] != b"\x7fELF\x02\x01":
            die(f"{path} is not a 64-bit little-endian ELF file")
        (self.type, self.machine, _, self.entry, phoff, shoff, _, _, phentsize, phnum, shentsize, shnum,
         shstrndx) = struct.unpack_from("<HHIQQQIHHHHHH", self.data, 16)
        self.segments = []
        for i in range(phnum):
            t, f, o, v, p, fs, ms, a = struct.unpack_from("<IIQQQQQQ", self.data, phoff + i * phentsize)
            self.segments.append(Segment(t, f, o, v, p, fs, ms, a))
        raw = [struct.unpack_from("<IIQQQQIIQQ", self.data, shoff + i * shentsize) for i in range(shnum)]
        names = raw[shstrndx][4] if shnum else 0
        self.sections = [Section(self.string(names + r[0]), r[1], r[2], r[3], r[4], r[5], r[6], r[7], r[9]) for r in raw]

    def string(self, offset):
        return self.data[offset:self.data.index(b"\0", offset)].decode()

    def loads(self):
        return [s for s in self.segments if s.type == 1 and s.memsz]

    def symbols(self):
        for section in self.sections:
            if section.type == 2:
                strings = self.sections[section.link].offset
                return [Symbol(self.string(strings + n), i, x, v, s) for n, i, _, x, v, s in
                        struct.iter_unpack("<IBBHQQ", self.data[section.offset:section.offset + section.size])]
        return []

    def relocations(self):
        """(section the relocation applies to, offset, type, symbol index, addend)"""
        for section in self.sections:
            if section.type == 4:
                target = self.sections[section.info]
                for offset, info, addend in struct.iter_unpack(
                        "<QQq", self.data[section.offset:section.offset + section.size]):
                    yield target, offset, info & 0xffffffff, info >> 32, addend
