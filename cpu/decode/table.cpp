// The opcode tables: SDM vol. 2 appendix A, tables A-2 (one byte), A-3 (0F), A-4 (0F 38), A-5 (0F 3A).
//
// One row an opcode; groups are resolved by their emitters. SIMD has a table of its own, by prefix and form
// (exec/simd/table.h). A row without an emitter raises #UD and is reported as not implemented. Costs are in
// timing/cost.h.
#include "cpu/decode/decoder.h"
#include "cpu/exec/emitters.h"
#include "cpu/exec/simd/table.h"
#include "cpu/timing/cost.h"
#include <array>

namespace vitrine::cpu {
namespace {

using Map = std::array<Row, 256>;
constexpr u16 M = HasModrm, L = Lockable, B = ByteOperand, D64 = Default64, F64 = Force64, I64 = Invalid64,
              X = Prefix66Selects;

void alu_rows(Map& t) {
    static constexpr const char* names[8] = {"add", "or", "adc", "sbb", "and", "sub", "xor", "cmp"};
    for (u8 op = 0; op < 8; ++op) {
        const unsigned base = op * 8u;
        const u16 lock = op == 7 ? 0 : L;
        t[base + 0] = {names[op], Imm::None, static_cast<u16>(M | B | lock), emit::alu_rm_reg, op};
        t[base + 1] = {names[op], Imm::None, static_cast<u16>(M | lock), emit::alu_rm_reg, op};
        t[base + 2] = {names[op], Imm::None, M | B, emit::alu_reg_rm, op};
        t[base + 3] = {names[op], Imm::None, M, emit::alu_reg_rm, op};
        t[base + 4] = {names[op], Imm::Ib, B, emit::alu_acc_imm, op};
        t[base + 5] = {names[op], Imm::Iz, 0, emit::alu_acc_imm, op};
    }
}

Map one_byte() {
    Map t{};
    alu_rows(t);
    for (u8 i = 0; i < 4; ++i) { // ES CS SS DS
        t[0x06 + 8u * i] = {"push", Imm::None, I64, emit::push_seg, i};
        if (i != 1) t[0x07 + 8u * i] = {"pop", Imm::None, I64, emit::pop_seg, i};
    }
    t[0x27] = {"daa", Imm::None, I64, emit::bcd, 0};
    t[0x2F] = {"das", Imm::None, I64, emit::bcd, 1};
    t[0x37] = {"aaa", Imm::None, I64, emit::bcd, 2};
    t[0x3F] = {"aas", Imm::None, I64, emit::bcd, 3};
    for (unsigned i = 0; i < 8; ++i) {
        t[0x40 + i] = {"inc", Imm::None, I64, emit::inc_dec_reg, 0};
        t[0x48 + i] = {"dec", Imm::None, I64, emit::inc_dec_reg, 1};
        t[0x50 + i] = {"push", Imm::None, D64, emit::push_reg};
        t[0x58 + i] = {"pop", Imm::None, D64, emit::pop_reg};
        t[0x90 + i] = {"xchg", Imm::None, 0, emit::xchg_acc};
        t[0xB0 + i] = {"mov", Imm::Ub, B, emit::mov_reg_imm};
        t[0xB8 + i] = {"mov", Imm::Iv, 0, emit::mov_reg_imm};
        t[0xD8 + i] = {"x87", Imm::None, M, emit::x87, 0, cost::FpSimple};
    }
    t[0x60] = {"pusha", Imm::None, I64, emit::pusha_popa, 0};
    t[0x61] = {"popa", Imm::None, I64, emit::pusha_popa, 1};
    t[0x62] = {"bound", Imm::None, M | I64, emit::bound};
    t[0x63] = {"movsxd/arpl", Imm::None, M, emit::movsxd};
    t[0x68] = {"push", Imm::Iz, D64, emit::push_imm};
    t[0x69] = {"imul", Imm::Iz, M, emit::imul_reg_rm_imm};
    t[0x6A] = {"push", Imm::Ib, D64, emit::push_imm};
    t[0x6B] = {"imul", Imm::Ib, M, emit::imul_reg_rm_imm};
    t[0x6C] = {"ins", Imm::None, B, emit::string_op, 5};
    t[0x6D] = {"ins", Imm::None, 0, emit::string_op, 5};
    t[0x6E] = {"outs", Imm::None, B, emit::string_op, 6};
    t[0x6F] = {"outs", Imm::None, 0, emit::string_op, 6};
    for (unsigned i = 0; i < 16; ++i) t[0x70 + i] = {"jcc", Imm::Jb, F64, emit::jcc};
    t[0x80] = {"group1", Imm::Ib, M | B | L, emit::alu_group1};
    t[0x81] = {"group1", Imm::Iz, M | L, emit::alu_group1};
    t[0x82] = {"group1", Imm::Ib, M | B | L | I64, emit::alu_group1};
    t[0x83] = {"group1", Imm::Ib, M | L, emit::alu_group1};
    t[0x84] = {"test", Imm::None, M | B, emit::test_rm_reg, 8};
    t[0x85] = {"test", Imm::None, M, emit::test_rm_reg, 8};
    t[0x86] = {"xchg", Imm::None, M | B | L, emit::xchg_rm_reg};
    t[0x87] = {"xchg", Imm::None, M | L, emit::xchg_rm_reg};
    t[0x88] = {"mov", Imm::None, M | B, emit::mov_rm_reg};
    t[0x89] = {"mov", Imm::None, M, emit::mov_rm_reg};
    t[0x8A] = {"mov", Imm::None, M | B, emit::mov_reg_rm};
    t[0x8B] = {"mov", Imm::None, M, emit::mov_reg_rm};
    t[0x8C] = {"mov", Imm::None, M, emit::mov_sreg, 0};
    t[0x8D] = {"lea", Imm::None, M, emit::lea};
    t[0x8E] = {"mov", Imm::None, M, emit::mov_sreg, 1};
    t[0x8F] = {"pop", Imm::None, M | D64, emit::pop_rm};
    t[0x98] = {"cbw", Imm::None, 0, emit::convert, 0};
    t[0x99] = {"cwd", Imm::None, 0, emit::convert, 1};
    t[0x9A] = {"callf", Imm::Far, I64, emit::far_jump_call, 1};
    t[0x9B] = {"fwait", Imm::None, 0, emit::wait};
    t[0x9C] = {"pushf", Imm::None, D64, emit::pushf_popf, 0};
    t[0x9D] = {"popf", Imm::None, D64, emit::pushf_popf, 1};
    t[0x9E] = {"sahf", Imm::None, 0, emit::lahf_sahf, 1};
    t[0x9F] = {"lahf", Imm::None, 0, emit::lahf_sahf, 0};
    t[0xA0] = {"mov", Imm::Offset, B, emit::mov_moffs, 0};
    t[0xA1] = {"mov", Imm::Offset, 0, emit::mov_moffs, 0};
    t[0xA2] = {"mov", Imm::Offset, B, emit::mov_moffs, 1};
    t[0xA3] = {"mov", Imm::Offset, 0, emit::mov_moffs, 1};
    static constexpr struct {
        u8 opcode, op;
        const char* name;
    } strings[] = {
        {0xA4, 0, "movs"}, {0xA6, 1, "cmps"}, {0xAA, 2, "stos"}, {0xAC, 3, "lods"}, {0xAE, 4, "scas"}};
    for (const auto& s : strings) {
        t[s.opcode] = {s.name, Imm::None, B, emit::string_op, s.op};
        t[s.opcode + 1u] = {s.name, Imm::None, 0, emit::string_op, s.op};
    }
    t[0xA8] = {"test", Imm::Ib, B, emit::alu_acc_imm, 8};
    t[0xA9] = {"test", Imm::Iz, 0, emit::alu_acc_imm, 8};
    t[0xC0] = {"shift", Imm::Ub, M | B, emit::shift_group, 0};
    t[0xC1] = {"shift", Imm::Ub, M, emit::shift_group, 0};
    t[0xC2] = {"ret", Imm::Iw, F64, emit::ret_near};
    t[0xC3] = {"ret", Imm::None, F64, emit::ret_near};
    t[0xC4] = {"les", Imm::None, M | I64, emit::load_far_pointer, 0};
    t[0xC5] = {"lds", Imm::None, M | I64, emit::load_far_pointer, 3};
    t[0xC6] = {"mov", Imm::Ib, M | B, emit::mov_rm_imm};
    t[0xC7] = {"mov", Imm::Iz, M, emit::mov_rm_imm};
    t[0xC8] = {"enter", Imm::Enter, D64, emit::enter};
    t[0xC9] = {"leave", Imm::None, D64, emit::leave};
    t[0xCA] = {"retf", Imm::Iw, 0, emit::ret_far};
    t[0xCB] = {"retf", Imm::None, 0, emit::ret_far};
    t[0xCC] = {"int3", Imm::None, 0, emit::int_n};
    t[0xCD] = {"int", Imm::Ub, 0, emit::int_n};
    t[0xCE] = {"into", Imm::None, I64, emit::int_n};
    t[0xCF] = {"iret", Imm::None, 0, emit::iret};
    t[0xD0] = {"shift", Imm::None, M | B, emit::shift_group, 1};
    t[0xD1] = {"shift", Imm::None, M, emit::shift_group, 1};
    t[0xD2] = {"shift", Imm::None, M | B, emit::shift_group, 2};
    t[0xD3] = {"shift", Imm::None, M, emit::shift_group, 2};
    t[0xD4] = {"aam", Imm::Ub, I64, emit::bcd, 4};
    t[0xD5] = {"aad", Imm::Ub, I64, emit::bcd, 5};
    t[0xD6] = {"salc", Imm::None, I64, emit::salc};
    t[0xD7] = {"xlat", Imm::None, 0, emit::xlat};
    for (unsigned i = 0; i < 4; ++i) t[0xE0 + i] = {"loop", Imm::Jb, F64, emit::loop_jcxz};
    t[0xE4] = {"in", Imm::Ub, B, emit::port_io};
    t[0xE5] = {"in", Imm::Ub, 0, emit::port_io};
    t[0xE6] = {"out", Imm::Ub, B, emit::port_io};
    t[0xE7] = {"out", Imm::Ub, 0, emit::port_io};
    t[0xE8] = {"call", Imm::Jz, F64, emit::call_rel};
    t[0xE9] = {"jmp", Imm::Jz, F64, emit::jmp_rel};
    t[0xEA] = {"jmpf", Imm::Far, I64, emit::far_jump_call, 0};
    t[0xEB] = {"jmp", Imm::Jb, F64, emit::jmp_rel};
    t[0xEC] = {"in", Imm::None, B, emit::port_io};
    t[0xED] = {"in", Imm::None, 0, emit::port_io};
    t[0xEE] = {"out", Imm::None, B, emit::port_io};
    t[0xEF] = {"out", Imm::None, 0, emit::port_io};
    t[0xF1] = {"int1", Imm::None, 0, emit::int_n};
    t[0xF4] = {"hlt", Imm::None, 0, emit::hlt};
    t[0xF5] = {"cmc", Imm::None, 0, emit::flag_op, 2};
    t[0xF6] = {"group3", Imm::Test, M | B | L, emit::group3};
    t[0xF7] = {"group3", Imm::Test, M | L, emit::group3};
    t[0xF8] = {"clc", Imm::None, 0, emit::flag_op, 0};
    t[0xF9] = {"stc", Imm::None, 0, emit::flag_op, 1};
    t[0xFA] = {"cli", Imm::None, 0, emit::cli_sti, 0};
    t[0xFB] = {"sti", Imm::None, 0, emit::cli_sti, 1};
    t[0xFC] = {"cld", Imm::None, 0, emit::flag_op, 3};
    t[0xFD] = {"std", Imm::None, 0, emit::flag_op, 4};
    t[0xFE] = {"group4", Imm::None, M | B | L, emit::group_fe_ff};
    t[0xFF] = {"group5", Imm::None, M | L, emit::group_fe_ff};
    return t;
}

Map two_byte() {
    Map t{};
    t[0x00] = {"group6", Imm::None, M, emit::group6};
    t[0x01] = {"group7", Imm::None, M, emit::group7};
    t[0x02] = {"lar", Imm::None, M, emit::lar_lsl, 0};
    t[0x03] = {"lsl", Imm::None, M, emit::lar_lsl, 1};
    t[0x05] = {"syscall", Imm::None, 0, emit::syscall_family};
    t[0x06] = {"clts", Imm::None, 0, emit::clts};
    t[0x07] = {"sysret", Imm::None, 0, emit::syscall_family};
    t[0x08] = {"invd", Imm::None, 0, emit::invd};
    t[0x09] = {"wbinvd", Imm::None, 0, emit::invd};
    t[0x0B] = {"ud2", Imm::None, 0, emit::ud};
    t[0x0D] = {"prefetchw", Imm::None, M, emit::nop_rm};
    for (unsigned i = 0x18; i <= 0x1F; ++i) t[i] = {"nop", Imm::None, M, emit::nop_rm};
    t[0x20] = {"mov", Imm::None, M | ModrmIsRegister | F64, emit::mov_control, 0};
    t[0x21] = {"mov", Imm::None, M | ModrmIsRegister | F64, emit::mov_debug, 0};
    t[0x22] = {"mov", Imm::None, M | ModrmIsRegister | F64, emit::mov_control, 1};
    t[0x23] = {"mov", Imm::None, M | ModrmIsRegister | F64, emit::mov_debug, 1};
    t[0x30] = {"wrmsr", Imm::None, 0, emit::msr, 1};
    t[0x31] = {"rdtsc", Imm::None, 0, emit::rdtsc};
    t[0x32] = {"rdmsr", Imm::None, 0, emit::msr, 0};
    t[0x33] = {"rdpmc", Imm::None, 0, emit::rdpmc};
    t[0x34] = {"sysenter", Imm::None, 0, emit::syscall_family};
    t[0x35] = {"sysexit", Imm::None, 0, emit::syscall_family};
    for (unsigned i = 0; i < 16; ++i) {
        t[0x40 + i] = {"cmov", Imm::None, M, emit::cmov};
        t[0x80 + i] = {"jcc", Imm::Jz, F64, emit::jcc};
        t[0x90 + i] = {"setcc", Imm::None, M | B, emit::setcc};
    }
    t[0xA0] = {"push", Imm::None, D64, emit::push_seg, 4};
    t[0xA1] = {"pop", Imm::None, D64, emit::pop_seg, 4};
    t[0xA2] = {"cpuid", Imm::None, 0, emit::cpuid};
    t[0xA3] = {"bt", Imm::None, M, emit::bit_test, 4};
    t[0xA4] = {"shld", Imm::Ub, M, emit::shift_double, 0};
    t[0xA5] = {"shld", Imm::None, M, emit::shift_double, 2};
    t[0xA8] = {"push", Imm::None, D64, emit::push_seg, 5};
    t[0xA9] = {"pop", Imm::None, D64, emit::pop_seg, 5};
    t[0xAB] = {"bts", Imm::None, M | L, emit::bit_test, 5};
    t[0xAC] = {"shrd", Imm::Ub, M, emit::shift_double, 1};
    t[0xAD] = {"shrd", Imm::None, M, emit::shift_double, 3};
    t[0xAE] = {"group15", Imm::None, M | X, emit::group15};
    t[0xAF] = {"imul", Imm::None, M, emit::imul_reg_rm};
    t[0xB0] = {"cmpxchg", Imm::None, M | B | L, emit::cmpxchg};
    t[0xB1] = {"cmpxchg", Imm::None, M | L, emit::cmpxchg};
    t[0xB2] = {"lss", Imm::None, M, emit::load_far_pointer, 2};
    t[0xB3] = {"btr", Imm::None, M | L, emit::bit_test, 6};
    t[0xB4] = {"lfs", Imm::None, M, emit::load_far_pointer, 4};
    t[0xB5] = {"lgs", Imm::None, M, emit::load_far_pointer, 5};
    t[0xB6] = {"movzx", Imm::None, M, emit::movx, 0};
    t[0xB7] = {"movzx", Imm::None, M, emit::movx, 1};
    t[0xB8] = {"popcnt", Imm::None, M, emit::bit_scan, 2, 3, Feature::Popcnt};
    t[0xB9] = {"ud1", Imm::None, M, emit::ud};
    t[0xBA] = {"group8", Imm::Ub, M | L, emit::bit_group8};
    t[0xBB] = {"btc", Imm::None, M | L, emit::bit_test, 7};
    t[0xBC] = {"bsf", Imm::None, M, emit::bit_scan, 0};
    t[0xBD] = {"bsr", Imm::None, M, emit::bit_scan, 1};
    t[0xBE] = {"movsx", Imm::None, M, emit::movx, 2};
    t[0xBF] = {"movsx", Imm::None, M, emit::movx, 3};
    t[0xC0] = {"xadd", Imm::None, M | B | L, emit::xadd};
    t[0xC1] = {"xadd", Imm::None, M | L, emit::xadd};
    t[0xC3] = {"movnti", Imm::None, M | X, emit::movnti};
    t[0xC7] = {"group9", Imm::None, M | L, emit::group9};
    for (unsigned i = 0; i < 8; ++i) t[0xC8 + i] = {"bswap", Imm::None, 0, emit::bswap};
    t[0xFF] = {"ud0", Imm::None, M, emit::ud};
    return t;
}

Map three_byte_38() {
    Map t{};
    t[0x82] = {"invpcid", Imm::None, M | X, emit::invpcid};
    t[0xF0] = {"movbe/crc32", Imm::None, M | B, emit::movbe_crc32, 0, 3};
    t[0xF1] = {"movbe/crc32", Imm::None, M, emit::movbe_crc32, 0, 3};
    return t;
}

/// All maps: the rows above, and where they leave room the SIMD table (exec/simd/table.h), which also has
/// the VEX encodings to itself.
struct Maps {
    Map legacy[4] = {one_byte(), two_byte(), three_byte_38(), {}}, vex[4] = {};
    Maps() { simd::fill_opcode_maps(legacy, vex); }
};
const Maps& maps() {
    static const Maps all;
    return all;
}

} // namespace

const Row& opcode_row(unsigned map, unsigned opcode) { return maps().legacy[map & 3][opcode & 0xFF]; }
const Row& vex_row(unsigned map, unsigned opcode) { return maps().vex[map & 3][opcode & 0xFF]; }

} // namespace vitrine::cpu
