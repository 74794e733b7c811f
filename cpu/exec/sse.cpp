// The rest of SSE and SSE2, and the emitter: comparisons, conversions with general registers, shuffles,
// immediate shifts, masks, word insert and extract, RCP/RSQRT. SDM vol. 2.
//
// RCPPS and RSQRTPS are approximations that differ between processors; here they are the exact result rounded
// to 12 bits of mantissa, so that a run is the same on every host (design.md law 1).
#include "cpu/exec/sse.h"
#include <cmath>
#include "cpu/exec/emitters.h"

namespace vitrine::cpu {
namespace {

using Bytes16 = std::array<u8, 16>;
using Words8 = std::array<u16, 8>;
using Longs4 = std::array<u32, 4>;
template <class A> A as(__m128i v) {
    A out;
    std::memcpy(&out, &v, 16);
    return out;
}
template <class A> __m128i from(const A& a) {
    __m128i v;
    std::memcpy(&v, &a, 16);
    return v;
}

/// COMISS/UCOMISS/COMISD/UCOMISD: ZF PF CF from the comparison, OF SF AF cleared.
template <bool Double, bool Quiet> bool compare_flags(Core& core, const Op& op) {
    __m128i b;
    if (!sse_ready(core) || !read_xmm<Double ? 8 : 4, false>(core, op, b)) return false;
    const __m128i a = xmm_get(core, op.reg);
    bool z, p, c;
    fp_begin(core);
    if constexpr (Double && Quiet)
        asm volatile("ucomisd %4, %3" : "=@ccz"(z), "=@ccp"(p), "=@ccc"(c) : "x"(a), "x"(b));
    else if constexpr (Double)
        asm volatile("comisd %4, %3" : "=@ccz"(z), "=@ccp"(p), "=@ccc"(c) : "x"(a), "x"(b));
    else if constexpr (Quiet)
        asm volatile("ucomiss %4, %3" : "=@ccz"(z), "=@ccp"(p), "=@ccc"(c) : "x"(a), "x"(b));
    else
        asm volatile("comiss %4, %3" : "=@ccz"(z), "=@ccp"(p), "=@ccc"(c) : "x"(a), "x"(b));
    if (!fp_end(core)) return false;
    core.set_arithmetic((z ? ZF : 0) | (p ? PF : 0) | (c ? CF : 0));
    return true;
}

/// CMPccPS/PD/SS/SD with the eight SSE predicates.
#define VITRINE_COMPARE(name, index)                                                                         \
    case index: asm volatile("cmp" name " $" #index ", %1, %0" : "+x"(a) : "x"(b)); break;
#define VITRINE_COMPARES(name)                                                                               \
    switch (predicate) {                                                                                     \
        VITRINE_COMPARE(name, 0)                                                                             \
        VITRINE_COMPARE(name, 1)                                                                             \
        VITRINE_COMPARE(name, 2)                                                                             \
        VITRINE_COMPARE(name, 3)                                                                             \
        VITRINE_COMPARE(name, 4) VITRINE_COMPARE(name, 5) VITRINE_COMPARE(name, 6) VITRINE_COMPARE(name, 7)  \
    }
template <unsigned Prefix> bool compare_mask(Core& core, const Op& op) {
    __m128i b;
    constexpr unsigned bytes = Prefix == 2 ? 4 : Prefix == 3 ? 8 : 16;
    if (!sse_ready(core) || !read_xmm < bytes, bytes == 16 > (core, op, b)) return false;
    __m128i a = xmm_get(core, op.reg);
    const unsigned predicate = op.imm & 7;
    fp_begin(core);
    if constexpr (Prefix == 0) {
        VITRINE_COMPARES("ps")
    } else if constexpr (Prefix == 1) {
        VITRINE_COMPARES("pd")
    } else if constexpr (Prefix == 2) {
        VITRINE_COMPARES("ss")
    } else {
        VITRINE_COMPARES("sd")
    }
    if (!fp_end(core)) return false;
    xmm_put(core, op.reg, a);
    return true;
}

/// CVTSI2SS/SD
template <class I, bool Double> bool from_integer(Core& core, const Op& op) {
    I value{};
    if (!sse_ready(core) || !read_rm<I>(core, op, value)) return false;
    __m128i a = xmm_get(core, op.reg);
    fp_begin(core);
    if constexpr (Double && sizeof(I) == 8)
        asm volatile("cvtsi2sdq %1, %0" : "+x"(a) : "r"(value));
    else if constexpr (Double)
        asm volatile("cvtsi2sdl %1, %0" : "+x"(a) : "r"(value));
    else if constexpr (sizeof(I) == 8)
        asm volatile("cvtsi2ssq %1, %0" : "+x"(a) : "r"(value));
    else
        asm volatile("cvtsi2ssl %1, %0" : "+x"(a) : "r"(value));
    if (!fp_end(core)) return false;
    xmm_put(core, op.reg, a);
    return true;
}
/// CVT(T)SS2SI, CVT(T)SD2SI
template <class I, bool Double, bool Truncate> bool to_integer(Core& core, const Op& op) {
    __m128i b;
    if (!sse_ready(core) || !read_xmm<Double ? 8 : 4, false>(core, op, b)) return false;
    I value{};
    fp_begin(core);
    if constexpr (Double && Truncate)
        asm volatile("cvttsd2si %1, %0" : "=r"(value) : "x"(b));
    else if constexpr (Double)
        asm volatile("cvtsd2si %1, %0" : "=r"(value) : "x"(b));
    else if constexpr (Truncate)
        asm volatile("cvttss2si %1, %0" : "=r"(value) : "x"(b));
    else
        asm volatile("cvtss2si %1, %0" : "=r"(value) : "x"(b));
    if (!fp_end(core)) return false;
    put<I>(&core, op.reg, value);
    return true;
}

float approximate(float x, bool root) {
    const double exact = root ? 1.0 / std::sqrt(static_cast<double>(x)) : 1.0 / static_cast<double>(x);
    float f = static_cast<float>(exact);
    u32 bits = 0;
    std::memcpy(&bits, &f, 4);
    if ((bits & 0x7F800000) == 0x7F800000) return f;
    bits &= 0xFFFFF800;
    std::memcpy(&f, &bits, 4);
    return f;
}
template <bool Root, bool Scalar> bool reciprocal(Core& core, const Op& op) {
    __m128i b;
    if (!sse_ready(core) || !read_xmm<Scalar ? 4 : 16, !Scalar>(core, op, b)) return false;
    core.sync_fp(); // these raise no flags and do not round by MXCSR
    auto in = as<std::array<float, 4>>(b), out = as<std::array<float, 4>>(xmm_get(core, op.reg));
    for (unsigned i = 0; i < (Scalar ? 1 : 4); ++i) out[i] = approximate(in[i], Root);
    xmm_put(core, op.reg, from(out));
    return true;
}

/// PSHUFD, PSHUFLW, PSHUFHW, SHUFPS, SHUFPD
template <unsigned Prefix> bool shuffle(Core& core, const Op& op) {
    __m128i b;
    if (!sse_ready(core) || !read_xmm<16, true>(core, op, b)) return false;
    const unsigned order = op.imm & 0xFF;
    if constexpr (Prefix == 1) {
        const auto in = as<Longs4>(b);
        Longs4 out;
        for (unsigned i = 0; i < 4; ++i) out[i] = in[order >> (2 * i) & 3];
        xmm_put(core, op.reg, from(out));
    } else {
        const auto in = as<Words8>(b);
        Words8 out = in;
        const unsigned half = Prefix == 2 ? 4 : 0;
        for (unsigned i = 0; i < 4; ++i) out[half + i] = in[half + (order >> (2 * i) & 3)];
        xmm_put(core, op.reg, from(out));
    }
    return true;
}
template <bool Double> bool shuffle_pair(Core& core, const Op& op) {
    __m128i b;
    if (!sse_ready(core) || !read_xmm<16, true>(core, op, b)) return false;
    const unsigned order = op.imm & 0xFF;
    if constexpr (Double) {
        const auto x = as<std::array<u64, 2>>(xmm_get(core, op.reg)), y = as<std::array<u64, 2>>(b);
        xmm_put(core, op.reg, from(std::array<u64, 2>{x[order & 1], y[order >> 1 & 1]}));
    } else {
        const auto x = as<Longs4>(xmm_get(core, op.reg)), y = as<Longs4>(b);
        xmm_put(core, op.reg,
                from(Longs4{x[order & 3], x[order >> 2 & 3], y[order >> 4 & 3], y[order >> 6 & 3]}));
    }
    return true;
}

/// Groups 12–14 (71–73): shifts by an immediate; op.extra = opcode << 3 | reg packed into two small fields.
bool shift_immediate(Core& core, const Op& op) {
    if (!sse_ready(core)) return false;
    const __m128i v = xmm_get(core, op.rm);
    const unsigned count = op.imm & 0xFF;
    const __m128i by = _mm_cvtsi32_si128(static_cast<int>(count));
    __m128i out = v;
    switch (op.extra) {
    case 0x12: out = _mm_srl_epi16(v, by); break;
    case 0x14: out = _mm_sra_epi16(v, by); break;
    case 0x16: out = _mm_sll_epi16(v, by); break;
    case 0x22: out = _mm_srl_epi32(v, by); break;
    case 0x24: out = _mm_sra_epi32(v, by); break;
    case 0x26: out = _mm_sll_epi32(v, by); break;
    case 0x32: out = _mm_srl_epi64(v, by); break;
    case 0x36: out = _mm_sll_epi64(v, by); break;
    case 0x33:
    case 0x37: { // by whole bytes
        const auto in = as<Bytes16>(v);
        Bytes16 moved{};
        for (unsigned i = 0; i < 16; ++i) {
            const unsigned source = op.extra == 0x33 ? i + count : i - count;
            if (source < 16) moved[i] = in[source];
        }
        out = from(moved);
        break;
    }
    }
    xmm_put(core, op.rm, out);
    return true;
}

template <unsigned Kind> bool move_mask(Core& core, const Op& op) { // 0 PS, 1 PD, 2 bytes
    if (!sse_ready(core)) return false;
    const __m128i v = xmm_get(core, op.rm);
    const int mask = Kind == 0   ? _mm_movemask_ps(_mm_castsi128_ps(v))
                     : Kind == 1 ? _mm_movemask_pd(_mm_castsi128_pd(v))
                                 : _mm_movemask_epi8(v);
    put<u64>(&core, op.reg, static_cast<u32>(mask));
    return true;
}
bool insert_word(Core& core, const Op& op) {
    if (!sse_ready(core)) return false;
    u16 value = 0;
    if (!read_rm<u16>(core, op, value)) return false;
    auto words = as<Words8>(xmm_get(core, op.reg));
    words[op.imm & 7] = value;
    xmm_put(core, op.reg, from(words));
    return true;
}
bool extract_word(Core& core, const Op& op) {
    if (!sse_ready(core)) return false;
    put<u64>(&core, op.reg, as<Words8>(xmm_get(core, op.rm))[op.imm & 7]);
    return true;
}

Handler other(Emitter& e, unsigned prefix, unsigned opcode) {
    const bool memory = e.memory(), wide = e.d.rex & 8;
    const auto general_rm = [&] {
        if (!memory) e.op.rm = slot_of(e.d.rm);
    };
    const auto general_reg = [&] { e.op.reg = slot_of(e.d.reg); };
    switch (prefix << 8 | opcode) {
    case 0x02E: return cold<compare_flags<false, true>>;
    case 0x02F: return cold<compare_flags<false, false>>;
    case 0x12E: return cold<compare_flags<true, true>>;
    case 0x12F: return cold<compare_flags<true, false>>;
    case 0x0C2: return cold<compare_mask<0>>;
    case 0x1C2: return cold<compare_mask<1>>;
    case 0x2C2: return cold<compare_mask<2>>;
    case 0x3C2: return cold<compare_mask<3>>;
    case 0x22A:
        general_rm();
        return wide ? static_cast<Handler>(cold<from_integer<u64, false>>)
                    : static_cast<Handler>(cold<from_integer<u32, false>>);
    case 0x32A:
        general_rm();
        return wide ? static_cast<Handler>(cold<from_integer<u64, true>>)
                    : static_cast<Handler>(cold<from_integer<u32, true>>);
    case 0x22C:
        general_reg();
        return wide ? static_cast<Handler>(cold<to_integer<u64, false, true>>)
                    : static_cast<Handler>(cold<to_integer<u32, false, true>>);
    case 0x22D:
        general_reg();
        return wide ? static_cast<Handler>(cold<to_integer<u64, false, false>>)
                    : static_cast<Handler>(cold<to_integer<u32, false, false>>);
    case 0x32C:
        general_reg();
        return wide ? static_cast<Handler>(cold<to_integer<u64, true, true>>)
                    : static_cast<Handler>(cold<to_integer<u32, true, true>>);
    case 0x32D:
        general_reg();
        return wide ? static_cast<Handler>(cold<to_integer<u64, true, false>>)
                    : static_cast<Handler>(cold<to_integer<u32, true, false>>);
    case 0x052: return cold<reciprocal<true, false>>;
    case 0x053: return cold<reciprocal<false, false>>;
    case 0x252: return cold<reciprocal<true, true>>;
    case 0x253: return cold<reciprocal<false, true>>;
    case 0x170: return cold<shuffle<1>>;
    case 0x270: return cold<shuffle<2>>;
    case 0x370: return cold<shuffle<3>>;
    case 0x0C6: return cold<shuffle_pair<false>>;
    case 0x1C6: return cold<shuffle_pair<true>>;
    case 0x171:
    case 0x172:
    case 0x173: {
        const unsigned which = (opcode & 3) << 4 | (e.d.reg & 7);
        const bool known = which == 0x12 || which == 0x14 || which == 0x16 || which == 0x22 ||
                           which == 0x24 || which == 0x26 || which == 0x32 || which == 0x33 ||
                           which == 0x36 || which == 0x37;
        if (memory || !known) return nullptr;
        e.op.extra = static_cast<u8>(which);
        return cold<shift_immediate>;
    }
    case 0x050: general_reg(); return memory ? nullptr : static_cast<Handler>(cold<move_mask<0>>);
    case 0x150: general_reg(); return memory ? nullptr : static_cast<Handler>(cold<move_mask<1>>);
    case 0x1D7: general_reg(); return memory ? nullptr : static_cast<Handler>(cold<move_mask<2>>);
    case 0x1C4: general_rm(); return cold<insert_word>;
    case 0x1C5: general_reg(); return memory ? nullptr : static_cast<Handler>(cold<extract_word>);
    default: return nullptr;
    }
}

} // namespace

namespace emit {

void sse(Emitter& e) {
    const unsigned prefix = e.d.mandatory(), opcode = e.d.opcode;
    e.op.reg = e.d.reg;
    if (!e.memory()) e.op.rm = e.d.rm;
    e.cost = cost::FpSimple;
    if (opcode == 0x5E) e.cost = cost::FpDivide;
    if (opcode == 0x51) e.cost = cost::FpSqrt;
    if ((e.handler = sse_move(e, prefix, opcode))) {
        e.cost = 1;
        return;
    }
    if ((e.handler = sse_arithmetic(prefix, opcode))) return;
    if ((e.handler = mmx(e, prefix, opcode))) {
        e.cost = cost::Simple;
        return;
    }
    if (e.v2 && (e.handler = sse3(e, prefix, opcode))) return;
    e.handler = other(e, prefix, opcode);
}

} // namespace emit
} // namespace vitrine::cpu
