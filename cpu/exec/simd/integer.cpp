// Packed integer arithmetic, logic, comparison, packing and shifts. SDM vol. 2.
#include "cpu/exec/simd/forms.h"

namespace vitrine::cpu::simd {
namespace {

/// Shifts by an immediate: the destination is in VEX.vvvv, or the operand itself.
template <auto F> struct ByImmediate {
    template <Encoding E> static bool run(Core& core, const Op& op) {
        if (!ready<E>(core)) return false;
        Vector v = get_vector<E>(core, op.rm);
        v.low = F(v.low, op.imm & 0xFF);
        if constexpr (wide<E>) v.high = F(v.high, op.imm & 0xFF);
        put_vector<E>(core, op.vvvv, v);
        return true;
    }
};
template <bool Left> __m128i shift_bytes(__m128i v, unsigned count) { // PSLLDQ, PSRLDQ
    const auto in = as<Lanes<u8>>(v);
    Lanes<u8> out{};
    for (unsigned i = 0; i < 16; ++i) {
        const unsigned source = Left ? i - count : i + count;
        if (source < 16) out[i] = in[source];
    }
    return from(out);
}
/// VPSLLV, VPSRLV, VPSRAV: a count for each element.
template <class T, bool Left> __m128i shift_each(__m128i v, __m128i by) {
    auto lanes = as<Lanes<T>>(v);
    const auto counts = as<Lanes<std::make_unsigned_t<T>>>(by);
    constexpr unsigned bits = 8 * sizeof(T);
    for (unsigned i = 0; i < lanes.size(); ++i) {
        const bool over = counts[i] >= bits;
        if constexpr (std::is_signed_v<T>)
            lanes[i] >>= over ? bits - 1 : counts[i];
        else
            lanes[i] = over ? 0 : Left ? lanes[i] << counts[i] : lanes[i] >> counts[i];
    }
    return from(lanes);
}

// clang-format off
#define BY_IMMEDIATE(shift) handlers<ByImmediate<[](__m128i v, unsigned n) { return shift(v, _mm_cvtsi32_si128(static_cast<int>(n))); }>>()
#define BY_COUNT(opcode, name) Row{#name, 1, P66, opcode, Form::VHW, SseAvx2, 1, handlers<ByCount<HOST2(name)>>()}
#define PACKED(map, opcode, name, offer, cost) Row{#name, map, P66, opcode, Form::VHW, offer, cost, handlers<Binary<HOST2(name)>>()}
#define PACKED1(map, opcode, name, offer) Row{#name, map, P66, opcode, Form::VW, offer, 1, handlers<Unary<HOST1(name)>>()}

constexpr Row rows[] = {
    PACKED(1, 0x60, punpcklbw, SseAvx2, 1), PACKED(1, 0x61, punpcklwd, SseAvx2, 1), PACKED(1, 0x62, punpckldq, SseAvx2, 1),
    PACKED(1, 0x63, packsswb, SseAvx2, 1), PACKED(1, 0x64, pcmpgtb, SseAvx2, 1), PACKED(1, 0x65, pcmpgtw, SseAvx2, 1),
    PACKED(1, 0x66, pcmpgtd, SseAvx2, 1), PACKED(1, 0x67, packuswb, SseAvx2, 1), PACKED(1, 0x68, punpckhbw, SseAvx2, 1),
    PACKED(1, 0x69, punpckhwd, SseAvx2, 1), PACKED(1, 0x6A, punpckhdq, SseAvx2, 1), PACKED(1, 0x6B, packssdw, SseAvx2, 1),
    PACKED(1, 0x6C, punpcklqdq, SseAvx2, 1), PACKED(1, 0x6D, punpckhqdq, SseAvx2, 1),
    PACKED(1, 0x74, pcmpeqb, SseAvx2, 1), PACKED(1, 0x75, pcmpeqw, SseAvx2, 1), PACKED(1, 0x76, pcmpeqd, SseAvx2, 1),
    PACKED(1, 0xD4, paddq, SseAvx2, 1), PACKED(1, 0xD5, pmullw, SseAvx2, 4), PACKED(1, 0xD8, psubusb, SseAvx2, 1),
    PACKED(1, 0xD9, psubusw, SseAvx2, 1), PACKED(1, 0xDA, pminub, SseAvx2, 1), PACKED(1, 0xDB, pand, SseAvx2, 1),
    PACKED(1, 0xDC, paddusb, SseAvx2, 1), PACKED(1, 0xDD, paddusw, SseAvx2, 1), PACKED(1, 0xDE, pmaxub, SseAvx2, 1),
    PACKED(1, 0xDF, pandn, SseAvx2, 1), PACKED(1, 0xE0, pavgb, SseAvx2, 1), PACKED(1, 0xE3, pavgw, SseAvx2, 1),
    PACKED(1, 0xE4, pmulhuw, SseAvx2, 4), PACKED(1, 0xE5, pmulhw, SseAvx2, 4), PACKED(1, 0xE8, psubsb, SseAvx2, 1),
    PACKED(1, 0xE9, psubsw, SseAvx2, 1), PACKED(1, 0xEA, pminsw, SseAvx2, 1), PACKED(1, 0xEB, por, SseAvx2, 1),
    PACKED(1, 0xEC, paddsb, SseAvx2, 1), PACKED(1, 0xED, paddsw, SseAvx2, 1), PACKED(1, 0xEE, pmaxsw, SseAvx2, 1),
    PACKED(1, 0xEF, pxor, SseAvx2, 1), PACKED(1, 0xF4, pmuludq, SseAvx2, 4), PACKED(1, 0xF5, pmaddwd, SseAvx2, 4),
    PACKED(1, 0xF6, psadbw, SseAvx2, 3), PACKED(1, 0xF8, psubb, SseAvx2, 1), PACKED(1, 0xF9, psubw, SseAvx2, 1),
    PACKED(1, 0xFA, psubd, SseAvx2, 1), PACKED(1, 0xFB, psubq, SseAvx2, 1), PACKED(1, 0xFC, paddb, SseAvx2, 1),
    PACKED(1, 0xFD, paddw, SseAvx2, 1), PACKED(1, 0xFE, paddd, SseAvx2, 1),
    PACKED(1, 0x14, unpcklpd, SseAvx, 1), PACKED(1, 0x15, unpckhpd, SseAvx, 1),

    BY_COUNT(0xD1, psrlw), BY_COUNT(0xD2, psrld), BY_COUNT(0xD3, psrlq), BY_COUNT(0xE1, psraw), BY_COUNT(0xE2, psrad),
    BY_COUNT(0xF1, psllw), BY_COUNT(0xF2, pslld), BY_COUNT(0xF3, psllq),
    Row{"psrlw", 1, P66, 0x71, Form::HW, SseAvx2, 1, BY_IMMEDIATE(_mm_srl_epi16)}.group(2).registers().ib(),
    Row{"psraw", 1, P66, 0x71, Form::HW, SseAvx2, 1, BY_IMMEDIATE(_mm_sra_epi16)}.group(4).registers().ib(),
    Row{"psllw", 1, P66, 0x71, Form::HW, SseAvx2, 1, BY_IMMEDIATE(_mm_sll_epi16)}.group(6).registers().ib(),
    Row{"psrld", 1, P66, 0x72, Form::HW, SseAvx2, 1, BY_IMMEDIATE(_mm_srl_epi32)}.group(2).registers().ib(),
    Row{"psrad", 1, P66, 0x72, Form::HW, SseAvx2, 1, BY_IMMEDIATE(_mm_sra_epi32)}.group(4).registers().ib(),
    Row{"pslld", 1, P66, 0x72, Form::HW, SseAvx2, 1, BY_IMMEDIATE(_mm_sll_epi32)}.group(6).registers().ib(),
    Row{"psrlq", 1, P66, 0x73, Form::HW, SseAvx2, 1, BY_IMMEDIATE(_mm_srl_epi64)}.group(2).registers().ib(),
    Row{"psllq", 1, P66, 0x73, Form::HW, SseAvx2, 1, BY_IMMEDIATE(_mm_sll_epi64)}.group(6).registers().ib(),
    Row{"psrldq", 1, P66, 0x73, Form::HW, SseAvx2, 1, handlers<ByImmediate<shift_bytes<false>>>()}.group(3).registers().ib(),
    Row{"pslldq", 1, P66, 0x73, Form::HW, SseAvx2, 1, handlers<ByImmediate<shift_bytes<true>>>()}.group(7).registers().ib(),
    Row{"psrlvd", 2, P66, 0x45, Form::VHW, vex(Feature::Avx2), 2, handlers_vex<Binary<shift_each<u32, false>>>()}.w0(),
    Row{"psrlvq", 2, P66, 0x45, Form::VHW, vex(Feature::Avx2), 2, handlers_vex<Binary<shift_each<u64, false>>>()}.w1(),
    Row{"psravd", 2, P66, 0x46, Form::VHW, vex(Feature::Avx2), 2, handlers_vex<Binary<shift_each<i32, false>>>()}.w0(),
    Row{"psllvd", 2, P66, 0x47, Form::VHW, vex(Feature::Avx2), 2, handlers_vex<Binary<shift_each<u32, true>>>()}.w0(),
    Row{"psllvq", 2, P66, 0x47, Form::VHW, vex(Feature::Avx2), 2, handlers_vex<Binary<shift_each<u64, true>>>()}.w1(),

    PACKED(2, 0x01, phaddw, Ssse3Avx2, 3), PACKED(2, 0x02, phaddd, Ssse3Avx2, 3), PACKED(2, 0x03, phaddsw, Ssse3Avx2, 3),
    PACKED(2, 0x04, pmaddubsw, Ssse3Avx2, 4), PACKED(2, 0x05, phsubw, Ssse3Avx2, 3), PACKED(2, 0x06, phsubd, Ssse3Avx2, 3),
    PACKED(2, 0x07, phsubsw, Ssse3Avx2, 3), PACKED(2, 0x08, psignb, Ssse3Avx2, 1), PACKED(2, 0x09, psignw, Ssse3Avx2, 1),
    PACKED(2, 0x0A, psignd, Ssse3Avx2, 1), PACKED(2, 0x0B, pmulhrsw, Ssse3Avx2, 4),
    PACKED1(2, 0x1C, pabsb, Ssse3Avx2), PACKED1(2, 0x1D, pabsw, Ssse3Avx2), PACKED1(2, 0x1E, pabsd, Ssse3Avx2),
    PACKED(2, 0x28, pmuldq, Sse41Avx2, 4), PACKED(2, 0x29, pcmpeqq, Sse41Avx2, 1), PACKED(2, 0x2B, packusdw, Sse41Avx2, 1),
    PACKED(2, 0x37, pcmpgtq, Sse42Avx2, 3), PACKED(2, 0x38, pminsb, Sse41Avx2, 1), PACKED(2, 0x39, pminsd, Sse41Avx2, 1),
    PACKED(2, 0x3A, pminuw, Sse41Avx2, 1), PACKED(2, 0x3B, pminud, Sse41Avx2, 1), PACKED(2, 0x3C, pmaxsb, Sse41Avx2, 1),
    PACKED(2, 0x3D, pmaxsd, Sse41Avx2, 1), PACKED(2, 0x3E, pmaxuw, Sse41Avx2, 1), PACKED(2, 0x3F, pmaxud, Sse41Avx2, 1),
    PACKED(2, 0x40, pmulld, Sse41Avx2, 8),
    {"phminposuw", 2, P66, 0x41, Form::VW, Sse41Avx128, 4, handlers<Unary<HOST1(phminposuw)>>()},
    Row{"mpsadbw", 3, P66, 0x42, Form::VHW, Sse41Avx2, 4, handlers<Binary<HOST2I(mpsadbw, 8), false, 16, 3>>()}.ib(),
};
// clang-format on

} // namespace

constinit const std::span<const Row> integer_rows = rows;

} // namespace vitrine::cpu::simd
