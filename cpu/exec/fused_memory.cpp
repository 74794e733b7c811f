// Fused pairs of a comparison with memory and the Jcc behind it: CMP and TEST with a memory operand (opcodes
// 38-3B, 80-83, 84, 85, F6, F7). See fused.h; the flags are still set, for the successor may read them.
#include "cpu/exec/alu_memory.h"
#include "cpu/exec/fused.h"

namespace vitrine::cpu {
namespace {

template <AluOp O, class T, bool Immediate, bool Load, Kind K, unsigned CC>
HANDLER compare_jcc(HANDLER_ARGS) {
    const u8* p = fast_hit<T>(core->read_fast, fast_address<K>(core, op, sizeof(T)));
    if (!p) [[unlikely]] {
        if constexpr (Load)
            VITRINE_TAIL alu_load<O, T, Kind::General>(HANDLER_PASS);
        else
            VITRINE_TAIL alu_store<O, T, Immediate, Kind::General>(HANDLER_PASS);
    }
    const T in_memory = read_host<T>(p), other = Immediate ? immediate<T>(op) : get<T>(core, op->reg);
    const T a = Load ? other : in_memory, b = Load ? in_memory : other;
    const T result = alu<O, T>(core, a, b);
    ++op;
    BRANCH((holds<O, CC, T>(a, b, result)));
}

/// The conditions that programs put behind these: overflow and parity stay two Ops.
constexpr bool common(unsigned cc) { return (cc >> 1) != 0 && (cc >> 1) != 5; }

template <AluOp O, bool Immediate, bool Load> Handler pair(Kind kind, unsigned size, unsigned cc) {
    return by_condition(cc, [&]<unsigned CC> {
        return by_fused_size(size, [&]<class T> {
            if constexpr (common(CC) && (O == AluCmp || CC == 4 || CC == 5 || CC == 8 || CC == 9)) {
                switch (kind) {
                case Kind::Base:
                    return static_cast<Handler>(compare_jcc<O, T, Immediate, Load, Kind::Base, CC>);
                case Kind::Index:
                    return static_cast<Handler>(compare_jcc<O, T, Immediate, Load, Kind::Index, CC>);
                case Kind::Rip:
                    return static_cast<Handler>(compare_jcc<O, T, Immediate, Load, Kind::Rip, CC>);
                default: break;
                }
            }
            return Handler{nullptr};
        });
    });
}

} // namespace

Handler fused_memory_handler(MemoryCompare what, Kind kind, unsigned size, unsigned cc) {
    switch (what) {
    case MemoryCompare::CmpReg: return pair<AluCmp, false, false>(kind, size, cc);
    case MemoryCompare::CmpImm: return pair<AluCmp, true, false>(kind, size, cc);
    case MemoryCompare::TestReg: return pair<AluTest, false, false>(kind, size, cc);
    case MemoryCompare::TestImm: return pair<AluTest, true, false>(kind, size, cc);
    case MemoryCompare::CmpLoad: return pair<AluCmp, false, true>(kind, size, cc);
    default: return nullptr;
    }
}

} // namespace vitrine::cpu
