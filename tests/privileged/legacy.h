// What the tables of the 32-bit program share.
#pragma once
#include "tests/privileged/harness.h"

namespace privileged {

enum Selector : u16 {
    Code = 0x08,
    Data = 0x10,
    UserCode = 0x18,
    UserData = 0x20,
    TaskState = 0x28,
    Task2 = 0x30,
    Task16 = 0x38,
    Free = 0x40,
    Free2 = 0x48,
    Free3 = 0x50,
    Gate = 0x58,
    Local = 0x60,
    Watcher = 0x68
};
extern u64 gdt[32];
extern u64 idt[256];
/// SDM 3A figure 7-2, with the redirection map and the I/O permission map behind it.
struct [[gnu::packed]] Tss32 {
    u32 link, esp0, ss0, esp1, ss1, esp2, ss2, cr3, eip, eflags, gpr[8], segment[6], ldt;
    u16 trap, map_base;
    u8 redirection[32], map[0x21];
};
struct [[gnu::packed]] Tss16 {
    u16 link, sp0, ss0, sp1, ss1, sp2, ss2, ip, flags, gpr[8], segment[4], ldt;
};
extern Tss32 tss, second, watcher;
extern Tss16 narrow;

constexpr u32 Page = 0x380000, Stack = 0x1c0000;
constexpr u64 gate(u32 target, u16 selector, u8 type, u8 dpl, bool present = true, u8 count = 0) {
    return (target & 0xFFFF) | u64{selector} << 16 | u64{count} << 32 | u64{type} << 40 | u64{dpl} << 45 |
           u64{present} << 47 | u64{target >> 16} << 48;
}
inline void set_gate(unsigned vector, u32 target, u16 selector = Code, u8 type = 14, u8 dpl = 0,
                     bool present = true) {
    idt[vector] = gate(target, selector, type, dpl, present);
}
extern "C" char interrupt_stubs[], user_done[], leave_attempt[];
extern "C" void enter_virtual(const u32* frame);
inline u32 stub(unsigned vector) { return reinterpret_cast<u32>(interrupt_stubs) + 16 * vector; }
constexpr u64 descriptor(u32 base, u32 limit, u8 access, u8 flag_bits) {
    return (limit & 0xFFFF) | u64{base & 0xFFFFFF} << 16 | u64{access} << 40 | u64{limit >> 16 & 15} << 48 |
           u64{flag_bits} << 52 | u64{base >> 24} << 56;
}
inline void call_far(u16 selector, u32 offset = 0) {
    struct [[gnu::packed]] {
        u32 offset;
        u16 selector;
    } target{offset, selector};
    asm volatile("lcall *(%0)" : : "a"(&target) : "memory");
}
inline void jump_far(u16 selector, u32 offset = 0) {
    struct [[gnu::packed]] {
        u32 offset;
        u16 selector;
    } target{offset, selector};
    asm volatile("ljmp *(%0)" : : "a"(&target) : "memory");
}
inline void load_es(u16 selector) { asm volatile("mov %0, %%es" : : "r"(u32{selector})); }
inline void load_ss(u16 selector) { asm volatile("mov %0, %%ss" : : "r"(u32{selector})); }

/// What far_landing (legacy_main.cpp) saw: four items of the stack, CS, SS, ESP, EFLAGS.
extern "C" u32 far_frame[12];
extern "C" const u32 Landing, Return, WatcherEntry;
extern "C" u32 watched_vector;
/// Faults with this vector switch to a task of their own, which notes the error code.
template <unsigned Vector> void watch() { watched_vector = Vector, idt[Vector] = gate(0, Watcher, 5, 0); }
void segment_rows(), transfer_rows(), task_rows(), virtual_rows();

} // namespace privileged
