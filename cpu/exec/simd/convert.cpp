// Conversions between formats, and with general registers; half precision (F16C). SDM vol. 2.
#include "cpu/exec/simd/forms.h"

namespace vitrine::cpu::simd {
namespace {

/// CVTSI2SS, CVTSI2SD
template <class I, bool Double> struct FromInteger {
    template <Encoding E> static bool run(Core& core, const Op& op) {
        I value{};
        if (!ready<E>(core) || !read_rm<I>(core, op, value)) return false;
        Vector r = get_vector<E>(core, op.vvvv);
        const __m128i a = r.low;
        const auto lane = [&] {
            r.low = a;
            if constexpr (Double && sizeof(I) == 8)
                asm volatile("cvtsi2sdq %1, %0" : "+x"(r.low) : "r"(value));
            else if constexpr (Double)
                asm volatile("cvtsi2sdl %1, %0" : "+x"(r.low) : "r"(value));
            else if constexpr (sizeof(I) == 8)
                asm volatile("cvtsi2ssq %1, %0" : "+x"(r.low) : "r"(value));
            else
                asm volatile("cvtsi2ssl %1, %0" : "+x"(r.low) : "r"(value));
        };
        if (!fp_run(core, lane)) return false;
        put_vector<E>(core, op.reg, r);
        return true;
    }
};
/// CVT(T)SS2SI, CVT(T)SD2SI
template <class I, bool Double, bool Truncate> struct ToInteger {
    template <Encoding E> static bool run(Core& core, const Op& op) {
        Vector b;
        if (!ready<E>(core) || !get_rm<E, Double ? 8 : 4>(core, op, b)) return false;
        I value{};
        const auto lane = [&] {
            if constexpr (Double && Truncate)
                asm volatile("cvttsd2si %1, %0" : "=r"(value) : "x"(b.low));
            else if constexpr (Double)
                asm volatile("cvtsd2si %1, %0" : "=r"(value) : "x"(b.low));
            else if constexpr (Truncate)
                asm volatile("cvttss2si %1, %0" : "=r"(value) : "x"(b.low));
            else
                asm volatile("cvtss2si %1, %0" : "=r"(value) : "x"(b.low));
        };
        if (!fp_run(core, lane)) return false;
        put<I>(&core, op.reg, value);
        return true;
    }
};

__m128i to_halves(__m128i v, unsigned imm) { // the rounding is the immediate's, or MXCSR's
    return HOST1I(vcvtps2ph, 8)(v, imm);
}
bool any_tiny_half(__m128i v) {
    for (const u16 h : as<Lanes<u16>>(v))
        if (!(h & 0x7C00) && (h & 0x3FF)) return true;
    return false;
}
/// VCVTPS2PH: half as many bytes go to a register or to memory, which is checked before anything else.
struct StoreHalves {
    template <Encoding E> static bool run(Core& core, const Op& op) {
        constexpr unsigned size = wide<E> ? 16 : 8;
        if (!ready<E>(core)) return false;
        u64 linear = 0;
        if (!(op.address & RegisterOperand) &&
            (!operand_linear(core, op, size, true, linear) || !core.writable(linear, size)))
            return false;
        const Vector v = get_vector<E>(core, op.reg);
        Vector r{};
        const auto lanes = [&] {
            r.low = to_halves(v.low, op.imm);
            if constexpr (wide<E>) r.low = _mm_unpacklo_epi64(r.low, to_halves(v.high, op.imm));
        };
        // MXCSR.FTZ does not count here (SDM vol. 2), so flushing cannot tell of tiny results that are exact.
        if (!fp_run(core, lanes, [&] { return any_tiny_half(r.low); })) return false;
        if (!(op.address & RegisterOperand)) return write_vector_memory<size, 0>(core, op, &r);
        put_vector<Encoding::Vex128>(core, op.rm, r);
        return true;
    }
};

constexpr u8 Fast = cost::FpSimple;
// clang-format off
#define FROM_INTEGER(name, prefix, is_double)                                                                \
    Row{name, 1, prefix, 0x2A, Form::VHE, SseAvx, Fast, handlers<FromInteger<u32, is_double>>()}.w0().lig(), \
    Row{name, 1, prefix, 0x2A, Form::VHE, SseAvx, Fast, handlers<FromInteger<u64, is_double>>()}.w1().lig()
#define TO_INTEGER(name, prefix, opcode, is_double, truncate)                                                         \
    Row{name, 1, prefix, opcode, Form::GW, SseAvx, Fast, handlers<ToInteger<u32, is_double, truncate>>()}.w0().lig(), \
    Row{name, 1, prefix, opcode, Form::GW, SseAvx, Fast, handlers<ToInteger<u64, is_double, truncate>>()}.w1().lig()

constexpr Row rows[] = {
    FROM_INTEGER("cvtsi2ss", F3, false), FROM_INTEGER("cvtsi2sd", F2, true),
    TO_INTEGER("cvttss2si", F3, 0x2C, false, true), TO_INTEGER("cvtss2si", F3, 0x2D, false, false),
    TO_INTEGER("cvttsd2si", F2, 0x2C, true, true), TO_INTEGER("cvtsd2si", F2, 0x2D, true, false),

    {"cvtdq2ps",  1, NP,  0x5B, Form::VW, SseAvx, Fast, handlers<Unary<HOST1(cvtdq2ps), true>>()},
    {"cvtps2dq",  1, P66, 0x5B, Form::VW, SseAvx, Fast, handlers<Unary<HOST1(cvtps2dq), true>>()},
    {"cvttps2dq", 1, F3,  0x5B, Form::VW, SseAvx, Fast, handlers<Unary<HOST1(cvttps2dq), true>>()},
    {"cvtps2pd",  1, NP,  0x5A, Form::VW, SseAvx, Fast, handlers<Widen<HOST1(cvtps2pd), true, 8>>()},
    {"cvtdq2pd",  1, F3,  0xE6, Form::VW, SseAvx, Fast, handlers<Widen<HOST1(cvtdq2pd), true, 8>>()},
    {"cvtpd2ps",  1, P66, 0x5A, Form::VW, SseAvx, Fast, handlers<Narrow<HOST1(cvtpd2ps)>>()},
    {"cvttpd2dq", 1, P66, 0xE6, Form::VW, SseAvx, Fast, handlers<Narrow<HOST1(cvttpd2dq)>>()},
    {"cvtpd2dq",  1, F2,  0xE6, Form::VW, SseAvx, Fast, handlers<Narrow<HOST1(cvtpd2dq)>>()},
    Row{"cvtss2sd", 1, F3, 0x5A, Form::VHW, SseAvx, Fast, handlers<Binary<HOST2(cvtss2sd), true, 4>>()}.lig(),
    Row{"cvtsd2ss", 1, F2, 0x5A, Form::VHW, SseAvx, Fast, handlers<Binary<HOST2(cvtsd2ss), true, 8>>()}.lig(),

    Row{"cvtph2ps", 2, P66, 0x13, Form::VW, vex(Feature::F16c), Fast,
        handlers_vex<Widen<HOST1(vcvtph2ps), true, 8>>()}.w0(),
    Row{"cvtps2ph", 3, P66, 0x1D, Form::WV, vex(Feature::F16c), Fast, handlers_vex<StoreHalves>()}.w0().ib(),
};
// clang-format on

} // namespace

constinit const std::span<const Row> convert_rows = rows;

} // namespace vitrine::cpu::simd
