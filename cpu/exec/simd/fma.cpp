// Fused multiply-add: the host's own instruction, rounded once. SDM vol. 1 14.5, vol. 2.
#include "cpu/exec/simd/forms.h"

namespace vitrine::cpu::simd {
namespace {

template <auto F, unsigned Bytes> struct Fused {
    template <Encoding E, bool Registers = false> static bool run(Core& core, const Op& op) {
        constexpr unsigned bytes = Bytes == 16 ? full<E> : Bytes;
        Vector b, r;
        if (!ready<E>(core) || !get_source<E, bytes, Registers>(core, op, b)) return false;
        const Vector destination = get_vector<E>(core, op.reg), a = get_vector<E>(core, op.vvvv);
        const auto lanes = [&] {
            r.low = F(destination.low, a.low, b.low);
            if constexpr (wide<E>) r.high = F(destination.high, a.high, b.high);
        };
        if (!fp_run(core, lanes)) return false;
        put_vector<E>(core, op.reg, r);
        return true;
    }
};

constexpr u8 Cost = 4;
// clang-format off
#define HOST3(name) [](__m128i d, __m128i a, __m128i b) { asm volatile(#name " %2, %1, %0" : "+x"(d) : "x"(a), "x"(b)); return d; }
#define PACKED(opcode, name)                                                                                     \
    Row{#name "ps", 2, P66, opcode, Form::VHW, vex(Feature::Fma), Cost, handlers_vex<Fused<HOST3(v##name##ps), 16>>()}.w0(), \
    Row{#name "pd", 2, P66, opcode, Form::VHW, vex(Feature::Fma), Cost, handlers_vex<Fused<HOST3(v##name##pd), 16>>()}.w1()
#define SCALAR(opcode, name)                                                                                     \
    Row{#name "ss", 2, P66, opcode, Form::VHW, vex(Feature::Fma), Cost, handlers_vex<Fused<HOST3(v##name##ss), 4>>()}.w0().lig(), \
    Row{#name "sd", 2, P66, opcode, Form::VHW, vex(Feature::Fma), Cost, handlers_vex<Fused<HOST3(v##name##sd), 8>>()}.w1().lig()
#define ORDER(first, order)                                                                                      \
    PACKED(first + 0x6, fmaddsub##order), PACKED(first + 0x7, fmsubadd##order),                                  \
    PACKED(first + 0x8, fmadd##order),  SCALAR(first + 0x9, fmadd##order),                                       \
    PACKED(first + 0xA, fmsub##order),  SCALAR(first + 0xB, fmsub##order),                                       \
    PACKED(first + 0xC, fnmadd##order), SCALAR(first + 0xD, fnmadd##order),                                      \
    PACKED(first + 0xE, fnmsub##order), SCALAR(first + 0xF, fnmsub##order)

constexpr Row rows[] = {ORDER(0x90, 132), ORDER(0xA0, 213), ORDER(0xB0, 231)};
// clang-format on

} // namespace

constinit const std::span<const Row> fma_rows = rows;

} // namespace vitrine::cpu::simd
