// Descriptors and segment registers in 64-bit mode: MOV Sreg, LTR, LLDT, LAR, LSL, VERR, VERW. Intel SDM vol.
// 3A 5.
#include "tests/privileged/long.h"

namespace privileged {
namespace {

void load_ds(u16 selector) { asm volatile("mov %0, %%ds" : : "r"(u32{selector})); }
void load_es(u16 selector) { asm volatile("mov %0, %%es" : : "r"(u32{selector})); }
void load_fs(u16 selector) { asm volatile("mov %0, %%fs" : : "r"(u32{selector})); }
void load_ss(u16 selector) { asm volatile("mov %0, %%ss" : : "r"(u32{selector})); }
void ltr(u16 selector) { asm volatile("ltr %w0" : : "r"(u32{selector})); }
void lldt(u16 selector) { asm volatile("lldt %w0" : : "r"(u32{selector})); }
/// ZF of LAR, and its result.
u64 rights;
bool lar(u16 selector) {
    bool ok;
    asm volatile("lar %2, %0" : "=r"(rights), "=@ccz"(ok) : "r"(u32{selector}), "0"(~u64{0}));
    return ok;
}
u64 limit;
bool lsl(u16 selector) {
    bool ok;
    asm volatile("lsl %2, %0" : "=r"(limit), "=@ccz"(ok) : "r"(u32{selector}), "0"(~u64{0}));
    return ok;
}
bool verr(u16 selector) {
    bool ok;
    asm volatile("verr %w1" : "=@ccz"(ok) : "r"(u32{selector}));
    return ok;
}
bool verw(u16 selector) {
    bool ok;
    asm volatile("verw %w1" : "=@ccz"(ok) : "r"(u32{selector}));
    return ok;
}
bool yes;
constexpr u16 At = Free;
/// A descriptor in the free slot.
template <u8 Access, u8 Flags = 0xC> void put() { gdt[At / 8] = descriptor(0, 0xFFFFF, Access, Flags); }

constexpr Row rows[] = {
    {"DS null", [] { load_ds(0); }},
    {"DS null with RPL 3", [] { load_ds(3); }},
    {"DS beyond the table", [] { load_ds(0x100); }, 13, 0x100},
    {"DS last bytes outside the table",
     [] { load_gdt({0x46, reinterpret_cast<u64>(gdt)}), put<0x93>(), load_ds(At); }, 13, At},
    {"DS of a local table that is not there", [] { load_ds(At | 4); }, 13, At | 4},
    {"DS not present", [] { put<0x13>(), load_ds(At); }, 11, At},
    {"DS a system descriptor", [] { put<0x89>(), load_ds(At); }, 13, At},
    {"DS execute-only code", [] { put<0x99>(), load_ds(At); }, 13, At},
    {"DS readable code", [] { put<0x9B>(), load_ds(At); }},
    {"DS read-only data", [] { put<0x91>(), load_ds(At); }},
    {"DS DPL 0 with RPL 3", [] { put<0x93>(), load_ds(At | 3); }, 13, At},
    {"DS DPL 3 with RPL 3", [] { put<0xF3>(), load_ds(At | 3); }},
    {"DS conforming code of DPL 0 with RPL 3", [] { put<0x9F>(), load_ds(At | 3); }},
    {"FS sets the accessed bit", [] { put<0x92>(), load_fs(At); }, -1, 0,
     [] { return (gdt[At / 8] >> 40 & 1) == 1; }},
    {"ES sets the accessed bit on a type mismatch not", [] { put<0x98>(), load_es(At); }, 13, At,
     [] { return (gdt[At / 8] >> 40 & 1) == 0; }},
    {"FS loads a 32-bit base", [] { gdt[At / 8] = descriptor(0xFF000000, 0xFFFFF, 0x93, 0xC), load_fs(At); },
     -1, 0, [] { return read_msr(0xC0000100) == 0xFF000000; }},
    {"SS null at CPL 0", [] { load_ss(0); }},
    {"SS null with RPL 3 at CPL 0", [] { load_ss(3); }, 13, 0},
    {"SS read-only", [] { put<0x91>(), load_ss(At); }, 13, At},
    {"SS code", [] { put<0x9B>(), load_ss(At); }, 13, At},
    {"SS RPL 3", [] { put<0x93>(), load_ss(At | 3); }, 13, At},
    {"SS DPL 3", [] { put<0xF3>(), load_ss(At); }, 13, At},
    {"SS not present", [] { put<0x13>(), load_ss(At); }, 12, At},
    {"SS beyond the table", [] { load_ss(0x100); }, 13, 0x100},
    {"MOV CS", [] { asm volatile(".byte 0x8e, 0xc8"); }, 6},
    {"MOV to segment register 6", [] { asm volatile(".byte 0x8e, 0xf0"); }, 6},
    {"DS of DPL 0 at CPL 3", [] { load_ds(Data); }, 13, Data, nullptr, User},
    {"SS null at CPL 3", [] { load_ss(0); }, 13, 0, nullptr, User},
    {"SS null with RPL 3 at CPL 3", [] { load_ss(3); }, 13, 0, nullptr, User},
    {"the table of the processor belongs to the supervisor: DS at CPL 3", [] { load_ds(UserData | 3); }, -1,
     0, nullptr, User},

    {"LTR null", [] { ltr(0); }, 13, 0},
    {"LTR null with RPL 3", [] { ltr(3); }, 13, 0},
    {"LTR beyond the table", [] { ltr(0x100); }, 13, 0x100},
    {"LTR upper half beyond the table",
     [] { load_gdt({0x47, reinterpret_cast<u64>(gdt)}), put<0x89, 0>(), ltr(At); }, 13, At},
    {"LTR of the local table", [] { ltr(At | 4); }, 13, At | 4},
    {"LTR data", [] { put<0x93>(), ltr(At); }, 13, At},
    {"LTR LDT", [] { put<0x82, 0>(), ltr(At); }, 13, At},
    {"LTR busy", [] { put<0x8B, 0>(), ltr(At); }, 13, At},
    {"LTR 16-bit TSS", [] { put<0x81, 0>(), ltr(At); }, 13, At},
    {"LTR not present", [] { put<0x09, 0>(), ltr(At); }, 11, At},
    {"LTR sets busy", [] { put<0x89, 0>(), ltr(At); }, -1, 0, [] { return (gdt[At / 8] >> 41 & 1) == 1; }},
    {"LTR upper half has a type", [] { put<0x89, 0>(), gdt[At / 8 + 1] = u64{2} << 40, ltr(At); }, 13, At},
    {"LTR base not canonical", [] { put<0x89, 0>(), gdt[At / 8 + 1] = NotCanonical >> 32, ltr(At); }, 13, At},
    {"LTR base in the high half", [] { put<0x89, 0>(), gdt[At / 8 + 1] = 0xFFFFFFFF, ltr(At); }},
    {"STR",
     [] {
         u64 v;
         asm volatile("str %0" : "=r"(v));
         yes = v == TaskState;
     },
     -1, 0, [] { return yes; }},
    {"LLDT null", [] { lldt(0); }},
    {"LLDT null with RPL 3", [] { lldt(3); }},
    {"LLDT beyond the table", [] { lldt(0x100); }, 13, 0x100},
    {"LLDT of the local table", [] { lldt(At | 4); }, 13, At | 4},
    {"LLDT a TSS", [] { put<0x89, 0>(), lldt(At); }, 13, At},
    {"LLDT data", [] { put<0x92, 0>(), lldt(At); }, 13, At},
    {"LLDT not present", [] { put<0x02, 0>(), lldt(At); }, 11, At},
    {"LLDT", [] { put<0x82, 0>(), lldt(At); }},
    {"LLDT upper half has a type", [] { put<0x82, 0>(), gdt[At / 8 + 1] = u64{1} << 40, lldt(At); }, 13, At},
    {"LLDT base not canonical", [] { put<0x82, 0>(), gdt[At / 8 + 1] = NotCanonical >> 32, lldt(At); }, 13,
     At},
    {"DS of the local table",
     [] {
         gdt[At / 8] = descriptor(reinterpret_cast<u64>(&gdt[16]), 15, 0x82, 0), gdt[17] = gdt[2];
         lldt(At), load_ds(0xC);
     }},
    {"DS beyond the local table",
     [] { gdt[At / 8] = descriptor(reinterpret_cast<u64>(&gdt[16]), 15, 0x82, 0), lldt(At), load_ds(0x14); },
     13, 0x14},

    {"LAR of data", [] { put<0x93>(), yes = lar(At); }, -1, 0,
     [] { return yes && (rights & ~u64{0xF0000}) == 0xC09300; }},
    {"LAR shows G D AVL and P, not the limit", [] { put<0x13, 0xF>(), yes = lar(At); }, -1, 0,
     [] { return yes && (rights & ~u64{0xF0000}) == 0xF01300; }},
    {"LAR null", [] { yes = lar(0); }, -1, 0, [] { return !yes && rights == ~u64{0}; }},
    {"LAR beyond the table", [] { yes = lar(0x100); }, -1, 0, [] { return !yes; }},
    {"LAR of an available TSS", [] { put<0x89, 0>(), yes = lar(At); }, -1, 0, [] { return yes; }},
    {"LAR of an LDT", [] { put<0x82, 0>(), yes = lar(At); }, -1, 0, [] { return yes; }},
    {"LAR of a call gate", [] { put<0x8C, 0>(), yes = lar(At); }, -1, 0, [] { return yes; }},
    {"LAR of a 16-bit TSS", [] { put<0x81, 0>(), yes = lar(At); }, -1, 0, [] { return !yes; }},
    {"LAR of a 16-bit call gate", [] { put<0x84, 0>(), yes = lar(At); }, -1, 0, [] { return !yes; }},
    {"LAR of a task gate", [] { put<0x85, 0>(), yes = lar(At); }, -1, 0, [] { return !yes; }},
    {"LAR of an interrupt gate", [] { put<0x8E, 0>(), yes = lar(At); }, -1, 0, [] { return !yes; }},
    {"LAR of type 0", [] { put<0x80, 0>(), yes = lar(At); }, -1, 0, [] { return !yes; }},
    {"LAR: RPL above DPL", [] { put<0x93>(), yes = lar(At | 3); }, -1, 0, [] { return !yes; }},
    {"LAR: conforming code has no privilege check", [] { put<0x9F>(), yes = lar(At | 3); }, -1, 0,
     [] { return yes; }},
    {"LAR at CPL 3 of DPL 0", [] { yes = lar(Data); }, -1, 0, [] { return !yes; }, User},
    {"LSL of data, in bytes", [] { put<0x93>(), yes = lsl(At); }, -1, 0,
     [] { return yes && limit == 0xFFFFFFFF; }},
    {"LSL without G", [] { gdt[At / 8] = descriptor(0, 0x12345, 0x93, 4), yes = lsl(At); }, -1, 0,
     [] { return yes && limit == 0x12345; }},
    {"LSL of a busy TSS", [] { yes = lsl(TaskState); }, -1, 0, [] { return yes && limit == sizeof tss - 1; }},
    {"LSL of a call gate", [] { put<0x8C, 0>(), yes = lsl(At); }, -1, 0, [] { return !yes; }},
    {"LSL of a 16-bit TSS", [] { put<0x83, 0>(), yes = lsl(At); }, -1, 0, [] { return !yes; }},
    {"VERR of data", [] { yes = verr(Data); }, -1, 0, [] { return yes; }},
    {"VERR of execute-only code", [] { put<0x99>(), yes = verr(At); }, -1, 0, [] { return !yes; }},
    {"VERR of a TSS", [] { yes = verr(TaskState); }, -1, 0, [] { return !yes; }},
    {"VERR does not look at P", [] { put<0x13>(), yes = verr(At); }, -1, 0, [] { return yes; }},
    {"VERW of data", [] { yes = verw(Data); }, -1, 0, [] { return yes; }},
    {"VERW of read-only data", [] { put<0x91>(), yes = verw(At); }, -1, 0, [] { return !yes; }},
    {"VERW of code", [] { yes = verw(Code64); }, -1, 0, [] { return !yes; }},
    {"VERW null", [] { yes = verw(0); }, -1, 0, [] { return !yes; }},
};

} // namespace

void segment_rows() { run_rows("segments", rows); }

} // namespace privileged
