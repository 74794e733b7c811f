// The optical drive: El Torito 1.0 ("bootable CD-ROM format") without emulation, and INT 13h for the drive
// number E0h that its boot image gets; images of floppies go on in floppy.cpp.
//
// Invariants: every block is checked against the disc's capacity before the drive is asked; at most 16 blocks
// move a command; odd buffers go through a bounce buffer, because AHCI moves words.
#include "roms/bios/bios.h"

namespace vitrine::bios {
namespace {

constexpr U8 DriveNumber = 0xe0;
constexpr U32 BlockSize = 2048;
enum Status : U8 { Ok = 0, BadCommand = 1, SectorNotFound = 4, NotReady = 0xaa };

// Boot catalog, El Torito 2.1 and 2.2.
struct [[gnu::packed]] ValidationEntry {
    U8 header, platform;
    U16 reserved;
    char id[24];
    U16 checksum;
    U8 key_55, key_aa;
};
struct [[gnu::packed]] BootEntry {
    U8 bootable, media;
    U16 segment;
    U8 system, unused;
    U16 sectors; ///< of 512 bytes
    U32 block;
    U8 rest[20];
};
static_assert(sizeof(ValidationEntry) == 32 && sizeof(BootEntry) == 32);

/// What INT 13h/4Bh tells (El Torito 4.2).
struct [[gnu::packed]] Specification {
    U8 size, media, drive, controller;
    U32 block;
    U16 device, buffer, segment, sectors;
    U8 cylinder, sector, head;
};
static_assert(sizeof(Specification) == 19);

struct [[gnu::packed]] AddressPacket {
    U8 size, reserved;
    U16 count, offset, segment;
    U64 block;
};

U32 catalog;          ///< block of the boot catalog; 0: nothing was booted from the disc
Specification booted; ///< the running image

U32 bounce_buffer() { return memory_map.dma_area + 0xf000; } // where port 30 would have its structures

/// Waits for a drive that has just been reset or has a new medium (sense keys 6 and 2), but not for a medium.
bool ready() {
    for (U32 attempt = 0; attempt < 20; ++attempt) {
        constexpr U8 test[12] = {0x00}, request[12] = {0x03, 0, 0, 0, 18};
        if (optical_packet(test, 0, 0)) return true;
        if (!optical_packet(request, bounce_buffer(), 18)) return false;
        const U8 key = memory<U8>(bounce_buffer() + 2) & 15, code = memory<U8>(bounce_buffer() + 12);
        if (code == 0x3a || (key != 6 && key != 2)) return false;
    }
    return false;
}

/// Blocks on the disc, and 0 without a readable one.
U32 capacity() {
    constexpr U8 command[12] = {0x25};
    if (!ready() || !optical_packet(command, bounce_buffer(), 8)) return 0;
    if (swap32(memory<U32>(bounce_buffer() + 4)) != BlockSize) return 0;
    return swap32(memory<U32>(bounce_buffer())) + 1;
}

bool read_once(U32 block, U32 count, U32 address) {
    const U8 command[12] = {0x28,
                            0,
                            static_cast<U8>(block >> 24),
                            static_cast<U8>(block >> 16),
                            static_cast<U8>(block >> 8),
                            static_cast<U8>(block),
                            0,
                            static_cast<U8>(count >> 8),
                            static_cast<U8>(count)};
    if (optical_packet(command, address, count * BlockSize)) return true;
    return ready() && optical_packet(command, address, count * BlockSize); // a unit attention had to be told
}

bool read_blocks(U32 block, U32 count, U32 address, U32& done) {
    for (done = 0; done < count;) {
        const U32 now = address & 1 ? 1 : count - done < 16 ? count - done : 16;
        if (!read_once(block + done, now, address & 1 ? bounce_buffer() : address)) return false;
        if (address & 1) copy_memory(address, bounce_buffer(), BlockSize);
        done += now;
        address += now * BlockSize;
    }
    return true;
}

bool equal(U32 at, const char* text, U32 length) {
    for (U32 i = 0; i < length; ++i)
        if (memory<char>(at + i) != text[i]) return false;
    return true;
}

Status extended_read(Frame& frame, bool verify) {
    const U32 at = linear(frame.ds, frame.si.x);
    AddressPacket packet;
    copy_memory(address_of(&packet), at, sizeof packet);
    asm volatile("" : : : "memory");
    if (packet.size < 16 || packet.count == 0 || packet.count > 32) return BadCommand;
    const U32 there = capacity();
    if (there == 0) return NotReady;
    if (packet.block >= there || packet.count > there - packet.block) return SectorNotFound;
    if (verify) return Ok;
    U32 done;
    const bool good = read_blocks(static_cast<U32>(packet.block), packet.count,
                                  linear(packet.segment, packet.offset), done);
    memory<U16>(at + 2) = static_cast<U16>(done);
    return good ? Ok : NotReady;
}

/// INT 13h/48h: a removable drive without geometry (EDD 3.0 table 5: flags 2, 4, 5, 6).
Status parameters(Frame& frame) {
    struct [[gnu::packed]] Block {
        U16 size, flags;
        U32 cylinders, heads, sectors;
        U64 total;
        U16 bytes;
    } block;
    const U32 at = linear(frame.ds, frame.si.x);
    if (memory<U16>(at) < sizeof block) return BadCommand;
    const U32 there = capacity();
    block = {sizeof block, 0x0074, 0xffffffff, 0xffffffff, 0xffffffff, there, BlockSize};
    if (there == 0) block.total = 0xffffffffffffffff;
    copy_memory(at, address_of(&block), sizeof block);
    return Ok;
}

/// INT 13h/4Dh: blocks of the boot catalog (El Torito 4.4).
Status boot_catalog(Frame& frame) {
    struct [[gnu::packed]] Command {
        U8 size, count;
        U32 buffer; ///< segment:offset
        U16 first;
    } command;
    copy_memory(address_of(&command), linear(frame.ds, frame.si.x), sizeof command);
    asm volatile("" : : : "memory");
    const U32 there = capacity();
    if (command.size < sizeof command || command.count == 0 || command.count > 16) return BadCommand;
    if (catalog + command.first + command.count > there) return SectorNotFound;
    U32 done;
    const U32 target = linear(static_cast<U16>(command.buffer >> 16), static_cast<U16>(command.buffer));
    return read_blocks(catalog + command.first, command.count, target, done) ? Ok : NotReady;
}

/// The boot image is a floppy: its first sector goes to 7C00h, drive 00h is the rest (El Torito 2.1, media
/// types 1–3).
const char* boot_floppy(Frame& frame, const BootEntry& entry, U32 there) {
    constexpr U32 scratch = 0x8000, sectors[] = {0, 2400, 2880, 5760};
    const U8 media = entry.media & 15;
    const U32 blocks = sectors[media] / 4;
    U32 done;
    if (entry.block >= there || blocks > there - entry.block)
        return "its floppy image reaches beyond the disc";
    if (!read_blocks(entry.block, 1, scratch, done)) return "its floppy image cannot be read";
    copy_memory(0x7c00, scratch, 512);
    floppy_start(media, entry.block, blocks);
    frame.cs = 0;
    frame.ip = 0x7c00;
    frame.d.e = 0;
    return nullptr;
}

} // namespace

U32 cdrom_blocks() { return capacity(); }
bool cdrom_read(U32 block, U32 count, U32 address, U32& done) {
    return read_blocks(block, count, address, done);
}
U32 cdrom_bounce_buffer() { return bounce_buffer(); }

const char* cdrom_boot(Frame& frame) {
    constexpr U32 scratch = 0x7c00, target_limit = 0x80000;
    if (optical_port == NoPort) return "no optical drive is connected";
    const U32 there = capacity();
    if (there == 0) return "the drive has no readable disc";
    U32 done;
    if (there < 18 || !read_blocks(17, 1, scratch, done)) return "block 17 cannot be read";
    if (!equal(scratch, "\0CD001\1EL TORITO SPECIFICATION", 30))
        return "the disc has no El Torito boot record";
    const U32 where = memory<U32>(scratch + 0x47);
    if (where >= there || !read_blocks(where, 1, scratch, done)) return "the boot catalog cannot be read";
    U16 sum = 0;
    for (U32 i = 0; i < 32; i += 2) sum = static_cast<U16>(sum + memory<U16>(scratch + i));
    ValidationEntry validation;
    BootEntry entry;
    copy_memory(address_of(&validation), scratch, sizeof validation);
    copy_memory(address_of(&entry), scratch + sizeof validation, sizeof entry);
    asm volatile("" : : : "memory");
    if (validation.header != 1 || validation.key_55 != 0x55 || validation.key_aa != 0xaa || sum != 0)
        return "the boot catalog is damaged";
    if (validation.platform != 0) return "the boot catalog's first entry is not for a PC";
    if (entry.bootable != 0x88) return "the boot catalog says that the disc is not bootable";
    if ((entry.media & 15) > 3) return "its boot image emulates a hard disk, which is not provided";
    if ((entry.media & 15) != 0) {
        catalog = where;
        booted = {sizeof booted, entry.media, 0, 0, entry.block, 0, 0, 0x07c0, 1, 0, 0, 0};
        return boot_floppy(frame, entry, there);
    }
    const U16 segment = entry.segment == 0 ? 0x07c0 : entry.segment;
    const U32 target = segment * 16u, blocks = (entry.sectors + 3u) / 4;
    if (blocks == 0 || target < 0x500 || target + blocks * BlockSize > target_limit)
        return "its boot image does not fit below 512 KiB";
    if (entry.block >= there || blocks > there - entry.block ||
        !read_blocks(entry.block, blocks, target, done))
        return "its boot image cannot be read";
    catalog = where;
    booted = {sizeof booted, entry.media, DriveNumber, 0, entry.block, 0, 0, segment, entry.sectors, 0, 0, 0};
    // 07C0:0000 and 0000:7C00 are one place; boot sectors expect the second.
    frame.cs = segment == 0x07c0 ? 0 : segment;
    frame.ip = segment == 0x07c0 ? 0x7c00 : 0;
    frame.d.e = DriveNumber;
    return nullptr;
}

bool cdrom_owns(U8 drive) { return catalog != 0 && drive == DriveNumber; }

Outcome cdrom_service(Frame& frame) {
    const auto finish = [&](U8 status) {
        memory<U8>(bda::DiskStatus) = status;
        frame.a.h = status;
        frame.set_carry(status != Ok);
        return Outcome::Done;
    };
    switch (frame.a.h) {
    case 0x00:
    case 0x0d:
    case 0x10:
    case 0x47: return finish(Ok);
    case 0x15: // no disk type of the old interface
        frame.a.h = 0;
        frame.set_carry(false);
        return Outcome::Done;
    case 0x41:
        if (frame.b.x != 0x55aa) return finish(BadCommand);
        frame.b.x = 0xaa55;
        frame.c.x = 0x0001; // packet structure
        memory<U8>(bda::DiskStatus) = Ok;
        frame.a.h = 0x30;
        frame.set_carry(false);
        return Outcome::Done;
    case 0x42: return finish(extended_read(frame, false));
    case 0x44: return finish(extended_read(frame, true));
    case 0x48: return finish(parameters(frame));
    case 0x4b: // AL = 00 ends an emulation, too; 00 and 01 both tell what runs
        if (frame.a.l == 0) floppy_end();
        copy_memory(linear(frame.ds, frame.si.x), address_of(&booted), sizeof booted);
        return finish(Ok);
    case 0x4d: return finish(boot_catalog(frame));
    default: unsupported(frame); return finish(BadCommand);
    }
}

} // namespace vitrine::bios
