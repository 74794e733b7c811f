// The eight ALU operations as pure functions over operand and lazy flags. SDM vol. 2: ADD OR ADC SBB AND SUB
// XOR CMP.
#pragma once
#include "cpu/exec/operand.h"

namespace vitrine::cpu {

enum AluOp : u8 { AluAdd, AluOr, AluAdc, AluSbb, AluAnd, AluSub, AluXor, AluCmp, AluTest };

/// The operation alone.
template <AluOp O, class T> [[gnu::always_inline]] inline T alu_value(T a, T b) {
    if constexpr (O == AluAdd) return static_cast<T>(a + b);
    if constexpr (O == AluOr) return static_cast<T>(a | b);
    if constexpr (O == AluAnd || O == AluTest) return static_cast<T>(a & b);
    if constexpr (O == AluXor) return static_cast<T>(a ^ b);
    return static_cast<T>(a - b); // sub, cmp
}

/// ADC and SBB need the carry and leave all flags explicit.
template <AluOp O, class T> inline T alu_carry(Core* core, T a, T b) {
    const T carry = lazy_cf(core->lazy, core->r.rflags) ? 1 : 0;
    T result;
    bool cf;
    if constexpr (O == AluAdc) {
        result = static_cast<T>(a + b + carry);
        cf = carry ? result <= a : result < a;
    } else {
        result = static_cast<T>(a - b - carry);
        cf = carry ? a <= b : a < b;
    }
    const u64 x = sext(a), y = sext(b), r = sext(result);
    const bool of = O == AluAdc ? ((x ^ r) & (y ^ r)) >> 63 : ((x ^ y) & (x ^ r)) >> 63;
    core->set_arithmetic((cf ? CF : 0) | (parity(r) ? PF : 0) | ((x ^ y ^ r) & AF) | (result == 0 ? ZF : 0) |
                         (r >> 63 ? SF : 0) | (of ? OF : 0));
    return result;
}

template <AluOp O, class T, bool Flags = true> [[gnu::always_inline]] inline T alu(Core* core, T a, T b) {
    if constexpr (O == AluAdc || O == AluSbb) return alu_carry<O, T>(core, a, b);
    const T result = alu_value<O, T>(a, b);
    if constexpr (Flags) {
        if constexpr (O == AluAdd)
            core->lazy.set(FlagKind::Add, sext(result), sext(a), sext(b));
        else if constexpr (O == AluSub || O == AluCmp)
            core->lazy.set(FlagKind::Sub, sext(result), sext(a), sext(b));
        else {
            core->lazy.result = sext(result);
            core->lazy.kind = FlagKind::Logic;
        }
    }
    return result;
}

constexpr bool alu_writes(AluOp o) { return o != AluCmp && o != AluTest; }
constexpr bool alu_uses_carry(AluOp o) { return o == AluAdc || o == AluSbb; }

template <class F> Handler by_alu(unsigned op, F&& f) {
    switch (op) {
    case AluAdd: return f.template operator()<AluAdd>();
    case AluOr: return f.template operator()<AluOr>();
    case AluAdc: return f.template operator()<AluAdc>();
    case AluSbb: return f.template operator()<AluSbb>();
    case AluAnd: return f.template operator()<AluAnd>();
    case AluSub: return f.template operator()<AluSub>();
    case AluXor: return f.template operator()<AluXor>();
    case AluCmp: return f.template operator()<AluCmp>();
    default: return f.template operator()<AluTest>();
    }
}

} // namespace vitrine::cpu
