// Control registers, EFER, LOCK, CMPXCHG16B, instruction length, debug registers, MXCSR, CPUID. Intel SDM
// vol. 2, vol. 3A ch. 2.
#include "tests/cpu/guest.h"

using namespace vitrine;
using namespace vitrine::test;

namespace {
GUEST_CODE(write_cr0, "mov cr0, rax\n out 0xF4, al\n")
GUEST_CODE(write_cr3, "mov cr3, rax\n out 0xF4, al\n")
GUEST_CODE(write_cr4, "mov cr4, rax\n out 0xF4, al\n")
GUEST_CODE(write_cr8, "mov cr8, rax\n out 0xF4, al\n")
GUEST_CODE(write_msr, "wrmsr\n out 0xF4, al\n")
GUEST_CODE(write_dr7, "mov dr7, rax\n out 0xF4, al\n")
GUEST_CODE(write_dr6, "mov dr6, rax\n mov rbx, dr6\n out 0xF4, al\n")
GUEST_CODE(read_dr4, "mov rax, dr4\n out 0xF4, al\n")
GUEST_CODE(load_mxcsr, "ldmxcsr [0x200000]\n out 0xF4, al\n")
GUEST_CODE(pair, "cmpxchg16b [rsi]\n out 0xF4, al\n")
GUEST_CODE(read_cr0_user, "mov rax, cr0\n int 0x80\n")
GUEST_CODE(store_gdt_user, "sgdt [0x200000]\n int 0x80\n")
GUEST_CODE(compare_exchange, "cmpxchg [0x400010], ecx\n out 0xF4, al\n")
GUEST_CODE(conditional_move, "mov rax, -1\n xor ecx, ecx\n cmovnz eax, ecx\n out 0xF4, al\n")
GUEST_CODE(shift_by_zero, "stc\n mov cl, 32\n mov eax, 1\n shl eax, cl\n out 0xF4, al\n")
GUEST_CODE(scan_zero, "mov rax, 0x1122334455667788\n xor ecx, ecx\n bsf eax, ecx\n out 0xF4, al\n")

GUEST_CODE(identify, "mov eax, 1\n cpuid\n out 0xF4, al\n")
GUEST_CODE(shuffle, "pshufb xmm0, xmm1\n out 0xF4, al\n")
GUEST_CODE(checksum, "mov eax, -1\n mov ecx, 0x31\n crc32 eax, cl\n out 0xF4, al\n")

/// Runs one raw instruction; the vector that it raised, or −1 when OUT behind it was reached.
int outcome(std::vector<u8> bytes, u8 cpl = 0) {
    Guest g(cpl);
    bytes.insert(bytes.end(), {0xE6, 0xF4});
    g.regs().gpr[cpu::RSI] = 0x200000, g.regs().gpr[cpu::RDI] = 0x201000, g.regs().gpr[cpu::RBX] = 0x202000;
    g.go(bytes, 20);
    return g.last_vector();
}
int with_rax(std::span<const u8> code, u64 rax, u64 rcx = 0, u64 rdx = 0) {
    Guest g;
    g.regs().gpr[cpu::RAX] = rax, g.regs().gpr[cpu::RCX] = rcx, g.regs().gpr[cpu::RDX] = rdx;
    g.go(code, 20);
    return g.last_vector();
}
} // namespace

TEST(System, ControlRegisterReservedBits) {
    constexpr u64 cr0 = 0x80050033, cr4 = 0x620;
    EXPECT_EQ(with_rax(write_cr0(), cr0), -1);
    EXPECT_EQ(with_rax(write_cr0(), cr0 | u64{1} << 32), 13);
    EXPECT_EQ(with_rax(write_cr0(), cr0 & ~u64{cpu::PE}), 13) << "PG without PE";
    EXPECT_EQ(with_rax(write_cr0(), cr0 | cpu::NW), 13) << "NW without CD";
    EXPECT_EQ(with_rax(write_cr0(), cr0 & ~u64{cpu::PG}), 13) << "leaving paging in 64-bit code";
    EXPECT_EQ(with_rax(write_cr4(), cr4), -1);
    EXPECT_EQ(with_rax(write_cr4(), cr4 | u64{1} << 15), 13);
    EXPECT_EQ(with_rax(write_cr4(), cr4 | u64{1} << 40), 13);
    EXPECT_EQ(with_rax(write_cr4(), cr4 & ~u64{cpu::PAE}), 13) << "PAE is needed in IA-32e mode";
    EXPECT_EQ(with_rax(write_cr4(), cr4 | cpu::LA57), 13);
    EXPECT_EQ(with_rax(write_cr3(), BareMachine::Tables), -1);
    EXPECT_EQ(with_rax(write_cr3(), BareMachine::Tables | u64{1} << 45), 13);
    EXPECT_EQ(with_rax(write_cr8(), 15), -1);
    EXPECT_EQ(with_rax(write_cr8(), 16), 13);
    EXPECT_EQ(outcome({0x0F, 0x20, 0xC8}), 6) << "CR1";
    EXPECT_EQ(outcome({0x0F, 0x22, 0xE8}), 6) << "CR5";
    EXPECT_EQ(outcome({0x0F, 0x20, 0x00}), -1) << "mod is ignored";
    Guest user(3);
    user.go(read_cr0_user());
    EXPECT_EQ(user.last_vector(), 13);
}
TEST(System, ModelSpecificRegisters) {
    constexpr u32 efer = 0xC0000080, lstar = 0xC0000082, pat = 0x277, fs_base = 0xC0000100;
    EXPECT_EQ(with_rax(write_msr(), 0xD01, efer), -1);
    EXPECT_EQ(with_rax(write_msr(), 0xD03, efer), 13) << "a reserved bit";
    EXPECT_EQ(with_rax(write_msr(), 0xD01 & ~u64{cpu::LME}, efer), 13) << "LME while paging is on";
    EXPECT_EQ(with_rax(write_msr(), 0, lstar, 0x8000), 13) << "not canonical";
    EXPECT_EQ(with_rax(write_msr(), 0, fs_base, 0xFFFF8000), -1);
    EXPECT_EQ(with_rax(write_msr(), 0x02, pat), 13) << "memory type 2 does not exist";
    EXPECT_EQ(with_rax(write_msr(), 0x00070406, pat, 0x00070406), -1);
    EXPECT_EQ(with_rax(write_msr(), 0, 0x12345678), 13) << "no such register";
    EXPECT_EQ(outcome({0x0F, 0x32}, 3), 13) << "RDMSR at CPL 3";
}
TEST(System, ClearingNxeMakesNxReserved) {
    Guest g;
    g.set_page(0x400000, (u64{1} << 63) | 3);
    g.regs().gpr[cpu::RAX] = 0x501, g.regs().gpr[cpu::RCX] = 0xC0000080, g.regs().gpr[cpu::RDX] = 0;
    g.go(write_msr(), 10);
    ASSERT_TRUE(g.deliveries.empty());
    static constexpr u8 load[] = {0xA1, 0x10, 0x00, 0x40, 0, 0, 0, 0, 0};
    g.go(load, 10);
    EXPECT_FAULT(g, 14, 9);
}
TEST(System, LockRules) { // vol. 2 LOCK
    EXPECT_EQ(outcome({0xF0, 0x01, 0x06}), -1) << "add [rsi], eax";
    EXPECT_EQ(outcome({0xF0, 0x03, 0x06}), 6) << "add eax, [rsi]: memory is the source";
    EXPECT_EQ(outcome({0xF0, 0x01, 0xC0}), 6) << "add eax, eax";
    EXPECT_EQ(outcome({0xF0, 0x39, 0x06}), 6) << "cmp [rsi], eax";
    EXPECT_EQ(outcome({0xF0, 0x80, 0x3E, 1}), 6) << "cmp byte [rsi], 1";
    EXPECT_EQ(outcome({0xF0, 0x89, 0x06}), 6) << "mov [rsi], eax";
    EXPECT_EQ(outcome({0xF0, 0x90}), 6) << "nop";
    EXPECT_EQ(outcome({0xF0, 0x87, 0x06}), -1) << "xchg [rsi], eax";
    EXPECT_EQ(outcome({0xF0, 0xF7, 0x16}), -1) << "not [rsi]";
    EXPECT_EQ(outcome({0xF0, 0xF7, 0x06, 0, 0, 0, 0}), 6) << "test [rsi], imm";
    EXPECT_EQ(outcome({0xF0, 0xFF, 0x06}), -1) << "inc [rsi]";
    EXPECT_EQ(outcome({0xF0, 0xFF, 0x36}), 6) << "push [rsi]";
    EXPECT_EQ(outcome({0xF0, 0x0F, 0xAB, 0x06}), -1) << "bts [rsi], eax";
    EXPECT_EQ(outcome({0xF0, 0x0F, 0xA3, 0x06}), 6) << "bt [rsi], eax";
    EXPECT_EQ(outcome({0xF0, 0x0F, 0xBA, 0x26, 1}), 6) << "bt [rsi], 1";
    EXPECT_EQ(outcome({0xF0, 0x0F, 0xB1, 0x0E}), -1) << "cmpxchg [rsi], ecx";
    EXPECT_EQ(outcome({0xF0, 0x0F, 0xC1, 0x0E}), -1) << "xadd [rsi], ecx";
    EXPECT_EQ(outcome({0xF0, 0x0F, 0xC7, 0x0E}), -1) << "cmpxchg8b [rsi]";
    EXPECT_EQ(outcome({0xF0, 0x8B, 0x06}), 6) << "mov eax, [rsi]";
}
TEST(System, CompareExchange16BytesWantsAlignment) {
    Guest g;
    g.poke<u64>(0x200000, 1), g.poke<u64>(0x200008, 2);
    auto& r = g.regs();
    r.gpr[cpu::RSI] = 0x200000, r.gpr[cpu::RAX] = 1, r.gpr[cpu::RDX] = 2, r.gpr[cpu::RBX] = 3,
    r.gpr[cpu::RCX] = 4;
    g.go(pair(), 10);
    EXPECT_EQ(g.peek(0x200000), 3u);
    EXPECT_EQ(g.peek(0x200008), 4u);
    EXPECT_TRUE(g.processor.rflags() & cpu::ZF);
    Guest odd;
    odd.regs().gpr[cpu::RSI] = 0x200008;
    odd.go(pair(), 10);
    EXPECT_FAULT(odd, 13, 0);
}
TEST(System,
     CompareExchangeAlwaysWrites) { // vol. 2: the destination gets a write cycle without regard to the result
    Guest g;
    g.set_page(0x400000, 1);
    g.regs().gpr[cpu::RAX] = 77;
    g.go(compare_exchange(), 10);
    EXPECT_FAULT(g, 14, 3);
    EXPECT_EQ(g.gpr(cpu::RAX), 77u);
}
TEST(System, FifteenByteLimit) { // vol. 2 2.3.11
    std::vector<u8> long_nop(14, 0x66);
    long_nop.push_back(0x90);
    EXPECT_EQ(outcome(long_nop), -1) << "15 bytes";
    long_nop.insert(long_nop.begin(), 0x66);
    EXPECT_EQ(outcome(long_nop), 13) << "16 bytes";
    // The limit counts before the page of the excess byte is looked at.
    Guest g;
    g.load(0x400FF1, std::vector<u8>(15, 0x66));
    g.set_page(0x401000, 0);
    g.regs().rip = 0x400FF1;
    g.commit();
    g.resume(5);
    EXPECT_FAULT(g, 13, 0);
}
TEST(System, UndefinedOpcodes) {
    EXPECT_EQ(outcome({0x06}), 6) << "push es";
    EXPECT_EQ(outcome({0x27}), 6) << "daa";
    EXPECT_EQ(outcome({0x9A, 0, 0, 0, 0, 0, 0}), 6) << "far call";
    EXPECT_EQ(outcome({0xCE}), 6) << "into";
    EXPECT_EQ(outcome({0x0F, 0x0B}), 6) << "ud2";
    EXPECT_EQ(outcome({0xC7, 0xC8, 0, 0, 0, 0}), 6) << "group 11 /1";
    EXPECT_EQ(outcome({0x8E, 0xC8}), 6) << "mov cs, eax";
    EXPECT_EQ(outcome({0x0F, 0xC7, 0xF0}), 6) << "rdrand is not offered";
    EXPECT_EQ(outcome({0xC5, 0xF8, 0x77}), 6) << "AVX is not offered";
    EXPECT_EQ(outcome({0x8D, 0xC0}), 6) << "lea of a register";
}
TEST(System, DebugRegisters) { // 17.2
    EXPECT_EQ(with_rax(write_dr7(), u64{1} << 32), 13);
    EXPECT_EQ(with_rax(write_dr7(), 0x400), -1);
    Guest g;
    g.regs().gpr[cpu::RAX] = 0;
    g.go(write_dr6(), 10);
    EXPECT_EQ(g.gpr(cpu::RBX), 0xFFFF0FF0u);
    Guest alias;
    alias.go(read_dr4(), 10);
    EXPECT_EQ(alias.gpr(cpu::RAX), 0xFFFF0FF0u);
    Guest de;
    de.regs().cr4 |= cpu::DE;
    de.go(read_dr4(), 10);
    EXPECT_FAULT(de, 6, 0);
    Guest detect; // general detect: #DB before the access, GD cleared for the handler
    detect.regs().dr[7] = 0x2400;
    detect.go(write_dr6(), 10);
    EXPECT_FAULT(detect, 1, 0);
    EXPECT_EQ(detect.frame(0), BareMachine::Code);
    EXPECT_EQ(detect.regs().dr[6], 0xFFFF2FF0u);
    EXPECT_EQ(detect.regs().dr[7], 0x400u);
}
TEST(System, Mxcsr) {
    Guest g;
    g.poke<u32>(0x200000, 0x10000);
    g.go(load_mxcsr(), 10);
    EXPECT_FAULT(g, 13, 0);
    Guest ok;
    ok.poke<u32>(0x200000, 0xFFFF);
    ok.go(load_mxcsr(), 10);
    EXPECT_EQ(ok.regs().mxcsr, 0xFFFFu);
}
TEST(System, Umip) {
    Guest g(3);
    g.regs().cr4 |= cpu::UMIP;
    g.go(store_gdt_user(), 10);
    EXPECT_FAULT(g, 13, 0);
    Guest off(3);
    off.go(store_gdt_user(), 10);
    EXPECT_FAULT(off, 0x80, 0);
}
TEST(System, ResultsAndFlagsInCorners) {
    Guest move; // a 32-bit CMOV clears the upper half even when it does not move
    move.go(conditional_move(), 10);
    EXPECT_EQ(move.gpr(cpu::RAX), 0xFFFFFFFFu);
    Guest shift; // a masked count of zero leaves all flags
    shift.regs().rflags = 2 | cpu::ArithmeticFlags;
    shift.go(shift_by_zero(), 10);
    EXPECT_EQ(shift.processor.rflags() & cpu::ArithmeticFlags, u64{cpu::ArithmeticFlags});
    EXPECT_EQ(shift.gpr(cpu::RAX), 1u);
    Guest scan; // a zero source sets ZF and leaves the destination
    scan.go(scan_zero(), 10);
    EXPECT_TRUE(scan.processor.rflags() & cpu::ZF);
    EXPECT_EQ(scan.gpr(cpu::RAX) & 0xFFFFFFFF, 0x55667788u);
}
TEST(System, AModelOffersWhatItRuns) { // CPUID.1:ECX: SSE3 0, SSSE3 9, SSE4.1 19, SSE4.2 20, POPCNT 23
    constexpr u32 v2 = 1u << 0 | 1u << 9 | 1u << 19 | 1u << 20 | 1u << 23;
    Guest one;
    one.go(identify(), 10);
    EXPECT_EQ(one.gpr(cpu::RCX) & v2, 0u);
    EXPECT_TRUE(one.gpr(cpu::RDX) & 1u << 23) << "MMX";
    Guest refused;
    refused.go(shuffle(), 10);
    EXPECT_FAULT(refused, 6, 0);
    EXPECT_NE(refused.unimplemented_rip, 0u);
    if (!cpu::host_runs(cpu::Model::V2)) GTEST_SKIP() << "this host lacks SSE4.2";
    cpu::Options options;
    options.model = cpu::Model::V2;
    Guest two(0, options);
    two.go(identify(), 10);
    EXPECT_EQ(two.gpr(cpu::RCX) & v2, v2);
    Guest sum(0, options); // CRC-32C of "1", not inverted at the end
    sum.go(checksum(), 10);
    EXPECT_EQ(sum.gpr(cpu::RAX), 0xFFFFFFFFu ^ 0x90F599E3u);
}
TEST(System, PopulationCountIsV2) { // CPUID.1:ECX[23]; the row is refused, not the handler
    EXPECT_EQ(outcome({0xF3, 0x0F, 0xB8, 0xC1}), 6);
    if (!cpu::host_runs(cpu::Model::V2)) GTEST_SKIP() << "this host lacks SSE4.2";
    cpu::Options options;
    options.model = cpu::Model::V2;
    Guest g(0, options);
    static constexpr u8 count[] = {0xF3, 0x0F, 0xB8, 0xC1, 0xE6, 0xF4};
    g.regs().gpr[cpu::RCX] = 0xFF0F;
    g.go(count, 10);
    EXPECT_EQ(g.gpr(cpu::RAX), 12u);
}
TEST(System, PortStringsAreAtMostFourBytesWide) { // vol. 2, INS and OUTS: REX.W does not count
    Guest out;
    out.poke<u64>(0x200000, 0x1122334455667788);
    out.regs().gpr[cpu::RSI] = 0x200000, out.regs().gpr[cpu::RDX] = 0x80;
    static constexpr u8 outs[] = {0x48, 0x6F, 0xE6, 0xF4};
    out.go(outs, 10);
    ASSERT_FALSE(out.out.empty());
    EXPECT_EQ(out.out[0], 0x55667788u);
    EXPECT_EQ(out.gpr(cpu::RSI), 0x200004u);
    Guest in;
    in.poke<u64>(0x200000, 0);
    in.regs().gpr[cpu::RDI] = 0x200000, in.regs().gpr[cpu::RDX] = 0x80;
    static constexpr u8 ins[] = {0x48, 0x6D, 0xE6, 0xF4};
    in.go(ins, 10);
    EXPECT_EQ(in.peek(0x200000), 0xFFFFFFFFu);
    EXPECT_EQ(in.gpr(cpu::RDI), 0x200004u);
}
TEST(System, InitKeepsFloatingPointStateAndMostMsrs) { // 3A 9.1.1, table 9-1, column INIT
    cpu::Options options;
    options.bootstrap = false; // it waits behind INIT, so that its state can be seen
    Guest g(0, options);
    auto& r = g.regs();
    r.xmm[3] = {1, 2}, r.mxcsr = 0x3F80, r.x87.control = 0x27F, r.xcr0 = 3, r.cr0 |= cpu::CD | cpu::NW;
    r.msr.pat = 0x0007040600070405, r.msr.mtrr_def_type = 0xC06, r.msr.lstar = 77, r.msr.debug_ctl = 2;
    r.dr[0] = 5, r.dr[7] = 0x401, r.cr2 = 9, r.gpr[cpu::RBX] = 4;
    g.commit();
    g.processor.raise_init();
    EXPECT_EQ(g.resume(10), cpu::Stop::Halted);
    const cpu::Registers& after = g.processor.registers();
    EXPECT_EQ(after.xmm[3].hi, 2u);
    EXPECT_EQ(after.mxcsr, 0x3F80u);
    EXPECT_EQ(after.x87.control, 0x27F);
    EXPECT_EQ(after.xcr0, 3u);
    EXPECT_EQ(after.msr.pat, 0x0007040600070405u);
    EXPECT_EQ(after.msr.mtrr_def_type, 0xC06u);
    EXPECT_EQ(after.msr.lstar, 77u);
    EXPECT_EQ(after.msr.efer, 0u);
    EXPECT_EQ(after.msr.debug_ctl, 0u);
    EXPECT_EQ(after.cr0, 0x60000010u);
    EXPECT_EQ(after.cr2 | after.cr3 | after.cr4 | after.gpr[cpu::RBX] | after.dr[0], 0u);
    EXPECT_EQ(after.dr[7], 0x400u);
    EXPECT_EQ(after.rip, 0xFFF0u);
    EXPECT_EQ(after.seg[1].base, 0xFFFF0000u);
    g.regs().cr0 = 0x11; // caches on: they stay on
    g.commit();
    g.processor.raise_init();
    g.resume(10);
    EXPECT_EQ(g.processor.registers().cr0, 0x10u);
}
