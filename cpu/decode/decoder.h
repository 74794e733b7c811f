// The decoder: bytes → Decoded, driven by the opcode tables (decode/table.cpp). Intel SDM vol. 2 ch. 2,
// appendix A.
//
// Pure: no processor state but the code size. It never reads past `available` and says how it ended.
#pragma once
#include <span>
#include "cpu/base/types.h"
#include "cpu/state/features.h"
#include "cpu/state/registers.h"

namespace vitrine::cpu {

struct Emitter;
using Emit = void (*)(Emitter&);

/// Which immediate follows.
enum class Imm : u8 {
    None,
    Ib, ///< 8 bits, sign-extended
    Ub, ///< 8 bits, zero-extended
    Iw,
    Iz,     ///< 16; 16 or 32 sign-extended
    Iv,     ///< 16, 32 or 64
    Offset, ///< moffs: address-size bytes
    Jb,
    Jz,    ///< relative branch
    Far,   ///< ptr16:16 or ptr16:32
    Enter, ///< imm16, imm8
    Test,  ///< group 3: an immediate only for /0 and /1
};

enum RowFlags : u16 {
    HasModrm = 1,
    Lockable = 2,
    Default64 = 4,
    Force64 = 8,
    Invalid64 = 16,
    ByteOperand = 32,
    EndsBlock = 64,
    Prefix66Selects = 128, ///< 66/F2/F3 choose among instructions: they are not operand-size or REP prefixes
    ModrmIsRegister = 256, ///< MOV CR/DR: mod is ignored
    VectorIndex = 512,     ///< the SIB's index is a vector register (gathers)
};

struct Row {
    const char* mnemonic = nullptr;
    Imm imm = Imm::None;
    u16 flags = 0;
    Emit emit = nullptr;
    u8 arg = 0;                          ///< what the emitter wants to know: ALU operation, condition …
    u8 cost = 1;                         ///< cycles, timing/cost.h
    Feature feature = Feature::Baseline; ///< of the model, for the row to be there at all
};

/// Rows by map (0: one byte, 1: 0F, 2: 0F 38, 3: 0F 3A) and opcode. An unassigned row has no emit.
const Row& opcode_row(unsigned map, unsigned opcode);
/// The same for instructions with a VEX prefix.
const Row& vex_row(unsigned map, unsigned opcode);
constexpr u16 opcode_id(unsigned map, unsigned opcode) { return static_cast<u16>(map << 8 | opcode); }

enum class DecodeResult : u8 {
    Ok,
    Truncated, ///< more bytes are needed than are available
    TooLong,   ///< more than 15 bytes: #GP(0)
    Undefined, ///< #UD
};

inline constexpr u8 NoVectorIndex = 0xFF;

struct Decoded {
    const Row* row = nullptr;
    u64 imm = 0;  ///< sign- or zero-extended as Imm says
    u16 imm2 = 0; ///< far selector, ENTER level
    i32 disp = 0;
    u16 opid = 0;
    u8 length = 0;
    u8 code_size = 0; ///< 2, 4, 8
    u8 size = 0;      ///< operand size in bytes: 1, 2, 4, 8
    u8 address_size = 0;
    u8 map = 0, opcode = 0, modrm = 0, rex = 0;
    bool has_modrm = false, lock = false, rep = false, repne = false, prefix66 = false,
         segment_override = false;
    u8 mod = 0, reg = 0, rm = 0;                     ///< reg and rm with REX bits; rm of a register operand
    u8 base = ZeroSlot, index = ZeroSlot, scale = 0; ///< register numbers of a memory operand
    bool rip_relative = false;
    bool vex = false, vex_long = false; ///< VEX prefix; VEX.L
    u8 vvvv = 0;                        ///< VEX.vvvv as a register number: 0 where the field is 1111b
    u8 vector_index = NoVectorIndex;    ///< of a gather
    Seg seg = Seg::DS;

    bool memory() const { return has_modrm && mod != 3; }
    /// 0 none, 1 66, 2 F3, 3 F2: the mandatory prefix of SSE forms (F2/F3 win over 66).
    unsigned mandatory() const { return repne ? 3 : rep ? 2 : prefix66 ? 1 : 0; }
};

DecodeResult decode(std::span<const u8> bytes, unsigned code_size, Decoded& out);

} // namespace vitrine::cpu
