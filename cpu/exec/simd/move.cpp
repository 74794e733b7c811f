// Data movement: MOVUPS … MOVDQU, MOVSS and MOVSD, halves, MOVD and MOVQ, non-temporal forms, duplicating
// loads; VZEROUPPER, MXCSR. SDM vol. 2.
#include "cpu/exec/simd/forms.h"

namespace vitrine::cpu::simd {
namespace {

/// Explicitly aligned moves want their full length aligned in VEX encodings too.
template <bool Aligned> struct Load {
    template <Encoding E, bool Registers = false> static bool run(Core& core, const Op& op) {
        Vector v;
        if (!ready<E>(core) || !get_rm<E, full<E>, Aligned, Registers>(core, op, v)) return false;
        put_vector<E>(core, op.reg, v);
        return true;
    }
};
template <bool Aligned> struct Store {
    template <Encoding E> static bool run(Core& core, const Op& op) {
        if (!ready<E>(core)) return false;
        const Vector v = get_vector<E>(core, op.reg);
        if (op.address & RegisterOperand) {
            put_vector<E>(core, op.rm, v);
            return true;
        }
        return write_vector_memory<full<E>, Aligned ? full<E> : 0>(core, op, &v);
    }
};
/// MOVSS, MOVSD, MOVQ from memory: the rest is cleared. MOVQ between registers too.
template <class T> struct LoadScalar {
    template <Encoding E> static bool run(Core& core, const Op& op) {
        Vector v;
        if (!ready<E>(core) || !get_rm<E, sizeof(T)>(core, op, v)) return false;
        if constexpr (sizeof(T) == 8) v.low = _mm_move_epi64(v.low);
        put_vector<E>(core, op.reg, v);
        return true;
    }
};
template <class T> struct StoreScalar {
    template <Encoding E> static bool run(Core& core, const Op& op) {
        return ready<E>(core) && write_vector_memory<sizeof(T), 0>(core, op, &core.r.xmm[op.reg]);
    }
};
struct StoreQuad { // 66 0F D6: to a register, the upper half is cleared
    template <Encoding E> static bool run(Core& core, const Op& op) {
        if (!ready<E>(core)) return false;
        if (!(op.address & RegisterOperand)) return write_vector_memory<8, 0>(core, op, &core.r.xmm[op.reg]);
        put_vector<E>(core, op.rm, {_mm_move_epi64(xmm_get(core, op.reg)), _mm_setzero_si128()});
        return true;
    }
};
/// MOVSS, MOVSD between registers: the low element is replaced. `ToRm`: the opcodes that store.
template <class T, bool ToRm> struct Merge {
    template <Encoding E> static bool run(Core& core, const Op& op) {
        if (!ready<E>(core)) return false;
        const u8 to = ToRm ? op.rm : op.reg, source = ToRm ? op.reg : op.rm;
        const u8 upper = E == Encoding::Legacy ? to : op.vvvv;
        auto lanes = as<Lanes<T>>(xmm_get(core, upper));
        lanes[0] = as<Lanes<T>>(xmm_get(core, source))[0];
        put_vector<E>(core, to, {from(lanes), _mm_setzero_si128()});
        return true;
    }
};
/// MOVLPS, MOVHPS, MOVLPD, MOVHPD, MOVHLPS, MOVLHPS: one half from the operand, the other from the first
/// source. `From`: which half of the operand.
template <unsigned To, unsigned From> struct Half {
    template <Encoding E> static bool run(Core& core, const Op& op) {
        Vector b;
        if (!ready<E>(core)) return false;
        if (op.address & RegisterOperand)
            b.low = xmm_get(core, op.rm);
        else if (!get_rm<E, 8>(core, op, b))
            return false;
        auto lanes = as<Lanes<u64>>(xmm_get(core, op.vvvv));
        lanes[To] = as<Lanes<u64>>(b.low)[From];
        put_vector<E>(core, op.reg, {from(lanes), _mm_setzero_si128()});
        return true;
    }
};
template <bool High> struct StoreHalf {
    template <Encoding E> static bool run(Core& core, const Op& op) {
        const Xmm& v = core.r.xmm[op.reg];
        return ready<E>(core) && write_vector_memory<8, 0>(core, op, High ? &v.hi : &v.lo);
    }
};
template <class T> struct FromGeneral { // MOVD, MOVQ xmm, r/m
    template <Encoding E> static bool run(Core& core, const Op& op) {
        T value{};
        if (!ready<E>(core) || !read_rm<T>(core, op, value)) return false;
        put_vector<E>(core, op.reg, {_mm_cvtsi64_si128(static_cast<i64>(u64{value})), _mm_setzero_si128()});
        return true;
    }
};
template <class T> struct ToGeneral {
    template <Encoding E> static bool run(Core& core, const Op& op) {
        return ready<E>(core) && write_rm<T>(core, op, static_cast<T>(core.r.xmm[op.reg].lo));
    }
};
/// MOVDDUP's memory operand has 8 bytes in 128-bit forms.
__m128i low_twice(__m128i v) { return _mm_unpacklo_epi64(v, v); }
template <unsigned First> __m128i every_other(__m128i v) { // MOVSLDUP, MOVSHDUP
    const auto in = as<Lanes<u32>>(v);
    return from(Lanes<u32>{in[First], in[First], in[2 + First], in[2 + First]});
}

/// VZEROUPPER, VZEROALL: registers 8–15 only where they can be named.
template <bool All> bool zero(Core& core, const Op&) {
    if (!ready<Encoding::Vex128>(core)) return false;
    for (unsigned i = 0; i < (core.code64() ? 16 : 8); ++i) {
        core.r.ymm_high[i] = {};
        if (All) core.r.xmm[i] = {};
    }
    return true;
}
struct LoadMxcsr {
    template <Encoding E> static bool run(Core& core, const Op& op) {
        u32 value = 0;
        if (!ready<E>(core) || !read_memory<u32>(core, op, value)) return false;
        if (value & ~MxcsrWritable) return core.raise(13, 0);
        core.sync_fp();
        core.r.mxcsr = value;
        return true;
    }
};
struct StoreMxcsr {
    template <Encoding E> static bool run(Core& core, const Op& op) {
        if (!ready<E>(core)) return false;
        core.sync_fp();
        return write_memory<u32>(core, op, core.r.mxcsr);
    }
};

// clang-format off
constexpr auto load = handlers<Load<false>>(), load_aligned = handlers<Load<true>>();
constexpr auto store = handlers<Store<false>>(), store_aligned = handlers<Store<true>>();
constexpr Row rows[] = {
    {"movups", 1, NP,  0x10, Form::VW, SseAvx, 1, load},
    {"movups", 1, NP,  0x11, Form::WV, SseAvx, 1, store},
    {"movupd", 1, P66, 0x10, Form::VW, SseAvx, 1, load},
    {"movupd", 1, P66, 0x11, Form::WV, SseAvx, 1, store},
    {"movaps", 1, NP,  0x28, Form::VW, SseAvx, 1, load_aligned},
    {"movaps", 1, NP,  0x29, Form::WV, SseAvx, 1, store_aligned},
    {"movapd", 1, P66, 0x28, Form::VW, SseAvx, 1, load_aligned},
    {"movapd", 1, P66, 0x29, Form::WV, SseAvx, 1, store_aligned},
    {"movdqa", 1, P66, 0x6F, Form::VW, SseAvx, 1, load_aligned},
    {"movdqa", 1, P66, 0x7F, Form::WV, SseAvx, 1, store_aligned},
    {"movdqu", 1, F3,  0x6F, Form::VW, SseAvx, 1, load},
    {"movdqu", 1, F3,  0x7F, Form::WV, SseAvx, 1, store},
    Row{"lddqu",    1, F2,  0xF0, Form::VW, Sse3Avx, 1, load}.memory(),
    Row{"movntps",  1, NP,  0x2B, Form::WV, SseAvx, 1, store_aligned}.memory(),
    Row{"movntpd",  1, P66, 0x2B, Form::WV, SseAvx, 1, store_aligned}.memory(),
    Row{"movntdq",  1, P66, 0xE7, Form::WV, SseAvx, 1, store_aligned}.memory(),
    Row{"movntdqa", 2, P66, 0x2A, Form::VW, Sse41Avx2, 1, load_aligned}.memory(),

    Row{"movss", 1, F3, 0x10, Form::VW,  SseAvx, 1, handlers<LoadScalar<u32>>()}.memory().lig(),
    Row{"movss", 1, F3, 0x10, Form::VHW, SseAvx, 1, handlers<Merge<u32, false>>()}.registers().lig(),
    Row{"movsd", 1, F2, 0x10, Form::VW,  SseAvx, 1, handlers<LoadScalar<u64>>()}.memory().lig(),
    Row{"movsd", 1, F2, 0x10, Form::VHW, SseAvx, 1, handlers<Merge<u64, false>>()}.registers().lig(),
    Row{"movss", 1, F3, 0x11, Form::WV,  SseAvx, 1, handlers<StoreScalar<u32>>()}.memory().lig(),
    Row{"movss", 1, F3, 0x11, Form::WHV, SseAvx, 1, handlers<Merge<u32, true>>()}.registers().lig(),
    Row{"movsd", 1, F2, 0x11, Form::WV,  SseAvx, 1, handlers<StoreScalar<u64>>()}.memory().lig(),
    Row{"movsd", 1, F2, 0x11, Form::WHV, SseAvx, 1, handlers<Merge<u64, true>>()}.registers().lig(),

    Row{"movlps",  1, NP,  0x12, Form::VHW, SseAvx128, 1, handlers<Half<0, 0>>()}.memory(),
    Row{"movhlps", 1, NP,  0x12, Form::VHW, SseAvx128, 1, handlers<Half<0, 1>>()}.registers(),
    Row{"movhps",  1, NP,  0x16, Form::VHW, SseAvx128, 1, handlers<Half<1, 0>>()}.memory(),
    Row{"movlhps", 1, NP,  0x16, Form::VHW, SseAvx128, 1, handlers<Half<1, 0>>()}.registers(),
    Row{"movlpd",  1, P66, 0x12, Form::VHW, SseAvx128, 1, handlers<Half<0, 0>>()}.memory(),
    Row{"movhpd",  1, P66, 0x16, Form::VHW, SseAvx128, 1, handlers<Half<1, 0>>()}.memory(),
    Row{"movlps",  1, NP,  0x13, Form::WV, SseAvx128, 1, handlers<StoreHalf<false>>()}.memory(),
    Row{"movlpd",  1, P66, 0x13, Form::WV, SseAvx128, 1, handlers<StoreHalf<false>>()}.memory(),
    Row{"movhps",  1, NP,  0x17, Form::WV, SseAvx128, 1, handlers<StoreHalf<true>>()}.memory(),
    Row{"movhpd",  1, P66, 0x17, Form::WV, SseAvx128, 1, handlers<StoreHalf<true>>()}.memory(),

    Row{"movd", 1, P66, 0x6E, Form::VE, SseAvx128, 1, handlers<FromGeneral<u32>>()}.w0(),
    Row{"movq", 1, P66, 0x6E, Form::VE, SseAvx128, 1, handlers<FromGeneral<u64>>()}.w1(),
    Row{"movd", 1, P66, 0x7E, Form::EV, SseAvx128, 1, handlers<ToGeneral<u32>>()}.w0(),
    Row{"movq", 1, P66, 0x7E, Form::EV, SseAvx128, 1, handlers<ToGeneral<u64>>()}.w1(),
    {"movq", 1, F3,  0x7E, Form::VW, SseAvx128, 1, handlers<LoadScalar<u64>>()},
    {"movq", 1, P66, 0xD6, Form::WV, SseAvx128, 1, handlers<StoreQuad>()},

    {"movddup",  1, F2, 0x12, Form::VW, Sse3Avx, 1, handlers<Unary<low_twice, false, 8>>()},
    {"movsldup", 1, F3, 0x12, Form::VW, Sse3Avx, 1, handlers<Unary<every_other<0>>>()},
    {"movshdup", 1, F3, 0x16, Form::VW, Sse3Avx, 1, handlers<Unary<every_other<1>>>()},

    {"zeroupper", 1, NP, 0x77, Form::None, vex128(Feature::Avx), 4, only_vex128(cold<zero<false>>)},
    {"zeroall",   1, NP, 0x77, Form::None, vex256(Feature::Avx), 8, {{nullptr, nullptr, cold<zero<true>>}}},
    Row{"ldmxcsr", 1, NP, 0xAE, Form::M, SseAvx128, 3, handlers<LoadMxcsr>()}.group(2).memory(),
    Row{"stmxcsr", 1, NP, 0xAE, Form::M, SseAvx128, 3, handlers<StoreMxcsr>()}.group(3).memory(),
};
// clang-format on

} // namespace

constinit const std::span<const Row> move_rows = rows;

} // namespace vitrine::cpu::simd
