// Paging: error codes, rights, accessed and dirty bits, split accesses, stale translations. Intel SDM vol. 3A
// ch. 4.
#include "tests/cpu/guest.h"

using namespace vitrine;
using namespace vitrine::test;

namespace {
constexpr u64 Page = 0x400000, Next = 0x401000;
constexpr u64 NX = u64{1} << 63;
enum : u64 { P = 1, W = 2, U = 4, A = 32, D = 64 };

GUEST_CODE(read, "mov eax, [0x400010]\n out 0xF4, al\n")
GUEST_CODE(write, "mov dword ptr [0x400010], 5\n out 0xF4, al\n")
GUEST_CODE(read_user, "mov eax, [0x400010]\n int 0x80\n")
GUEST_CODE(write_user, "mov dword ptr [0x400010], 5\n int 0x80\n")
GUEST_CODE(execute, "mov eax, 0x400000\n jmp rax\n")
GUEST_CODE(modify, "lock add dword ptr [0x400010], 5\n out 0xF4, al\n")
GUEST_CODE(split_read, "mov rax, [0x400FFC]\n out 0xF4, al\n")
GUEST_CODE(split_write, "mov rax, -1\n mov [0x400FFC], rax\n out 0xF4, al\n")
GUEST_CODE(touch_twice, "mov eax, [0x400010]\n out 0xF4, al\n mov eax, [0x400010]\n out 0xF4, al\n")
GUEST_CODE(touch_invlpg,
           "mov eax, [0x400010]\n out 0xF4, al\n invlpg [0x400010]\n mov eax, [0x400010]\n out 0xF4, al\n")
GUEST_CODE(
    touch_cr3,
    "mov eax, [0x400010]\n out 0xF4, al\n mov rax, cr3\n mov cr3, rax\n mov eax, [0x400010]\n out 0xF4, al\n")
GUEST_CODE(read_then_write, "mov eax, [0x400010]\n out 0xF4, al\n mov [0x400010], eax\n out 0xF4, al\n")
GUEST_CODE(with_ac, "pushfq\n or dword ptr [rsp], 0x40000\n popfq\n mov eax, [0x400010]\n out 0xF4, al\n")
GUEST_CODE(misaligned_ac, "pushfq\n or dword ptr [rsp], 0x40000\n popfq\n mov eax, [0x400011]\n int 0x80\n")

void expect_page_fault(Guest& g, u64 cr2, u32 error) {
    EXPECT_FAULT(g, 14, error);
    EXPECT_EQ(g.regs().cr2, cr2);
}
} // namespace

TEST(Paging, ErrorCodes) { // 4.7: P, W/R, U/S, RSVD, I/D
    struct Row {
        std::span<const u8> code;
        u8 cpl;
        u64 bits;
        u32 error;
    };
    const Row rows[] = {
        {read(), 0, 0, 0},
        {write(), 0, 0, 2},
        {read_user(), 3, 0, 4},
        {write_user(), 3, 0, 6},
        {read_user(), 3, P | W, 5},
        {write_user(), 3, P | U, 7},
        {write(), 0, P, 3},
        {modify(), 0, P, 3}, // CR0.WP is set
        {read(), 0, P | W | u64{1} << 45, 9},
        {write_user(), 3, P | W | U | u64{1} << 50, 15},
        {modify(), 0, 0, 2},
        {execute(), 0, 0, 16},
        {execute(), 0, P | NX, 17},
        {execute(), 3, P, 21},
        {execute(), 3, P | U | NX, 21},
        {execute(), 3, 0, 20},
    };
    for (const Row& row : rows) {
        Guest g(row.cpl);
        g.set_page(Page, row.bits);
        g.go(row.code);
        SCOPED_TRACE(row.error);
        const bool fetch = row.error & 16;
        expect_page_fault(g, fetch ? Page : Page + 0x10, row.error);
    }
}
TEST(Paging, BitsBelow51AreReservedAboveTheAddressWidth) {
    Guest g;
    g.set_page(Page, P | W | u64{1} << 40);
    g.go(read());
    expect_page_fault(g, Page + 0x10, 9);
    Guest ignored; // bits 52–58 are ignored
    ignored.set_page(Page, P | W | u64{0x7F} << 52);
    ignored.go(read());
    EXPECT_TRUE(ignored.deliveries.empty());
}
TEST(Paging, NxIsReservedWithoutNxe) {
    Guest g;
    g.regs().msr.efer &= ~u64{cpu::NXE};
    g.set_page(Page, P | W | NX);
    g.go(read());
    expect_page_fault(g, Page + 0x10, 9);
}
TEST(Paging, NoFetchBitWithoutNxeAndSmep) { // 4.7: I/D only when NXE or SMEP
    Guest g;
    g.regs().msr.efer &= ~u64{cpu::NXE};
    g.set_page(Page, 0);
    g.go(execute());
    expect_page_fault(g, Page, 0);
}
TEST(Paging, WriteProtectOff) {
    Guest g;
    g.regs().cr0 &= ~u64{cpu::WP};
    g.set_page(Page, P);
    g.go(write());
    EXPECT_TRUE(g.deliveries.empty());
    Guest user(3); // users obey W whatever WP says
    user.regs().cr0 &= ~u64{cpu::WP};
    user.set_page(Page, P | U);
    user.go(write_user());
    expect_page_fault(user, Page + 0x10, 7);
}
TEST(Paging, RightsAreTheAndOfAllLevels) {
    Guest g(3);
    g.poke<u64>(BareMachine::Tables + 0x2000 + 8 * (Page >> 21),
                (BareMachine::Tables + 0x3000 + 0x1000 * (Page >> 21)) | P | U); // PDE without W
    g.commit();
    g.go(write_user());
    expect_page_fault(g, Page + 0x10, 7);
}
TEST(Paging, Smep) { // 4.6.1
    Guest g;
    g.regs().cr4 |= cpu::SMEP;
    g.set_page(BareMachine::Code, P | W);
    g.set_page(0x5000, P | W); // the handlers
    g.set_page(Page, P | W | U);
    g.go(execute());
    expect_page_fault(g, Page, 17);
}
TEST(Paging, Smap) {
    const auto prepare = [](Guest& g) {
        g.regs().cr4 |= cpu::SMAP;
        for (u64 page = 0; page < 0x400000; page += 0x1000) g.poke<u64>(Guest::pte(page), page | P | W);
        g.set_page(Page, P | W | U);
    };
    Guest g;
    prepare(g);
    g.go(read());
    expect_page_fault(g, Page + 0x10, 1);
    Guest ac; // explicit supervisor accesses with AC set pass
    prepare(ac);
    ac.go(with_ac());
    EXPECT_TRUE(ac.deliveries.empty());
    Guest implicit; // the IDT on a user page: AC does not help implicit accesses
    prepare(implicit);
    for (u64 i = 0; i < 0x1000; i += 8) implicit.poke<u64>(Page + i, implicit.peek(BareMachine::Idt + i));
    implicit.regs().idtr.base = Page;
    implicit.regs().rflags |= cpu::AC;
    implicit.commit();
    static constexpr u8 int3[] = {0xCC};
    EXPECT_EQ(implicit.go(int3), cpu::Stop::TripleFault);
    EXPECT_EQ(implicit.regs().cr2, Page + 16 * 8);
}
TEST(Paging, AccessedAndDirty) { // 4.8
    Guest g;
    g.set_page(Page, P | W | U);
    g.go(read());
    EXPECT_EQ(g.peek(Guest::pte(Page)) & 0xFFF, P | W | U | A);
    g.go(write());
    EXPECT_EQ(g.peek(Guest::pte(Page)) & 0xFFF, P | W | U | A | D)
        << "a write through a translation that a read cached";
    Guest faulting; // an access that faults sets nothing in the leaf
    faulting.set_page(Page, P);
    faulting.go(write());
    EXPECT_EQ(faulting.peek(Guest::pte(Page)) & 0xFFF, P);
    Guest fetch;
    fetch.set_page(Page, P | W | U);
    fetch.poke<u8>(Page, 0xF4); // HLT
    fetch.go(execute());
    EXPECT_EQ(fetch.peek(Guest::pte(Page)) & (A | D), A);
}
TEST(Paging, SplitAccessesReportTheSecondPageAndWriteNothing) {
    Guest g;
    g.set_page(Next, 0);
    g.go(split_read());
    expect_page_fault(g, Next, 0);
    Guest w;
    w.poke<u64>(0x400FF8, 0);
    w.set_page(Next, P); // read-only
    w.go(split_write());
    expect_page_fault(w, Next, 3);
    EXPECT_EQ(w.peek(0x400FF8), 0u) << "both pages are checked before a byte is written";
    Guest ok;
    ok.poke<u64>(Guest::pte(Next), 0x500000 | P | W); // the pages need not be neighbours in memory
    ok.commit();
    ok.go(split_write());
    u32 low = 0, high = 0;
    std::memcpy(&low, ok.ram.data() + 0x400FFC, 4);
    std::memcpy(&high, ok.ram.data() + 0x500000, 4);
    EXPECT_EQ(low & high, 0xFFFFFFFFu);
}
TEST(Paging, StaleTranslationsLiveUntilInvalidated) { // 4.10.4
    Guest g;
    g.poke<u32>(Page + 0x10, 111), g.poke<u32>(0x500010, 222);
    g.go(touch_twice());
    EXPECT_EQ(g.gpr(cpu::RAX), 111u);
    g.poke<u64>(Guest::pte(Page), 0x500000 | P | W);
    g.resume();
    EXPECT_EQ(g.gpr(cpu::RAX), 111u) << "still the old frame";
    for (const auto& code : {touch_invlpg(), touch_cr3()}) {
        Guest fresh;
        fresh.poke<u32>(Page + 0x10, 111), fresh.poke<u32>(0x500010, 222);
        fresh.go(code);
        fresh.poke<u64>(Guest::pte(Page), 0x500000 | P | W);
        fresh.resume();
        EXPECT_EQ(fresh.gpr(cpu::RAX), 222u);
    }
}
TEST(Paging, GlobalPagesSurviveCr3) {
    Guest g;
    g.regs().cr4 |= cpu::PGE;
    g.poke<u32>(Page + 0x10, 111), g.poke<u32>(0x500010, 222);
    g.set_page(Page, P | W | 0x100);
    g.go(touch_cr3());
    g.poke<u64>(Guest::pte(Page), 0x500000 | P | W | 0x100);
    g.resume();
    EXPECT_EQ(g.gpr(cpu::RAX), 111u);
}
TEST(Paging, StaleTranslationsAreInTheSnapshot) {
    Guest g;
    g.poke<u32>(Page + 0x10, 111), g.poke<u32>(0x500010, 222);
    g.go(touch_twice());
    g.poke<u64>(Guest::pte(Page), 0x500000 | P | W);
    Archive save = Archive::saver();
    g.processor.serialize(save);
    const std::vector<u8> bytes = save.take();
    Guest other;
    other.ram = g.ram;
    Archive load = Archive::loader(bytes);
    other.processor.serialize(load);
    ASSERT_TRUE(load.ok()) << load.error();
    other.resume();
    EXPECT_EQ(other.gpr(cpu::RAX), 111u);
}
TEST(Paging,
     MoreRightsNeedNoInvalidation) { // 4.10.4.3: a spurious fault is allowed, this processor walks again
    Guest g;
    g.set_page(Page, P);
    g.go(read_then_write());
    g.poke<u64>(Guest::pte(Page), Page | P | W);
    g.resume();
    EXPECT_TRUE(g.deliveries.empty());
}
TEST(Paging, FetchAcrossPagesFaultsOnTheSecond) {
    Guest g;
    static constexpr u8 head[] = {0xB8, 0x78}; // mov eax, imm32, of which one byte fits
    g.load(Page + 0xFFE, head);
    g.set_page(Next, 0);
    g.regs().rip = Page + 0xFFE;
    g.commit();
    g.resume();
    EXPECT_FAULT(g, 14, 16);
    EXPECT_EQ(g.regs().cr2, Next);
    EXPECT_EQ(g.frame(1), Page + 0xFFE);
    EXPECT_EQ(g.gpr(cpu::RAX), 0u);
}
TEST(Paging, AnInstructionMayLieInTwoFrames) {
    Guest g;
    static constexpr u8 head[] = {0xB8, 0x78}, tail[] = {0x56, 0x34, 0x12, 0xE6, 0xF4}; // … out F4h, al
    g.load(Page + 0xFFE, head);
    g.load(0x500000, tail);
    g.poke<u64>(Guest::pte(Next), 0x500000 | P | W);
    g.regs().rip = Page + 0xFFE;
    g.commit();
    g.resume();
    EXPECT_EQ(g.gpr(cpu::RAX), 0x12345678u);
    g.poke<u8>(0x500002, 0x99); // its second half changes
    g.regs().rip = Page + 0xFFE;
    g.commit();
    g.resume();
    EXPECT_EQ(g.gpr(cpu::RAX), 0x99345678u);
}
TEST(Paging, AlignmentCheck) { // vol. 3A 6.15, #AC: CPL 3 only
    Guest g(3);
    g.regs().cr0 |= cpu::AM;
    g.commit();
    g.go(misaligned_ac());
    EXPECT_FAULT(g, 17, 0);
    Guest off(3);
    off.regs().cr0 &= ~u64{cpu::AM};
    off.commit();
    off.go(misaligned_ac());
    EXPECT_FAULT(off, 0x80, 0);
}
GUEST_CODE(wrapping_store, R"(
    mov al, [0]
    mov [0], al
    mov rsi, -4
    mov qword ptr [rsi], 0
    out 0xF4, al
)")
GUEST_CODE(wrapping_load, R"(
    mov al, [0]
    mov rax, [-4]
    out 0xF4, al
)")
TEST(Paging, AnAccessThatWrapsAroundDoesNotReachBelowTheFirstPage) {
    // The last byte is in page 0, which is in the soft TLB; the first is at the top of the address space.
    for (const auto code : {wrapping_store(), wrapping_load()}) {
        Guest g;
        g.go(code, 10);
        ASSERT_EQ(g.deliveries.size(), 1u);
        EXPECT_EQ(g.last_vector(), 14);
        EXPECT_EQ(g.regs().cr2, ~u64{0} - 3);
    }
}
