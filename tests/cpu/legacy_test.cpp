// Real and protected mode: limits, wrap-around, segment rights, stack widths, 32-bit and PAE paging. Intel
// SDM vol. 3A ch. 3–5, 20.
#include "tests/cpu/legacy_guest.h"

using namespace vitrine;
using namespace vitrine::test;

namespace {

GUEST_CODE(word_at_ffff, ".code16\n mov ax, [0xFFFF]\n hlt\n")
GUEST_CODE(word_at_fffe, ".code16\n mov ax, [0xFFFE]\n hlt\n")
GUEST_CODE(big_offset, ".code16\n mov ebx, 0x10000\n mov al, [ebx]\n hlt\n")
GUEST_CODE(index_wraps, ".code16\n mov bx, 0xFFF0\n mov si, 0x20\n mov al, [bx+si]\n hlt\n")
GUEST_CODE(push_at_one, ".code16\n mov sp, 1\n push ax\n hlt\n")
GUEST_CODE(push_at_zero, ".code16\n mov sp, 0\n mov ax, 0x1234\n push ax\n hlt\n")
GUEST_CODE(high_segment, ".code16\n mov ax, 0xFFFF\n mov es, ax\n mov al, es:[0x20]\n hlt\n")
GUEST_CODE(int_21, ".code16\n stc\n sti\n int 0x21\n hlt\n")
GUEST_CODE(two_nops, ".code16\n nop\n nop\n")
GUEST_CODE(into_protected, R"(
.code16
    lgdt [0x100]
    mov eax, cr0
    or al, 1
    mov cr0, eax
    mov bx, 0x10
    mov fs, bx
    and al, 0xFE
    mov cr0, eax
    mov ebx, 0x200000
    mov eax, fs:[ebx]
    hlt
)")

GUEST_CODE(limit_inside, ".code32\n mov eax, 0x18\n mov es, eax\n mov eax, es:[0xFC]\n hlt\n")
GUEST_CODE(limit_outside, ".code32\n mov eax, 0x18\n mov es, eax\n mov eax, es:[0xFD]\n hlt\n")
GUEST_CODE(limit_wraps, ".code32\n mov eax, 0x18\n mov es, eax\n mov eax, es:[0xFFFFFFFE]\n hlt\n")
GUEST_CODE(limit_of_stack, ".code32\n mov eax, 0x18\n mov ss, eax\n mov eax, ss:[0xFD]\n hlt\n")
GUEST_CODE(down_inside, ".code32\n mov eax, 0x20\n mov es, eax\n mov eax, es:[0x100]\n hlt\n")
GUEST_CODE(down_outside, ".code32\n mov eax, 0x20\n mov es, eax\n mov eax, es:[0xFC]\n hlt\n")
GUEST_CODE(write_read_only, ".code32\n mov eax, 0x28\n mov es, eax\n mov es:[0x200000], eax\n hlt\n")
GUEST_CODE(write_code, ".code32\n mov cs:[0x200000], eax\n hlt\n")
GUEST_CODE(read_execute_only, ".code32\n mov eax, 0x30\n mov es, eax\n hlt\n")
GUEST_CODE(use_null, ".code32\n xor eax, eax\n mov es, eax\n mov eax, es:[0x200000]\n hlt\n")
GUEST_CODE(null_stack, ".code32\n xor eax, eax\n mov ss, eax\n hlt\n")
GUEST_CODE(absent, ".code32\n mov eax, 0x40\n mov es, eax\n hlt\n")
GUEST_CODE(absent_stack, ".code32\n mov eax, 0x40\n mov ss, eax\n hlt\n")
GUEST_CODE(narrow_stack,
           ".code32\n mov eax, 0x38\n mov ss, eax\n mov esp, 0x12340000\n push 0x5A5A5A5A\n hlt\n")
GUEST_CODE(jump_past_limit, ".code32\n mov eax, 0x700000\n jmp eax\n")
GUEST_CODE(far_to_data, ".code32\n .byte 0xEA\n .long 0\n .word 0x10\n hlt\n")
GUEST_CODE(load_mapped, ".code32\n mov eax, [0x400010]\n hlt\n")
GUEST_CODE(task_gate, ".code32\n int 0x33\n hlt\n")
} // namespace

namespace {
GUEST_CODE(vector_by_fs, "mov rax, [rbx]\n movups xmm0, fs:[rbx]\n out 0xF4, al\n")
GUEST_CODE(vector_by_ds_real, ".code16\n mov eax, es:[0x100]\n movups xmm0, [0x100]\n hlt\n")
} // namespace

TEST(VectorOperands, HaveTheirSegmentsBase) { // with the same offset's linear page in the soft TLB
    Guest g;
    g.regs().gpr[cpu::RBX] = 0x201000, g.regs().seg[4].base = 0x1000;
    g.poke<u64>(0x201000, 0x1111), g.poke<u64>(0x202000, 0x2222);
    g.go(vector_by_fs());
    EXPECT_EQ(g.regs().xmm[0].lo, 0x2222u);
    RealGuest real; // DS is 2000h, ES 0
    real.processor.mutable_registers().cr4 = cpu::OSFXSR;
    real.poke<u64>(0x100, 0x1111), real.poke<u64>(0x20100, 0x2222);
    real.go(vector_by_ds_real());
    EXPECT_EQ(real.processor.registers().xmm[0].lo, 0x2222u);
}

TEST(RealMode, OffsetsEndAtFfff) { // 20.1.1
    RealGuest g, ok, wide;
    g.go(word_at_ffff());
    EXPECT_EQ(g.vector_seen(), 13);
    ok.go(word_at_fffe());
    EXPECT_EQ(ok.vector_seen(), -1);
    wide.go(big_offset());
    EXPECT_EQ(wide.vector_seen(), 13);
    RealGuest wrap; // 16-bit address arithmetic wraps
    wrap.poke<u8>(0x20010, 0x77);
    wrap.go(index_wraps());
    EXPECT_EQ(wrap.processor.registers().gpr[cpu::RAX] & 0xFF, 0x77u);
}
TEST(RealMode, StackWraps) {
    RealGuest odd;
    odd.processor.mutable_registers().gpr[cpu::RSP] = 0x1000;
    odd.go(push_at_one());
    EXPECT_EQ(odd.processor.fault_chain().faults[0].vector, 12) << "a word at FFFFh";
    RealGuest zero;
    zero.go(push_at_zero());
    EXPECT_EQ(zero.vector_seen(), -1);
    EXPECT_EQ(zero.word(0x3FFFE), 0x1234);
}
TEST(RealMode, SegmentsReachAboveOneMegabyte) { // A20 is the board's business
    RealGuest g;
    g.poke<u8>(0x100010, 0x42);
    g.go(high_segment());
    EXPECT_EQ(g.processor.registers().gpr[cpu::RAX] & 0xFF, 0x42u);
}
TEST(RealMode, InterruptsPushThreeWords) { // 20.1.4
    RealGuest g;
    g.go(int_21());
    ASSERT_EQ(g.vector_seen(), 0x21);
    EXPECT_EQ(g.processor.registers().gpr[cpu::RSP], 0xFFAu);
    EXPECT_EQ(g.word(0x30FFA), 0x7004);
    EXPECT_EQ(g.word(0x30FFC), 0);
    EXPECT_EQ(g.word(0x30FFE) & 0x301, 0x201);
    EXPECT_EQ(g.processor.rflags() & cpu::IF, 0u);
}
TEST(RealMode, TheInstructionPointerDoesNotWrap) {
    RealGuest g;
    g.go(two_nops(), 0xFFFE);
    EXPECT_EQ(g.vector_seen(), 13);
}
TEST(RealMode, LimitsSurviveALeaveOfProtectedMode) { // "unreal mode": the hidden part stays
    RealGuest g;
    g.poke<u64>(0x21008, 0x00CF9B000000FFFF), g.poke<u64>(0x21010, 0x00CF93000000FFFF);
    g.poke<u16>(0x20100, 0x17), g.poke<u32>(0x20102, 0x21000);
    g.poke<u32>(0x200000, 0xCAFEF00D);
    g.go(into_protected());
    EXPECT_EQ(g.vector_seen(), -1);
    EXPECT_EQ(g.processor.registers().gpr[cpu::RAX], 0xCAFEF00Du);
}

TEST(ProtectedMode, Limits) { // 5.3
    ProtectedGuest().expect(limit_inside(), -1, 0);
    ProtectedGuest().expect(limit_outside(), 13, 0);
    ProtectedGuest().expect(limit_wraps(), 13, 0);
    ProtectedGuest().expect(down_inside(), -1, 0);
    ProtectedGuest().expect(down_outside(), 13, 0);
    ProtectedGuest stack;
    stack.go(limit_of_stack());
    EXPECT_EQ(stack.processor.fault_chain().faults[0].vector, 12);
    ProtectedGuest jump; // checked at the branch
    jump.processor.mutable_registers().seg[1].limit = 0x5FFFFF;
    jump.expect(jump_past_limit(), 13, 0);
    EXPECT_EQ(jump.deliveries[0].rip, BareMachine::Code + 5);
}
TEST(ProtectedMode, Rights) { // 3.4.5.1, 5.5
    ProtectedGuest().expect(write_read_only(), 13, 0);
    ProtectedGuest().expect(write_code(), 13, 0);
    ProtectedGuest().expect(read_execute_only(), 13, 0x30);
    ProtectedGuest().expect(use_null(), 13, 0);
    ProtectedGuest().expect(null_stack(), 13, 0);
    ProtectedGuest().expect(absent(), 11, 0x40);
    ProtectedGuest().expect(absent_stack(), 12, 0x40);
    ProtectedGuest().expect(far_to_data(), 13, 0x10);
}
TEST(ProtectedMode, SixteenBitStackUsesSpOnly) { // vol. 1 6.2.3
    ProtectedGuest g;
    g.go(narrow_stack());
    u32 v = 0;
    std::memcpy(&v, g.ram.data() + 0x30FFFC, 4);
    EXPECT_EQ(v, 0x5A5A5A5Au);
    EXPECT_EQ(g.processor.registers().gpr[cpu::RSP], 0x1234FFFCu);
}
TEST(ProtectedMode, ATaskGateWantsATask) { // task switches themselves: tests/privileged
    ProtectedGuest g;
    g.poke<u64>(BareMachine::Idt + 8 * 0x33, u64{0x28} << 16 | u64{0x85} << 40);
    g.expect(task_gate(), 13, 0x28);
}
TEST(ProtectedMode, ThirtyTwoBitPaging) { // 4.3
    ProtectedGuest g;
    auto& r = g.processor.mutable_registers();
    r.cr4 = cpu::PSE, r.cr3 = 0x600000, r.cr0 |= cpu::PG;
    g.poke<u32>(0x600000, 0x83);     // 4 MiB page, identity
    g.poke<u32>(0x600004, 0x601003); // a table for 400000h
    g.poke<u32>(0x601000, 0x500003);
    g.poke<u32>(0x500010, 0x12344321);
    g.go(load_mapped());
    EXPECT_TRUE(g.deliveries.empty());
    EXPECT_EQ(g.processor.registers().gpr[cpu::RAX], 0x12344321u);
    ProtectedGuest fault;
    auto& f = fault.processor.mutable_registers();
    f.cr4 = cpu::PSE, f.cr3 = 0x600000, f.cr0 |= cpu::PG;
    fault.poke<u32>(0x600000, 0x83), fault.poke<u32>(0x600004, 0);
    fault.expect(load_mapped(), 14, 0);
    EXPECT_EQ(fault.processor.registers().cr2, 0x400010u);
}
TEST(ProtectedMode, PaePaging) { // 4.4
    ProtectedGuest g;
    auto& r = g.processor.mutable_registers();
    r.cr4 = cpu::PAE, r.cr3 = 0x600020, r.cr0 |= cpu::PG, r.msr.efer = cpu::NXE;
    g.poke<u64>(0x600020, 0x601001);
    g.poke<u64>(0x601000, 0x83), g.poke<u64>(0x601008, 0x200083); // 2 MiB pages
    g.poke<u64>(0x601010, 0x602003);
    g.poke<u64>(0x602000, 0x500003 | u64{1} << 63);
    g.poke<u32>(0x500010, 0x12344321);
    g.go(load_mapped());
    EXPECT_TRUE(g.deliveries.empty());
    EXPECT_EQ(g.processor.registers().gpr[cpu::RAX], 0x12344321u);
}
