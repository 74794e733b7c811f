// Floating-point arithmetic, logic and rounding: one host instruction a lane, so operand order, NaN
// selection, rounding and flags are the host's, which is what the manual defines. SDM vol. 2.
//
// RCPPS and RSQRTPS are approximations that differ between processors; here they are the exact result cut to
// 12 bits of mantissa, computed, so that a run is the same on every host (design.md law 1).
#include <cmath>
#include "cpu/exec/simd/forms.h"

namespace vitrine::cpu::simd {
namespace {

float approximate(float x, bool root) {
    u32 in = 0;
    std::memcpy(&in, &x, 4);
    if ((in & 0x7F800000) == 0) in &= 0x80000000; // denormals count as zero
    const bool negative = in >> 31, nan = (in & 0x7FFFFFFF) > 0x7F800000;
    u32 out = 0;
    if (nan) {
        out = in | 0x400000;
    } else if ((in & 0x7FFFFFFF) == 0) {
        out = (in & 0x80000000) | 0x7F800000;
    } else if (root && negative) {
        out = 0xFFC00000;
    } else {
        const double exact = root ? 1.0 / std::sqrt(static_cast<double>(x)) : 1.0 / static_cast<double>(x);
        const float f = static_cast<float>(exact);
        std::memcpy(&out, &f, 4);
        if ((out & 0x7F800000) == 0) out &= 0x80000000; // tiny results are flushed
        if ((out & 0x7F800000) != 0x7F800000) out &= 0xFFFFF800;
    }
    std::memcpy(&x, &out, 4);
    return x;
}
/// These raise no flags and do not look at MXCSR.
template <bool Root> __m128i approximations(__m128i v) {
    auto lanes = as<Lanes<float>>(v);
    for (float& f : lanes) f = approximate(f, Root);
    return from(lanes);
}
template <bool Root, bool Scalar> struct Reciprocal {
    template <Encoding E> static bool run(Core& core, const Op& op) {
        Vector b, r;
        if (!ready<E>(core) || !get_rm<E, Scalar ? 4 : full<E>>(core, op, b)) return false;
        core.sync_fp();
        r.low = approximations<Root>(b.low);
        if constexpr (Scalar)
            r.low = from(Lanes<u32>{as<Lanes<u32>>(r.low)[0], as<Lanes<u32>>(xmm_get(core, op.vvvv))[1],
                                    as<Lanes<u32>>(xmm_get(core, op.vvvv))[2],
                                    as<Lanes<u32>>(xmm_get(core, op.vvvv))[3]});
        if constexpr (wide<E>) r.high = approximations<Root>(b.high);
        put_vector<E>(core, op.reg, r);
        return true;
    }
};

constexpr u8 Fast = cost::FpSimple, Divide = cost::FpDivide, Root = cost::FpSqrt;

// clang-format off
/// The four forms of one operation: packed and scalar, single and double.
#define FOUR(opcode, name, cost)                                                                             \
    Row{#name "ps", 1, NP,  opcode, Form::VHW, SseAvx, cost, handlers<Binary<HOST2(name##ps), true>>()},     \
    Row{#name "pd", 1, P66, opcode, Form::VHW, SseAvx, cost, handlers<Binary<HOST2(name##pd), true>>()},     \
    Row{#name "ss", 1, F3,  opcode, Form::VHW, SseAvx, cost, handlers<Binary<HOST2(name##ss), true, 4>>()}.lig(), \
    Row{#name "sd", 1, F2,  opcode, Form::VHW, SseAvx, cost, handlers<Binary<HOST2(name##sd), true, 8>>()}.lig()
#define LOGIC(opcode, name)                                                                                  \
    Row{#name "ps", 1, NP,  opcode, Form::VHW, SseAvx, 1, handlers<Binary<HOST2(name##ps)>>()},              \
    Row{#name "pd", 1, P66, opcode, Form::VHW, SseAvx, 1, handlers<Binary<HOST2(name##pd)>>()}
#define HORIZONTAL(opcode, name)                                                                             \
    Row{#name "pd", 1, P66, opcode, Form::VHW, Sse3Avx, 5, handlers<Binary<HOST2(name##pd), true>>()},       \
    Row{#name "ps", 1, F2,  opcode, Form::VHW, Sse3Avx, 5, handlers<Binary<HOST2(name##ps), true>>()}

constexpr Row rows[] = {
    FOUR(0x58, add, Fast), FOUR(0x59, mul, Fast), FOUR(0x5C, sub, Fast), FOUR(0x5D, min, Fast),
    FOUR(0x5E, div, Divide), FOUR(0x5F, max, Fast),
    LOGIC(0x54, and), LOGIC(0x55, andn), LOGIC(0x56, or), LOGIC(0x57, xor),
    HORIZONTAL(0x7C, hadd), HORIZONTAL(0x7D, hsub), HORIZONTAL(0xD0, addsub),

    {"sqrtps", 1, NP,  0x51, Form::VW,  SseAvx, Root, handlers<Unary<HOST1(sqrtps), true>>()},
    {"sqrtpd", 1, P66, 0x51, Form::VW,  SseAvx, Root, handlers<Unary<HOST1(sqrtpd), true>>()},
    Row{"sqrtss", 1, F3, 0x51, Form::VHW, SseAvx, Root, handlers<Binary<HOST2(sqrtss), true, 4>>()}.lig(),
    Row{"sqrtsd", 1, F2, 0x51, Form::VHW, SseAvx, Root, handlers<Binary<HOST2(sqrtsd), true, 8>>()}.lig(),
    {"rsqrtps", 1, NP, 0x52, Form::VW, SseAvx, Fast, handlers<Reciprocal<true, false>>()},
    {"rcpps",   1, NP, 0x53, Form::VW, SseAvx, Fast, handlers<Reciprocal<false, false>>()},
    Row{"rsqrtss", 1, F3, 0x52, Form::VHW, SseAvx, Fast, handlers<Reciprocal<true, true>>()}.lig(),
    Row{"rcpss",   1, F3, 0x53, Form::VHW, SseAvx, Fast, handlers<Reciprocal<false, true>>()}.lig(),

    Row{"roundps", 3, P66, 0x08, Form::VW, Sse41Avx, Fast, handlers<Unary<HOST1I(roundps, 16), true>>()}.ib(),
    Row{"roundpd", 3, P66, 0x09, Form::VW, Sse41Avx, Fast, handlers<Unary<HOST1I(roundpd, 16), true>>()}.ib(),
    Row{"roundss", 3, P66, 0x0A, Form::VHW, Sse41Avx, Fast, handlers<Binary<HOST2I(roundss, 16), true, 4>>()}.ib().lig(),
    Row{"roundsd", 3, P66, 0x0B, Form::VHW, Sse41Avx, Fast, handlers<Binary<HOST2I(roundsd, 16), true, 8>>()}.ib().lig(),
    Row{"dpps", 3, P66, 0x40, Form::VHW, Sse41Avx,    9, handlers<Binary<HOST2I(dpps, 256), true>>()}.ib(),
    Row{"dppd", 3, P66, 0x41, Form::VHW, Sse41Avx128, 7, handlers<Binary<HOST2I(dppd, 256), true>>()}.ib(),
};
// clang-format on

} // namespace

constinit const std::span<const Row> float_rows = rows;

} // namespace vitrine::cpu::simd
