// One-operand arithmetic: INC, DEC, NOT, NEG, and groups 3, 4 and 5 (F6/F7, FE, FF). SDM vol. 2, table A-6.
#include "cpu/exec/alu_ops.h"
#include "cpu/exec/emitters.h"
#include "cpu/exec/fused.h"
#include "cpu/exec/multiply.h"

namespace vitrine::cpu {
namespace {

template <bool Increment, class T> T step_value(Core* core, T a) {
    const T result = static_cast<T>(Increment ? a + 1 : a - 1);
    const u64 carry = lazy_cf(core->lazy, core->r.rflags);
    core->lazy.set(Increment ? FlagKind::Inc : FlagKind::Dec, sext(result), sext(a), carry);
    return result;
}
template <bool Increment, class T, bool Flags> HANDLER step_reg(HANDLER_ARGS) {
    const T a = get<T>(core, op->rm);
    if constexpr (Flags)
        put<T>(core, op->rm, step_value<Increment, T>(core, a));
    else
        put<T>(core, op->rm, static_cast<T>(Increment ? a + 1 : a - 1));
    NEXT;
}
template <bool Increment, class T> bool step_memory(Core& core, const Op& op) {
    return modify_rm<T>(core, op, [&](T a) { return step_value<Increment, T>(&core, a); });
}
template <class T> HANDLER not_reg(HANDLER_ARGS) {
    put<T>(core, op->rm, static_cast<T>(~get<T>(core, op->rm)));
    NEXT;
}
template <class T> bool not_memory(Core& core, const Op& op) {
    return modify_rm<T>(core, op, [](T a) { return static_cast<T>(~a); });
}
template <class T> HANDLER neg_reg(HANDLER_ARGS) {
    put<T>(core, op->rm, alu<AluSub, T>(core, T{0}, get<T>(core, op->rm)));
    NEXT;
}
template <class T> bool neg_memory(Core& core, const Op& op) {
    return modify_rm<T>(core, op, [&](T a) { return alu<AluSub, T>(&core, T{0}, a); });
}

constexpr u8 AllButCarry = AllFlags & ~CF;

template <bool Increment> void step_form(Emitter& e) {
    if (e.memory()) {
        e.cost = e.d.lock ? cost::Locked : cost::ReadModifyWrite;
        e.handler =
            by_size(e.d.size, []<class T> { return static_cast<Handler>(cold<step_memory<Increment, T>>); });
        return;
    }
    e.handler = by_size(e.d.size, []<class T> { return static_cast<Handler>(step_reg<Increment, T, true>); });
    e.no_flags =
        by_size(e.d.size, []<class T> { return static_cast<Handler>(step_reg<Increment, T, false>); });
    // The full variant computes the old CF, so CF must be alive before it whenever it is alive after it: not
    // written.
    e.pure(AllButCarry, 0);
    e.fuse_with = Increment ? FuseInc : FuseDec;
}

} // namespace

namespace emit {

void inc_dec_reg(Emitter& e) { // 40–4F outside 64-bit mode
    e.op.address |= RegisterOperand;
    if (e.d.row->arg)
        step_form<false>(e);
    else
        step_form<true>(e);
}

void group_fe_ff(Emitter& e) {
    switch (e.d.reg & 7) {
    case 0: return step_form<true>(e);
    case 1: return step_form<false>(e);
    default: break;
    }
    if (e.d.size == 1 || e.d.lock) {
        e.undefined = true;
        return;
    }
    switch (e.d.reg & 7) {
    case 2: return indirect_branch(e, true);
    case 3: return far_indirect(e, true);
    case 4: return indirect_branch(e, false);
    case 5: return far_indirect(e, false);
    case 6: return push_reg(e);
    default: e.undefined = true;
    }
}

void group3(Emitter& e) {
    const unsigned which = e.d.reg & 7;
    if (e.d.lock && which != 2 && which != 3) {
        e.undefined = true;
        return;
    }
    switch (which) {
    case 0:
    case 1: { // TEST; /1 is an alias on every processor
        // Same shape as group 1 with TEST: the row's emitter reads the operation from reg, so go by hand.
        e.cost = cost::Simple;
        if (e.memory()) {
            e.handler = by_size(e.d.size, []<class T> {
                return static_cast<Handler>(cold<[](Core& core, const Op& op) {
                    T v{};
                    if (!read_memory<T>(core, op, v)) return false;
                    alu<AluTest, T>(&core, v, immediate<T>(&op));
                    return true;
                }>);
            });
            return;
        }
        e.handler = by_size(e.d.size, []<class T> {
            return static_cast<Handler>(cold<[](Core& core, const Op& op) {
                alu<AluTest, T>(&core, get<T>(&core, op.rm), immediate<T>(&op));
                return true;
            }>);
        });
        e.pure(AllFlags, 0);
        e.fuse_with = FuseTestImm;
        return;
    }
    case 2:
        if (e.memory()) {
            e.cost = cost::ReadModifyWrite;
            e.handler = by_size(e.d.size, []<class T> { return static_cast<Handler>(cold<not_memory<T>>); });
        } else {
            e.handler = by_size(e.d.size, []<class T> { return static_cast<Handler>(not_reg<T>); });
            e.pure();
        }
        return;
    case 3:
        if (e.memory()) {
            e.cost = cost::ReadModifyWrite;
            e.handler = by_size(e.d.size, []<class T> { return static_cast<Handler>(cold<neg_memory<T>>); });
        } else {
            e.handler = by_size(e.d.size, []<class T> { return static_cast<Handler>(neg_reg<T>); });
            e.pure(AllFlags, 0);
        }
        return;
    default: return multiply_divide(e, which);
    }
}

} // namespace emit
} // namespace vitrine::cpu
