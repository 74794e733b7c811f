// What the loader said, on COM1, one fact a line; then the debug exit. The structures are read by offset,
// from the specifications and not from the loader's own header: Multiboot 0.6.96 §3.3, Multiboot2 §3.6, Xen's
// start_info.h.
using U8 = unsigned char;
using U32 = unsigned int;
using U64 = unsigned long long;

namespace {

void out8(unsigned short port, U8 value) { asm volatile("outb %0, %1" : : "a"(value), "Nd"(port)); }
U8 in8(unsigned short port) {
    U8 value;
    asm volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
    return value;
}
void put(char c) {
    while (!(in8(0x3fd) & 0x20)) {
    }
    out8(0x3f8, static_cast<U8>(c));
}
void say(const char* text) {
    while (*text) put(*text++);
}
void number(U64 value) {
    char digits[24];
    int n = 0;
    U32 high = static_cast<U32>(value >> 32), low = static_cast<U32>(value);
    for (int i = 0; i < 8; ++i) digits[n++] = "0123456789abcdef"[low >> 4 * i & 15];
    for (int i = 0; i < 8; ++i) digits[n++] = "0123456789abcdef"[high >> 4 * i & 15];
    while (n > 1 && digits[n - 1] == '0') --n;
    while (n > 0) put(digits[--n]);
}
void fact(const char* name, U64 value) { say(name), put(' '), number(value), say("\n"); }
void text(const char* name, U32 at) {
    say(name), say(" ["), say(reinterpret_cast<const char*>(at)), say("]\n");
}

template <class T> T at(U32 address) { return *reinterpret_cast<const volatile T*>(address); }

U32 ram_ranges, low_ram, ram_at_1m, reserved;
void range(U64 start, U64 size, U32 type) {
    if (type != 1) {
        ++reserved;
        return;
    }
    ++ram_ranges;
    if (start == 0) low_ram = static_cast<U32>(size >> 10);
    if (start == 0x100000) ram_at_1m = static_cast<U32>(size >> 20);
}
void map_facts() {
    fact("map: RAM below 640 KiB, at least 600 KiB:", low_ram >= 0x258);
    fact("map: MiB from 1 MiB, at least 100:", ram_at_1m >= 100);
    fact("map: something is reserved:", reserved != 0);
}
void module(U32 start, U32 end, U32 words) {
    U32 sum = 0;
    for (U32 i = start; i < end; ++i) sum = sum * 31 + at<U8>(i);
    text("module", words);
    fact(" bytes", end - start), fact(" sum", sum), fact(" page-aligned", (start & 4095) == 0);
}
bool rsdp(U32 address) {
    U8 sum = 0;
    for (U32 i = 0; i < 20; ++i) sum = static_cast<U8>(sum + at<U8>(address + i));
    return sum == 0 && at<U64>(address) == 0x2052545020445352; // "RSD PTR "
}

void multiboot1(U32 info) {
    const U32 flags = at<U32>(info);
    fact("memory fields:", flags & 1);
    fact("lower KiB, at least 600:", at<U32>(info + 4) >= 0x258);
    if (flags & 4) text("command line", at<U32>(info + 16));
    fact("modules:", at<U32>(info + 20));
    for (U32 i = 0; i < at<U32>(info + 20); ++i) {
        const U32 each = at<U32>(info + 24) + 16 * i;
        module(at<U32>(each), at<U32>(each + 4), at<U32>(each + 8));
    }
    const U32 map = at<U32>(info + 48), end = map + at<U32>(info + 44);
    for (U32 p = map; p < end; p += at<U32>(p) + 4) range(at<U64>(p + 4), at<U64>(p + 12), at<U32>(p + 20));
    map_facts();
    if (flags & 32) {
        // A section header that says where the symbols are, and a symbol there.
        U32 symbols = 0;
        for (U32 i = 0; i < at<U32>(info + 28); ++i) {
            const U32 section = at<U32>(info + 36) + at<U32>(info + 32) * i;
            if (at<U32>(section + 4) == 2) symbols = at<U32>(section + (at<U32>(info + 32) == 64 ? 16 : 12));
        }
        fact("symbols in memory:", symbols != 0 && at<U32>(symbols) == 0);
    }
    if (flags & 4096) fact("framebuffer type:", at<U8>(info + 109));
}

void multiboot2(U32 info) {
    const U32 total = at<U32>(info);
    fact("aligned:", (info & 7) == 0);
    U32 rsdps = 0;
    for (U32 tag = info + 8; tag < info + total; tag = (tag + at<U32>(tag + 4) + 7) & ~7u) {
        const U32 size = at<U32>(tag + 4);
        switch (at<U32>(tag)) {
        case 0: fact("ends where it says:", tag + 8 == info + total); break;
        case 1: text("command line", tag + 8); break;
        case 3: module(at<U32>(tag + 8), at<U32>(tag + 12), tag + 16); break;
        case 6:
            for (U32 p = tag + 16; p < tag + size; p += at<U32>(tag + 8))
                range(at<U64>(p), at<U64>(p + 8), at<U32>(p + 16));
            map_facts();
            break;
        case 8: {
            fact("framebuffer type", at<U8>(tag + 29));
            fact(" width", at<U32>(tag + 20)), fact(" height", at<U32>(tag + 24)),
                fact(" depth", at<U8>(tag + 28));
            fact(" pitch", at<U32>(tag + 16)), fact(" red at", at<U8>(tag + 32));
            // A stripe, so that a picture shows that it is where it says.
            const U32 pixels = at<U32>(tag + 8);
            for (U32 x = 0; x < 800 * 100; ++x) *reinterpret_cast<volatile U32*>(pixels + 4 * x) = 0x0000c040;
            break;
        }
        case 9: fact("section headers, at least 4:", at<U32>(tag + 8) >= 4); break;
        case 14:
        case 15: rsdps += rsdp(tag + 8); break;
        default: break;
        }
    }
    fact("RSDPs:", rsdps);
}

void pvh(U32 info) {
    fact("version, at least 1:", at<U32>(info + 4) >= 1);
    text("command line", at<U32>(info + 24));
    fact("modules:", at<U32>(info + 12));
    for (U32 i = 0; i < at<U32>(info + 12); ++i) {
        const U32 each = at<U32>(info + 16) + 32 * i, start = at<U32>(each);
        module(start, start + at<U32>(each + 8),
               at<U32>(each + 16) ? at<U32>(each + 16) : reinterpret_cast<U32>(""));
    }
    for (U32 i = 0; i < at<U32>(info + 48); ++i) {
        const U32 each = at<U32>(info + 40) + 24 * i;
        range(at<U64>(each), at<U64>(each + 8), at<U32>(each + 16));
    }
    map_facts();
    fact("RSDP:", rsdp(at<U32>(info + 32)));
}

U32 cleared[512];

} // namespace

extern "C" void report(U32 magic, U32 info) {
    out8(0x3fb, 3), out8(0x3f9, 0);
    U32 dirty = 0, cr0, flags;
    for (U32 each : cleared) dirty |= each;
    asm volatile("mov %%cr0, %0" : "=r"(cr0));
    asm volatile("pushfl; popl %0" : "=r"(flags));
    fact("bss is clear:", dirty == 0);
    fact("protection:", cr0 & 1), fact("paging:", cr0 >> 31), fact("interrupts:", flags >> 9 & 1);
    // Address line 20: 1 MiB above the code is other memory.
    volatile U32& low = *reinterpret_cast<volatile U32*>(0x7c00);
    volatile U32& high = *reinterpret_cast<volatile U32*>(0x107c00 + 0x200000);
    low = 1;
    high = 2;
    fact("line 20:", low == 1);
    if (magic == 0x2badb002)
        say("Multiboot\n"), multiboot1(info);
    else if (magic == 0x36d76289)
        say("Multiboot 2\n"), multiboot2(info);
    else if (at<U32>(info) == 0x336ec578)
        say("PVH\n"), pvh(info);
    else
        say("nobody\n");
    out8(0xf4, 16);
}
