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

} // namespace vitrine::cpu
