// INT 19h: which device starts the machine, and its first sector.
//
// A kernel or image on the configuration device comes first (as with `--kernel`), else what the boot menu was
// told (item 0Eh: three seconds for Esc, on the keyboard or COM1), else opt/vitrine/boot-order (letters: c a
// disk, d the disc, tried in turn), else what opt/vitrine/boot names (disk or cdrom), else the first disk,
// else the disc. The last failure is final: one line that says what and where, a POST code, and a halt.
#include "roms/bios/bios.h"

namespace vitrine::bios {
namespace {

constexpr U8 Escape = 0x1b;
constexpr U32 MenuTicks = 55; // 3 s
constexpr U16 BootMenuItem = 0x0e;

enum class Stage { Begin, AwaitEscape, Choose, Go } stage;
U32 waiting_since;
U32 chosen; ///< in the menu: a disk's number, disk_count for the disc, above for none

struct Failure {
    U8 code;
    const char* text;
};

/// Text of a configuration file, at most seven characters.
void configuration(const char* name, char (&text)[8]) {
    U16 key = 0;
    const U32 bytes = fw_cfg::find(name, key);
    if (bytes == 0) return;
    fw_cfg::read(key, address_of(text), bytes < 7 ? bytes : 7);
    asm volatile("" : : : "memory");
}

/// Letters of devices, in the order in which they are tried.
void order(char (&letters)[8]) {
    configuration("opt/vitrine/boot-order", letters);
    if (letters[0]) return;
    char device[8] = {};
    configuration("opt/vitrine/boot", device);
    const bool disc =
        (device[0] == 'c' && device[1] == 'd') || (device[0] == 0 && disk_count == 0) || disk_count == 0;
    letters[0] = disc ? 'd' : 'c';
}

void boot_registers(Frame& frame) {
    frame.cs = 0;
    frame.ip = 0x7c00;
    frame.flags = 0x0202;
    frame.ds = frame.es = frame.fs = frame.gs = 0;
    frame.a.e = frame.b.e = frame.c.e = frame.si.e = frame.di.e = frame.bp.e = 0;
    frame.d.e = 0x80;
}

/// Null, or why not.
const char* boot_disc(Frame& frame) {
    const char* why = cdrom_boot(frame);
    if (!why) say("\r\nBooting from CD/DVD...\r\n");
    return why;
}

/// Drive 80h is the one that is booted: a chosen disk changes places with the first.
const char* boot_disk(U32 number, U8& code) {
    constexpr U32 target = 0x7c00;
    code = roms::post::FatalNoDisk;
    if (number >= disk_count) return "no disk is connected";
    if (number != 0) {
        const Disk first = disks[0];
        disks[0] = disks[number];
        disks[number] = first;
    }
    code = roms::post::FatalReadError;
    if (!disk_transfer(disks[0], false, 0, 1, target)) return "sector 0 cannot be read";
    code = roms::post::FatalNoSignature;
    if (memory<U16>(target + 510) != 0xaa55)
        return "hard disk 0 has no boot signature (55AA) in its first sector";
    say("\r\nBooting from hard disk %u...\r\n", number);
    return nullptr;
}

[[noreturn]] void give_up(bool disc, U8 code, const char* why) {
    using namespace roms::post;
    if (disc && disk_count == 0) stop(FatalNoDisk, "No bootable disk: no disk is connected. Halted.");
    if (disc) stop(FatalNoDisk, "No bootable disc: %s. Halted.", why);
    if (code == FatalReadError)
        stop(code, "Hard disk 0 (%s %u): %s. Halted.", disks[0].ide ? "IDE drive" : "AHCI port",
             disks[0].port, why);
    stop(code, "No bootable disk: %s. Halted.", why);
}

/// A key, from either console: its character.
bool key_pressed(U8& character) {
    U16 key;
    if (keyboard_take(key)) {
        character = static_cast<U8>(key);
        return true;
    }
    return serial_take(character);
}

void list_devices() {
    say("\r\nBoot from:\r\n");
    for (U32 i = 0; i < disk_count; ++i) say("  %u  hard disk %u, %s\r\n", i + 1, i, disks[i].model);
    if (optical_port != NoPort) say("  %u  CD/DVD\r\n", disk_count + 1);
    say("Number, or Esc for the usual order: ");
}

/// True when the menu has been gone through; until then the service waits.
bool menu_over() {
    U8 character;
    switch (stage) {
    case Stage::Begin:
        chosen = ~0u;
        stage = Stage::Go;
        if (fw_cfg::present() && (fw_cfg::read32(BootMenuItem) & 0xffff) != 0) {
            say("\r\nEsc opens the boot menu.\r\n");
            waiting_since = memory<U32>(bda::TickCount);
            stage = Stage::AwaitEscape;
        }
        break;
    case Stage::AwaitEscape:
        while (key_pressed(character))
            if (character == Escape) {
                list_devices();
                stage = Stage::Choose;
                return false;
            }
        if (memory<U32>(bda::TickCount) - waiting_since >= MenuTicks) stage = Stage::Go;
        break;
    case Stage::Choose:
        while (key_pressed(character)) {
            const U32 number = character - '1', devices = disk_count + (optical_port != NoPort);
            if (character != Escape && number >= devices) continue;
            chosen = character == Escape ? ~0u : number;
            say("\r\n");
            stage = Stage::Go;
            break;
        }
        break;
    default: break;
    }
    return stage == Stage::Go;
}

} // namespace

Outcome boot_service(Frame& frame) {
    using namespace roms::post;
    if (stage == Stage::Begin) {
        post_code(BootSelection);
        boot_image();
        if (boot_direct_kernel(frame)) return Outcome::Done;
    }
    if (!menu_over()) return Outcome::WaitForInterrupt;
    stage = Stage::Begin; // INT 19h may come again
    post_code(BootSector);
    boot_registers(frame);
    U8 code = FatalNoDisk;
    if (chosen != ~0u) {
        const bool disc = chosen >= disk_count;
        if (const char* why = disc ? boot_disc(frame) : boot_disk(chosen, code)) give_up(disc, code, why);
        return Outcome::Done;
    }
    char letters[8] = {};
    order(letters);
    for (U32 i = 0;; ++i) {
        const bool disc = letters[i] == 'd';
        const char* why = disc ? boot_disc(frame) : boot_disk(0, code);
        if (!why) return Outcome::Done;
        if (i == 6 || letters[i + 1] == 0) give_up(disc, code, why);
        say("\r\n%s%s.\r\n", disc ? "CD/DVD: " : "", why);
    }
}

} // namespace vitrine::bios
