// INT 19h: which device starts the machine, and its first sector.
//
// A kernel or image on the configuration device comes first (as with `--kernel`), else what opt/vitrine/boot
// names (disk or cdrom), else the first disk, else the disc. Failures are final: one line that says what and
// where, a POST code, and a halt.
#include "roms/bios/bios.h"

namespace vitrine::bios {
namespace {

enum class BootDevice { Disk, Cdrom };

BootDevice chosen_device() {
    char text[8] = {};
    U16 key = 0;
    const U32 bytes = fw_cfg::find("opt/vitrine/boot", key);
    if (bytes == 0) return BootDevice::Disk;
    fw_cfg::read(key, address_of(text), bytes < 7 ? bytes : 7);
    asm volatile("" : : : "memory");
    return text[0] == 'c' && text[1] == 'd' ? BootDevice::Cdrom : BootDevice::Disk;
}

} // namespace

static void boot_registers(Frame& frame) {
    frame.cs = 0;
    frame.ip = 0x7c00;
    frame.flags = 0x0202;
    frame.ds = frame.es = frame.fs = frame.gs = 0;
    frame.a.e = frame.b.e = frame.c.e = frame.si.e = frame.di.e = frame.bp.e = 0;
    frame.d.e = 0x80;
}

void boot_service(Frame& frame) {
    using namespace roms::post;
    post_code(BootSelection);
    boot_image();
    if (boot_direct_kernel(frame)) return;
    const bool wanted = chosen_device() == BootDevice::Cdrom;
    post_code(BootSector);
    boot_registers(frame);
    if (wanted || disk_count == 0) {
        const char* why = cdrom_boot(frame);
        if (why && wanted) stop(FatalNoDisk, "No bootable disc: %s. Halted.", why);
        if (why) stop(FatalNoDisk, "No bootable disk: no disk is connected. Halted.");
        say("\r\nBooting from CD/DVD...\r\n");
        return;
    }

    constexpr U32 target = 0x7c00;
    if (!ahci_transfer(disks[0], false, 0, 1, target))
        stop(FatalReadError, "Hard disk 0 (AHCI port %u): sector 0 cannot be read. Halted.", disks[0].port);
    if (memory<U16>(target + 510) != 0xaa55)
        stop(FatalNoSignature,
             "No bootable disk: hard disk 0 has no boot signature (55AA) in its first sector. Halted.");
    say("\r\nBooting from hard disk 0...\r\n");
}

} // namespace vitrine::bios
