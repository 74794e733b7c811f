// Processor models: names, levels, what CPUID shows of them, what a host must have, RDRAND. SDM vol. 2 CPUID;
// System V psABI (x86-64 levels).
#include "cpu/state/cpuid.h"
#include "tests/cpu/guest.h"

using namespace vitrine;
using namespace vitrine::test;
using cpu::Feature;
using cpu::Model;

namespace {

GUEST_CODE(identify_leaf, R"(
    cpuid
    mov rsi, rbx
    out 0xF4, al
)")
GUEST_CODE(three_random_numbers, R"(
    rdrand rax
    rdrand ecx
    rdseed dx
    out 0xF4, al
)")
GUEST_CODE(estimates, R"(
    rcpps xmm0, xmm0
    rsqrtps xmm1, xmm1
    out 0xF4, al
)")

cpu::Options with(Model model, u64 seed = 0) {
    cpu::Options o;
    o.model = model, o.random_seed = seed;
    return o;
}
struct Leaf {
    u64 a, b, c, d;
};
Leaf leaf(Model model, u32 number, u32 sub = 0) {
    Guest g(0, with(model));
    g.regs().gpr[cpu::RAX] = number, g.regs().gpr[cpu::RCX] = sub;
    g.go(identify_leaf(), 10);
    return {g.gpr(cpu::RAX), g.gpr(cpu::RSI), g.gpr(cpu::RCX), g.gpr(cpu::RDX)};
}

} // namespace

TEST(Models, NamesAreThePsAbisLevels) {
    EXPECT_EQ(cpu::model_named("v1"), Model::V1);
    EXPECT_EQ(cpu::model_named("max"), Model::Max);
    EXPECT_FALSE(cpu::model_named("v4").has_value());
    EXPECT_FALSE(cpu::model_named("").has_value());
    // psABI table 3.1: what v3 adds to v2.
    for (Feature f : {Feature::Avx, Feature::Avx2, Feature::Bmi1, Feature::Bmi2, Feature::F16c, Feature::Fma,
                      Feature::Lzcnt, Feature::Movbe}) {
        EXPECT_TRUE(cpu::offers(cpu::features_of(Model::V3), f));
        EXPECT_FALSE(cpu::offers(cpu::features_of(Model::V2), f));
    }
    EXPECT_FALSE(cpu::offers(cpu::features_of(Model::V3), Feature::Aes));
    EXPECT_FALSE(cpu::offers(cpu::features_of(Model::Max), Feature::None));
}
TEST(Models, AHostIsToldWhatItLacks) {
    const auto up_to = [](Feature f) { return cpu::features_up_to(f); };
    EXPECT_EQ(cpu::lacks(up_to(Feature::Sha), Model::Max), "");
    EXPECT_EQ(cpu::lacks(up_to(Feature::Popcnt), Model::V3), "AVX, FMA, F16C");
    EXPECT_EQ(cpu::lacks(up_to(Feature::Baseline), Model::V2), "SSSE3, SSE4.1, SSE4.2");
    EXPECT_EQ(cpu::lacks(up_to(Feature::Baseline), Model::V1), "");
    EXPECT_EQ(cpu::lacks(up_to(Feature::Xsaves), Model::Max), "AES, PCLMULQDQ, SHA");
}
TEST(Models, CpuidShowsTheModel) {
    constexpr u64 avx_fma_f16c_movbe = 1u << 28 | 1u << 12 | 1u << 29 | 1u << 22;
    EXPECT_EQ(leaf(Model::V2, 1).c & avx_fma_f16c_movbe, 0u);
    EXPECT_EQ(leaf(Model::V3, 1).c & avx_fma_f16c_movbe, avx_fma_f16c_movbe);
    EXPECT_EQ(leaf(Model::V3, 7).b & (1u << 3 | 1u << 5 | 1u << 8),
              1u << 3 | 1u << 5 | 1u << 8);                      // BMI1 AVX2 BMI2
    EXPECT_EQ(leaf(Model::V3, 7).b & (1u << 29 | 1u << 18), 0u); // SHA RDSEED
    EXPECT_EQ(leaf(Model::Max, 7).b & (1u << 29 | 1u << 18), 1u << 29 | 1u << 18);
    EXPECT_EQ(leaf(Model::V2, 0x80000001).c & 1u << 5, 0u); // LZCNT
    EXPECT_EQ(leaf(Model::V3, 0x80000001).c & 1u << 5, 1u << 5);
    EXPECT_EQ(leaf(Model::V2, 0xD).a, 3u);
    EXPECT_EQ(leaf(Model::V2, 0xD).c, 576u);
    EXPECT_EQ(leaf(Model::V3, 0xD).a, 7u);
    EXPECT_EQ(leaf(Model::Max, 0xD).a, 0x207u);
    EXPECT_EQ(leaf(Model::Max, 0xD).c, 2696u);
    EXPECT_EQ(leaf(Model::Max, 0x80000008).a >> 8 & 0xFF, 57u);
    EXPECT_EQ(leaf(Model::V3, 0x80000008).a >> 8 & 0xFF, 48u);
    EXPECT_EQ(leaf(Model::V3, 0xD).c, 832u);
    EXPECT_EQ(leaf(Model::V3, 0xD, 1).a, 15u);
    EXPECT_EQ(leaf(Model::V2, 0xD, 1).a, 0u);
    const Leaf avx = leaf(Model::V3, 0xD, 2);
    EXPECT_EQ(avx.a, 256u);
    EXPECT_EQ(avx.b, 576u);
}
TEST(Models, LeadingZeroCountIsBitScanWhereItIsNotOffered) { // F3 0F BD
    static constexpr u8 code[] = {0xF3, 0x0F, 0xBD, 0xC1, 0xE6, 0xF4};
    const auto count = [](Model model) {
        Guest g(0, with(model));
        g.regs().gpr[cpu::RCX] = 0x100;
        g.go(code, 10);
        return g.gpr(cpu::RAX);
    };
    EXPECT_EQ(count(Model::V2), 8u);
    EXPECT_EQ(count(Model::V3), 23u);
}
TEST(Models, RandomNumbersFollowFromTheSeed) {
    const auto draw = [](u64 seed) {
        Guest g(0, with(Model::Max, seed));
        g.regs().rflags |= cpu::ZF | cpu::SF;
        g.go(three_random_numbers(), 10);
        EXPECT_EQ(g.processor.rflags() & cpu::ArithmeticFlags, cpu::CF);
        return std::array{g.gpr(cpu::RAX), g.gpr(cpu::RCX), g.gpr(cpu::RDX)};
    };
    EXPECT_EQ(draw(5), draw(5));
    EXPECT_NE(draw(5), draw(6));
    EXPECT_NE(draw(5)[0] & 0xFFFFFFFF, draw(5)[1]);
    EXPECT_EQ(draw(5)[1] >> 32, 0u);
    Guest refused(0, with(Model::V3));
    refused.go(three_random_numbers(), 10);
    EXPECT_FAULT(refused, 6, 0);
}
TEST(Models, ASavedStateBelongsToItsModel) {
    Guest g(0, with(Model::V3));
    g.regs().ymm_high[5] = {11, 12}, g.regs().xcr0 = 7;
    g.commit();
    Archive save = Archive::saver();
    g.processor.serialize(save);
    const auto bytes = save.take();
    Guest same(0, with(Model::V3)), other(0, with(Model::V2));
    Archive load = Archive::loader(bytes), refuse = Archive::loader(bytes);
    same.processor.serialize(load);
    EXPECT_TRUE(load.ok() && load.at_end()) << load.error();
    EXPECT_EQ(same.regs().ymm_high[5].hi, 12u);
    EXPECT_EQ(same.regs().xcr0, 7u);
    other.processor.serialize(refuse);
    EXPECT_FALSE(refuse.ok());
}
TEST(Models, EstimatesAreTheSameOnEveryHost) { // docs/cpu.md: exact, cut to 12 bits
    Guest g;
    const auto lanes = [](float a, float b, float c, float d) {
        const std::array<float, 4> f{a, b, c, d};
        cpu::Xmm v;
        std::memcpy(&v, f.data(), 16);
        return v;
    };
    g.regs().xmm[0] = lanes(3.0f, -0.0f, 1e-40f, 3e38f);
    g.regs().xmm[1] = lanes(2.0f, -1.0f, 1e-40f, 4.0f);
    g.go(estimates(), 10);
    // 1/3 = 3EAAAAAB, 1/√2 = 3F3504F3: the lowest 11 bits are cut.
    EXPECT_EQ(g.regs().xmm[0].lo, 0xFF800000'3EAAA800u);
    EXPECT_EQ(g.regs().xmm[0].hi, 0x00000000'7F800000u) << "denormal in: infinity; tiny out: zero";
    EXPECT_EQ(g.regs().xmm[1].lo, 0xFFC00000'3F350000u);
    EXPECT_EQ(g.regs().xmm[1].hi, 0x3F000000'7F800000u);
}
