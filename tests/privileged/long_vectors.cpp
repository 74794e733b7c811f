// AVX and the XSAVE family as the system sees them: when VEX encodings are #UD or #NM, upper halves, masked
// accesses and gathers that fault, XCR0, and both formats of the save area. Intel SDM vol. 1 ch. 13, 14; vol.
// 2 2.3–2.4. Here the processor model is v3.
#include "tests/privileged/long.h"

namespace privileged {
namespace {

constexpr u64 Em = 4, Ts = 8, Osfxsr = 512, Osxsave = 1 << 18;
void cr0(u64 bits) { write_cr0(read_cr0() | bits); }
void set_xcr0(u64 value) {
    asm volatile("xsetbv" : : "c"(0), "a"(static_cast<u32>(value)), "d"(static_cast<u32>(value >> 32)));
}
u64 get_xcr(u32 index) {
    u32 low, high;
    asm volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(index));
    return low | static_cast<u64>(high) << 32;
}
void enable(u64 components = 7) { write_cr4(read_cr4() | Osxsave), set_xcr0(components); }
void add() { asm volatile("vaddps %ymm0, %ymm0, %ymm0"); }
/// All ones in a whole register, and the four quadwords of ymm1.
void ones() {
    enable(), ({ asm volatile("vpcmpeqd %ymm1, %ymm1, %ymm1\n vpcmpeqd %ymm2, %ymm2, %ymm2"); });
}
u64 lanes[4];
void look() { asm volatile("vmovdqu %%ymm1, %0" : "=m"(lanes)); }
template <u64 A, u64 B, u64 C, u64 D> bool ymm1_is() {
    return lanes[0] == A && lanes[1] == B && lanes[2] == C && lanes[3] == D;
}
constexpr u64 All = ~u64{0};

/// A save area in a page of its own: quadword 64 is XSTATE_BV, 65 XCOMP_BV, 72 the AVX state.
constexpr u64 Area = Page, State = 64, Compaction = 65, Avx = 72, Compact = u64{1} << 63;
void clean() {
    for (u64 i = 0; i < 128; ++i) entry_at(Area, i) = 0;
    reinterpret_cast<u32*>(Area)[6] = 0x1F80;
}
void paint() {
    for (u64 i = 0; i < 128; ++i) entry_at(Area, i) = 0x5555;
    entry_at(Area, State) = 0;
}
#define SAVE(name, text)                                                                                     \
    void name(u32 components, u64 at = Area) {                                                               \
        asm volatile(text " (%0)" : : "r"(at), "a"(components), "d"(0) : "memory");                          \
    }
SAVE(xsave, "xsave")
SAVE(xsaveopt, "xsaveopt")
SAVE(xsavec, "xsavec")
SAVE(xsaves, "xsaves")
SAVE(xrstor, "xrstor")
SAVE(xrstors, "xrstors")
u32 cpuid_d(u32 subleaf) {
    u32 a = 13, b, c = subleaf, d;
    asm volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
    return b;
}
u64 seen;
bool at_page2() { return caught.cr2 == Page2; }
bool nothing_written() { return load(Page2 - 8) == 77; }
/// Four elements around the end of Page, of which `mask` takes some; Page2 is missing.
void halves(u64 first, u64 second) {
    enable(), map(Page2, 0), store(Page2 - 8, 77);
    const u64 mask[4] = {first, second, 0, 0};
    asm volatile("vmovdqu %0, %%ymm2\n vpcmpeqd %%ymm1, %%ymm1, %%ymm1" : : "m"(mask));
}
void gather(u64 scale_of_index) { // quadwords at Page2 − 16 + 8 × {0, 1, n, 0}
    const u64 index[4] = {0, 1, scale_of_index, 0};
    asm volatile("vmovdqu %0, %%ymm3\n vpcmpeqd %%ymm2, %%ymm2, %%ymm2\n"
                 "vpgatherqq %%ymm2, (%1, %%ymm3, 8), %%ymm1"
                 :
                 : "m"(index), "r"(Page2 - 16)
                 : "memory");
}

constexpr Row rows[] = {
    {"AVX without OSXSAVE", [] { add(); }, 6},
    {"AVX with XCR0 1", [] { enable(1), add(); }, 6},
    {"AVX with XCR0 3", [] { enable(3), add(); }, 6},
    {"AVX with XCR0 7", [] { enable(), add(); }},
    {"AVX with TS", [] { enable(), cr0(Ts), add(); }, 7},
    {"AVX with TS and without XCR0", [] { enable(3), cr0(Ts), add(); }, 6},
    {"AVX does not look at EM", [] { enable(), cr0(Em), add(); }},
    {"AVX does not look at OSFXSR", [] { enable(), write_cr4(read_cr4() & ~Osfxsr), add(); }},
    {"AVX-128 without XCR0.AVX", [] { enable(3), ({ asm volatile("vaddps %xmm0, %xmm0, %xmm0"); }); }, 6},
    {"VZEROUPPER without XCR0.AVX", [] { enable(3), ({ asm volatile("vzeroupper"); }); }, 6},
    {"ANDN needs no OSXSAVE and looks not at TS",
     [] { cr0(Ts), ({
              asm volatile("andn %%rax, %%rax, %%rax" : : : "rax", "cc");
          }); }},
    {"66 before VEX", [] { enable(), ({ asm volatile(".byte 0x66, 0xc5, 0xfc, 0x58, 0xc0"); }); }, 6},
    {"F3 before VEX", [] { enable(), ({ asm volatile(".byte 0xf3, 0xc5, 0xfc, 0x58, 0xc0"); }); }, 6},
    {"F2 before VEX", [] { enable(), ({ asm volatile(".byte 0xf2, 0xc5, 0xfc, 0x58, 0xc0"); }); }, 6},
    {"LOCK before VEX", [] { enable(), ({ asm volatile(".byte 0xf0, 0xc5, 0xfc, 0x58, 0xc0"); }); }, 6},
    {"REX before VEX", [] { enable(), ({ asm volatile(".byte 0x48, 0xc5, 0xfc, 0x58, 0xc0"); }); }, 6},
    {"REX and then 67 before VEX",
     [] { enable(), ({ asm volatile(".byte 0x48, 0x67, 0xc5, 0xfc, 0x58, 0xc0"); }); }},
    {"VEX map 0", [] { enable(), ({ asm volatile(".byte 0xc4, 0xe0, 0x7c, 0x58, 0xc0"); }); }, 6},
    {"VEX map 4", [] { enable(), ({ asm volatile(".byte 0xc4, 0xe4, 0x7c, 0x58, 0xc0"); }); }, 6},
    {"VMOVAPS with vvvv", [] { enable(), ({ asm volatile(".byte 0xc5, 0xf4, 0x28, 0xc0"); }); }, 6},
    {"VMOVD with VEX.L", [] { enable(), ({ asm volatile(".byte 0xc5, 0xfd, 0x6e, 0xc0"); }); }, 6},
    {"VADDSS with VEX.L", [] { enable(), ({ asm volatile(".byte 0xc5, 0xfe, 0x58, 0xc0"); }); }},
    {"VBROADCASTF128 of a register",
     [] { enable(), ({ asm volatile(".byte 0xc4, 0xe2, 0x7d, 0x1a, 0xc0"); }); }, 6},
    {"VPERMILPS with W1", [] { enable(), ({ asm volatile(".byte 0xc4, 0xe2, 0xfd, 0x0c, 0xc0"); }); }, 6},
    {"VPERMQ with L0", [] { enable(), ({ asm volatile(".byte 0xc4, 0xe3, 0xf9, 0x00, 0xc0, 0"); }); }, 6},
    {"BLSR with VEX.L", [] { asm volatile(".byte 0xc4, 0xe2, 0x7c, 0xf3, 0xc8"); }, 6},
    {"gather into its mask",
     [] { enable(), ({
              asm volatile(".byte 0xc4, 0xe2, 0x75, 0x90, 0x0c, 0x10" : : "a"(Page));
          }); }, 6},
    {"gather without a vector index",
     [] { enable(), ({
              asm volatile(".byte 0xc4, 0xe2, 0x75, 0x90, 0x00" : : "a"(Page));
          }); }, 6},
    {"VMASKMOVPS of registers", [] { enable(), ({ asm volatile(".byte 0xc4, 0xe2, 0x75, 0x2c, 0xc1"); }); },
     6},

    {"VADDPS memory operand not aligned",
     [] { enable(), ({
              asm volatile("vaddps (%0), %%ymm0, %%ymm0" : : "r"(Page + 1));
          }); }},
    {"VMOVAPS ymm wants 32", [] { enable(), ({
                                      asm volatile("vmovaps (%0), %%ymm0" : : "r"(Page + 16));
                                  }); },
     13, 0},
    {"VMOVAPS xmm wants 16",
     [] { enable(), ({
              asm volatile("vmovaps (%0), %%xmm0" : : "r"(Page + 16));
          }); }},
    {"VMOVNTPS ymm wants 32",
     [] { enable(), ({
              asm volatile("vmovntps %%ymm0, (%0)" : : "r"(Page + 16) : "memory");
          }); }, 13, 0},
    {"VMOVNTDQA ymm wants 32",
     [] { enable(), ({
              asm volatile("vmovntdqa (%0), %%ymm0" : : "r"(Page + 16));
          }); }, 13, 0},
    {"VMOVUPS across a missing page",
     [] {
         enable(), map(Page2, 0), store(Page2 - 8, 77), ({
             asm volatile("vmovups %%ymm0, (%0)" : : "r"(Page2 - 16) : "memory");
         });
     },
     14, 2, [] { return at_page2() && nothing_written(); }},

    {"VEX.128 clears the upper half",
     [] { ones(), ({ asm volatile("vpand %xmm2, %xmm2, %xmm1"); }), look(); }, -1, 0,
     ymm1_is<All, All, 0, 0>},
    {"a legacy instruction leaves the upper half",
     [] { ones(), ({ asm volatile("pxor %xmm1, %xmm1"); }), look(); }, -1, 0, ymm1_is<0, 0, All, All>},
    {"VMOVSS from memory clears",
     [] {
         ones(), store(Page, 5), ({ asm volatile("vmovss (%0), %%xmm1" : : "r"(Page)); }), look();
     },
     -1, 0, ymm1_is<5, 0, 0, 0>},
    {"VZEROUPPER", [] { ones(), ({ asm volatile("vzeroupper"); }), look(); }, -1, 0, ymm1_is<All, All, 0, 0>},
    {"VZEROALL", [] { ones(), ({ asm volatile("vzeroall"); }), look(); }, -1, 0, ymm1_is<0, 0, 0, 0>},
    {"FXRSTOR leaves the upper half",
     [] {
         ones(), clean();
         asm volatile("fxrstor (%0)" : : "r"(Area));
         look();
     },
     -1, 0, ymm1_is<0, 0, All, All>},

    {"VMASKMOVPD load: the missing page is masked off",
     [] {
         halves(All, 0), ({ asm volatile("vmaskmovpd (%0), %%xmm2, %%xmm1" : : "r"(Page2 - 8)); }), look();
     },
     -1, 0, ymm1_is<77, 0, 0, 0>},
    {"VMASKMOVPD load: the missing page is wanted",
     [] { halves(0, All), ({
              asm volatile("vmaskmovpd (%0), %%xmm2, %%xmm1" : : "r"(Page2 - 8));
          }); }, 14, 0,
     at_page2},
    {"VPMASKMOVQ store: the missing page is masked off",
     [] {
         halves(All, 0), ({ asm volatile("vpmaskmovq %%xmm1, %%xmm2, (%0)" : : "r"(Page2 - 8) : "memory"); });
     },
     -1, 0, [] { return load(Page2 - 8) == All; }},
    {"VPMASKMOVQ store: all or nothing",
     [] {
         halves(All, All), ({
             asm volatile("vpmaskmovq %%xmm1, %%xmm2, (%0)" : : "r"(Page2 - 8) : "memory");
         });
     },
     14, 2, [] { return at_page2() && nothing_written(); }},
    {"VPMASKMOVQ store of nothing to nowhere",
     [] { halves(0, 0), ({
              asm volatile("vpmaskmovq %%xmm1, %%xmm2, (%0)" : : "r"(Page2) : "memory");
          }); }},
    {"VPMASKMOVQ store of nothing to an address that is not canonical",
     [] {
         halves(0, 0), ({
             asm volatile("vpmaskmovq %%xmm1, %%xmm2, (%0)" : : "r"(NotCanonical) : "memory");
         });
     }},

    {"a gather",
     [] { ones(), store(Page2 - 16, 3), store(Page2 - 8, 4), store(Page2, 5), gather(2), look(); }, -1, 0,
     ymm1_is<3, 4, 5, 3>},
    {"a gather clears its mask",
     [] { ones(), gather(2), ({ asm volatile("vmovdqa %ymm2, %ymm1"); }), look(); }, -1, 0,
     ymm1_is<0, 0, 0, 0>},
    {"a gather faults at its third element",
     [] { ones(), store(Page2 - 16, 3), store(Page2 - 8, 4), map(Page2, 0), gather(2); }, 14, 0,
     [] { // the elements before it are there
         look();
         return at_page2() && ymm1_is<3, 4, All, All>();
     }},

    {"XSETBV with OSXSAVE clear", [] { set_xcr0(7); }, 6},
    {"XSETBV AVX without SSE", [] { enable(5); }, 13, 0},
    {"XSETBV without x87", [] { enable(6); }, 13, 0},
    {"XSETBV 0", [] { enable(0); }, 13, 0},
    {"XSETBV one half of MPX", [] { enable(15); }, 13, 0},
    {"XSETBV bit 63", [] { enable(7 | u64{1} << 63); }, 13, 0},
    {"XSETBV of register 1", [] { enable(), ({
                                      asm volatile("xsetbv" : : "c"(1), "a"(7), "d"(0));
                                  }); }, 13,
     0},
    {"XSETBV at CPL 3", [] { set_xcr0(7); }, 13, 0, nullptr, User, [] { enable(); }},
    {"XGETBV at CPL 3", [] { seen = get_xcr(0); }, -1, 0, [] { return seen == 7; }, User, [] { enable(); }},
    {"XGETBV of register 2", [] { enable(), get_xcr(2); }, 13, 0},
    {"XGETBV of register 1: AVX in use", [] { ones(), seen = get_xcr(1); }, -1, 0,
     [] { return (seen & 4) != 0; }},
    {"XGETBV of register 1: AVX not in use",
     [] { ones(), ({ asm volatile("vzeroupper"); }), seen = get_xcr(1); }, -1, 0,
     [] { return (seen & 4) == 0; }},
    {"CPUID 0Dh: the area of XCR0 3", [] { enable(3), seen = cpuid_d(0); }, -1, 0,
     [] { return seen == 576; }},
    {"CPUID 0Dh: the area of XCR0 7", [] { enable(7), seen = cpuid_d(0); }, -1, 0,
     [] { return seen == 832; }},
    {"CPUID 0Dh: the compact area", [] { enable(7), seen = cpuid_d(1); }, -1, 0, [] { return seen == 832; }},
    {"CPUID 0Dh: AVX at 576", [] { seen = cpuid_d(2); }, -1, 0, [] { return seen == 576; }},

    {"XSAVE of AVX", [] { ones(), paint(), xsave(4); }, -1, 0,
     [] {
         return entry_at(Area, State) == 4 && entry_at(Area, Avx + 2) == All && entry_at(Area, 20) == 0x5555;
     }},
    {"XSAVE of AVX in its initial state",
     [] { ones(), ({ asm volatile("vzeroupper"); }), paint(), entry_at(Area, State) = 4, xsave(4); }, -1, 0,
     [] { return entry_at(Area, State) == 0 && entry_at(Area, Avx + 2) == 0; }},
    {"XSAVE leaves XSTATE_BV of what is not asked for",
     [] { ones(), paint(), entry_at(Area, State) = 3, xsave(4); }, -1, 0,
     [] { return entry_at(Area, State) == 7; }},
    {"XSAVE of AVX writes MXCSR", [] { ones(), paint(), xsave(4); }, -1, 0,
     [] { return static_cast<u32>(entry_at(Area, 3)) == 0x1F80; }},
    {"XSAVE leaves XCOMP_BV", [] { ones(), paint(), xsave(7); }, -1, 0,
     [] { return entry_at(Area, Compaction) == 0x5555; }},
    {"XSAVEOPT of AVX in its initial state writes nothing",
     [] { ones(), ({ asm volatile("vzeroupper"); }), paint(), xsaveopt(4); }, -1, 0,
     [] { return entry_at(Area, State) == 0 && entry_at(Area, Avx + 2) == 0x5555; }},
    {"XSAVEOPT of AVX in use", [] { ones(), paint(), xsaveopt(4); }, -1, 0,
     [] { return entry_at(Area, State) == 4 && entry_at(Area, Avx + 2) == All; }},
    {"XSAVE of AVX not aligned", [] { ones(), xsave(4, Area + 32); }, 13, 0},
    {"XSAVE of AVX: its part is on a missing page", [] { ones(), map(Page2, 0), xsave(4, Page2 - 576); }, 14,
     2, at_page2},
    {"XSAVE without AVX ends before it", [] { ones(), map(Page2, 0), xsave(3, Page2 - 576); }},
    {"XRSTOR of AVX",
     [] { ones(), clean(), entry_at(Area, State) = 4, entry_at(Area, Avx + 2) = 9, xrstor(4), look(); }, -1,
     0, ymm1_is<All, All, 9, 0>},
    {"XRSTOR to the initial state", [] { ones(), clean(), xrstor(4), look(); }, -1, 0,
     ymm1_is<All, All, 0, 0>},
    {"XRSTOR of nothing", [] { ones(), clean(), xrstor(0), look(); }, -1, 0, ymm1_is<All, All, All, All>},
    {"XRSTOR of AVX loads MXCSR",
     [] { ones(), clean(), reinterpret_cast<u32*>(Area)[6] = 0x10000, xrstor(4); }, 13, 0},
    {"XRSTOR XSTATE_BV beyond XCR0", [] { enable(3), clean(), entry_at(Area, State) = 4, xrstor(3); }, 13, 0},
    {"XRSTOR compact",
     [] {
         ones(), clean(), entry_at(Area, State) = 4, entry_at(Area, Compaction) = Compact | 4;
         entry_at(Area, Avx + 2) = 9, xrstor(4), look();
     },
     -1, 0, ymm1_is<All, All, 9, 0>},
    {"XRSTOR compact: XSTATE_BV beyond XCOMP_BV",
     [] { ones(), clean(), entry_at(Area, State) = 4, entry_at(Area, Compaction) = Compact | 3, xrstor(4); },
     13, 0},
    {"XRSTOR compact: XCOMP_BV beyond XCR0",
     [] { ones(), clean(), entry_at(Area, Compaction) = Compact | 8, xrstor(4); }, 13, 0},
    {"XRSTOR compact: header bytes 16–63",
     [] { ones(), clean(), entry_at(Area, Compaction) = Compact | 4, entry_at(Area, 71) = 1, xrstor(4); }, 13,
     0},
    {"XRSTOR compact: MXCSR goes with SSE",
     [] {
         ones(), clean(), reinterpret_cast<u32*>(Area)[6] = 0x10000;
         entry_at(Area, Compaction) = Compact | 7, xrstor(7);
         asm volatile("stmxcsr %0" : "=m"(*reinterpret_cast<u32*>(&seen)));
     },
     -1, 0, [] { return static_cast<u32>(seen) == 0x1F80; }},
    {"XSAVEC", [] { ones(), paint(), xsavec(6); }, -1, 0,
     [] {
         return entry_at(Area, State) == 6 && entry_at(Area, Compaction) == (Compact | 6) &&
                entry_at(Area, Avx + 2) == All && entry_at(Area, 66) == 0x5555;
     }},
    {"XSAVEC of what is not in use", [] { ones(), ({ asm volatile("vzeroall"); }), paint(), xsavec(6); }, -1,
     0,
     [] {
         return entry_at(Area, State) == 0 && entry_at(Area, Compaction) == (Compact | 6) &&
                entry_at(Area, Avx + 2) == 0x5555;
     }},
    {"XSAVES", [] { ones(), paint(), xsaves(7); }, -1, 0,
     [] { return (entry_at(Area, State) & 6) == 6 && entry_at(Area, Compaction) == (Compact | 7); }},
    {"XSAVES at CPL 3", [] { xsaves(7); }, 13, 0, nullptr, User, [] { enable(); }},
    {"XRSTORS at CPL 3", [] { xrstors(7); }, 13, 0, nullptr, User, [] { enable(), clean(); }},
    {"XRSTORS of the standard format", [] { ones(), clean(), xrstors(7); }, 13, 0},
    {"XRSTORS",
     [] {
         ones(), clean(), entry_at(Area, State) = 4, entry_at(Area, Compaction) = Compact | 7;
         entry_at(Area, Avx + 2) = 9, xrstors(7), look();
     },
     -1, 0, ymm1_is<0, 0, 9, 0>},
    {"XRSTORS with TS", [] { ones(), cr0(Ts), xrstors(7); }, 7},
    {"IA32_XSS is zero", [] { write_msr(0xDA0, 0), seen = read_msr(0xDA0); }, -1, 0,
     [] { return seen == 0; }},
    {"IA32_XSS of a component that is not there", [] { write_msr(0xDA0, 1 << 8); }, 13, 0},
};

} // namespace

void vector_rows() { run_rows("vectors", rows); }

} // namespace privileged
