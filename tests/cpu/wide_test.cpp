// A model that has 57 bits of linear address, in a mode that uses 48: registers and tables may hold addresses
// that no access can use. Saved protection-key rights. SDM vol. 3A 4.5.2; the rules of 5-level paging and of
// protection keys are in tests/privileged (long_wide.cpp).
#include "tests/cpu/guest.h"

using namespace vitrine;
using namespace vitrine::test;
using cpu::Model;

namespace {

constexpr u64 Beyond48 = u64{1} << 50, Beyond57 = u64{1} << 57;

GUEST_CODE(write_lstar, "wrmsr\n out 0xF4, al\n")
GUEST_CODE(call_the_system, "wrmsr\n syscall\n")
GUEST_CODE(read_there, "mov rax, [rbx]\n out 0xF4, al\n")
GUEST_CODE(use_a_far_table, "lgdt [0x200000]\n mov fs, ecx\n out 0xF4, al\n")
GUEST_CODE(use_far_gates, "lidt [0x200000]\n ud2\n")
GUEST_CODE(jump_there, "jmp rbx\n")

cpu::Options with(Model model) {
    cpu::Options o;
    o.model = model;
    return o;
}
void address(Guest& g, u64 value) {
    g.regs().gpr[cpu::RCX] = 0xC0000082, g.regs().gpr[cpu::RAX] = value & 0xFFFFFFFF;
    g.regs().gpr[cpu::RDX] = value >> 32, g.regs().gpr[cpu::RBX] = value;
}

} // namespace

TEST(WideModel, RegistersMayHoldWhatTheModeCannotUse) {
    Guest narrow(0, with(Model::V3)), wide(0, with(Model::Max)), wider(0, with(Model::Max));
    address(narrow, Beyond48), narrow.go(write_lstar());
    EXPECT_FAULT(narrow, 13, 0);
    address(wide, Beyond48), wide.go(write_lstar());
    EXPECT_TRUE(wide.deliveries.empty());
    EXPECT_EQ(wide.regs().msr.lstar, Beyond48);
    address(wider, Beyond57), wider.go(write_lstar());
    EXPECT_FAULT(wider, 13, 0);
}
TEST(WideModel, AccessesAndTargetsFollowTheMode) {
    for (auto code : {read_there(), jump_there()}) {
        Guest g(0, with(Model::Max));
        address(g, Beyond48), g.go(code);
        EXPECT_FAULT(g, 13, 0);
        EXPECT_EQ(g.deliveries.back().rip, BareMachine::Code);
    }
    Guest call(0, with(Model::Max)); // the fault comes at the target
    address(call, Beyond48), call.go(call_the_system());
    EXPECT_FAULT(call, 13, 0);
    EXPECT_EQ(call.deliveries.back().rip, Beyond48);
}
TEST(WideModel, TablesThatNoAccessReaches) {
    Guest table(0, with(Model::Max));
    table.poke<u16>(0x200000, 0x37), table.poke<u64>(0x200002, Beyond48);
    table.regs().gpr[cpu::RCX] = 0x10;
    EXPECT_EQ(table.go(use_a_far_table()), cpu::Stop::TripleFault) << "no handler's code segment is in reach";
    EXPECT_EQ(table.regs().gdtr.base, Beyond48);
    EXPECT_EQ(table.processor.fault_chain().faults[0].vector, 13);
    Guest gates(0, with(Model::Max));
    gates.poke<u16>(0x200000, 0xFFF), gates.poke<u64>(0x200002, Beyond48);
    EXPECT_EQ(gates.go(use_far_gates()), cpu::Stop::TripleFault);
    EXPECT_EQ(gates.processor.fault_chain().faults[0].vector, 6);
}
TEST(WideModel, ASavedStateKeepsTheKeys) {
    Guest g(0, with(Model::Max)), other(0, with(Model::Max));
    g.regs().pkru = 0x55555554, g.regs().cr4 |= cpu::PKE;
    g.commit();
    Archive save = Archive::saver();
    g.processor.serialize(save);
    const auto bytes = save.take();
    Archive load = Archive::loader(bytes);
    other.processor.serialize(load);
    EXPECT_TRUE(load.ok() && load.at_end()) << load.error();
    EXPECT_EQ(other.regs().pkru, 0x55555554u);
}
