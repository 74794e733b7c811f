// Shifts and rotates: groups 2 (C0 C1 D0–D3), SHLD, SHRD. SDM vol. 2.
//
// A masked count of zero changes no flag. Undefined flags are pinned: OF after counts other than 1 follows
// the same formula as for 1 (tests/silicon compares); AF is cleared by shifts.
#include "cpu/exec/emitters.h"
#include "cpu/exec/operand.h"

namespace vitrine::cpu {
namespace {

enum ShiftOp : u8 { Rol, Ror, Rcl, Rcr, Shl, Shr, Sal, Sar };

/// CF and OF in liveness form: what rotates write.
constexpr u8 RotateFlags = CF | 2;

template <class T> constexpr unsigned Bits = 8 * sizeof(T);
template <class T> constexpr u8 count_mask() { return sizeof(T) == 8 ? 63 : 31; }

/// `count` is masked and not zero.
template <ShiftOp O, class T, bool Flags>
[[gnu::always_inline]] inline T shift(Core* core, T a, unsigned count) {
    constexpr unsigned bits = Bits<T>;
    if constexpr (O == Shl || O == Sal) {
        const T result = count < bits ? static_cast<T>(a << count) : T{0};
        if constexpr (Flags) {
            const u64 cf = count <= bits ? (static_cast<u64>(a) >> (bits - count)) & 1 : 0;
            core->lazy.set(FlagKind::Parts, sext(result), cf, cf ^ (sext(result) >> 63));
        }
        return result;
    } else if constexpr (O == Shr) {
        const T result = count < bits ? static_cast<T>(a >> count) : T{0};
        if constexpr (Flags) {
            const u64 cf = count <= bits ? (static_cast<u64>(a) >> (count - 1)) & 1 : 0;
            // OF is the sign of the operand for a count of 1: equivalently, the two top bits of (a >>
            // (count−1)) differ.
            const u64 of = count == 1 ? sext(a) >> 63 : 0;
            core->lazy.set(FlagKind::Parts, sext(result), cf, of);
        }
        return result;
    } else if constexpr (O == Sar) {
        const i64 wide = static_cast<i64>(sext(a));
        const T result = static_cast<T>(wide >> (count < 63 ? count : 63));
        if constexpr (Flags) {
            const u64 cf = static_cast<u64>(wide >> (count - 1 < 63 ? count - 1 : 63)) & 1;
            core->lazy.set(FlagKind::Parts, sext(result), cf, 0);
        }
        return result;
    } else {
        // Rotates keep SF ZF AF PF.
        if constexpr (!Flags && O <= Ror) {
            const unsigned n = O == Rol ? count % bits : (bits - count % bits) % bits;
            return n ? static_cast<T>(a << n | a >> (bits - n)) : a;
        }
        const u64 old = core->flags();
        T result = a;
        u64 cf = old & CF;
        if constexpr (O == Rol) {
            const unsigned n = count % bits;
            result = n ? static_cast<T>(a << n | a >> (bits - n)) : a;
            cf = result & 1;
        } else if constexpr (O == Ror) {
            const unsigned n = count % bits;
            result = n ? static_cast<T>(a >> n | a << (bits - n)) : a;
            cf = (result >> (bits - 1)) & 1;
        } else {
            for (unsigned n = count % (bits + 1); n; --n) {
                if constexpr (O == Rcl) {
                    const u64 out = (result >> (bits - 1)) & 1;
                    result = static_cast<T>(result << 1 | static_cast<T>(cf));
                    cf = out;
                } else {
                    const u64 out = result & 1;
                    result = static_cast<T>(result >> 1 | static_cast<T>(static_cast<T>(cf) << (bits - 1)));
                    cf = out;
                }
            }
        }
        const u64 top = (result >> (bits - 1)) & 1, second = (result >> (bits - 2)) & 1;
        const u64 of = O == Rol || O == Rcl ? top ^ cf : top ^ second;
        core->set_arithmetic((old & ~u64{CF | OF}) | (cf ? CF : 0) | (of ? OF : 0));
        return result;
    }
}

template <ShiftOp O, class T, bool Flags> HANDLER shift_ri(HANDLER_ARGS) { // imm is masked and not zero
    put<T>(core, op->rm, shift<O, T, Flags>(core, get<T>(core, op->rm), op->imm));
    NEXT;
}
template <ShiftOp O, class T> HANDLER shift_rc(HANDLER_ARGS) {
    const unsigned count = get<u8>(core, slot_of(RCX)) & count_mask<T>();
    const T a = get<T>(core, op->rm);
    put<T>(core, op->rm, count ? shift<O, T, true>(core, a, count) : a);
    NEXT;
}
template <ShiftOp O, class T, bool ByCl> bool shift_memory(Core& core, const Op& op) {
    const unsigned count = (ByCl ? get<u8>(&core, slot_of(RCX)) : op.imm) & count_mask<T>();
    return modify_rm<T>(core, op, [&](T a) { return count ? shift<O, T, true>(&core, a, count) : a; });
}
/// A 32-bit register form with count zero still zero-extends.
template <class T> HANDLER shift_none(HANDLER_ARGS) {
    put<T>(core, op->rm, get<T>(core, op->rm));
    NEXT;
}

template <class F> Handler by_shift(unsigned which, F&& f) {
    switch (which) {
    case Rol: return f.template operator()<Rol>();
    case Ror: return f.template operator()<Ror>();
    case Rcl: return f.template operator()<Rcl>();
    case Rcr: return f.template operator()<Rcr>();
    case Shr: return f.template operator()<Shr>();
    case Sar: return f.template operator()<Sar>();
    default: return f.template operator()<Shl>();
    }
}

template <class T, bool Right, bool ByCl> bool double_shift(Core& core, const Op& op) {
    constexpr unsigned bits = Bits<T>;
    const unsigned count = (ByCl ? get<u8>(&core, slot_of(RCX)) : op.extra) & count_mask<T>();
    const T fill = get<T>(&core, op.reg);
    return modify_rm<T>(core, op, [&](T a) {
        if (!count) return a;
        // 16-bit counts above 16 are undefined; processors shift through dest:src:dest.
        T result, last; // `last`: the value shifted by count − 1, whose outgoing bit is CF
        if constexpr (bits == 16) {
            if constexpr (Right) {
                const u64 chain =
                    static_cast<u64>(a) | static_cast<u64>(fill) << 16 | static_cast<u64>(a) << 32;
                result = static_cast<T>(chain >> count), last = static_cast<T>(chain >> (count - 1));
            } else {
                const u64 chain = static_cast<u64>(a) << 32 | static_cast<u64>(fill) << 16 | a;
                result = static_cast<T>(chain << count >> 32),
                last = static_cast<T>(chain << (count - 1) >> 32);
            }
        } else {
            const T more = count == 0 ? T{0}
                           : Right    ? static_cast<T>(fill << (bits - count))
                                      : static_cast<T>(fill >> (bits - count));
            result = static_cast<T>((Right ? a >> count : a << count) | more);
            const T more1 = count == 1 ? T{0}
                            : Right    ? static_cast<T>(fill << (bits - count + 1))
                                       : static_cast<T>(fill >> (bits - count + 1));
            last = static_cast<T>((Right ? a >> (count - 1) : a << (count - 1)) | more1);
        }
        const u64 cf = Right ? last & 1 : (last >> (bits - 1)) & 1;
        const u64 of = ((Right ? last : result) ^ (Right ? result : a)) >> (bits - 1) & 1;
        const u64 of_left =
            (static_cast<u64>(result) >> (bits - 1) & 1) ^ (static_cast<u64>(last) >> (bits - 1) & 1);
        core.lazy.set(FlagKind::Parts, sext(result), cf, Right ? of : of_left);
        return result;
    });
}

} // namespace

namespace emit {

void shift_group(Emitter& e) { // arg: 0 imm8, 1 by one, 2 by CL
    const unsigned which = e.d.reg & 7;
    const u8 form = e.d.row->arg;
    if (form == 1) e.op.imm = 1;
    const u8 mask = e.d.size == 8 ? 63 : 31;
    if (e.memory()) {
        e.cost = cost::ReadModifyWrite;
        e.handler = by_shift(which, [&]<ShiftOp O> {
            return by_size(e.d.size, [&]<class T> {
                return form == 2 ? static_cast<Handler>(cold<shift_memory<O, T, true>>)
                                 : static_cast<Handler>(cold<shift_memory<O, T, false>>);
            });
        });
        return;
    }
    if (form == 2) {
        e.cost = 2;
        e.handler = by_shift(which, [&]<ShiftOp O> {
            return by_size(e.d.size, [&]<class T> { return static_cast<Handler>(shift_rc<O, T>); });
        });
        e.pure(0, AllFlags);
        return;
    }
    e.op.imm &= mask;
    if (e.op.imm == 0) {
        e.handler = by_size(e.d.size, []<class T> { return static_cast<Handler>(shift_none<T>); });
        return e.pure();
    }
    e.handler = by_shift(which, [&]<ShiftOp O> {
        return by_size(e.d.size, [&]<class T> { return static_cast<Handler>(shift_ri<O, T, true>); });
    });
    if (which == Rcl || which == Rcr) return e.pure(0, AllFlags);
    e.no_flags = by_shift(which, [&]<ShiftOp O> {
        return by_size(e.d.size, [&]<class T> {
            if constexpr (O == Rcl || O == Rcr)
                return Handler{nullptr};
            else
                return static_cast<Handler>(shift_ri<O, T, false>);
        });
    });
    if (which < Rcl) return e.pure(RotateFlags, static_cast<u8>(AllFlags & ~RotateFlags));
    e.pure(AllFlags, 0);
}

void shift_double(Emitter& e) { // arg bit 0: right; bit 1: by CL
    const u8 arg = e.d.row->arg;
    e.op.extra = static_cast<u8>(e.d.imm);
    e.cost = 3;
    e.handler = by_wide_size(e.d.size, [&]<class T> {
        switch (arg) {
        case 0: return static_cast<Handler>(cold<double_shift<T, false, false>>);
        case 1: return static_cast<Handler>(cold<double_shift<T, true, false>>);
        case 2: return static_cast<Handler>(cold<double_shift<T, false, true>>);
        default: return static_cast<Handler>(cold<double_shift<T, true, true>>);
        }
    });
}

} // namespace emit
} // namespace vitrine::cpu
