// Bit instructions and compare-exchange: BT BTS BTR BTC, BSF BSR (TZCNT LZCNT POPCNT), CMPXCHG,
// CMPXCHG8B/16B, XADD.
//
// BSF/BSR with a zero source leave all of the destination as it was, as AMD documents. SDM vol. 2.
#include "cpu/exec/alu_ops.h"
#include "cpu/exec/emitters.h"
#include "cpu/exec/save_area.h"

namespace vitrine::cpu {
namespace {

enum BitOp : u8 { Bt = 4, Bts = 5, Btr = 6, Btc = 7 };

template <BitOp O, class T> T bit_change(T value, unsigned bit) {
    const T mask = static_cast<T>(T{1} << bit);
    if constexpr (O == Bts)
        return static_cast<T>(value | mask);
    else if constexpr (O == Btr)
        return static_cast<T>(value & ~mask);
    else if constexpr (O == Btc)
        return static_cast<T>(value ^ mask);
    else
        return value;
}
void set_carry(Core& core, bool carry) { core.set_arithmetic((core.flags() & ~u64{CF}) | (carry ? CF : 0)); }

/// A register bit index reaches beyond the operand in memory: the address moves by whole operands.
template <BitOp O, class T, bool Immediate> bool bit_operation(Core& core, const Op& op) {
    constexpr unsigned bits = 8 * sizeof(T);
    const T index = Immediate ? static_cast<T>(op.imm) : get<T>(&core, op.reg);
    const unsigned bit = static_cast<unsigned>(index & (bits - 1));
    if (op.address & RegisterOperand) {
        const T value = get<T>(&core, op.rm);
        set_carry(core, (value >> bit) & 1);
        if constexpr (O != Bt) put<T>(&core, op.rm, bit_change<O, T>(value, bit));
        return true;
    }
    u64 offset = operand_offset(core, op);
    if constexpr (!Immediate) {
        const i64 step = static_cast<i64>(sext(index)) >> (sizeof(T) == 8 ? 6 : sizeof(T) == 4 ? 5 : 4);
        offset += static_cast<u64>(step) * sizeof(T);
        const unsigned size = (op.address >> SizeShift) & 3;
        offset &= size == 0 ? 0xFFFF : size == 1 ? 0xFFFFFFFF : ~u64{0};
    }
    u64 linear = 0;
    T value{};
    if (!segment_linear(core, operand_segment(op), offset, sizeof(T), O != Bt, linear)) return false;
    if constexpr (O != Bt)
        if (!core.writable(linear, sizeof(T))) return false;
    if (!core.load(linear, value)) return false;
    if constexpr (O != Bt)
        if (!core.store(linear, bit_change<O, T>(value, bit))) return false;
    set_carry(core, (value >> bit) & 1);
    return true;
}

template <class T, bool Reverse> bool bit_scan_value(Core& core, const Op& op) {
    T value{};
    if (!read_rm<T>(core, op, value)) return false;
    if (value == 0) {
        core.set_arithmetic((core.flags() & ~u64{ArithmeticFlags}) | ZF | PF);
        return true;
    }
    const unsigned n = Reverse ? 63u - static_cast<unsigned>(__builtin_clzll(value))
                               : static_cast<unsigned>(__builtin_ctzll(value));
    core.set_arithmetic(parity(n) ? PF : 0);
    put<T>(&core, op.reg, static_cast<T>(n));
    return true;
}
template <class T> bool population_count(Core& core, const Op& op) {
    T value{};
    if (!read_rm<T>(core, op, value)) return false;
    put<T>(&core, op.reg, static_cast<T>(__builtin_popcountll(value)));
    core.set_arithmetic(value == 0 ? ZF : 0);
    return true;
}

/// The write cycle always happens (SDM: CMPXCHG).
template <class T> bool compare_exchange(Core& core, const Op& op) {
    const T expected = get<T>(&core, slot_of(RAX)), replacement = get<T>(&core, op.reg);
    T seen{};
    if (op.address & RegisterOperand) { // a failed exchange leaves all 64 bits of the register alone
        seen = get<T>(&core, op.rm);
        alu<AluCmp, T>(&core, expected, seen);
        if (seen == expected)
            put<T>(&core, op.rm, replacement);
        else
            put<T>(&core, slot_of(RAX), seen);
        return true;
    }
    if (!modify_rm<T>(core, op, [&](T v) {
            seen = v;
            return v == expected ? replacement : v;
        }))
        return false;
    alu<AluCmp, T>(&core, expected, seen);
    if (seen != expected) put<T>(&core, slot_of(RAX), seen);
    return true;
}
template <class T> bool exchange_add(Core& core, const Op& op) {
    T old{};
    const T addend = get<T>(&core, op.reg);
    if (op.address & RegisterOperand) {
        old = get<T>(&core, op.rm);
        const T sum = alu<AluAdd, T>(&core, old, addend);
        put<T>(&core, op.reg, old);
        put<T>(&core, op.rm, sum);
        return true;
    }
    if (!modify_rm<T>(core, op, [&](T v) {
            old = v;
            return static_cast<T>(v + addend);
        }))
        return false;
    alu<AluAdd, T>(&core, old, addend);
    put<T>(&core, op.reg, old);
    return true;
}
template <class T> bool compare_exchange_pair(Core& core, const Op& op) { // T: half of the operand
    struct Pair {
        T low, high;
    };
    u64 linear = 0;
    Pair seen{};
    if (!operand_linear(core, op, sizeof(Pair), true, linear)) return false;
    if (sizeof(T) == 8 && (linear & 15)) return core.raise(13, 0);
    if (!core.writable(linear, sizeof(Pair)) || !core.read(linear, sizeof(Pair), &seen, core.cpl == 3))
        return false;
    const bool equal = seen.low == get<T>(&core, slot_of(RAX)) && seen.high == get<T>(&core, slot_of(RDX));
    Pair next = equal ? Pair{get<T>(&core, slot_of(RBX)), get<T>(&core, slot_of(RCX))} : seen;
    if (!core.write(linear, sizeof(Pair), &next, core.cpl == 3)) return false;
    core.set_arithmetic((core.flags() & ~u64{ZF}) | (equal ? ZF : 0));
    if (!equal) {
        put<T>(&core, slot_of(RAX), seen.low);
        put<T>(&core, slot_of(RDX), seen.high);
    }
    return true;
}
/// RDRAND, RDSEED: always ready; the numbers follow from the machine's seed (Options::random_seed), so a run
/// repeats. SplitMix64 (Steele, Lea, Flood 2014).
template <class T> bool random_number(Core& core, const Op& op) {
    u64 z = core.random_state += 0x9E3779B97F4A7C15;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9;
    z = (z ^ z >> 27) * 0x94D049BB133111EB;
    put<T>(&core, op.rm, static_cast<T>(z ^ z >> 31));
    core.set_arithmetic(CF);
    return true;
}
bool processor_number(Core& core, const Op& op) { // RDPID
    put<u64>(&core, op.rm, core.r.msr.tsc_aux & 0xFFFFFFFF);
    return true;
}
template <class T> bool swapped_load(Core& core, const Op& op) { // MOVBE
    T value{};
    if (!read_memory<T>(core, op, value)) return false;
    put<T>(&core, op.reg, std::byteswap(value));
    return true;
}
template <class T> bool swapped_store(Core& core, const Op& op) {
    return write_memory<T>(core, op, std::byteswap(get<T>(&core, op.reg)));
}
template <class T> bool checksum(Core& core, const Op& op) { // CRC32
    T value{};
    if (!read_rm<T>(core, op, value)) return false;
    u32 crc = static_cast<u32>(core.r.gpr[op.reg / 8]);
    u64 wide = crc;
    if constexpr (sizeof(T) == 1)
        asm("crc32b %1, %0" : "+r"(crc) : "q"(value));
    else if constexpr (sizeof(T) == 2)
        asm("crc32w %1, %0" : "+r"(crc) : "r"(value));
    else if constexpr (sizeof(T) == 4)
        asm("crc32l %1, %0" : "+r"(crc) : "r"(value));
    else
        asm("crc32q %1, %0" : "+r"(wide) : "r"(value));
    put<u64>(&core, op.reg, sizeof(T) == 8 ? wide : crc);
    return true;
}
/// LZCNT, TZCNT: CF for a zero source, ZF for a zero count.
template <class T, bool Leading> bool count_zeros(Core& core, const Op& op) {
    T value{};
    if (!read_rm<T>(core, op, value)) return false;
    const T n = static_cast<T>(Leading ? std::countl_zero(value) : std::countr_zero(value));
    put<T>(&core, op.reg, n);
    const u64 kept = core.flags() & (OF | SF | AF | PF);
    core.set_arithmetic(kept | (value == 0 ? CF : 0) | (n == 0 ? ZF : 0));
    return true;
}

template <bool Immediate> void bit_form(Emitter& e, unsigned which) {
    if (which == Bt && e.d.lock) e.undefined = true;
    e.cost = e.memory() ? (e.d.lock ? cost::Locked : cost::ReadModifyWrite) : cost::Simple;
    e.handler = by_wide_size(e.d.size, [&]<class T> {
        switch (which) {
        case Bt: return static_cast<Handler>(cold<bit_operation<Bt, T, Immediate>>);
        case Bts: return static_cast<Handler>(cold<bit_operation<Bts, T, Immediate>>);
        case Btr: return static_cast<Handler>(cold<bit_operation<Btr, T, Immediate>>);
        default: return static_cast<Handler>(cold<bit_operation<Btc, T, Immediate>>);
        }
    });
}

} // namespace

namespace emit {

void bit_test(Emitter& e) { bit_form<false>(e, e.d.row->arg); }
void bit_group8(Emitter& e) {
    const unsigned which = e.d.reg & 7;
    if (which < 4)
        e.undefined = true;
    else
        bit_form<true>(e, which);
}
void bit_scan(Emitter& e) { // BC BD: arg 0 BSF, 1 BSR; B8 with F3: POPCNT (arg 2)
    const u8 arg = e.d.row->arg;
    e.cost = 3;
    if (arg == 2) {
        if (!e.d.rep) {
            e.undefined = true;
            return;
        }
        e.handler =
            by_wide_size(e.d.size, []<class T> { return static_cast<Handler>(cold<population_count<T>>); });
        return;
    }
    // F3 BC/BD are BSF/BSR on processors without BMI1/LZCNT.
    if (e.d.rep && offers(e.features, arg ? Feature::Lzcnt : Feature::Bmi1)) {
        e.handler = by_wide_size(e.d.size, [&]<class T> {
            return arg ? static_cast<Handler>(cold<count_zeros<T, true>>)
                       : static_cast<Handler>(cold<count_zeros<T, false>>);
        });
        return;
    }
    e.handler = by_wide_size(e.d.size, [&]<class T> {
        return arg ? static_cast<Handler>(cold<bit_scan_value<T, true>>)
                   : static_cast<Handler>(cold<bit_scan_value<T, false>>);
    });
}
void movbe_crc32(Emitter& e) { // 0F 38 F0 F1: F2 CRC32, none or 66 MOVBE
    const bool crc = e.d.repne;
    if (!offers(e.features, crc ? Feature::Sse42 : Feature::Movbe) || e.d.rep || (!crc && !e.memory()))
        return;
    e.op.reg = slot_of(e.d.reg);
    if (crc) {
        e.cost = cost::FpSimple;
        e.handler = by_size(e.d.size, []<class T> { return static_cast<Handler>(cold<checksum<T>>); });
        return;
    }
    e.cost = 1;
    const bool store = e.d.opcode == 0xF1;
    const unsigned size = e.d.size != 1                          ? e.d.size
                          : e.d.rex & 8                          ? 8
                          : e.d.prefix66 == (e.d.code_size != 2) ? 2
                                                                 : 4;
    e.handler = by_wide_size(size, [&]<class T> {
        return store ? static_cast<Handler>(cold<swapped_store<T>>)
                     : static_cast<Handler>(cold<swapped_load<T>>);
    });
}
void cmpxchg(Emitter& e) {
    e.cost = e.d.lock ? cost::Locked : 5;
    e.handler = by_size(e.d.size, []<class T> { return static_cast<Handler>(cold<compare_exchange<T>>); });
}
void xadd(Emitter& e) {
    e.cost = e.d.lock ? cost::Locked : 3;
    e.handler = by_size(e.d.size, []<class T> { return static_cast<Handler>(cold<exchange_add<T>>); });
}
void group9(Emitter& e) {
    const unsigned which = e.d.reg & 7;
    if (!e.memory()) { // RDRAND, RDSEED; with F3, RDPID
        const bool identify = which == 7 && e.d.rep;
        const Feature f = identify ? Feature::Rdpid : which == 7 ? Feature::Rdseed : Feature::Rdrand;
        if (which < 6 || (!identify && (e.d.rep || e.d.repne)) || !offers(e.features, f)) {
            e.undefined = true;
            return;
        }
        e.op.rm = slot_of(e.d.rm);
        e.cost = identify ? 8 : 100;
        if (identify)
            e.handler = cold<processor_number>;
        else
            e.handler =
                by_wide_size(e.d.size, []<class T> { return static_cast<Handler>(cold<random_number<T>>); });
        return;
    }
    if (which != 1) {
        if (e.d.mandatory())
            e.undefined = true;
        else if (which == 3)
            extended_state(e, Extended::Xrstors);
        else if (which == 4)
            extended_state(e, Extended::Xsavec);
        else if (which == 5)
            extended_state(e, Extended::Xsaves);
        else
            e.undefined = true; // VMX
        return;
    }
    e.cost = e.d.lock ? cost::Locked : 8;
    e.handler = e.d.size == 8 ? static_cast<Handler>(cold<compare_exchange_pair<u64>>)
                              : static_cast<Handler>(cold<compare_exchange_pair<u32>>);
}

} // namespace emit
} // namespace vitrine::cpu
