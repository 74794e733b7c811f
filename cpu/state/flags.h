// Lazy arithmetic flags: the last flag-setting operation, from which CF PF AF ZF SF OF are computed when
// asked for.
//
// Invariants: `result`, `a` and `b` are sign-extended from the operand size, so that sign, zero and unsigned
// order do not depend on the size. With kind Explicit the bits are in Registers::rflags. Undefined flags are
// pinned to what silicon does (tests/silicon): AF = 0 after logic. Intel SDM 1 §3.4.3.1, appendix A.
#pragma once
#include "cpu/state/registers.h"

namespace vitrine::cpu {

enum class FlagKind : u32 {
    Explicit, ///< in rflags
    Add,      ///< result = a + b
    Sub,      ///< result = a − b
    Logic,    ///< CF = OF = AF = 0
    Inc,      ///< result = a + 1, b = CF before
    Dec,      ///< result = a − 1, b = CF before
    Parts,    ///< CF = a & 1, OF = b & 1, AF = 0: shifts, multiplications
};

struct LazyFlags {
    u64 result = 0, a = 0, b = 0;
    FlagKind kind = FlagKind::Explicit;

    void set(FlagKind k, u64 r, u64 x, u64 y) { result = r, a = x, b = y, kind = k; }
};

inline bool parity(u64 result) { return (__builtin_popcount(static_cast<u8>(result)) & 1) == 0; }

inline bool lazy_cf(const LazyFlags& f, u64 rflags) {
    switch (f.kind) {
    case FlagKind::Explicit: return rflags & CF;
    case FlagKind::Add: return f.result < f.a;
    case FlagKind::Sub: return f.a < f.b;
    case FlagKind::Logic: return false;
    case FlagKind::Inc:
    case FlagKind::Dec: return f.b & 1;
    case FlagKind::Parts: return f.a & 1;
    }
    __builtin_unreachable();
}
inline bool lazy_of(const LazyFlags& f, u64 rflags) {
    switch (f.kind) {
    case FlagKind::Explicit: return rflags & OF;
    case FlagKind::Add: return ((f.a ^ f.result) & (f.b ^ f.result)) >> 63;
    case FlagKind::Sub: return ((f.a ^ f.b) & (f.a ^ f.result)) >> 63;
    case FlagKind::Logic: return false;
    case FlagKind::Inc: return (~f.a & f.result) >> 63;
    case FlagKind::Dec: return (f.a & ~f.result) >> 63;
    case FlagKind::Parts: return f.b & 1;
    }
    __builtin_unreachable();
}
inline bool lazy_af(const LazyFlags& f, u64 rflags) {
    switch (f.kind) {
    case FlagKind::Explicit: return rflags & AF;
    case FlagKind::Add:
    case FlagKind::Sub: return (f.a ^ f.b ^ f.result) & 0x10;
    case FlagKind::Inc:
    case FlagKind::Dec: return (f.a ^ f.result ^ 1) & 0x10;
    case FlagKind::Logic:
    case FlagKind::Parts: return false;
    }
    __builtin_unreachable();
}
inline bool lazy_zf(const LazyFlags& f, u64 rflags) {
    return f.kind == FlagKind::Explicit ? rflags & ZF : f.result == 0;
}
inline bool lazy_sf(const LazyFlags& f, u64 rflags) {
    return f.kind == FlagKind::Explicit ? rflags & SF : f.result >> 63;
}
inline bool lazy_pf(const LazyFlags& f, u64 rflags) {
    return f.kind == FlagKind::Explicit ? rflags & PF : parity(f.result);
}

/// All six bits in RFLAGS position.
inline u64 lazy_bits(const LazyFlags& f, u64 rflags) {
    if (f.kind == FlagKind::Explicit) return rflags & ArithmeticFlags;
    return (lazy_cf(f, rflags) ? CF : 0) | (lazy_pf(f, rflags) ? PF : 0) | (lazy_af(f, rflags) ? AF : 0) |
           (lazy_zf(f, rflags) ? ZF : 0) | (lazy_sf(f, rflags) ? SF : 0) | (lazy_of(f, rflags) ? OF : 0);
}

/// Condition codes 0–15 in opcode order: O NO B AE E NE BE A S NS P NP L GE LE G.
inline bool lazy_condition(const LazyFlags& f, u64 rflags, unsigned cc) {
    bool v = false;
    switch (cc >> 1) {
    case 0: v = lazy_of(f, rflags); break;
    case 1: v = lazy_cf(f, rflags); break;
    case 2: v = lazy_zf(f, rflags); break;
    case 3: v = lazy_cf(f, rflags) || lazy_zf(f, rflags); break;
    case 4: v = lazy_sf(f, rflags); break;
    case 5: v = lazy_pf(f, rflags); break;
    case 6: v = lazy_sf(f, rflags) != lazy_of(f, rflags); break;
    case 7: v = lazy_zf(f, rflags) || lazy_sf(f, rflags) != lazy_of(f, rflags); break;
    }
    return v != static_cast<bool>(cc & 1);
}

/// RFLAGS bits that each condition code reads.
inline u8 condition_reads(unsigned cc) {
    // Liveness masks use the low byte for CF PF AF ZF SF and bit 1 for OF.
    constexpr u8 c = CF, z = ZF, s = SF, p = PF, o = 2;
    constexpr u8 table[8] = {o, c, z, c | z, s, p, s | o, z | s | o};
    return table[cc >> 1];
}
/// Liveness form of "all six": CF PF AF ZF SF in place, OF as bit 1.
inline constexpr u8 AllFlags = CF | 2 | PF | AF | ZF | SF;

} // namespace vitrine::cpu
