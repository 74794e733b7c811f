// Shapes of SIMD instructions: templates over what one 128-bit lane does, instantiated once an encoding.
//
// A 256-bit instruction is two 128-bit lanes nearly everywhere in AVX, so the host runs each lane with the
// 128-bit instruction, and only instructions that cross lanes are written out. In legacy encodings the first
// source is the destination (the emitter sets Op::vvvv = Op::reg), operands of 16 bytes are aligned, and the
// register's upper half stays; VEX encodings align nothing and clear what they do not write (SDM vol. 1
// 14.2–14.9, vol. 2 2.3).
#pragma once
#include "cpu/exec/fp.h"
#include "cpu/exec/simd/table.h"

namespace vitrine::cpu::simd {

struct Vector {
    __m128i low, high; ///< `high` counts in Vex256 only
};

template <class A> A as(__m128i v) {
    static_assert(sizeof(A) == 16);
    A out;
    std::memcpy(&out, &v, 16);
    return out;
}
template <class A> __m128i from(const A& a) {
    static_assert(sizeof(A) == 16);
    __m128i v;
    std::memcpy(&v, &a, 16);
    return v;
}
template <class T> using Lanes = std::array<T, 16 / sizeof(T)>;
template <class T> using Both = std::array<T, 32 / sizeof(T)>;
template <class A> A as(const Vector& v) {
    static_assert(sizeof(A) == 32);
    A out;
    std::memcpy(&out, &v, 32);
    return out;
}
template <class A> Vector both(const A& a) {
    static_assert(sizeof(A) == 32);
    Vector v;
    std::memcpy(&v, &a, 32);
    return v;
}

/// #UD, #NM: SDM vol. 2 2.4 for legacy encodings, 2.4 class 1–8 for VEX.
template <Encoding E> [[gnu::always_inline]] inline bool ready(Core& core) {
    constexpr bool vex = E != Encoding::Legacy;
    return (core.simd_ready & (vex ? VexReady : LegacyReady)) || simd_not_ready(core, vex);
}
template <Encoding E> constexpr bool wide = E == Encoding::Vex256;

template <Encoding E> Vector get_vector(const Core& core, unsigned n) {
    Vector v;
    v.low = xmm_get(core, static_cast<u8>(n));
    if constexpr (wide<E>)
        v.high = _mm_load_si128(reinterpret_cast<const __m128i*>(&core.r.ymm_high[n]));
    else
        v.high = _mm_setzero_si128();
    return v;
}
template <Encoding E> void put_vector(Core& core, unsigned n, const Vector& v) {
    xmm_put(core, static_cast<u8>(n), v.low);
    if constexpr (wide<E>) _mm_store_si128(reinterpret_cast<__m128i*>(&core.r.ymm_high[n]), v.high);
    if constexpr (E == Encoding::Vex128) core.r.ymm_high[n] = {};
}
/// `Bytes` from the host's memory, zero-extended to a lane.
template <unsigned Bytes> [[gnu::always_inline]] inline void load_bytes(const u8* p, Vector& v) {
    if constexpr (Bytes >= 16) {
        v.low = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
        if constexpr (Bytes == 32) v.high = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p + 16));
    } else {
        u64 value = 0;
        __builtin_memcpy(&value, p, Bytes);
        v.low = _mm_cvtsi64_si128(static_cast<i64>(value));
    }
}
/// A register or memory operand of `Bytes`.
template <Encoding E, unsigned Bytes, bool Aligned = (E == Encoding::Legacy && Bytes == 16),
          bool Registers = false>
[[gnu::always_inline]] inline bool get_rm(Core& core, const Op& op, Vector& v) {
    if (Registers || (op.address & RegisterOperand)) {
        v = get_vector < Bytes == 32 ? Encoding::Vex256 : Encoding::Vex128 > (core, op.rm);
        return true;
    }
    constexpr unsigned alignment = !Aligned ? 0 : Bytes == 32 ? 32 : 16;
    if (const u8* p = flat_hit<Bytes, alignment>(core, op, core.read_fast)) [[likely]] {
        load_bytes<Bytes>(p, v);
        return true;
    }
    alignas(16) u8 bytes[32];
    if (!vector_memory(core, op, Bytes, alignment, false, bytes)) return false;
    load_bytes<Bytes>(bytes, v);
    return true;
}
/// The same; with `Registers`, known to be one.
template <Encoding E, unsigned Bytes, bool Registers>
[[gnu::always_inline]] inline bool get_source(Core& core, const Op& op, Vector& v) {
    constexpr bool aligned = E == Encoding::Legacy && Bytes == 16;
    return get_rm<E, Bytes, aligned, Registers>(core, op, v);
}
/// Bytes of a full-width operand.
template <Encoding E> constexpr unsigned full = wide<E> ? 32 : 16;

template <bool Fp, class F> [[gnu::always_inline]] inline bool compute(Core& core, F&& f) {
    if constexpr (Fp)
        return fp_run(core, f);
    else
        return f(), true;
}
/// Calls F with the immediate where it takes one.
template <auto F, class... A> [[gnu::always_inline]] inline auto call(unsigned imm, A... a) {
    if constexpr (requires { F(a..., imm); })
        return F(a..., imm);
    else
        return F(a...);
}

/// VHW, lane by lane. `Bytes` of memory in the 128-bit form; the upper lane sees the immediate shifted by
/// `Shift`.
template <auto F, bool Fp = false, unsigned Bytes = 16, unsigned Shift = 0> struct Binary {
    template <Encoding E, bool Registers = false> static bool run(Core& core, const Op& op) {
        constexpr unsigned bytes = Bytes == 16 ? full<E> : Bytes;
        Vector b, r;
        if (!ready<E>(core) || !get_source<E, bytes, Registers>(core, op, b)) return false;
        const Vector a = get_vector<E>(core, op.vvvv);
        const auto lanes = [&] {
            r.low = call<F>(op.imm, a.low, b.low);
            if constexpr (wide<E>) r.high = call<F>(op.imm >> Shift, a.high, b.high);
        };
        if (!compute<Fp>(core, lanes)) return false;
        put_vector<E>(core, op.reg, r);
        return true;
    }
};
/// VHW where the second source is 128 bits whatever the length: shifts by a register.
template <auto F> struct ByCount {
    template <Encoding E, bool Registers = false> static bool run(Core& core, const Op& op) {
        constexpr unsigned bytes = 16;
        Vector b, r;
        if (!ready<E>(core) || !get_source<E, bytes, Registers>(core, op, b)) return false;
        const Vector a = get_vector<E>(core, op.vvvv);
        r.low = F(a.low, b.low);
        if constexpr (wide<E>) r.high = F(a.high, b.low);
        put_vector<E>(core, op.reg, r);
        return true;
    }
};
/// VW, lane by lane.
template <auto F, bool Fp = false, unsigned Bytes = 16, unsigned Shift = 0> struct Unary {
    template <Encoding E, bool Registers = false> static bool run(Core& core, const Op& op) {
        constexpr unsigned bytes = Bytes == 16 || wide<E> ? full<E> : Bytes;
        Vector b, r;
        if (!ready<E>(core) || !get_source<E, bytes, Registers>(core, op, b)) return false;
        const auto lanes = [&] {
            r.low = call<F>(op.imm, b.low);
            if constexpr (wide<E>) r.high = call<F>(op.imm >> Shift, b.high);
        };
        if (!compute<Fp>(core, lanes)) return false;
        put_vector<E>(core, op.reg, r);
        return true;
    }
};
/// VW where `Bytes` of the source become one lane: the 256-bit form takes the upper lane from the next
/// `Bytes`.
template <auto F, bool Fp, unsigned Bytes> struct Widen {
    template <Encoding E> static bool run(Core& core, const Op& op) {
        Vector b, r;
        if (!ready<E>(core) || !get_rm<E, wide<E> ? 2 * Bytes : Bytes, false>(core, op, b)) return false;
        const auto lanes = [&] {
            r.low = F(b.low);
            if constexpr (wide<E>) r.high = F(_mm_srli_si128(b.low, Bytes));
        };
        if (!compute<Fp>(core, lanes)) return false;
        put_vector<E>(core, op.reg, r);
        return true;
    }
};
/// VW where one lane becomes 8 bytes; the result is 128 bits.
template <auto F> struct Narrow {
    template <Encoding E> static bool run(Core& core, const Op& op) {
        Vector b, r;
        if (!ready<E>(core) || !get_rm<E, full<E>>(core, op, b)) return false;
        const auto lanes = [&] {
            r.low = F(b.low);
            if constexpr (wide<E>) r.low = _mm_unpacklo_epi64(r.low, F(b.high));
        };
        if (!fp_run(core, lanes)) return false;
        put_vector<wide<E> ? Encoding::Vex128 : E>(core, op.reg, r);
        return true;
    }
};

/// As cold<>, for code that touches no memory: nothing outside can look at where we are.
template <auto Fn> HANDLER on_registers(HANDLER_ARGS) {
    if (!Fn(*core, *op)) [[unlikely]]
        FAULT;
    NEXT;
}
template <class T, Encoding E> consteval Handler register_handler() {
    if constexpr (requires(Core& c, const Op& o) { T::template run<E, true>(c, o); })
        return on_registers<T::template run<E, true>>;
    else
        return nullptr;
}
template <class T> consteval Handlers handlers() {
    return {{cold<T::template run<Encoding::Legacy>>, cold<T::template run<Encoding::Vex128>>,
             cold<T::template run<Encoding::Vex256>>},
            {register_handler<T, Encoding::Legacy>(), register_handler<T, Encoding::Vex128>(),
             register_handler<T, Encoding::Vex256>()}};
}
/// For forms that have no legacy encoding, or only that.
template <class T> consteval Handlers handlers_vex() {
    return {{nullptr, cold<T::template run<Encoding::Vex128>>, cold<T::template run<Encoding::Vex256>>},
            {nullptr, register_handler<T, Encoding::Vex128>(), register_handler<T, Encoding::Vex256>()}};
}
consteval Handlers only_legacy(Handler h) { return {{h, nullptr, nullptr}}; }
consteval Handlers only_vex128(Handler h) { return {{nullptr, h, nullptr}}; }

/// Instructions whose immediate is part of the host's instruction: one instance a value.
template <auto F, unsigned I> __m128i instance2(__m128i a, __m128i b) {
    return F(a, b, std::integral_constant<unsigned, I>{});
}
template <auto F, unsigned I> __m128i instance1(__m128i b) {
    return F(b, std::integral_constant<unsigned, I>{});
}
template <auto F, unsigned... I>
constexpr std::array<__m128i (*)(__m128i, __m128i), sizeof...(I)>
instances2(std::integer_sequence<unsigned, I...>) {
    return {instance2<F, I>...};
}
template <auto F, unsigned... I>
constexpr std::array<__m128i (*)(__m128i), sizeof...(I)> instances1(std::integer_sequence<unsigned, I...>) {
    return {instance1<F, I>...};
}
template <auto F, unsigned Count> __m128i steered2(__m128i a, __m128i b, unsigned imm) {
    static constexpr auto table = instances2<F>(std::make_integer_sequence<unsigned, Count>{});
    return table[imm % Count](a, b);
}
template <auto F, unsigned Count> __m128i steered1(__m128i b, unsigned imm) {
    static constexpr auto table = instances1<F>(std::make_integer_sequence<unsigned, Count>{});
    return table[imm % Count](b);
}

// clang-format off
/// One host instruction on one lane.
#define HOST2(name) [](__m128i a, __m128i b) { asm volatile(#name " %1, %0" : "+x"(a) : "x"(b)); return a; }
#define HOST1(name) [](__m128i b) { __m128i a; asm volatile(#name " %1, %0" : "=x"(a) : "x"(b)); return a; }
/// With an immediate, reduced to `count` values.
#define HOST2I(name, count) steered2<[](__m128i a, __m128i b, auto i) {                                       \
        asm volatile(#name " %2, %1, %0" : "+x"(a) : "x"(b), "i"(decltype(i)::value)); return a; }, count>
#define HOST1I(name, count) steered1<[](__m128i b, auto i) {                                                  \
        __m128i a; asm volatile(#name " %2, %1, %0" : "=x"(a) : "x"(b), "i"(decltype(i)::value)); return a; }, count>
// clang-format on

} // namespace vitrine::cpu::simd
