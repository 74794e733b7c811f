// The harness of the privileged programs: rows of rules, one exception caught a row, a report on COM1.
//
// A row runs a small piece of code in a fresh processor state (tables, control registers, segments as set up
// at start) and says which exception the manual demands (-1: none), its error code, and what else must hold.
// Reports are lines "FAIL name: …" and at the end "DONE passed failed"; the exit is isa-debug-exit (port
// F4h).
#pragma once
#include <stddef.h>
#include <stdint.h>

namespace privileged {

using u8 = uint8_t;
using u16 = uint16_t;
using u32 = uint32_t;
using u64 = uint64_t;
using word = uintptr_t; ///< of the mode that the program runs in

/// What the exception handler saw. The entry code (long_entry.S, legacy_entry.S) fills it in this order.
struct Caught {
    word vector, error, ip, cs, flags, sp, ss, cr2, dr6, count;
};
extern "C" Caught caught;
constexpr word Nothing = ~word{0};

enum Where : u8 { Kernel, User, UserIopl3, UserPending }; ///< at CPL 3: plain, with IOPL 3, with VIP
struct Row {
    const char* name;
    void (*run)();
    int vector = -1;
    u32 error = 0;
    bool (*check)() = nullptr;
    Where where = Kernel;
    void (*prepare)() = nullptr; ///< at CPL 0, before `run`
};

/// Calls f at CPL 0 or 3 until it returns or the first exception.
extern "C" void attempt(void (*f)());
extern "C" void attempt_user(void (*f)(), word flags);
/// Puts back all tables and registers. Each program has its own.
void restore_state();

void put_text(const char* text);
void put_number(u64 value);
void run_rows(const char* topic, const Row* rows, unsigned count);
template <unsigned N> void run_rows(const char* topic, const Row (&rows)[N]) { run_rows(topic, rows, N); }
[[noreturn]] void finish();

inline void out8(u16 port, u8 value) { asm volatile("outb %0, %1" : : "a"(value), "Nd"(port)); }
inline u8 in8(u16 port) {
    u8 value;
    asm volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
    return value;
}

// ---- registers
// ------------------------------------------------------------------------------------------------
inline void write_cr0(word v) { asm volatile("mov %0, %%cr0" : : "r"(v) : "memory"); }
inline void write_cr3(word v) { asm volatile("mov %0, %%cr3" : : "r"(v) : "memory"); }
inline void write_cr4(word v) { asm volatile("mov %0, %%cr4" : : "r"(v) : "memory"); }
inline word read_cr0() {
    word v;
    asm volatile("mov %%cr0, %0" : "=r"(v));
    return v;
}
inline word read_cr3() {
    word v;
    asm volatile("mov %%cr3, %0" : "=r"(v));
    return v;
}
inline word read_cr4() {
    word v;
    asm volatile("mov %%cr4, %0" : "=r"(v));
    return v;
}
inline void write_msr(u32 index, u64 value) {
    asm volatile("wrmsr"
                 :
                 : "c"(index), "a"(static_cast<u32>(value)), "d"(static_cast<u32>(value >> 32))
                 : "memory");
}
inline u64 read_msr(u32 index) {
    u32 low, high;
    asm volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(index));
    return low | static_cast<u64>(high) << 32;
}
#define PRIVILEGED_DEBUG_REGISTER(n)                                                                         \
    inline void write_dr##n(word v) { asm volatile("mov %0, %%dr" #n : : "r"(v) : "memory"); }               \
    inline word read_dr##n() {                                                                               \
        word v;                                                                                              \
        asm volatile("mov %%dr" #n ", %0" : "=r"(v));                                                        \
        return v;                                                                                            \
    }
PRIVILEGED_DEBUG_REGISTER(0)
PRIVILEGED_DEBUG_REGISTER(1)
PRIVILEGED_DEBUG_REGISTER(2)
PRIVILEGED_DEBUG_REGISTER(3)
PRIVILEGED_DEBUG_REGISTER(6)
PRIVILEGED_DEBUG_REGISTER(7)
inline word flags() {
    word v;
    asm volatile("pushf; pop %0" : "=r"(v));
    return v;
}
inline void set_flags(word v) { asm volatile("push %0; popf" : : "r"(v) : "memory", "cc"); }

struct [[gnu::packed]] TablePointer {
    u16 limit;
    word base;
};
inline void load_gdt(const TablePointer& p) { asm volatile("lgdt %0" : : "m"(p)); }
inline void load_idt(const TablePointer& p) { asm volatile("lidt %0" : : "m"(p)); }

} // namespace privileged
