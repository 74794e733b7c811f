// The translation lookaside buffers against a model of what the manual promises: after an invalidation no
// older translation is used, whatever the size of its page (Intel SDM vol. 3A 4.10.2–4.10.4).
//
// A small guest program executes one order at a time (read, INVLPG, MOV CR3, INVPCID …); the test changes
// page tables between orders.
#include <algorithm>
#include <map>
#include <random>
#include <set>
#include "cpu/mmu/tlb.h"
#include "tests/cpu/guest.h"

using namespace vitrine;
using namespace vitrine::test;

namespace {

constexpr u64 Order = 0x7000, NoInvalidation = u64{1} << 63;
enum : u32 { ReadIt, InvalidatePage, LoadCr3, InvalidatePcid, LoadCr4, CallIt, LoadCr0, WriteIt };

// Orders: [7000h] what, [7008h] address or value, [7010h] INVPCID type, [7020h] INVPCID descriptor; the
// answer is EAX.
GUEST_CODE(orders, R"(
9:
    mov eax, eax
    out 0xF4, al
    mov ecx, [0x7000]
    mov rdi, [0x7008]
    test ecx, ecx
    jz 1f
    dec ecx
    jz 2f
    dec ecx
    jz 3f
    dec ecx
    jz 4f
    dec ecx
    jz 5f
    dec ecx
    jz 6f
    dec ecx
    jz 7f
    mov dword ptr [rdi], 0x77
    jmp 0f
1:  mov eax, [rdi]
    jmp 0f
2:  invlpg [rdi]
    jmp 0f
3:  mov cr3, rdi
    jmp 0f
4:  mov rdx, [0x7010]
    invpcid rdx, [0x7020]
    jmp 0f
5:  mov cr4, rdi
    jmp 0f
6:  call rdi
    jmp 0f
7:  mov cr0, rdi
0:  jmp 9b
)")
GUEST_CODE(give_up, "mov esp, 0x300000\n mov eax, 0x100000\n jmp rax\n")

/// 64 MiB of memory; a PML4 whose entry 1 (8000000000h up) belongs to the test.
class Translations : public BareMachine {
public:
    static constexpr u64 Area = u64{1} << 39, Pml4 = Tables, Pdpt = 0x800000, Pd = 0x801000, Pt = 0x802000;
    static constexpr u64 Frames =
        0x1000000; ///< each 4 KiB of physical memory from here on starts with its address

    explicit Translations(cpu::Options options = {}) : BareMachine(64u << 20, options) {
        enter_long_mode();
        auto& r = processor.mutable_registers();
        r.cr4 |= cpu::PGE;
        poke<u64>(Pml4 + 8, Pdpt | 7);
        for (u64 at = Frames; at < ram.size(); at += 0x1000) poke<u64>(at, at);
        load(Code, orders()), load(0x6000, give_up());
        for (u64 vector : {6, 13, 14}) poke<u16>(Idt + 16 * vector, 0x6000);
        processor.commit_registers();
        processor.run(~u64{0} >> 1, processor.steps() + 100);
    }
    /// Executes one order; false when it raised an exception.
    bool order(u32 what, u64 value, u64 type = 0, u64 pcid = 0, u64 linear = 0) {
        std::memcpy(&ram[Order], &what, 4), std::memcpy(&ram[Order + 8], &value, 8);
        std::memcpy(&ram[Order + 16], &type, 8), std::memcpy(&ram[Order + 32], &pcid, 8);
        std::memcpy(&ram[Order + 40], &linear, 8);
        const std::size_t faults = deliveries.size(), stops = out.size();
        processor.run(~u64{0} >> 1, processor.steps() + 200);
        EXPECT_EQ(out.size(), stops + 1) << "the interpreter of orders is lost";
        return deliveries.size() == faults;
    }
    u64 read(u64 linear) {
        if (!order(ReadIt, linear)) return ~u64{0};
        return static_cast<u32>(processor.registers().gpr[cpu::RAX]);
    }
    void table(u64 at, u64 entry) {
        std::memcpy(&ram[at], &entry, 8);
    } // as a store to the tables by another CPU
};

} // namespace

TEST(Tlb, InvlpgDropsAWholeLargePage) { // 4.10.4.1: "all of them", whichever address inside was named
    for (const u64 size : {u64{1} << 21, u64{1} << 30}) {
        SCOPED_TRACE(size);
        Translations m;
        const bool two = size == u64{1} << 21;
        const u64 entry = two ? Translations::Pd : Translations::Pdpt, base = Translations::Area;
        const u64 first = two ? 0x1000000 : 0;
        if (two) m.table(Translations::Pdpt, Translations::Pd | 7);
        m.table(entry, first | 0x87);
        const u64 inside = two ? 0 : Translations::Frames;
        for (u64 page = 0; page < 512; page += 7)
            EXPECT_EQ(m.read(base + inside + page * 0x1000), 0x1000000 + page * 0x1000);
        m.table(entry, 0); // unmap, invalidate through the last page of it, map something else
        ASSERT_TRUE(m.order(InvalidatePage, base + size - 1));
        if (two)
            m.table(entry, 0x1200000 | 0x87);
        else
            m.table(entry, Translations::Pd | 7), m.table(Translations::Pd + 8 * 8, 0x1200000 | 0x87);
        for (u64 page = 0; page < 512; page += 7)
            EXPECT_EQ(m.read(base + inside + page * 0x1000), 0x1200000 + page * 0x1000) << page;
    }
}
TEST(Tlb, InvlpgDropsCodeOfALargePage) {
    Translations m;
    m.table(Translations::Pdpt, Translations::Pd | 7);
    m.table(Translations::Pd, 0x1000000 | 0x87);
    const u8 one[] = {0xB8, 1, 0, 0, 0, 0xC3}, two[] = {0xB8, 2, 0, 0, 0, 0xC3}; // mov eax, n; ret
    for (u64 page : {0, 3, 400})
        m.load(0x1000000 + page * 0x1000, one), m.load(0x1200000 + page * 0x1000, two);
    for (u64 page : {0, 3, 400}) {
        ASSERT_TRUE(m.order(CallIt, Translations::Area + page * 0x1000));
        EXPECT_EQ(m.processor.registers().gpr[cpu::RAX], 1u);
    }
    m.table(Translations::Pd, 0x1200000 | 0x87);
    ASSERT_TRUE(m.order(InvalidatePage, Translations::Area + 0x7000));
    for (u64 page : {0, 3, 400}) {
        ASSERT_TRUE(m.order(CallIt, Translations::Area + page * 0x1000));
        EXPECT_EQ(m.processor.registers().gpr[cpu::RAX], 2u) << page;
    }
}
TEST(Tlb, ALargePageIsOneEntry) { // reach: 32 MiB of 2 MiB pages cost 16 walks
    Translations m;
    m.table(Translations::Pdpt, Translations::Pd | 7);
    for (u64 i = 0; i < 16; ++i) m.table(Translations::Pd + 8 * i, (0x1000000 + (i << 21)) | 0x87);
    const u64 before = m.processor.counters().page_walks;
    for (u64 page = 0; page < 16 * 512; page += 5)
        EXPECT_EQ(m.read(Translations::Area + page * 0x1000), 0x1000000 + page * 0x1000);
    EXPECT_LE(m.processor.counters().page_walks - before, 24u);
}
TEST(Tlb, ProcessContexts) { // 4.10.1, 4.10.4.1: MOV CR3 with and without bit 63, INVPCID 0–3
    Translations m;
    const u64 other = 0x810000; // a second PML4 with another page at Area
    std::memcpy(&m.ram[other], &m.ram[BareMachine::Tables], 0x1000);
    m.table(other + 8, 0x811007), m.table(0x811000, 0x812007), m.table(0x812000, 0x813007);
    m.table(Translations::Pdpt, Translations::Pd | 7), m.table(Translations::Pd, Translations::Pt | 7);
    const auto map = [&](u64 frame, u64 frame2) {
        m.table(Translations::Pt, frame | 7), m.table(0x813000, frame2 | 7);
    };
    const u64 a = Translations::Area;
    map(0x1000000, 0x1001000);
    ASSERT_FALSE(m.order(InvalidatePcid, 0, 1, 5)) << "PCID 5 needs CR4.PCIDE";
    EXPECT_EQ(m.deliveries.back().vector, 13);
    for (const unsigned how : {0u, 1u, 2u, 3u, 4u, 5u}) {
        SCOPED_TRACE(how);
        Translations n;
        n.ram = m.ram;
        n.load(BareMachine::Code, orders());
        const u64 cr4 = n.processor.registers().cr4 | cpu::PCIDE;
        ASSERT_TRUE(n.order(LoadCr4, cr4));
        ASSERT_TRUE(n.order(LoadCr3, BareMachine::Tables | 1));
        EXPECT_EQ(n.read(a), 0x1000000u);
        ASSERT_TRUE(n.order(LoadCr3, other | 2));
        EXPECT_EQ(n.read(a), 0x1001000u);
        n.table(Translations::Pt, 0x1002007), n.table(0x813000, 0x1003007);
        EXPECT_EQ(n.read(a), 0x1001000u) << "cached for PCID 2";
        ASSERT_TRUE(n.order(LoadCr3, BareMachine::Tables | 1 | NoInvalidation));
        EXPECT_EQ(n.processor.registers().cr3, BareMachine::Tables | 1) << "bit 63 is not stored";
        EXPECT_EQ(n.read(a), 0x1000000u) << "PCID 1 was kept";
        switch (how) {
        case 0: ASSERT_TRUE(n.order(InvalidatePcid, 0, 0, 2, a)); break; // an address of PCID 2
        case 1: ASSERT_TRUE(n.order(InvalidatePcid, 0, 1, 2)); break;    // all of PCID 2
        case 2: ASSERT_TRUE(n.order(InvalidatePcid, 0, 2)); break;
        case 3: ASSERT_TRUE(n.order(InvalidatePcid, 0, 3)); break;
        case 4: ASSERT_TRUE(n.order(InvalidatePage, a)); break; // of this PCID
        case 5: ASSERT_TRUE(n.order(LoadCr3, BareMachine::Tables | 1)); break;
        }
        const bool first = how >= 2, second = how <= 3; // whose translation must have gone
        EXPECT_EQ(n.read(a), first ? 0x1002000u : 0x1000000u);
        ASSERT_TRUE(n.order(LoadCr3, other | 2 | NoInvalidation));
        EXPECT_EQ(n.read(a), second ? 0x1003000u : 0x1001000u);
    }
}
TEST(Tlb, ProcessContextFaults) {
    const auto fault = [](auto&& f) {
        Translations m;
        EXPECT_FALSE(f(m));
        return m.deliveries.empty() ? -1 : m.deliveries.back().vector;
    };
    const u64 cr3 = BareMachine::Tables;
    EXPECT_EQ(fault([&](auto& m) { return m.order(LoadCr3, cr3 | NoInvalidation); }), 13)
        << "bit 63 without PCIDE";
    EXPECT_EQ(fault([&](auto& m) {
                  return m.order(LoadCr3, cr3 | 8) &&
                         m.order(LoadCr4, m.processor.registers().cr4 | cpu::PCIDE);
              }),
              13)
        << "PCIDE with CR3[11:0] set";
    EXPECT_EQ(fault([&](auto& m) { return m.order(InvalidatePcid, 0, 4); }), 13) << "type 4";
    EXPECT_EQ(fault([&](auto& m) { return m.order(InvalidatePcid, 0, 2, 0x1000); }), 13) << "reserved bits";
    EXPECT_EQ(fault([&](auto& m) { return m.order(InvalidatePcid, 0, 0, 0, u64{1} << 63); }), 13)
        << "not canonical";
    EXPECT_EQ(fault([&](auto& m) {
                  return m.order(LoadCr4, m.processor.registers().cr4 | cpu::PCIDE) &&
                         m.order(LoadCr0, m.processor.registers().cr0 & ~u64{cpu::PG});
              }),
              13)
        << "PG off with PCIDE";
}
TEST(Tlb, GlobalPages) { // kept by MOV CR3 and INVPCID 1 and 3; dropped by INVLPG, INVPCID 2, a PGE change
    for (const unsigned how : {0u, 1u, 2u, 3u, 4u}) {
        SCOPED_TRACE(how);
        Translations m;
        const u64 a = Translations::Area, b = a + (u64{2} << 21), cr4 = m.processor.registers().cr4;
        m.table(Translations::Pdpt, Translations::Pd | 7), m.table(Translations::Pd, Translations::Pt | 7);
        m.table(Translations::Pt, 0x1000107), m.table(Translations::Pd + 16, 0x1200187);
        EXPECT_EQ(m.read(a), 0x1000000u);
        EXPECT_EQ(m.read(b + 0x3000), 0x1203000u);
        m.table(Translations::Pt, 0x1001107), m.table(Translations::Pd + 16, 0x1400187);
        switch (how) {
        case 0: ASSERT_TRUE(m.order(LoadCr3, BareMachine::Tables)); break;
        case 1: ASSERT_TRUE(m.order(InvalidatePcid, 0, 3)); break;
        case 2: ASSERT_TRUE(m.order(LoadCr4, cr4 & ~u64{cpu::PGE}) && m.order(LoadCr4, cr4)); break;
        case 3: ASSERT_TRUE(m.order(InvalidatePcid, 0, 2)); break;
        case 4: ASSERT_TRUE(m.order(InvalidatePage, a) && m.order(InvalidatePage, b)); break;
        }
        EXPECT_EQ(m.read(a), how >= 2 ? 0x1001000u : 0x1000000u);
        EXPECT_EQ(m.read(b + 0x3000), how >= 2 ? 0x1403000u : 0x1203000u);
    }
}
TEST(Tlb, WriteProtectNeedsNoInvalidation) { // 4.6: CR0.WP counts at each access
    Translations m;
    const u64 a = Translations::Area, cr0 = m.processor.registers().cr0;
    m.table(Translations::Pdpt, Translations::Pd | 7), m.table(Translations::Pd, Translations::Pt | 7);
    m.table(Translations::Pt, 0x1000005); // read-only
    for (unsigned round = 0; round < 3; ++round) {
        ASSERT_TRUE(m.order(LoadCr0, cr0 & ~u64{cpu::WP}));
        const u64 walks = m.processor.counters().page_walks;
        EXPECT_TRUE(m.order(WriteIt, a));
        if (round) EXPECT_EQ(m.processor.counters().page_walks, walks) << "nothing was thrown away";
        ASSERT_TRUE(m.order(LoadCr0, cr0));
        Translations copy;
        copy.ram = m.ram;
        Archive save = Archive::saver();
        m.processor.serialize(save);
        const std::vector<u8> state = save.take();
        Archive load = Archive::loader(state);
        copy.processor.serialize(load);
        ASSERT_TRUE(load.ok()) << load.error();
        EXPECT_FALSE(copy.order(WriteIt, a));
        EXPECT_EQ(copy.deliveries.back().vector, 14);
    }
}

namespace {
GUEST_CODE(copy, R"(
    mov [rsi], eax
    mov [rdi], eax
    mov [r8], eax
    mov ebp, 1000
1:  mov eax, [rsi + rbp]
    mov [rdi + rbp], eax
    add eax, [r8 + rbp]
    dec ebp
    jnz 1b
    mov ecx, 4096
    rep movsb
    hlt
)")
/// Counts how often the processor asks what is behind a page: never while a fast table knows.
class CountingMachine final : public Translations {
public:
    cpu::PhysicalPage page(u64 pa) override {
        ++asked;
        return BareMachine::page(pa);
    }
    unsigned asked = 0;
};
} // namespace
TEST(Tlb, DistantStreamsDoNotEvictEachOther) { // host side: pages n · 2 MiB apart, written before
    for (const u64 distance : {u64{2} << 20, u64{4} << 20, u64{16} << 20}) {
        CountingMachine m;
        auto& r = m.processor.mutable_registers();
        m.load(BareMachine::Code, copy());
        r.rip = BareMachine::Code, r.gpr[cpu::RSI] = 0x1000000, r.gpr[cpu::RDI] = 0x1000000 + distance,
        r.gpr[cpu::R8] = 0x1000000 + 2 * distance;
        m.processor.commit_registers();
        m.asked = 0;
        m.processor.run(~u64{0} >> 1, m.processor.steps() + 100000);
        EXPECT_TRUE(m.processor.halted());
        EXPECT_LT(m.asked, 100u);
    }
}

TEST(Tlb, RandomProgramsUseNoStaleTranslation) {
    // What each PCID may still hold for a page: everything that was mapped there since the last invalidation.
    struct Key {
        unsigned pcid;
        u64 page;
        auto operator<=>(const Key&) const = default;
    };
    for (u64 seed = 1; seed <= 12; ++seed) {
        SCOPED_TRACE(seed);
        std::mt19937_64 random(seed);
        Translations m;
        const unsigned contexts = seed % 3 ? 3 : 20; // more than a processor keeps, too
        const auto area = [&](unsigned c) { return 0x900000 + c * 0x10000u; };
        const auto root = [&](unsigned c) { return c ? area(c) : BareMachine::Tables; };
        ASSERT_TRUE(m.order(LoadCr4, m.processor.registers().cr4 | cpu::PCIDE));
        for (unsigned c = 0; c < contexts; ++c) {
            const u64 base = area(c);
            if (c) std::memcpy(&m.ram[base], &m.ram[BareMachine::Tables], 0x1000);
            m.table(root(c) + 8, (base + 0x1000) | 7);
            m.table(base + 0x1000, (base + 0x2000) | 7);
            for (u64 i = 0; i < 4; ++i) m.table(base + 0x2000 + 8 * i, (base + 0x3000 + 0x1000 * i) | 7);
        }
        std::map<Key, std::set<u64>> held; // frames; 0: not present, which is never cached
        std::vector<u64> pages;
        for (u64 i = 0; i < 4; ++i)
            for (u64 j : {0, 1, 8, 511}) pages.push_back(Translations::Area + (i << 21) + (j << 12));
        const auto current = [&](unsigned c, u64 page) { // a walk of our own
            u64 entry = 0;
            const u64 base = area(c), i = page >> 21 & 511, j = page >> 12 & 511;
            std::memcpy(&entry, &m.ram[base + 0x2000 + 8 * i], 8);
            if (!(entry & 1)) return u64{0};
            if (entry & 0x80) return (entry & ~u64{0x1FFFFF}) + (j << 12);
            std::memcpy(&entry, &m.ram[(entry & ~u64{0xFFF}) + 8 * j], 8);
            return entry & 1 ? entry & ~u64{0xFFF} : u64{0};
        };
        unsigned now = 0;
        unsigned stale = 0, reads = 0;
        const auto note = [&] {
            for (unsigned c = 0; c < contexts; ++c)
                for (u64 page : pages)
                    if (const u64 f = current(c, page)) held[{c, page}].insert(f);
        };
        const auto drop = [&](auto&& which) {
            for (auto& [key, set] : held)
                if (which(key)) set.clear();
            note();
        };
        for (unsigned step = 0; step < 1500; ++step) {
            const unsigned c = static_cast<unsigned>(random() % contexts);
            const u64 page = pages[random() % pages.size()];
            const u64 i = page >> 21 & 511, j = page >> 12 & 511, base = area(c);
            switch (random() % 12) {
            case 0: // a large page, or a table of small ones
                m.table(base + 0x2000 + 8 * i, random() % 2 ? (0x1400000 + (random() % 16 << 21)) | 0x87
                                                            : (base + 0x3000 + 0x1000 * i) | 7);
                note();
                break;
            case 1:
            case 2: {
                const u64 table = base + 0x3000 + 0x1000 * i;
                m.table(table + 8 * j, random() % 4 ? (0x1400000 + (random() % 4096 << 12)) | 7 : 0);
                note();
                break;
            }
            case 3:
                ASSERT_TRUE(m.order(InvalidatePage, page + random() % 4096));
                // All pages of the large page that it lies in, if it was one: only what must go is asked for.
                drop([&](const Key& k) { return k.pcid == now && k.page == page; });
                break;
            case 4: { // a whole 2 MiB slot becomes another large page; one INVLPG must do
                m.table(area(now) + 0x2000 + 8 * i, (0x1400000 + (random() % 16 << 21)) | 0x87);
                for (u64 p : pages)
                    if (p >> 21 == page >> 21) {
                        ASSERT_TRUE(m.order(InvalidatePage, p));
                        drop([&](const Key& k) { return k.pcid == now && k.page == p; });
                    }
                for (u64 p : pages)
                    if (p >> 21 == page >> 21) m.read(p);
                m.table(area(now) + 0x2000 + 8 * i, (0x1400000 + (random() % 16 << 21)) | 0x87);
                ASSERT_TRUE(m.order(InvalidatePage, page + random() % 4096));
                drop([&](const Key& k) { return k.pcid == now && k.page >> 21 == page >> 21; });
                break;
            }
            case 5: {
                const bool keep = random() % 2;
                ASSERT_TRUE(m.order(LoadCr3, root(c) | c | (keep ? NoInvalidation : 0)));
                now = c;
                if (!keep) drop([&](const Key& k) { return k.pcid == c; });
                break;
            }
            case 6: {
                const u64 type = random() % 4;
                ASSERT_TRUE(m.order(InvalidatePcid, 0, type, type < 2 ? c : 0, type ? 0 : page));
                drop([&](const Key& k) {
                    return type >= 2 || (k.pcid == c && (type == 1 || k.page == page));
                });
                break;
            }
            default: {
                const u64 value = m.read(page);
                ++reads;
                const u64 fresh = current(now, page);
                const std::set<u64>& may = held[{now, page}];
                if (value == ~u64{0}) {
                    EXPECT_EQ(fresh, 0u) << "step " << step;
                    break;
                }
                ASSERT_TRUE(may.contains(value)) << "step " << step << ": page " << std::hex << page
                                                 << " reads frame " << value << ", tables say " << fresh;
                stale += value != fresh;
                break;
            }
            }
        }
        EXPECT_GT(reads, 300u);
        if (contexts == 3) EXPECT_GT(stale, 0u) << "translations are cached at all";
    }
}

// Host side: a hit is told by an access's last byte and looked up by its first, so two pages that follow one
// another must not share a slot, or an access that crosses from one to the other reaches memory before the
// second page's frame.
TEST(Tlb, NoAccessAcrossTwoPagesHits) {
    std::mt19937_64 random(11);
    for (unsigned bit = 12; bit < 64; ++bit)
        for (unsigned i = 0; i < 2000; ++i) {
            const u64 second = random() << bit;
            ASSERT_NE(cpu::fast_index(second - 1), cpu::fast_index(second)) << std::hex << second;
        }
    Translations m;
    for (u64 gib = 1; gib <= 8; ++gib) { // the last page of a GiB, the first one of the next
        m.table(Translations::Pdpt + 8 * (gib - 1), Translations::Pd | 7);
        m.table(Translations::Pdpt + 8 * gib, Translations::Pd + 0x4000 | 7);
        m.table(Translations::Pd + 8 * 511, Translations::Pt | 7);
        m.table(Translations::Pd + 0x4000, Translations::Pt + 0x4000 | 7);
        const u64 low = Translations::Frames + gib * 0x10000, high = low + 0x5000;
        m.table(Translations::Pt + 8 * 511, low | 7);
        m.table(Translations::Pt + 0x4000, high | 7);
        m.table(low + 0xFFC, 0x11111111'11111111);
        m.table(high - 4, 0x22222222'AAAAAAAA); // what lies before the second page's frame
        m.table(high, 0x33333333'33333333);
        const u64 boundary = Translations::Area + (gib << 30);
        ASSERT_TRUE(m.order(LoadCr3, m.processor.registers().cr3));
        ASSERT_TRUE(m.order(WriteIt, boundary));
        EXPECT_EQ(m.read(boundary), 0x77u);
        EXPECT_EQ(m.read(boundary - 2), 0x00771111u) << gib;
        ASSERT_TRUE(m.order(WriteIt, boundary - 2));
        EXPECT_EQ(m.read(boundary - 4), 0x00771111u) << gib;
        EXPECT_EQ(m.read(boundary), 0x00000000u) << gib;
        EXPECT_EQ(std::memcmp(&m.ram[high - 4], "\xAA\xAA\xAA\xAA", 4), 0) << "another frame";
    }
}

// A saved state is a stranger's input: an entry in the array of small pages that claims to be large would
// make the host count parts of a page outside its table.
TEST(Tlb, ASavedEntryStandsWhereItsSizeBelongs) {
    const auto loads = [](u8 small_shift, u8 large_shift) {
        cpu::DataTlb tlb;
        for (const cpu::TlbEntry& entry : {cpu::TlbEntry{.page = 0x1234567, .context = 5},
                                           cpu::TlbEntry{.page = 0x7654200, .context = 5, .shift = 9}})
            tlb.place(entry) = entry;
        Archive saver = Archive::saver();
        tlb.serialize(saver);
        std::vector<u8> bytes = saver.take();
        // An entry begins with its page, frame, context (8 bytes each) and shift (1).
        constexpr std::size_t Shift = 24;
        const auto patch = [&](u64 page, u8 was, u8 is) {
            const auto* raw = reinterpret_cast<const u8*>(&page);
            const auto at = std::search(bytes.begin(), bytes.end(), raw, raw + 8);
            ASSERT_GT(bytes.end() - at, static_cast<std::ptrdiff_t>(Shift));
            ASSERT_EQ(at[Shift], was);
            at[Shift] = is;
        };
        patch(0x1234567, 0, small_shift);
        patch(0x7654200, 9, large_shift);
        Archive loader = Archive::loader(bytes);
        cpu::DataTlb loaded;
        loaded.serialize(loader);
        return loader.ok();
    };
    EXPECT_TRUE(loads(0, 9));
    EXPECT_FALSE(loads(9, 9)) << "small";
    EXPECT_FALSE(loads(0, 0)) << "large";
    EXPECT_FALSE(loads(0, 1)) << "large";
}
