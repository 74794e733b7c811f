// Fusion of a flag-setting register instruction with the Jcc behind it (design.md §3).
#pragma once
#include "cpu/exec/alu_ops.h"

namespace vitrine::cpu {

/// What can start a pair. Register operand forms only: they cannot fault, so the pair is one Op.
enum FuseKind : u8 {
    NoFuse,
    FuseCmpReg,
    FuseCmpImm,
    FuseTestReg,
    FuseTestImm,
    FuseSubImm,
    FuseAddImm,
    FuseDec,
    FuseInc,
    FuseAndImm,
    FuseSubReg
};

constexpr u8 fuse_kind(AluOp o, bool immediate_form) {
    switch (o) {
    case AluCmp: return immediate_form ? FuseCmpImm : FuseCmpReg;
    case AluTest: return immediate_form ? FuseTestImm : FuseTestReg;
    case AluSub: return immediate_form ? FuseSubImm : FuseSubReg;
    case AluAdd: return immediate_form ? FuseAddImm : NoFuse;
    case AluAnd: return immediate_form ? FuseAndImm : NoFuse;
    default: return NoFuse;
    }
}

/// The handler for the pair, or null when this pair is not fused. The Op keeps reg, rm and imm of the first
/// instruction; disp becomes the branch's predictor slot.
Handler fused_handler(u8 kind, unsigned size, unsigned condition);

/// Comparisons with memory can fault, so both instructions keep their Ops: the first one's handler goes on
/// with the branch in op[1] after a fast hit, and takes its long way, which knows nothing of the pair,
/// otherwise.
Handler fused_memory_handler(MemoryCompare what, Kind kind, unsigned size, unsigned condition);

/// Condition `CC` straight from the operands.
template <AluOp O, unsigned CC, class T> [[gnu::always_inline]] inline bool holds(T a, T b, T result) {
    using S = std::make_signed_t<T>;
    constexpr bool difference = O == AluSub || O == AluCmp, sum = O == AluAdd;
    const bool sign = static_cast<S>(result) < 0;
    bool v;
    if constexpr ((CC >> 1) == 0) {
        if constexpr (difference)
            v = static_cast<S>((a ^ b) & (a ^ result)) < 0;
        else if constexpr (sum)
            v = static_cast<S>((a ^ result) & (b ^ result)) < 0;
        else
            v = false;
    } else if constexpr ((CC >> 1) == 1)
        v = difference ? a < b : sum ? result < a : false;
    else if constexpr ((CC >> 1) == 2)
        v = result == 0;
    else if constexpr ((CC >> 1) == 3)
        v = difference ? a <= b : sum ? result < a || result == 0 : result == 0;
    else if constexpr ((CC >> 1) == 4)
        v = sign;
    else if constexpr ((CC >> 1) == 5)
        v = parity(result);
    else if constexpr ((CC >> 1) == 6) {
        if constexpr (difference)
            v = static_cast<S>(a) < static_cast<S>(b);
        else if constexpr (sum)
            v = sign != (static_cast<S>((a ^ result) & (b ^ result)) < 0);
        else
            v = sign;
    } else {
        if constexpr (difference)
            v = static_cast<S>(a) <= static_cast<S>(b);
        else if constexpr (sum)
            v = result == 0 || sign != (static_cast<S>((a ^ result) & (b ^ result)) < 0);
        else
            v = result == 0 || sign;
    }
    return v != static_cast<bool>(CC & 1);
}

template <class F, unsigned... CC>
Handler pick_condition(unsigned cc, F&& f, std::integer_sequence<unsigned, CC...>) {
    Handler h = nullptr;
    ((cc == CC ? void(h = f.template operator()<CC>()) : void()), ...);
    return h;
}
template <class F> Handler by_condition(unsigned cc, F&& f) {
    return pick_condition(cc, f, std::make_integer_sequence<unsigned, 16>{});
}

template <class F> Handler by_fused_size(unsigned size, F&& f) {
    switch (size) {
    case 1: return f.template operator()<u8>();
    case 4: return f.template operator()<u32>();
    case 8: return f.template operator()<u64>();
    default: return nullptr;
    }
}
} // namespace vitrine::cpu
