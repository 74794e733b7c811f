// The second stage: finds /boot/bzImage on the active ext2 partition, loads it by the Linux/x86 boot
// protocol, enters it.
#include "guest/boot/stage2/loader.h"
#include "roms/post_codes.h"

namespace vitrine::boot {

namespace post = vitrine::roms::post;

BiosRegisters clear_registers() {
    BiosRegisters registers{};
    registers.ds = registers.es = data_segment();
    registers.eflags = 0x202;
    return registers;
}

void print(const char* text) {
    for (; *text; ++text) {
        BiosRegisters registers = clear_registers();
        registers.eax = 0x0e00 | static_cast<U8>(*text);
        registers.ebx = 7;
        bios_call(0x10, &registers, &registers);
        for (U32 spin = 0; spin < 10000 && !(in8(0x3fd) & 0x20); ++spin) {
        }
        out8(0x3f8, static_cast<U8>(*text));
    }
}

void print_number(U32 value) {
    char digits[11];
    U32 at = 10;
    digits[at] = 0;
    do {
        digits[--at] = static_cast<char>('0' + value % 10);
        value /= 10;
    } while (value != 0);
    print(digits + at);
}

void die2(const char* what, const char* why) {
    out8(0x80, post::FatalLoader);
    print("Vitrine loader: ");
    if (what) {
        print(what);
        print(": ");
    }
    print(why);
    print(". Halted.\r\n");
    for (;;) asm volatile("cli; hlt");
}

void die(const char* why) { die2(nullptr, why); }

namespace {

constexpr char KernelPath[] = "/boot/bzImage", CommandLinePath[] = "/boot/cmdline";

File file;
SetupHeader header;

void far_copy_from_transfer(U32 to, U32 bytes) {
    // `to` is below 1 MiB here; both ends are dword multiples.
    for (U32 i = 0; i < bytes; i += 4)
        far_write32(static_cast<U16>(to >> 4), static_cast<U16>((to & 15) + i),
                    far_read32(TransferSegment, static_cast<U16>(i)));
}

void load_kernel() {
    ext2_open(KernelPath, file);
    U32 got = ext2_read(file, 0);
    if (got < 0x400) die2(KernelPath, "too short for a kernel");
    auto* bytes = reinterpret_cast<U8*>(&header);
    for (U32 i = 0; i < sizeof header; ++i)
        bytes[i] = far_read8(TransferSegment, static_cast<U16>(0x1f1 + i));
    if (header.magic != HeaderMagic || header.boot_flag != 0xaa55) die2(KernelPath, "not a Linux bzImage");
    if (header.version < 0x0202 || !(header.load_flags & LoadedHigh))
        die2(KernelPath, "boot protocol older than 2.02");
    const U32 setup_bytes = ((header.setup_sectors ? header.setup_sectors : 4u) + 1u) * 512;
    if (setup_bytes > SetupMaximum || setup_bytes >= file.size || setup_bytes > got)
        die2(KernelPath, "its set-up part has an impossible size");

    far_copy_from_transfer(SetupAddress, setup_bytes);
    U32 target = KernelAddress;
    constexpr U32 transfer = static_cast<U32>(TransferSegment) << 4;
    copy_high(target, transfer + setup_bytes, got - setup_bytes);
    target += got - setup_bytes;
    for (U32 offset = got; offset < file.size; offset += got) {
        got = ext2_read(file, offset);
        copy_high(target, transfer, got);
        target += got;
    }
}

/// One line: up to the first line end, 2047 characters at most. Without the file the kernel gets an empty
/// line.
void load_command_line() {
    ext2_open(CommandLinePath, file);
    const U32 got = ext2_read(file, 0);
    const U32 limit =
        header.version >= 0x0206
            ? (header.command_line_size < CommandLineMaximum ? header.command_line_size : CommandLineMaximum)
            : 255;
    U32 length = 0;
    U32 word = 0;
    for (; length < got; ++length) {
        const U8 character = far_read8(TransferSegment, static_cast<U16>(length));
        if (character == '\n' || character == '\r' || character == 0) break;
        if (length >= limit) die2(CommandLinePath, "the line is too long");
        word |= static_cast<U32>(character) << (8 * (length & 3));
        if ((length & 3) == 3) {
            far_write32(CommandLineAddress >> 4, static_cast<U16>(length & ~3u), word);
            word = 0;
        }
    }
    far_write32(CommandLineAddress >> 4, static_cast<U16>(length & ~3u), word); // ends in at least one zero
}

} // namespace

extern "C" [[noreturn, gnu::regparm(3)]] void enter_setup(U16 segment);

extern "C" [[noreturn, gnu::regparm(3)]] void loader_main(U32 drive, U32 first_sector, U32 sectors) {
    out8(0x80, post::LoaderStart);
    open_partition(static_cast<U8>(drive), first_sector, sectors);
    out8(0x80, post::LoaderFileSystem);
    ext2_mount();
    out8(0x80, post::LoaderKernel);
    load_kernel();
    print("Vitrine loader: /boot/bzImage, ");
    print_number(file.size >> 10);
    print(" KiB\r\n");
    load_command_line();

    // What a loader owes the set-up (boot protocol, "THE REAL-MODE KERNEL HEADER").
    header.loader_type = 0xff;
    header.load_flags |= CanUseHeap;
    header.heap_end = 0x8000 - 0x200;
    header.command_line = CommandLineAddress;
    header.ramdisk_image = header.ramdisk_size = 0;
    const auto* bytes = reinterpret_cast<const U8*>(&header);
    for (U32 i = 0; i < sizeof header; ++i)
        asm volatile("movw %0, %%fs; movb %1, %%fs:(%2)"
                     :
                     : "r"(static_cast<U16>(SetupAddress >> 4)), "q"(bytes[i]), "r"(0x1f1 + i)
                     : "memory");
    out8(0x80, post::LoaderJump);
    enter_setup(SetupAddress >> 4);
}

} // namespace vitrine::boot

// The compiler may call these for structure copies.
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
