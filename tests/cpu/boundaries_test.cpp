// What happens at instruction boundaries: interrupt shadows, single-stepping, HLT, REP. Intel SDM vol. 3A
// 6.8, 17.3; vol. 2 STI, MOV.
#include "tests/cpu/guest.h"

using namespace vitrine;
using namespace vitrine::test;

namespace {
GUEST_CODE(sti_then, "sti\n inc eax\n inc eax\n hlt\n")
GUEST_CODE(sti_sti, "sti\n sti\n inc eax\n hlt\n")
GUEST_CODE(sti_hlt, "sti\n hlt\n inc eax\n hlt\n")
GUEST_CODE(mov_ss, "mov ecx, ss\n sti\n nop\n mov ss, ecx\n inc eax\n inc eax\n hlt\n")
GUEST_CODE(mov_ss_twice, "mov ecx, ss\n mov ss, ecx\n mov ss, ecx\n inc eax\n hlt\n")
GUEST_CODE(trap_flag, "pushfq\n or dword ptr [rsp], 0x100\n popfq\n inc eax\n inc eax\n hlt\n")
GUEST_CODE(
    trap_flag_over_mov_ss,
    "mov ecx, ss\n pushfq\n or dword ptr [rsp], 0x100\n popfq\n mov ss, ecx\n inc eax\n inc eax\n hlt\n")
GUEST_CODE(trap_flag_over_int, "pushfq\n or dword ptr [rsp], 0x100\n popfq\n int 0x60\n hlt\n")
GUEST_CODE(count_steps, "inc dword ptr [0x200000]\n iretq\n")
GUEST_CODE(return_at_once, "iretq\n")
GUEST_CODE(rep_traced, "mov edi, 0x201000\n mov ecx, 3\n pushfq\n or dword ptr [rsp], 0x100\n popfq\n rep "
                       "stosb\n nop\n pushfq\n and dword ptr [rsp], 0xFFFFFEFF\n popfq\n hlt\n")
GUEST_CODE(rep_long, "sti\n mov edi, 0x201000\n mov ecx, 0x1000\n rep stosb\n hlt\n")
GUEST_CODE(rep_into_hole, "mov edi, 0x201FF0\n mov ecx, 0x40\n mov al, 0x5A\n rep stosb\n hlt\n")
GUEST_CODE(rep_compare, "mov esi, 0x201000\n mov edi, 0x202000\n mov ecx, 10\n repe cmpsb\n hlt\n")
GUEST_CODE(rep_zero, "xor ecx, ecx\n mov edi, 0x700000\n rep stosb\n hlt\n")
GUEST_CODE(spin, "1: jmp 1b\n")
} // namespace

TEST(Boundaries, StiShadowsOneInstruction) {
    Guest g;
    g.processor.set_interrupt_request(true);
    g.go(sti_then());
    ASSERT_EQ(g.deliveries.size(), 1u);
    EXPECT_EQ(g.frame(0), BareMachine::Code + 3) << "after the instruction behind STI";
    EXPECT_EQ(g.gpr(cpu::RAX), 1u);
}
TEST(Boundaries, StiWithIfSetCastsNoNewShadow) { // vol. 2, STI: only when IF goes from 0 to 1
    Guest g;
    g.processor.set_interrupt_request(true);
    g.go(sti_sti());
    ASSERT_EQ(g.deliveries.size(), 1u);
    EXPECT_EQ(g.frame(0), BareMachine::Code + 2);
}
TEST(Boundaries, StiHltSleepsAndWakes) {
    Guest g;
    EXPECT_EQ(g.go(sti_hlt()), cpu::Stop::Halted);
    EXPECT_EQ(g.gpr(cpu::RAX), 0u);
    EXPECT_TRUE(g.processor.halted());
    g.processor.set_interrupt_request(true);
    g.resume();
    ASSERT_EQ(g.deliveries.size(), 1u);
    EXPECT_EQ(g.frame(0), BareMachine::Code + 2) << "the return address is behind HLT";
    Guest pending; // already pending: HLT executes in the shadow and is woken at once
    pending.processor.set_interrupt_request(true);
    pending.go(sti_hlt());
    ASSERT_EQ(pending.deliveries.size(), 1u);
    EXPECT_EQ(pending.frame(0), BareMachine::Code + 2);
}
TEST(Boundaries, MovSsShadowsInterruptsAndNmi) { // 6.8.3
    Guest g;
    g.load(BareMachine::Code, mov_ss());
    g.regs().rip = BareMachine::Code;
    g.commit();
    g.processor.run(~u64{0} >> 1, g.processor.steps() + 4); // up to and with MOV SS
    g.processor.set_interrupt_request(true);
    g.processor.raise_nmi();
    g.resume();
    ASSERT_GE(g.deliveries.size(), 1u);
    EXPECT_EQ(g.deliveries[0].vector, 2);
    EXPECT_EQ(g.deliveries[0].rip, BareMachine::Code + 8) << "one instruction later";
    EXPECT_EQ(g.gpr(cpu::RAX), 1u);
}
TEST(Boundaries, MovSsTwiceDoesNotExtendTheShadow) {
    Guest g;
    g.load(BareMachine::Code, mov_ss_twice());
    g.regs().rip = BareMachine::Code;
    g.commit();
    g.processor.run(~u64{0} >> 1, g.processor.steps() + 2);
    g.processor.raise_nmi();
    g.resume();
    ASSERT_EQ(g.deliveries.size(), 1u);
    EXPECT_EQ(g.deliveries[0].rip, BareMachine::Code + 6);
}
TEST(Boundaries, TrapFlagFromPopfTrapsAfterTheNextInstruction) { // 17.3.2
    Guest g;
    g.go(trap_flag());
    EXPECT_FAULT(g, 1, 0);
    EXPECT_EQ(g.gpr(cpu::RAX), 1u);
    EXPECT_EQ(g.frame(0), BareMachine::Code + 11);
    EXPECT_EQ(g.regs().dr[6], 0xFFFF4FF0u) << "BS";
    EXPECT_EQ(g.processor.rflags() & cpu::TF, 0u);
    EXPECT_NE(g.frame(2) & cpu::TF, 0u);
    EXPECT_EQ(g.frame(2) & cpu::RF, 0u);
}
TEST(Boundaries, SingleStepIsHeldOverMovSs) {
    Guest g;
    g.go(trap_flag_over_mov_ss());
    ASSERT_EQ(g.deliveries.size(), 1u);
    EXPECT_EQ(g.gpr(cpu::RAX), 1u) << "MOV SS and its successor run together";
}
TEST(Boundaries, IntClearsTrapFlagWithoutATrap) { // 17.3.2: no single-step trap into the handler
    Guest g;
    g.go(trap_flag_over_int());
    EXPECT_FAULT(g, 0x60, 0);
    EXPECT_NE(g.frame(2) & cpu::TF, 0u);
}
TEST(Boundaries, SingleStepStopsAtEveryRepIteration) {
    Guest g;
    g.set_gate(1, 0x6000);
    g.load(0x6000, count_steps());
    g.go(rep_traced());
    EXPECT_EQ(g.gpr(cpu::RCX), 0u);
    EXPECT_EQ(g.peek(0x200000) & 0xFFFFFFFF, 7u) << "three iterations and four more instructions";
}
TEST(Boundaries, InterruptsArriveBetweenRepIterations) {
    Guest g;
    g.set_gate(0x40, 0x6000);
    g.load(0x6000, return_at_once());
    g.load(BareMachine::Code, rep_long());
    g.regs().rip = BareMachine::Code;
    g.commit();
    g.processor.run(~u64{0} >> 1, g.processor.steps() + 3 + 100);
    EXPECT_EQ(g.gpr(cpu::RCX), 0x1000u - 100);
    g.processor.set_interrupt_request(true);
    g.processor.run(~u64{0} >> 1, g.processor.steps() + 1);
    ASSERT_EQ(g.deliveries.size(), 1u);
    EXPECT_EQ(g.deliveries[0].rip, BareMachine::Code + 11) << "at the instruction itself";
    EXPECT_NE(g.frame(2) & cpu::RF, 0u) << "RF is set in the image of an interrupted repeat (17.3.1.1)";
    g.resume(20000);
    EXPECT_EQ(g.gpr(cpu::RCX), 0u);
    EXPECT_EQ(g.gpr(cpu::RDI), 0x202000u);
}
TEST(Boundaries, AnInterruptBeforeTheFirstIterationPushesNoRf) {
    Guest g;
    g.load(BareMachine::Code, rep_long());
    g.regs().rip = BareMachine::Code;
    g.commit();
    g.processor.run(~u64{0} >> 1, g.processor.steps() + 3);
    g.processor.set_interrupt_request(true);
    g.processor.run(~u64{0} >> 1, g.processor.steps() + 1);
    ASSERT_EQ(g.deliveries.size(), 1u);
    EXPECT_EQ(g.frame(2) & cpu::RF, 0u);
}
TEST(Boundaries, PageFaultInRepKeepsWhatIsDone) { // vol. 2, REP
    Guest g;
    g.set_page(0x202000, 0);
    g.go(rep_into_hole());
    EXPECT_FAULT(g, 14, 2);
    EXPECT_EQ(g.regs().cr2, 0x202000u);
    EXPECT_EQ(g.gpr(cpu::RCX), 0x30u);
    EXPECT_EQ(g.gpr(cpu::RDI), 0x202000u);
    EXPECT_EQ(g.peek(0x201FF8), 0x5A5A5A5A5A5A5A5Au);
    EXPECT_EQ(g.frame(1), BareMachine::Code + 12);
}
TEST(Boundaries, RepeEndsOnDifference) {
    Guest g;
    g.poke<u8>(0x202004, 1);
    g.go(rep_compare());
    EXPECT_EQ(g.gpr(cpu::RCX), 5u);
    EXPECT_EQ(g.gpr(cpu::RSI), 0x201005u);
    EXPECT_EQ(g.processor.rflags() & cpu::ZF, 0u);
}
TEST(Boundaries, RepWithZeroCountTouchesNothing) {
    Guest g;
    g.set_page(0x700000, 0);
    g.go(rep_zero());
    EXPECT_TRUE(g.deliveries.empty());
}
TEST(Boundaries, EventsAreDueAtTheFirstBoundaryAtOrAfterTheirTime) {
    const auto start = [](Guest& g) {
        g.load(BareMachine::Code, spin());
        g.processor.run(~u64{0} >> 1, 5);
    };
    Guest first;
    start(first);
    const u64 now = first.processor.cycles();
    for (u64 deadline = now + 1; deadline < now + 60; ++deadline) {
        Guest g, earlier;
        start(g), start(earlier);
        EXPECT_EQ(g.processor.run(deadline, ~u64{0}), cpu::Stop::Deadline);
        EXPECT_GE(g.processor.cycles(), deadline);
        ASSERT_GT(g.processor.steps(), 5u);
        earlier.processor.run(~u64{0} >> 1, g.processor.steps() - 1);
        EXPECT_LT(earlier.processor.cycles(), deadline);
    }
}
