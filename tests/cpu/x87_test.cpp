// x87 and MMX as a system sees them: deferred exceptions, #NM, environments, the MMX transition. Intel SDM
// vol. 1 ch. 8, 9; 3A 12. Values and flags of every instruction are compared with the host's processor in
// tests/silicon.
#include "tests/cpu/guest.h"

using namespace vitrine;
using namespace vitrine::test;

namespace {
// Division by zero unmasked: recorded, raised by the next waiting instruction.
GUEST_CODE(divide, R"(
    fninit
    fldcw [0x200000]
    fld1
    fldz
    fdivp
    nop
    fnstsw ax
    fnstenv [0x200100]
    fldcw [0x200000]
    fwait
    out 0xF4, al
)")
GUEST_CODE(divide_wait,
           "fninit\n fldcw [0x200000]\n fld1\n fldz\n fdivp\n mov eax, 7\n fwait\n out 0xF4, al\n")
GUEST_CODE(divide_clear,
           "fninit\n fldcw [0x200000]\n fld1\n fldz\n fdivp\n fnclex\n fwait\n fld1\n out 0xF4, al\n")
GUEST_CODE(invalid_unmasked, "fninit\n fldcw [0x200000]\n fldz\n fldz\n fdivp\n out 0xF4, al\n")
GUEST_CODE(underflow_of_stack, "fninit\n fadd st(0), st(1)\n out 0xF4, al\n")
GUEST_CODE(overflow_of_stack,
           "fninit\n fldz\n fldz\n fldz\n fldz\n fldz\n fldz\n fldz\n fldz\n fld1\n out 0xF4, al\n")
GUEST_CODE(load_one, "fld1\n out 0xF4, al\n")
GUEST_CODE(just_wait, "fwait\n out 0xF4, al\n")
GUEST_CODE(just_status, "fnstsw ax\n out 0xF4, al\n")
GUEST_CODE(pointers, "fninit\n fld dword ptr [0x200040]\n fnstenv [0x200100]\n out 0xF4, al\n")
GUEST_CODE(save_restore, "fninit\n fldpi\n fld1\n fnsave [0x200100]\n frstor [0x200100]\n fxch\n fstp qword "
                         "ptr [0x200300]\n out 0xF4, al\n")
GUEST_CODE(save_short, "fninit\n fldpi\n data16 fnsave [0x200100]\n out 0xF4, al\n")
GUEST_CODE(store_to_hole, "fninit\n fld1\n fstp qword ptr [0x400000]\n out 0xF4, al\n")
GUEST_CODE(precision, "fninit\n fldcw [0x200000]\n fld1\n fild dword ptr [0x200010]\n fdivp\n fstp tbyte ptr "
                      "[0x200100]\n out 0xF4, al\n")
GUEST_CODE(to_mmx, "fninit\n fld1\n fld1\n movq mm3, [0x200040]\n fnstenv [0x200100]\n out 0xF4, al\n emms\n "
                   "fnstenv [0x200100]\n out 0xF4, al\n")
GUEST_CODE(mmx_alone, "paddb mm0, mm1\n out 0xF4, al\n")
GUEST_CODE(mmx_pending, "fninit\n fldcw [0x200000]\n fld1\n fldz\n fdivp\n pxor mm0, mm0\n out 0xF4, al\n")
GUEST_CODE(fxsave_after, "fninit\n fld1\n fxsave [0x200100]\n fninit\n fxrstor [0x200100]\n fadd st(0), "
                         "st(0)\n fstp qword ptr [0x200300]\n out 0xF4, al\n")

GUEST_CODE(exact_sums, "fld1\n fld1\n faddp\n mov dx, 0x71\n in eax, dx\n fld1\n faddp\n fnstsw ax\n "
                       "fild dword ptr [0x200010]\n fdivp\n fstp tbyte ptr [0x200100]\n out 0xF4, al\n")
/// Host code that uses its x87 unit as code with long double does: under a control word of its own, and
/// leaving exceptions in the status word.
void dirty_the_host() {
    static const u16 control = 0x27F;
    asm volatile("fldcw %0\n\tfld1\n\tfldpi\n\tfdivrp\n\tfstp %%st(0)" : : "m"(control) : "st", "st(1)");
}
void clean_the_host() { asm volatile("fninit"); }
class UsesLongDouble final : public Guest {
public:
    u32 port_read(u16, unsigned) override { return dirty_the_host(), 0; }
};

u64 physical(Guest& g, unsigned n) {
    u64 v = 0;
    std::memcpy(&v, g.regs().x87.physical[n].data(), 8);
    return v;
}
} // namespace

TEST(X87, UnmaskedExceptionsAreDeferred) { // 8.7
    Guest g;
    g.poke<u16>(0x200000, 0x37B); // ZM clear
    g.go(divide());
    EXPECT_FAULT(g, 16, 0);
    EXPECT_EQ(g.frame(0), BareMachine::Code + 32)
        << "FNSTENV masks, FLDCW unmasks and makes it pending again, FWAIT raises it";
    EXPECT_EQ(g.gpr(cpu::RAX) & 0x8084, 0x8084u) << "B, ES, ZE";
    EXPECT_EQ(g.regs().x87.status >> 11 & 7, 6u) << "the operands stay";
    const u32 fip = static_cast<u32>(g.peek(0x20010C));
    EXPECT_EQ(fip, BareMachine::Code + 13) << "FIP names the culprit";
    Guest wait;
    wait.poke<u16>(0x200000, 0x37B);
    wait.go(divide_wait());
    EXPECT_FAULT(wait, 16, 0);
    EXPECT_EQ(wait.gpr(cpu::RAX), 7u);
    Guest cleared;
    cleared.poke<u16>(0x200000, 0x37B);
    cleared.go(divide_clear());
    EXPECT_TRUE(cleared.deliveries.empty());
}
TEST(X87, UnmaskedInvalidLeavesTheStack) {
    Guest g;
    g.poke<u16>(0x200000, 0x37E); // IM clear
    g.go(invalid_unmasked());
    EXPECT_TRUE(g.deliveries.empty());
    EXPECT_EQ(g.regs().x87.status, 0xB081u);
    EXPECT_EQ(g.regs().x87.tag_valid, 0xC0u);
    EXPECT_EQ(physical(g, 6), 0u);
}
TEST(X87, WithoutNumericErrorTheObserverHearsOfIt) {
    Guest g;
    g.poke<u16>(0x200000, 0x37B);
    g.regs().cr0 &= ~u64{cpu::NE};
    g.go(divide_wait());
    EXPECT_FAULT(g, 16, 0);
    EXPECT_NE(g.unimplemented_rip, 0u);
}
TEST(X87, AForgedStatusCannotReachTheHost) { // a snapshot may claim flags without ES
    Guest g;
    g.regs().x87.control = 0x340, g.regs().x87.status = 0x3F, g.regs().x87.tag_valid = 0xFF;
    g.go(load_one());
    EXPECT_FAULT(g, 16, 0);
}
TEST(X87, StackFaults) { // 8.1.3.3: IE, SF, and C1 for the direction
    Guest under;
    under.go(underflow_of_stack());
    EXPECT_EQ(under.regs().x87.status & 0x241, 0x41u);
    EXPECT_EQ(physical(under, 0), 0xC000000000000000u) << "the real indefinite";
    Guest over;
    over.go(overflow_of_stack());
    EXPECT_EQ(over.regs().x87.status & 0x241, 0x241u);
}
TEST(X87, DeviceNotAvailable) { // 3A table 9-2 … 9-3
    for (const u64 bits : {u64{cpu::TS}, u64{cpu::EM}}) {
        Guest g;
        g.regs().cr0 = (g.regs().cr0 & ~u64{cpu::MP}) | bits;
        g.go(load_one());
        EXPECT_FAULT(g, 7, 0);
        Guest status;
        status.regs().cr0 |= bits;
        status.go(just_status());
        EXPECT_FAULT(status, 7, 0);
    }
    Guest wait; // FWAIT looks at TS only with MP
    wait.regs().cr0 = (wait.regs().cr0 & ~u64{cpu::MP}) | cpu::TS;
    wait.go(just_wait());
    EXPECT_TRUE(wait.deliveries.empty());
    Guest both;
    both.regs().cr0 |= cpu::MP | cpu::TS;
    both.go(just_wait());
    EXPECT_FAULT(both, 7, 0);
}
TEST(X87, PointersInTheEnvironment) { // figure 8-9: the 28-byte protected-mode form
    Guest g;
    g.go(pointers());
    EXPECT_EQ(static_cast<u32>(g.peek(0x200100)), 0xFFFF037Fu);
    EXPECT_EQ(static_cast<u32>(g.peek(0x200108)), 0xFFFF7FFFu) << "tags: register 7 … zero is 1";
    EXPECT_EQ(static_cast<u32>(g.peek(0x20010C)), BareMachine::Code + 2);
    EXPECT_EQ(static_cast<u32>(g.peek(0x200110)), 0x01040008u) << "D9 /0 with ModRM 04, CS";
    EXPECT_EQ(static_cast<u32>(g.peek(0x200114)), 0x200040u);
    EXPECT_EQ(static_cast<u16>(g.peek(0x200118)), 0x10u);
}
TEST(X87, SaveAndRestore) {
    Guest g;
    g.go(save_restore());
    EXPECT_EQ(g.peek(0x200300), 0x400921FB54442D18u);
    Guest narrow; // 14 bytes of environment, then the registers
    narrow.go(save_short());
    EXPECT_EQ(static_cast<u16>(narrow.peek(0x200100)), 0x37Fu);
    EXPECT_EQ(narrow.peek(0x200100 + 14), 0xC90FDAA22168C235u);
    EXPECT_EQ(narrow.regs().x87.tag_valid, 0u) << "FNSAVE initializes";
    Guest extended;
    extended.go(fxsave_after());
    EXPECT_EQ(extended.peek(0x200300), 0x4000000000000000u);
}
TEST(X87, AMemoryFaultLeavesTheStack) {
    Guest g;
    g.set_page(0x400000, 0);
    g.go(store_to_hole());
    EXPECT_FAULT(g, 14, 2);
    EXPECT_EQ(g.regs().x87.tag_valid, 0x80u);
    EXPECT_EQ(g.regs().x87.status >> 11 & 7, 7u);
}
TEST(X87, PrecisionControl) {
    const auto third = [](u16 control) {
        Guest g;
        g.poke<u16>(0x200000, control);
        g.poke<u32>(0x200010, 3);
        g.go(precision());
        return g.peek(0x200100);
    };
    EXPECT_EQ(third(0x37F), 0xAAAAAAAAAAAAAAABu);
    EXPECT_EQ(third(0x27F), 0xAAAAAAAAAAAAA800u);
    EXPECT_EQ(third(0x07F), 0xAAAAAB0000000000u);
    EXPECT_EQ(third(0xF7F), 0xAAAAAAAAAAAAAAAAu) << "toward zero";
}
TEST(X87, WhatTheHostComputesDoesNotShow) {
    UsesLongDouble g;
    g.poke<u32>(0x200010, 3);
    g.regs().x87.control = 0x37F, g.regs().x87.tag_valid = 0;
    dirty_the_host();
    g.go(exact_sums());
    clean_the_host();
    EXPECT_EQ(g.gpr(cpu::RAX) & 0x3F, 0u) << "1 + 1 + 1 is exact";
    EXPECT_EQ(g.peek(0x200100), 0x8000000000000000u) << "3 / 3";
    EXPECT_EQ(g.regs().x87.control, 0x37Fu);
    Guest third;
    third.poke<u16>(0x200000, 0x37F), third.poke<u32>(0x200010, 3);
    dirty_the_host();
    third.go(precision());
    clean_the_host();
    EXPECT_EQ(third.peek(0x200100), 0xAAAAAAAAAAAAAAABu) << "64 bits of precision";
}
TEST(Mmx, TransitionAndEmms) { // 3A table 12-1
    Guest g;
    g.poke<u64>(0x200040, 0x0123456789ABCDEF);
    g.go(to_mmx());
    EXPECT_EQ(g.regs().x87.status >> 11 & 7, 0u) << "TOP is 0";
    EXPECT_EQ(g.regs().x87.tag_valid, 0xFFu);
    EXPECT_EQ(physical(g, 3), 0x0123456789ABCDEFu);
    EXPECT_EQ(g.regs().x87.physical[3][8] & g.regs().x87.physical[3][9], 0xFFu)
        << "sign and exponent are ones";
    EXPECT_EQ(g.peek(0x200108) & 0xC0, 0x80u) << "FNSTENV calls MM3 special";
    g.resume();
    EXPECT_EQ(g.regs().x87.tag_valid, 0u);
    EXPECT_EQ(static_cast<u16>(g.peek(0x200108)), 0xFFFFu);
}
TEST(Mmx, Availability) {
    Guest em;
    em.regs().cr0 |= cpu::EM;
    em.go(mmx_alone());
    EXPECT_FAULT(em, 6, 0);
    Guest ts;
    ts.regs().cr0 |= cpu::TS;
    ts.go(mmx_alone());
    EXPECT_FAULT(ts, 7, 0);
    Guest pending;
    pending.poke<u16>(0x200000, 0x37B);
    pending.go(mmx_pending());
    EXPECT_FAULT(pending, 16, 0);
}
