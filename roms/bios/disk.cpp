// INT 13h for disks, drives 80h up (IBM PS/2 BIOS Interface; Enhanced Disk Drive specification 3.0).
//
// Invariants: a request is checked against the disk before the device sees it; at most 128 sectors move per
// command; odd buffers go through a bounce buffer because AHCI moves words.
#include "roms/bios/bios.h"

namespace vitrine::bios {
namespace {

enum Status : U8 {
    Ok = 0,
    BadCommand = 1,
    SectorNotFound = 4,
    DmaBoundary = 9,
    ControllerFailure = 0x20,
    TimeOut = 0x80
};

struct [[gnu::packed]] AddressPacket {
    U8 size, reserved;
    U16 count, offset, segment;
    U64 sector;
};
static_assert(sizeof(AddressPacket) == 16);

U32 bounce_buffer() { return memory_map.dma_area + 0xfe00; }

Status transfer(const Disk& disk, bool write, U64 sector, U32 count, U32 address, U32& done) {
    done = 0;
    if (sector >= disk.sectors || count > disk.sectors - sector) return SectorNotFound;
    while (done < count) {
        U32 now = count - done < 128 ? count - done : 128;
        bool good;
        if (address & 1) {
            now = 1;
            if (write) copy_memory(bounce_buffer(), address, 512);
            good = disk_transfer(disk, write, sector + done, 1, bounce_buffer());
            if (good && !write) copy_memory(address, bounce_buffer(), 512);
        } else
            good = disk_transfer(disk, write, sector + done, now, address);
        if (!good) return ControllerFailure;
        done += now;
        address += now * 512;
    }
    return Ok;
}

Status chs(const Disk& disk, Frame& frame, bool write, bool verify) {
    const U32 count = frame.a.l;
    const U32 cylinder = frame.c.h | (frame.c.l & 0xc0u) << 2, sector = frame.c.l & 0x3f, head = frame.d.h;
    frame.a.l = 0;
    if (count == 0 || count > 128) return BadCommand;
    if (sector == 0 || sector > disk.sectors_per_track || head >= disk.heads || cylinder >= disk.cylinders)
        return SectorNotFound;
    const U64 first = (static_cast<U64>(cylinder) * disk.heads + head) * disk.sectors_per_track + sector - 1;
    if (verify) return first + count <= disk.sectors ? Ok : SectorNotFound;
    U32 done;
    const Status status = transfer(disk, write, first, count, linear(frame.es, frame.b.x), done);
    frame.a.l = static_cast<U8>(done);
    return status;
}

Status extended(const Disk& disk, Frame& frame, bool write, bool verify) {
    const U32 at = linear(frame.ds, frame.si.x);
    AddressPacket packet;
    copy_memory(address_of(&packet), at, sizeof packet);
    asm volatile("" : : : "memory");
    if (packet.size < 16 || packet.count == 0 || packet.count > 128) return BadCommand;
    if (verify)
        return packet.sector < disk.sectors && packet.count <= disk.sectors - packet.sector ? Ok
                                                                                            : SectorNotFound;
    U32 done;
    const Status status =
        transfer(disk, write, packet.sector, packet.count, linear(packet.segment, packet.offset), done);
    memory<U16>(at + 2) = static_cast<U16>(done);
    return status;
}

Status parameters(const Disk& disk, Frame& frame) {
    // EDD 3.0 tables 4 and 5: 26 bytes are EDD 1.0, 30 add the pointer to the DPTE (FFFF:FFFF: there is none,
    // as for anything but an ATA channel with ports), 66 the path to the disk.
    struct [[gnu::packed]] Block {
        U16 size, flags;
        U32 cylinders, heads, sectors;
        U64 total;
        U16 bytes;
        U32 dpte;
        U16 path_key;
        U8 path_size, reserved[3];
        char bus[4], interface[8];
        U8 pci_bus, slot, function, channel, interface_rest[4];
        U8 port, device_rest[7];
        U8 reserved2, checksum;
    } block;
    static_assert(sizeof(Block) == 66);
    const U32 at = linear(frame.ds, frame.si.x);
    const U16 room = memory<U16>(at);
    if (room < 26) return BadCommand;
    const U16 size = room >= 66 ? 66 : room >= 30 ? 30 : 26;
    const U16 adapter = disk.ide ? ide_device() : ahci_device();
    block = {size,
             0x0002, // the geometry is valid
             disk.cylinders,
             disk.heads,
             disk.sectors_per_track,
             disk.sectors,
             512,
             0xffffffff,
             0xbedd,
             36,
             {},
             {'P', 'C', 'I', ' '},
             {disk.ide ? 'A' : 'S', disk.ide ? 'T' : 'A', disk.ide ? 'A' : 'T', disk.ide ? ' ' : 'A', ' ',
              ' ', ' ', ' '},
             0,
             static_cast<U8>(adapter >> 3),
             static_cast<U8>(adapter & 7),
             static_cast<U8>(disk.ide ? disk.port >> 1 : 0xff),
             {},
             static_cast<U8>(disk.ide ? disk.port & 1 : disk.port),
             {},
             0,
             0};
    U8 sum = 0; // of the path, from its key to the checksum
    for (U32 i = 30; i < 66; ++i) sum = static_cast<U8>(sum + reinterpret_cast<const U8*>(&block)[i]);
    block.checksum = static_cast<U8>(0 - sum);
    copy_memory(at, address_of(&block), size);
    return Ok;
}

} // namespace

Outcome disk_service(Frame& frame) {
    const auto finish = [&](U8 status) {
        memory<U8>(bda::DiskStatus) = status;
        frame.a.h = status;
        frame.set_carry(status != Ok);
        return Outcome::Done;
    };
    const U8 function = frame.a.h;
    if (function == 0x01) {
        const U8 status = memory<U8>(bda::DiskStatus);
        frame.a.h = status;
        frame.set_carry(status != Ok);
        return Outcome::Done;
    }
    if (cdrom_owns(frame.d.l)) return cdrom_service(frame);
    if (frame.d.l == 0 && floppy_present()) return floppy_service(frame);
    const U32 index = frame.d.l - 0x80u;
    if (index >= disk_count) {
        if (function == 0x15) { // type: no such drive
            frame.a.h = 0;
            frame.set_carry(false);
            return Outcome::Done;
        }
        if (function == 0x08) frame.d.x = 0;
        return finish(BadCommand);
    }
    const Disk& disk = disks[index];
    switch (function) {
    case 0x00: // reset
    case 0x0c: // seek
    case 0x0d:
    case 0x10: // ready?
    case 0x11:
    case 0x47: return finish(Ok);
    case 0x02: return finish(chs(disk, frame, false, false));
    case 0x03: return finish(chs(disk, frame, true, false));
    case 0x04: return finish(chs(disk, frame, false, true));
    case 0x08: {
        const U32 last = disk.cylinders - 1;
        frame.c.h = static_cast<U8>(last);
        frame.c.l = static_cast<U8>(disk.sectors_per_track | (last >> 2 & 0xc0));
        frame.d.h = static_cast<U8>(disk.heads - 1);
        frame.d.l = static_cast<U8>(disk_count);
        frame.b.l = 0;
        frame.a.l = 0;
        return finish(Ok);
    }
    case 0x15: { // a fixed disk; CX:DX sectors
        const U32 sectors = disk.sectors > 0xffffffff ? 0xffffffffu : static_cast<U32>(disk.sectors);
        frame.c.x = static_cast<U16>(sectors >> 16);
        frame.d.x = static_cast<U16>(sectors);
        frame.a.h = 3;
        frame.set_carry(false);
        memory<U8>(bda::DiskStatus) = Ok;
        return Outcome::Done;
    }
    case 0x41: // extensions present?
        if (frame.b.x != 0x55aa) return finish(BadCommand);
        frame.b.x = 0xaa55;
        frame.c.x = 0x0001; // packet structure
        memory<U8>(bda::DiskStatus) = Ok;
        frame.a.h = 0x30; // EDD 3.0
        frame.set_carry(false);
        return Outcome::Done;
    case 0x42: return finish(extended(disk, frame, false, false));
    case 0x43: return finish(extended(disk, frame, true, false));
    case 0x44: return finish(extended(disk, frame, false, true));
    case 0x48: return finish(parameters(disk, frame));
    default: unsupported(frame); return finish(BadCommand);
    }
}

} // namespace vitrine::bios
