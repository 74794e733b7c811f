// Emitter — turns one Decoded instruction into one Op: picks the handler and says what the block builder must
// know.
//
// The table's rows name emit functions; each instruction family (exec/) has its own. Defaults are the careful
// ones: an instruction reads and keeps all flags alive unless its emitter says otherwise.
#pragma once
#include "cpu/decode/decoder.h"
#include "cpu/decode/op.h"
#include "cpu/state/flags.h"

namespace vitrine::cpu {

/// How a memory operand's address is computed. Base, Index, Rip: 64-bit, no segment base. Based: 64-bit,
/// relative to FS or GS. Legacy: 16- and 32-bit code, through a segment that is plain data. General:
/// anything, with all checks, out of line.
enum class Kind : u8 { Base, Index, Rip, Based, Legacy, General };

/// A comparison with memory that may be fused with the Jcc behind it (exec/fused.h).
enum class MemoryCompare : u8 { None, CmpReg, CmpImm, TestReg, TestImm, CmpLoad };

struct Emitter {
    const Decoded& d;
    Op& op;
    u8 key_flags = 0;        ///< KeyFlags of the block
    FeatureSet features = 0; ///< what the processor model offers
    // What the emit function decides:
    Handler handler = nullptr;
    Handler no_flags = nullptr; ///< the same without setting flags, when they are dead
    u8 flags_written = 0;       ///< liveness form (state/flags.h)
    u8 flags_read = AllFlags;
    bool ends_block = false;
    bool self_counting = false; ///< REP: charges cycles and steps itself
    bool undefined = false;     ///< this form is #UD
    bool unimplemented = false; ///< this form exists in the manual but not here: #UD and a log line
    u8 cost = 1;
    // For fusion: a compare-like op with register or immediate operands (exec/fused.cpp).
    u8 fuse_with = 0;    ///< FuseKind, 0: none
    u8 condition = 0xFF; ///< of a Jcc
    MemoryCompare compare = MemoryCompare::None;

    bool long64() const { return d.code_size == 8; }
    bool memory() const { return d.memory(); }
    bool protected_code() const { return key_flags & ProtectedCode; }
    /// Pure register instruction: cannot fault, stop or be seen half-way.
    void pure(u8 written = 0, u8 read = 0) { flags_written = written, flags_read = read; }
    Kind kind() const {
        if (!long64()) return Kind::Legacy;
        if (d.address_size != 8) return Kind::General;
        if (d.seg >= Seg::FS) return d.rip_relative ? Kind::General : Kind::Based;
        return d.rip_relative ? Kind::Rip : d.index != ZeroSlot ? Kind::Index : Kind::Base;
    }
};

/// Byte offset of general register `n`; without REX, byte registers 4–7 are AH CH DH BH.
constexpr u8 slot_of(unsigned n) { return static_cast<u8>(n * 8); }
constexpr u8 byte_slot(unsigned n, bool rex) {
    return static_cast<u8>(!rex && n >= 4 && n < 8 ? (n - 4) * 8 + 1 : n * 8);
}

/// Calls f.operator()<T>() with the operand type of `size` bytes.
template <class F> Handler by_size(unsigned size, F&& f) {
    switch (size) {
    case 1: return f.template operator()<u8>();
    case 2: return f.template operator()<u16>();
    case 4: return f.template operator()<u32>();
    default: return f.template operator()<u64>();
    }
}
template <class F> Handler by_wide_size(unsigned size, F&& f) {
    switch (size) {
    case 2: return f.template operator()<u16>();
    case 4: return f.template operator()<u32>();
    default: return f.template operator()<u64>();
    }
}
template <class F> Handler by_kind(Kind kind, F&& f) {
    switch (kind) {
    case Kind::Base: return f.template operator()<Kind::Base>();
    case Kind::Index: return f.template operator()<Kind::Index>();
    case Kind::Rip: return f.template operator()<Kind::Rip>();
    case Kind::Based: return f.template operator()<Kind::Based>();
    case Kind::Legacy: return f.template operator()<Kind::Legacy>();
    default: return f.template operator()<Kind::General>();
    }
}

} // namespace vitrine::cpu
