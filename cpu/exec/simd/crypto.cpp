// AES, carry-less multiplication, SHA: the host's own instructions, lane by lane. SDM vol. 1 12.13, 14.3,
// vol.
// 2. Offered by model `max`.
#include "cpu/exec/simd/forms.h"

namespace vitrine::cpu::simd {
namespace {

struct TwoRounds { // SHA256RNDS2: XMM0 is the third operand
    template <Encoding E> static bool run(Core& core, const Op& op) {
        Vector b;
        if (!ready<E>(core) || !get_rm<E, 16>(core, op, b)) return false;
        __m128i a = xmm_get(core, op.vvvv);
        const __m128i keys = xmm_get(core, 0);
        asm volatile("sha256rnds2 %2, %1, %0" : "+x"(a) : "x"(b.low), "Yz"(keys));
        put_vector<E>(core, op.reg, {a, _mm_setzero_si128()});
        return true;
    }
};

constexpr Offer Aes{{Feature::Aes, Feature::Aes, Feature::Vaes}},
    Aes128{{Feature::Aes, Feature::Aes, Feature::None}};
constexpr Offer Multiply{{Feature::Pclmulqdq, Feature::Pclmulqdq, Feature::Vpclmulqdq}};
constexpr Offer Sha = legacy(Feature::Sha);
// clang-format off
constexpr Row rows[] = {
    {"aesimc",     2, P66, 0xDB, Form::VW,  Aes128, 8, handlers<Unary<HOST1(aesimc)>>()},
    {"aesenc",     2, P66, 0xDC, Form::VHW, Aes, 4, handlers<Binary<HOST2(aesenc)>>()},
    {"aesenclast", 2, P66, 0xDD, Form::VHW, Aes, 4, handlers<Binary<HOST2(aesenclast)>>()},
    {"aesdec",     2, P66, 0xDE, Form::VHW, Aes, 4, handlers<Binary<HOST2(aesdec)>>()},
    {"aesdeclast", 2, P66, 0xDF, Form::VHW, Aes, 4, handlers<Binary<HOST2(aesdeclast)>>()},
    Row{"aeskeygenassist", 3, P66, 0xDF, Form::VW, Aes128, 12, handlers<Unary<HOST1I(aeskeygenassist, 256)>>()}.ib(),
    Row{"pclmulqdq", 3, P66, 0x44, Form::VHW, Multiply, 6, handlers<Binary<HOST2I(pclmulqdq, 32)>>()}.ib(),
    {"sha1nexte",   2, NP, 0xC8, Form::VHW, Sha, 1, handlers<Binary<HOST2(sha1nexte)>>()},
    {"sha1msg1",    2, NP, 0xC9, Form::VHW, Sha, 1, handlers<Binary<HOST2(sha1msg1)>>()},
    {"sha1msg2",    2, NP, 0xCA, Form::VHW, Sha, 3, handlers<Binary<HOST2(sha1msg2)>>()},
    {"sha256rnds2", 2, NP, 0xCB, Form::VHW, Sha, 4, handlers<TwoRounds>()},
    {"sha256msg1",  2, NP, 0xCC, Form::VHW, Sha, 2, handlers<Binary<HOST2(sha256msg1)>>()},
    {"sha256msg2",  2, NP, 0xCD, Form::VHW, Sha, 4, handlers<Binary<HOST2(sha256msg2)>>()},
    Row{"sha1rnds4", 3, NP, 0xCC, Form::VHW, Sha, 6, handlers<Binary<HOST2I(sha1rnds4, 4)>>()}.ib(),
};
// clang-format on

} // namespace

constinit const std::span<const Row> crypto_rows = rows;

} // namespace vitrine::cpu::simd
