// Op and Block — what the decoder produces and the dispatcher runs (design.md §3).
//
// Invariants
// - An Op is 32 bytes. At any Op: rip = block.rip + offset, instructions retired before it = index, cycles
//   charged before it = cycles. Nothing is stored per instruction while running.
// - A block's Ops follow its header in memory; the last one is a terminator (branch, exit, or
//   `fall_through`). For any Op that is not the terminator, op[1] therefore describes the state after it.
// - Handlers are tail-called with preserve_none: (core, op, budget, steps). `budget` is what is left before
//   the next event once the whole block has been charged; `steps` is the step count once the whole block has
//   retired.
#pragma once
#include "cpu/base/types.h"

namespace vitrine::cpu {

struct Core;
struct Op;
struct Block;

#define VITRINE_HANDLER __attribute__((preserve_none))
// NOLINTNEXTLINE(modernize-use-using): an alias-declaration cannot carry the calling convention here.
typedef u32(VITRINE_HANDLER* Handler)(Core*, const Op*, i64, u64);

struct Op {
    Handler handler;
    union {
        struct {
            i32 disp; ///< displacement; register-only branches keep their predictor slot here
            u32 imm;  ///< immediate, sign-extended by the handler where the instruction does
        };
        u64 imm64;
    };
    u8 reg = 0, rm = 0;     ///< byte offsets into gpr[], or XMM numbers
    u8 base = 0, index = 0; ///< byte offsets into gpr[]; ZeroSlot when absent
    u8 address = 0;         ///< see AddressBits
    u8 length = 0;          ///< of the instruction, bytes
    u16 opid = 0;           ///< row of the opcode table, for logs and the tests
    u16 offset = 0;         ///< of the instruction's first byte from block.rip
    u16 cycles = 0;         ///< charged before this Op in the block
    u8 slot = 0;            ///< index of this Op in the block
    u8 index_in_block = 0;  ///< instructions before this Op in the block
    u8 vvvv = 0;            ///< first source of SIMD forms: VEX.vvvv, or the destination (exec/simd/)
    u8 extra = 0;           ///< small immediates: condition, segment, operand size, sub-opcode
};
static_assert(sizeof(Op) == 32);

/// Op::address: bits 0–1 scale, 2–4 segment (Seg), 5–6 log2 of address size in bytes minus 1 (0: 16, 1: 32,
/// 2: 64 bit), bit 7: the r/m operand is a register.
enum AddressBits : u8 { ScaleMask = 3, SegShift = 2, SizeShift = 5, RegisterOperand = 0x80 };
inline constexpr u8 RipSlot = 0xFF; ///< Op::base of a rip-relative operand; disp is relative to block.rip

/// How a block was decoded; part of its key.
struct BlockKey {
    u64 physical = 0; ///< of the first byte
    u64 rip = 0;      ///< as the guest sees it (offset in CS)
    u8 code_size = 2; ///< 2, 4 or 8
    u8 flags = 0;     ///< KeyFlags
    bool operator==(const BlockKey&) const = default;
};
enum KeyFlags : u8 {
    PreciseBlock = 1,  ///< one instruction, unfused, all flags live
    Stack32 = 2,       ///< SS.B, outside 64-bit mode
    FullLimit = 4,     ///< CS limit covers every offset that this code size can reach: blocks may be linked
    ProtectedCode = 8, ///< CR0.PE (and not VM86): segment loads use descriptors
};

struct Block {
    BlockKey key;
    u64 rip = 0;
    u64 target[2] = {};  ///< rip of fall-through [0] and taken [1] direct successors
    Block* link[2] = {}; ///< resolved successors in the same page, or null
    Block* next_in_bucket = nullptr;
    Block* next_in_page = nullptr;
    u64 second_page = ~u64{0}; ///< physical page of the last byte when the only instruction crosses a page
    u32 cycles = 0;            ///< charged on entry
    u16 length = 0;            ///< bytes
    u8 count = 0;              ///< instructions retired by the whole block (0 for self-counting ones: REP)
    u8 op_count = 0;
    bool dead = false; ///< dropped: must not be entered again

    Op* ops() { return reinterpret_cast<Op*>(this + 1); }
    const Op* ops() const { return reinterpret_cast<const Op*>(this + 1); }
};
static_assert(sizeof(Block) % 8 == 0);

inline Block* block_of(const Op* op) { return reinterpret_cast<Block*>(const_cast<Op*>(op - op->slot)) - 1; }

/// Why the dispatcher was left.
enum class Leave : u32 { Budget, Lookup, Fault, Stop };

} // namespace vitrine::cpu
