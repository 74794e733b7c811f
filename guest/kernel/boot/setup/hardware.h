// The set-up's view of real-mode hardware: BIOS calls, ports, far memory.
//
// Invariants: all code is compiled for 16-bit mode with DS = ES = SS = CS; a pointer is an offset in that
// segment.
#pragma once
#include "guest/kernel/boot/boot_params.h"

namespace vitrine::boot {

/// The register image that bios_call.S loads and stores; the order is its stack order.
struct BiosRegisters {
    U32 edi, esi, ebp, ebx, edx, ecx, eax;
    U16 ds, es;
    U32 eflags;
    bool carry() const { return eflags & 1; }
};
static_assert(sizeof(BiosRegisters) == 36);

extern "C" [[gnu::regparm(3)]] void bios_call(U8 vector, const BiosRegisters* in, BiosRegisters* out);

/// All zero but for the segments, which are ours.
BiosRegisters clear_registers();

inline void out8(U16 port, U8 value) { asm volatile("outb %0, %1" : : "a"(value), "Nd"(port)); }
inline U8 in8(U16 port) {
    U8 value;
    asm volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
    return value;
}
inline U16 data_segment() {
    U16 value;
    asm volatile("movw %%ds, %0" : "=r"(value));
    return value;
}
inline U8 far_read8(U16 segment, U16 offset) {
    U8 value;
    asm volatile("movw %1, %%fs; movb %%fs:(%2), %0"
                 : "=q"(value)
                 : "r"(segment), "r"((U32)offset)
                 : "memory");
    return value;
}
inline U32 far_read32(U16 segment, U16 offset) {
    U32 value;
    asm volatile("movw %1, %%fs; movl %%fs:(%2), %0"
                 : "=r"(value)
                 : "r"(segment), "r"((U32)offset)
                 : "memory");
    return value;
}
inline void far_write32(U16 segment, U16 offset, U32 value) {
    asm volatile("movw %0, %%fs; movl %1, %%fs:(%2)"
                 :
                 : "r"(segment), "r"(value), "r"((U32)offset)
                 : "memory");
}

void print(const char* text);
/// Prints "Kernel set-up: <why>" and halts.
[[noreturn]] void die(const char* why);

bool enable_a20();
/// Fills the E820 table through INT 15h; returns the number of entries (0: the firmware has none).
unsigned read_memory_map(BootParams& params);
void read_video_state(ScreenInfo& screen);
/// Null when the processor has all that the kernel needs, else what it lacks.
const char* missing_processor_feature();
[[noreturn]] void enter_protected_mode(BootParams& params);

} // namespace vitrine::boot
