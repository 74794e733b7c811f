// Shapes of SSE instructions that are one host instruction: xmm ← xmm op xmm/memory, and xmm ← op xmm/memory.
//
// Templates over a struct with a static apply(); the struct is made by a macro from the instruction's name.
#pragma once
#include "cpu/exec/sse.h"

namespace vitrine::cpu {

// clang-format off
#define VITRINE_SSE_OP(name) \
    struct O_##name { static __m128i apply(__m128i a, __m128i b) { asm volatile(#name " %1, %0" : "+x"(a) : "x"(b)); return a; } };
#define VITRINE_SSE_UNARY(name) \
    struct O_##name { static __m128i apply(__m128i b) { __m128i a; asm volatile(#name " %1, %0" : "=x"(a) : "x"(b)); return a; } };
// clang-format on

/// xmm ← xmm op (xmm or memory)
template <class O, unsigned Bytes, bool Aligned, bool Fp> bool binary(Core& core, const Op& op) {
    __m128i b;
    if (!sse_ready(core) || !read_xmm<Bytes, Aligned>(core, op, b)) return false;
    if constexpr (Fp) fp_begin(core);
    const __m128i result = O::apply(xmm_get(core, op.reg), b);
    if constexpr (Fp)
        if (!fp_end(core)) return false;
    xmm_put(core, op.reg, result);
    return true;
}
template <class O, unsigned Bytes, bool Aligned> bool unary(Core& core, const Op& op) {
    __m128i b;
    if (!sse_ready(core) || !read_xmm<Bytes, Aligned>(core, op, b)) return false;
    fp_begin(core);
    const __m128i result = O::apply(b);
    if (!fp_end(core)) return false;
    xmm_put(core, op.reg, result);
    return true;
}

} // namespace vitrine::cpu
