// A program in the second stage's place that asks the firmware's interrupt services and compares their
// answers with each other.
//
// It runs on SeaBIOS too, which keeps the checks honest: what both firmwares pass is what PC software may
// expect. Prints one line per failed check and "PROBE OK" or "PROBE FAILED n"; then echoes three keys through
// INT 16h and leaves through port F4h.
#include "guest/kernel/boot/setup/hardware.h"

namespace vitrine::boot {

BiosRegisters clear_registers() {
    BiosRegisters registers{};
    registers.ds = registers.es = data_segment();
    registers.eflags = 0x202;
    return registers;
}

namespace {

unsigned failures;
U8 drive;
U8 first[2048], second[2048];

void put(char c) {
    for (unsigned spin = 0; spin < 10000 && !(in8(0x3fd) & 0x20); ++spin) {
    }
    out8(0x3f8, static_cast<U8>(c));
}
void text(const char* line) {
    while (*line) put(*line++);
}
void hexadecimal(U32 value) {
    for (int shift = 28; shift >= 0; shift -= 4) put("0123456789abcdef"[value >> shift & 15]);
}

void check(bool good, const char* what, U32 value = 0) {
    if (good) return;
    ++failures;
    text("FAIL ");
    text(what);
    text(" ");
    hexadecimal(value);
    text("\r\n");
}

U16 offset_of(const void* object) { return static_cast<U16>(reinterpret_cast<U32>(object)); }

BiosRegisters call(U8 vector, U32 eax, U32 ebx = 0, U32 ecx = 0, U32 edx = 0, const void* si = nullptr,
                   const void* di = nullptr) {
    BiosRegisters r = clear_registers();
    r.eax = eax, r.ebx = ebx, r.ecx = ecx, r.edx = edx, r.esi = offset_of(si), r.edi = offset_of(di);
    bios_call(vector, &r, &r);
    return r;
}

bool same(const U8* a, const U8* b, U32 bytes) {
    for (U32 i = 0; i < bytes; ++i)
        if (a[i] != b[i]) return false;
    return true;
}

void equipment() {
    check((call(0x11, 0).eax & 0x30) == 0x20, "INT 11h: 80x25 colour");
    const U32 kib = call(0x12, 0).eax & 0xffff;
    check(kib >= 512 && kib < 640, "INT 12h", kib);
}

struct [[gnu::packed]] Packet {
    U8 size, reserved;
    U16 count, offset, segment;
    U64 sector;
};

BiosRegisters read_lba(U64 sector, U16 count, void* buffer) {
    static Packet packet;
    packet = {16, 0, count, offset_of(buffer), data_segment(), sector};
    return call(0x13, 0x4200, 0, 0, drive, &packet);
}

void disk() {
    BiosRegisters r = call(0x13, 0x4100, 0x55aa, 0, drive);
    check(!r.carry() && (r.ebx & 0xffff) == 0xaa55 && r.ecx & 1, "INT 13h/41h");
    r = call(0x13, 0x1500, 0, 0, drive);
    check(!r.carry() && (r.eax >> 8 & 0xff) == 3, "INT 13h/15h", r.eax);
    const U32 sectors15 = (r.ecx & 0xffff) << 16 | (r.edx & 0xffff);

    static U16 parameters[15];
    parameters[0] = 30;
    r = call(0x13, 0x4800, 0, 0, drive, parameters);
    U32 total;
    __builtin_memcpy(&total, parameters + 8, 4);
    check(!r.carry() && total == 131072 && parameters[12] == 512, "INT 13h/48h", total);
    // EDD: the block that is claimed, no longer than the room, and not shorter than 26 bytes.
    static U8 path[66];
    constexpr U8 rooms[] = {26, 30, 66};
    for (const U8 room : rooms) {
        for (U8& byte : path) byte = 0xee;
        path[0] = room, path[1] = 0;
        r = call(0x13, 0x4800, 0, 0, drive, path);
        check(!r.carry() && path[0] >= 26 && path[0] <= room && path[1] == 0, "INT 13h/48h size", path[0]);
        for (unsigned at = path[0]; at < sizeof path; ++at)
            check(path[at] == 0xee, "INT 13h/48h beyond its size", at);
    }
    if (path[0] == 66 && path[30] == 0xdd && path[31] == 0xbe) { // device path: its bytes add up to 0
        U8 sum = 0;
        for (unsigned at = 30; at < 66; ++at) sum = static_cast<U8>(sum + path[at]);
        check(sum == 0, "INT 13h/48h device path checksum", sum);
        check(same(path + 36, reinterpret_cast<const U8*>("PCI "), 4), "INT 13h/48h host bus");
    }
    check(sectors15 != 0 && sectors15 <= total, "INT 13h/15h sectors", sectors15);

    r = call(0x13, 0x0800, 0, 0, drive);
    const U32 spt = r.ecx & 63, heads = (r.edx >> 8 & 0xff) + 1,
              cylinders = ((r.ecx >> 8 & 0xff) | (r.ecx & 0xc0) << 2) + 1;
    check(!r.carry() && spt != 0 && (r.edx & 0xff) == 1, "INT 13h/08h", r.ecx);
    check(spt * heads * cylinders <= total, "INT 13h/08h geometry", spt * heads * cylinders);

    // The same sectors by CHS and by LBA.
    const U32 lba = 2 + 1; // inside the second stage, cylinder 0, head 0
    r = read_lba(lba, 2, first);
    check(!r.carry(), "INT 13h/42h", r.eax);
    r = call(0x13, 0x0202, offset_of(second), lba + 1, drive);
    check(!r.carry() && (r.eax & 0xff) == 2 && same(first, second, 1024), "INT 13h/02h", r.eax);
    const U32 far_lba = spt * heads + spt * 2 + 4; // cylinder 1, head 2, sector 5
    check(!read_lba(far_lba, 1, first).carry(), "INT 13h/42h far");
    r = call(0x13, 0x0201, offset_of(second), 0x0105, static_cast<U32>(drive) | 0x0200);
    check(!r.carry() && same(first, second, 512), "INT 13h/02h far", r.eax);
    // Odd buffers and a whole block.
    check(!read_lba(1, 3, first + 1).carry() && !read_lba(1, 3, second).carry() &&
              same(first + 1, second, 1536),
          "INT 13h/42h odd buffer");
    // Write, read back, restore: a sector between the second stage and the partition.
    read_lba(100, 1, first);
    for (U32 i = 0; i < 512; ++i) second[i] = static_cast<U8>(i * 7 + 3);
    static Packet packet;
    packet = {16, 0, 1, offset_of(second), data_segment(), 100};
    check(!call(0x13, 0x4300, 0, 0, drive, &packet).carry(), "INT 13h/43h");
    check(!read_lba(100, 1, first + 512).carry() && same(first + 512, second, 512), "INT 13h/43h read back");
    r = call(0x13, 0x0301, offset_of(first), (100 / spt / heads) << 8 | (100 % spt + 1),
             (100 / spt % heads) << 8 | drive);
    check(!r.carry(), "INT 13h/03h", r.eax);
    check(!read_lba(100, 1, second).carry() && same(first, second, 512), "INT 13h/03h read back");
    // What must fail.
    check(read_lba(total, 1, first).carry(), "INT 13h/42h beyond the end");
    check(call(0x13, 0x0201, offset_of(first), 0x0000, drive).carry(), "INT 13h/02h sector 0");
    check(call(0x13, 0x0201, offset_of(first), 0x0001, 0x8f).carry(), "INT 13h/02h no such drive");
    check(!call(0x13, 0x0000, 0, 0, drive).carry(), "INT 13h/00h");
}

void memory_services() {
    static E820Entry entry;
    U32 continuation = 0, count = 0;
    U64 top = 0, ram = 0, previous_end = 0;
    bool sorted = true;
    do {
        BiosRegisters r = call(0x15, 0xe820, continuation, 20, 0x534d4150, nullptr, &entry);
        check(!r.carry() && r.eax == 0x534d4150 && r.ecx == 20, "INT 15h/E820h", r.eax);
        if (r.carry()) break;
        continuation = r.ebx;
        sorted = sorted && entry.address >= previous_end && entry.size != 0;
        previous_end = entry.address + entry.size;
        if (entry.type == E820Ram) {
            ram += entry.size;
            if (entry.address + entry.size > top && entry.address < 0x100000000)
                top = entry.address + entry.size;
            check(entry.address + entry.size <= 0xa0000 || entry.address >= 0x100000,
                  "E820: RAM in the hole");
        }
    } while (continuation != 0 && ++count < 32);
    check(sorted, "E820 order");
    check(top > 0x1000000 && ram > 0x1000000, "E820 RAM", static_cast<U32>(top));
    BiosRegisters r = call(0x15, 0xe801);
    const U32 e801_top = 0x1000000 + ((r.ebx & 0xffff) << 16);
    check(!r.carry() && (r.eax & 0xffff) == 15 * 1024 && e801_top <= static_cast<U32>(top) + 0x20000,
          "INT 15h/E801h", e801_top);
    r = call(0x15, 0x8800);
    check(!r.carry() && (r.eax & 0xffff) > 15000, "INT 15h/88h", r.eax);

    // Block move: up to 2 MiB and back.
    static U64 table[6];
    const U32 base = static_cast<U32>(data_segment()) << 4, here = base + offset_of(first),
              there = base + offset_of(second);
    const auto descriptor = [](U32 address) {
        return 0x000093000000ffffull | static_cast<U64>(address & 0xffffff) << 16 |
               static_cast<U64>(address >> 24) << 56;
    };
    for (U32 i = 0; i < 512; ++i) first[i] = static_cast<U8>(i ^ 0x5a), second[i] = 0;
    table[2] = descriptor(here), table[3] = descriptor(0x200000);
    check(!call(0x15, 0x8700, 0, 256, 0, table).carry(), "INT 15h/87h up");
    table[2] = descriptor(0x200000), table[3] = descriptor(there);
    check(!call(0x15, 0x8700, 0, 256, 0, table).carry() && same(first, second, 512), "INT 15h/87h back");

    r = call(0x15, 0x2402);
    check(!r.carry() && (r.eax & 0xff) == 1, "INT 15h/2402h: A20 on", r.eax);
    r = call(0x15, 0xc000);
    check(!r.carry() && far_read8(r.es, static_cast<U16>(r.ebx + 2)) == 0xfc, "INT 15h/C0h");
    // What the table claims must be so: INT 16h/09h, and the pointing device of the equipment word.
    if (far_read8(r.es, static_cast<U16>(r.ebx + 6)) & 0x40)
        check(!call(0x16, 0x0900).carry(), "INT 16h/09h");
    if (call(0x11, 0).eax & 4) check(!call(0x15, 0xc205, 0x0300).carry(), "INT 15h/C2h");
    check(call(0x15, 0x7777).carry(), "INT 15h unknown function");
}

void clock() {
    BiosRegisters a = call(0x1a, 0), b = a;
    for (U32 i = 0; i < 2000000 && (b.edx & 0xffff) == (a.edx & 0xffff); ++i) b = call(0x1a, 0);
    check((b.edx & 0xffff) != (a.edx & 0xffff), "INT 1Ah/00h: ticks stand still", b.edx);
    BiosRegisters r = call(0x1a, 0x0200);
    check(!r.carry() && (r.ecx >> 8 & 0xff) <= 0x23 && (r.ecx & 0xff) <= 0x59, "INT 1Ah/02h", r.ecx);
    r = call(0x1a, 0x0400);
    check(!r.carry() && (r.ecx >> 8 & 0xff) >= 0x20 && (r.edx >> 8 & 0xff) >= 1 &&
              (r.edx >> 8 & 0xff) <= 0x12,
          "INT 1Ah/04h", r.ecx);
    const U32 before = call(0x1a, 0).edx & 0xffff;
    check(!call(0x15, 0x8600, 0, 3, 0).carry(), "INT 15h/86h"); // 196 ms: three to four ticks
    const U32 passed = (call(0x1a, 0).edx - before) & 0xffff;
    check(passed >= 2, "INT 15h/86h wait", passed);
    r = call(0x1a, 0xb101);
    check(!r.carry() && r.edx == 0x20494350 && (r.eax >> 8 & 0xff) == 0, "INT 1Ah/B101h", r.edx);
    r = call(0x1a, 0xb102, 0, 0x2922, 0x8086); // the AHCI adapter
    check(!r.carry() && (r.ebx & 0xffff) == (0x1f << 3 | 2), "INT 1Ah/B102h", r.ebx);
    BiosRegisters c = clear_registers();
    c.eax = 0xb10a, c.ebx = 0x1f << 3 | 2, c.edi = 8;
    bios_call(0x1a, &c, &c);
    check(!c.carry() && c.ecx >> 8 == 0x010601, "INT 1Ah/B10Ah", c.ecx);
}

void video() {
    BiosRegisters r = call(0x10, 0x0003);
    r = call(0x10, 0x0f00);
    check((r.eax & 0xffff) == 0x5003, "INT 10h/0Fh", r.eax);
    call(0x10, 0x0200, 0, 0, 0x050a);
    call(0x10, 0x094a, 0x1e, 2); // "JJ" in yellow on blue at row 5, column 10
    check((call(0x10, 0x0800).eax & 0xffff) == 0x1e4a && far_read8(0xb800, (5 * 80 + 11) * 2) == 'J',
          "INT 10h/09h, 08h");
    check((call(0x10, 0x0300).edx & 0xffff) == 0x050a, "INT 10h/02h, 03h");
    call(0x10, 0x0e41, 7);
    call(0x10, 0x0e0d, 7);
    call(0x10, 0x0e0a, 7);
    check((call(0x10, 0x0300).edx & 0xffff) == 0x0600 && far_read8(0xb800, (5 * 80 + 10) * 2) == 'A',
          "INT 10h/0Eh");
    call(0x10, 0x0601, 0x0700, 0x0500, 0x0a4f); // rows 5 – 10 up by one
    check(far_read8(0xb800, (5 * 80 + 10) * 2) == ' ', "INT 10h/06h");
    call(0x10, 0x0200, 0, 0, 0x184f);
    call(0x10, 0x0e5a, 7); // the last cell: the screen scrolls
    check(far_read8(0xb800, (23 * 80 + 79) * 2) == 'Z' && (call(0x10, 0x0300).edx & 0xffff) == 0x1800,
          "INT 10h/0Eh scroll");
    check((call(0x10, 0x1a00).eax & 0xff) == 0x1a, "INT 10h/1Ah");
    check((call(0x10, 0x1200, 0x10).ebx & 0xff) == 3, "INT 10h/12h");
    BiosRegisters f = call(0x10, 0x1130, 0x0600);
    U32 rows = 0; // the letter A has ink
    for (U32 i = 0; i < 16; ++i) rows += far_read8(f.es, static_cast<U16>(f.ebp + 'A' * 16 + i)) != 0;
    check(rows >= 8, "INT 10h/1130h", rows);
    call(0x10, 0x0013);
    check((call(0x10, 0x0f00).eax & 0xffff) == 0x2813, "INT 10h mode 13h");
    call(0x10, 0x0c2a, 0, 100, 50);
    check(far_read8(0xa000, 50 * 320 + 100) == 0x2a && (call(0x10, 0x0d00, 0, 100, 50).eax & 0xff) == 0x2a,
          "INT 10h/0Ch, 0Dh");
    call(0x10, 0x0003);
}

void vbe() {
    first[0] = 'V', first[1] = 'B', first[2] = 'E', first[3] = '2';
    BiosRegisters r = call(0x10, 0x4f00, 0, 0, 0, nullptr, first);
    check((r.eax & 0xffff) == 0x004f && first[0] == 'V' && first[1] == 'E' && first[2] == 'S' &&
              first[3] == 'A',
          "VBE 4F00h", r.eax);
    U32 list;
    __builtin_memcpy(&list, first + 14, 4);
    U32 modes = 0, wanted = 0xffff;
    for (; modes < 200; ++modes) {
        const U16 at = static_cast<U16>(list + modes * 2), segment = static_cast<U16>(list >> 16);
        const U32 mode =
            far_read8(segment, at) | static_cast<U32>(far_read8(segment, static_cast<U16>(at + 1))) << 8;
        if (mode == 0xffff) break;
        call(0x10, 0x4f01, 0, mode, 0, nullptr, second);
        U16 width, height;
        __builtin_memcpy(&width, second + 18, 2);
        __builtin_memcpy(&height, second + 20, 2);
        if (width == 1024 && height == 768 && second[25] == 32 && second[0] & 0x80) wanted = mode;
    }
    check(modes > 3 && wanted != 0xffff, "VBE: 1024x768x32", modes);
    r = call(0x10, 0x4f02, 0x4000 | wanted);
    check((r.eax & 0xffff) == 0x004f, "VBE 4F02h", r.eax);
    r = call(0x10, 0x4f03);
    check((r.ebx & 0x3fff) == wanted, "VBE 4F03h", r.ebx);
    call(0x10, 0x0003);
    check((call(0x10, 0x0f00).eax & 0xff) == 3, "text after VBE");
}

void keyboard() {
    text("KEYS\r\n");
    for (U32 i = 0; i < 3; ++i) {
        const U32 key = call(0x16, 0x0000).eax & 0xffff;
        hexadecimal(key);
        put(' ');
    }
    text("\r\n");
}

} // namespace

extern "C" [[noreturn, gnu::regparm(3)]] void loader_main(U32 boot_drive, U32, U32) {
    drive = static_cast<U8>(boot_drive);
    equipment();
    disk();
    memory_services();
    clock();
    video();
    vbe();
    check(call(0x16, 0x0100).eflags & 0x40, "INT 16h/01h: no key yet");
    text(failures ? "PROBE FAILED " : "PROBE OK ");
    hexadecimal(failures);
    text("\r\n");
    keyboard();
    out8(0xf4, failures ? 1 : 0);
    for (;;) asm volatile("cli; hlt");
}

} // namespace vitrine::boot

extern "C" void* memcpy(void* to, const void* from, unsigned size) {
    void* start = to;
    asm volatile("rep movsb (%%esi), (%%edi)" : "+D"(to), "+S"(from), "+c"(size) : : "memory");
    return start;
}
extern "C" void* memset(void* to, int value, unsigned size) {
    void* start = to;
    asm volatile("rep stosb %%al, (%%edi)" : "+D"(to), "+c"(size) : "a"(value) : "memory");
    return start;
}
