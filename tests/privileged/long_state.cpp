// x87, SSE and XSAVE as the system sees them; alignment checks; LOCK; instruction length. Intel SDM vol. 1
// 13; 3A 2.5, 6.15.
#include "tests/privileged/long.h"

namespace privileged {
namespace {

constexpr u64 Em = 4, Ts = 8, Mp = 2, Osfxsr = 512, Osxsave = 1 << 18, Am = 1 << 18;
void cr0(u64 bits) { write_cr0(read_cr0() | bits); }
void fxsave(u64 at) { asm volatile("fxsave (%0)" : : "r"(at) : "memory"); }
void fxrstor(u64 at) { asm volatile("fxrstor (%0)" : : "r"(at) : "memory"); }
void xsave(u64 at) { asm volatile("xsave (%0)" : : "r"(at), "a"(3), "d"(0) : "memory"); }
void xrstor(u64 at) { asm volatile("xrstor (%0)" : : "r"(at), "a"(3), "d"(0) : "memory"); }
void enable_xsave() {
    write_cr4(read_cr4() | Osxsave);
    asm volatile("xsetbv" : : "c"(0), "a"(3), "d"(0));
}
void clean_area() {
    for (u64 i = 0; i < 128; ++i) entry_at(Page, i) = 0;
    reinterpret_cast<u32*>(Page)[6] = 0x1F80;
}
void ldmxcsr(u32 value) { asm volatile("ldmxcsr %0" : : "m"(value)); }
void sse() { asm volatile("addps %xmm0, %xmm0"); }
void x87() { asm volatile("fnop"); }
bool at_page() { return caught.cr2 == Page; }
/// Alignment checks: CR0.AM is set by the row's preparation, AC by the row, both count at CPL 3 only.
void check_alignment() { cr0(Am); }
void ac() { asm volatile("pushfq\n orl $0x40000, (%%rsp)\n popfq" : : : "memory", "cc"); }
template <u64 At> void read16() {
    ac(), ({ asm volatile("movw (%0), %%ax" : : "r"(At) : "rax"); });
}
template <u64 At> void read32() {
    ac(), ({ asm volatile("movl (%0), %%eax" : : "r"(At) : "rax"); });
}
template <u64 At> void read64() {
    ac(), ({ asm volatile("movq (%0), %%rax" : : "r"(At) : "rax"); });
}
u64 seen;

constexpr Row rows[] = {
    {"x87 with TS", [] { cr0(Ts), x87(); }, 7},
    {"x87 with EM", [] { cr0(Em), x87(); }, 7},
    {"WAIT with TS and MP", [] { cr0(Ts | Mp), ({ asm volatile("fwait"); }); }, 7},
    {"WAIT with TS alone", [] { write_cr0((read_cr0() & ~Mp) | Ts), ({ asm volatile("fwait"); }); }},
    {"MMX with EM", [] { cr0(Em), ({ asm volatile("emms"); }); }, 6},
    {"MMX with TS", [] { cr0(Ts), ({ asm volatile("emms"); }); }, 7},
    {"SSE with EM", [] { cr0(Em), sse(); }, 6},
    {"SSE with TS", [] { cr0(Ts), sse(); }, 7},
    {"SSE without OSFXSR", [] { write_cr4(read_cr4() & ~Osfxsr), sse(); }, 6},
    {"SSE without OSFXSR and with TS", [] { write_cr4(read_cr4() & ~Osfxsr), cr0(Ts), sse(); }, 6},
    {"CRC32-free integer code does not look at TS",
     [] { cr0(Ts), ({
              asm volatile("movnti %%eax, (%0)" : : "r"(Page) : "memory");
          }); }},
    {"LDMXCSR reserved bits", [] { ldmxcsr(0x10000); }, 13, 0},
    {"LDMXCSR with TS", [] { cr0(Ts), ldmxcsr(0x1F80); }, 7},
    {"SIMD exception",
     [] {
         ldmxcsr(0x1D80), ({
             asm volatile("xorps %xmm0, %xmm0\n pcmpeqd %xmm1, %xmm1\n psrld $31, %xmm1\n cvtdq2ps %xmm1, "
                          "%xmm1\n divps %xmm0, %xmm1");
         });
     },
     19},
    {"SIMD exception without OSXMMEXCPT",
     [] {
         write_cr4(read_cr4() & ~u64{1024}), ldmxcsr(0x1D80), ({
             asm volatile("xorps %xmm0, %xmm0\n pcmpeqd %xmm1, %xmm1\n psrld $31, %xmm1\n cvtdq2ps %xmm1, "
                          "%xmm1\n divps %xmm0, %xmm1");
         });
     },
     6},
    {"x87 exception at the next waiting instruction",
     [] {
         const u16 control = 0x37B;
         asm volatile("fninit\n fldcw %0\n fldz\n fld1\n fdivp\n fwait" : : "m"(control));
     },
     16},
    {"FNSTSW does not wait",
     [] {
         const u16 control = 0x37B;
         asm volatile("fninit\n fldcw %0\n fldz\n fld1\n fdivp\n fnstsw %%ax\n fnclex\n fninit"
                      :
                      : "m"(control)
                      : "rax");
     }},
    {"MOVAPS not aligned", [] { asm volatile("movaps (%0), %%xmm0"
                                             :
                                             : "r"(Page + 8)); }, 13, 0},
    {"MOVUPS not aligned", [] { asm volatile("movups (%0), %%xmm0"
                                             :
                                             : "r"(Page + 8)); }},
    {"PADDB memory operand not aligned", [] { asm volatile("paddb (%0), %%xmm0"
                                                           :
                                                           : "r"(Page + 8)); }, 13, 0},
    {"MOVNTDQ not aligned", [] { asm volatile("movntdq %%xmm0, (%0)"
                                              :
                                              : "r"(Page + 4)
                                              : "memory"); }, 13, 0},
    {"CMPXCHG16B not aligned",
     [] { asm volatile("cmpxchg16b (%0)"
                       :
                       : "r"(Page + 8)
                       : "rax", "rdx", "memory"); }, 13, 0},

    {"FXSAVE not aligned", [] { fxsave(Page + 8); }, 13, 0},
    {"FXRSTOR not aligned", [] { fxrstor(Page + 8); }, 13, 0},
    {"FXRSTOR reserved bits of MXCSR",
     [] { clean_area(), reinterpret_cast<u32*>(Page)[6] = 0x10000, fxrstor(Page); }, 13, 0},
    {"FXSAVE with TS", [] { cr0(Ts), fxsave(Page); }, 7},
    {"FXSAVE with EM", [] { cr0(Em), fxsave(Page); }, 7},
    {"FXSAVE to a missing page is a write", [] { map(Page, 0), fxsave(Page); }, 14, 2, at_page},
    {"FXSAVE to a read-only page", [] { map(Page, 1), fxsave(Page); }, 14, 3, at_page},
    {"FXSAVE leaves bytes 464–511", [] { clean_area(), entry_at(Page, 63) = 77, fxsave(Page); }, -1, 0,
     [] { return entry_at(Page, 63) == 77; }},
    {"FXSAVE of a register", [] { asm volatile(".byte 0x0f, 0xae, 0xc0"); }, 6},
    {"XSAVE without OSXSAVE", [] { xsave(Page); }, 6},
    {"XSAVE", [] { enable_xsave(), clean_area(), xsave(Page); }, -1, 0,
     [] { return (entry_at(Page, 64) & 3) == 3 || entry_at(Page, 64) < 4; }},
    {"XSAVE not aligned to 64", [] { enable_xsave(), xsave(Page + 16); }, 13, 0},
    {"XSAVE with TS", [] { enable_xsave(), cr0(Ts), xsave(Page); }, 7},
    {"XSAVE to a missing page is a write", [] { enable_xsave(), map(Page, 0), xsave(Page); }, 14, 2, at_page},
    {"XSAVE with LOCK",
     [] { enable_xsave(), ({
              asm volatile(".byte 0xf0, 0x0f, 0xae, 0x20" : : "a"(Page));
          }); }, 6},
    {"XRSTOR of a fresh area", [] { enable_xsave(), clean_area(), xrstor(Page); }},
    {"XRSTOR XSTATE_BV beyond XCR0",
     [] { enable_xsave(), clean_area(), entry_at(Page, 64) = 8, xrstor(Page); }, 13, 0},
    {"XRSTOR XSTATE_BV bit 62",
     [] { enable_xsave(), clean_area(), entry_at(Page, 64) = u64{1} << 62, xrstor(Page); }, 13, 0},
    {"XRSTOR header bytes 8–23", [] { enable_xsave(), clean_area(), entry_at(Page, 66) = 1, xrstor(Page); },
     13, 0},
    {"XRSTOR compacted form without XSAVEC",
     [] { enable_xsave(), clean_area(), entry_at(Page, 65) = 1, xrstor(Page); }, 13, 0},
    {"XRSTOR reserved bits of MXCSR",
     [] { enable_xsave(), clean_area(), reinterpret_cast<u32*>(Page)[6] = 0x10000, xrstor(Page); }, 13, 0},
    {"XRSTOR not aligned", [] { enable_xsave(), xrstor(Page + 32); }, 13, 0},

    {"#AC word", read16<Page + 1>, 17, 0, nullptr, User, check_alignment},
    {"#AC doubleword", read32<Page + 2>, 17, 0, nullptr, User, check_alignment},
    {"#AC quadword", read64<Page + 4>, 17, 0, nullptr, User, check_alignment},
    {"no #AC aligned", read64<Page + 8>, -1, 0, nullptr, User, check_alignment},
    {"no #AC without AM", read64<Page + 4>, -1, 0, nullptr, User},
    {"no #AC at CPL 0", read64<Page + 4>, -1, 0, nullptr, Kernel, check_alignment},
    {"#AC write", [] { ac(), store(Page + 1, 5); }, 17, 0, nullptr, User, check_alignment},
    {"#AC on a stack", [] { ac(), ({ asm volatile("decq %rsp\n pushq $0"); }); }, 17, 0, nullptr, User,
     check_alignment},
    {"#AC comes before the page fault", [] { ac(), load(Page + 0xFFC); }, 17, 0, nullptr, User,
     [] { check_alignment(), map(Page2, 0); }},
    {"#AC of SGDT: six or ten bytes want four",
     [] { ac(), ({
              asm volatile("sgdt (%0)" : : "r"(Page + 4) : "memory");
          }); }, -1, 0, nullptr, User,
     check_alignment},
    {"#AC of x87 double", [] { ac(), ({
                                   asm volatile("fldl (%0)\n fninit" : : "r"(Page + 4));
                               }); }, 17, 0,
     nullptr, User, check_alignment},
    {"no #AC of x87 extended at 8", [] { ac(), ({
                                             asm volatile("fldt (%0)\n fninit" : : "r"(Page + 8));
                                         }); },
     -1, 0, nullptr, User, check_alignment},
    {"#AC of x87 extended at 4", [] { ac(), ({
                                          asm volatile("fldt (%0)\n fninit" : : "r"(Page + 4));
                                      }); },
     17, 0, nullptr, User, check_alignment},
    {"#AC of MOVSQ", [] { ac(), ({
                              asm volatile("movsq" : : "S"(Page + 4), "D"(Page2) : "memory");
                          }); }, 17,
     0, nullptr, User, check_alignment},
    {"implicit accesses know no #AC", [] { ac(), ({ asm volatile("int3"); }); }, 3, 0, nullptr, User,
     check_alignment},

    {"LOCK NOP", [] { asm volatile(".byte 0xf0, 0x90"); }, 6},
    {"LOCK ADD register", [] { asm volatile(".byte 0xf0, 0x01, 0xc0"
                                            :
                                            :
                                            : "rax"); }, 6},
    {"LOCK CMP", [] { asm volatile(".byte 0xf0, 0x39, 0x00"
                                   :
                                   : "a"(Page)); }, 6},
    {"LOCK MOV", [] { asm volatile(".byte 0xf0, 0x89, 0x00"
                                   :
                                   : "a"(Page)); }, 6},
    {"LOCK BT", [] { asm volatile(".byte 0xf0, 0x0f, 0xa3, 0x00"
                                  :
                                  : "a"(Page)); }, 6},
    {"LOCK BTS", [] { asm volatile(".byte 0xf0, 0x0f, 0xab, 0x10"
                                   :
                                   : "a"(Page), "d"(0)
                                   : "memory"); }},
    {"LOCK INC", [] { asm volatile("lock incl (%0)"
                                   :
                                   : "r"(Page)
                                   : "memory"); }},
    {"16 bytes",
     [] {
         asm volatile(".byte 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, "
                      "0x66, 0x66, 0x90");
     },
     13, 0},
    {"15 bytes",
     [] {
         asm volatile(".byte 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, "
                      "0x66, 0x90");
     }},
    {"UD0", [] { asm volatile(".byte 0x0f, 0xff, 0xc0"); }, 6},
    {"UD1", [] { asm volatile(".byte 0x0f, 0xb9, 0xc0"); }, 6},
    {"UD2", [] { asm volatile("ud2"); }, 6},
    {"PUSH ES", [] { asm volatile(".byte 0x06"); }, 6},
    {"DAA", [] { asm volatile(".byte 0x27"); }, 6},
    {"AAM", [] { asm volatile(".byte 0xd4, 0x0a"); }, 6},
    {"PUSHA", [] { asm volatile(".byte 0x60"); }, 6},
    {"LEA of a register", [] { asm volatile(".byte 0x8d, 0xc0"); }, 6},
    {"CALL far direct", [] { asm volatile(".byte 0x9a, 0, 0, 0, 0, 0, 0"); }, 6},
    {"group 1 alias 82", [] { asm volatile(".byte 0x82, 0xc0, 0x00"); }, 6},
    {"MOV imm with reg 1", [] { asm volatile(".byte 0xc7, 0xc8, 0, 0, 0, 0"); }, 6},
    {"POP with reg 1", [] { asm volatile(".byte 0x8f, 0xc8"); }, 6},
    {"FE with reg 2", [] { asm volatile(".byte 0xfe, 0xd0"); }, 6},
    {"FF with reg 7", [] { asm volatile(".byte 0xff, 0xf8"); }, 6},
    {"CALL far of a register", [] { asm volatile(".byte 0xff, 0xd8"); }, 6},
    {"CMPXCHG8B of a register", [] { asm volatile(".byte 0x0f, 0xc7, 0xc8"); }, 6},
    {"group 8 with reg 3", [] { asm volatile(".byte 0x0f, 0xba, 0xd8, 0x00"); }, 6},
    {"DIV by zero", [] { asm volatile("divl %0"
                                      :
                                      : "r"(0), "a"(1), "d"(0)); }, 0},
    {"DIV overflow", [] { asm volatile("divl %0"
                                       :
                                       : "r"(1), "a"(0), "d"(1)); }, 0},
    {"IDIV overflow", [] { asm volatile("idivl %0"
                                        :
                                        : "r"(-1), "a"(0x80000000u), "d"(0xFFFFFFFFu)); }, 0, 0,
     [] { return *reinterpret_cast<u8*>(caught.ip) == 0xF7; }},
    {"SWAPGS at CPL 0 needs 64-bit code only", [] { asm volatile("swapgs\n swapgs"); }},
    {"CPUID at CPL 3", [] { asm volatile("cpuid"
                                         : "=a"(seen)
                                         : "a"(0), "c"(0)
                                         : "rbx", "rdx"); }, -1, 0,
     [] { return seen >= 0xD; }, User},
    {"HLT wakes up for nothing: not executed at CPL 3", [] { asm volatile("hlt"); }, 13, 0, nullptr, User},
};

} // namespace

void state_rows() { run_rows("state", rows); }

} // namespace privileged
