// What the firmware leaves in memory for operating systems, read back from a stopped QEMU: ACPI (6.4 chapter
// 5), SMBIOS (DSP0134); and the font in the image.
#include "tests/guest/qemu.h"

#include <cstdlib>
#include <cstring>
#include <map>
#include <set>

namespace vitrine::tests {
namespace {

class Tables : public testing::Test {
protected:
    static constexpr std::uint32_t LowBase = 0xe0000, HighBase = 0x7fe0000; // 128 MiB of RAM
    static std::string low, high;

    static void SetUpTestSuite() {
        const TemporaryFolder folder;
        run_qemu({.bios = VITRINE_BIOS,
                  .more = {"-smp", "3"},
                  .until = "Halted.",
                  .monitor = {"pmemsave 0xe0000 0x20000 \"" + folder.file("low") + "\"",
                              "pmemsave 0x7fe0000 0x20000 \"" + folder.file("high") + "\""}});
        low = read_file(folder.file("low"));
        high = read_file(folder.file("high"));
    }
    void SetUp() override // here and not above, where a failure would count as skipped
    {
        ASSERT_EQ(low.size(), 0x20000u) << "QEMU's memory could not be read back";
        ASSERT_EQ(high.size(), 0x20000u) << "QEMU's memory could not be read back";
    }

    static std::string bytes(std::uint64_t address, std::size_t size) {
        const bool is_low = address >= LowBase && address + size <= LowBase + 0x20000;
        const bool is_high = address >= HighBase && address + size <= HighBase + 0x20000;
        EXPECT_TRUE(is_low || is_high) << std::hex << address;
        return is_low    ? low.substr(address - LowBase, size)
               : is_high ? high.substr(address - HighBase, size)
                         : std::string(size, '\0');
    }
    template <typename T> static T number(const std::string& text, std::size_t at) {
        T value{};
        EXPECT_LE(at + sizeof(T), text.size());
        if (at + sizeof(T) <= text.size()) std::memcpy(&value, text.data() + at, sizeof value);
        return value;
    }
    static unsigned sum(const std::string& text) {
        unsigned total = 0;
        for (const char c : text) total += static_cast<unsigned char>(c);
        return total & 0xff;
    }
    static std::string table(std::uint64_t address) {
        const std::uint32_t length = number<std::uint32_t>(bytes(address, 36), 4);
        EXPECT_GE(length, 36u);
        EXPECT_LT(length, 0x8000u);
        return bytes(address, length);
    }
    static std::string rsdp() {
        for (std::size_t at = 0; at < low.size(); at += 16)
            if (low.compare(at, 8, "RSD PTR ") == 0) return low.substr(at, 36);
        ADD_FAILURE() << "no RSDP on a paragraph boundary";
        return std::string(36, '\0');
    }
    static std::map<std::string, std::string> all() {
        std::map<std::string, std::string> found;
        const std::string xsdt = table(number<std::uint64_t>(rsdp(), 24));
        for (std::size_t at = 36; at + 8 <= xsdt.size(); at += 8) {
            const std::string one = table(number<std::uint64_t>(xsdt, at));
            EXPECT_EQ(sum(one), 0u) << one.substr(0, 4);
            found[one.substr(0, 4)] = one;
        }
        return found;
    }
};
std::string Tables::low, Tables::high;

TEST_F(Tables, RootPointerAndRootTables) {
    const std::string root = rsdp();
    EXPECT_EQ(root[15], 2);
    EXPECT_EQ(sum(root.substr(0, 20)), 0u);
    EXPECT_EQ(sum(root), 0u);
    const std::string rsdt = table(number<std::uint32_t>(root, 16)),
                      xsdt = table(number<std::uint64_t>(root, 24));
    EXPECT_EQ(rsdt.substr(0, 4), "RSDT");
    EXPECT_EQ(xsdt.substr(0, 4), "XSDT");
    EXPECT_EQ(sum(rsdt), 0u);
    EXPECT_EQ(sum(xsdt), 0u);
    ASSERT_EQ((rsdt.size() - 36) / 4, (xsdt.size() - 36) / 8);
    for (std::size_t i = 0; i < (rsdt.size() - 36) / 4; ++i)
        EXPECT_EQ(number<std::uint32_t>(rsdt, 36 + i * 4), number<std::uint64_t>(xsdt, 36 + i * 8));
    const auto tables = all();
    for (const char* name : {"FACP", "APIC", "HPET", "MCFG"}) EXPECT_TRUE(tables.contains(name)) << name;
}

TEST_F(Tables, FixedDescriptionAndDsdt) {
    const std::string fadt = all()["FACP"];
    ASSERT_EQ(fadt.size(), 244u);
    EXPECT_EQ(number<std::uint16_t>(fadt, 46), 9);       // SCI
    EXPECT_EQ(number<std::uint32_t>(fadt, 56), 0x600u);  // PM1a event
    EXPECT_EQ(number<std::uint32_t>(fadt, 64), 0x604u);  // PM1a control
    EXPECT_EQ(number<std::uint32_t>(fadt, 76), 0x608u);  // PM timer
    EXPECT_EQ(number<std::uint64_t>(fadt, 120), 0xcf9u); // reset register's address
    EXPECT_EQ(bytes(number<std::uint32_t>(fadt, 36), 4), "FACS");
    const std::string dsdt = table(number<std::uint32_t>(fadt, 40));
    EXPECT_EQ(dsdt.substr(0, 4), "DSDT");
    EXPECT_EQ(sum(dsdt), 0u);
    // Name (_S5_, Package (4) {0, 0, 0, 0}): what a small kernel scans for. PkgLength takes three bytes: 8 in
    // all.
    const std::size_t s5 = dsdt.find(std::string("\x08_S5_\x12", 6));
    ASSERT_NE(s5, std::string::npos);
    EXPECT_EQ(dsdt.substr(s5 + 6, 8), std::string("\x88\x00\x00\x04\x00\x00\x00\x00", 8));
    EXPECT_NE(dsdt.find("_PRT"), std::string::npos);
}

TEST_F(Tables, InterruptControllers) {
    const std::string madt = all()["APIC"];
    EXPECT_EQ(number<std::uint32_t>(madt, 36), 0xfee00000u);
    std::set<int> processors;
    std::map<int, std::pair<std::uint32_t, std::uint16_t>> overrides;
    std::uint32_t io_apic = 0;
    for (std::size_t at = 44; at + 2 <= madt.size(); at += static_cast<unsigned char>(madt[at + 1])) {
        ASSERT_GE(madt[at + 1], 2);
        if (madt[at] == 0 && madt[at + 4] == 1) processors.insert(madt[at + 3]);
        if (madt[at] == 1) io_apic = number<std::uint32_t>(madt, at + 4);
        if (madt[at] == 2)
            overrides[madt[at + 3]] = {number<std::uint32_t>(madt, at + 4),
                                       number<std::uint16_t>(madt, at + 8)};
    }
    EXPECT_EQ(processors, (std::set<int>{0, 1, 2}));
    EXPECT_EQ(io_apic, 0xfec00000u);
    EXPECT_EQ(overrides[0], (std::pair<std::uint32_t, std::uint16_t>{2, 0}));
    EXPECT_EQ(overrides[9], (std::pair<std::uint32_t, std::uint16_t>{9, 0x000d}));
}

TEST_F(Tables, HpetAndExpressConfiguration) {
    auto tables = all();
    EXPECT_EQ(number<std::uint64_t>(tables["HPET"], 44), 0xfed00000u);
    EXPECT_EQ(number<std::uint64_t>(tables["MCFG"], 44), 0xb0000000u);
    EXPECT_EQ(static_cast<unsigned char>(tables["MCFG"][55]), 255);
}

/// iasl takes the DSDT apart and compiles what it found: a table that it does not understand or that
/// contradicts the specification makes it say so.
TEST_F(Tables, IaslUnderstandsTheDsdt) {
    const TemporaryFolder folder;
    const std::string fadt = all()["FACP"];
    write_file(folder.file("dsdt.aml"), table(number<std::uint32_t>(fadt, 40)));
    const auto run = [&](const std::string& arguments) {
        const std::string command =
            "cd " + folder.file("") + " && iasl " + arguments + " > " + folder.file("out") + " 2>&1";
        const int status = std::system(command.c_str());
        return std::pair(status, read_file(folder.file("out")));
    };
    const auto [taken_apart, disassembly] = run("-d dsdt.aml");
    ASSERT_EQ(taken_apart, 0) << disassembly;
    EXPECT_EQ(disassembly.find("rror"), std::string::npos) << disassembly;
    const auto [compiled, messages] = run("-p again dsdt.dsl");
    EXPECT_EQ(compiled, 0) << messages;
    EXPECT_NE(messages.find("0 Errors, 0 Warnings"), std::string::npos) << messages;
    const std::string source = read_file(folder.file("dsdt.dsl"));
    const auto times = [&](const std::string& what) {
        std::size_t count = 0;
        for (std::size_t at = source.find(what); at != std::string::npos; at = source.find(what, at + 1))
            ++count;
        return count;
    };
    EXPECT_EQ(times("\"ACPI0007\""), 3u) << "a device for each processor";
    EXPECT_EQ(times("EisaId (\"PNP0C0F\")"), 8u) << "PCI interrupt links";
    EXPECT_EQ(times("EisaId (\"PNP0C02\")"), 2u) << "motherboard resources";
    EXPECT_EQ(times("EisaId (\"PNP0103\")"), 1u) << "HPET";
    EXPECT_EQ(times("33db4d5b-1ff7-401c-9657-7441c03dd766"), 1u) << "_OSC of a PCI root";
    EXPECT_EQ(times("\\_SB.PCI0.ISA.LNK"), 31u * 4u) << "the 8259's _PRT goes through the links";
}

/// MultiProcessor Specification 1.4: the same processors and interrupts as in the MADT and _PRT.
TEST_F(Tables, MultiProcessorTable) {
    std::size_t at = 0x10000; // F0000h
    while (at < low.size() && low.compare(at, 4, "_MP_") != 0) at += 16;
    ASSERT_LT(at, low.size());
    EXPECT_EQ(sum(low.substr(at, 16)), 0u);
    const std::uint32_t address = number<std::uint32_t>(low, at + 4);
    const std::string mp = bytes(address, number<std::uint16_t>(bytes(address, 44), 4));
    EXPECT_EQ(mp.substr(0, 4), "PCMP");
    EXPECT_EQ(sum(mp), 0u);
    std::map<int, int> processors; // APIC id → flags
    std::map<int, int> isa;        // IRQ → pin
    int pci = 0, local = 0, buses = 0, io_apics = 0;
    std::size_t position = 44;
    for (unsigned i = 0; i < number<std::uint16_t>(mp, 34); ++i) {
        ASSERT_LT(position, mp.size());
        switch (mp[position]) {
        case 0: processors[mp[position + 1]] = mp[position + 3]; break;
        case 1: ++buses; break;
        case 2: ++io_apics; break;
        case 3:
            if (mp[position + 4] == 1)
                isa[mp[position + 5]] = mp[position + 7];
            else
                ++pci;
            break;
        case 4: ++local; break;
        default: FAIL() << "an unknown entry";
        }
        position += mp[position] == 0 ? 20 : 8;
    }
    EXPECT_EQ(position, mp.size());
    EXPECT_EQ(processors, (std::map<int, int>{{0, 3}, {1, 1}, {2, 1}}));
    EXPECT_EQ(buses, 2);
    EXPECT_EQ(io_apics, 1);
    EXPECT_EQ(isa.size(), 15u);
    EXPECT_EQ(isa[0], 2);
    EXPECT_EQ(isa[9], 9);
    EXPECT_GE(pci, 1);
    EXPECT_EQ(local, 2);
}

TEST_F(Tables, SystemManagementBios) {
    std::size_t at = 0x10000;
    while (at < low.size() && low.compare(at, 4, "_SM_") != 0) at += 16;
    ASSERT_LT(at, low.size());
    const std::string entry = low.substr(at, 31);
    EXPECT_EQ(sum(entry), 0u);
    EXPECT_EQ(sum(entry.substr(16, 15)), 0u);
    EXPECT_EQ(entry.substr(16, 5), "_DMI_");
    const std::string structures = bytes(number<std::uint32_t>(entry, 24), number<std::uint16_t>(entry, 22));
    std::multiset<int> types;
    std::size_t position = 0;
    for (unsigned i = 0; i < number<std::uint16_t>(entry, 28); ++i) {
        ASSERT_LT(position + 4, structures.size());
        types.insert(static_cast<unsigned char>(structures[position]));
        const std::size_t end = structures.find(
            std::string(2, '\0'), position + static_cast<unsigned char>(structures[position + 1]));
        ASSERT_NE(end, std::string::npos);
        position = end + 2;
    }
    EXPECT_EQ(position, structures.size());
    EXPECT_EQ(types, (std::multiset<int>{0, 1, 4, 4, 4, 16, 17, 19, 127}));
}

TEST(Font, CoversCodePage437) {
    const std::string font = read_file(VITRINE_FONT_BIN);
    ASSERT_EQ(font.size(), 4096u);
    const auto glyph = [&](unsigned code) { return font.substr(code * 16, 16); };
    const std::string blank(16, '\0');
    std::set<std::string> different;
    for (unsigned code = 0; code < 256; ++code) {
        const bool empty = code == 0x00 || code == 0x20 || code == 0xff;
        EXPECT_EQ(glyph(code) == blank, empty) << code;
        different.insert(glyph(code));
    }
    EXPECT_GE(different.size(), 245u); // a few characters share a shape
    EXPECT_EQ(glyph(0xdb), std::string(16, '\xff'));
    // Lines meet their neighbours: vertical in every row, horizontal from edge to edge.
    for (unsigned row = 0; row < 16; ++row) {
        EXPECT_NE(glyph(0xb3)[row], 0);
        EXPECT_EQ(glyph(0xb3)[row], glyph(0xb3)[0]);
    }
    EXPECT_NE(glyph(0xc4).find('\xff'), std::string::npos);
    EXPECT_EQ(glyph(0xcd).find('\xff') != glyph(0xcd).rfind('\xff'), true);
    // The image carries these very bytes.
    EXPECT_NE(read_file(VITRINE_BIOS).find(font), std::string::npos);
}

} // namespace
} // namespace vitrine::tests
