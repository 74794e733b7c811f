// Every emit function that the opcode table names, by family file in exec/.
#pragma once
#include "cpu/decode/emit.h"

namespace vitrine::cpu::emit {

// alu.cpp — arg: AluOp
void alu_rm_reg(Emitter&), alu_reg_rm(Emitter&), alu_acc_imm(Emitter&), alu_group1(Emitter&),
    test_rm_reg(Emitter&);
// unary.cpp
void inc_dec_reg(Emitter&), group_fe_ff(Emitter&), group3(Emitter&);
// move.cpp
void mov_rm_reg(Emitter&), mov_reg_rm(Emitter&), mov_reg_imm(Emitter&), mov_rm_imm(Emitter&),
    mov_moffs(Emitter&), lea(Emitter&);
void movx(Emitter&), movsxd(Emitter&), xchg_rm_reg(Emitter&), xchg_acc(Emitter&), bswap(Emitter&),
    convert(Emitter&), cmov(Emitter&), setcc(Emitter&);
void movnti(Emitter&), nop(Emitter&), nop_rm(Emitter&), xlat(Emitter&), lahf_sahf(Emitter&),
    flag_op(Emitter&), salc(Emitter&);
// stack.cpp
void push_reg(Emitter&), pop_reg(Emitter&), push_imm(Emitter&), pop_rm(Emitter&), push_seg(Emitter&),
    pop_seg(Emitter&);
void pusha_popa(Emitter&), pushf_popf(Emitter&), enter(Emitter&), leave(Emitter&);
// shift.cpp — arg for shift_double: 0 SHLD, 1 SHRD
void shift_group(Emitter&), shift_double(Emitter&);
// bits.cpp
void bit_test(Emitter&), bit_group8(Emitter&), bit_scan(Emitter&), cmpxchg(Emitter&), xadd(Emitter&),
    group9(Emitter&);
// multiply.cpp
void imul_reg_rm(Emitter&), imul_reg_rm_imm(Emitter&), bcd(Emitter&);
// branch.cpp
void jcc(Emitter&), jmp_rel(Emitter&), call_rel(Emitter&), ret_near(Emitter&), loop_jcxz(Emitter&);
void indirect_branch(Emitter& e, bool call);
// string.cpp — arg: StringOp
void string_op(Emitter&);
// transfer.cpp
void far_jump_call(Emitter&), ret_far(Emitter&), iret(Emitter&), int_n(Emitter&), bound(Emitter&),
    syscall_family(Emitter&);
void far_indirect(Emitter& e, bool call);
// segment.cpp
void mov_sreg(Emitter&), load_far_pointer(Emitter&), group6(Emitter&), group7(Emitter&), lar_lsl(Emitter&),
    arpl(Emitter&);
// system.cpp
void mov_control(Emitter&), mov_debug(Emitter&), msr(Emitter&), cpuid(Emitter&), rdtsc(Emitter&),
    rdpmc(Emitter&), hlt(Emitter&), port_io(Emitter&);
void clts(Emitter&), invd(Emitter&), ud(Emitter&), group15(Emitter&), fs_gs_base(Emitter&), cli_sti(Emitter&),
    invpcid(Emitter&);
// fp: x87.cpp, x87_control.cpp; simd/table.cpp
void x87(Emitter&), wait(Emitter&), simd(Emitter&);
// bits.cpp
void movbe_crc32(Emitter&);

} // namespace vitrine::cpu::emit
