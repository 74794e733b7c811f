// What the tables of the 64-bit program share: descriptor tables, page tables and short forms of
// instructions.
#pragma once
#include "tests/privileged/harness.h"

namespace privileged {

enum Selector : u16 {
    Code64 = 0x08,
    Data = 0x10,
    UserCode32 = 0x18,
    UserData = 0x20,
    UserCode64 = 0x28,
    TaskState = 0x30,
    Free = 0x40,
    Free2 = 0x50,
    Free3 = 0x60
};
extern u64 gdt[32];
struct Gate64 {
    u64 low, high;
};
extern Gate64 idt[256];
struct [[gnu::packed]] Tss64 {
    u32 reserved0;
    u64 rsp[3], reserved1, ist[7], reserved2;
    u16 reserved3, map_base;
    u8 map[0x404];
};
extern Tss64 tss;

#ifndef PRIVILEGED_LEVELS
#define PRIVILEGED_LEVELS 4
#endif
constexpr bool FiveLevels = PRIVILEGED_LEVELS == 5; ///< the `wide` program: model max, CR4.LA57
constexpr u64 NotCanonical = u64{1} << (FiveLevels ? 56 : 47), NoExecute = u64{1} << 63;
constexpr u64 Pml4 = 0x300000, Pdpt = 0x301000, Directory = 0x302000, Pml5 = 0x306000;
constexpr u64 Root = FiveLevels ? Pml5 : Pml4;              ///< what CR3 holds
constexpr u64 FreshCr4 = 0x620 | (FiveLevels ? 0x1000 : 0); ///< OSFXSR, OSXMMEXCPT, PAE
/// 4 KiB pages at 380000h–3FFFFFh are the rows' own; each row finds them mapped present, writable, user.
constexpr u64 Page = 0x380000, Page2 = 0x381000, Stack = 0x1c0000;
inline u64& pte(u64 linear) { return reinterpret_cast<u64*>(0x303000)[linear >> 12]; }
inline u64& entry_at(u64 table, u64 index) { return reinterpret_cast<u64*>(table)[index]; }
inline void invlpg(u64 linear) { asm volatile("invlpg (%0)" : : "r"(linear) : "memory"); }
inline void map(u64 linear, u64 bits) { pte(linear) = (linear & ~u64{0xFFF}) | bits, invlpg(linear); }
inline u64 load(u64 at) {
    u64 v;
    asm volatile("movq (%1), %0" : "=r"(v) : "r"(at) : "memory");
    return v;
}
inline void store(u64 at, u64 v) { asm volatile("movq %1, (%0)" : : "r"(at), "r"(v) : "memory"); }

constexpr u64 gate(u64 target, u16 selector, u8 type, u8 dpl, bool present = true, u8 ist = 0) {
    return (target & 0xFFFF) | u64{selector} << 16 | u64{ist} << 32 | u64{type} << 40 | u64{dpl} << 45 |
           u64{present} << 47 | (target >> 16 & 0xFFFF) << 48;
}
inline void set_gate(unsigned vector, u64 target, u16 selector = Code64, u8 type = 14, u8 dpl = 0,
                     bool present = true, u8 ist = 0) {
    idt[vector] = {gate(target, selector, type, dpl, present, ist), target >> 32};
}
extern "C" char interrupt_stubs[], user_done[], user_trampoline[], leave_attempt[];
inline u64 stub(unsigned vector) { return reinterpret_cast<u64>(interrupt_stubs) + 16 * vector; }

/// Descriptors: byte 5 (P, DPL, S, type) and the flags G D L AVL.
constexpr u64 descriptor(u64 base, u32 limit, u8 access, u8 flag_bits) {
    return (limit & 0xFFFF) | (base & 0xFFFFFF) << 16 | u64{access} << 40 | u64{limit >> 16 & 15} << 48 |
           u64{flag_bits} << 52 | (base >> 24 & 0xFF) << 56;
}
inline void call_far(u16 selector, u64 offset = 0) {
    struct [[gnu::packed]] {
        u64 offset;
        u16 selector;
    } target{offset, selector};
    asm volatile(".byte 0x48\n lcall *(%0)" : : "a"(&target) : "memory");
}
inline void jump_far(u16 selector, u64 offset = 0) {
    struct [[gnu::packed]] {
        u64 offset;
        u16 selector;
    } target{offset, selector};
    asm volatile(".byte 0x48\n ljmp *(%0)" : : "a"(&target) : "memory");
}

void wide_rows(), control_rows(), segment_rows(), transfer_rows(), paging_rows(), debug_rows(), state_rows(),
    vector_rows();

} // namespace privileged
