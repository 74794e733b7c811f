// Symbol files: names and addresses both ways, the slide from a code page, and no crash on any damaged ELF.
#include <cstring>
#include <elf.h>
#include "emu/symbols/guest_symbols.h"
#include "tests/emu/support.h"

using namespace vitrine;
using namespace vitrine::emu;

namespace {

constexpr u64 Base = 0xFFFFFFFF81000000;

/// A small but complete ELF: one text segment of two pages, the inspection note, three symbols.
std::vector<u8> small_elf() {
    std::vector<u8> file(0x4000);
    const auto put = [&](std::size_t at, const auto& value) {
        std::memcpy(file.data() + at, &value, sizeof value);
    };
    Elf64_Ehdr header{};
    std::memcpy(header.e_ident, ELFMAG, SELFMAG);
    header.e_ident[EI_CLASS] = ELFCLASS64, header.e_ident[EI_DATA] = ELFDATA2LSB,
    header.e_ident[EI_VERSION] = 1;
    header.e_machine = EM_X86_64, header.e_type = ET_EXEC, header.e_entry = Base;
    header.e_phoff = 64, header.e_phentsize = sizeof(Elf64_Phdr), header.e_phnum = 2;
    header.e_shoff = 0x200, header.e_shentsize = sizeof(Elf64_Shdr), header.e_shnum = 3;
    put(0, header);
    put(64, Elf64_Phdr{PT_LOAD, PF_R | PF_X, 0x1000, Base, 0x1000000, 0x2000, 0x2000, 0x1000});
    put(120, Elf64_Phdr{PT_NOTE, PF_R, 0x3000, 0, 0, 12 + 8 + 24, 44, 4});
    std::mt19937 random(7);
    for (std::size_t i = 0x1000; i < 0x3000; ++i) file[i] = static_cast<u8>(random());
    put(0x3000, Elf64_Nhdr{8, 24, inspect_abi::NoteType});
    std::memcpy(file.data() + 0x300C, inspect_abi::NoteOwner, 8);
    put(0x3014, inspect_abi::NoteDescriptor{Base + 0x1800, Base, 1, 0});
    const char names[] = "\0start_kernel\0boot_phase\0data";
    std::memcpy(file.data() + 0x3800, names, sizeof names);
    put(0x3918, Elf64_Sym{1, ELF64_ST_INFO(STB_GLOBAL, STT_FUNC), 0, 1, Base + 0x100, 0x40});
    put(0x3930, Elf64_Sym{14, ELF64_ST_INFO(STB_GLOBAL, STT_FUNC), 0, 1, Base + 0x140, 0x10});
    put(0x3948, Elf64_Sym{25, ELF64_ST_INFO(STB_GLOBAL, STT_OBJECT), 0, 1, Base + 0x1800, 8});
    Elf64_Shdr symbols{}, strings{};
    symbols.sh_type = SHT_SYMTAB, symbols.sh_offset = 0x3900, symbols.sh_size = 4 * sizeof(Elf64_Sym),
    symbols.sh_entsize = sizeof(Elf64_Sym), symbols.sh_link = 2;
    strings.sh_type = SHT_STRTAB, strings.sh_offset = 0x3800, strings.sh_size = sizeof names;
    put(0x240, symbols), put(0x280, strings);
    return file;
}

} // namespace

TEST(Symbols, LookUpBothWays) {
    auto elf = ElfFile::parse(small_elf(), "small");
    ASSERT_TRUE(elf) << elf.error().message;
    ASSERT_EQ(elf->symbols().size(), 3u);
    ASSERT_TRUE(elf->inspect_note());
    EXPECT_EQ(elf->inspect_note()->root_link_address, Base + 0x1800);
    GuestSymbols symbols(std::move(*elf));
    EXPECT_EQ(symbols.link_address("boot_phase"), Base + 0x140);
    EXPECT_FALSE(symbols.find("boot_phase")) << "the slide is not known yet";
    EXPECT_EQ(symbols.name(Base + 0x105), "");
    symbols.set_slide(0x400000);
    EXPECT_EQ(symbols.find("boot_phase"), Base + 0x400140);
    EXPECT_EQ(symbols.name(Base + 0x400105), "start_kernel+0x5");
    EXPECT_EQ(symbols.name(Base + 0x400100), "start_kernel");
    EXPECT_EQ(symbols.name(Base + 0x400150), "");
    EXPECT_FALSE(symbols.find("nothing"));
}

TEST(Symbols, SlideIsFoundFromARelocatedPageAndFromNothingElse) {
    auto file = small_elf();
    GuestSymbols symbols(*ElfFile::parse(file, "small"));
    std::vector<u8> page(file.begin() + 0x2000, file.begin() + 0x3000); // the second page of text
    for (std::size_t i = 0; i < page.size(); i += 16) page[i] ^= 0x5A;  // relocated fields
    std::vector<u8> noise(4096, 0x90);
    EXPECT_FALSE(symbols.try_page(Base + 0x6600000 + 0x1000, noise));
    EXPECT_FALSE(symbols.try_page(Base + 0x6600000, page)) << "the first page of text is another";
    EXPECT_FALSE(symbols.try_page(0x1000, page)) << "not in the kernel's half";
    EXPECT_TRUE(symbols.try_page(Base + 0x6600000 + 0x1234, page));
    EXPECT_EQ(symbols.slide(), 0x6600000u);
}

TEST(Symbols, DamagedFilesAreRefusedOrHarmless) {
    const auto good = small_elf();
    for (std::size_t size : {0u, 1u, 63u, 64u, 100u, 0x200u, 0x241u, 0x1000u, 0x3001u, 0x3901u, 0x3fffu})
        (void)ElfFile::parse({good.begin(), good.begin() + static_cast<std::ptrdiff_t>(size)}, "cut");
    std::mt19937_64 random(11);
    for (int i = 0; i < 20000; ++i) {
        auto damaged = good;
        // Damage where the structures are; the text does not matter.
        for (unsigned n = 1 + random() % 4; n > 0; --n) {
            const std::size_t regions[][2] = {{0, 0x100}, {0x200, 0xC0}, {0x3000, 0x40}, {0x3900, 0x60}};
            const auto& region = regions[random() % 4];
            damaged[region[0] + random() % region[1]] = static_cast<u8>(random() % 3 == 0 ? 0xFF : random());
        }
        auto elf = ElfFile::parse(std::move(damaged), "damaged");
        if (!elf) continue;
        GuestSymbols symbols(std::move(*elf));
        symbols.set_slide(0);
        (void)symbols.name(Base + 0x105);
        (void)symbols.elf().at(Base + random() % 0x3000, 4096);
    }
    EXPECT_FALSE(ElfFile::parse(std::vector<u8>(8192, 'x'), "text"));
}

TEST(Symbols, SegmentsNearTheEndOfTheAddressSpaceEndTheSearch) {
    for (const u64 address : {u64{0xFFFFFFFFFFE00000}, u64{0xFFFFFFFFFFFFF000}, u64{0xFFFFFFFFFFFFFFF8}}) {
        auto file = small_elf();
        Elf64_Phdr segment{PT_LOAD, PF_R | PF_X, 0x1000, address, 0x1000000, 0x2000, 0x2000, 0x1000};
        std::memcpy(file.data() + 64, &segment, sizeof segment);
        GuestSymbols symbols(*ElfFile::parse(file, "high"));
        const std::vector<u8> page(4096, 0x90);
        for (u64 linear = 0xFFFFFFFF80000000; linear < 0xFFFFFFFF80400000; linear += 0x1000)
            EXPECT_FALSE(symbols.try_page(linear, page));
    }
}

TEST(Symbols, ManyTablesOverTheSameBytesAreRefused) {
    auto file = small_elf();
    const u64 table_at = file.size(), count = 50'000;
    file.resize(table_at + count * sizeof(Elf64_Sym));
    for (u64 i = 0; i < count; ++i) {
        const Elf64_Sym symbol{1, ELF64_ST_INFO(STB_GLOBAL, STT_FUNC), 0, 1, Base + i, 1};
        std::memcpy(file.data() + table_at + i * sizeof symbol, &symbol, sizeof symbol);
    }
    Elf64_Ehdr header{};
    std::memcpy(&header, file.data(), sizeof header);
    header.e_shoff = file.size(), header.e_shnum = 100;
    std::memcpy(file.data(), &header, sizeof header);
    Elf64_Shdr strings{}, symbols{};
    strings.sh_type = SHT_STRTAB, strings.sh_offset = 0x3800, strings.sh_size = 30;
    symbols.sh_type = SHT_SYMTAB, symbols.sh_offset = table_at, symbols.sh_size = count * sizeof(Elf64_Sym),
    symbols.sh_entsize = sizeof(Elf64_Sym), symbols.sh_link = 0;
    for (unsigned i = 0; i < 100; ++i) {
        const Elf64_Shdr& section = i ? symbols : strings;
        file.insert(file.end(), reinterpret_cast<const u8*>(&section),
                    reinterpret_cast<const u8*>(&section + 1));
    }
    const auto elf = ElfFile::parse(std::move(file), "many");
    ASSERT_FALSE(elf);
    EXPECT_NE(elf.error().message.find("more than"), std::string::npos) << elf.error().message;
}
