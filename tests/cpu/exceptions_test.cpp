// Delivery of exceptions: frames, error codes, double and triple faults, stacks, NMI. Intel SDM vol. 3A ch.
// 6.
#include "tests/cpu/guest.h"

using namespace vitrine;
using namespace vitrine::test;

namespace {
GUEST_CODE(divide_by_zero, "xor ecx, ecx\n div ecx\n hlt\n")
GUEST_CODE(undefined, "nop\n ud2\n hlt\n")
GUEST_CODE(load_missing, "mov eax, [0x700000]\n hlt\n")
GUEST_CODE(general_protection, "mov rax, 0x8000000000000000\n mov rax, [rax]\n hlt\n")
GUEST_CODE(software, "int 0x55\n hlt\n")
GUEST_CODE(breakpoint, "nop\n int3\n hlt\n")
GUEST_CODE(user_breakpoint_and_more, "int 0x30\n")
GUEST_CODE(idle, "sti\n nop\n hlt\n 1: jmp 1b\n")
GUEST_CODE(return_from_nmi, "nop\n nop\n nop\n iretq\n")
} // namespace

TEST(Exceptions, FrameOfAFault) { // 6.14.2: SS RSP RFLAGS CS RIP, stack aligned to 16
    Guest g;
    g.regs().gpr[cpu::RSP] = BareMachine::Stack - 3;
    g.commit();
    g.go(undefined());
    EXPECT_FAULT(g, 6, 0);
    EXPECT_EQ(g.gpr(cpu::RSP) & 15, 8u); // five items below a 16-byte boundary
    EXPECT_EQ(g.frame(0), BareMachine::Code + 1);
    EXPECT_EQ(g.frame(1), 0x08u);
    EXPECT_EQ(g.frame(2), 0x10002u) << "RF is set in a fault's image (17.3.1.1)";
    EXPECT_EQ(g.frame(3), BareMachine::Stack - 3);
    EXPECT_EQ(g.frame(4), 0x10u);
}
TEST(Exceptions, TrapsPushTheNextAddressWithoutRf) {
    Guest g;
    g.go(breakpoint());
    EXPECT_FAULT(g, 3, 0);
    EXPECT_EQ(g.frame(0), BareMachine::Code + 2);
    EXPECT_EQ(g.frame(2), 2u);
    Guest h;
    h.go(software());
    EXPECT_FAULT(h, 0x55, 0);
    EXPECT_EQ(h.frame(0), BareMachine::Code + 2);
    EXPECT_EQ(h.frame(2), 2u);
}
TEST(Exceptions, ErrorCodeLiesBelowTheFrame) {
    Guest g;
    g.go(general_protection());
    EXPECT_FAULT(g, 13, 0);
    EXPECT_EQ(g.frame(0), 0u);
    EXPECT_EQ(g.frame(1), BareMachine::Code + 10);
}
TEST(Exceptions, InnerStackComesFromTheTss) { // 6.14.2, 6.14.4
    Guest g(3);
    g.go(user_breakpoint_and_more());
    EXPECT_FAULT(g, 0x30, 0);
    EXPECT_EQ(g.gpr(cpu::RSP), 0x9000u - 40);
    EXPECT_EQ(g.frame(1), 0x23u);
    EXPECT_EQ(g.frame(4), 0x1Bu);
    EXPECT_EQ(g.regs().seg[2].selector, 0u) << "SS becomes null with RPL = new CPL";
}
TEST(Exceptions, InterruptStackTable) {
    Guest g;
    g.set_ist(3, 0x205000);
    g.set_gate(6, 0x5060, 0xE, 3, 3);
    g.go(undefined());
    EXPECT_EQ(g.gpr(cpu::RSP), 0x205000u - 40);
}
TEST(Exceptions, TrapGatesKeepIf) {
    for (const bool trap : {false, true}) {
        Guest g;
        g.set_gate(6, 0x5060, trap ? 0xF : 0xE);
        g.regs().rflags |= cpu::IF;
        g.go(undefined());
        EXPECT_EQ((g.processor.rflags() & cpu::IF) != 0, trap);
    }
}
TEST(Exceptions, GatePrivilegeIsCheckedForSoftwareOnly) {
    Guest g(3);
    g.set_gate(0x30, 0x5300, 0xE, 0);
    g.go(user_breakpoint_and_more());
    EXPECT_FAULT(g, 13, 0x30 * 8 + 2); // IDT bit, no EXT
    Guest h(3);
    h.set_gate(6, 0x5060, 0xE, 0);
    h.go(undefined());
    EXPECT_FAULT(h, 6, 0);
}
TEST(Exceptions, MissingGates) { // error code: vector, IDT bit, EXT unless software (6.13)
    Guest g;
    g.remove_gate(0x55);
    g.go(software());
    EXPECT_FAULT(g, 11, 0x55 * 8 + 2);
    Guest h;
    h.remove_gate(6);
    h.go(undefined());
    EXPECT_FAULT(h, 11, 6 * 8 + 3);
    EXPECT_EQ(h.frame(1), BareMachine::Code + 1);
    Guest i; // an external interrupt
    i.remove_gate(0x40);
    i.processor.set_interrupt_request(true);
    i.go(idle());
    EXPECT_FAULT(i, 11, 0x40 * 8 + 3);
    Guest j; // beyond the IDT's limit
    j.regs().idtr.limit = 0x54F;
    j.commit();
    j.go(software());
    EXPECT_FAULT(j, 13, 0x55 * 8 + 2);
}
TEST(Exceptions, DoubleFaultTable) { // table 6-5
    Guest contributory;              // #DE, then #NP: #DF
    contributory.remove_gate(0);
    contributory.go(divide_by_zero());
    EXPECT_FAULT(contributory, 8, 0);
    EXPECT_EQ(contributory.frame(0), 0u);

    Guest missing; // #PF, then #NP: #DF
    missing.set_page(0x700000, 0);
    missing.remove_gate(14);
    missing.go(load_missing());
    EXPECT_FAULT(missing, 8, 0);
    EXPECT_EQ(missing.regs().cr2, 0x700000u);

    Guest pages; // #PF while delivering #PF: #DF
    pages.set_page(0x700000, 0);
    pages.set_page(0x600000, 0);
    pages.set_ist(1, 0x601000);
    pages.set_gate(14, 0x50E0, 0xE, 3, 1);
    pages.go(load_missing());
    EXPECT_FAULT(pages, 8, 0);

    Guest serial; // #DE (contributory), then #PF: handled one after the other
    serial.set_page(0x600000, 0);
    serial.set_ist(1, 0x601000);
    serial.set_gate(0, 0x5000, 0xE, 3, 1);
    serial.go(divide_by_zero());
    EXPECT_FAULT(serial, 14, 2); // a supervisor write to a page that is not present
    EXPECT_EQ(serial.regs().cr2, 0x600FF8u);
    EXPECT_EQ(serial.frame(1), BareMachine::Code + 2);

    Guest benign; // #UD, then #NP: serial
    benign.remove_gate(6);
    benign.go(undefined());
    EXPECT_FAULT(benign, 11, 6 * 8 + 3);
}
TEST(Exceptions, FaultInDoubleFaultShutsDown) {
    Guest g;
    g.remove_gate(0);
    g.remove_gate(8);
    EXPECT_EQ(g.go(divide_by_zero()), cpu::Stop::TripleFault);
    EXPECT_TRUE(g.deliveries.empty());
    const cpu::FaultChain& chain = g.processor.fault_chain();
    ASSERT_EQ(chain.count, 3u);
    EXPECT_EQ(chain.faults[0].vector, 0);
    EXPECT_EQ(chain.faults[1].vector, 8);
    EXPECT_EQ(g.resume(), cpu::Stop::TripleFault) << "shutdown lasts until reset";
}
TEST(Exceptions, DeliveryIsOneStep) {
    Guest g;
    const u64 before = g.processor.steps();
    g.load(BareMachine::Code, undefined());
    g.regs().rip = BareMachine::Code;
    g.commit();
    g.processor.run(~u64{0} >> 1, before + 2); // nop, delivery
    EXPECT_EQ(g.processor.rip(), 0x5060u);
    EXPECT_EQ(g.processor.steps(), before + 2);
}
TEST(Exceptions, NmiIsBlockedUntilIret) { // 6.7.1
    Guest g;
    g.set_gate(2, 0x6000);
    g.load(0x6000, return_from_nmi());
    g.processor.raise_nmi();
    g.go(idle(), 2); // the delivery, NOP
    ASSERT_EQ(g.deliveries.size(), 1u);
    g.processor.raise_nmi();
    g.resume(3); // NOP, NOP, IRETQ
    EXPECT_EQ(g.processor.rip(), BareMachine::Code);
    EXPECT_EQ(g.deliveries.size(), 1u) << "a second NMI waits";
    g.resume(1);
    EXPECT_EQ(g.deliveries.size(), 2u) << "IRET unblocks it";
}
