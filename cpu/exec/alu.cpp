// Two-operand arithmetic and logic: opcodes 00–3F, 80–83, 84/85, A8/A9. SDM vol. 2.
//
// Register forms are pure and have a variant without flags; memory forms keep all flags alive around them,
// because a fault or a stop may show them.
#include "cpu/exec/alu_memory.h"
#include "cpu/exec/emitters.h"
#include "cpu/exec/fused.h"

namespace vitrine::cpu {
namespace {

template <AluOp O, class T, bool Flags> HANDLER alu_rr(HANDLER_ARGS) {
    const T result = alu<O, T, Flags>(core, get<T>(core, op->rm), get<T>(core, op->reg));
    if constexpr (alu_writes(O)) put<T>(core, op->rm, result);
    NEXT;
}
template <AluOp O, class T, bool Flags> HANDLER alu_ri(HANDLER_ARGS) {
    const T result = alu<O, T, Flags>(core, get<T>(core, op->rm), immediate<T>(op));
    if constexpr (alu_writes(O)) put<T>(core, op->rm, result);
    NEXT;
}

template <bool Flags> Handler rr(unsigned operation, unsigned size) {
    return by_alu(operation, [&]<AluOp O> {
        return by_size(size, [&]<class T> { return static_cast<Handler>(alu_rr<O, T, Flags>); });
    });
}
template <bool Flags> Handler ri(unsigned operation, unsigned size) {
    return by_alu(operation, [&]<AluOp O> {
        return by_size(size, [&]<class T> { return static_cast<Handler>(alu_ri<O, T, Flags>); });
    });
}

void register_form(Emitter& e, unsigned operation, bool immediate_form) {
    const bool carry = alu_uses_carry(static_cast<AluOp>(operation));
    e.handler = immediate_form ? ri<true>(operation, e.d.size) : rr<true>(operation, e.d.size);
    if (!carry) e.no_flags = immediate_form ? ri<false>(operation, e.d.size) : rr<false>(operation, e.d.size);
    e.pure(AllFlags, carry ? static_cast<u8>(CF) : 0);
    if (!carry) e.fuse_with = fuse_kind(static_cast<AluOp>(operation), immediate_form);
}

void memory_form(Emitter& e, unsigned operation, bool immediate_form) {
    if (operation == AluCmp)
        e.compare = immediate_form ? MemoryCompare::CmpImm : MemoryCompare::CmpReg;
    else if (operation == AluTest)
        e.compare = immediate_form ? MemoryCompare::TestImm : MemoryCompare::TestReg;
    e.cost = alu_writes(static_cast<AluOp>(operation)) ? cost::ReadModifyWrite : cost::Load;
    if (e.d.lock) e.cost = cost::Locked;
    e.handler = by_alu(operation, [&]<AluOp O> {
        return by_size(e.d.size, [&]<class T> {
            return by_kind(e.kind(), [&]<Kind K> {
                return immediate_form ? static_cast<Handler>(alu_store<O, T, true, K>)
                                      : static_cast<Handler>(alu_store<O, T, false, K>);
            });
        });
    });
}

} // namespace

namespace emit {

void alu_rm_reg(Emitter& e) {
    if (e.memory())
        memory_form(e, e.d.row->arg, false);
    else
        register_form(e, e.d.row->arg, false);
}
void test_rm_reg(Emitter& e) { alu_rm_reg(e); }

void alu_reg_rm(Emitter& e) {
    if (!e.memory()) {
        std::swap(e.op.reg, e.op.rm); // destination is always `rm` in the register form
        return register_form(e, e.d.row->arg, false);
    }
    e.cost = cost::Load;
    if (e.d.row->arg == AluCmp) e.compare = MemoryCompare::CmpLoad;
    e.handler = by_alu(e.d.row->arg, [&]<AluOp O> {
        return by_size(e.d.size, [&]<class T> {
            return by_kind(e.kind(), [&]<Kind K> { return static_cast<Handler>(alu_load<O, T, K>); });
        });
    });
}

void alu_acc_imm(Emitter& e) {
    e.op.rm = slot_of(RAX);
    register_form(e, e.d.row->arg, true);
}

void alu_group1(Emitter& e) {
    const unsigned operation = e.d.reg & 7;
    if (operation == AluCmp && e.d.lock) e.undefined = true;
    if (e.memory())
        memory_form(e, operation, true);
    else
        register_form(e, operation, true);
}

} // namespace emit
} // namespace vitrine::cpu
