// Fused compare-and-branch handlers. The flags are still set lazily (the successor may read them); only the
// second dispatch and the flag evaluation are saved.
#include "cpu/exec/fused.h"

namespace vitrine::cpu {
namespace {

template <AluOp O, class T, bool Immediate, unsigned CC> HANDLER alu_jcc(HANDLER_ARGS) {
    const T a = get<T>(core, op->rm), b = Immediate ? immediate<T>(op) : get<T>(core, op->reg);
    const T result = alu<O, T>(core, a, b);
    if constexpr (alu_writes(O)) put<T>(core, op->rm, result);
    BRANCH((holds<O, CC, T>(a, b, result)));
}

/// INC/DEC keep CF; only conditions that do not read it are fused.
template <bool Increment, class T, unsigned CC> HANDLER step_jcc(HANDLER_ARGS) {
    const T a = get<T>(core, op->rm);
    const T result = static_cast<T>(Increment ? a + 1 : a - 1);
    const u64 carry = lazy_cf(core->lazy, core->r.rflags);
    core->lazy.set(Increment ? FlagKind::Inc : FlagKind::Dec, sext(result), sext(a), carry);
    put<T>(core, op->rm, result);
    BRANCH((holds<Increment ? AluAdd : AluSub, CC, T>(a, T{1}, result)));
}

template <AluOp O, bool Immediate> Handler pair(unsigned size, unsigned cc) {
    return by_condition(cc, [&]<unsigned CC> {
        return by_fused_size(size,
                             [&]<class T> { return static_cast<Handler>(alu_jcc<O, T, Immediate, CC>); });
    });
}
template <bool Increment> Handler step_pair(unsigned size, unsigned cc) {
    if ((cc >> 1) == 1 || (cc >> 1) == 3) return nullptr;
    return by_condition(cc, [&]<unsigned CC> {
        return by_fused_size(size, [&]<class T> { return static_cast<Handler>(step_jcc<Increment, T, CC>); });
    });
}

} // namespace

Handler fused_handler(u8 kind, unsigned size, unsigned cc) {
    switch (kind) {
    case FuseCmpReg: return pair<AluCmp, false>(size, cc);
    case FuseCmpImm: return pair<AluCmp, true>(size, cc);
    case FuseTestReg: return pair<AluTest, false>(size, cc);
    case FuseTestImm: return pair<AluTest, true>(size, cc);
    case FuseSubImm: return pair<AluSub, true>(size, cc);
    case FuseSubReg: return pair<AluSub, false>(size, cc);
    case FuseAddImm: return pair<AluAdd, true>(size, cc);
    case FuseAndImm: return pair<AluAnd, true>(size, cc);
    case FuseDec: return step_pair<false>(size, cc);
    case FuseInc: return step_pair<true>(size, cc);
    default: return nullptr;
    }
}

} // namespace vitrine::cpu
