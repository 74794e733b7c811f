// Images for direct boot: what is damaged or impossible is refused in one line, and nothing that is placed
// overlaps.
#include <cstring>
#include <elf.h>
#include <random>
#include "emu/load/boot_image.h"
#include "tests/emu/support.h"

using namespace vitrine;
using namespace vitrine::emu;
using namespace vitrine::test;

namespace {

constexpr u64 Memory = 64 << 20;
constexpr const char* Images[] = {"multiboot1.elf32", "multiboot1.elf64", "multiboot1_flat.bin",
                                  "multiboot2.elf32", "multiboot2.elf64", "pvh.elf32",
                                  "pvh.elf64"};

std::vector<u8> image(const char* name) { return read_bytes(std::string(TEST_IMAGES) + "/" + name); }

/// Every segment inside memory, none over another, all bytes there.
void expect_sound(const BootImage& made) {
    u64 bytes = 0;
    for (std::size_t i = 0; i < made.segments.size(); ++i) {
        const auto& a = made.segments[i];
        bytes += a.file_size;
        ASSERT_LE(a.file_size, a.memory_size);
        ASSERT_LE(u64{a.address} + a.memory_size, Memory);
        for (std::size_t k = 0; k < i; ++k) {
            const auto& b = made.segments[k];
            ASSERT_FALSE(a.address < b.address + b.memory_size && b.address < a.address + a.memory_size);
        }
    }
    ASSERT_EQ(bytes, made.data.size());
    ASSERT_EQ(made.segments.size(), made.header.segments);
    ASSERT_LE(u64{made.header.spare} + made.header.room, Memory);
}

std::string refusal(std::vector<u8> bytes, u64 memory = Memory, const std::vector<BootModule>& modules = {}) {
    const auto made = make_boot_image("image", bytes, modules, "", memory);
    if (made) return "";
    EXPECT_EQ(made.error().message.find('\n'), std::string::npos);
    EXPECT_NE(made.error().message.find("image"), std::string::npos);
    return made.error().message;
}
template <class T> void put(std::vector<u8>& bytes, std::size_t at, T value) {
    std::memcpy(bytes.data() + at, &value, sizeof value);
}

} // namespace

TEST(BootImage, ModulesGoBehindTheKernelEachOnItsPage) {
    for (const char* name : Images) {
        const std::vector<BootModule> modules{{"one", std::vector<u8>(5000, 1)}, {"two", {}}, {"three", {7}}};
        const auto bytes = image(name);
        const auto made = make_boot_image(name, bytes, modules, "line", Memory);
        ASSERT_TRUE(made) << made.error().message;
        expect_sound(*made);
    }
}

TEST(BootImage, WhatCannotBeLoadedIsSaid) {
    auto elf = image("multiboot1.elf32");
    Elf32_Phdr segment{};
    Elf32_Ehdr header{};
    std::memcpy(&header, elf.data(), sizeof header);
    std::memcpy(&segment, elf.data() + header.e_phoff, sizeof segment);
    const auto with = [&](auto change) {
        auto copy = elf;
        Elf32_Phdr changed = segment;
        change(changed);
        put(copy, header.e_phoff, changed);
        return refusal(copy);
    };
    EXPECT_NE(with([](auto& s) { s.p_paddr = 0; }).find("outside the memory"), std::string::npos);
    EXPECT_NE(with([](auto& s) { s.p_paddr = 0xF0000; }).find("outside the memory"), std::string::npos);
    EXPECT_NE(with([](auto& s) { s.p_paddr = 0xFFFFF000; }).find("outside the memory"), std::string::npos);
    EXPECT_NE(with([](auto& s) { s.p_memsz = 0xFFFFFFFF; }).find("outside the memory"), std::string::npos);
    EXPECT_NE(with([](auto& s) { s.p_filesz = s.p_memsz + 1; }).find("outside the file"), std::string::npos);
    EXPECT_NE(with([](auto& s) { s.p_offset = 0xFFFFFFF0; }).find("outside the file"), std::string::npos);
    EXPECT_NE(with([](auto& s) { s.p_type = PT_NULL; }).find("no segment"), std::string::npos);
    EXPECT_NE(refusal(elf, Memory, {{"huge", std::vector<u8>(80 << 20)}}).find("does not fit"),
              std::string::npos);
    EXPECT_NE(refusal(std::vector<u8>(10'000, 'x')).find("no Multiboot header"), std::string::npos);
    auto flags = elf;
    for (std::size_t at = 0; at + 12 < flags.size(); at += 4)
        if (flags[at] == 0x02 && flags[at + 1] == 0xB0 && flags[at + 2] == 0xAD && flags[at + 3] == 0x1B) {
            put(flags, at + 4, u32{0x100}), put(flags, at + 8, u32{0} - 0x1BADB002u - 0x100u);
            break;
        }
    EXPECT_NE(refusal(flags).find("features that do not exist"), std::string::npos);
}

TEST(BootImage, DamagedImagesAreRefusedOrSound) {
    std::mt19937_64 random(5);
    for (const char* name : Images) {
        const auto good = image(name);
        ASSERT_FALSE(good.empty());
        for (int i = 0; i < 3000; ++i) {
            auto damaged = good;
            if (random() % 8 == 0) damaged.resize(random() % good.size());
            // Headers stand at the beginning, at the page behind it and, in ELF, at the end.
            for (unsigned n = 1 + random() % 4; n > 0 && damaged.size() > 0x1100; --n) {
                const std::size_t at = random() % 3 == 0   ? random() % 0x100
                                       : random() % 2 == 0 ? 0x1000 + random() % 0x80
                                                           : damaged.size() - 1 - random() % 0x300;
                damaged[at] = static_cast<u8>(random() % 3 == 0 ? 0xFF : random());
            }
            const auto made = make_boot_image(name, damaged, {{"m", {1, 2, 3}}}, "line", Memory);
            if (made) expect_sound(*made);
        }
    }
}
