// Instructions that cross 128-bit lanes: widening moves, broadcasts, insert and extract of a lane, permutes
// of the whole register (AVX, AVX2). SDM vol. 2.
#include "cpu/exec/simd/forms.h"

namespace vitrine::cpu::simd {
namespace {

template <class T> struct Broadcast {
    template <Encoding E> static bool run(Core& core, const Op& op) {
        Vector b;
        if (!ready<E>(core) || !get_rm<E, sizeof(T)>(core, op, b)) return false;
        Both<T> out;
        out.fill(as<Lanes<T>>(b.low)[0]);
        put_vector<E>(core, op.reg, both(out));
        return true;
    }
};
struct BroadcastLane { // VBROADCASTF128, VBROADCASTI128
    template <Encoding E> static bool run(Core& core, const Op& op) {
        Vector b;
        if (!ready<E>(core) || !get_rm<E, 16>(core, op, b)) return false;
        put_vector<E>(core, op.reg, {b.low, b.low});
        return true;
    }
};
struct InsertLane {
    template <Encoding E> static bool run(Core& core, const Op& op) {
        Vector b;
        if (!ready<E>(core) || !get_rm<E, 16>(core, op, b)) return false;
        Vector r = get_vector<E>(core, op.vvvv);
        (op.imm & 1 ? r.high : r.low) = b.low;
        put_vector<E>(core, op.reg, r);
        return true;
    }
};
struct ExtractLane {
    template <Encoding E> static bool run(Core& core, const Op& op) {
        if (!ready<E>(core)) return false;
        const Vector v = get_vector<E>(core, op.reg);
        const __m128i lane = op.imm & 1 ? v.high : v.low;
        if (!(op.address & RegisterOperand)) return write_vector_memory<16, 0>(core, op, &lane);
        put_vector<Encoding::Vex128>(core, op.rm, {lane, _mm_setzero_si128()});
        return true;
    }
};
struct PermuteLanes { // VPERM2F128, VPERM2I128
    template <Encoding E> static bool run(Core& core, const Op& op) {
        Vector b;
        if (!ready<E>(core) || !get_rm<E, full<E>>(core, op, b)) return false;
        const Vector a = get_vector<E>(core, op.vvvv);
        const __m128i lanes[4] = {a.low, a.high, b.low, b.high};
        const auto pick = [&](unsigned how) { return how & 8 ? _mm_setzero_si128() : lanes[how & 3]; };
        put_vector<E>(core, op.reg, {pick(op.imm), pick(op.imm >> 4)});
        return true;
    }
};
struct PermuteQuads { // VPERMQ, VPERMPD: by an immediate
    template <Encoding E> static bool run(Core& core, const Op& op) {
        Vector b;
        if (!ready<E>(core) || !get_rm<E, full<E>>(core, op, b)) return false;
        const auto in = as<Both<u64>>(b);
        Both<u64> out;
        for (unsigned i = 0; i < 4; ++i) out[i] = in[op.imm >> (2 * i) & 3];
        put_vector<E>(core, op.reg, both(out));
        return true;
    }
};
struct PermuteLongs { // VPERMD, VPERMPS: by the first source
    template <Encoding E> static bool run(Core& core, const Op& op) {
        Vector b;
        if (!ready<E>(core) || !get_rm<E, full<E>>(core, op, b)) return false;
        const auto in = as<Both<u32>>(b), order = as<Both<u32>>(get_vector<E>(core, op.vvvv));
        Both<u32> out;
        for (unsigned i = 0; i < 8; ++i) out[i] = in[order[i] & 7];
        put_vector<E>(core, op.reg, both(out));
        return true;
    }
};

// clang-format off
#define EXTEND(opcode, name, bytes) \
    Row{#name, 2, P66, opcode, Form::VW, Sse41Avx2, 1, handlers<Widen<HOST1(name), false, bytes>>()}
#define BROADCAST(opcode, name, T) \
    Row{name, 2, P66, opcode, Form::VW, vex(Feature::Avx2), 1, handlers_vex<Broadcast<T>>()}.w0()
/// VBROADCASTSS and VBROADCASTSD: from memory in AVX, from a register in AVX2.
constexpr Handlers broadcast_long = handlers_vex<Broadcast<u32>>(), broadcast_quad = handlers_vex<Broadcast<u64>>();

constexpr Row rows[] = {
    EXTEND(0x20, pmovsxbw, 8), EXTEND(0x21, pmovsxbd, 4), EXTEND(0x22, pmovsxbq, 2),
    EXTEND(0x23, pmovsxwd, 8), EXTEND(0x24, pmovsxwq, 4), EXTEND(0x25, pmovsxdq, 8),
    EXTEND(0x30, pmovzxbw, 8), EXTEND(0x31, pmovzxbd, 4), EXTEND(0x32, pmovzxbq, 2),
    EXTEND(0x33, pmovzxwd, 8), EXTEND(0x34, pmovzxwq, 4), EXTEND(0x35, pmovzxdq, 8),

    Row{"broadcastss", 2, P66, 0x18, Form::VW, vex(Feature::Avx), 1, broadcast_long}.w0().memory(),
    Row{"broadcastss", 2, P66, 0x18, Form::VW, vex(Feature::Avx2), 1, broadcast_long}.w0().registers(),
    Row{"broadcastsd", 2, P66, 0x19, Form::VW, vex256(Feature::Avx), 1, broadcast_quad}.w0().memory(),
    Row{"broadcastsd", 2, P66, 0x19, Form::VW, vex256(Feature::Avx2), 3, broadcast_quad}.w0().registers(),
    Row{"broadcastf128", 2, P66, 0x1A, Form::VW, vex256(Feature::Avx), 1, handlers_vex<BroadcastLane>()}.w0().memory(),
    Row{"broadcasti128", 2, P66, 0x5A, Form::VW, vex256(Feature::Avx2), 1, handlers_vex<BroadcastLane>()}.w0().memory(),
    BROADCAST(0x58, "pbroadcastd", u32), BROADCAST(0x59, "pbroadcastq", u64),
    BROADCAST(0x78, "pbroadcastb", u8), BROADCAST(0x79, "pbroadcastw", u16),

    Row{"insertf128",  3, P66, 0x18, Form::VHW, vex256(Feature::Avx),  3, handlers_vex<InsertLane>()}.w0().ib(),
    Row{"inserti128",  3, P66, 0x38, Form::VHW, vex256(Feature::Avx2), 3, handlers_vex<InsertLane>()}.w0().ib(),
    Row{"extractf128", 3, P66, 0x19, Form::WV,  vex256(Feature::Avx),  3, handlers_vex<ExtractLane>()}.w0().ib(),
    Row{"extracti128", 3, P66, 0x39, Form::WV,  vex256(Feature::Avx2), 3, handlers_vex<ExtractLane>()}.w0().ib(),
    Row{"perm2f128",   3, P66, 0x06, Form::VHW, vex256(Feature::Avx),  3, handlers_vex<PermuteLanes>()}.w0().ib(),
    Row{"perm2i128",   3, P66, 0x46, Form::VHW, vex256(Feature::Avx2), 3, handlers_vex<PermuteLanes>()}.w0().ib(),
    Row{"permq",       3, P66, 0x00, Form::VW,  vex256(Feature::Avx2), 3, handlers_vex<PermuteQuads>()}.w1().ib(),
    Row{"permpd",      3, P66, 0x01, Form::VW,  vex256(Feature::Avx2), 3, handlers_vex<PermuteQuads>()}.w1().ib(),
    Row{"permd",       2, P66, 0x36, Form::VHW, vex256(Feature::Avx2), 3, handlers_vex<PermuteLongs>()}.w0(),
    Row{"permps",      2, P66, 0x16, Form::VHW, vex256(Feature::Avx2), 3, handlers_vex<PermuteLongs>()}.w0(),
};
// clang-format on

} // namespace

constinit const std::span<const Row> lane_rows = rows;

} // namespace vitrine::cpu::simd
