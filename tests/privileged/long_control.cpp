// Control registers, model-specific registers, privileged instructions. Intel SDM vol. 3A 2.5, 2.8; vol. 4.
#include "tests/privileged/long.h"

namespace privileged {
namespace {

void xsetbv(u32 index, u64 value) {
    asm volatile("xsetbv" : : "c"(index), "a"(static_cast<u32>(value)), "d"(static_cast<u32>(value >> 32)));
}
void invpcid(u64 type, u64 pcid, u64 linear) {
    const u64 descriptor[2] = {pcid, linear};
    asm volatile("invpcid %0, %1" : : "m"(descriptor), "r"(type) : "memory");
}
constexpr u64 Pcide = 1 << 17, Osxsave = 1 << 18, Fsgsbase = 1 << 16, Umip = 1 << 11, Tsd = 4;
u64 seen;

constexpr Row rows[] = {
    {"CR0 bit 32", [] { write_cr0(read_cr0() | u64{1} << 32); }, 13},
    {"CR0 bit 63", [] { write_cr0(read_cr0() | u64{1} << 63); }, 13},
    {"CR0 PG without PE", [] { write_cr0(read_cr0() & ~u64{1}); }, 13},
    {"CR0 NW without CD", [] { write_cr0(read_cr0() | 1 << 29); }, 13},
    {"CR0 PG off in 64-bit code", [] { write_cr0(read_cr0() & 0x7FFFFFFF); }, 13},
    {"CR0 ET stays", [] { write_cr0(read_cr0() & ~u64{16}); }, -1, 0, [] { return (read_cr0() & 16) != 0; }},
    {"CR0 AM WP NE hold", [] { write_cr0(read_cr0() | 0x50020); }, -1, 0,
     [] { return (read_cr0() & 0x50020) == 0x50020; }},
    {"LMSW sets TS", [] { asm volatile("lmsw %w0"
                                       :
                                       : "r"(0xB)); }, -1, 0,
     [] { return (read_cr0() & 15) == 11; }},
    {"LMSW does not clear PE", [] { asm volatile("lmsw %w0"
                                                 :
                                                 : "r"(0)); }, -1, 0,
     [] { return (read_cr0() & 15) == 1; }},
    {"CLTS", [] { write_cr0(read_cr0() | 8), ({ asm volatile("clts"); }); }, -1, 0,
     [] { return !(read_cr0() & 8); }},
    {"SMSW reads CR0", [] { asm volatile("smsw %0"
                                         : "=r"(seen)); }, -1, 0,
     [] { return seen == read_cr0(); }},
    {"CR2 holds 64 bits", [] { asm volatile("mov %0, %%cr2"
                                            :
                                            : "r"(u64{0x123456789ABCDEF0})); }, -1, 0,
     [] {
         asm volatile("mov %%cr2, %0" : "=r"(seen));
         return seen == 0x123456789ABCDEF0;
     }},
    {"CR3 bit 63 without PCIDE", [] { write_cr3(Root | u64{1} << 63); }, 13},
    {"CR3 bit 51 is above the address width", [] { write_cr3(Root | u64{1} << 51); }, 13},
    {"CR3 bit 62", [] { write_cr3(Root | u64{1} << 62); }, 13},
    {"CR3 PWT and PCD hold", [] { write_cr3(Root | 0x18); }, -1, 0,
     [] { return read_cr3() == (Root | 0x18); }},
    {"CR4 bit 15", [] { write_cr4(read_cr4() | 1 << 15); }, 13},
    {"CR4 bit 31", [] { write_cr4(read_cr4() | 1u << 31); }, 13},
    {"CR4 bit 63", [] { write_cr4(read_cr4() | u64{1} << 63); }, 13},
    {"CR4 PAE off in long mode", [] { write_cr4(read_cr4() & ~u64{32}); }, 13},
    {"CR4 LA57 in long mode", [] { write_cr4(read_cr4() ^ 1 << 12); }, 13},
    {"CR4 PCIDE", [] { write_cr4(read_cr4() | Pcide); }, -1, 0, [] { return (read_cr4() & Pcide) != 0; }},
    {"CR4 PCIDE with a PCID in CR3", [] { write_cr3(Root | 8), write_cr4(read_cr4() | Pcide); }, 13},
    {"CR3 with PCIDE: bit 63 is taken and not kept",
     [] { write_cr4(read_cr4() | Pcide), write_cr3(Root | 0x123 | u64{1} << 63); }, -1, 0,
     [] { return read_cr3() == (Root | 0x123); }},
    {"CR0 PG off with PCIDE", [] { write_cr4(read_cr4() | Pcide), write_cr0(read_cr0() & 0x7FFFFFFF); }, 13},
    {"CR1", [] { asm volatile(".byte 0x0f, 0x20, 0xc8"); }, 6},
    {"CR5", [] { asm volatile(".byte 0x0f, 0x22, 0xe8"); }, 6},
    {"CR7", [] { asm volatile(".byte 0x0f, 0x20, 0xf8"); }, 6},
    {"CR9", [] { asm volatile(".byte 0x44, 0x0f, 0x20, 0xc8"); }, 6},
    {"CR15", [] { asm volatile(".byte 0x44, 0x0f, 0x22, 0xf8"); }, 6},
    {"MOV CR ignores mod", [] { asm volatile(".byte 0x0f, 0x20, 0x00"
                                             :
                                             :
                                             : "rax"); }},
    {"LOCK MOV CR", [] { asm volatile(".byte 0xf0, 0x0f, 0x20, 0xc0"); }, 6},
    {"CR8 holds the class", [] { asm volatile("mov %0, %%cr8"
                                              :
                                              : "r"(u64{9})); }, -1, 0,
     [] {
         asm volatile("mov %%cr8, %0" : "=r"(seen));
         asm volatile("mov %0, %%cr8" : : "r"(u64{0}));
         return seen == 9;
     }},
    {"CR8 bit 4", [] { asm volatile("mov %0, %%cr8"
                                    :
                                    : "r"(u64{16})); }, 13},
    {"CR8 bit 63", [] { asm volatile("mov %0, %%cr8"
                                     :
                                     : "r"(u64{1} << 63)); }, 13},

    {"EFER bit 1", [] { write_msr(0xC0000080, 0xD03); }, 13},
    {"EFER bit 63", [] { write_msr(0xC0000080, 0xD01 | u64{1} << 63); }, 13},
    {"EFER LME off while paging", [] { write_msr(0xC0000080, 0xC01); }, 13},
    {"EFER LMA is read-only", [] { write_msr(0xC0000080, 0x901); }, -1, 0,
     [] { return read_msr(0xC0000080) == 0xD01; }},
    {"LSTAR not canonical", [] { write_msr(0xC0000082, NotCanonical); }, 13},
    {"CSTAR not canonical", [] { write_msr(0xC0000083, NotCanonical); }, 13},
    {"FS base not canonical", [] { write_msr(0xC0000100, NotCanonical); }, 13},
    {"GS base not canonical", [] { write_msr(0xC0000101, NotCanonical); }, 13},
    {"KernelGS base not canonical", [] { write_msr(0xC0000102, NotCanonical); }, 13},
    {"SYSENTER_ESP not canonical", [] { write_msr(0x175, NotCanonical); }, 13},
    {"SYSENTER_EIP not canonical", [] { write_msr(0x176, NotCanonical); }, 13},
    {"GS base canonical high half", [] { write_msr(0xC0000101, ~u64{0} << 47); }, -1, 0,
     [] { return read_msr(0xC0000101) == ~u64{0} << 47; }},
    {"FMASK has 32 bits", [] { write_msr(0xC0000084, 0x12345678); }, -1, 0,
     [] { return read_msr(0xC0000084) == 0x12345678; }},
    {"PAT type 2", [] { write_msr(0x277, 0x0007040600070402); }, 13},
    {"PAT type 3", [] { write_msr(0x277, 0x0307040600070406); }, 13},
    {"PAT type 8", [] { write_msr(0x277, 0x0007040800070406); }, 13},
    {"PAT type 5 and 1", [] { write_msr(0x277, 0x0105040600070406); }, -1, 0,
     [] { return read_msr(0x277) == 0x0105040600070406; }},
    {"MTRR_DEF_TYPE bit 12", [] { write_msr(0x2FF, 0x1000); }, 13},
    {"MTRR_DEF_TYPE type 2", [] { write_msr(0x2FF, 2); }, 13},
    {"MTRR fixed type 7", [] { write_msr(0x250, 7); }, 13},
    {"MTRR variable base type 3", [] { write_msr(0x200, 3); }, 13},
    {"MTRR variable mask bit 10", [] { write_msr(0x201, 1 << 10); }, 13},
    {"MTRRCAP is read-only", [] { write_msr(0xFE, 0); }, 13},
    {"TSC can be written", [] { write_msr(0x10, u64{1} << 50); }, -1, 0,
     [] { return read_msr(0x10) >> 50 == 1; }},
    {"an MSR that does not exist, read", [] { seen = read_msr(0x12345); }, 13},
    {"an MSR that does not exist, written", [] { write_msr(0x12345, 0); }, 13},
    {"APIC_BASE reserved bit 0", [] { write_msr(0x1B, read_msr(0x1B) | 1); }, 13},
    {"APIC_BASE above the address width", [] { write_msr(0x1B, read_msr(0x1B) | u64{1} << 51); }, 13},
    {"X2APIC ID is not there in xAPIC mode", [] { seen = read_msr(0x802); }, 13},

    {"MISC_ENABLE: BTS and PEBS are fixed", [] { write_msr(0x1A0, 1); }, -1, 0,
     [] { return (read_msr(0x1A0) & 0x1801) == 0x1801; }},
    {"machine-check banks: control holds", [] { write_msr(0x400, ~u64{0}); }, -1, 0,
     [] { return read_msr(0x400) == ~u64{0}; }},
    {"machine-check banks: a status of zero", [] { write_msr(0x401, 0); }, -1, 0,
     [] { return read_msr(0x401) == 0; }},
    {"machine-check banks: any other status", [] { write_msr(0x401, 1); }, 13},
    {"RDPMC of a counter that does not exist",
     [] { asm volatile("rdpmc"
                       :
                       : "c"(0x3FFFFFFF)
                       : "eax", "edx"); }, 13},
    {"XSETBV without OSXSAVE", [] { xsetbv(0, 1); }, 6},
    {"XGETBV without OSXSAVE", [] { asm volatile("xgetbv"
                                                 :
                                                 : "c"(0)
                                                 : "eax", "edx"); }, 6},
    {"XSETBV", [] { write_cr4(read_cr4() | Osxsave), xsetbv(0, 3); }},
    {"XSETBV without x87", [] { write_cr4(read_cr4() | Osxsave), xsetbv(0, 2); }, 13},
    {"XSETBV AVX without SSE", [] { write_cr4(read_cr4() | Osxsave), xsetbv(0, 5); }, 13},
    {"XSETBV index 1", [] { write_cr4(read_cr4() | Osxsave), xsetbv(1, 1); }, 13},
    {"XSETBV bit 63", [] { write_cr4(read_cr4() | Osxsave), xsetbv(0, u64{1} << 63 | 1); }, 13},
    {"XGETBV index 2",
     [] { write_cr4(read_cr4() | Osxsave), ({
              asm volatile("xgetbv" : : "c"(2) : "eax", "edx");
          }); }, 13},

    {"INVPCID type 4", [] { invpcid(4, 0, 0); }, 13},
    {"INVPCID reserved bits", [] { invpcid(2, 0x1000, 0); }, 13},
    {"INVPCID 0 not canonical", [] { invpcid(0, 0, NotCanonical); }, 13},
    {"INVPCID 2 does not look at the address", [] { invpcid(2, 0, NotCanonical); }},
    {"INVPCID 0 with a PCID and no PCIDE", [] { invpcid(0, 1, 0); }, 13},
    {"INVPCID 1 with a PCID and no PCIDE", [] { invpcid(1, 1, 0); }, 13},
    {"INVPCID 3", [] { invpcid(3, 0, 0); }},
    {"INVPCID of a register", [] { asm volatile(".byte 0x66, 0x0f, 0x38, 0x82, 0xc0"); }, 6},
    {"INVPCID without 66", [] { asm volatile(".byte 0x0f, 0x38, 0x82, 0x00"); }, 6},
    {"INVLPG not canonical does nothing", [] { invlpg(NotCanonical); }},
    {"RDFSBASE without FSGSBASE", [] { asm volatile("rdfsbase %0"
                                                    : "=r"(seen)); }, 6},
    {"WRGSBASE",
     [] { write_cr4(read_cr4() | Fsgsbase), ({
              asm volatile("wrgsbase %0" : : "r"(u64{0x1234}));
          }); }, -1, 0,
     [] { return read_msr(0xC0000101) == 0x1234; }},
    {"WRFSBASE not canonical",
     [] { write_cr4(read_cr4() | Fsgsbase), ({
              asm volatile("wrfsbase %0" : : "r"(NotCanonical));
          }); }, 13},
    {"SWAPGS",
     [] { write_msr(0xC0000102, 0x77), write_msr(0xC0000101, 0x88), ({ asm volatile("swapgs"); }); }, -1, 0,
     [] { return read_msr(0xC0000101) == 0x77 && read_msr(0xC0000102) == 0x88; }},
    {"LGDT not canonical", [] { load_gdt({0xFF, NotCanonical}); }, 13},
    {"LIDT not canonical", [] { load_idt({0xFFF, NotCanonical}); }, 13},
    {"SGDT",
     [] {
         static TablePointer p;
         asm volatile("sgdt %0" : "=m"(p));
         seen = p.base == reinterpret_cast<u64>(gdt) && p.limit == sizeof gdt - 1;
     },
     -1, 0, [] { return seen == 1; }},
    {"RSM outside SMM", [] { asm volatile("rsm"); }, 6},
    {"PUSHF does not show RF and VM", [] { seen = flags(); }, -1, 0, [] { return !(seen & 0x30000); }},
    {"POPF sets IOPL and NT at CPL 0", [] { set_flags(0x7002), seen = flags(), set_flags(2); }, -1, 0,
     [] { return (seen & 0x7000) == 0x7000; }},
    {"POPF ID flag", [] { set_flags(0x200002), seen = flags(), set_flags(2); }, -1, 0,
     [] { return (seen & 0x200000) != 0; }},
};

// At CPL 3 each of these is #GP(0), but for those that are not there at all.
constexpr Row user_rows[] = {
    {"MOV from CR0", [] { read_cr0(); }, 13, 0, nullptr, User},
    {"MOV to CR0", [] { write_cr0(0x80010033); }, 13, 0, nullptr, User},
    {"MOV from CR8", [] { asm volatile("mov %%cr8, %%rax"
                                       :
                                       :
                                       : "rax"); }, 13, 0, nullptr, User},
    {"MOV to CR3", [] { write_cr3(Root); }, 13, 0, nullptr, User},
    {"MOV from DR7", [] { read_dr7(); }, 13, 0, nullptr, User},
    {"MOV to DR0", [] { write_dr0(0); }, 13, 0, nullptr, User},
    {"CLTS", [] { asm volatile("clts"); }, 13, 0, nullptr, User},
    {"LMSW", [] { asm volatile("lmsw %w0"
                               :
                               : "r"(1)); }, 13, 0, nullptr, User},
    {"HLT", [] { asm volatile("hlt"); }, 13, 0, nullptr, User},
    {"INVLPG", [] { invlpg(0); }, 13, 0, nullptr, User},
    {"INVPCID", [] { invpcid(2, 0, 0); }, 13, 0, nullptr, User},
    {"INVD", [] { asm volatile("invd"); }, 13, 0, nullptr, User},
    {"WBINVD", [] { asm volatile("wbinvd"); }, 13, 0, nullptr, User},
    {"LGDT", [] { load_gdt({0xFF, 0}); }, 13, 0, nullptr, User},
    {"LIDT", [] { load_idt({0xFF, 0}); }, 13, 0, nullptr, User},
    {"LLDT", [] { asm volatile("lldt %w0"
                               :
                               : "r"(0)); }, 13, 0, nullptr, User},
    {"LTR", [] { asm volatile("ltr %w0"
                              :
                              : "r"(0x30)); }, 13, 0, nullptr, User},
    {"RDMSR", [] { read_msr(0x10); }, 13, 0, nullptr, User},
    {"WRMSR", [] { write_msr(0x10, 0); }, 13, 0, nullptr, User},
    {"SWAPGS", [] { asm volatile("swapgs"); }, 13, 0, nullptr, User},
    {"SYSRET", [] { asm volatile("sysretq"); }, 13, 0, nullptr, User},
    {"SYSEXIT", [] { asm volatile("sysexit"); }, 13, 0, nullptr, User},
    {"CLI", [] { asm volatile("cli"); }, 13, 0, nullptr, User},
    {"STI", [] { asm volatile("sti"); }, 13, 0, nullptr, User},
    {"IN", [] { in8(0x80); }, 13, 0, nullptr, User},
    {"OUT", [] { out8(0x80, 0); }, 13, 0, nullptr, User},
    {"INSB", [] { asm volatile("insb"
                               :
                               : "d"(0x80), "D"(Page)
                               : "memory"); }, 13, 0, nullptr, User},
    {"OUTSB", [] { asm volatile("outsb"
                                :
                                : "d"(0x80), "S"(Page)
                                : "memory"); }, 13, 0, nullptr, User},
    {"IN with the port's bit clear", [] { in8(0x80); }, -1, 0, nullptr, User, [] { tss.map[0x10] = 0xFE; }},
    {"IN of a word with one bit set", [] { asm volatile("inw %%dx, %%ax"
                                                        :
                                                        : "d"(0x80)
                                                        : "eax"); }, 13, 0,
     nullptr, User, [] { tss.map[0x10] = 0xFD; }},
    {"IN across two bytes of the map", [] { asm volatile("inw %%dx, %%ax"
                                                         :
                                                         : "d"(0x87)
                                                         : "eax"); }, 13, 0,
     nullptr, User, [] { tss.map[0x10] = 0x7F, tss.map[0x11] = 0xFF; }},
    {"IN with IOPL 3", [] { in8(0x80); }, -1, 0, nullptr, UserIopl3},
    {"CLI with IOPL 3", [] { asm volatile("cli"); }, -1, 0, nullptr, UserIopl3},
    {"POPF sets IF with IOPL 3, not IOPL",
     [] { set_flags(0x202), seen = flags(), ({ asm volatile("cli"); }); }, -1, 0,
     [] { return (seen & 0x3200) == 0x3200; }, UserIopl3},
    {"RDTSC with TSD", [] { asm volatile("rdtsc"
                                         :
                                         :
                                         : "eax", "edx"); }, 13, 0, nullptr, User,
     [] { write_cr4(read_cr4() | Tsd); }},
    {"RDTSCP with TSD", [] { asm volatile("rdtscp"
                                          :
                                          :
                                          : "eax", "ecx", "edx"); }, 13, 0, nullptr, User,
     [] { write_cr4(read_cr4() | Tsd); }},
    {"RDPMC without PCE", [] { asm volatile("rdpmc"
                                            :
                                            : "c"(0)
                                            : "eax", "edx"); }, 13, 0, nullptr, User},
    {"SGDT with UMIP", [] { asm volatile("sgdt (%0)"
                                         :
                                         : "r"(Page)
                                         : "memory"); }, 13, 0, nullptr, User,
     [] { write_cr4(read_cr4() | Umip); }},
    {"SIDT with UMIP", [] { asm volatile("sidt (%0)"
                                         :
                                         : "r"(Page)
                                         : "memory"); }, 13, 0, nullptr, User,
     [] { write_cr4(read_cr4() | Umip); }},
    {"SLDT with UMIP", [] { asm volatile("sldt %%eax"
                                         :
                                         :
                                         : "eax"); }, 13, 0, nullptr, User,
     [] { write_cr4(read_cr4() | Umip); }},
    {"STR with UMIP", [] { asm volatile("str %%eax"
                                        :
                                        :
                                        : "eax"); }, 13, 0, nullptr, User,
     [] { write_cr4(read_cr4() | Umip); }},
    {"SMSW with UMIP", [] { asm volatile("smsw %%eax"
                                         :
                                         :
                                         : "eax"); }, 13, 0, nullptr, User,
     [] { write_cr4(read_cr4() | Umip); }},
    {"XSETBV", [] { xsetbv(0, 1); }, 13, 0, nullptr, User, [] { write_cr4(read_cr4() | Osxsave); }},
    {"XGETBV", [] { asm volatile("xgetbv"
                                 :
                                 : "c"(0)
                                 : "eax", "edx"); }, -1, 0, nullptr, User,
     [] { write_cr4(read_cr4() | Osxsave); }},
    {"MOV to DR4 with GD", [] { write_dr0(0); }, 13, 0, nullptr, User, [] { write_dr7(0x2400); }},
    {"STAC", [] { asm volatile("stac"); }, 6, 0, nullptr, User},
    {"CLAC", [] { asm volatile("clac"); }, 6, 0, nullptr, User},
    {"XGETBV without OSXSAVE", [] { asm volatile("xgetbv"
                                                 :
                                                 : "c"(0)
                                                 : "eax", "edx"); }, 6, 0, nullptr, User},
    {"RDTSC", [] { asm volatile("rdtsc"
                                :
                                :
                                : "eax", "edx"); }, -1, 0, nullptr, User},
    {"SGDT", [] { asm volatile("sgdt (%0)"
                               :
                               : "r"(Page)
                               : "memory"); }, -1, 0, nullptr, User},
    {"SIDT", [] { asm volatile("sidt (%0)"
                               :
                               : "r"(Page)
                               : "memory"); }, -1, 0, nullptr, User},
    {"SLDT", [] { asm volatile("sldt %%eax"
                               :
                               :
                               : "eax"); }, -1, 0, nullptr, User},
    {"STR", [] { asm volatile("str %%eax"
                              :
                              :
                              : "eax"); }, -1, 0, nullptr, User},
    {"SMSW", [] { asm volatile("smsw %%eax"
                               :
                               :
                               : "eax"); }, -1, 0, nullptr, User},
    {"POPF cannot set IF or IOPL", [] { set_flags(0x3202), seen = flags(); }, -1, 0,
     [] { return !(seen & 0x3200); }, User},
    {"INT1 has no privilege check", [] { asm volatile(".byte 0xf1"); }, 1, 0, nullptr, User},
    {"INT 41h behind a gate of DPL 0", [] { asm volatile("int $0x41"); }, 13, 0x41 * 8 + 2, nullptr, User},
};

} // namespace

void control_rows() {
    run_rows("control", rows);
    run_rows("CPL 3", user_rows);
}

} // namespace privileged
