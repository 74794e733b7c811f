// What the set-up asks of firmware and processor: A20, memory map, video state, long mode.
#include "guest/kernel/boot/setup/hardware.h"
#include "roms/post_codes.h"

namespace vitrine::boot {

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
        // Firmware seldom echoes on the serial line; a headless machine has nothing else to read. Bounded
        // wait.
        for (unsigned spin = 0; spin < 10000 && !(in8(0x3fd) & 0x20); ++spin) {
        }
        out8(0x3f8, static_cast<U8>(*text));
    }
}

void die(const char* why) {
    out8(0x80, vitrine::roms::post::FatalSetup);
    print("Kernel set-up: ");
    print(why);
    print(". Halted.\r\n");
    for (;;) asm volatile("cli; hlt");
}

// A20 is open when FFFF:0510 (1 MiB + 500h) is not the same memory as 0000:0500... we use the INT 80h
// vector's slot, free in real mode, and write different values because equal contents alone prove nothing.
static bool a20_is_open() {
    constexpr U16 slot = 0x80 * 4;
    const U32 saved = far_read32(0, slot);
    U32 probe = saved;
    bool open = false;
    for (unsigned tries = 0; tries < 32 && !open; ++tries) {
        far_write32(0, slot, ++probe);
        asm volatile("outb %%al, $0x80" : : "a"(vitrine::roms::post::SetupA20)); // one I/O cycle of delay
        open = far_read32(0xffff, slot + 0x10) != probe;
    }
    far_write32(0, slot, saved);
    return open;
}

static void wait_keyboard_controller() {
    for (unsigned spin = 0; spin < 100000 && (in8(0x64) & 2); ++spin) {
    }
}

bool enable_a20() {
    if (a20_is_open()) return true;
    BiosRegisters registers = clear_registers();
    registers.eax = 0x2401;
    bios_call(0x15, &registers, &registers);
    if (a20_is_open()) return true;
    // System control port A, bit 1; bit 0 would reset the machine.
    out8(0x92, static_cast<U8>((in8(0x92) | 2) & ~1));
    if (a20_is_open()) return true;
    // 8042: write output port, A20 is bit 1.
    wait_keyboard_controller();
    out8(0x64, 0xd1);
    wait_keyboard_controller();
    out8(0x60, 0xdf);
    wait_keyboard_controller();
    return a20_is_open();
}

unsigned read_memory_map(BootParams& params) {
    constexpr U32 Smap = 0x534d4150;
    static E820Entry buffer;
    unsigned count = 0;
    U32 continuation = 0;
    do {
        BiosRegisters registers = clear_registers();
        registers.eax = 0xe820;
        registers.edx = Smap;
        registers.ebx = continuation;
        registers.ecx = sizeof buffer;
        registers.edi = reinterpret_cast<U32>(&buffer);
        bios_call(0x15, &registers, &registers);
        if (registers.carry()) break; // some firmware ends the list this way
        if (registers.eax != Smap) return 0;
        continuation = registers.ebx;
        params.e820[count++] = buffer;
    } while (continuation != 0 && count < E820Maximum);

    // The old figure, for the record: KiB above 1 MiB, capped at 64 MiB.
    BiosRegisters registers = clear_registers();
    registers.eax = 0x8800;
    bios_call(0x15, &registers, &registers);
    if (!registers.carry()) {
        params.screen.extended_memory_kib = static_cast<U16>(registers.eax);
        params.alternative_memory_kib = registers.eax & 0xffff;
    }
    return count;
}

void read_video_state(ScreenInfo& screen) {
    BiosRegisters registers = clear_registers();
    registers.eax = 0x0f00;
    bios_call(0x10, &registers, &registers);
    U8 mode = registers.eax & 0x7f;
    if (mode != 3 && mode != 7) {
        // A graphics mode was left on: the kernel's text console wants 80x25.
        BiosRegisters set = clear_registers();
        set.eax = 0x0003;
        bios_call(0x10, &set, &set);
        registers = clear_registers();
        registers.eax = 0x0f00;
        bios_call(0x10, &registers, &registers);
        mode = registers.eax & 0x7f;
    }
    screen.mode = mode;
    screen.columns = static_cast<U8>(registers.eax >> 8);
    screen.page = static_cast<U16>((registers.ebx >> 8) & 0xff);

    BiosRegisters cursor = clear_registers();
    cursor.eax = 0x0300;
    cursor.ebx = registers.ebx & 0xff00;
    bios_call(0x10, &cursor, &cursor);
    screen.cursor_column = static_cast<U8>(cursor.edx);
    screen.cursor_row = static_cast<U8>(cursor.edx >> 8);

    BiosRegisters adapter = clear_registers();
    adapter.eax = 0x1200;
    adapter.ebx = 0x10;
    bios_call(0x10, &adapter, &adapter);
    screen.ega_bx = static_cast<U16>(adapter.ebx);
    adapter = clear_registers();
    adapter.eax = 0x1a00;
    bios_call(0x10, &adapter, &adapter);
    screen.is_vga = (adapter.eax & 0xff) == 0x1a;
    // BIOS data area: rows − 1 and character height.
    screen.lines = static_cast<U8>(far_read8(0x40, 0x84) + 1);
    screen.character_height = static_cast<U16>(far_read8(0x40, 0x85) | far_read8(0x40, 0x86) << 8);
}

static void cpuid(U32 leaf, U32& a, U32& b, U32& c, U32& d) {
    asm volatile("cpuid" : "=a"(a), "=b"(b), "=c"(c), "=d"(d) : "a"(leaf), "c"(0));
}

const char* missing_processor_feature() {
    U32 before, after;
    asm volatile(
        "pushfl; popl %0; movl %0, %1; xorl $0x200000, %1; pushl %1; popfl; pushfl; popl %1; pushl %0; popfl"
        : "=&r"(before), "=&r"(after));
    if (((before ^ after) & 0x200000) == 0) return "the processor has no CPUID";
    U32 a, b, c, d;
    cpuid(1, a, b, c, d);
    if (!(d & 1u << 6)) return "the processor has no PAE";
    if (!(d & 1u << 5)) return "the processor has no MSRs";
    if (!(d & 1u << 24)) return "the processor has no FXSAVE";
    if (!(d & 1u << 26)) return "the processor has no SSE2";
    cpuid(0x80000000, a, b, c, d);
    if (a < 0x80000001) return "the processor has no extended CPUID leaves, so no long mode";
    cpuid(0x80000001, a, b, c, d);
    if (!(d & 1u << 29)) return "the processor has no long mode (64 bit)";
    return nullptr;
}

} // namespace vitrine::boot
