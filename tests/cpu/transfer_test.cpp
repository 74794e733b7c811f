// Control transfers in 64-bit mode: IRET, SYSCALL and SYSRET, canonical targets, far returns. Intel SDM vol.
// 2; 3A 5.8.7, 6.14.3.
#include "tests/cpu/guest.h"

using namespace vitrine;
using namespace vitrine::test;

namespace {
GUEST_CODE(iret_same_level,
           "mov rax, rsp\n push 0x10\n push rax\n push 0x202\n push 8\n push 0x6000\n iretq\n")
GUEST_CODE(iret_null_ss, "push 0\n push 0x205000\n push 2\n push 8\n push 0x6000\n iretq\n")
GUEST_CODE(iret_to_user, "push 0x1B\n push 0x205000\n push 0x3202\n push 0x23\n push 0x6000\n iretq\n")
GUEST_CODE(iret_nested, "push 0x1B\n push 0x205000\n push 0x2\n push 0x23\n push 0x6000\n pushfq\n or dword "
                        "ptr [rsp], 0x4000\n popfq\n iretq\n")
GUEST_CODE(iret_null_cs, "push 0x10\n push 0x205000\n push 2\n push 0\n push 0x6000\n iretq\n")
GUEST_CODE(iret_far_away,
           "mov rax, 0x800000000000\n push 0x10\n push 0x205000\n push 2\n push 8\n push rax\n iretq\n")
GUEST_CODE(iret_user_flags, "push 0x1B\n push 0x205000\n push 0x3F02\n push 0x23\n push 0x6000\n iretq\n")
GUEST_CODE(stop, "out 0xF4, al\n hlt\n")
GUEST_CODE(system_call, "stc\n syscall\n")
GUEST_CODE(system_return, "sysretq\n")
GUEST_CODE(jump_far_away, "mov rax, 0x800000000000\n jmp rax\n")
GUEST_CODE(call_far_away, "mov rax, 0x800000000000\n call rax\n")
GUEST_CODE(return_far_away, "mov rax, 0x800000000000\n push rax\n ret\n")
GUEST_CODE(stack_far_away, "mov rbp, 0x800000000000\n mov eax, [rbp]\n hlt\n")
GUEST_CODE(push_far_away, "mov rsp, 0x800000000004\n push rax\n hlt\n")
GUEST_CODE(fs_far_away, "mov eax, fs:[0]\n hlt\n")
GUEST_CODE(data_far_away, "mov rax, 0x7FFFFFFFFFFC\n mov rax, [rax]\n hlt\n")
GUEST_CODE(rip_wraps, "mov eax, 1\n out 0xF4, al\n hlt\n")
GUEST_CODE(null_data, "xor eax, eax\n mov ds, eax\n mov eax, [0x200000]\n hlt\n")
GUEST_CODE(bad_selector, "mov eax, 0x77\n mov ds, eax\n hlt\n")
GUEST_CODE(load_cs_like, "mov eax, 0x2B\n mov ss, eax\n hlt\n")
GUEST_CODE(gs_swap, "swapgs\n mov rax, gs:[0]\n out 0xF4, al\n hlt\n")
GUEST_CODE(privileged_in_user, "cli\n")
} // namespace

TEST(Transfer, IretAlwaysPopsTheStackIn64BitMode) { // 6.14.3
    Guest g;
    g.load(0x6000, stop());
    const u64 rsp = g.gpr(cpu::RSP);
    g.go(iret_same_level());
    EXPECT_TRUE(g.deliveries.empty());
    EXPECT_EQ(g.gpr(cpu::RSP), rsp);
    Guest null_ss; // legal below CPL 3
    null_ss.load(0x6000, stop());
    null_ss.go(iret_null_ss());
    EXPECT_TRUE(null_ss.deliveries.empty());
    EXPECT_EQ(null_ss.gpr(cpu::RSP), 0x205000u);
    EXPECT_EQ(null_ss.regs().seg[2].selector, 0);
}
TEST(Transfer, IretOutwardNullsDataSegmentsOfThePrivileged) {
    Guest g;
    static constexpr u8 int80[] = {0xCD, 0x80};
    g.load(0x6000, int80);
    g.go(iret_to_user());
    EXPECT_FAULT(g, 0x80, 0);
    EXPECT_EQ(g.frame(1), 0x23u);
    EXPECT_EQ(g.frame(3), 0x205000u);
    EXPECT_EQ(g.frame(2) & 0x3200, 0x3200u) << "CPL 0 may load IOPL and IF";
    EXPECT_EQ(g.regs().seg[3].selector, 0) << "DS with DPL 0";
}
TEST(Transfer, IretErrors) {
    Guest nested; // NT in IA-32e mode
    nested.go(iret_nested());
    EXPECT_FAULT(nested, 13, 0);
    Guest null_cs;
    null_cs.go(iret_null_cs());
    EXPECT_FAULT(null_cs, 13, 0);
    Guest away; // the fault is IRET's own: rip is at IRET
    away.go(iret_far_away());
    EXPECT_FAULT(away, 13, 0);
    EXPECT_EQ(away.frame(1), BareMachine::Code + iret_far_away().size() - 2);
}
TEST(Transfer, UserIretCannotRaisePrivilegeFlags) {
    Guest g(3);
    static constexpr u8 int80[] = {0xCD, 0x80};
    g.load(0x6000, int80);
    g.go(iret_user_flags());
    EXPECT_FAULT(g, 0x80, 0);
    EXPECT_EQ(g.frame(2) & 0x3200, 0u) << "IOPL and IF are kept";
}
TEST(Transfer, Syscall) { // vol. 2 SYSCALL
    Guest g(3);
    auto& m = g.regs().msr;
    m.star = u64{0x13} << 48 | u64{0x0B} << 32; // RPL bits are cleared for CS
    m.lstar = 0x6000, m.fmask = 0x201;
    g.load(0x6000, stop());
    g.regs().rflags = 0x202;
    g.go(system_call());
    EXPECT_TRUE(g.deliveries.empty());
    EXPECT_EQ(g.gpr(cpu::RCX), BareMachine::Code + 3);
    EXPECT_EQ(g.gpr(cpu::R11), 0x203u);
    EXPECT_EQ(g.processor.rflags(), 2u) << "RFLAGS AND NOT FMASK";
    EXPECT_EQ(g.processor.cpl(), 0);
    EXPECT_EQ(g.regs().seg[1].selector, 0x08);
    EXPECT_EQ(g.regs().seg[2].selector, 0x10);
    EXPECT_EQ(g.regs().seg[2].limit, 0xFFFFFFFFu) << "fixed attributes, no descriptor fetch";
    EXPECT_EQ(g.gpr(cpu::RSP), BareMachine::Stack) << "rSP is the handler's business";
    Guest off(3);
    off.regs().msr.efer &= ~u64{cpu::SCE};
    off.go(system_call());
    EXPECT_FAULT(off, 6, 0);
}
TEST(Transfer, Sysret) {
    Guest g;
    g.regs().msr.star = u64{0x10} << 48;
    g.regs().gpr[cpu::RCX] = 0x6000, g.regs().gpr[cpu::R11] = 0x3F0202 | 0x10000;
    static constexpr u8 int80[] = {0xCD, 0x80};
    g.load(0x6000, int80);
    g.go(system_return());
    EXPECT_FAULT(g, 0x80, 0);
    EXPECT_EQ(g.frame(1), 0x23u);
    EXPECT_EQ(g.frame(4), 0x1Bu);
    EXPECT_EQ(g.frame(2) & 0x30000, 0u) << "RF and VM are cleared";
    Guest user(3);
    user.go(system_return());
    EXPECT_FAULT(user, 13, 0);
}
TEST(Transfer, SysretToNonCanonicalFaultsAtTheKernel) { // the Intel model
    Guest g;
    g.regs().gpr[cpu::RCX] = u64{1} << 47;
    g.regs().gpr[cpu::R11] = 2;
    g.go(system_return());
    EXPECT_FAULT(g, 13, 0);
    EXPECT_EQ(g.frame(1), BareMachine::Code);
    EXPECT_EQ(g.frame(2), 0x08u) << "still CPL 0";
}
TEST(Transfer, NonCanonicalNearTargetsFaultAtTheBranch) {
    for (const auto& code : {jump_far_away(), call_far_away(), return_far_away()}) {
        Guest g;
        const u64 rsp = g.gpr(cpu::RSP);
        g.go(code);
        EXPECT_FAULT(g, 13, 0);
        EXPECT_EQ(g.frame(1),
                  BareMachine::Code + code.size() - (code.size() == 12 ? (code.back() == 0xC3 ? 1 : 2) : 2));
        EXPECT_LE(g.frame(4), rsp);
    }
    Guest call; // CALL pushes nothing then
    call.poke<u64>(BareMachine::Stack - 8, 0x1234);
    call.go(call_far_away());
    EXPECT_EQ(call.frame(4), BareMachine::Stack);
}
TEST(Transfer, NonCanonicalData) { // #SS for rSP and rBP based, #GP else; both with error code 0
    Guest bp, push, fs, data;
    bp.go(stack_far_away());
    EXPECT_FAULT(bp, 12, 0);
    EXPECT_EQ(push.go(push_far_away(), 10), cpu::Stop::TripleFault) << "the frame cannot be pushed either";
    EXPECT_EQ(push.processor.fault_chain().faults[0].vector, 12);
    fs.regs().seg[4].base = u64{1} << 47;
    fs.go(fs_far_away());
    EXPECT_FAULT(fs, 13, 0);
    data.go(data_far_away()); // its last byte is not canonical
    EXPECT_FAULT(data, 13, 0);
}
TEST(Transfer, SegmentsIn64BitMode) {
    Guest null_ds; // a null DS is no obstacle
    null_ds.go(null_data());
    EXPECT_TRUE(null_ds.deliveries.empty());
    Guest bad;
    bad.go(bad_selector());
    EXPECT_FAULT(bad, 13, 0x74);
    Guest system; // SS: a TSS descriptor
    system.go(load_cs_like());
    EXPECT_FAULT(system, 13, 0x28);
}
TEST(Transfer, Swapgs) {
    Guest g;
    g.regs().msr.kernel_gs_base = 0x200100;
    g.regs().seg[5].base = 0x1234;
    g.poke<u64>(0x200100, 0xFEEDu);
    g.go(gs_swap());
    EXPECT_EQ(g.gpr(cpu::RAX), 0xFEEDu);
    EXPECT_EQ(g.regs().msr.kernel_gs_base, 0x1234u);
}
TEST(Transfer, UserModeMayNotClearIf) {
    Guest g(3);
    g.go(privileged_in_user());
    EXPECT_FAULT(g, 13, 0);
}
