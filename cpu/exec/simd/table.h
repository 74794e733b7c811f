// The SIMD table: one row an instruction form, legacy (MMX, SSE) and VEX encodings side by side. SDM vol. 2,
// 2.3 and the instruction pages; appendix A.
//
// A row says how the form is encoded (map, mandatory prefix, opcode, /digit, VEX.W, lengths), what its
// operands are, which CPUID feature each encoding needs, what it costs and what runs it. The decoder, the
// feature check and the tests read the same rows. Rows stand in the family's file, beside what they run
// (simd/float.cpp, integer.cpp …); the table is all of them.
#pragma once
#include <array>
#include <span>
#include "cpu/decode/decoder.h"
#include "cpu/decode/op.h"
#include "cpu/state/features.h"

namespace vitrine::cpu::simd {

enum class Encoding : u8 { Legacy, Vex128, Vex256 };
inline constexpr unsigned Encodings = 3;

/// Operands in the manual's letters: V the vector register in ModRM.reg, H the one in VEX.vvvv (the
/// destination itself in legacy encodings), W a vector register or memory, E a general register or memory,
/// G a general register, B the one in VEX.vvvv, P and Q the MMX register and MMX register or memory, U/N
/// registers only. The destination comes first.
enum class Form : u8 {
    VW,   ///< movaps, sqrtps, pshufd
    VHW,  ///< addps
    VHWL, ///< vblendvps: a fourth register in the immediate's upper half
    WV,   ///< stores
    WHV,  ///< movss between registers, masked stores
    HW,   ///< shifts by an immediate: a group
    VE,   ///< movd
    VHE,  ///< pinsrd, cvtsi2sd
    EV,   ///< movd, pextrd
    GW,   ///< cvtsd2si, movmskps
    Gather,
    None, ///< vzeroupper, emms
    PQ,
    QP,
    Q, ///< MMX shifts by an immediate
    PE,
    EP,
    GQ,
    VQ,  ///< cvtpi2ps, movq2dq
    PW,  ///< cvtps2pi, movdq2q
    M,   ///< ldmxcsr
    GBE, ///< andn
    GEB, ///< shlx, bextr
    BE,  ///< blsr: a group
    GE,  ///< rorx
};
constexpr bool general_operand(Form f) {
    return f == Form::VE || f == Form::VHE || f == Form::EV || f == Form::GW || f == Form::PE ||
           f == Form::EP || f == Form::GQ || f >= Form::GBE;
}
/// Does VEX.vvvv name an operand? Otherwise it must be 1111b.
constexpr bool uses_vvvv(Form f) {
    return f == Form::VHW || f == Form::VHWL || f == Form::WHV || f == Form::HW || f == Form::VHE ||
           f == Form::Gather || f == Form::GBE || f == Form::GEB || f == Form::BE;
}

enum Prefix : u8 { NP, P66, F3, F2 }; ///< as Decoded::mandatory()
enum class Rm : u8 { Either, Memory, Register };
enum class W : u8 { Ignored, W0, W1 };

/// What CPUID must offer for each encoding.
struct Offer {
    Feature encoding[Encodings];
};
/// One handler an encoding; and, where it pays, one for operands that are all registers.
struct Handlers {
    Handler any[Encodings];
    Handler registers[Encodings] = {};
};

struct Row {
    const char* mnemonic; ///< without the "v" of VEX encodings
    u8 map, prefix, opcode;
    Form form;
    Offer offer;
    u8 cost;
    Handlers handlers;
    i8 digit = -1; ///< of a group
    Rm rm = Rm::Either;
    W w = W::Ignored; ///< of VEX; of REX too where an operand is general
    Imm imm = Imm::None;
    bool length_ignored = false; ///< VEX.L: scalar forms

    constexpr bool has(Encoding e) const { return offer.encoding[static_cast<unsigned>(e)] != Feature::None; }
    // What a row's tail adds to it, on a copy.
    constexpr Row memory(this Row r) { return r.rm = Rm::Memory, r; }
    constexpr Row registers(this Row r) { return r.rm = Rm::Register, r; }
    constexpr Row w0(this Row r) { return r.w = W::W0, r; }
    constexpr Row w1(this Row r) { return r.w = W::W1, r; }
    constexpr Row ib(this Row r) { return r.imm = Imm::Ub, r; }
    constexpr Row group(this Row r, int d) { return r.digit = static_cast<i8>(d), r; }
    constexpr Row lig(this Row r) { // any VEX.L is the 128-bit form
        r.length_ignored = true;
        r.offer.encoding[2] = r.offer.encoding[1], r.handlers.any[2] = r.handlers.any[1];
        r.handlers.registers[2] = r.handlers.registers[1];
        return r;
    }
};

/// All rows, one span a family.
std::span<const std::span<const Row>> families();
/// The row of a decoded SIMD instruction, or null.
const Row* find(const Decoded& d);
/// What the decoder must know before it sees an operand: rows of the opcode maps for legacy and for VEX
/// encodings.
void fill_opcode_maps(std::array<cpu::Row, 256> (&legacy)[4], std::array<cpu::Row, 256> (&vex)[4]);

// Features of the usual kinds.
inline constexpr Offer Mmx{{Feature::Baseline, Feature::None, Feature::None}};
inline constexpr Offer MmxSsse3{{Feature::Ssse3, Feature::None, Feature::None}};
inline constexpr Offer SseAvx{{Feature::Baseline, Feature::Avx, Feature::Avx}};
inline constexpr Offer SseAvx2{{Feature::Baseline, Feature::Avx, Feature::Avx2}};
inline constexpr Offer SseAvx128{{Feature::Baseline, Feature::Avx, Feature::None}};
inline constexpr Offer Sse3Avx{{Feature::Sse3, Feature::Avx, Feature::Avx}};
inline constexpr Offer Ssse3Avx2{{Feature::Ssse3, Feature::Avx, Feature::Avx2}};
inline constexpr Offer Sse41Avx{{Feature::Sse41, Feature::Avx, Feature::Avx}};
inline constexpr Offer Sse41Avx2{{Feature::Sse41, Feature::Avx, Feature::Avx2}};
inline constexpr Offer Sse41Avx128{{Feature::Sse41, Feature::Avx, Feature::None}};
inline constexpr Offer Sse41{{Feature::Sse41, Feature::None, Feature::None}};
inline constexpr Offer Sse42Avx2{{Feature::Sse42, Feature::Avx, Feature::Avx2}};
inline constexpr Offer Sse42Avx128{{Feature::Sse42, Feature::Avx, Feature::None}};
constexpr Offer vex(Feature f) { return {{Feature::None, f, f}}; }
constexpr Offer vex128(Feature f) { return {{Feature::None, f, Feature::None}}; }
constexpr Offer vex256(Feature f) { return {{Feature::None, Feature::None, f}}; }
constexpr Offer legacy(Feature f) { return {{f, Feature::None, Feature::None}}; }

extern const std::span<const Row> mmx_rows, move_rows, masked_rows, float_rows, compare_rows, convert_rows,
    integer_rows, shuffle_rows, lane_rows, string_rows, fma_rows, crypto_rows, general_rows;

} // namespace vitrine::cpu::simd
