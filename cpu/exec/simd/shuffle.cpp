// Shuffles inside a lane, blends, inserts, extracts, masks to general registers. SDM vol. 2.
#include "cpu/exec/simd/forms.h"

namespace vitrine::cpu::simd {
namespace {

__m128i shuffle_longs(__m128i v, unsigned order) { // PSHUFD, VPERMILPS
    const auto in = as<Lanes<u32>>(v);
    Lanes<u32> out;
    for (unsigned i = 0; i < 4; ++i) out[i] = in[order >> (2 * i) & 3];
    return from(out);
}
template <unsigned Half> __m128i shuffle_words(__m128i v, unsigned order) { // PSHUFLW, PSHUFHW
    const auto in = as<Lanes<u16>>(v);
    auto out = in;
    for (unsigned i = 0; i < 4; ++i) out[Half + i] = in[Half + (order >> (2 * i) & 3)];
    return from(out);
}
__m128i shuffle_ps(__m128i a, __m128i b, unsigned order) {
    const auto x = as<Lanes<u32>>(a), y = as<Lanes<u32>>(b);
    return from(Lanes<u32>{x[order & 3], x[order >> 2 & 3], y[order >> 4 & 3], y[order >> 6 & 3]});
}
__m128i shuffle_pd(__m128i a, __m128i b, unsigned order) {
    const auto x = as<Lanes<u64>>(a), y = as<Lanes<u64>>(b);
    return from(Lanes<u64>{x[order & 1], y[order >> 1 & 1]});
}
__m128i permute_pairs(__m128i v, unsigned order) { return shuffle_pd(v, v, order); } // VPERMILPD
__m128i permute_longs_by(__m128i v, __m128i order) {
    const auto in = as<Lanes<u32>>(v), by = as<Lanes<u32>>(order);
    return from(Lanes<u32>{in[by[0] & 3], in[by[1] & 3], in[by[2] & 3], in[by[3] & 3]});
}
__m128i permute_pairs_by(__m128i v, __m128i order) {
    const auto in = as<Lanes<u64>>(v), by = as<Lanes<u64>>(order);
    return from(Lanes<u64>{in[by[0] >> 1 & 1], in[by[1] >> 1 & 1]});
}
__m128i align_right(__m128i a, __m128i b, unsigned count) { // PALIGNR: bytes of {a, b} from `count` on
    u8 pair[48] = {}, out[16] = {};
    std::memcpy(pair, &b, 16);
    std::memcpy(pair + 16, &a, 16);
    if ((count & 0xFF) < 32) std::memcpy(out, pair + (count & 0xFF), 16);
    return _mm_loadu_si128(reinterpret_cast<const __m128i*>(out));
}
/// BLENDPS, BLENDPD, PBLENDW, VPBLENDD: by the immediate's bits.
template <class T> __m128i blend(__m128i a, __m128i b, unsigned select) {
    auto out = as<Lanes<T>>(a);
    const auto other = as<Lanes<T>>(b);
    for (unsigned i = 0; i < out.size(); ++i)
        if (select >> i & 1) out[i] = other[i];
    return from(out);
}
template <class T> __m128i blend_by(__m128i a, __m128i b, __m128i mask) { // by the mask's top bits
    auto out = as<Lanes<T>>(a);
    const auto other = as<Lanes<T>>(b), select = as<Lanes<T>>(mask);
    for (unsigned i = 0; i < out.size(); ++i)
        if (select[i] >> (8 * sizeof(T) - 1)) out[i] = other[i];
    return from(out);
}
/// PBLENDVB, BLENDVPS, BLENDVPD: the mask is XMM0; in VEX encodings a fourth operand.
template <class T> struct BlendByMask {
    template <Encoding E> static bool run(Core& core, const Op& op) {
        Vector b, r;
        if (!ready<E>(core) || !get_rm<E, full<E>>(core, op, b)) return false;
        unsigned mask_register = E == Encoding::Legacy ? 0 : op.imm >> 4 & 15;
        if (!core.code64()) mask_register &= 7;
        const Vector a = get_vector<E>(core, op.vvvv), mask = get_vector<E>(core, mask_register);
        r.low = blend_by<T>(a.low, b.low, mask.low);
        if constexpr (wide<E>) r.high = blend_by<T>(a.high, b.high, mask.high);
        put_vector<E>(core, op.reg, r);
        return true;
    }
};
/// PEXTRB, PEXTRW, PEXTRD, PEXTRQ, EXTRACTPS: registers are zero-extended.
template <class T> struct Extract {
    template <Encoding E> static bool run(Core& core, const Op& op) {
        if (!ready<E>(core)) return false;
        const T value = as<Lanes<T>>(xmm_get(core, op.reg))[op.imm & (16 / sizeof(T) - 1)];
        if (!(op.address & RegisterOperand)) return write_memory<T>(core, op, value);
        put<u64>(&core, op.rm, value);
        return true;
    }
};
struct ExtractWord { // 0F C5
    template <Encoding E> static bool run(Core& core, const Op& op) {
        if (!ready<E>(core)) return false;
        put<u64>(&core, op.reg, as<Lanes<u16>>(xmm_get(core, op.rm))[op.imm & 7]);
        return true;
    }
};
template <class T> struct Insert { // PINSRB, PINSRW, PINSRD, PINSRQ
    template <Encoding E> static bool run(Core& core, const Op& op) {
        T value{};
        if (!ready<E>(core) || !read_rm<T>(core, op, value)) return false;
        auto lanes = as<Lanes<T>>(xmm_get(core, op.vvvv));
        lanes[op.imm & (16 / sizeof(T) - 1)] = value;
        put_vector<E>(core, op.reg, {from(lanes), _mm_setzero_si128()});
        return true;
    }
};
struct InsertSingle { // INSERTPS: bits 7–6 source (registers only), 5–4 destination, 3–0 zeros
    template <Encoding E> static bool run(Core& core, const Op& op) {
        Vector b;
        if (!ready<E>(core) || !get_rm<E, 4>(core, op, b)) return false;
        const unsigned select = op.address & RegisterOperand ? op.imm >> 6 & 3 : 0;
        auto out = as<Lanes<u32>>(xmm_get(core, op.vvvv));
        out[op.imm >> 4 & 3] = as<Lanes<u32>>(b.low)[select];
        for (unsigned i = 0; i < 4; ++i)
            if (op.imm >> i & 1) out[i] = 0;
        put_vector<E>(core, op.reg, {from(out), _mm_setzero_si128()});
        return true;
    }
};
int signs_ps(__m128i v) { return _mm_movemask_ps(_mm_castsi128_ps(v)); }
int signs_pd(__m128i v) { return _mm_movemask_pd(_mm_castsi128_pd(v)); }
int signs_bytes(__m128i v) { return _mm_movemask_epi8(v); }
template <auto F, unsigned Count> struct MoveMask {
    template <Encoding E> static bool run(Core& core, const Op& op) {
        if (!ready<E>(core)) return false;
        const Vector v = get_vector<E>(core, op.rm);
        u32 mask = static_cast<u32>(F(v.low));
        if constexpr (wide<E>) mask |= static_cast<u32>(F(v.high)) << Count;
        put<u64>(&core, op.reg, mask);
        return true;
    }
};

// clang-format off
constexpr Row rows[] = {
    {"unpcklps", 1, NP, 0x14, Form::VHW, SseAvx, 1, handlers<Binary<HOST2(unpcklps)>>()},
    {"unpckhps", 1, NP, 0x15, Form::VHW, SseAvx, 1, handlers<Binary<HOST2(unpckhps)>>()},
    Row{"pshufd",  1, P66, 0x70, Form::VW, SseAvx2, 1, handlers<Unary<shuffle_longs>>()}.ib(),
    Row{"pshufhw", 1, F3,  0x70, Form::VW, SseAvx2, 1, handlers<Unary<shuffle_words<4>>>()}.ib(),
    Row{"pshuflw", 1, F2,  0x70, Form::VW, SseAvx2, 1, handlers<Unary<shuffle_words<0>>>()}.ib(),
    Row{"shufps",  1, NP,  0xC6, Form::VHW, SseAvx, 1, handlers<Binary<shuffle_ps>>()}.ib(),
    Row{"shufpd",  1, P66, 0xC6, Form::VHW, SseAvx, 1, handlers<Binary<shuffle_pd, false, 16, 2>>()}.ib(),
    {"pshufb", 2, P66, 0x00, Form::VHW, Ssse3Avx2, 1, handlers<Binary<HOST2(pshufb)>>()},
    Row{"palignr", 3, P66, 0x0F, Form::VHW, Ssse3Avx2, 1, handlers<Binary<align_right>>()}.ib(),
    Row{"permilps", 2, P66, 0x0C, Form::VHW, vex(Feature::Avx), 1, handlers_vex<Binary<permute_longs_by>>()}.w0(),
    Row{"permilpd", 2, P66, 0x0D, Form::VHW, vex(Feature::Avx), 1, handlers_vex<Binary<permute_pairs_by>>()}.w0(),
    Row{"permilps", 3, P66, 0x04, Form::VW, vex(Feature::Avx), 1, handlers_vex<Unary<shuffle_longs>>()}.w0().ib(),
    Row{"permilpd", 3, P66, 0x05, Form::VW, vex(Feature::Avx), 1, handlers_vex<Unary<permute_pairs, false, 16, 2>>()}.w0().ib(),

    {"pblendvb", 2, P66, 0x10, Form::VHW, Sse41, 2, handlers<BlendByMask<u8>>()},
    {"blendvps", 2, P66, 0x14, Form::VHW, Sse41, 2, handlers<BlendByMask<u32>>()},
    {"blendvpd", 2, P66, 0x15, Form::VHW, Sse41, 2, handlers<BlendByMask<u64>>()},
    Row{"blendvps", 3, P66, 0x4A, Form::VHWL, vex(Feature::Avx), 2, handlers_vex<BlendByMask<u32>>()}.w0().ib(),
    Row{"blendvpd", 3, P66, 0x4B, Form::VHWL, vex(Feature::Avx), 2, handlers_vex<BlendByMask<u64>>()}.w0().ib(),
    Row{"pblendvb", 3, P66, 0x4C, Form::VHWL, {{Feature::None, Feature::Avx, Feature::Avx2}}, 2, handlers_vex<BlendByMask<u8>>()}.w0().ib(),
    Row{"blendps", 3, P66, 0x0C, Form::VHW, Sse41Avx,  1, handlers<Binary<blend<u32>, false, 16, 4>>()}.ib(),
    Row{"blendpd", 3, P66, 0x0D, Form::VHW, Sse41Avx,  1, handlers<Binary<blend<u64>, false, 16, 2>>()}.ib(),
    Row{"pblendw", 3, P66, 0x0E, Form::VHW, Sse41Avx2, 1, handlers<Binary<blend<u16>>>()}.ib(),
    Row{"pblendd", 3, P66, 0x02, Form::VHW, vex(Feature::Avx2), 1, handlers_vex<Binary<blend<u32>, false, 16, 4>>()}.w0().ib(),

    Row{"pextrb", 3, P66, 0x14, Form::EV, Sse41Avx128, 2, handlers<Extract<u8>>()}.ib(),
    Row{"pextrw", 3, P66, 0x15, Form::EV, Sse41Avx128, 2, handlers<Extract<u16>>()}.ib(),
    Row{"pextrd", 3, P66, 0x16, Form::EV, Sse41Avx128, 2, handlers<Extract<u32>>()}.w0().ib(),
    Row{"pextrq", 3, P66, 0x16, Form::EV, Sse41Avx128, 2, handlers<Extract<u64>>()}.w1().ib(),
    Row{"extractps", 3, P66, 0x17, Form::EV, Sse41Avx128, 2, handlers<Extract<u32>>()}.ib(),
    Row{"pextrw", 1, P66, 0xC5, Form::GW, SseAvx128, 2, handlers<ExtractWord>()}.registers().ib(),
    Row{"pinsrw", 1, P66, 0xC4, Form::VHE, SseAvx128, 2, handlers<Insert<u16>>()}.ib(),
    Row{"pinsrb", 3, P66, 0x20, Form::VHE, Sse41Avx128, 2, handlers<Insert<u8>>()}.ib(),
    Row{"pinsrd", 3, P66, 0x22, Form::VHE, Sse41Avx128, 2, handlers<Insert<u32>>()}.w0().ib(),
    Row{"pinsrq", 3, P66, 0x22, Form::VHE, Sse41Avx128, 2, handlers<Insert<u64>>()}.w1().ib(),
    Row{"insertps", 3, P66, 0x21, Form::VHW, Sse41Avx128, 1, handlers<InsertSingle>()}.ib(),
    Row{"movmskps", 1, NP,  0x50, Form::GW, SseAvx, 2, handlers<MoveMask<signs_ps, 4>>()}.registers(),
    Row{"movmskpd", 1, P66, 0x50, Form::GW, SseAvx, 2, handlers<MoveMask<signs_pd, 2>>()}.registers(),
    Row{"pmovmskb", 1, P66, 0xD7, Form::GW, SseAvx2, 2, handlers<MoveMask<signs_bytes, 16>>()}.registers(),
};
// clang-format on

} // namespace

constinit const std::span<const Row> shuffle_rows = rows;

} // namespace vitrine::cpu::simd
