// Multiplication, division and BCD adjustment. SDM vol. 2: MUL IMUL DIV IDIV AAA AAS AAM AAD DAA DAS.
//
// Undefined flags (SF ZF AF PF after multiplication, all after division) are pinned: multiplication sets them
// from the low half of the product, AF clear; division leaves them alone. tests/silicon compares with the
// host's choice.
#include "cpu/exec/multiply.h"
#include "cpu/exec/emitters.h"
#include "cpu/exec/operand.h"

namespace vitrine::cpu {
namespace {

template <class T> struct Double;
template <> struct Double<u8> {
    using U = u16;
    using S = i16;
};
template <> struct Double<u16> {
    using U = u32;
    using S = i32;
};
template <> struct Double<u32> {
    using U = u64;
    using S = i64;
};
template <> struct Double<u64> {
    using U = u128;
    using S = i128;
};
template <class T> using Wide = typename Double<T>::U;
template <class T> using SignedWide = typename Double<T>::S;

/// rDX:rAX, or AX for bytes.
template <class T> Wide<T> wide_accumulator(const Core& core) {
    if constexpr (sizeof(T) == 1)
        return get<u16>(&core, slot_of(RAX));
    else
        return static_cast<Wide<T>>(static_cast<Wide<T>>(get<T>(&core, slot_of(RDX))) << (8 * sizeof(T)) |
                                    get<T>(&core, slot_of(RAX)));
}
template <class T> void put_pair(Core& core, T high, T low) {
    if constexpr (sizeof(T) == 1)
        put<u16>(&core, slot_of(RAX), static_cast<u16>(high << 8 | low));
    else {
        put<T>(&core, slot_of(RDX), high);
        put<T>(&core, slot_of(RAX), low);
    }
}

template <class T, bool Signed> bool multiply(Core& core, const Op& op) {
    T b{};
    if (!read_rm<T>(core, op, b)) return false;
    const T a = get<T>(&core, slot_of(RAX));
    Wide<T> product;
    bool overflow;
    if constexpr (Signed) {
        using S = std::make_signed_t<T>;
        const SignedWide<T> p =
            static_cast<SignedWide<T>>(static_cast<SignedWide<T>>(static_cast<S>(a)) * static_cast<S>(b));
        product = static_cast<Wide<T>>(p);
        overflow = p != static_cast<S>(p);
    } else {
        product = static_cast<Wide<T>>(static_cast<Wide<T>>(a) * b);
        overflow = product >> (8 * sizeof(T));
    }
    put_pair<T>(core, static_cast<T>(product >> (8 * sizeof(T))), static_cast<T>(product));
    core.lazy.set(FlagKind::Parts, sext(static_cast<T>(product)), overflow, overflow);
    return true;
}

template <class T, bool Signed> bool divide(Core& core, const Op& op) {
    T divisor{};
    if (!read_rm<T>(core, op, divisor)) return false;
    if (divisor == 0) return core.raise(0);
    const Wide<T> dividend = wide_accumulator<T>(core);
    if constexpr (Signed) {
        using S = std::make_signed_t<T>;
        using W = SignedWide<T>;
        const W a = static_cast<W>(dividend), b = static_cast<S>(divisor);
        const W lowest = static_cast<W>(Wide<T>{1} << (16 * sizeof(T) - 1));
        if (a == lowest && b == -1) return core.raise(0);
        const W quotient = static_cast<W>(a / b), remainder = static_cast<W>(a % b);
        if (quotient != static_cast<S>(quotient)) return core.raise(0);
        put_pair<T>(core, static_cast<T>(remainder), static_cast<T>(quotient));
    } else {
        const Wide<T> quotient = static_cast<Wide<T>>(dividend / divisor);
        if (quotient >> (8 * sizeof(T))) return core.raise(0);
        put_pair<T>(core, static_cast<T>(dividend % divisor), static_cast<T>(quotient));
    }
    return true;
}

template <class T> T signed_product(Core& core, T a, T b) {
    using S = std::make_signed_t<T>;
    const auto p =
        static_cast<SignedWide<T>>(static_cast<SignedWide<T>>(static_cast<S>(a)) * static_cast<S>(b));
    const bool overflow = p != static_cast<S>(p);
    core.lazy.set(FlagKind::Parts, sext(static_cast<T>(p)), overflow, overflow);
    return static_cast<T>(p);
}
template <class T> HANDLER imul_rr(HANDLER_ARGS) {
    put<T>(core, op->reg, signed_product<T>(*core, get<T>(core, op->reg), get<T>(core, op->rm)));
    NEXT;
}
template <class T> HANDLER imul_rri(HANDLER_ARGS) {
    put<T>(core, op->reg, signed_product<T>(*core, get<T>(core, op->rm), immediate<T>(op)));
    NEXT;
}
template <class T> bool imul_rm(Core& core, const Op& op) {
    T b{};
    if (!read_memory<T>(core, op, b)) return false;
    put<T>(&core, op.reg, signed_product<T>(core, get<T>(&core, op.reg), b));
    return true;
}
template <class T> bool imul_rmi(Core& core, const Op& op) {
    T b{};
    if (!read_memory<T>(core, op, b)) return false;
    put<T>(&core, op.reg, signed_product<T>(core, b, immediate<T>(&op)));
    return true;
}

enum Bcd : u8 { Daa, Das, Aaa, Aas, Aam, Aad };

bool bcd_adjust(Core& core, const Op& op) {
    const u64 f = core.flags();
    u8 al = get<u8>(&core, slot_of(RAX)), ah = get<u8>(&core, 1);
    bool cf = f & CF, af = f & AF;
    const u8 old_al = al;
    switch (op.extra) {
    case Daa:
    case Das: {
        const bool old_cf = cf;
        const i32 sign = op.extra == Daa ? 1 : -1;
        cf = false;
        if ((al & 15) > 9 || af) {
            cf = old_cf || (op.extra == Daa ? al > 0xF9 : al < 6);
            al = static_cast<u8>(al + 6 * sign);
            af = true;
        } else
            af = false;
        if (old_al > 0x99 || old_cf) {
            al = static_cast<u8>(al + 0x60 * sign);
            cf = true;
        } else if (op.extra == Daa)
            cf = false;
        break;
    }
    case Aaa:
    case Aas:
        if ((al & 15) > 9 || af) {
            const u16 ax = static_cast<u16>(ah << 8 | al);
            const u16 adjusted = static_cast<u16>(op.extra == Aaa ? ax + 0x106 : ax - 0x106);
            al = static_cast<u8>(adjusted), ah = static_cast<u8>(adjusted >> 8);
            af = cf = true;
        } else
            af = cf = false;
        al &= 15;
        break;
    case Aam:
        if ((op.imm & 0xFF) == 0) return core.raise(0);
        ah = static_cast<u8>(al / (op.imm & 0xFF)), al = static_cast<u8>(al % (op.imm & 0xFF));
        cf = af = false;
        break;
    case Aad:
        al = static_cast<u8>(al + ah * (op.imm & 0xFF)), ah = 0;
        cf = af = false;
        break;
    }
    put<u16>(&core, slot_of(RAX), static_cast<u16>(ah << 8 | al));
    core.set_arithmetic((cf ? CF : 0) | (af ? AF : 0) | (parity(al) ? PF : 0) | (al == 0 ? ZF : 0) |
                        (al & 0x80 ? SF : 0));
    return true;
}

} // namespace

namespace emit {

void multiply_divide(Emitter& e, unsigned which) {
    e.cost = which < 6 ? cost::Multiply : cost::Divide;
    e.handler = by_size(e.d.size, [&]<class T> {
        switch (which) {
        case 4: return static_cast<Handler>(cold<multiply<T, false>>);
        case 5: return static_cast<Handler>(cold<multiply<T, true>>);
        case 6: return static_cast<Handler>(cold<divide<T, false>>);
        default: return static_cast<Handler>(cold<divide<T, true>>);
        }
    });
}

void imul_reg_rm(Emitter& e) {
    e.cost = cost::Multiply;
    if (e.memory()) {
        e.handler = by_wide_size(e.d.size, []<class T> { return static_cast<Handler>(cold<imul_rm<T>>); });
        return;
    }
    e.handler = by_wide_size(e.d.size, []<class T> { return static_cast<Handler>(imul_rr<T>); });
    e.pure(AllFlags, 0);
}

void imul_reg_rm_imm(Emitter& e) {
    e.cost = cost::Multiply;
    if (e.memory()) {
        e.handler = by_wide_size(e.d.size, []<class T> { return static_cast<Handler>(cold<imul_rmi<T>>); });
        return;
    }
    e.handler = by_wide_size(e.d.size, []<class T> { return static_cast<Handler>(imul_rri<T>); });
    e.pure(AllFlags, 0);
}

void bcd(Emitter& e) {
    e.op.extra = e.d.row->arg;
    e.cost = e.d.row->arg == Aam ? cost::Divide : cost::Multiply;
    e.handler = cold<bcd_adjust>;
}

} // namespace emit
} // namespace vitrine::cpu
