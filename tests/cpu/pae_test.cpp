// 32-bit paging with 4 MiB pages and PSE-36, PAE paging and its PDPTE registers. Intel SDM vol. 3A 4.3, 4.4.
#include "tests/cpu/legacy_guest.h"

using namespace vitrine;
using namespace vitrine::test;

namespace {

constexpr u64 Directory = 0x400000, Pdpt = 0x401000;
GUEST_CODE(paging_on,
           ".code32\n mov cr4, ebx\n mov cr3, ecx\n mov eax, cr0\n or eax, 0x80000000\n mov cr0, eax\n"
           "mov eax, [0x80000010]\n out 0xF4, al\n mov eax, [0x80200010]\n out 0xF4, al\n"
           "mov cr3, ecx\n mov eax, [0x80000010]\n hlt\n")

struct PagedGuest {
    ProtectedGuest m;
    void start(u64 cr4, u64 cr3) {
        auto& r = m.processor.mutable_registers();
        r.gpr[cpu::RBX] = cr4, r.gpr[cpu::RCX] = cr3;
        m.poke<u32>(0x600010, 111), m.poke<u32>(0x200010, 222);
        m.go(paging_on());
    }
    u32 next() {
        m.processor.run(~u64{0} >> 1, m.processor.steps() + 50);
        return static_cast<u32>(m.processor.registers().gpr[cpu::RAX]);
    }
    u32 eax() const { return static_cast<u32>(m.processor.registers().gpr[cpu::RAX]); }
};
/// Identity below 8 MiB, and 80000000h → 400000h (4 MiB pages).
void legacy_tables(PagedGuest& g, u32 extra) {
    g.m.poke<u32>(Directory, 0x83), g.m.poke<u32>(Directory + 4, 0x400083);
    g.m.poke<u32>(Directory + 4 * 512, 0x400083 | extra);
    g.m.poke<u32>(0x400010, 333);
}
/// Identity below 8 MiB, and 80000000h → 600000h (2 MiB pages).
void pae_tables(PagedGuest& g) {
    g.m.poke<u64>(Pdpt, 0x402001), g.m.poke<u64>(Pdpt + 8, 0), g.m.poke<u64>(Pdpt + 16, 0x403001);
    for (u64 i = 0; i < 4; ++i) g.m.poke<u64>(0x402000 + 8 * i, i << 21 | 0x83);
    for (u64 i = 0; i < 2; ++i)
        g.m.poke<u64>(0x403000 + 8 * i, 0x600083), g.m.poke<u64>(0x404000 + 8 * i, 0x200083);
}

} // namespace

TEST(Pae, FourMebibytePages) {
    PagedGuest g;
    legacy_tables(g, 0);
    g.start(cpu::PSE, Directory);
    EXPECT_TRUE(g.m.deliveries.empty());
    EXPECT_EQ(g.eax(), 333u);
    PagedGuest far; // PSE-36: bits 20:13 are address bits 39:32, where this machine has nothing
    legacy_tables(far, 1 << 13);
    far.start(cpu::PSE, Directory);
    EXPECT_TRUE(far.m.deliveries.empty());
    EXPECT_EQ(far.eax(), 0xFFFFFFFFu);
    PagedGuest bad; // bit 21 is reserved
    legacy_tables(bad, 1 << 21);
    bad.start(cpu::PSE, Directory);
    ASSERT_EQ(bad.m.deliveries.size(), 1u);
    EXPECT_EQ(bad.m.deliveries[0].vector, 14);
    EXPECT_EQ(bad.m.deliveries[0].error_code, 9u);
}
TEST(Pae, DirectoryPointersAreRegisters) { // a change in memory is seen at the next load of CR3
    PagedGuest g;
    pae_tables(g);
    g.start(cpu::PAE, Pdpt);
    EXPECT_TRUE(g.m.deliveries.empty());
    EXPECT_EQ(g.eax(), 111u);
    g.m.poke<u64>(Pdpt + 16, 0x404001); // the next read needs a walk: it starts from the register
    auto copy = std::make_unique<ProtectedGuest>();
    copy->ram = g.m.ram;
    Archive save = Archive::saver();
    g.m.processor.serialize(save);
    const std::vector<u8> state = save.take();
    Archive load = Archive::loader(state);
    copy->processor.serialize(load);
    ASSERT_TRUE(load.ok()) << load.error();
    copy->processor.run(~u64{0} >> 1, copy->processor.steps() + 50);
    EXPECT_EQ(copy->processor.registers().gpr[cpu::RAX], 111u) << "registers are in the snapshot";
    EXPECT_EQ(g.next(), 111u);
    EXPECT_EQ(g.next(), 222u) << "loaded again";
}
TEST(Pae, ReservedBitsOfDirectoryPointers) { // 4.4.1: #GP(0) at the load
    for (const u64 bits : {u64{2}, u64{4}, u64{0x20}, u64{0x100}, u64{1} << 45, u64{1} << 63}) {
        SCOPED_TRACE(bits);
        PagedGuest g;
        pae_tables(g);
        g.m.poke<u64>(Pdpt + 24, 0x402001 | bits);
        g.start(cpu::PAE, Pdpt);
        ASSERT_EQ(g.m.deliveries.size(), 1u);
        EXPECT_EQ(g.m.deliveries[0].vector, 13);
        EXPECT_EQ(g.m.deliveries[0].error_code, 0u);
        EXPECT_FALSE(g.m.processor.registers().cr0 & cpu::PG);
        PagedGuest absent; // without P nothing is checked
        pae_tables(absent);
        absent.m.poke<u64>(Pdpt + 24, bits);
        absent.start(cpu::PAE, Pdpt);
        EXPECT_TRUE(absent.m.deliveries.empty());
    }
}
