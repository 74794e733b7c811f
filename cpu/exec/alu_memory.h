// Two-operand arithmetic with a memory operand: the handlers, for alu.cpp and the fused pairs. SDM vol. 2.
#pragma once
#include "cpu/exec/alu_ops.h"

namespace vitrine::cpu {

/// reg ← reg op [mem]
template <AluOp O, class T, Kind K> HANDLER alu_load(HANDLER_ARGS) {
    T value{};
    if constexpr (K == Kind::General) {
        CALLING_OUT;
        if (!read_memory<T>(*core, *op, value)) [[unlikely]]
            FAULT;
    } else {
        const u8* p = fast_hit<T>(core->read_fast, fast_address<K>(core, op, sizeof(T)));
        if (!p) [[unlikely]]
            VITRINE_TAIL alu_load<O, T, Kind::General>(HANDLER_PASS);
        value = read_host<T>(p);
    }
    const T result = alu<O, T>(core, get<T>(core, op->reg), value);
    if constexpr (alu_writes(O)) put<T>(core, op->reg, result);
    if constexpr (K == Kind::General) NEXT_AFTER_ACCESS;
    NEXT;
}

/// [mem] ← [mem] op (reg or imm); CMP and TEST only read.
template <AluOp O, class T, bool Immediate, Kind K> HANDLER alu_store(HANDLER_ARGS) {
    const T operand = Immediate ? immediate<T>(op) : get<T>(core, op->reg);
    if constexpr (K == Kind::General) {
        CALLING_OUT;
        if constexpr (alu_writes(O)) {
            if (!modify_rm<T>(*core, *op, [&](T value) { return alu<O, T>(core, value, operand); }))
                [[unlikely]]
                FAULT;
        } else {
            T value{};
            if (!read_memory<T>(*core, *op, value)) [[unlikely]]
                FAULT;
            alu<O, T>(core, value, operand);
        }
        NEXT_AFTER_ACCESS;
    } else {
        u8* p = fast_hit<T>(alu_writes(O) ? core->write_fast : core->read_fast,
                            fast_address<K>(core, op, sizeof(T)));
        if (!p) [[unlikely]]
            VITRINE_TAIL alu_store<O, T, Immediate, Kind::General>(HANDLER_PASS);
        const T result = alu<O, T>(core, read_host<T>(p), operand);
        if constexpr (alu_writes(O)) write_host<T>(p, result);
        NEXT;
    }
}

} // namespace vitrine::cpu
