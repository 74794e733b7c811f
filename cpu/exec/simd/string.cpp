// String comparison (SSE4.2): PCMPESTRM, PCMPESTRI, PCMPISTRM, PCMPISTRI. SDM vol. 1 12.12.2, vol. 2 4.1.
//
// One instance of the host's instruction a value of the immediate.
#include "cpu/exec/simd/forms.h"

namespace vitrine::cpu::simd {
namespace {

/// What a comparison yields: an index or a mask, and CF ZF SF OF.
struct StringResult {
    u32 index = 0;
    __m128i mask{};
    u64 flags = 0;
};
using StringCompare = StringResult (*)(__m128i, __m128i, i32, i32);
#define VITRINE_STRING_FLAGS "=@ccc"(c), "=@ccz"(z), "=@ccs"(s), "=@cco"(o)
template <bool Explicit, bool Mask, unsigned I>
StringResult compare_strings(__m128i a, __m128i b, i32 length_a, i32 length_b) {
    StringResult r;
    bool c, z, s, o;
    if constexpr (Explicit && Mask)
        asm volatile("pcmpestrm %9, %8, %7"
                     : VITRINE_STRING_FLAGS, "=Yz"(r.mask)
                     : "a"(length_a), "d"(length_b), "x"(a), "x"(b), "i"(I));
    else if constexpr (Explicit)
        asm volatile("pcmpestri %9, %8, %7"
                     : VITRINE_STRING_FLAGS, "=c"(r.index)
                     : "a"(length_a), "d"(length_b), "x"(a), "x"(b), "i"(I));
    else if constexpr (Mask)
        asm volatile("pcmpistrm %7, %6, %5" : VITRINE_STRING_FLAGS, "=Yz"(r.mask) : "x"(a), "x"(b), "i"(I));
    else
        asm volatile("pcmpistri %7, %6, %5" : VITRINE_STRING_FLAGS, "=c"(r.index) : "x"(a), "x"(b), "i"(I));
    r.flags = (c ? CF : 0) | (z ? ZF : 0) | (s ? SF : 0) | (o ? OF : 0);
    return r;
}
template <bool Explicit, bool Mask, unsigned... I>
constexpr std::array<StringCompare, 128> string_table(std::integer_sequence<unsigned, I...>) {
    return {compare_strings<Explicit, Mask, I>...};
}
template <bool Explicit, bool Mask>
constexpr auto string_compares = string_table<Explicit, Mask>(std::make_integer_sequence<unsigned, 128>{});

/// A length saturates at the vector's size, so 64-bit lengths (REX.W, VEX.W: Op::extra) can be clamped first.
i32 string_length(const Core& core, unsigned gpr, bool wide_length) {
    const i64 n = wide_length ? static_cast<i64>(core.r.gpr[gpr]) : static_cast<i32>(core.r.gpr[gpr]);
    return static_cast<i32>(std::clamp<i64>(n, -17, 17));
}
template <bool Explicit, bool Mask> struct CompareStrings {
    template <Encoding E> static bool run(Core& core, const Op& op) {
        Vector b;
        if (!ready<E>(core) || !get_rm<E, 16, false>(core, op, b)) return false;
        const StringResult r = string_compares<Explicit, Mask>[op.imm & 127](
            xmm_get(core, op.reg), b.low, string_length(core, RAX, op.extra & Wide),
            string_length(core, RDX, op.extra & Wide));
        if constexpr (Mask)
            put_vector<E>(core, 0, {r.mask, _mm_setzero_si128()});
        else
            core.r.gpr[RCX] = r.index;
        core.set_arithmetic(r.flags);
        return true;
    }
};

// clang-format off
constexpr Row rows[] = {
    Row{"pcmpestrm", 3, P66, 0x60, Form::VW, Sse42Avx128, 10, handlers<CompareStrings<true, true>>()}.ib(),
    Row{"pcmpestri", 3, P66, 0x61, Form::VW, Sse42Avx128, 10, handlers<CompareStrings<true, false>>()}.ib(),
    Row{"pcmpistrm", 3, P66, 0x62, Form::VW, Sse42Avx128, 8, handlers<CompareStrings<false, true>>()}.ib(),
    Row{"pcmpistri", 3, P66, 0x63, Form::VW, Sse42Avx128, 8, handlers<CompareStrings<false, false>>()}.ib(),
};
// clang-format on

} // namespace

constinit const std::span<const Row> string_rows = rows;

} // namespace vitrine::cpu::simd
