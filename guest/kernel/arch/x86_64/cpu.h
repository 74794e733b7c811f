// Privileged instructions and registers of the processor, each as a small typed function (Intel SDM 3A
// chapter 2, volume 4 for the MSRs).
#pragma once

#include "lib/types.h"

namespace kernel {

// --- port I/O
// ---------------------------------------------------------------------------------------------------
inline void out8(u16 port, u8 value) { asm volatile("outb %0, %1" ::"a"(value), "Nd"(port)); }
inline void out16(u16 port, u16 value) { asm volatile("outw %0, %1" ::"a"(value), "Nd"(port)); }
inline void out32(u16 port, u32 value) { asm volatile("outl %0, %1" ::"a"(value), "Nd"(port)); }
inline u8 in8(u16 port) {
    u8 value;
    asm volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
    return value;
}
inline u16 in16(u16 port) {
    u16 value;
    asm volatile("inw %1, %0" : "=a"(value) : "Nd"(port));
    return value;
}
inline u32 in32(u16 port) {
    u32 value;
    asm volatile("inl %1, %0" : "=a"(value) : "Nd"(port));
    return value;
}

// --- model-specific registers
// -------------------------------------------------------------------------------------
enum class Msr : u32 {
    ApicBase = 0x1B,
    MiscEnable = 0x1A0,
    TscDeadline = 0x6E0,
    Pat = 0x277,
    Efer = 0xC0000080,
    Star = 0xC0000081,
    Lstar = 0xC0000082,
    Cstar = 0xC0000083,
    SyscallMask = 0xC0000084,
    FsBase = 0xC0000100,
    GsBase = 0xC0000101,
    KernelGsBase = 0xC0000102,
};
inline u64 rdmsrl(Msr msr) {
    u32 low, high;
    asm volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(static_cast<u32>(msr)));
    return (u64{high} << 32) | low;
}
inline void wrmsrl(Msr msr, u64 value) {
    asm volatile("wrmsr" ::"c"(static_cast<u32>(msr)), "a"(static_cast<u32>(value)),
                 "d"(static_cast<u32>(value >> 32))
                 : "memory");
}

// --- control registers
// --------------------------------------------------------------------------------------------
#define KERNEL_CONTROL_REGISTER(name, reg)                                                                   \
    inline u64 read_##name() {                                                                               \
        u64 value;                                                                                           \
        asm volatile("mov %%" reg ", %0" : "=r"(value)::"memory");                                           \
        return value;                                                                                        \
    }                                                                                                        \
    inline void write_##name(u64 value) { asm volatile("mov %0, %%" reg ::"r"(value) : "memory"); }
KERNEL_CONTROL_REGISTER(cr0, "cr0")
KERNEL_CONTROL_REGISTER(cr2, "cr2")
KERNEL_CONTROL_REGISTER(cr3, "cr3")
KERNEL_CONTROL_REGISTER(cr4, "cr4")
KERNEL_CONTROL_REGISTER(dr6, "dr6")
#undef KERNEL_CONTROL_REGISTER

namespace cr4 {
inline constexpr u64 PAE = 1 << 5, PGE = 1 << 7, OSFXSR = 1 << 9, OSXMMEXCPT = 1 << 10, UMIP = 1 << 11,
                     FSGSBASE = 1 << 16, OSXSAVE = 1 << 18, SMEP = 1 << 20, SMAP = 1 << 21;
}
namespace cr0 {
inline constexpr u64 MP = 1 << 1, EM = 1 << 2, TS = 1 << 3, NE = 1 << 5, WP = 1 << 16;
}
namespace efer {
inline constexpr u64 SCE = 1 << 0, LME = 1 << 8, LMA = 1 << 10, NXE = 1 << 11;
}
namespace rflags {
inline constexpr u64 CF = 1, Fixed = 2, TF = 1 << 8, IF = 1 << 9, DF = 1 << 10, IOPL = 3 << 12, NT = 1 << 14,
                     RF = 1 << 16, AC = 1 << 18;
}

// --- interrupts and waiting
// -----------------------------------------------------------------------------------------
inline u64 read_flags() {
    u64 value;
    asm volatile("pushfq; popq %0" : "=r"(value)::"memory");
    return value;
}
inline bool interrupts_enabled() { return read_flags() & rflags::IF; }
inline void local_irq_enable() { asm volatile("sti" ::: "memory"); }
inline void local_irq_disable() { asm volatile("cli" ::: "memory"); }
/// Disables interrupts and returns whether they were on.
inline bool local_irq_save() {
    bool on = interrupts_enabled();
    local_irq_disable();
    return on;
}
inline void local_irq_restore(bool on) {
    if (on) local_irq_enable();
}
/// STI's shadow of one instruction makes the pair atomic: no interrupt is lost between them.
inline void enable_interrupts_and_halt() { asm volatile("sti; hlt" ::: "memory"); }
inline void halt() { asm volatile("hlt" ::: "memory"); }
inline void cpu_relax() { asm volatile("pause" ::: "memory"); }
inline void invlpg(u64 address) { asm volatile("invlpg (%0)" ::"r"(address) : "memory"); }
inline u64 rdtsc() {
    u32 low, high;
    asm volatile("rdtsc" : "=a"(low), "=d"(high));
    return (u64{high} << 32) | low;
}

// --- CPUID (SDM 2A)
// ---------------------------------------------------------------------------------------------------
struct Cpuid {
    u32 eax, ebx, ecx, edx;
};
inline Cpuid cpuid(u32 leaf, u32 subleaf = 0) {
    Cpuid r;
    asm volatile("cpuid" : "=a"(r.eax), "=b"(r.ebx), "=c"(r.ecx), "=d"(r.edx) : "a"(leaf), "c"(subleaf));
    return r;
}

/// What the boot processor offers; filled once by identify_cpu().
struct cpuinfo_x86 {
    char vendor[13];
    char model_name[49];
    u32 family, model, stepping;
    u32 max_leaf, max_extended_leaf;
    u32 leaf1_edx, leaf1_ecx, leaf7_ebx, leaf7_ecx, ext1_edx, ext1_ecx;
    bool xsave, smep, smap, umip, fsgsbase, rdrand, nx, pge, invariant_tsc, apic, x2apic, erms;
    u64 xsave_mask;
    u32 xsave_size;
    u8 physical_bits, linear_bits;
};
extern cpuinfo_x86 boot_cpu_data;
void identify_cpu();
/// Puts CLAC where entry.S left room for it. REQUIRES: the early page tables, in which text is writable.
void alternatives_smap();
/// The flags line of /proc/cpuinfo, in Linux's words.
usize cpu_flags_text(char* out, usize capacity);

} // namespace kernel
