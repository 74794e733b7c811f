// Self-modifying and cross-modifying code: the next fetch sees every write. Intel SDM vol. 3A 8.1.3, 11.6.
#include "tests/cpu/guest.h"

using namespace vitrine;
using namespace vitrine::test;

namespace {
// The immediate of the last MOV of the same block is written just before it runs.
GUEST_CODE(own_block, R"(
    mov dword ptr [rip + 1f - 4], 0x22222222
    nop
    mov eax, 0x11111111
1:  out 0xF4, al
)")
// The very next instruction.
GUEST_CODE(next_instruction, R"(
    mov dword ptr [rip + 1f - 4], 0x22222222
    mov eax, 0x11111111
1:  out 0xF4, al
)")
// A subroutine that has run before, and is linked to.
GUEST_CODE(other_block, R"(
    mov ecx, 3
2:  call 3f
    add ebx, eax
    mov dword ptr [rip + 4f - 4], 0x100
    dec ecx
    jnz 2b
    out 0xF4, al
3:  mov eax, 1
4:  ret
)")
// The loop body turns INC into DEC at its fourth turn (FF C3 → FF CB).
GUEST_CODE(loop_body, R"(
    mov ecx, 8
    xor ebx, ebx
1:  inc ebx
2:  cmp ecx, 5
    jne 3f
    mov byte ptr [rip + 2b - 1], 0xCB
3:  dec ecx
    jnz 1b
    out 0xF4, al
)")
GUEST_CODE(calls, R"(
    mov eax, 0x300000
    call rax
    out 0xF4, al
    mov eax, 0x300000
    call rax
    out 0xF4, al
)")
GUEST_CODE(returns_1, "mov ebx, 0x11111111\n ret\n")
GUEST_CODE(returns_2, "mov ebx, 0x22222222\n ret\n")
GUEST_CODE(copies_over, R"(
    mov eax, 0x300000
    call rax
    mov esi, 0x310000
    mov edi, 0x300000
    mov ecx, 6
    rep movsb
    call rax
    out 0xF4, al
)")
GUEST_CODE(through_alias, R"(
    mov eax, 0x300000
    call rax
    mov dword ptr [0x40300001], 0x22222222
    call rax
    out 0xF4, al
)")
// MOV of an immediate that crosses into the next page, written there.
GUEST_CODE(across, "mov dword ptr [0x301000], 0x44332222\n jmp rax\n")
GUEST_CODE(page_table_swap, R"(
    mov eax, 0x300000
    call rax
    mov rcx, [0x500000]
    mov rdi, [0x500008]
    mov [rdi], rcx
    invlpg [0x300000]
    call rax
    out 0xF4, al
)")
constexpr u64 Routine = 0x300000;
} // namespace

TEST(CodeWrites, OwnBlockAndNextInstruction) {
    for (const auto& code : {own_block(), next_instruction()}) {
        Guest g;
        g.go(code);
        EXPECT_EQ(g.gpr(cpu::RAX), 0x22222222u);
    }
}
TEST(CodeWrites, AnotherBlock) {
    Guest g;
    g.go(other_block());
    EXPECT_EQ(g.gpr(cpu::RBX), 0x201u);
}
TEST(CodeWrites, LoopBody) {
    Guest g;
    g.go(loop_body());
    EXPECT_EQ(g.gpr(cpu::RBX), 4u - 4);
}
TEST(CodeWrites, Dma) {
    Guest g;
    g.load(Routine, returns_1());
    g.go(calls());
    EXPECT_EQ(g.gpr(cpu::RBX), 0x11111111u);
    g.load(Routine, returns_2()); // writes, then memory_written()
    g.resume();
    EXPECT_EQ(g.gpr(cpu::RBX), 0x22222222u);
}
TEST(CodeWrites, RepMovs) {
    Guest g;
    g.load(Routine, returns_1()), g.load(0x310000, returns_2());
    g.go(copies_over());
    EXPECT_EQ(g.gpr(cpu::RBX), 0x22222222u);
}
TEST(CodeWrites, ThroughAnotherMapping) {
    Guest g;
    g.poke<u64>(BareMachine::Tables + 0x1000 + 8, (BareMachine::Tables + 0x2000) | 7); // 1 GiB maps RAM again
    g.load(Routine, returns_1());
    g.go(through_alias());
    EXPECT_EQ(g.gpr(cpu::RBX), 0x22222222u);
}
TEST(CodeWrites, SecondPageOfAnInstruction) {
    Guest g;
    static constexpr u8 crossing[] = {0xB8, 0x11, 0x11, 0x11,
                                      0x11, 0xE6, 0xF4}; // mov eax, 11111111h at …FFE; out
    g.load(0x300FFD, crossing);
    g.regs().gpr[cpu::RAX] = 0x300FFD;
    g.regs().rip = 0x300FFD;
    g.commit();
    g.resume();
    EXPECT_EQ(g.gpr(cpu::RAX), 0x11111111u);
    g.regs().gpr[cpu::RAX] = 0x300FFD;
    g.poke<u8>(0x301002, 0xE6), g.poke<u8>(0x301003, 0xF4);
    g.go(across());
    EXPECT_EQ(g.gpr(cpu::RAX), 0x22221111u);
}
TEST(CodeWrites, APageMayMoveUnderTheCode) {
    Guest g;
    g.load(Routine, returns_1()), g.load(0x310000, returns_2());
    g.poke<u64>(0x500000, 0x310000 | 7), g.poke<u64>(0x500008, Guest::pte(Routine));
    g.go(page_table_swap());
    EXPECT_EQ(g.gpr(cpu::RBX), 0x22222222u);
}
