// See values.h.
#include "tests/silicon/values.h"
#include <cstring>

namespace vitrine::silicon {

u64 interesting(std::mt19937_64& random) {
    static constexpr u64 edge[] = {0,
                                   1,
                                   2,
                                   0x7F,
                                   0x80,
                                   0xFF,
                                   0x7FFF,
                                   0x8000,
                                   0xFFFF,
                                   0x7FFFFFFF,
                                   0x80000000,
                                   0xFFFFFFFF,
                                   0x7FFFFFFFFFFFFFFF,
                                   0x8000000000000000,
                                   0xFFFFFFFFFFFFFFFF,
                                   0xFFFFFFFFFFFFFFFE};
    return random() % 3 ? random() : edge[random() % std::size(edge)];
}
u32 interesting_float(std::mt19937_64& random) {
    static constexpr u32 edge[] = {0,          0x80000000, 0x3F800000, 0xBF800000, 0x7F800000,
                                   0xFF800000, 0x7FC00000, 0x7F800001, 0x00000001, 0x807FFFFF,
                                   0x7F7FFFFF, 0x4F000000, 0xCF000000, 0x4B800000, 0x34000000};
    return random() % 2 ? static_cast<u32>(random()) : edge[random() % std::size(edge)];
}
u64 interesting_double(std::mt19937_64& random) {
    static constexpr u64 edge[] = {0,
                                   1ull << 63,
                                   0x3FF0000000000000,
                                   0xBFF0000000000000,
                                   0x7FF0000000000000,
                                   0xFFF0000000000000,
                                   0x7FF8000000000000,
                                   0x7FF0000000000001,
                                   1,
                                   0x800FFFFFFFFFFFFF,
                                   0x7FEFFFFFFFFFFFFF,
                                   0x41E0000000000000,
                                   0xC1E0000000000000,
                                   0x43E0000000000000,
                                   0x36A0000000000000,
                                   0x47EFFFFFE0000000};
    return random() % 2 ? random() : edge[random() % std::size(edge)];
}

void extended(std::mt19937_64& random, u8* out) {
    static constexpr u16 exponents[] = {0,      1,      0x3FFF, 0x3FFE, 0x4000, 0x403E, 0x403D, 0x401E,
                                        0x7FFE, 0x7FFF, 0x3C01, 0x3F81, 0x43FE, 0x407E, 0x3BCD};
    static constexpr u64 mantissas[] = {
        0,     1,          1ull << 63,         3ull << 62,         1ull << 62,
        ~0ull, ~0ull >> 1, 0xC90FDAA22168C235, 0xFFFFFFFFFFFFF800, 0x8000000000000001};
    u16 exponent = exponents[random() % std::size(exponents)];
    if (random() % 3 == 0) exponent = static_cast<u16>(0x3FFF - 70 + random() % 140);
    if (random() % 16 == 0) exponent = static_cast<u16>(random());
    u64 mantissa = random() % 2 ? random() : mantissas[random() % std::size(mantissas)];
    if (exponent && random() % 8) mantissa |= 1ull << 63;
    if (random() % 4 == 0) mantissa &= ~0ull << (random() % 64); // short ones: exact results
    exponent = static_cast<u16>((exponent & 0x7FFF) | (random() % 2 ? 0x8000 : 0));
    std::memcpy(out, &mantissa, 8);
    std::memcpy(out + 8, &exponent, 2);
}
namespace {
/// The stack, the control and status words.
void random_x87(std::mt19937_64& random, State& s) {
    for (auto& st : s.st) {
        st.fill(0);
        extended(random, st.data());
    }
    s.ftw = static_cast<u8>(random() % 3 ? 0xFF : random());
    s.fcw = static_cast<u16>(0x340 | 0x3F | (random() % 4) << 10);
    if (random() % 4 == 0) s.fcw = static_cast<u16>((s.fcw & ~0x300) | (random() % 4) << 8);
    if (random() % 4 == 0) s.fcw = static_cast<u16>(s.fcw & ~(random() & 0x3F));
    s.fsw = static_cast<u16>(random() & 0x7F00);
    if (random() % 2) s.fsw = static_cast<u16>(s.fsw | (random() & 0x7F));
    if (random() % 16) s.fsw = static_cast<u16>(s.fsw & ~(~s.fcw & 0x3F)); // mostly nothing pending
    if (s.fsw & ~s.fcw & 0x3F) s.fsw |= 0x8080;
}
} // namespace
void x87_operand(std::mt19937_64& random, std::array<u8, 16>& out) {
    for (u8& b : out) b = static_cast<u8>(random());
    const u32 f = interesting_float(random);
    const u64 d = interesting_double(random), i = interesting(random);
    switch (random() % 5) {
    case 0: std::memcpy(out.data(), &f, 4); break;
    case 1: std::memcpy(out.data(), &d, 8); break;
    case 2: std::memcpy(out.data(), &i, 8); break;
    case 3: extended(random, out.data()); break;
    default:
        for (unsigned n = 0; n < 9; ++n)
            out[n] = static_cast<u8>(random() % 10 << 4 | random() % 10); // packed decimal
        out[9] &= 0x80;
    }
}

cpu::Xmm interesting_vector(std::mt19937_64& random) {
    cpu::Xmm v;
    u32 longs[4];
    switch (random() % 5) {
    case 0:
    case 1: return {interesting_double(random), interesting_double(random)};
    case 2: // counts, indices
        for (u32& l : longs) l = static_cast<u32>(random() % 70);
        if (random() % 2) longs[1] = longs[3] = 0;
        break;
    case 3: return {random(), random()};
    default:
        for (u32& l : longs) l = interesting_float(random);
    }
    std::memcpy(&v, longs, 16);
    return v;
}

void random_state(std::mt19937_64& random, State& s) {
    s.rip = CodeBase + 0x800;
    for (u64& g : s.gpr) g = interesting(random);
    s.gpr[1] = random() % 4 ? random() & 0x1F : interesting(random); // counts
    s.gpr[4] = DataBase + 0x2000 + (random() & 0x7F8);
    s.rflags = 0x202 | (random() & cpu::ArithmeticFlags) | (random() % 8 == 0 ? u64{cpu::DF} : 0);
    for (auto& x : s.xmm) x = interesting_vector(random);
    for (auto& x : s.ymm_high) x = interesting_vector(random);
    if (random() % 4 == 0) s.ymm_high.fill({});
    static constexpr u32 modes[] = {0x1F80, 0x3F80, 0x5F80, 0x7F80, 0x9F80, 0x1FC0, 0xFFC0};
    s.mxcsr = random() % 2 ? 0x1F80 : modes[random() % std::size(modes)];
    if (random() % 8 == 0) s.mxcsr = static_cast<u32>(random() & 0xFFFF);                 // some unmasked
    if (random() % 4 == 0) s.mxcsr |= static_cast<u32>(random() & 0x3F & (s.mxcsr >> 7)); // raised before
    random_x87(random, s);
}

} // namespace vitrine::silicon
