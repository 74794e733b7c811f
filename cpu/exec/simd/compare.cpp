// Comparisons of floating-point values: masks by predicate, and RFLAGS. PTEST and VTESTPS. SDM vol. 2.
#include "cpu/exec/simd/forms.h"

namespace vitrine::cpu::simd {
namespace {

/// COMISS, UCOMISS, COMISD, UCOMISD: ZF PF CF from the comparison, OF SF AF cleared.
template <bool Double, bool Quiet> struct CompareFlags {
    template <Encoding E> static bool run(Core& core, const Op& op) {
        Vector v;
        if (!ready<E>(core) || !get_rm<E, Double ? 8 : 4>(core, op, v)) return false;
        const __m128i a = xmm_get(core, op.reg), b = v.low;
        bool z = false, p = false, c = false;
        const auto lane = [&] {
            if constexpr (Double && Quiet)
                asm volatile("ucomisd %4, %3" : "=@ccz"(z), "=@ccp"(p), "=@ccc"(c) : "x"(a), "x"(b));
            else if constexpr (Double)
                asm volatile("comisd %4, %3" : "=@ccz"(z), "=@ccp"(p), "=@ccc"(c) : "x"(a), "x"(b));
            else if constexpr (Quiet)
                asm volatile("ucomiss %4, %3" : "=@ccz"(z), "=@ccp"(p), "=@ccc"(c) : "x"(a), "x"(b));
            else
                asm volatile("comiss %4, %3" : "=@ccz"(z), "=@ccp"(p), "=@ccc"(c) : "x"(a), "x"(b));
        };
        if (!fp_run(core, lane)) return false;
        core.set_arithmetic((z ? ZF : 0) | (p ? PF : 0) | (c ? CF : 0));
        return true;
    }
};

/// PTEST, VTESTPS, VTESTPD: ZF when no bit of `Mask` is in both, CF when none is in the second only.
template <u64 Mask> struct TestBits {
    template <Encoding E> static bool run(Core& core, const Op& op) {
        Vector v;
        if (!ready<E>(core) || !get_rm<E, full<E>>(core, op, v)) return false;
        const auto x = as<Both<u64>>(get_vector<E>(core, op.reg)), y = as<Both<u64>>(v);
        u64 common = 0, missing = 0;
        for (unsigned i = 0; i < (wide<E> ? 4 : 2); ++i) common |= x[i] & y[i], missing |= ~x[i] & y[i];
        core.set_arithmetic((common & Mask ? 0 : ZF) | (missing & Mask ? 0 : CF));
        return true;
    }
};

// clang-format off
/// CMPccPS …: legacy encodings know eight predicates, VEX all 32, for which the host's VEX form runs.
#define AVX_COMPARE(name) steered2<[](__m128i a, __m128i b, auto i) {                                         \
        asm volatile(#name " %2, %1, %0, %0" : "+x"(a) : "x"(b), "i"(decltype(i)::value)); return a; }, 32>
template <auto Sse, auto Avx, unsigned Bytes> struct Compare {
    template <Encoding E, bool Registers = false> static bool run(Core& core, const Op& op) {
        if constexpr (E == Encoding::Legacy)
            return Binary<Sse, true, Bytes>::template run<E, Registers>(core, op);
        else
            return Binary<Avx, true, Bytes>::template run<E, Registers>(core, op);
    }
};
#define COMPARE(name, bytes) handlers<Compare<&HOST2I(name, 8), &AVX_COMPARE(v##name), bytes>>()

constexpr u8 Fast = cost::FpSimple;
constexpr u64 Signs32 = 0x8000000080000000, Signs64 = u64{1} << 63;
constexpr Row rows[] = {
    Row{"cmpps", 1, NP,  0xC2, Form::VHW, SseAvx, Fast, COMPARE(cmpps, 16)}.ib(),
    Row{"cmppd", 1, P66, 0xC2, Form::VHW, SseAvx, Fast, COMPARE(cmppd, 16)}.ib(),
    Row{"cmpss", 1, F3,  0xC2, Form::VHW, SseAvx, Fast, COMPARE(cmpss, 4)}.ib().lig(),
    Row{"cmpsd", 1, F2,  0xC2, Form::VHW, SseAvx, Fast, COMPARE(cmpsd, 8)}.ib().lig(),
    Row{"ucomiss", 1, NP,  0x2E, Form::VW, SseAvx, Fast, handlers<CompareFlags<false, true>>()}.lig(),
    Row{"ucomisd", 1, P66, 0x2E, Form::VW, SseAvx, Fast, handlers<CompareFlags<true, true>>()}.lig(),
    Row{"comiss",  1, NP,  0x2F, Form::VW, SseAvx, Fast, handlers<CompareFlags<false, false>>()}.lig(),
    Row{"comisd",  1, P66, 0x2F, Form::VW, SseAvx, Fast, handlers<CompareFlags<true, false>>()}.lig(),
    {"ptest", 2, P66, 0x17, Form::VW, Sse41Avx, 2, handlers<TestBits<~u64{0}>>()},
    Row{"testps", 2, P66, 0x0E, Form::VW, vex(Feature::Avx), 2, handlers_vex<TestBits<Signs32>>()}.w0(),
    Row{"testpd", 2, P66, 0x0F, Form::VW, vex(Feature::Avx), 2, handlers_vex<TestBits<Signs64>>()}.w0(),
};
// clang-format on

} // namespace

constinit const std::span<const Row> compare_rows = rows;

} // namespace vitrine::cpu::simd
