// Virtual-8086 mode, with and without CR4.VME. Intel SDM vol. 3B ch. 20.
//
// A row's bytes run at 2000:0000 with SS:SP 3000:1000; the HLT behind them raises #GP(0), which says that
// they were reached.
#include "tests/privileged/legacy.h"

namespace privileged {
namespace {

constexpr u32 Vme = 1, If = 0x200, Vif = 0x80000, Vip = 0x100000;
u32 virtual_flags;
void level(u32 iopl, u32 more = 0) { virtual_flags = 0x20002 | iopl << 12 | more; }
u16& stack_word(u32 at) { return *reinterpret_cast<u16*>(0x30000 + at); }
template <u8... Bytes> void code() {
    static constexpr u8 bytes[] = {Bytes..., 0xF4};
    for (unsigned i = 0; i < sizeof bytes; ++i) reinterpret_cast<volatile u8*>(0x20000)[i] = bytes[i];
    const u32 frame[] = {0, 0x2000, virtual_flags, 0x1000, 0x3000, 0x4000, 0x4000, 0x4000, 0x4000};
    enter_virtual(frame);
}
template <u32 At> bool ended() { return caught.ip == At && caught.cs == 0x2000 && (caught.flags & 0x20000); }
bool faulted() { return ended<0>(); }
template <u32 Set, u32 Clear> bool flags_are() { return (caught.flags & (Set | Clear)) == Set; }
void iopl0() { level(0); }
void iopl3() { level(3); }
void vme(u32 more = 0, u32 iopl = 0) { level(iopl, more), write_cr4(Vme); }
/// Interrupt 41h goes to 2000:0010 by the table at 0; the redirection map has its bit clear.
void redirect() {
    tss.redirection[0x41 / 8] &= static_cast<u8>(~(1u << (0x41 & 7)));
    *reinterpret_cast<volatile u32*>(4 * 0x41) = 0x20000010;
    *reinterpret_cast<volatile u8*>(0x20010) = 0xF4;
}

constexpr Row rows[] = {
    {"NOP", code<0x90>, 13, 0, ended<1>, Kernel, iopl0},
    {"the frame holds all segments", code<0x90>, 13, 0,
     [] { return caught.ss == 0x3000 && caught.sp == 0x1000; }, Kernel, iopl0},
    {"CLI with IOPL 0", code<0xFA>, 13, 0, faulted, Kernel, iopl0},
    {"CLI with IOPL 3", code<0xFA>, 13, 0, ended<1>, Kernel, [] { level(3, If); }},
    {"STI with IOPL 0", code<0xFB>, 13, 0, faulted, Kernel, iopl0},
    {"PUSHF with IOPL 0", code<0x9C>, 13, 0, faulted, Kernel, iopl0},
    {"PUSHF with IOPL 3", code<0x9C>, 13, 0,
     [] { return ended<1>() && (stack_word(0xFFE) & 0x3002) == 0x3002; }, Kernel, iopl3},
    {"POPF with IOPL 0", code<0x9D>, 13, 0, faulted, Kernel, iopl0},
    {"POPF with IOPL 3 keeps IOPL", code<0x6A, 0, 0x9D>, 13, 0,
     [] { return ended<3>() && flags_are<0x3000, 0>(); }, Kernel, iopl3},
    {"IRET with IOPL 0", code<0xCF>, 13, 0, faulted, Kernel, iopl0},
    {"IRET with IOPL 3", code<0x6A, 0, 0x68, 0x00, 0x20, 0x6A, 0x08, 0xCF>, 13, 0,
     [] { return ended<8>() && flags_are<0x3000, 0>(); }, Kernel, iopl3},
    {"INT n with IOPL 0", code<0xCD, 0x41>, 13, 0, faulted, Kernel, iopl0},
    {"INT n with IOPL 3 behind DPL 3", code<0xCD, 0x41>, 0x41, 0, ended<2>, Kernel,
     [] { level(3), set_gate(0x41, stub(0x41), Code, 14, 3); }},
    {"INT n with IOPL 3 behind DPL 0", code<0xCD, 0x41>, 13, 0x41 * 8 + 2, faulted, Kernel, iopl3},
    {"INT3 with IOPL 0 is a breakpoint", code<0xCC>, 3, 0, ended<1>, Kernel, iopl0},
    {"INT3 with IOPL 3", code<0xCC>, 3, 0, ended<1>, Kernel, iopl3},
    {"CD 03 with IOPL 0 is INT n", code<0xCD, 0x03>, 13, 0, faulted, Kernel, iopl0},
    {"INTO with IOPL 0", code<0xB0, 0x7F, 0xFE, 0xC0, 0xCE>, 4, 0, ended<5>, Kernel, iopl0},
    {"INT1 with IOPL 0", code<0xF1>, 1, 0, ended<1>, Kernel, iopl0},
    {"a handler of DPL 3 cannot take VM86", code<0xCC>, 13, UserCode, faulted, Kernel,
     [] { level(0), set_gate(3, stub(3), UserCode, 14, 3); }},
    {"HLT", code<0xF4>, 13, 0, faulted, Kernel, iopl3},
    {"LMSW", code<0x0F, 0x01, 0xF0>, 13, 0, faulted, Kernel, iopl3},
    {"MOV CR0", code<0x0F, 0x20, 0xC0>, 13, 0, faulted, Kernel, iopl3},
    {"LGDT", code<0x0F, 0x01, 0x16, 0, 0>, 13, 0, faulted, Kernel, iopl3},
    {"CLTS", code<0x0F, 0x06>, 13, 0, faulted, Kernel, iopl3},
    {"SLDT", code<0x0F, 0x00, 0xC0>, 6, 0, faulted, Kernel, iopl3},
    {"STR", code<0x0F, 0x00, 0xC8>, 6, 0, faulted, Kernel, iopl3},
    {"LLDT", code<0x0F, 0x00, 0xD0>, 6, 0, faulted, Kernel, iopl3},
    {"LAR", code<0x0F, 0x02, 0xC0>, 6, 0, faulted, Kernel, iopl3},
    {"VERR", code<0x0F, 0x00, 0xE0>, 6, 0, faulted, Kernel, iopl3},
    {"ARPL", code<0x63, 0xC0>, 6, 0, faulted, Kernel, iopl3},
    {"SMSW", code<0x0F, 0x01, 0xE0>, 13, 0, ended<3>, Kernel, iopl0},
    {"IN with IOPL 3 asks the map", code<0xE4, 0x80>, 13, 0, faulted, Kernel, iopl3},
    {"IN with its bit clear", code<0xE4, 0x80>, 13, 0, ended<2>, Kernel,
     [] { level(0), tss.map[0x10] = 0xFE; }},
    {"segments are selector × 16", code<0xB8, 0x00, 0x50, 0x8E, 0xC0, 0x26, 0xC6, 0x06, 0x10, 0x00, 0x77>, 13,
     0, [] { return ended<11>() && *reinterpret_cast<volatile u8*>(0x50010) == 0x77; }, Kernel, iopl0},
    {"limit FFFFh", code<0x67, 0x66, 0xA1, 0xFE, 0xFF, 0x00, 0x00>, 13, 0, faulted, Kernel, iopl0},
    {"stack limit", code<0xBC, 0x01, 0x00, 0x50>, 12, 0, ended<3>, Kernel, iopl0},
    {"SYSENTER is legal", code<0x0F, 0x34>, -1, 0,
     [] { return far_frame[4] == Code && !(far_frame[7] & 0x20000); }, Kernel,
     [] { level(0), write_msr(0x174, Code); }},
    {"SYSEXIT", code<0x0F, 0x35>, 13, 0, faulted, Kernel, [] { level(3), write_msr(0x174, Code); }},

    {"VME: CLI clears VIF", code<0xFA>, 13, 0, [] { return ended<1>() && flags_are<0, Vif>(); }, Kernel,
     [] { vme(Vif); }},
    {"VME: CLI leaves IF", code<0xFA>, 13, 0, [] { return ended<1>() && flags_are<If, Vif>(); }, Kernel,
     [] { vme(If | Vif); }},
    {"VME: STI sets VIF", code<0xFB>, 13, 0, [] { return ended<1>() && flags_are<Vif, If>(); }, Kernel,
     [] { vme(); }},
    {"VME: STI with VIP", code<0xFB>, 13, 0, faulted, Kernel, [] { vme(Vip); }},
    {"VME: PUSHF shows VIF as IF and IOPL 3", code<0x9C>, 13, 0,
     [] { return ended<1>() && (stack_word(0xFFE) & 0x3200) == 0x3200; }, Kernel, [] { vme(Vif); }},
    {"VME: PUSHF shows VIF clear", code<0x9C>, 13, 0,
     [] { return ended<1>() && (stack_word(0xFFE) & 0x3200) == 0x3000; }, Kernel, [] { vme(If); }},
    {"VME: PUSHFD", code<0x66, 0x9C>, 13, 0, faulted, Kernel, [] { vme(); }},
    {"VME: POPF sets VIF", code<0x68, 0x00, 0x02, 0x9D>, 13, 0,
     [] { return ended<4>() && flags_are<Vif, If>(); }, Kernel, [] { vme(); }},
    {"VME: POPF clears VIF", code<0x6A, 0x00, 0x9D>, 13, 0, [] { return ended<3>() && flags_are<0, Vif>(); },
     Kernel, [] { vme(Vif); }},
    {"VME: POPF with VIP", code<0x68, 0x00, 0x02, 0x9D>, 13, 0, ended<3>, Kernel, [] { vme(Vip); }},
    {"VME: POPF of TF", code<0x68, 0x00, 0x01, 0x9D>, 13, 0, ended<3>, Kernel, [] { vme(); }},
    {"VME: POPFD", code<0x66, 0x9D>, 13, 0, faulted, Kernel, [] { vme(); }},
    {"VME: IRET sets VIF", code<0x68, 0x00, 0x02, 0x68, 0x00, 0x20, 0x6A, 0x09, 0xCF>, 13, 0,
     [] { return ended<9>() && flags_are<Vif, If>(); }, Kernel, [] { vme(); }},
    {"VME: IRET with VIP", code<0x68, 0x00, 0x02, 0x68, 0x00, 0x20, 0x6A, 0x09, 0xCF>, 13, 0, ended<8>,
     Kernel, [] { vme(Vip); }},
    {"VME: IRETD", code<0x66, 0xCF>, 13, 0, faulted, Kernel, [] { vme(); }},
    {"VME: INT n redirected, IOPL 0", code<0xCD, 0x41>, 13, 0,
     [] {
         return ended<0x10>() && stack_word(0xFFA) == 2 && stack_word(0xFFC) == 0x2000 &&
                (stack_word(0xFFE) & 0x3200) == 0x3200 && flags_are<0, Vif>();
     },
     Kernel, [] { vme(Vif), redirect(); }},
    {"VME: INT n redirected, IOPL 3", code<0xCD, 0x41>, 13, 0,
     [] { return ended<0x10>() && (stack_word(0xFFE) & 0x200) == 0x200 && flags_are<0, If>(); }, Kernel,
     [] { vme(If, 3), redirect(); }},
    {"VME: INT n not redirected, IOPL 0", code<0xCD, 0x41>, 13, 0, faulted, Kernel, [] { vme(); }},
    {"VME: INT n not redirected, IOPL 3", code<0xCD, 0x41>, 0x41, 0, ended<2>, Kernel,
     [] { vme(0, 3), set_gate(0x41, stub(0x41), Code, 14, 3); }},
    {"VME: INT3 is never redirected", code<0xCC>, 3, 0, ended<1>, Kernel,
     [] { vme(), tss.redirection[0] = 0; }},
};

} // namespace

void virtual_rows() { run_rows("virtual-8086", rows); }

} // namespace privileged
