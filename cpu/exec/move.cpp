// Data movement: MOV, LEA, MOVZX/MOVSX, XCHG, CMOVcc, SETcc, conversions, flag bits. SDM vol. 2.
#include "cpu/exec/alu_ops.h"
#include "cpu/exec/emitters.h"

namespace vitrine::cpu {
namespace {

template <class T> HANDLER mov_rr(HANDLER_ARGS) { // rm ← reg
    put<T>(core, op->rm, get<T>(core, op->reg));
    NEXT;
}
template <class T> HANDLER mov_ri(HANDLER_ARGS) {
    put<T>(core, op->rm, static_cast<T>(op->imm64));
    NEXT;
}
/// Loads T and extends to D: plain moves have D == T.
template <class T, class D, bool Signed, Kind K> HANDLER mov_load(HANDLER_ARGS) {
    T value{};
    if constexpr (K == Kind::General) {
        CALLING_OUT;
        if (!read_memory<T>(*core, *op, value)) [[unlikely]]
            FAULT;
    } else {
        const u8* p = fast_hit<T>(core->read_fast, fast_address<K>(core, op, sizeof(T)));
        if (!p) [[unlikely]]
            VITRINE_TAIL mov_load<T, D, Signed, Kind::General>(HANDLER_PASS);
        value = read_host<T>(p);
    }
    put<D>(core, op->reg, Signed ? static_cast<D>(sext(value)) : static_cast<D>(value));
    if constexpr (K == Kind::General) NEXT_AFTER_ACCESS;
    NEXT;
}
template <class T, bool Immediate, Kind K> HANDLER mov_store(HANDLER_ARGS) {
    const T value = Immediate ? immediate<T>(op) : get<T>(core, op->reg);
    if constexpr (K == Kind::General) {
        CALLING_OUT;
        if (!write_memory<T>(*core, *op, value)) [[unlikely]]
            FAULT;
        NEXT_AFTER_ACCESS;
    } else {
        u8* p = fast_hit<T>(core->write_fast, fast_address<K>(core, op, sizeof(T)));
        if (!p) [[unlikely]]
            VITRINE_TAIL mov_store<T, Immediate, Kind::General>(HANDLER_PASS);
        write_host<T>(p, value);
        NEXT;
    }
}
template <class T, class D, bool Signed> HANDLER extend_rr(HANDLER_ARGS) { // reg ← rm
    const T value = get<T>(core, op->rm);
    put<D>(core, op->reg, Signed ? static_cast<D>(sext(value)) : static_cast<D>(value));
    NEXT;
}
template <class T> bool mov_offset_load(Core& core, const Op& op) {
    u64 linear = 0;
    T value{};
    if (!segment_linear(core, operand_segment(op), op.imm64, sizeof(T), false, linear) ||
        !core.load(linear, value))
        return false;
    put<T>(&core, slot_of(RAX), value);
    return true;
}
template <class T> bool mov_offset_store(Core& core, const Op& op) {
    u64 linear = 0;
    return segment_linear(core, operand_segment(op), op.imm64, sizeof(T), true, linear) &&
           core.store(linear, get<T>(&core, slot_of(RAX)));
}

template <class T, Kind K> HANDLER lea_reg(HANDLER_ARGS) {
    if constexpr (K == Kind::General)
        put<T>(core, op->reg, static_cast<T>(operand_offset(*core, *op)));
    else
        put<T>(core, op->reg, static_cast<T>(fast_address<K>(core, op, sizeof(T))));
    NEXT;
}

template <class T> HANDLER xchg_rr(HANDLER_ARGS) {
    const T a = get<T>(core, op->rm), b = get<T>(core, op->reg);
    put<T>(core, op->rm, b);
    put<T>(core, op->reg, a);
    NEXT;
}
template <class T> bool xchg_memory(Core& core, const Op& op) {
    T old{};
    const T value = get<T>(&core, op.reg);
    if (!modify_rm<T>(core, op, [&](T v) {
            old = v;
            return value;
        }))
        return false;
    put<T>(&core, op.reg, old);
    return true;
}
template <class T> HANDLER bswap_reg(HANDLER_ARGS) {
    if constexpr (sizeof(T) == 8)
        put<u64>(core, op->rm, __builtin_bswap64(get<u64>(core, op->rm)));
    else if constexpr (sizeof(T) == 4)
        put<u32>(core, op->rm, __builtin_bswap32(get<u32>(core, op->rm)));
    else
        put<u16>(core, op->rm, 0); // undefined by the manual; processors clear it
    NEXT;
}

/// CBW/CWDE/CDQE and CWD/CDQ/CQO.
template <class T, bool IntoDx> HANDLER convert_acc(HANDLER_ARGS) {
    if constexpr (IntoDx) {
        const u64 sign = static_cast<u64>(static_cast<i64>(sext(get<T>(core, slot_of(RAX)))) >> 63);
        put<T>(core, slot_of(RDX), static_cast<T>(sign));
    } else if constexpr (sizeof(T) == 2)
        put<u16>(core, slot_of(RAX), static_cast<u16>(sext(get<u8>(core, slot_of(RAX)))));
    else if constexpr (sizeof(T) == 4)
        put<u32>(core, slot_of(RAX), static_cast<u32>(sext(get<u16>(core, slot_of(RAX)))));
    else
        put<u64>(core, slot_of(RAX), sext(get<u32>(core, slot_of(RAX))));
    NEXT;
}

/// A 32-bit CMOV zero-extends even when it does not move.
template <class T> HANDLER cmov_rr(HANDLER_ARGS) {
    put<T>(core, op->reg, core->condition(op->extra) ? get<T>(core, op->rm) : get<T>(core, op->reg));
    NEXT;
}
template <class T> bool cmov_memory(Core& core, const Op& op) {
    T value{};
    if (!read_memory<T>(core, op, value)) return false;
    put<T>(&core, op.reg, core.condition(op.extra) ? value : get<T>(&core, op.reg));
    return true;
}
HANDLER setcc_reg(HANDLER_ARGS) {
    put<u8>(core, op->rm, core->condition(op->extra));
    NEXT;
}
bool setcc_memory(Core& core, const Op& op) { return write_memory<u8>(core, op, core.condition(op.extra)); }

HANDLER nothing(HANDLER_ARGS) { NEXT; }
/// With several processors, the one that spins gives its turn away.
HANDLER pause(HANDLER_ARGS) {
    if (core->options.processors > 1) {
        core->yielded = true;
        core->stop();
        VITRINE_TAIL after_event(HANDLER_PASS);
    }
    NEXT;
}

bool translate_byte(Core& core, const Op& op) { // XLAT
    u64 linear = 0;
    u64 offset = core.r.gpr[RBX] + get<u8>(&core, slot_of(RAX));
    const unsigned size = (op.address >> SizeShift) & 3;
    offset &= size == 0 ? 0xFFFF : size == 1 ? 0xFFFFFFFF : ~u64{0};
    u8 value = 0;
    if (!segment_linear(core, operand_segment(op), offset, 1, false, linear) || !core.load(linear, value))
        return false;
    put<u8>(&core, slot_of(RAX), value);
    return true;
}

constexpr u64 AhFlags = CF | PF | AF | ZF | SF;
bool load_ah(Core& core, const Op&) {
    put<u8>(&core, 1, static_cast<u8>((core.flags() & AhFlags) | 2));
    return true;
}
bool store_ah(Core& core, const Op&) {
    core.set_arithmetic((core.flags() & OF) | (get<u8>(&core, 1) & AhFlags));
    return true;
}
enum FlagOp : u8 { Clc, Stc, Cmc, Cld, Std };
bool change_flag(Core& core, const Op& op) {
    const u64 f = core.flags();
    switch (op.extra) {
    case Clc: core.set_arithmetic(f & ~u64{CF}); break;
    case Stc: core.set_arithmetic(f | CF); break;
    case Cmc: core.set_arithmetic(f ^ CF); break;
    case Cld: core.r.rflags &= ~u64{DF}; break;
    case Std: core.r.rflags |= DF; break;
    }
    return true;
}
bool set_al_on_carry(Core& core, const Op&) {
    put<u8>(&core, slot_of(RAX), core.condition(2) ? 0xFF : 0);
    return true;
}
template <class T, class D, bool Signed> Handler extend(Emitter& e) {
    if (!e.memory()) {
        e.pure();
        return extend_rr<T, D, Signed>;
    }
    e.cost = cost::Load;
    return by_kind(e.kind(), [&]<Kind K> { return static_cast<Handler>(mov_load<T, D, Signed, K>); });
}
template <class T, bool Signed> void extend_to(Emitter& e) {
    e.handler = by_wide_size(e.d.size, [&]<class D> {
        if constexpr (sizeof(D) >= sizeof(T))
            return extend<T, D, Signed>(e);
        else
            return Handler{nullptr};
    });
}

} // namespace

namespace emit {

void mov_rm_reg(Emitter& e) {
    if (!e.memory()) {
        e.handler = by_size(e.d.size, []<class T> { return static_cast<Handler>(mov_rr<T>); });
        return e.pure();
    }
    e.cost = cost::Store;
    e.handler = by_size(e.d.size, [&]<class T> {
        return by_kind(e.kind(), [&]<Kind K> { return static_cast<Handler>(mov_store<T, false, K>); });
    });
}
void mov_reg_rm(Emitter& e) {
    if (!e.memory()) {
        std::swap(e.op.reg, e.op.rm);
        return mov_rm_reg(e);
    }
    e.cost = cost::Load;
    e.handler = by_size(e.d.size, [&]<class T> {
        return by_kind(e.kind(), [&]<Kind K> { return static_cast<Handler>(mov_load<T, T, false, K>); });
    });
}
void mov_reg_imm(Emitter& e) {
    e.op.imm64 = e.d.imm;
    e.op.rm = e.d.size == 1 ? byte_slot(e.d.rm, e.d.rex) : slot_of(e.d.rm);
    e.handler = by_size(e.d.size, []<class T> { return static_cast<Handler>(mov_ri<T>); });
    e.pure();
}
void mov_rm_imm(Emitter& e) {
    if (e.d.reg & 7) {
        e.undefined = true;
        return;
    }
    if (!e.memory()) return mov_reg_imm(e);
    e.cost = cost::Store;
    e.handler = by_size(e.d.size, [&]<class T> {
        return by_kind(e.kind(), [&]<Kind K> { return static_cast<Handler>(mov_store<T, true, K>); });
    });
}
void mov_moffs(Emitter& e) {
    e.op.imm64 = e.d.imm;
    e.handler = by_size(e.d.size, [&]<class T> {
        return e.d.row->arg ? static_cast<Handler>(cold<mov_offset_store<T>>)
                            : static_cast<Handler>(cold<mov_offset_load<T>>);
    });
}
void lea(Emitter& e) {
    if (!e.memory()) {
        e.undefined = true;
        return;
    }
    // The segment does not matter for LEA.
    const Kind kind = e.long64() && e.d.address_size == 8 ? (e.d.rip_relative        ? Kind::Rip
                                                             : e.d.index != ZeroSlot ? Kind::Index
                                                                                     : Kind::Base)
                                                          : Kind::General;
    e.handler = by_wide_size(e.d.size, [&]<class T> {
        return by_kind(kind, [&]<Kind K> { return static_cast<Handler>(lea_reg<T, K>); });
    });
    e.pure();
}
void movx(Emitter& e) { // 0F B6 B7 BE BF: arg bit 0 word source, bit 1 signed
    const u8 arg = e.d.row->arg;
    if (!e.memory() && !(arg & 1)) e.op.rm = byte_slot(e.d.rm, e.d.rex);
    switch (arg) {
    case 0: return extend_to<u8, false>(e);
    case 1: return extend_to<u16, false>(e);
    case 2: return extend_to<u8, true>(e);
    default: return extend_to<u16, true>(e);
    }
}
void movsxd(Emitter& e) {
    if (!e.long64()) return arpl(e);
    if (e.d.size == 8)
        e.handler = extend<u32, u64, true>(e);
    else if (e.d.size == 4)
        e.handler = extend<u32, u32, false>(e);
    else
        e.handler = extend<u16, u16, false>(e);
}
void xchg_rm_reg(Emitter& e) {
    if (e.memory()) {
        e.cost = cost::Locked; // always locked
        e.handler = by_size(e.d.size, []<class T> { return static_cast<Handler>(cold<xchg_memory<T>>); });
        return;
    }
    e.handler = by_size(e.d.size, []<class T> { return static_cast<Handler>(xchg_rr<T>); });
    e.pure();
}
void xchg_acc(Emitter& e) { // 90–97; 90 without REX.B is NOP, F3 90 is PAUSE
    if (e.d.rm == 0) {
        e.handler = e.d.rep ? pause : nothing;
        return e.pure();
    }
    e.op.reg = slot_of(RAX), e.op.rm = slot_of(e.d.rm);
    e.handler = by_wide_size(e.d.size, []<class T> { return static_cast<Handler>(xchg_rr<T>); });
    e.pure();
}
void bswap(Emitter& e) {
    e.op.rm = slot_of(e.d.rm);
    e.handler = by_wide_size(e.d.size, []<class T> { return static_cast<Handler>(bswap_reg<T>); });
    e.pure();
}
void convert(Emitter& e) {
    e.handler = by_wide_size(e.d.size, [&]<class T> {
        return e.d.row->arg ? static_cast<Handler>(convert_acc<T, true>)
                            : static_cast<Handler>(convert_acc<T, false>);
    });
    e.pure();
}
void cmov(Emitter& e) {
    e.op.extra = e.d.opcode & 15;
    if (e.memory()) {
        e.handler =
            by_wide_size(e.d.size, []<class T> { return static_cast<Handler>(cold<cmov_memory<T>>); });
        return;
    }
    e.handler = by_wide_size(e.d.size, []<class T> { return static_cast<Handler>(cmov_rr<T>); });
    e.pure(0, condition_reads(e.d.opcode & 15));
}
void setcc(Emitter& e) {
    e.op.extra = e.d.opcode & 15;
    if (e.memory()) {
        e.handler = cold<setcc_memory>;
        return;
    }
    e.handler = setcc_reg;
    e.pure(0, condition_reads(e.d.opcode & 15));
}
void movnti(Emitter& e) {
    if (!e.memory() || e.d.mandatory())
        e.undefined = true;
    else
        mov_rm_reg(e);
}
void nop(Emitter& e) { e.handler = nothing, e.pure(); }
void nop_rm(Emitter& e) { e.handler = nothing, e.pure(); } // the address is not computed: no fault
void xlat(Emitter& e) { e.handler = cold<translate_byte>; }
void lahf_sahf(Emitter& e) {
    e.handler = e.d.row->arg ? static_cast<Handler>(cold<store_ah>) : static_cast<Handler>(cold<load_ah>);
}
void flag_op(Emitter& e) { e.op.extra = e.d.row->arg, e.handler = cold<change_flag>; }
void salc(Emitter& e) { e.handler = cold<set_al_on_carry>; }

} // namespace emit
} // namespace vitrine::cpu
