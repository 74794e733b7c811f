// Drive 00h, a floppy that El Torito emulates (2.1, 4): its sectors lie in a boot image on the disc.
//
// Invariants: read only; every sector is checked against the image's geometry, and the image was checked
// against the disc when it was booted.
#include "roms/bios/bios.h"

namespace vitrine::bios {
namespace {

enum Status : U8 { Ok = 0, BadCommand = 1, WriteProtected = 3, SectorNotFound = 4, NotReady = 0xaa };
struct Shape {
    U8 type, cylinders, heads, sectors; ///< type as INT 13h/08h and CMOS 10h name it
};
constexpr Shape Shapes[] = {
    {0, 0, 0, 0}, {2, 80, 2, 15}, {4, 80, 2, 18}, {5, 80, 2, 36}}; // 1.2, 1.44, 2.88 MB

U8 media; ///< El Torito's media type; 0: no emulation
U32 first_block;

/// Sectors of 512 bytes out of blocks of 2048.
Status read(U32 sector, U32 count, U32 address, U32& done) {
    for (done = 0; done < count;) {
        const U32 block = first_block + (sector + done) / 4, within = (sector + done) % 4,
                  left = count - done;
        U32 blocks = 0;
        if (within == 0 && left >= 4) { // whole blocks go where they belong
            if (!cdrom_read(block, left / 4, address, blocks)) return NotReady;
            done += blocks * 4;
            address += blocks * 2048;
            continue;
        }
        const U32 now = 4 - within < left ? 4 - within : left;
        if (!cdrom_read(block, 1, cdrom_bounce_buffer(), blocks)) return NotReady;
        copy_memory(address, cdrom_bounce_buffer() + within * 512, now * 512);
        done += now;
        address += now * 512;
    }
    return Ok;
}

} // namespace

void floppy_start(U8 type, U32 first, U32) {
    media = type;
    first_block = first;
    memory<U16>(bda::Equipment) =
        static_cast<U16>((memory<U16>(bda::Equipment) & ~0xc1) | 0x01); // one floppy drive
    memory<U32>(0x1e * 4) = 0xf0000000 | (address_of(diskette_parameters) & 0xffff);
}

bool floppy_present() { return media != 0; }

void floppy_end() {
    media = 0;
    memory<U16>(bda::Equipment) = static_cast<U16>(memory<U16>(bda::Equipment) & ~0xc1);
}

Outcome floppy_service(Frame& frame) {
    const Shape& shape = Shapes[media & 3];
    const auto finish = [&](U8 status) {
        memory<U8>(bda::DiskStatus) = status;
        frame.a.h = status;
        frame.set_carry(status != Ok);
        return Outcome::Done;
    };
    switch (frame.a.h) {
    case 0x00: return finish(Ok);
    case 0x02:
    case 0x04: {
        const bool verify = frame.a.h == 0x04;
        const U32 count = frame.a.l, cylinder = frame.c.h, sector = frame.c.l & 0x3f, head = frame.d.h;
        frame.a.l = 0;
        if (count == 0 || count > 128) return finish(BadCommand);
        if (cylinder >= shape.cylinders || head >= shape.heads || sector == 0 || sector > shape.sectors)
            return finish(SectorNotFound);
        const U32 first = (cylinder * shape.heads + head) * shape.sectors + sector - 1;
        const U32 all = static_cast<U32>(shape.cylinders) * shape.heads * shape.sectors;
        if (count > all - first) return finish(SectorNotFound);
        U32 done = count;
        const Status status = verify ? Ok : read(first, count, linear(frame.es, frame.b.x), done);
        frame.a.l = static_cast<U8>(done);
        return finish(status);
    }
    case 0x03:
    case 0x05: return finish(WriteProtected);
    case 0x08:
        frame.a.x = 0;
        frame.b.x = shape.type;
        frame.c.h = static_cast<U8>(shape.cylinders - 1);
        frame.c.l = shape.sectors;
        frame.d.h = static_cast<U8>(shape.heads - 1);
        frame.d.l = 1;
        frame.es = 0xf000;
        frame.di.x = static_cast<U16>(address_of(diskette_parameters));
        return finish(Ok);
    case 0x15: // a floppy drive without a change line
        frame.a.h = 1;
        frame.set_carry(false);
        return Outcome::Done;
    case 0x16: return finish(Ok);
    case 0x41: return finish(BadCommand); // no extensions here
    case 0x4b: return cdrom_service(frame);
    default: unsupported(frame); return finish(BadCommand);
    }
}

} // namespace vitrine::bios
