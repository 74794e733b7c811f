// The guest's own breakpoints (DR0–DR3): an instruction breakpoint is met wherever blocks, links and jump
// caches lead, and code elsewhere runs at its usual speed. What #DB and DR6 say is in tests/privileged. SDM
// vol. 3B 17.2.
#include "tests/cpu/guest.h"

using namespace vitrine;
using namespace vitrine::test;

namespace {
// DR0 is set by the test. The loop runs 20000 times; the tail is never reached by it.
GUEST_CODE(long_loop, R"(
    mov ecx, 20000
1:  add rax, rcx
    dec ecx
    jnz 1b
    nop
    out 0xF4, al
    nop
    nop
)")
GUEST_CODE(breakpoint_handler, "inc rsi\n or dword ptr [rsp+16], 0x10000\n iretq\n")
} // namespace

TEST(DebugRegisters, ABreakpointElsewhereSlowsNothingDown) {
    Guest g;
    const auto code = long_loop();
    g.load(0x5000, breakpoint_handler());
    g.set_gate(1, 0x5000);
    // Behind the loop: on its page, and not run before the end.
    g.regs().dr[0] = BareMachine::Code + code.size() - 1, g.regs().dr[7] = 0x402;
    g.go(code, 200000);
    EXPECT_EQ(g.gpr(cpu::RSI), 0u);
    EXPECT_EQ(g.gpr(cpu::RCX), 0u);
    EXPECT_LT(g.processor.counters().precise_steps, 50u);
}
TEST(DebugRegisters, ABreakpointInALoopIsMetEachTime) {
    const auto code = long_loop();
    u64 cycles = 0;
    for (bool precise : {true, false}) {
        cpu::Options options;
        options.always_precise = precise;
        Guest g(0, options);
        g.load(0x5000, breakpoint_handler());
        g.set_gate(1, 0x5000);
        g.load(BareMachine::Code, code);
        g.processor.run(~u64{0} >> 1, 3000);                            // the loop is known, linked and hot
        g.regs().dr[0] = BareMachine::Code + 8, g.regs().dr[7] = 0x402; // DEC ECX
        const u64 left = g.gpr(cpu::RCX) & 0xFFFFFFFF, before = g.gpr(cpu::RSI);
        g.commit();
        g.resume(400000);
        EXPECT_EQ(g.gpr(cpu::RCX), 0u);
        EXPECT_NEAR(static_cast<double>(g.gpr(cpu::RSI) - before), static_cast<double>(left), 1.0);
        if (!precise) EXPECT_EQ(g.processor.cycles(), cycles);
        cycles = g.processor.cycles();
    }
}
