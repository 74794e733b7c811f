// Leaves real mode: interrupts quiet, GDT loaded, PE set (Intel SDM 3A 10.9.1 "Switching to Protected Mode").
#include "guest/kernel/boot/setup/hardware.h"

namespace vitrine::boot {

extern "C" [[noreturn, gnu::regparm(3)]] void enter_code32(U32 entry, U32 params_physical, U32 segment_base);

// The protocol fixes __BOOT_CS = 10h and __BOOT_DS = 18h: flat 4 GiB segments.
[[gnu::aligned(16)]] static const U64 gdt[] = {
    0, 0,
    0x00cf9b000000ffff, // code, 32 bit, read and execute
    0x00cf93000000ffff, // data, read and write
};

struct [[gnu::packed]] TableRegister {
    U16 limit;
    U32 base;
};

void enter_protected_mode(BootParams& params) {
    const U32 base = static_cast<U32>(data_segment()) << 4;
    // The hook is for loaders that leave the machine in a strange state; without one, interrupts and NMI go
    // off here.
    asm volatile("cli");
    out8(0x70, 0x80);
    (void)in8(0x71);
    out8(0xa1, 0xff); // all of the second 8259
    out8(0x21, 0xfb); // the first one but its cascade

    static TableRegister gdtr, idtr;
    gdtr = {sizeof gdt - 1, base + reinterpret_cast<U32>(gdt)};
    idtr = {0, 0};
    asm volatile("lidtl %0; lgdtl %1" : : "m"(idtr), "m"(gdtr));
    enter_code32(params.header.code32_start, base + reinterpret_cast<U32>(&params), base);
}

} // namespace vitrine::boot
